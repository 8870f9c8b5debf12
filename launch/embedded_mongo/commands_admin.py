"""Commands about the server, databases, collections and indexes."""

import os
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from hightc.launch.embedded_mongo.collection import ID_INDEX
from hightc.launch.embedded_mongo.commands import Context, Reply, command, require_simple
from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.indexes import IndexSpecification
from hightc.launch.embedded_mongo.matching import strict_filter
from hightc.launch.embedded_mongo.mongomock_core import Document, matches
from hightc.launch.embedded_mongo.wire import MAX_DOCUMENT_BYTES, MAX_MESSAGE_BYTES, MAX_WRITE_BATCH

_OK: Reply = {"ok": 1.0}
# The MongoDB release whose behaviour is aimed at, and its wire version.
_MONGODB_VERSION = (7, 0, 0, 0)
_WIRE_VERSION = 21
_INDEX_FIELDS = frozenset(
    {"key", "name", "unique", "sparse", "partialFilterExpression", "background", "v", "collation"}
)


def _whole_database_version() -> str:
    return f"{'.'.join(map(str, _MONGODB_VERSION[:3]))}-hightc-embedded"


@command(
    "hello",
    "isMaster",
    understands="helloOk",
    ignores=(
        "client compression loadBalanced topologyVersion maxAwaitTimeMS saslSupportedMechs speculativeAuthenticate"
    ),
)
def hello(context: Context) -> Reply:
    """Say what the server is: a standalone one without sessions, compression and streamed answers."""
    return {
        "helloOk": True,
        "ismaster": True,
        "isWritablePrimary": True,
        "maxBsonObjectSize": MAX_DOCUMENT_BYTES,
        "maxMessageSizeBytes": MAX_MESSAGE_BYTES,
        "maxWriteBatchSize": MAX_WRITE_BATCH,
        "localTime": datetime.now(UTC),
        "minWireVersion": 0,
        "maxWireVersion": _WIRE_VERSION,
        "readOnly": False,
        "connectionId": context.connection,
        "ok": 1.0,
    }


@command("ping", "endSessions", "logout")
def ping(_context: Context) -> Reply:
    """Answer."""
    return dict(_OK)


@command("compact", ignores="force")
def compact(context: Context) -> Reply:
    """Rewrite the journal."""
    context.engine.compact()
    return dict(_OK)


@command("buildInfo")
def build_info(_context: Context) -> Reply:
    """Tell the version."""
    return {
        "version": _whole_database_version(),
        "versionArray": list(_MONGODB_VERSION),
        "modules": [],
        "bits": 64,
        "debug": False,
        "maxBsonObjectSize": MAX_DOCUMENT_BYTES,
        "ok": 1.0,
    }


@command("whatsmyuri")
def whats_my_uri(context: Context) -> Reply:
    """Name the client's end of the connection."""
    return {"you": f"unix:{context.connection}", "ok": 1.0}


@command("getParameter")
def get_parameter(context: Context) -> Reply:
    """Tell the parameters that drivers ask for; any other is refused."""
    if context.command[context.name] != 1 or len(context.command.keys() - {"$db", "lsid"}) < 2:
        raise CommandError(Code.InvalidOptions, "no option found to get")
    raise CommandError(Code.InvalidOptions, "the embedded server has no such parameter")


@command("serverStatus", ignores="repl metrics locks")
def server_status(context: Context) -> Reply:
    """Tell how full the server is."""
    engine = context.engine
    return {
        "host": "embedded",
        "version": _whole_database_version(),
        "process": "hightc.launch.embedded_mongo",
        "pid": os.getpid(),
        "hightc": {
            "version": version("hightc"),
            "documents": engine.n_documents,
            "dataBytes": engine.data_bytes,
            "journalBytes": engine.journal.bytes,
            "documentsExamined": sum(engine.collection(name).examined for name in engine.namespaces()),
            "limitDocuments": engine.limit.documents,
            "limitDataBytes": engine.limit.data_bytes,
            "openCursors": len(context.cursors),
        },
        "ok": 1.0,
    }


@command("collStats", ignores="scale")
def collection_stats(context: Context) -> Reply:
    """Tell the size of a collection."""
    collection = context.engine.collection(context.namespace)
    return {
        "ns": context.namespace,
        "count": len(collection),
        "size": collection.data_bytes,
        "storageSize": collection.data_bytes,
        "nindexes": len(collection.indexes),
        "capped": False,
        "ok": 1.0,
    }


@command("dbStats", ignores="scale freeStorage")
def database_stats(context: Context) -> Reply:
    """Tell the size of a database."""
    collections = [context.engine.collection(name) for name in context.engine.namespaces(context.database)]
    return {
        "db": context.database,
        "collections": len(collections),
        "objects": sum(map(len, collections)),
        "dataSize": sum(collection.data_bytes for collection in collections),
        "indexes": sum(len(collection.indexes) for collection in collections),
        "ok": 1.0,
    }


@command("listDatabases", understands="filter nameOnly", ignores="authorizedDatabases")
def list_databases(context: Context) -> Reply:
    """List the databases that hold collections."""
    names = sorted({name.partition(".")[0] for name in context.engine.namespaces()})
    query = strict_filter(context.command.get("filter") or {})
    entries: list[Document] = []
    for name in names:
        collections = [context.engine.collection(namespace) for namespace in context.engine.namespaces(name)]
        size = sum(collection.data_bytes for collection in collections)
        entries.append({"name": name, "sizeOnDisk": size, "empty": not any(map(len, collections))})
    entries = [entry for entry in entries if matches(query, entry)]
    if context.command.get("nameOnly"):
        return {"databases": [{"name": entry["name"]} for entry in entries], "ok": 1.0}
    return {"databases": entries, "totalSize": sum(entry["sizeOnDisk"] for entry in entries), "ok": 1.0}


@command("listCollections", understands="filter nameOnly cursor", ignores="authorizedCollections")
def list_collections(context: Context) -> Reply:
    """List the collections of a database."""
    query = strict_filter(context.command.get("filter") or {})
    entries: list[Document] = []
    for namespace in sorted(context.engine.namespaces(context.database)):
        entry: Document = {"name": namespace.partition(".")[2], "type": "collection"}
        if not context.command.get("nameOnly"):
            entry |= {"options": {}, "info": {"readOnly": False}, "idIndex": ID_INDEX.as_document()}
        if matches(query, entry):
            entries.append(entry)
    return context.cursors.reply(f"{context.database}.$cmd.listCollections", list(entries), len(entries))


@command("create", ignores="autoIndexId")
def create(context: Context) -> Reply:
    """Create a collection; capped, time-series and validated ones are refused as unknown fields."""
    if context.engine.exists(context.namespace):
        raise CommandError(Code.NamespaceExists, f"Collection {context.namespace} already exists.")
    context.engine.create(context.namespace)
    return dict(_OK)


@command("drop")
def drop(context: Context) -> Reply:
    """Drop a collection."""
    namespace = context.namespace
    if not context.engine.exists(namespace):
        raise CommandError(Code.NamespaceNotFound, f"ns not found {namespace}")
    number = len(context.engine.collection(namespace).indexes)
    context.engine.drop(namespace)
    return {"nIndexesWas": number, "ns": namespace, "ok": 1.0}


@command("renameCollection", understands="to dropTarget")
def rename_collection(context: Context) -> Reply:
    """Give a collection another name, in the same database or another."""
    source, target = context.command[context.name], context.command.get("to")
    if not isinstance(source, str) or not context.engine.exists(source):
        raise CommandError(Code.NamespaceNotFound, f"Source collection {source} does not exist")
    if not isinstance(target, str) or target == source:
        raise CommandError(Code.IllegalOperation, "Can't rename a collection to itself")
    if context.engine.exists(target):
        if not context.command.get("dropTarget"):
            raise CommandError(Code.NamespaceExists, "target namespace exists")
        context.engine.drop(target)
    context.engine.rename(source, target)
    return dict(_OK)


@command("dropDatabase")
def drop_database(context: Context) -> Reply:
    """Drop all collections of a database."""
    for namespace in context.engine.namespaces(context.database):
        context.engine.drop(namespace)
    return {"dropped": context.database, "ok": 1.0}


@command("listIndexes", understands="cursor")
def list_indexes(context: Context) -> Reply:
    """List the indexes of a collection."""
    if not context.engine.exists(context.namespace):
        raise CommandError(Code.NamespaceNotFound, f"ns does not exist: {context.namespace}")
    entries = [index.as_document() for index in context.engine.collection(context.namespace).indexes]
    return context.cursors.reply(context.namespace, list(entries), len(entries))


@command("createIndexes", understands="indexes", ignores="commitQuorum")
def create_indexes(context: Context) -> Reply:
    """Declare indexes; one that exists already is left alone."""
    namespace, engine = context.namespace, context.engine
    existed = engine.exists(namespace)
    before = len(engine.collection(namespace).indexes)
    for document in context.statements("indexes"):
        _require_index(document)
        specification = IndexSpecification.from_document(document)
        if not _is_declared(specification, engine.collection(namespace).indexes):
            engine.create_index(namespace, specification)
    return {
        "numIndexesBefore": before,
        "numIndexesAfter": len(engine.collection(namespace).indexes),
        "createdCollectionAutomatically": not existed,
        "ok": 1.0,
    }


@command("dropIndexes", understands="index")
def drop_indexes(context: Context) -> Reply:
    """Forget indexes by name, by key, or all but that of ``_id`` with ``*``."""
    namespace, engine = context.namespace, context.engine
    if not engine.exists(namespace):
        raise CommandError(Code.NamespaceNotFound, f"ns not found {namespace}")
    declared = engine.collection(namespace).indexes
    asked: Any = context.command.get("index")
    if asked == "*":
        names = [index.name for index in declared if index.name != ID_INDEX.name]
    elif isinstance(asked, dict):
        names = [index.name for index in declared if index.key == tuple(asked.items())]
        if not names:
            raise CommandError(Code.IndexNotFound, f"can't find index with key: {asked}")
    else:
        names = asked if isinstance(asked, list) else [str(asked)]
    for name in names:
        engine.drop_index(namespace, name)
    return {"nIndexesWas": len(declared), "ok": 1.0}


def _is_declared(specification: IndexSpecification, declared: list[IndexSpecification]) -> bool:
    if specification.key == ID_INDEX.key:
        return True
    for index in declared:
        if index == specification:
            return True
        if index.name == specification.name:
            raise CommandError(
                Code.IndexKeySpecsConflict,
                f"An existing index has the same name as the requested index but differs: {index.name}",
            )
        if index.key == specification.key and index.partial == specification.partial:
            raise CommandError(Code.IndexOptionsConflict, f"Index already exists with a different name: {index.name}")
    return False


def _require_index(document: Document) -> None:
    key = document.get("key")
    if not isinstance(key, dict) or not key or not isinstance(document.get("name"), str):
        raise CommandError(Code.FailedToParse, "an index needs a nonempty key and a name")
    for option in document:
        if option not in _INDEX_FIELDS:
            raise unsupported(f"the index option {option}")
    require_simple(document.get("collation"))
    for path, direction in key.items():
        if direction not in (1, -1) or "$" in path or not path:
            raise unsupported(f"the index {path}: {direction!r}: expected 1 or -1")
    if document.get("partialFilterExpression") is not None:
        strict_filter(document["partialFilterExpression"])
