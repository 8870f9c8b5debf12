"""The server process: one data directory, one socket, one thread a client."""

import contextlib
import itertools
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path

from hightc.launch.embedded_mongo import (
    commands_admin,
    commands_bulk,
    commands_explain,
    commands_query,
    commands_write,
)
from hightc.launch.embedded_mongo.commands import run
from hightc.launch.embedded_mongo.cursors import Cursors
from hightc.launch.embedded_mongo.engine import Engine, Limit
from hightc.launch.embedded_mongo.errors import JournalWriteError, WireError
from hightc.launch.embedded_mongo.location import DirectoryLock, make_private, place_socket
from hightc.launch.embedded_mongo.wire import read_request, write_reply

__all__ = ["ALREADY_SERVED", "Server", "serve"]

# The modules that fill the command table.
COMMANDS = (commands_admin, commands_bulk, commands_explain, commands_query, commands_write)
# Exit status when another server holds the directory (BSD's EX_TEMPFAIL).
ALREADY_SERVED = 75

_log = logging.getLogger(__name__)


class Server:
    """Answers clients on a Unix-domain socket.

    Parameters
    ----------
    engine
        The databases.
    path
        Where the socket is made, with mode 0600.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._cursors = Cursors()
        self._path = path
        self._numbers = itertools.count(1)
        self._clients: dict[int, socket.socket] = {}
        self._clients_lock = threading.Lock()
        self._last_client = time.monotonic()
        self._stopping = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(128)

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last client left; 0 while there is one."""
        with self._clients_lock:
            return 0.0 if self._clients else time.monotonic() - self._last_client

    def start(self) -> None:
        """Accept clients in the background."""
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def stop(self) -> None:
        """Take no more clients, finish the commands that run, and remove the socket."""
        self._stopping.set()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._engine.lock, self._clients_lock:
            clients = list(self._clients.values())
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                _log.warning("cannot accept a client: %s", error)
                time.sleep(0.1)
                continue
            number = next(self._numbers)
            with self._clients_lock:
                self._clients[number] = client
            threading.Thread(target=self._serve, args=(client, number), name=f"client {number}", daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        try:
            while (request := read_request(client)) is not None:
                if next(iter(request.command)).lower() in ("hello", "ismaster", "ping"):
                    # A driver watching whether the server lives must not wait behind a long command.
                    reply = run(self._engine, self._cursors, request, number)
                else:
                    with self._engine.durable():
                        reply = run(self._engine, self._cursors, request, number)
                if request.reply_expected:
                    write_reply(client, request, reply)
        except WireError as error:
            _log.warning("client %d closed: %s", number, error)
        except (ConnectionError, TimeoutError):
            _log.debug("client %d left", number)
        except JournalWriteError as error:
            # What is in memory is ahead of the disk: only a restart from the journal is safe.
            _log.critical("stopping at once: %s", error)
            os._exit(1)
        finally:
            client.close()
            with self._clients_lock:
                del self._clients[number]
                self._last_client = time.monotonic()


def serve(directory: Path, idle_exit_seconds: float = 0.0, limit: Limit | None = None) -> int:
    """Serve a data directory until SIGTERM or SIGINT, or until no client has been there for long.

    Parameters
    ----------
    directory
        The data directory, made private to the user.
    idle_exit_seconds
        End after so many seconds without a client; 0 for never.
    limit
        How much the server takes.

    Returns
    -------
    int
        Exit status: 0, or 75 when another server has the directory.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    make_private(directory)
    with DirectoryLock(directory) as lock:
        if not lock.held:
            _log.warning("%s is served already by %s", directory, lock.read())
            return ALREADY_SERVED
        started = time.monotonic()
        engine = Engine(directory, limit)
        path = place_socket(directory)
        server = Server(engine, path)
        lock.publish(path)
        _log.warning(
            "embedded MongoDB stand-in for ONE machine: %s, %d documents, %d bytes, replayed in %.2f s, socket %s; "
            "for several machines, or beyond %d documents or %d bytes, use MongoDB and set HIGHTC_MONGO_URI",
            directory,
            engine.n_documents,
            engine.data_bytes,
            time.monotonic() - started,
            path,
            engine.limit.documents,
            engine.limit.data_bytes,
        )
        server.start()
        while not stop.wait(0.5):
            if not lock.in_place:
                # Writes would go to a file without a name; another server may have the directory's place by now.
                _log.critical("stopping at once: %s was removed or replaced", directory)
                os._exit(1)
            if idle_exit_seconds and server.idle_seconds > idle_exit_seconds:
                _log.info("no client for %g s", idle_exit_seconds)
                break
        server.stop()
        engine.close()
        _log.info("stopped")
    return 0
