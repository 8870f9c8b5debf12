"""How many documents a server examines for what is asked of it: each command is explained by it before it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient, monitoring

SESSION = frozenset({"lsid", "$db", "$clusterTime", "$readPreference", "txnNumber", "writeConcern", "maxTimeMS"})
"""Fields of a command that explain does not take."""

STATEMENTS = {"update": "updates", "delete": "deletes"}
READING = ("find", "count", "distinct", "aggregate", "findAndModify", "findandmodify")


@dataclass
class Examined:
    """What was examined in one look.

    Attributes
    ----------
    documents
        Documents by command and collection.
    calls
        Commands that were sent.
    """

    documents: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All of them."""
        return self.documents.total()


class Examiner(monitoring.CommandListener):
    """Explains every command of this process while it watches."""

    def __init__(self) -> None:
        self._client: MongoClient[dict[str, Any]] | None = None
        self._seen = Examined()

    @contextmanager
    def watching(self, uri: str) -> Iterator[Examined]:
        """Count what clients that were made since this object was registered ask for."""
        client: MongoClient[dict[str, Any]] = MongoClient(uri)
        client.admin.command("ping")
        self._client, self._seen = client, Examined()
        try:
            yield self._seen
        finally:
            self._client = None
            client.close()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Explain a command before it is sent."""
        client, self._client = self._client, None  # what explains is not explained
        if client is None:
            return
        try:
            for database, command in _parts(event.database_name, event.command):
                kind = next(iter(command))
                name = f"{kind} {command[kind]}"
                reply = client[database].command({"explain": command, "verbosity": "executionStats"})
                self._seen.documents[name] += examined_documents(reply)
                self._seen.calls[name] += 1
        finally:
            self._client = client

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing: it was explained."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing: the caller sees it."""


def _parts(database: str, command: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The commands that a server explains one at a time."""
    kind = next(iter(command))
    plain = {name: value for name, value in command.items() if name not in SESSION}
    if kind in READING:
        yield database, plain
    elif kind in STATEMENTS:
        for statement in command[STATEMENTS[kind]]:
            yield database, {kind: command[kind], STATEMENTS[kind]: [statement]}
    elif kind == "bulkWrite":
        for operation in command["ops"]:
            name, _, collection = command["nsInfo"][operation["update"]]["ns"].partition(".")
            statement = {"q": operation["filter"], "u": operation["updateMods"], "upsert": operation["upsert"]}
            yield name, {"update": collection, "updates": [statement]}


def examined_documents(reply: Any) -> int:
    """``totalDocsExamined`` of an explained command, wherever the server puts it."""
    if isinstance(reply, Mapping):
        if "totalDocsExamined" in reply:
            return int(reply["totalDocsExamined"])
        return sum(map(examined_documents, reply.values()))
    return sum(map(examined_documents, reply)) if isinstance(reply, list) else 0


EXAMINER = Examiner()
monitoring.register(EXAMINER)  # for the clients that are made from now on
