"""Commands that change documents: insert, update, delete, findAndModify."""

from collections.abc import Callable, Iterable
from typing import Any

from hightc.launch.embedded_mongo.commands import Context, Reply, command, require_simple
from hightc.launch.embedded_mongo.commands_query import projected_copy, require_projection, select
from hightc.launch.embedded_mongo.errors import Code, CommandError
from hightc.launch.embedded_mongo.mongomock_core import Document
from hightc.launch.embedded_mongo.updating import is_replacement, updated, upserted
from hightc.launch.embedded_mongo.wire import decode

_UPDATE_FIELDS = frozenset({"q", "u", "multi", "upsert", "arrayFilters", "collation", "hint", "sort"})
_DELETE_FIELDS = frozenset({"q", "limit", "collation", "hint"})


@command("insert", understands="documents ordered", ignores="bypassDocumentValidation")
def insert(context: Context) -> Reply:
    """Insert documents."""
    namespace = context.namespace
    inserted = 0

    def insert_one(_index: int, document: Document) -> None:
        nonlocal inserted
        context.engine.insert(namespace, document)
        inserted += 1

    errors = _run_statements(context, context.statements("documents"), insert_one)
    return {"n": inserted, "ok": 1.0, **errors}


@command("update", understands="updates ordered", ignores="bypassDocumentValidation")
def update(context: Context) -> Reply:
    """Update or replace documents, inserting on request when none matches."""
    namespace = context.namespace
    matched = modified = 0
    new: list[Document] = []

    def update_one(index: int, statement: Document) -> None:
        nonlocal matched, modified
        _require_fields("update", statement, _UPDATE_FIELDS)
        many, change = bool(statement.get("multi")), statement["u"]
        if many and is_replacement(change):
            raise CommandError(Code.FailedToParse, "multi update is not supported for replacement-style update")
        query, array_filters = statement["q"], statement.get("arrayFilters") or []
        found = select(context.engine.collection(namespace), query, sort=statement.get("sort"), limit=0 if many else 1)
        for match in found:
            document = updated(match.document, query, change, array_filters)
            _, differs = context.engine.replace(namespace, match.position, match.body, document)
            matched += 1
            modified += differs
        if not found and statement.get("upsert"):
            stored = context.engine.insert(namespace, upserted(query, change, array_filters))
            matched += 1
            new.append({"index": index, "_id": stored["_id"]})

    errors = _run_statements(context, context.statements("updates"), update_one)
    reply = {"n": matched, "nModified": modified, "ok": 1.0, **errors}
    if new:
        reply["upserted"] = new
    return reply


@command("delete", understands="deletes ordered")
def delete(context: Context) -> Reply:
    """Delete documents."""
    namespace = context.namespace
    deleted = 0

    def delete_some(_index: int, statement: Document) -> None:
        nonlocal deleted
        _require_fields("delete", statement, _DELETE_FIELDS)
        if statement.get("limit") not in (0, 1):
            raise CommandError(Code.FailedToParse, f"delete limit must be 0 or 1, found {statement.get('limit')!r}")
        collection = context.engine.collection(namespace)
        for match in select(collection, statement["q"], limit=int(statement["limit"])):
            context.engine.remove(namespace, match.document["_id"])
            deleted += 1

    errors = _run_statements(context, context.statements("deletes"), delete_some)
    return {"n": deleted, "ok": 1.0, **errors}


@command(
    "findAndModify",
    understands="query sort remove update new fields upsert arrayFilters",
    ignores="bypassDocumentValidation hint",
)
def find_and_modify(context: Context) -> Reply:
    """Change or remove one document and return it as it was or as it became."""
    asked, namespace = context.command, context.namespace
    query, change = asked.get("query") or {}, asked.get("update", {})
    if bool(asked.get("remove")) == ("update" in asked):
        raise CommandError(Code.FailedToParse, "Either an update or remove=true must be specified, and not both")
    if asked.get("remove") and (asked.get("new") or asked.get("upsert")):
        raise CommandError(Code.FailedToParse, "Cannot specify new or upsert with remove=true")
    projection = require_projection(asked.get("fields"))
    found = select(context.engine.collection(namespace), query, sort=asked.get("sort"), limit=1)
    outcome: Reply = {"n": len(found)}
    before = decode(found[0].body) if found else None
    after: Document | None = None
    if asked.get("remove"):
        if before is not None:
            context.engine.remove(namespace, before["_id"])
    else:
        outcome["updatedExisting"] = bool(found)
        array_filters = asked.get("arrayFilters") or []
        if found:
            position, body, document = found[0]
            changed = updated(document, query, change, array_filters)
            after, _ = context.engine.replace(namespace, position, body, changed)
        elif asked.get("upsert"):
            after = context.engine.insert(namespace, upserted(query, change, array_filters))
            outcome |= {"n": 1, "upserted": after["_id"]}
    value = after if asked.get("new") else before
    if value is not None and projection:
        value = projected_copy(value, projection, query)
    return {"lastErrorObject": outcome, "value": value, "ok": 1.0}


def _run_statements(
    context: Context, statements: Iterable[Document], run: Callable[[int, Document], None]
) -> dict[str, list[Any]]:
    """Run statements in turn, to the first error when ordered; return the errors as the reply carries them."""
    errors = []
    for index, statement in enumerate(statements):
        try:
            run(index, statement)
        except CommandError as error:
            errors.append(error.as_write_error(index))
            if context.command.get("ordered", True):
                break
    return {"writeErrors": errors} if errors else {}


def _require_fields(name: str, statement: Document, understood: frozenset[str]) -> None:
    if not {"q"} <= statement.keys() or (name == "update" and "u" not in statement):
        raise CommandError(Code.FailedToParse, f"{name}: a statement lacks q or u")
    for found in statement:
        if found not in understood:
            raise CommandError(Code.UnknownField, f"BSON field '{name}.{found}' is an unknown or unsupported field")
    require_simple(statement.get("collation"))
