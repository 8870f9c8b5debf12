"""A process that is killed before one of its writes to the LaunchPad: neither that write nor any later one arrives."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hightc.launch.patience import Patience
from hightc.launch.store import Database

WRITES = frozenset(
    {
        "delete_many",
        "delete_one",
        "find_one_and_replace",
        "find_one_and_update",
        "insert_many",
        "insert_one",
        "replace_one",
        "update_many",
        "update_one",
    }
)
COLLECTIONS = ("fireworks", "launches", "offline_runs", "fw_id_assigner", "workflows")


class KilledError(BaseException):
    """In the place of SIGKILL; nothing that catches errors catches it."""


@dataclass
class Life:
    """How long a process lives.

    Attributes
    ----------
    writes
        How many writes arrive before it is killed; None lets it live.
    done
        What it wrote: collection and operation.
    """

    writes: int | None = None
    done: list[str] = field(default_factory=list)
    _thread: int = field(default_factory=threading.get_ident)

    @property
    def over(self) -> bool:
        """Whether it was killed."""
        return self.writes is not None and len(self.done) > self.writes

    def write(self, operation: str) -> None:
        """Count a write; the thread that tells that a step still runs writes when it likes, and is not counted."""
        if threading.get_ident() == self._thread and not self.over:
            self.done.append(operation)
        if self.over:
            raise KilledError(operation)


class MortalCollection:
    """A collection that a process writes to while it lives."""

    def __init__(self, collection: Any, life: Life) -> None:
        self._collection, self._life = collection, life

    def __getattr__(self, name: str) -> Any:
        if name in WRITES:
            self._life.write(f"{self._collection.name}.{name}")
        return getattr(self._collection, name)


class MortalCollections:
    """Every collection of a database."""

    def __init__(self, database: Any, life: Life) -> None:
        self._database, self._life = database, life

    def __getitem__(self, name: str) -> Any:
        return MortalCollection(self._database[name], self._life)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def mortal(database: Database, life: Life, *, joined: bool = True) -> Database:
    """The same database as a process of its own sees it, patient as that of a worker; writes are joined if asked."""
    seen = replace(database, patience=Patience(60.0, lambda line: None))
    launchpad = seen.launchpad
    launchpad.joins_writes = joined and launchpad.joins_writes
    launchpad.db = MortalCollections(launchpad.db, life)
    for name in COLLECTIONS:
        setattr(launchpad, name, MortalCollection(getattr(launchpad, name), life))
    together = launchpad.joined

    def joined_write(command: Mapping[str, Any]) -> Any:
        life.write("joined")
        return together(command)

    launchpad.joined = joined_write
    return seen
