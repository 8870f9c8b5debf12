"""Update operators that compare values, rewritten as ``$set`` with MongoDB's equality and order.

mongomock-ng would compare as Python does: ``$pull`` of 1 takes True away, ``$addToSet`` adds 1.0 beside 1, and
``$max`` fails between types.
"""

from collections.abc import Callable
from typing import Any

from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.matching import strict_filter
from hightc.launch.embedded_mongo.mongomock_core import NOTHING, Document, matches
from hightc.launch.embedded_mongo.ordering import key_of


def rewritten(document: Document, update: Document) -> Document:
    """Return an update without comparing operators that makes the same of `document`.

    Parameters
    ----------
    document
        The document as it is.
    update
        Operators by name, no two of them on one path.

    Examples
    --------
    >>> rewritten({"a": [1, True]}, {"$pull": {"a": 1}, "$set": {"b": 2}})
    {'$set': {'b': 2, 'a': [True]}}
    """
    rest = {operator: operands for operator, operands in update.items() if operator not in _COMPARING}
    made: Document = {}
    for operator, operands in update.items():
        compare = _COMPARING.get(operator)
        if compare is None:
            continue
        for path, operand in operands.items():
            if "$" in path:
                raise unsupported(f"{operator} with the positional path {path}")
            before = value_at(document, path)
            after = compare(before, operand)
            if after is not before:
                made[path] = after
    if made:
        rest["$set"] = {**rest.get("$set", {}), **made}
    return rest


def value_at(document: Document, path: str) -> Any:
    """Return the one value that an update of `path` would change, or NOTHING when there is none."""
    node: Any = document
    for part in path.split("."):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return NOTHING
    return node


def _added(before: Any, operand: Any) -> Any:
    members = _array("$addToSet", before)
    values = operand["$each"] if isinstance(operand, dict) and "$each" in operand else [operand]
    if not isinstance(values, list):
        raise CommandError(Code.TypeMismatch, "the argument to $each in $addToSet must be an array")
    known = set(map(key_of, members))
    new = []
    for value in values:
        if key_of(value) not in known:
            known.add(key_of(value))
            new.append(value)
    return [*members, *new] if new or before is NOTHING else before


def _pulled(before: Any, operand: Any) -> Any:
    members = _array("$pull", before)
    if isinstance(operand, dict) and not next(iter(operand), "").startswith("$"):
        query = strict_filter(operand)
        kept = [member for member in members if not (isinstance(member, dict) and matches(query, member))]
    else:
        query = strict_filter({"member": operand})
        kept = [member for member in members if not matches(query, {"member": member})]
    return kept if len(kept) < len(members) else before


def _all_pulled(before: Any, operand: Any) -> Any:
    members = _array("$pullAll", before)
    if not isinstance(operand, list):
        raise CommandError(Code.BadValue, "$pullAll requires an array argument")
    unwanted = set(map(key_of, operand))
    kept = [member for member in members if key_of(member) not in unwanted]
    return kept if len(kept) < len(members) else before


def _smaller(before: Any, operand: Any) -> Any:
    return operand if before is NOTHING or key_of(operand) < key_of(before) else before


def _larger(before: Any, operand: Any) -> Any:
    return operand if before is NOTHING or key_of(operand) > key_of(before) else before


def _array(operator: str, before: Any) -> list[Any]:
    if before is NOTHING:
        return []
    if not isinstance(before, list):
        raise CommandError(Code.BadValue, f"Cannot apply {operator} to a non-array value")
    return before


_COMPARING: dict[str, Callable[[Any, Any], Any]] = {
    "$addToSet": _added,
    "$pull": _pulled,
    "$pullAll": _all_pulled,
    "$min": _smaller,
    "$max": _larger,
}
