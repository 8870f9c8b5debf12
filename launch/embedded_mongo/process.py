"""Starting, finding and stopping the server of a data directory."""

import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hightc.launch.embedded_mongo.errors import (
    ServerNotRunningError,
    ServerStartError,
    ServerStopError,
    WireError,
)
from hightc.launch.embedded_mongo.journal import FILE_NAME as JOURNAL_NAME
from hightc.launch.embedded_mongo.location import LOG_NAME, holder, make_private
from hightc.launch.embedded_mongo.wire import frame_command, read_request

DATABASE = "hightc"

_POLL_SECONDS = 0.02
_LOG_TAIL_LINES = 15
_ALREADY_SERVED = 75


@dataclass(frozen=True)
class Status:
    """How the server of a data directory is.

    Parameters
    ----------
    running
        Whether it answers.
    pid
        Its process, None when it does not run.
    uri
        What to give a MongoDB client, None when it does not run.
    n_documents
        Number of documents in all collections, None when it does not run.
    journal_bytes
        Size of the journal on disk; 0 when there is none.
    data_bytes
        Size of the documents, None when it does not run.
    version
        Version of hightc: that of the running server, else the installed one.
    """

    running: bool
    pid: int | None
    uri: str | None
    n_documents: int | None
    journal_bytes: int
    data_bytes: int | None
    version: str


def start(
    directory: Path,
    *,
    idle_exit_seconds: float = 0.0,
    timeout_seconds: float = 120.0,
    arguments: tuple[str, ...] = (),
) -> str:
    """Return the URI of the directory's server, starting one when none lives.

    The server is detached: it has a session of its own, so it outlives its parent and the parent's Ctrl-C.

    Parameters
    ----------
    directory
        Data directory, created with mode 0700 when missing.
    idle_exit_seconds
        The server ends after so long without a client; 0 for never. A living server keeps its own.
    timeout_seconds
        How long to wait for an answer; a large journal takes a while to replay.
    arguments
        Further command-line arguments of the server.

    Raises
    ------
    ServerStartError
        It ended or did not answer; the message has the end of its log.
    UnsafeLocationError
        The directory is not the user's alone.
    """
    directory = _real(directory)
    make_private(directory)
    pid: int | None = None
    end = time.monotonic() + timeout_seconds
    while time.monotonic() < end:
        found = holder(directory)
        if found is None and pid is None:
            pid = _spawn(directory, idle_exit_seconds, arguments)
        elif found and pid in (None, found["pid"]):
            _require_this_host(directory, found)
            if _answers(found):
                return _uri_of(found)
        # A child that lost the race is waited for: left alone, it could begin to serve after a later stop().
        if pid is not None and (code := _exit_code(pid)) is not None:
            pid = None
            if code != _ALREADY_SERVED:
                raise ServerStartError(f"the server of {directory} ended with status {code}:\n{_log_tail(directory)}")
        time.sleep(_POLL_SECONDS)
    raise ServerStartError(
        f"the server of {directory} did not answer within {timeout_seconds:g} s:\n{_log_tail(directory)}"
    )


def stop(directory: Path, *, timeout_seconds: float = 60.0) -> None:
    """End the directory's server cleanly; nothing happens when none runs.

    Raises
    ------
    ServerStopError
        It is still there after the timeout, or runs on another machine.
    """
    directory = _real(directory)
    end = time.monotonic() + timeout_seconds
    signalled: int | None = None
    while (found := holder(directory)) is not None:
        if found:
            _require_this_host(directory, found)
            if signalled != found["pid"]:
                signalled = found["pid"]
                with contextlib.suppress(ProcessLookupError):
                    os.kill(found["pid"], signal.SIGTERM)
        if time.monotonic() >= end:
            raise ServerStopError(
                f"the server of {directory} (process {found.get('pid')}) has not ended "
                f"{timeout_seconds:g} s after SIGTERM:\n{_log_tail(directory)}"
            )
        time.sleep(_POLL_SECONDS)
    if signalled is not None:
        _exit_code(signalled)


def uri(directory: Path) -> str:
    """Return the URI of the directory's running server.

    Raises
    ------
    ServerNotRunningError
        None runs there.
    """
    found = holder(_real(directory))
    if not found:
        raise ServerNotRunningError(f"no embedded server runs in {directory}: start one")
    _require_this_host(directory, found)
    return _uri_of(found)


def status(directory: Path) -> Status:
    """Return how the directory's server is."""
    directory = _real(directory)
    found = holder(directory)
    reply = _ask(found["socket"], {"serverStatus": 1, "$db": "admin"}) if found else None
    if not found or reply is None:
        journal = directory / JOURNAL_NAME
        size = journal.stat().st_size if journal.exists() else 0
        return Status(
            running=False,
            pid=found.get("pid") if found else None,
            uri=None,
            n_documents=None,
            journal_bytes=size,
            data_bytes=None,
            version=version("hightc"),
        )
    told = reply["hightc"]
    return Status(
        running=True,
        pid=reply["pid"],
        uri=_uri_of(found),
        n_documents=told["documents"],
        journal_bytes=told["journalBytes"],
        data_bytes=told["dataBytes"],
        version=told["version"],
    )


def _real(directory: Path) -> Path:
    return Path(os.path.realpath(directory))


def _uri_of(found: dict[str, Any]) -> str:
    return f"mongodb://{quote(found['socket'], safe='')}/{DATABASE}"


def _require_this_host(directory: Path, found: dict[str, Any]) -> None:
    if found.get("host") != socket.gethostname():
        raise ServerStartError(
            f"{directory} is served on machine {found.get('host')}, this is {socket.gethostname()}: the "
            "embedded server is for one machine; use MongoDB and set HIGHTC_MONGO_URI"
        )


def _spawn(directory: Path, idle_exit_seconds: float, arguments: tuple[str, ...]) -> int:
    log = os.open(directory / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    # -P: a module in the caller's working directory must not stand in for one of ours.
    command = [sys.executable, "-P", "-m", "hightc.launch.embedded_mongo", "--directory", str(directory)]
    command += ["--idle-exit-seconds", str(idle_exit_seconds), *arguments]
    try:
        return os.posix_spawn(
            sys.executable,
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)


def _exit_code(pid: int) -> int | None:
    """Return the exit status of a child that has ended, and reap it; None while it runs."""
    try:
        ended, wait_status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(wait_status) if ended else None


def _answers(found: dict[str, Any]) -> bool:
    return _ask(found["socket"], {"ping": 1, "$db": "admin"}) is not None


def _ask(path: str, command: dict[str, Any]) -> dict[str, Any] | None:
    """Return the reply to one command, or None when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10.0)
        try:
            connection.connect(path)
            connection.sendall(frame_command(1, command))
            # A reply is framed as a request is.
            reply = read_request(connection)
        except (OSError, WireError):
            return None
    return reply.command if reply is not None else None


def _log_tail(directory: Path) -> str:
    try:
        lines = (directory / LOG_NAME).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "(it left no log)"
    return "\n".join(lines[-_LOG_TAIL_LINES:])
