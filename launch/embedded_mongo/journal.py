"""The append-only journal: what is acknowledged is in it, on disk.

The file is a preamble and frames. A frame holds the records of every client that waited for the same fsync
(group commit) under one checksum; its header has a checksum of its own, so that a damaged length cannot lead
astray::

    preamble  16 bytes  "hightc-journal1" and a newline
    frame     magic 4 | payload length u32 | CRC-32 of payload u32 | CRC-32 of the 12 bytes before u32 | payload

Only the last frame can be torn by a crash, for the one before it was on disk before it was begun. A torn last
frame was never acknowledged: it is cut off (kept beside the journal) and said in the log. Damage anywhere
else is refused.

Compaction writes the whole state as a new journal and renames it over the old one: at every moment the
directory holds one complete journal, so that a crash between any two steps loses nothing and doubles nothing.
"""

import contextlib
import logging
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from hightc.launch.embedded_mongo.errors import JournalCorruptError, JournalWriteError

PREAMBLE = b"hightc-journal1\n"
MAGIC = b"\xf5HtJ"
FILE_NAME = "journal"
_NEW_NAME = "journal.new"
_HEADER = struct.Struct("<4sIII")
_FRAME_BYTES = 4 * 1024 * 1024

_log = logging.getLogger(__name__)


def frame(payload: bytes) -> bytes:
    """Return `payload` with its checksummed header."""
    start = _HEADER.pack(MAGIC, len(payload), zlib.crc32(payload), 0)[:12]
    return start + struct.pack("<I", zlib.crc32(start)) + payload


class Journal:
    """The journal of one data directory, which the caller has locked.

    Parameters
    ----------
    directory
        Where the journal lies; it is created when missing.
    checkpoint
        Called with a name between any two steps of a compaction; a test ends the process there.
    """

    def __init__(self, directory: Path, checkpoint: Callable[[str], None] = lambda _step: None) -> None:
        self.path = directory / FILE_NAME
        self.bytes = 0
        self.frames = 0
        self._directory = directory
        self._checkpoint = checkpoint
        self._condition = threading.Condition()
        self._pending: list[bytes] = []
        self._appended = 0
        self._durable = 0
        self._busy = False
        self._failure: OSError | None = None
        self._file: BinaryIO | None = None

    def open(self) -> Iterator[bytes]:
        """Yield the payload of every frame, oldest first, and make the journal ready for appending.

        Raises
        ------
        JournalCorruptError
            The file is no journal, or is damaged before its last frame.
        """
        with contextlib.suppress(FileNotFoundError):
            (self._directory / _NEW_NAME).unlink()
        if not self.path.exists():
            self._create()
        yield from self._replay()
        self._file = self.path.open("ab", buffering=0)
        self.bytes = self._file.tell()

    def append(self, record: bytes) -> int:
        """Queue a record and return the ticket to :meth:`wait` with."""
        with self._condition:
            self._pending.append(record)
            self._appended += 1
            return self._appended

    @property
    def last_ticket(self) -> int:
        """The ticket of the record appended last."""
        return self._appended

    def wait(self, ticket: int) -> None:
        """Return when every record up to `ticket` is on disk.

        The first waiter writes for all who wait by then; those who come meanwhile share the next write.

        Raises
        ------
        JournalWriteError
            The disk refused; nothing more can be acknowledged.
        """
        while True:
            with self._condition:
                while self._busy and self._durable < ticket and self._failure is None:
                    self._condition.wait()
                if self._durable >= ticket:
                    return
                if self._failure is not None:
                    raise JournalWriteError(f"{self.path}: {self._failure}: nothing more is acknowledged")
                batch, self._pending = self._pending, []
                target = self._appended
                self._busy = True
            self._write(batch, target)

    def rewrite(self, records: Iterable[bytes]) -> None:
        """Replace the journal by one of `records`, which must hold everything appended so far.

        The caller lets nobody append meanwhile.
        """
        with self._condition:
            while self._busy:
                self._condition.wait()
            if self._failure is not None:
                raise JournalWriteError(f"{self.path}: {self._failure}: nothing more is acknowledged")
            self._busy = True
        failure: OSError | None = None
        old = self._file
        try:
            self._swap_in(records)
        except OSError as error:
            failure = error
        with self._condition:
            self._busy = False
            if failure is None:
                self._pending.clear()
                self._durable = self._appended
            elif self._file is not old:
                # The new journal has the name, but the disk may not know it yet: neither may be written.
                self._failure = failure
            self._condition.notify_all()
        if failure is not None:
            _log.error("%s: compaction failed: %s", self.path, failure)

    def close(self) -> None:
        """Write what is queued and close the file."""
        self.wait(self._appended)
        if self._file is not None:
            self._file.close()

    def _write(self, batch: list[bytes], target: int) -> None:
        failure: OSError | None = None
        try:
            assert self._file is not None  # noqa: S101 - appended only after open()
            body = frame(b"".join(batch))
            _write_all(self._file, body)
            os.fdatasync(self._file.fileno())
        except OSError as error:
            failure = error
        with self._condition:
            self._busy = False
            if failure is None:
                self.bytes += len(body)
                self.frames += 1
                self._durable = target
            else:
                self._failure = failure
            self._condition.notify_all()

    def _create(self) -> None:
        with (self._directory / _NEW_NAME).open("wb", buffering=0) as file:
            file.write(PREAMBLE)
            os.fsync(file.fileno())
        (self._directory / _NEW_NAME).rename(self.path)
        _sync_directory(self._directory)

    def _swap_in(self, records: Iterable[bytes]) -> None:
        new_path = self._directory / _NEW_NAME
        self._checkpoint("before the new journal")
        with new_path.open("wb", buffering=0) as file:
            _write_all(file, PREAMBLE)
            self._checkpoint("new journal begun")
            for payload in _gathered(records):
                _write_all(file, frame(payload))
                self._checkpoint("frame written")
            os.fsync(file.fileno())
            size = file.tell()
        self._checkpoint("new journal on disk")
        appending = new_path.open("ab", buffering=0)
        new_path.rename(self.path)
        self._checkpoint("renamed")
        old, self._file = self._file, appending
        self.bytes = size
        self.frames = 0
        _sync_directory(self._directory)
        self._checkpoint("directory on disk")
        if old is not None:
            old.close()

    def _replay(self) -> Iterator[bytes]:
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            preamble = file.read(len(PREAMBLE))
            if preamble != PREAMBLE:
                raise self._corrupt(0, f"the preamble {PREAMBLE!r}", repr(preamble))
            offset = len(PREAMBLE)
            while offset < size:
                header = file.read(_HEADER.size)
                problem, payload = _read_payload(file, header)
                if problem is not None:
                    self._cut_torn_end(file, offset, size, header, problem)
                    return
                yield payload
                self.frames += 1
                offset += _HEADER.size + len(payload)

    def _cut_torn_end(self, file: BinaryIO, offset: int, size: int, header: bytes, problem: str) -> None:
        """Cut off what follows `offset` if it is the last frame; refuse if whole frames follow it."""
        length = _payload_length(header)
        if length is not None and offset + _HEADER.size + length < size:
            raise self._corrupt(offset, "a whole frame", problem)
        file.seek(offset)
        torn = file.read()
        if length is None and _holds_frame(torn[1:]):
            raise self._corrupt(offset, "a frame header", problem)
        kept = self._directory / f"journal.torn-at-{offset}"
        with kept.open("wb", buffering=0) as copy:
            _write_all(copy, torn)
            os.fsync(copy.fileno())
        with self.path.open("r+b") as journal:
            journal.truncate(offset)
            os.fsync(journal.fileno())
        _sync_directory(self._directory)
        _log.warning(
            "%s: the last record was torn by a crash before it was acknowledged (%s); cut off %d bytes at offset %d, "
            "kept as %s",
            self.path,
            problem,
            len(torn),
            offset,
            kept.name,
        )

    def _corrupt(self, offset: int, expected: str, found: str) -> JournalCorruptError:
        return JournalCorruptError(
            f"{self.path} offset {offset}: expected {expected}, found {found}: the disk or another program has "
            "damaged the journal. Copy the directory, then restore it from a backup; or give up everything after "
            f"the damage with: truncate -s {offset} {self.path}"
        )


def _read_payload(file: BinaryIO, header: bytes) -> tuple[str | None, bytes]:
    length = _payload_length(header)
    if length is None:
        return f"{len(header)} bytes that are no frame header", b""
    payload = file.read(length)
    if len(payload) < length:
        return f"{len(payload)} of {length} payload bytes", b""
    if zlib.crc32(payload) != _HEADER.unpack(header)[2]:
        return f"a payload of {length} bytes that does not match its checksum", b""
    return None, payload


def _payload_length(header: bytes) -> int | None:
    if len(header) < _HEADER.size:
        return None
    magic, length, _, check = _HEADER.unpack(header)
    if magic != MAGIC or check != zlib.crc32(header[:12]):
        return None
    return int(length)


def _holds_frame(body: bytes) -> bool:
    offset = body.find(MAGIC)
    while offset >= 0:
        if _payload_length(body[offset : offset + _HEADER.size]) is not None:
            return True
        offset = body.find(MAGIC, offset + 1)
    return False


def _gathered(records: Iterable[bytes]) -> Iterator[bytes]:
    gathered = bytearray()
    for record in records:
        gathered += record
        if len(gathered) >= _FRAME_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _write_all(file: BinaryIO, body: bytes) -> None:
    view = memoryview(body)
    while view:
        view = view[file.write(view) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
