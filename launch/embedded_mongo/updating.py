"""What an update makes of one document.

mongomock-ng applies the operators; what it would do silently wrong (a path that leads through a scalar, two
operators on one path) is refused here first.
"""

from collections.abc import Iterator
from typing import Any

from bson import ObjectId
from bson.errors import InvalidDocument

from hightc.launch.embedded_mongo.comparing import rewritten, value_at
from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.matching import equalities, strict_filter
from hightc.launch.embedded_mongo.mongomock_core import Document, apply_operators, values_at
from hightc.launch.embedded_mongo.ordering import key_of
from hightc.launch.embedded_mongo.pipeline import run_update_pipeline
from hightc.launch.embedded_mongo.wire import MAX_DOCUMENT_BYTES, encode

Update = Document | list[Document]

# Operators that make the way to their path, so that the way must be passable.
_CREATING = frozenset(
    {"$set", "$setOnInsert", "$inc", "$min", "$max", "$push", "$addToSet", "$currentDate", "$bit", "$rename"}
)
_KNOWN = _CREATING | {"$unset", "$pop", "$pull", "$pullAll"}


def is_replacement(update: Update) -> bool:
    """Tell whether an update is a whole new document rather than operators or a pipeline."""
    return isinstance(update, dict) and not (update and next(iter(update)).startswith("$"))


def updated(document: Document, query: Document, update: Update, array_filters: list[Document]) -> Document:
    """Return what `update` makes of a document.

    Parameters
    ----------
    document
        A copy of the stored document; it is changed.
    query
        The filter as the client wrote it.
    update
        Operators, a replacement, or a pipeline.
    array_filters
        Filters for ``$[identifier]`` paths.

    Raises
    ------
    CommandError
        The update is malformed, not supported, does not fit the document, or would change ``_id``.
    """
    identifier = document["_id"]
    new = _apply(document, query, update, array_filters, inserting=False)
    if "_id" not in new:
        new = {"_id": identifier, **new}
    elif key_of(new["_id"]) != key_of(identifier):
        raise CommandError(Code.ImmutableField, "the update would change the immutable field '_id'")
    return new


def upserted(query: Document, update: Update, array_filters: list[Document]) -> Document:
    """Return the document that an upsert inserts when nothing matches `query`."""
    values = equalities(strict_filter(query))
    if is_replacement(update):
        values = {path: value for path, value in values.items() if path == "_id"}
    base = _expanded(values)
    new = _apply(base, query, update, array_filters, inserting=True)
    if "_id" in values and key_of(new.setdefault("_id", values["_id"])) != key_of(values["_id"]):
        raise CommandError(Code.ImmutableField, "the upsert's filter and update disagree on '_id'")
    return new


def storable(document: Document) -> tuple[bytes, Document]:
    """Return a document as it is stored: ``_id`` first, made when missing, checked, and its BSON.

    Raises
    ------
    CommandError
        Above 16 MiB, a field name that starts with ``$``, or an ``_id`` that cannot be one.
    """
    identifier = document.get("_id", None) if "_id" in document else ObjectId()
    if isinstance(identifier, list) or type(identifier).__name__ == "Regex":
        raise CommandError(Code.InvalidIdField, f"The '_id' value cannot be of type {type(identifier).__name__}")
    if next(iter(document), None) != "_id":
        document = {"_id": identifier, **{name: value for name, value in document.items() if name != "_id"}}
    for name in document:
        if name.startswith("$"):
            raise CommandError(Code.DollarPrefixedFieldName, f"the field name '{name}' must not start with '$'")
    try:
        body = encode(document)
    except (InvalidDocument, OverflowError) as error:
        raise CommandError(Code.BadValue, f"the document cannot be stored: {error}") from error
    require_size(body)
    return body, document


def require_size(body: bytes) -> None:
    """Refuse a document larger than MongoDB's 16 MiB."""
    if len(body) > MAX_DOCUMENT_BYTES:
        raise CommandError(
            Code.BSONObjectTooLarge,
            f"object to insert too large. size in bytes: {len(body)}, max size: {MAX_DOCUMENT_BYTES}",
        )


def _apply(
    document: Document, query: Document, update: Update, array_filters: list[Document], *, inserting: bool
) -> Document:
    if isinstance(update, list):
        return run_update_pipeline(document, update)
    if is_replacement(update):
        _require_no_operators(update)
        kept = {"_id": document["_id"]} if "_id" in document else {}
        return {**kept, **update}
    for operator, path, operand in _operations(update):
        if operator in _CREATING and not (operator == "$setOnInsert" and not inserting):
            _require_passable(document, operand if operator == "$rename" else path)
        _require_sensible(operator, path, operand, document)
    remaining = rewritten(document, update)
    if remaining:
        apply_operators(document, query, remaining, array_filters, inserting=inserting)
    return document


def _require_no_operators(replacement: Document) -> None:
    for name in replacement:
        if name.startswith("$"):
            raise CommandError(Code.DollarPrefixedFieldName, f"'{name}' cannot be mixed with plain fields")


def _operations(update: Document) -> Iterator[tuple[str, str, Any]]:
    paths: list[str] = []
    for operator, operands in update.items():
        if not operator.startswith("$"):
            raise CommandError(Code.FailedToParse, f"Unknown modifier: {operator}")
        if operator == "$mul":
            raise unsupported(f"the update operator {operator}")
        if operator not in _KNOWN:
            raise CommandError(Code.FailedToParse, f"Unknown modifier: {operator}")
        if not isinstance(operands, dict):
            raise CommandError(Code.FailedToParse, f"Modifiers operate on fields but {operator} has no document")
        for path, operand in operands.items():
            _require_no_conflict(path, paths)
            paths.append(path)
            if operator == "$rename":
                if not isinstance(operand, str):
                    raise CommandError(Code.BadValue, f"the 'to' field of $rename {path} must be a string")
                _require_no_conflict(operand, paths)
                paths.append(operand)
            yield operator, path, operand


def _require_no_conflict(path: str, others: list[str]) -> None:
    if not path or path.startswith(".") or path.endswith(".") or ".." in path:
        raise CommandError(Code.BadValue, f"the update path '{path}' has an empty field name")
    for other in others:
        if path == other or path.startswith(f"{other}.") or other.startswith(f"{path}."):
            raise CommandError(
                Code.ConflictingUpdateOperators,
                f"Updating the path '{path}' would create a conflict at '{min(path, other, key=len)}'",
            )


def _require_passable(document: Document, path: str) -> None:
    """Refuse a path that leads through a scalar, or through an array other than by an index it has."""
    node: Any = document
    parts = path.split(".")
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if part.startswith("$"):
            return
        if isinstance(node, dict):
            if part not in node:
                return
            node = node[part]
        elif isinstance(node, list) and part.isdigit() and (last or int(part) < len(node)):
            if last:
                return
            node = node[int(part)]
        else:
            raise CommandError(
                Code.PathNotViable,
                f"Cannot create field '{part}' of path '{path}' in an element of type {type(node).__name__}",
            )


def _require_sensible(operator: str, path: str, operand: Any, document: Document) -> None:
    parent = path.rpartition(".")[0]
    if operator == "$unset" and parent and isinstance(value_at(document, parent), list):
        raise unsupported(f"$unset of an array element ({path})")
    if operator == "$inc":
        numbers = [operand, *values_at(path, document)]
        if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in numbers):
            raise CommandError(Code.TypeMismatch, f"Cannot apply $inc to '{path}': both values must be numbers")


def _expanded(values: Document) -> Document:
    """Return the nested document of values by dotted path, no path of which starts with another."""
    expanded: Document = {}
    for path, value in values.items():
        *way, last = path.split(".")
        if any(path != other and path.startswith(f"{other}.") for other in values):
            raise CommandError(
                Code.NotSingleValueField, f"cannot infer query fields to set, path '{path}' is matched twice"
            )
        node = expanded
        for part in way:
            node = node.setdefault(part, {})
        node[last] = value
    return expanded
