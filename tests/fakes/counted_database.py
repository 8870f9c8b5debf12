"""A database that counts what is asked of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fireworks import LaunchPad
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from hightc.launch.store import Database


class Count(CommandListener):
    """Commands that were sent, and documents that came back."""

    def __init__(self) -> None:
        self.commands: Counter[str] = Counter()
        self.documents = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.commands[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        cursor = event.reply.get("cursor", {})
        self.documents += len(cursor.get("firstBatch", ())) + len(cursor.get("nextBatch", ()))

    def failed(self, event: CommandFailedEvent) -> None:
        """A test that makes commands fail does not count."""


@dataclass(frozen=True)
class CountedDatabase(Database):
    """The same database through clients of its own, whose commands are counted."""

    count: Count = field(default_factory=Count, compare=False)

    @classmethod
    def of(cls, database: Database) -> CountedDatabase:
        return cls(uri=database.uri, name=database.name, embedded=database.embedded)

    @cached_property
    def client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self.uri, event_listeners=[self.count])

    @cached_property
    def launchpad(self) -> LaunchPad:
        return LaunchPad(
            host=self.uri,
            name=self.name,
            uri_mode=True,
            strm_lvl="WARNING",
            mongoclient_kwargs={"event_listeners": [self.count]},
        )

    def asked(self) -> tuple[int, int]:
        """Commands and documents since the last call."""
        commands, documents = self.count.commands.total(), self.count.documents
        self.count.commands.clear()
        self.count.documents = 0
        return commands, documents
