"""A database that is away for minutes: what is asked of it waits and is asked again, and nothing is done twice.

FireWorks and jobflow give up with the first lost connection, which costs a finished calculation its result. Here each
operation on a collection is tried again by itself, so that an update of a workflow in many operations goes on where it
was. Operations that must not be done twice, because the first may have arrived without its answer, are made so that the
second finds what the first did.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import Any, TypeVar
from uuid import uuid4

from bson import ObjectId
from maggma.core import Store
from maggma.stores.gridfs import GridFSStore
from maggma.stores.mongolike import MongoStore
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import ConnectionFailure, CursorNotFound

from hightc.launch.errors import DatabaseAwayError

Answer = TypeVar("Answer")

AWAY = (ConnectionFailure, CursorNotFound, DatabaseAwayError)
"""What is raised where a server is away, or was restarted while an answer was read."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
TAKES_LOCK: Mapping[str, Any] = {"$set": {"locked": True}}
"""How FireWorks locks a workflow."""

CLAIMED_BY = "claimed_by"
"""Field of a firework with the sign of the process that took it, until FireWorks writes that it runs."""


def sign_of(pid: int) -> str:
    """What a process of this machine writes into the locks and claims that it takes.

    Parameters
    ----------
    pid
        Its id.
    """
    return f"{os.uname().nodename}:{pid}"


def is_signed(mark: object, sign: str) -> bool:
    """Whether a lock or a claim bears the sign of a process.

    Parameters
    ----------
    mark
        As stored; plain FireWorks signs nothing.
    sign
        Of the process.
    """
    return isinstance(mark, str) and mark.startswith(f"{sign}:")


@dataclass
class Patience:
    """Tries again, after longer and longer pauses, what fails because the database is away.

    Attributes
    ----------
    seconds
        For how long; the error is raised then. 0: not at all.
    say
        Function that is told once, in a line, that the database is away, and once that it is back.
    revive
        Function that starts the server if it is to be started from here.
    """

    seconds: float
    say: Callable[[str], None]
    revive: Callable[[], object] | None = None
    _since: datetime | None = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __call__(self, action: Callable[[], Answer]) -> Answer:
        """Do something that needs the database.

        Parameters
        ----------
        action
            Function that does it; it may be called several times.

        Raises
        ------
        ConnectionFailure, DatabaseAwayError
            If the database stays away for longer.
        """
        end, pause = None, FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = action()
            except AWAY:
                now = time.monotonic()
                end = now + self.seconds if end is None else end
                if now >= end:
                    raise
                self._tell_away()
                self._revive()
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                if self._since is not None:
                    self._tell_back()
                return answer

    def _revive(self) -> None:
        try:
            if self.revive is not None:
                self.revive()
        except AWAY:
            return

    def _tell_away(self) -> None:
        with self._lock:
            if self._since is None:
                self._since = datetime.now(UTC)
                self.say(f"database is away since {self._since:%H:%M:%S} UTC, waiting up to {self.seconds:g} s")

    def _tell_back(self) -> None:
        with self._lock:
            if self._since is not None:
                gone_seconds = (datetime.now(UTC) - self._since).total_seconds()
                self._since = None
                self.say(f"database is back after {gone_seconds:.0f} s")


class PatientDatabase:
    """A pymongo database whose collections are patient.

    Parameters
    ----------
    database
        The database.
    patience
        How long to wait.
    """

    def __init__(self, database: Any, patience: Patience) -> None:
        self._database, self._patience = database, patience

    def __getitem__(self, name: str) -> PatientCollection:
        return PatientCollection(self._database[name], self._patience)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class PatientCollection:
    """A pymongo collection each of whose operations waits while the database is away.

    Parameters
    ----------
    collection
        The collection.
    patience
        How long to wait.
    """

    def __init__(self, collection: Any, patience: Patience) -> None:
        self._collection, self._patience = collection, patience

    def __getitem__(self, name: str) -> PatientCollection:
        return PatientCollection(self._collection[name], self._patience)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._collection, name)
        if isinstance(found, Collection):
            return PatientCollection(found, self._patience)
        return _patient(found, self._patience) if callable(found) else found

    def find(self, *arguments: Any, **options: Any) -> PatientCursor:
        """Find documents, as pymongo does; they are read all at once."""
        return PatientCursor(self._collection.find(*arguments, **options), self._patience)

    def aggregate(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        """Aggregate, as pymongo does; all is read at once."""
        return iter(self._patience(lambda: list(self._collection.aggregate(*arguments, **options))))

    def find_one_and_update(self, condition: Mapping[str, Any], change: Mapping[str, Any], **options: Any) -> Any:
        """Find and update, as pymongo does; locks and claims are signed, which tells whether an unanswered one came."""
        mark = f"{sign_of(os.getpid())}:{uuid4().hex}"
        if change == TAKES_LOCK and condition.get("locked") == {"$exists": False}:
            free = [{"locked": condition["locked"]}, {"locked": mark}]
            condition = {**{name: value for name, value in condition.items() if name != "locked"}, "$or": free}
            change = {"$set": {"locked": mark}}
        elif change.get("$set", {}).get("state") == "RESERVED":
            return self._claim(mark, condition, change, options)
        return self._patience(partial(self._collection.find_one_and_update, condition, change, **options))

    def _claim(
        self, mark: str, condition: Mapping[str, Any], change: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Any:
        """Take a firework, and no second one if the answer was lost."""
        signed = {**change, "$set": {**change["$set"], CLAIMED_BY: mark}}
        tried = False

        def attempt() -> Any:
            nonlocal tried
            taken = self._collection.find_one({"state": "RESERVED", CLAIMED_BY: mark}) if tried else None
            tried = True
            return taken or self._collection.find_one_and_update(condition, signed, **options)

        return self._patience(attempt)

    def insert_one(self, document: dict[str, Any], **options: Any) -> Any:
        """Insert a document, as pymongo does, once."""
        return self._insert(partial(self._collection.insert_one, document, **options), [document])

    def insert_many(self, documents: Iterable[dict[str, Any]], **options: Any) -> Any:
        """Insert documents, as pymongo does, once each."""
        kept = list(documents)
        return self._insert(partial(self._collection.insert_many, kept, **options), kept)

    def _insert(self, insert: Callable[[], Any], documents: list[dict[str, Any]]) -> Any:
        tried = False
        for document in documents:
            document.setdefault("_id", ObjectId())

        def attempt() -> Any:
            nonlocal tried
            if tried:
                # what arrived stays: a worker may have taken it by now
                ids = [document["_id"] for document in documents]
                there = {found["_id"] for found in self._collection.find({"_id": {"$in": ids}}, {"_id": 1})}
                missing = [document for document in documents if document["_id"] not in there]
                return self._collection.insert_many(missing) if missing else None
            tried = True
            return insert()

        return self._patience(attempt)


class PatientCursor:
    """Documents that are read all at once, and again from the first if the server went away meanwhile.

    Parameters
    ----------
    cursor
        Cursor of pymongo.
    patience
        How long to wait.
    """

    def __init__(self, cursor: Cursor[dict[str, Any]], patience: Patience) -> None:
        self._cursor, self._patience = cursor, patience

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._patience(lambda: list(self._cursor.clone())))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cursor, name)
        if not callable(found):
            return found

        def called(*arguments: Any, **options: Any) -> Any:
            answer = self._patience(lambda: found(*arguments, **options))
            return self if answer is self._cursor else answer

        return called


def _patient(method: Callable[..., Any], patience: Patience) -> Callable[..., Any]:
    return lambda *arguments, **options: patience(lambda: method(*arguments, **options))


class _PatientStore(Store):
    """A store of maggma that waits; the other base class says which.

    Parameters
    ----------
    patience
        How long to wait.
    *arguments, **options
        Those of the other base class.
    """

    def __init__(self, patience: Patience, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.patience = patience

    def query(self, *arguments: Any, **options: Any) -> Iterator[dict[str, Any]]:
        """Query documents, as maggma does; they are read all at once."""
        ask = super().query  # type: ignore[safe-super] # the other base class has it
        yield from self.patience(lambda: list(ask(*arguments, **options)))

    def update(self, *arguments: Any, **options: Any) -> None:
        """Store documents, as maggma does."""
        store = super().update  # type: ignore[safe-super] # as above
        self.patience(partial(store, *arguments, **options))


class PatientMongoStore(_PatientStore, MongoStore):
    """jobflow's documents; what is written twice is stored once, because it replaces what has its key."""


class PatientGridFSStore(_PatientStore, GridFSStore):
    """Large arrays; what was written in part is written anew."""
