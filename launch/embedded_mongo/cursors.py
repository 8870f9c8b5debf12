"""Cursors: the answers that are too long for one message."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bson import Int64
from bson.raw_bson import RawBSONDocument

from hightc.launch.embedded_mongo.errors import Code, CommandError
from hightc.launch.embedded_mongo.wire import MAX_DOCUMENT_BYTES, encode

Answer = RawBSONDocument | dict[str, Any]

FIRST_BATCH = 101
_IDLE_SECONDS = 600.0


@dataclass
class _Cursor:
    namespace: str
    documents: list[Answer]
    next: int
    last_used: float
    immortal: bool


class Cursors:
    """The open cursors.

    A cursor holds the answer as it was when the query ran. One that nobody asks for 10 minutes is closed, as
    MongoDB does.

    Parameters
    ----------
    clock
        Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[int, _Cursor] = {}
        self._numbers = itertools.count(1000)

    def __len__(self) -> int:
        return len(self._open)

    def reply(
        self,
        namespace: str,
        documents: list[Answer],
        batch_size: int | None = None,
        *,
        single_batch: bool = False,
        immortal: bool = False,
    ) -> dict[str, Any]:
        """Return the reply with the first batch, keeping a cursor for the rest.

        Parameters
        ----------
        namespace
            ``database.collection``, as the client will name it again.
        documents
            The whole answer.
        batch_size
            Number of documents in the first batch; MongoDB's 101 when None.
        single_batch
            Drop what does not fit the first batch.
        immortal
            The client asked for no timeout.
        """
        cursor = _Cursor(namespace, documents, 0, self._clock(), immortal)
        first = self._take(cursor, FIRST_BATCH if batch_size is None else batch_size)
        number = 0
        if cursor.next < len(documents) and not single_batch:
            self._expire()
            number = next(self._numbers)
            self._open[number] = cursor
        return {"cursor": {"firstBatch": first, "id": Int64(number), "ns": namespace}, "ok": 1.0}

    def more(self, number: int, namespace: str, batch_size: int | None) -> dict[str, Any]:
        """Return the reply with the next batch.

        Raises
        ------
        CommandError
            There is no such cursor, or it is closed or expired.
        """
        self._expire()
        cursor = self._open.get(number)
        if cursor is None or cursor.namespace != namespace:
            raise CommandError(Code.CursorNotFound, f"cursor id {number} not found")
        cursor.last_used = self._clock()
        batch = self._take(cursor, batch_size or len(cursor.documents))
        if cursor.next >= len(cursor.documents):
            del self._open[number]
            number = 0
        return {"cursor": {"nextBatch": batch, "id": Int64(number), "ns": namespace}, "ok": 1.0}

    def length(self, number: int) -> int:
        """Close a cursor and return how many documents it had; 0 if there is none."""
        cursor = self._open.pop(number, None)
        return 0 if cursor is None else len(cursor.documents)

    def kill(self, number: int) -> bool:
        """Close a cursor; tell whether it was open."""
        return self._open.pop(number, None) is not None

    def _take(self, cursor: _Cursor, count: int) -> list[RawBSONDocument]:
        batch: list[RawBSONDocument] = []
        size = 0
        while cursor.next < len(cursor.documents) and len(batch) < count:
            document = cursor.documents[cursor.next]
            raw = document if isinstance(document, RawBSONDocument) else RawBSONDocument(encode(document))
            size += len(raw.raw) + 16
            if batch and size > MAX_DOCUMENT_BYTES:
                break
            batch.append(raw)
            cursor.next += 1
        return batch

    def _expire(self) -> None:
        oldest = self._clock() - _IDLE_SECONDS
        for number in [n for n, c in self._open.items() if c.last_used < oldest and not c.immortal]:
            del self._open[number]
