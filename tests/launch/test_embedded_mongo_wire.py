"""The wire protocol byte by byte, without a driver."""

import socket
import struct
import threading
from contextlib import closing

import bson
import pytest

from hightc.launch.embedded_mongo.engine import Engine
from hightc.launch.embedded_mongo.errors import WireError
from hightc.launch.embedded_mongo.server import Server
from hightc.launch.embedded_mongo.wire import (
    CHECKSUM_PRESENT,
    EXHAUST_ALLOWED,
    MAX_MESSAGE_BYTES,
    MORE_TO_COME,
    frame_command,
    read_request,
)


def message(sections, flags=0, *, opcode=2013, request_id=7, tail=b""):
    body = struct.pack("<I", flags) + sections + tail
    return struct.pack("<iiii", 16 + len(body), request_id, 0, opcode) + body


def body_section(command):
    return b"\0" + bson.encode(command)


def sequence_section(name, documents):
    content = name.encode() + b"\0" + b"".join(map(bson.encode, documents))
    return b"\1" + struct.pack("<i", 4 + len(content)) + content


def parsed(raw):
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        sender = threading.Thread(target=lambda: (theirs.sendall(raw), theirs.shutdown(socket.SHUT_WR)))
        sender.start()
        try:
            return read_request(ours)
        finally:
            ours.close()
            sender.join()


@pytest.fixture
def connect(tmp_path):
    """A server in this process, and a way to connect to it."""
    engine = Engine(tmp_path)
    server = Server(engine, tmp_path / "s.sock")
    server.start()
    connections = []

    def open_connection():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(str(tmp_path / "s.sock"))
        connections.append(connection)
        return connection

    yield open_connection
    for connection in connections:
        connection.close()
    server.stop()
    engine.close()


def ask(connection, command):
    connection.sendall(frame_command(1, command))
    return read_request(connection).command


def test_a_command_is_read_back_as_it_was_framed():
    request = parsed(frame_command(42, {"ping": 1, "$db": "admin"}))
    assert (request.request_id, request.command) == (42, {"ping": 1, "$db": "admin"})
    assert request.reply_expected


def test_document_sequences_stay_raw_and_keep_their_order():
    documents = [{"_id": number, "x": "y" * number} for number in range(3)]
    sections = body_section({"insert": "c"}) + sequence_section("documents", documents)
    assert parsed(message(sections)).sequences == {"documents": list(map(bson.encode, documents))}


def test_the_body_may_come_after_the_sequence():
    sections = sequence_section("documents", [{"a": 1}]) + body_section({"insert": "c"})
    request = parsed(message(sections))
    assert request.command == {"insert": "c"}
    assert len(request.sequences["documents"]) == 1


def test_a_checksum_at_the_end_is_not_taken_for_a_section():
    request = parsed(message(body_section({"ping": 1}), CHECKSUM_PRESENT, tail=b"\xde\xad\xbe\xef"))
    assert request.command == {"ping": 1}


def test_more_to_come_means_that_no_reply_is_expected():
    assert not parsed(message(body_section({"ping": 1}), MORE_TO_COME)).reply_expected


def test_exhaust_allowed_is_accepted_and_answered_once():
    assert parsed(message(body_section({"hello": 1}), EXHAUST_ALLOWED)).reply_expected


def test_the_end_between_two_messages_is_no_error():
    assert parsed(b"") is None


def test_the_end_within_a_message_is_an_error():
    with pytest.raises(ConnectionResetError):
        parsed(frame_command(1, {"ping": 1})[:-1])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (message(body_section({"ping": 1}), flags=4), "flags"),
        (message(b"\2" + bson.encode({"a": 1})), "kind"),
        (message(b"\0" + struct.pack("<i", 1000)), "section"),
        (message(b""), "without a command"),
        (message(b"\1" + struct.pack("<i", 12) + b"d\0" + struct.pack("<i", 99) + b"\0\0"), "document of 99 bytes"),
        (message(body_section({"ping": 1}), opcode=2012), "opcode 2012"),
        (struct.pack("<iiii", MAX_MESSAGE_BYTES + 17, 1, 0, 2013), "expected 17 to"),
        (struct.pack("<iiii", 3, 1, 0, 2013), "expected 17 to"),
        (message(b"\0" + b"\x0c\0\0\0\x10a\0zzzzz"), "malformed"),
    ],
)
def test_bytes_that_are_no_message_are_refused_with_the_reason(raw, reason):
    with pytest.raises(WireError, match=reason):
        parsed(raw)


def test_the_query_handshake_is_answered_with_a_reply_frame(connect):
    connection = connect()
    query = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + bson.encode({"isMaster": 1})
    connection.sendall(struct.pack("<iiii", 16 + len(query), 9, 0, 2004) + query)
    head = connection.recv(16, socket.MSG_WAITALL)
    length, _, response_to, opcode = struct.unpack("<iiii", head)
    rest = connection.recv(length - 16, socket.MSG_WAITALL)
    assert (response_to, opcode) == (9, 1)
    reply = bson.decode(rest[20:])
    assert reply["ismaster"] is True
    assert "compression" not in reply
    assert "topologyVersion" not in reply, "a driver would wait for streamed answers"


def test_an_unacknowledged_write_is_done_and_not_answered(connect):
    connection = connect()
    insert = body_section({"insert": "c", "$db": "d"}) + sequence_section("documents", [{"_id": 1}])
    connection.sendall(message(insert, MORE_TO_COME))
    assert ask(connection, {"count": "c", "$db": "d"})["n"] == 1


def test_a_broken_message_closes_only_its_own_connection(connect):
    bad, good = connect(), connect()
    bad.sendall(message(b"\2" + bson.encode({"a": 1})))
    assert bad.recv(1) == b""
    assert ask(good, {"ping": 1})["ok"] == 1.0


def test_an_unknown_command_is_mongodbs_error(connect):
    reply = ask(connect(), {"mapReduce": "c", "$db": "d"})
    assert (reply["ok"], reply["code"], reply["codeName"]) == (0.0, 59, "CommandNotFound")


def test_an_unknown_option_is_refused_and_not_ignored(connect):
    reply = ask(connect(), {"find": "c", "showRecordId": True, "$db": "d"})
    assert (reply["ok"], reply["code"]) == (0.0, 40415)


def test_a_fault_of_the_server_becomes_an_error_reply_without_contents(connect, caplog):
    connection = connect()
    with caplog.at_level("ERROR"):
        reply = ask(connection, {"killCursors": "c", "cursors": "secret", "$db": "d"})
    assert (reply["ok"], reply["code"]) == (0.0, 1)
    assert "secret" not in reply["errmsg"]
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert ask(connection, {"ping": 1})["ok"] == 1.0
