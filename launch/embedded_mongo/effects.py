"""What a command did to the data, as the journal records it.

The journal holds effects (resulting documents, deletions by ``_id``), never commands, so that replay needs no
clock, no random identifier and no query, and cannot come out differently. An effect is an operation byte, the
namespace and one BSON document; a record is effects one after another.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from hightc.launch.embedded_mongo.wire import encode

_HEAD = struct.Struct("<BH")


class Operation(IntEnum):
    """What happened to a collection; the numbers are on disk for ever."""

    PUT = 1
    REMOVE = 2
    CREATE = 3
    DROP = 4
    CREATE_INDEX = 5
    DROP_INDEX = 6


class Effect(NamedTuple):
    """One change: the operation, ``database.collection``, and its document as BSON."""

    operation: Operation
    namespace: str
    body: bytes

    def packed(self) -> bytes:
        """Return the effect as it lies in the journal."""
        namespace = self.namespace.encode()
        return _HEAD.pack(self.operation, len(namespace)) + namespace + self.body


NOTHING_MORE = encode({})


def unpack(payload: bytes) -> Iterator[Effect]:
    """Yield the effects of a frame's payload."""
    offset = 0
    while offset < len(payload):
        operation, length = _HEAD.unpack_from(payload, offset)
        start = offset + _HEAD.size
        body_start = start + length
        (size,) = struct.unpack_from("<i", payload, body_start)
        offset = body_start + size
        yield Effect(Operation(operation), payload[start:body_start].decode(), payload[body_start:offset])
