"""TLS in front of a server on a Unix-domain socket: what a MongoDB with TLS looks like to its clients."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that is its own authority, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return certificate, key


@contextlib.contextmanager
def tls_proxy(path: str, certificate: Path, key: Path) -> Iterator[int]:
    """Port of 127.0.0.1 on which the server of a Unix-domain socket answers over TLS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, path), daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, path: str) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, context, path), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, path: str) -> None:
    """One request and its answer after the other: pymongo sends no second one before."""
    with (
        contextlib.suppress(OSError),
        context.wrap_socket(client, server_side=True) as outside,
        socket.socket(socket.AF_UNIX) as inside,
    ):
        inside.connect(path)
        while _pass(outside, inside) and _pass(inside, outside):
            pass


def _pass(source: socket.socket, target: socket.socket) -> bool:
    """Pass one whole message; its first four bytes say how long it is."""
    head = _read(source, 4)
    if head is None:
        return False
    rest = _read(source, int.from_bytes(head, "little") - 4)
    target.sendall(head + (rest or b""))
    return rest is not None


def _read(source: socket.socket, size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        part = source.recv(size - len(found))
        if not part:
            return None
        found += part
    return bytes(found)
