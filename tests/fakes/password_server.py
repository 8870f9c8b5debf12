"""A door with a password before the embedded database, for clients that log in with the mechanism PLAIN."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote_plus

import bson
from pymongo.uri_parser import parse_uri

HEAD = struct.Struct("<iiii")
OP_MSG = 2013


@dataclass
class Door:
    """Address of the door, password included, and with which passwords somebody came."""

    uri: str
    passwords: set[str] = field(default_factory=set)


@contextmanager
def password_door(server_uri: str, user: str, password: str, database: str) -> Iterator[Door]:
    """Stand before a server until the block ends; every password opens, what matters is that one is sent."""
    ((host, server_port),) = parse_uri(server_uri)["nodelist"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        door = Door(
            f"mongodb://{user}:{quote_plus(password)}@127.0.0.1:{port}/{database}"
            "?authMechanism=PLAIN&authSource=%24external"
        )

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    upstream = _connected(host, server_port)
                    lock = threading.Lock()
                    for work in (_answers, _requests):
                        threading.Thread(target=work, args=(client, upstream, lock, door), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield door
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _connected(host: str, port: int | None) -> socket.socket:
    if port is not None:
        return socket.create_connection((host, port))
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(host)
    return stream


def _message(stream: socket.socket) -> bytes:
    head = _exactly(stream, HEAD.size)
    return head + _exactly(stream, HEAD.unpack(head)[0] - HEAD.size)


def _exactly(stream: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = stream.recv(count - len(parts))
        if not part:
            raise OSError
        parts += part
    return parts


def _answers(client: socket.socket, upstream: socket.socket, lock: threading.Lock, _door: Door) -> None:
    with suppress(OSError):
        while True:
            message = _message(upstream)
            with lock:
                client.sendall(message)
    for one in (client, upstream):
        one.close()


def _requests(client: socket.socket, upstream: socket.socket, lock: threading.Lock, door: Door) -> None:
    with suppress(OSError):
        while True:
            message = _message(client)
            _, number, _, kind = HEAD.unpack(message[: HEAD.size])
            command = bson.decode(message[HEAD.size + 5 :]) if kind == OP_MSG and b"saslStart" in message else {}
            if "saslStart" not in command:
                upstream.sendall(message)
                continue
            door.passwords.add(bytes(command["payload"]).split(b"\0")[-1].decode())
            answer = bytes(5) + bson.encode({"conversationId": 1, "done": True, "payload": b"", "ok": 1.0})
            with lock:
                client.sendall(HEAD.pack(HEAD.size + len(answer), 1, number, OP_MSG) + answer)
    for one in (client, upstream):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
