"""Aggregation pipelines: the stages the server runs itself, and those it hands to mongomock-ng."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeVar

from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.matching import Filter, strict_filter
from hightc.launch.embedded_mongo.mongomock_core import Document, Lookup, matches, run_stage, values_at
from hightc.launch.embedded_mongo.ordering import key_of, sort_key

Stages = list[Document]
Item = TypeVar("Item")

_MONGOMOCK_STAGES = frozenset(
    {
        "$addFields",
        "$bucket",
        "$graphLookup",
        "$group",
        "$project",
        "$replaceRoot",
        "$replaceWith",
        "$sample",
        "$set",
        "$sortByCount",
        "$unset",
        "$unwind",
    }
)
_UPDATE_STAGES = frozenset({"$addFields", "$set", "$project", "$unset", "$replaceRoot", "$replaceWith"})


def leading_match(stages: Stages) -> tuple[Filter, Stages]:
    """Split a pipeline into the filter of its leading ``$match`` stages and the rest."""
    clauses: Stages = []
    for number, stage in enumerate(stages):
        if _name(stage) != "$match":
            return strict_filter({"$and": clauses} if clauses else {}), stages[number:]
        strict_filter(stage["$match"])
        clauses.append(stage["$match"])
    return strict_filter({"$and": clauses} if clauses else {}), []


def run(documents: Iterable[Document], stages: Stages, lookup: Lookup) -> list[Document]:
    """Run the stages one after another.

    Parameters
    ----------
    documents
        Copies that the stages may change.
    stages
        One operator with its options each.
    lookup
        Finds documents in another collection of the database by name and filter.

    Raises
    ------
    CommandError
        A stage is unknown, malformed or not supported.
    """
    current = list(documents)
    for stage in stages:
        name = _name(stage)
        own = _OWN_STAGES.get(name)
        if own is not None:
            current = own(current, stage[name], lookup)
        elif name == "$group" and not current:
            # mongomock-ng would make a group of nothing.
            current = []
        elif name in _MONGOMOCK_STAGES:
            current = run_stage(current, deepcopy(stage), lookup)
        else:
            raise unsupported(f"the stage {name}")
    return current


def run_update_pipeline(document: Document, stages: Stages) -> Document:
    """Return what an update given as a pipeline makes of one document."""
    for stage in stages:
        if _name(stage) not in _UPDATE_STAGES:
            raise CommandError(Code.InvalidOptions, f"{_name(stage)} is not allowed to be used within an update")
    return run([document], stages, _no_lookup)[0]


def sorted_by(items: Iterable[Item], order: dict[str, Any], document_of: Callable[[Item], Document]) -> list[Item]:
    """Return `items` in MongoDB's order of their documents, first path first; ties keep their order."""
    ordered = list(items)
    for path, direction in reversed(order.items()):
        if direction not in (1, -1) or (path.startswith("$") and path != "$natural"):
            raise CommandError(Code.BadValue, f"sort by {path}: expected direction 1 or -1, found {direction!r}")
        descending = direction == -1
        if path == "$natural":
            if descending:
                ordered.reverse()
        else:
            keys = [sort_key(values_at(path, document_of(item)), descending=descending) for item in ordered]
            ranks = sorted(range(len(keys)), key=keys.__getitem__, reverse=descending)
            ordered = [ordered[rank] for rank in ranks]
    return ordered


def _name(stage: Any) -> str:
    if not isinstance(stage, dict) or len(stage) != 1:
        raise CommandError(Code.FailedToParse, "a pipeline stage must be a document with exactly one field")
    return str(next(iter(stage)))


def _no_lookup(_name: str, _query: Document) -> Iterable[Document]:
    raise CommandError(Code.InvalidOptions, "an update cannot read other collections")


def _match(documents: list[Document], query: Document, _lookup: Lookup) -> list[Document]:
    strict = strict_filter(query)
    return [document for document in documents if matches(strict, document)]


def _sort(documents: list[Document], order: Document, _lookup: Lookup) -> list[Document]:
    return sorted_by(documents, order, lambda document: document)


def _natural(name: str, count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, (int, float)) or count != int(count) or count < 0:
        raise CommandError(Code.BadValue, f"{name}: expected a non-negative whole number, found {count!r}")
    return int(count)


def _limit(documents: list[Document], count: Any, _lookup: Lookup) -> list[Document]:
    if _natural("$limit", count) == 0:
        raise CommandError(Code.BadValue, "the limit must be positive")
    return documents[: int(count)]


def _skip(documents: list[Document], count: Any, _lookup: Lookup) -> list[Document]:
    return documents[_natural("$skip", count) :]


def _count(documents: list[Document], name: Any, _lookup: Lookup) -> list[Document]:
    if not isinstance(name, str) or not name or name.startswith("$") or "." in name:
        raise CommandError(Code.BadValue, "the count field must be a plain, non-empty name")
    return [{name: len(documents)}] if documents else []


def _lookup_stage(documents: list[Document], options: Document, lookup: Lookup) -> list[Document]:
    if set(options) != {"from", "localField", "foreignField", "as"} or "." in options["as"]:
        return run_stage(documents, {"$lookup": options}, lookup)
    for document in documents:
        wanted: list[Any] = []
        for value in values_at(options["localField"], document):
            wanted.extend(value if isinstance(value, list) else [value])
        query = {options["foreignField"]: {"$in": wanted or [None]}}
        document[options["as"]] = list(lookup(options["from"], query))
    return documents


def _facet(documents: list[Document], facets: Document, lookup: Lookup) -> list[Document]:
    return [{name: run(deepcopy(documents), stages, lookup) for name, stages in facets.items()}]


def _union(documents: list[Document], options: Any, lookup: Lookup) -> list[Document]:
    if isinstance(options, str):
        options = {"coll": options}
    return documents + run(lookup(options["coll"], {}), options.get("pipeline", []), lookup)


_OWN_STAGES: dict[str, Callable[[list[Document], Any, Lookup], list[Document]]] = {
    "$match": _match,
    "$sort": _sort,
    "$limit": _limit,
    "$skip": _skip,
    "$count": _count,
    "$lookup": _lookup_stage,
    "$facet": _facet,
    "$unionWith": _union,
}


def distinct(documents: Iterable[Document], path: str) -> list[Any]:
    """Return the different values at a path, arrays opened, in the order they are met."""
    values: dict[Any, Any] = {}
    for document in documents:
        for value in values_at(path, document):
            for member in value if isinstance(value, list) else [value]:
                values.setdefault(key_of(member), member)
    return list(values.values())
