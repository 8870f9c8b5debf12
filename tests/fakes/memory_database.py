"""The embedded server's commands on data that no disk keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bson import decode

from hightc.launch.embedded_mongo import server
from hightc.launch.embedded_mongo.commands import run
from hightc.launch.embedded_mongo.cursors import Cursors
from hightc.launch.embedded_mongo.engine import Engine
from hightc.launch.embedded_mongo.wire import Request

COMMANDS = server.COMMANDS
"""Modules that fill the table of commands."""


class MemoryJournal:
    """A journal that keeps nothing."""

    bytes = 0
    last_ticket = 0

    def open(self) -> Iterator[bytes]:
        return iter(())

    def append(self, _record: bytes) -> int:
        return 0

    def wait(self, _ticket: int) -> None:
        pass


class MemoryDatabase:
    """The table of commands without sockets; the collection is ``c`` of the database ``d``."""

    def __init__(self) -> None:
        self.engine = Engine(None, journal=MemoryJournal())  # type: ignore[arg-type]
        self.cursors = Cursors()

    def __call__(self, **command: Any) -> dict[str, Any]:
        with self.engine.durable():
            return run(self.engine, self.cursors, Request(1, {**command, "$db": "d"}))

    def find(self, query: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        reply = self(find="c", filter=query, batchSize=10**6, **options)
        assert reply["ok"] == 1.0, reply
        return [decode(raw.raw) for raw in reply["cursor"]["firstBatch"]]

    def index(self, **key: int) -> None:
        reply = self(createIndexes="c", indexes=[{"key": key, "name": "_".join(key)}])
        assert reply["ok"] == 1.0, reply

    def examined(self, work: Callable[[], Any]) -> int:
        collection = self.engine.collection("d.c")
        before = collection.examined
        work()
        return collection.examined - before
