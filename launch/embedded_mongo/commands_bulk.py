"""The command bulkWrite of MongoDB 8.0: writes to several collections at once, in their order."""

from typing import Any

from bson import Int64

from hightc.launch.embedded_mongo import commands_write
from hightc.launch.embedded_mongo.commands import Context, Reply, command
from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.mongomock_core import Document

_FIELDS = {
    "insert": frozenset({"insert", "document"}),
    "update": frozenset({"update", "filter", "updateMods", "multi", "upsert", "arrayFilters", "collation", "hint"}),
    "delete": frozenset({"delete", "filter", "multi", "collation", "hint"}),
}


@command(
    "bulkWrite", understands="ops nsInfo ordered errorsOnly cursor", ignores="bypassDocumentValidation let maxTimeMS"
)
def bulk_write(context: Context) -> Reply:
    """Run inserts, updates and deletes, to the first error when ordered; all of them reach the disk together."""
    operations, names = context.statements("ops"), context.statements("nsInfo")
    results: list[Document] = []
    for number, operation in enumerate(operations):
        result = {"idx": number, **_run(context, operation, names)}
        results.append(result)
        if not result["ok"] and context.command.get("ordered", True):
            break
    errors = [result for result in results if not result["ok"]]
    shown = errors if context.command.get("errorsOnly") else results
    cursor = context.command.get("cursor") or {}
    reply = context.cursors.reply("admin.$cmd.bulkWrite", list(shown), cursor.get("batchSize"))
    return {**reply, "nErrors": len(errors), **_totals(operations, results)}


def _run(context: Context, operation: Document, names: list[Document]) -> Document:
    kind = next(iter(operation), "")
    if kind not in _FIELDS or not operation.keys() <= _FIELDS[kind]:
        raise unsupported(f"the fields {', '.join(operation)} of an operation of bulkWrite")
    number = operation[kind]
    if not isinstance(number, int) or not 0 <= number < len(names):
        raise CommandError(Code.BadValue, f"BulkWrite ops entry {kind}: expected a number into nsInfo")
    database, _, collection = str(names[number].get("ns", "")).partition(".")
    reply = _STATEMENTS[kind](context, database, collection, operation)
    error = next(iter(reply.get("writeErrors", ())), None)
    if error is not None:
        return {"ok": 0.0, **{name: value for name, value in error.items() if name != "index"}, "n": 0}
    result: Document = {"ok": 1.0, "n": reply["n"]}
    if kind == "update":
        result["nModified"] = reply["nModified"]
        if reply.get("upserted"):
            result["upserted"] = {"_id": reply["upserted"][0]["_id"]}
    return result


def _insert(context: Context, database: str, collection: str, operation: Document) -> Reply:
    asked = {"insert": collection, "documents": [operation["document"]]}
    return commands_write.insert(_part(context, database, asked))


def _update(context: Context, database: str, collection: str, operation: Document) -> Reply:
    shared: Document = {
        name: operation[name] for name in ("multi", "upsert", "arrayFilters", "collation") if name in operation
    }
    statement: Document = {"q": operation["filter"], "u": operation["updateMods"], **shared}
    return commands_write.update(_part(context, database, {"update": collection, "updates": [statement]}))


def _delete(context: Context, database: str, collection: str, operation: Document) -> Reply:
    statement = {"q": operation["filter"], "limit": 0 if operation.get("multi") else 1}
    return commands_write.delete(_part(context, database, {"delete": collection, "deletes": [statement]}))


def _part(context: Context, database: str, asked: Document) -> Context:
    return Context(context.engine, context.cursors, database, asked, connection=context.connection)


_STATEMENTS = {"insert": _insert, "update": _update, "delete": _delete}


def _totals(operations: list[Document], results: list[Document]) -> dict[str, Any]:
    totals = dict.fromkeys(("nInserted", "nMatched", "nModified", "nUpserted", "nDeleted"), 0)
    for result in results:
        kind = next(iter(operations[result["idx"]]))
        if kind == "insert":
            totals["nInserted"] += result["n"]
        elif kind == "delete":
            totals["nDeleted"] += result["n"]
        elif "upserted" in result:
            totals["nUpserted"] += 1
        else:
            totals["nMatched"] += result["n"]
            totals["nModified"] += result.get("nModified", 0)
    return {name: Int64(number) for name, number in totals.items()}
