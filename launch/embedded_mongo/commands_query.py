"""Commands that read: find, getMore, killCursors, aggregate, count, distinct."""

from itertools import islice
from typing import Any

from bson.raw_bson import RawBSONDocument

from hightc.launch.embedded_mongo.collection import Collection, Found
from hightc.launch.embedded_mongo.commands import Context, Reply, command
from hightc.launch.embedded_mongo.cursors import Answer
from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.matching import Filter, strict_filter
from hightc.launch.embedded_mongo.mongomock_core import Document, project
from hightc.launch.embedded_mongo.pipeline import distinct, leading_match, run, sorted_by
from hightc.launch.embedded_mongo.updating import require_size
from hightc.launch.embedded_mongo.wire import encode

_PROJECTION_OPERATORS = frozenset({"$slice", "$elemMatch"})


@command(
    "find",
    understands="filter projection sort skip limit batchSize singleBatch noCursorTimeout",
    ignores="hint allowDiskUse allowPartialResults",
)
def find(context: Context) -> Reply:
    """Return the first batch of the documents that match."""
    asked = context.command
    query = asked.get("filter") or {}
    limit = whole_number(asked, "limit")
    found = select(
        context.engine.collection(context.namespace),
        query,
        sort=asked.get("sort"),
        skip=whole_number(asked, "skip"),
        limit=abs(limit),
    )
    projection = require_projection(asked.get("projection"))
    if projection:
        documents: list[Answer] = []
        for match in found:
            projected = projected_copy(match.document, projection, query)
            if projected is not None:
                documents.append(projected)
    else:
        documents = [RawBSONDocument(match.body) for match in found]
    return context.cursors.reply(
        context.namespace,
        documents,
        whole_number(asked, "batchSize") if asked.get("batchSize") is not None else None,
        single_batch=bool(asked.get("singleBatch")) or limit < 0,
        immortal=bool(asked.get("noCursorTimeout")),
    )


@command("getMore", understands="collection batchSize")
def get_more(context: Context) -> Reply:
    """Return the next batch of a cursor."""
    namespace = f"{context.database}.{context.command.get('collection')}"
    return context.cursors.more(
        int(context.command[context.name]), namespace, whole_number(context.command, "batchSize") or None
    )


@command("killCursors", understands="cursors")
def kill_cursors(context: Context) -> Reply:
    """Close cursors."""
    numbers = context.command.get("cursors", [])
    killed = [number for number in numbers if context.cursors.kill(int(number))]
    missing = [number for number in numbers if number not in killed]
    return {
        "cursorsKilled": killed,
        "cursorsNotFound": missing,
        "cursorsAlive": [],
        "cursorsUnknown": [],
        "ok": 1.0,
    }


COUNT_DOCUMENTS = [{"$group": {"_id": 1, "n": {"$sum": 1}}}]
"""What pymongo's ``count_documents`` asks for behind its ``$match``."""


@command("aggregate", understands="pipeline cursor", ignores="allowDiskUse hint bypassDocumentValidation")
def aggregate(context: Context) -> Reply:
    """Run a pipeline, its leading ``$match`` through the indexes."""
    stages = context.command.get("pipeline")
    if not isinstance(stages, list):
        raise CommandError(Code.TypeMismatch, "'pipeline' must be an array of stages")
    query, rest = leading_match(stages)
    collection = context.engine.collection(context.namespace)
    documents: list[Answer]
    if rest == COUNT_DOCUMENTS:
        number = collection.count(query)
        documents = [{"_id": 1, "n": number}] if number else []
    elif rest:
        documents = list(run((found.document for found in collection.find(query)), rest, _lookup(context)))
    else:
        documents = [RawBSONDocument(found.body) for found in collection.find(query)]
    cursor = context.command.get("cursor") or {}
    size = whole_number(cursor, "batchSize") if cursor.get("batchSize") is not None else None
    return context.cursors.reply(context.namespace, documents, size)


@command("count", understands="query skip limit", ignores="hint fields")
def count(context: Context) -> Reply:
    """Count the documents that match."""
    asked = context.command
    collection = context.engine.collection(context.namespace)
    query = strict_filter(asked.get("query") or {})
    number = max(collection.count(query) - whole_number(asked, "skip"), 0)
    limit = abs(whole_number(asked, "limit"))
    return {"n": min(number, limit) if limit else number, "ok": 1.0}


@command("distinct", understands="key query", ignores="hint")
def distinct_values(context: Context) -> Reply:
    """Return the different values at a path."""
    query, path = strict_filter(context.command.get("query") or {}), context.command["key"]
    reply = {"values": distinct_in(context.engine.collection(context.namespace), query, path), "ok": 1.0}
    require_size(encode(reply))
    return reply


def distinct_in(collection: Collection, query: Filter, path: str) -> list[Any]:
    """Return the different values at a path among the matches of a strict filter."""
    posted = collection.distinct_posted(path, query)
    return distinct((match.document for match in collection.find(query)), path) if posted is None else posted


def select(
    collection: Collection, query: Document, *, sort: Document | None = None, skip: int = 0, limit: int = 0
) -> list[Found]:
    """Return the documents that match, sorted, cut to ``skip`` and ``limit`` (0: no limit)."""
    strict = strict_filter(query)
    ordered = collection.find_in_order(strict, sort, skip + limit) if sort and limit else None
    if ordered is not None:
        return list(islice(ordered, skip, skip + limit))
    matching = collection.find(strict)
    if sort:
        found = sorted_by(matching, sort, lambda match: match.document)
        return found[skip : skip + limit if limit else None]
    return list(islice(matching, skip, skip + limit if limit else None))


def whole_number(document: Document, name: str) -> int:
    """Return a count from a command, 0 when it is missing."""
    value = document.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise CommandError(Code.TypeMismatch, f"{name} must be a whole number, found {value!r}")
    return int(value)


def require_projection(projection: Any) -> Document | None:
    """Refuse a projection whose meaning for MongoDB mongomock-ng would not give."""
    for path, value in (projection or {}).items():
        is_operator = isinstance(value, dict) and set(value) <= _PROJECTION_OPERATORS and bool(value)
        if "$" in path or not (isinstance(value, (bool, int, float)) or is_operator):
            raise unsupported(f"the projection of '{path}': expected 0, 1, $slice or $elemMatch")
    return projection or None


def projected_copy(document: Document, projection: Document, query: Document) -> Document | None:
    """Return the projected document with ``_id`` first, as MongoDB orders it."""
    projected = project(document, projection, query)
    if projected and "_id" in projected:
        return {"_id": projected.pop("_id"), **projected}
    return projected


def _lookup(context: Context) -> Any:
    def look_up(name: str, query: Document) -> list[Document]:
        collection = context.engine.collection(f"{context.database}.{name}")
        return [found.document for found in collection.find(strict_filter(query))]

    return look_up
