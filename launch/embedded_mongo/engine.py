"""The databases: every change goes through here, to memory and to the journal."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hightc.launch.embedded_mongo.collection import ID_INDEX, Collection
from hightc.launch.embedded_mongo.effects import NOTHING_MORE, Effect, Operation, unpack
from hightc.launch.embedded_mongo.errors import Code, CommandError
from hightc.launch.embedded_mongo.indexes import IndexSpecification
from hightc.launch.embedded_mongo.journal import Journal
from hightc.launch.embedded_mongo.mongomock_core import Document
from hightc.launch.embedded_mongo.updating import storable
from hightc.launch.embedded_mongo.wire import decode, encode

_log = logging.getLogger(__name__)

_COMPACTION_SLACK_BYTES = 32 * 1024 * 1024
_WARN_AT = 0.8


@dataclass(frozen=True)
class Limit:
    """How much one embedded server takes before it refuses to insert.

    Chosen by measuring on two cores: 195,000 fireworks of 0.7 kB with FireWorks' indexes take 0.5 GB of memory,
    9 s to replay at a start and 1.2 s to scan; 1 GB of 1 MB documents takes 1 GB of memory, 2 s to replay and 4 s
    to compact, while every client waits. The defaults keep a start, and any wait, to about 10 s.

    Parameters
    ----------
    documents
        Number of documents in all collections.
    data_bytes
        Size of their BSON.
    """

    documents: int = 200_000
    data_bytes: int = 2 * 1024**3


class Engine:
    """All collections of one data directory.

    Parameters
    ----------
    directory
        Where the journal lies; the caller holds its lock.
    limit
        Past it inserts are refused; updates and deletions go on, so that running work can finish.
    journal
        Given by tests.
    """

    def __init__(self, directory: Path, limit: Limit | None = None, journal: Journal | None = None) -> None:
        self.lock = threading.RLock()
        self.limit = limit or Limit()
        self.journal = journal or Journal(directory)
        self._collections: dict[str, Collection] = {}
        self._effects: list[Effect] = []
        self._warned = False
        self._closed = False
        self._compact_above = 0
        for payload in self.journal.open():
            for effect in unpack(payload):
                self._replay(effect)

    @contextmanager
    def durable(self) -> Iterator[None]:
        """Run a command alone, and leave only when all that it did or saw is on disk.

        A reader waits as well, so that no answer shows what a crash could take back.
        """
        ticket = 0
        try:
            with self.lock:
                if self._closed:
                    raise ConnectionAbortedError("the server is stopping")
                try:
                    yield
                finally:
                    ticket = self._journal_effects()
        finally:
            self.journal.wait(ticket)

    def namespaces(self, database: str | None = None) -> list[str]:
        """Return the namespaces that exist, of one database or of all."""
        return [name for name in self._collections if database is None or name.startswith(f"{database}.")]

    def collection(self, namespace: str) -> Collection:
        """Return a collection for reading; one that does not exist is empty."""
        found = self._collections.get(namespace)
        return Collection(namespace) if found is None else found

    def exists(self, namespace: str) -> bool:
        """Tell whether a collection was created, by command or by its first document or index."""
        return namespace in self._collections

    @property
    def n_documents(self) -> int:
        """Number of documents in all collections."""
        return sum(map(len, self._collections.values()))

    @property
    def data_bytes(self) -> int:
        """Size of the documents' BSON."""
        return sum(collection.data_bytes for collection in self._collections.values())

    def insert(self, namespace: str, document: Document) -> Document:
        """Insert a document and return it as stored.

        Raises
        ------
        CommandError
            Duplicate key, not storable, or the limit is reached.
        """
        body, stored = storable(document)
        self._require_room(len(body))
        collection = self.create(namespace)
        collection.require_unique(stored, None)
        collection.put(body, stored)
        self._note(Operation.PUT, namespace, body)
        return stored

    def replace(self, namespace: str, position: int, old_body: bytes, document: Document) -> tuple[Document, bool]:
        """Put a changed document in place of the one at `position`; return it and whether it differs."""
        body, stored = storable(document)
        if body == old_body:
            return stored, False
        collection = self._collections[namespace]
        collection.require_unique(stored, position)
        collection.put(body, stored)
        self._note(Operation.PUT, namespace, body)
        return stored, True

    def remove(self, namespace: str, identifier: Any) -> None:
        """Delete the document with this ``_id``."""
        self._collections[namespace].remove(identifier)
        self._note(Operation.REMOVE, namespace, encode({"_id": identifier}))

    def create(self, namespace: str) -> Collection:
        """Return a collection, creating it when it does not exist."""
        collection = self._collections.get(namespace)
        if collection is None:
            _require_valid(namespace)
            collection = self._collections[namespace] = Collection(namespace)
            self._note(Operation.CREATE, namespace, NOTHING_MORE)
        return collection

    def drop(self, namespace: str) -> None:
        """Drop a collection with its indexes."""
        del self._collections[namespace]
        self._note(Operation.DROP, namespace, NOTHING_MORE)

    def rename(self, namespace: str, target: str) -> None:
        """Give a collection another namespace, which nothing has."""
        _require_valid(target)
        renamed = Collection(target)
        for effect in self._contents(target, self._collections[namespace]):
            self._apply(renamed, effect)
            self._effects.append(effect)
        self._collections[target] = renamed
        self.drop(namespace)

    def create_index(self, namespace: str, specification: IndexSpecification) -> None:
        """Declare an index and fill it."""
        self.create(namespace).create_index(specification)
        self._note(Operation.CREATE_INDEX, namespace, encode(specification.as_document()))

    def drop_index(self, namespace: str, name: str) -> None:
        """Forget an index."""
        self._collections[namespace].drop_index(name)
        self._note(Operation.DROP_INDEX, namespace, encode({"name": name}))

    def compact(self) -> None:
        """Rewrite the journal as the data it leads to. Commands wait meanwhile."""
        with self.lock:
            before = self.journal.bytes
            self.journal.rewrite(effect.packed() for effect in self._snapshot())
            # If the disk refused, the journal is as large as before: try again when it has grown.
            self._compact_above = self.journal.bytes + _COMPACTION_SLACK_BYTES
            _log.info("compacted the journal from %d to %d bytes", before, self.journal.bytes)

    def close(self) -> None:
        """Put everything on disk and close the journal."""
        with self.lock:
            self._closed = True
            self.journal.close()

    def _note(self, operation: Operation, namespace: str, body: bytes) -> None:
        self._effects.append(Effect(operation, namespace, body))

    def _journal_effects(self) -> int:
        if not self._effects:
            return self.journal.last_ticket
        record = b"".join(effect.packed() for effect in self._effects)
        self._effects.clear()
        ticket = self.journal.append(record)
        if self.journal.bytes > max(2 * self.data_bytes + _COMPACTION_SLACK_BYTES, self._compact_above):
            self.compact()
        return ticket

    def _snapshot(self) -> Iterator[Effect]:
        for namespace, collection in self._collections.items():
            yield from self._contents(namespace, collection)

    @staticmethod
    def _contents(namespace: str, collection: Collection) -> Iterator[Effect]:
        """Yield the effects that make a collection from nothing."""
        yield Effect(Operation.CREATE, namespace, NOTHING_MORE)
        for body in collection.bodies():
            yield Effect(Operation.PUT, namespace, body)
        for specification in collection.indexes:
            if specification != ID_INDEX:
                yield Effect(Operation.CREATE_INDEX, namespace, encode(specification.as_document()))

    def _replay(self, effect: Effect) -> None:
        if effect.operation is Operation.DROP:
            del self._collections[effect.namespace]
            return
        collection = self._collections.get(effect.namespace)
        if collection is None:
            collection = self._collections[effect.namespace] = Collection(effect.namespace)
        self._apply(collection, effect)

    @staticmethod
    def _apply(collection: Collection, effect: Effect) -> None:
        document = decode(effect.body)
        if effect.operation is Operation.PUT:
            collection.put(effect.body, document)
        elif effect.operation is Operation.REMOVE:
            collection.remove(document["_id"])
        elif effect.operation is Operation.CREATE_INDEX:
            collection.create_index(IndexSpecification.from_document(document))
        elif effect.operation is Operation.DROP_INDEX:
            collection.drop_index(document["name"])

    def _require_room(self, size: int) -> None:
        n_documents, data_bytes = self.n_documents + 1, self.data_bytes + size
        if n_documents > self.limit.documents or data_bytes > self.limit.data_bytes:
            raise CommandError(
                Code.ExceededMemoryLimit,
                f"the embedded single-machine server holds {n_documents - 1} documents of {self.limit.documents} "
                f"and {data_bytes - size} bytes of {self.limit.data_bytes}: it takes no more; use MongoDB and set "
                "HIGHTC_MONGO_URI",
            )
        filled = max(n_documents / self.limit.documents, data_bytes / self.limit.data_bytes)
        if filled >= _WARN_AT and not self._warned:
            self._warned = True
            _log.warning(
                "the embedded server is %.0f %% full (%d documents, %d bytes): it refuses inserts from %d documents "
                "or %d bytes on; use MongoDB and set HIGHTC_MONGO_URI",
                100 * filled,
                n_documents,
                data_bytes,
                self.limit.documents,
                self.limit.data_bytes,
            )


def _require_valid(namespace: str) -> None:
    database, _, name = namespace.partition(".")
    if not database or not name or "$" in namespace or "\0" in namespace or len(namespace.encode()) > 255:
        raise CommandError(Code.InvalidNamespace, f"Invalid namespace specified '{namespace}'")
