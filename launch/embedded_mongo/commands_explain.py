"""The command explain: which index a command goes through, and how many documents it looks at.

The command is run, as MongoDB does for ``executionStats``; of one that writes only what it looks for. The numbers are
those of this run, not an estimate.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hightc.launch.embedded_mongo import commands_query
from hightc.launch.embedded_mongo.collection import Collection
from hightc.launch.embedded_mongo.commands import Context, Reply, command
from hightc.launch.embedded_mongo.commands_query import distinct_in, select, whole_number
from hightc.launch.embedded_mongo.errors import unsupported
from hightc.launch.embedded_mongo.matching import Filter, strict_filter
from hightc.launch.embedded_mongo.mongomock_core import Document
from hightc.launch.embedded_mongo.pipeline import leading_match

Work = Callable[[], int]


@command("explain", understands="verbosity")
def explain(context: Context) -> Reply:
    """Tell how find, count, distinct, aggregate, update, delete or findAndModify is answered."""
    asked: Document = context.command[context.name]
    kind = next(iter(asked), "")
    look = _LOOKS.get(kind)
    if look is None:
        raise unsupported(f"explain of {kind or 'nothing'}, only of {', '.join(_LOOKS)}")
    collection = context.engine.collection(f"{context.database}.{asked[kind]}")
    query, order, work = look(replace(context, command=asked, sequences={}), collection)
    before = collection.examined, collection.examined_keys
    returned = work()
    docs, keys = collection.examined - before[0], collection.examined_keys - before[1]
    stage = {"stage": "IXSCAN" if collection.indexed(query, order) else "COLLSCAN"}
    return {
        "queryPlanner": {"namespace": collection.namespace, "winningPlan": stage, "rejectedPlans": []},
        "executionStats": {
            "executionSuccess": True,
            "nReturned": returned,
            "totalKeysExamined": keys,
            "totalDocsExamined": docs,
            "executionStages": {**stage, "nReturned": returned, "docsExamined": docs, "keysExamined": keys},
        },
        "ok": 1.0,
    }


Look = tuple[Filter, Document, Work]


def _find(context: Context, collection: Collection) -> Look:
    asked = context.command
    limits = {"skip": whole_number(asked, "skip"), "limit": abs(whole_number(asked, "limit"))}
    return _selected(collection, asked.get("filter"), asked.get("sort"), **limits)


def _selected(collection: Collection, query: Any, sort: Any, **limits: int) -> Look:
    query = query or {}
    return strict_filter(query), sort or {}, lambda: len(select(collection, query, sort=sort, **limits))


def _count(context: Context, collection: Collection) -> Look:
    query = strict_filter(context.command.get("query") or {})
    return query, {}, lambda: collection.count(query)


def _distinct(context: Context, collection: Collection) -> Look:
    query = strict_filter(context.command.get("query") or {})
    return query, {}, lambda: len(distinct_in(collection, query, context.command["key"]))


def _aggregate(context: Context, _collection: Collection) -> Look:
    query, _ = leading_match(context.command.get("pipeline") or [])
    shown = replace(context, command={**context.command, "cursor": {"batchSize": 0}})

    def work() -> int:
        cursor = commands_query.aggregate(shown)["cursor"]
        return context.cursors.length(int(cursor["id"]))

    return query, {}, work


def _find_and_modify(context: Context, collection: Collection) -> Look:
    return _selected(collection, context.command.get("query"), context.command.get("sort"), limit=1)


def _update(context: Context, collection: Collection) -> Look:
    (statement,) = context.statements("updates")
    return _selected(collection, statement["q"], None, limit=0 if statement.get("multi") else 1)


def _delete(context: Context, collection: Collection) -> Look:
    (statement,) = context.statements("deletes")
    return _selected(collection, statement["q"], None, limit=int(statement["limit"]))


_LOOKS: dict[str, Callable[[Context, Collection], Look]] = {
    "find": _find,
    "count": _count,
    "distinct": _distinct,
    "aggregate": _aggregate,
    "findAndModify": _find_and_modify,
    "update": _update,
    "delete": _delete,
}
