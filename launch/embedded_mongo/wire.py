"""Framing of the MongoDB wire protocol: OP_MSG both ways, and the OP_QUERY handshake.

Source: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

import socket
import struct
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON, InvalidDocument
from bson.raw_bson import RawBSONDocument

from hightc.launch.embedded_mongo.errors import Code, CommandError, WireError

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_MESSAGE_BYTES = 48_000_000
MAX_WRITE_BATCH = 100_000

# Dates beyond Python's years 1 to 9999 stay what they are instead of failing the whole document.
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict, tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
CHECKSUM_PRESENT, MORE_TO_COME, EXHAUST_ALLOWED = 1, 2, 1 << 16
_REQUIRED_FLAGS = 0xFFFF
_HEADER = struct.Struct("<iiii")


@dataclass(frozen=True)
class Request:
    """One command as it came over the wire.

    Parameters
    ----------
    request_id
        The client's number of the message, repeated in the reply.
    command
        The decoded command document; its first key is the command's name.
    sequences
        Document sequences (OP_MSG sections of kind 1) as raw BSON, by field name.
    reply_expected
        False when the client set moreToCome: an unacknowledged write.
    legacy
        The request was an OP_QUERY and wants an OP_REPLY.
    """

    request_id: int
    command: dict[str, Any]
    sequences: dict[str, list[bytes]] = field(default_factory=dict)
    reply_expected: bool = True
    legacy: bool = False


def decode(body: bytes) -> dict[str, Any]:
    """Decode one BSON document into plain dictionaries."""
    return bson.decode(body, CODEC)


def encode(document: dict[str, Any] | RawBSONDocument) -> bytes:
    """Encode one document as BSON."""
    if isinstance(document, RawBSONDocument):
        return bytes(document.raw)
    return bson.encode(document, codec_options=CODEC)


def read_request(connection: socket.socket) -> Request | None:
    """Read one message.

    Returns
    -------
    Request | None
        None when the client has closed the connection between two messages.

    Raises
    ------
    WireError
        The bytes are no message this server understands; close the connection.
    """
    head = _receive(connection, _HEADER.size, may_end=True)
    if head is None:
        return None
    length, request_id, _, opcode = _HEADER.unpack(head)
    if not _HEADER.size < length <= MAX_MESSAGE_BYTES + _HEADER.size:
        raise WireError(f"message of {length} bytes: expected 17 to {MAX_MESSAGE_BYTES}")
    body = _receive(connection, length - _HEADER.size)
    try:
        if opcode == OP_MSG:
            return _parse_message(request_id, body or b"")
        if opcode == OP_QUERY:
            return _parse_query(request_id, body or b"")
    except (InvalidBSON, struct.error, IndexError, ValueError) as error:
        raise WireError(f"malformed message (opcode {opcode}): {error}") from error
    raise WireError(f"opcode {opcode}: expected OP_MSG {OP_MSG}, or OP_QUERY {OP_QUERY} for the handshake")


def write_reply(connection: socket.socket, request: Request, reply: dict[str, Any]) -> None:
    """Send the reply to `request`, framed as the request was."""
    try:
        body = bson.encode(reply, codec_options=CODEC)
    except (InvalidDocument, OverflowError) as error:
        failure = CommandError(Code.InternalError, f"the answer is no BSON document ({type(error).__name__})")
        body = bson.encode(failure.as_reply())
    if request.legacy:
        # responseFlags 8 is AwaitCapable, cursor 0, starting from 0, one document.
        frame = struct.pack("<iqii", 8, 0, 0, 1) + body
        opcode = OP_REPLY
    else:
        frame = struct.pack("<IB", 0, 0) + body
        opcode = OP_MSG
    head = _HEADER.pack(_HEADER.size + len(frame), request.request_id, request.request_id, opcode)
    connection.sendall(head + frame)


def frame_command(request_id: int, command: dict[str, Any]) -> bytes:
    """Return `command` framed as an OP_MSG request."""
    frame = struct.pack("<IB", 0, 0) + bson.encode(command, codec_options=CODEC)
    return _HEADER.pack(_HEADER.size + len(frame), request_id, 0, OP_MSG) + frame


def _receive(connection: socket.socket, size: int, *, may_end: bool = False) -> bytes | None:
    chunks = bytearray()
    while len(chunks) < size:
        chunk = connection.recv(min(size - len(chunks), 1 << 20))
        if not chunk:
            if may_end and not chunks:
                return None
            raise ConnectionResetError(f"the client left after {len(chunks)} of {size} bytes")
        chunks += chunk
    return bytes(chunks)


def _parse_message(request_id: int, body: bytes) -> Request:
    (flags,) = struct.unpack_from("<I", body)
    if unknown := flags & _REQUIRED_FLAGS & ~(CHECKSUM_PRESENT | MORE_TO_COME):
        raise WireError(f"OP_MSG flags {unknown:#x}: expected checksumPresent or moreToCome only")
    end = len(body) - (4 if flags & CHECKSUM_PRESENT else 0)
    offset, command = 4, None
    sequences: dict[str, list[bytes]] = {}
    while offset < end:
        kind = body[offset]
        (size,) = struct.unpack_from("<i", body, offset + 1)
        section_end = offset + 1 + size
        if size < 5 or section_end > end:
            raise WireError(f"OP_MSG section of {size} bytes at offset {offset}: the message ends at {end}")
        if kind == 0:
            command = decode(body[offset + 1 : section_end])
        elif kind == 1:
            name_end = body.index(b"\0", offset + 5)
            name = body[offset + 5 : name_end].decode()
            sequences[name] = _split_documents(body[name_end + 1 : section_end])
        else:
            raise WireError(f"OP_MSG section kind {kind}: expected 0 or 1")
        offset = section_end
    if not command:
        raise WireError("OP_MSG without a command")
    return Request(request_id, command, sequences, reply_expected=not flags & MORE_TO_COME)


def _split_documents(body: bytes) -> list[bytes]:
    documents, offset = [], 0
    while offset < len(body):
        (size,) = struct.unpack_from("<i", body, offset)
        if size < 5 or offset + size > len(body):
            raise WireError(f"document of {size} bytes in a sequence with {len(body) - offset} left")
        documents.append(body[offset : offset + size])
        offset += size
    return documents


def _parse_query(request_id: int, body: bytes) -> Request:
    name_end = body.index(b"\0", 4)
    namespace = body[4:name_end].decode()
    if not namespace.endswith(".$cmd"):
        raise WireError("OP_QUERY on a collection: this server takes it for the handshake only, use OP_MSG")
    command = decode(body[name_end + 9 :])
    if not command:
        raise WireError("OP_QUERY without a command")
    return Request(request_id, {**command, "$db": namespace.removesuffix(".$cmd")}, legacy=True)
