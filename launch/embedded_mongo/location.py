"""Where a server lives: its private directory, its lock, and a socket path that is short enough."""

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hightc.launch.embedded_mongo.errors import UnsafeLocationError
from hightc.launch.embedded_mongo.journal import FILE_NAME as JOURNAL_NAME

LOCK_NAME = "lock"
LOG_NAME = "server.log"
SOCKET_NAME = "mongo.sock"
# sockaddr_un.sun_path holds 108 bytes with the closing zero on Linux, 104 elsewhere.
_MAX_SOCKET_PATH_BYTES = 103


def make_private(directory: Path) -> None:
    """Create a directory with mode 0700, or make sure that an existing one is the user's alone.

    Raises
    ------
    UnsafeLocationError
        It is a link, no directory, someone else's, or open to others while it holds other files.
    """
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700, parents=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeLocationError(f"{directory}: expected a directory, found a link or file: choose another place")
    if found.st_uid != os.geteuid():
        raise UnsafeLocationError(f"{directory}: expected owner {os.geteuid()}, found {found.st_uid}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        names = {entry.name for entry in directory.iterdir()}
        if names and JOURNAL_NAME not in names:
            raise UnsafeLocationError(
                f"{directory}: expected mode 0700, found {stat.S_IMODE(found.st_mode):04o}, and it holds other files: "
                "give the database a directory of its own"
            )
        directory.chmod(0o700)


def place_socket(directory: Path) -> Path:
    """Return the path for the server's socket, free of what a dead server left there.

    It is in the data directory when the path is short enough for a socket, else in a private directory under
    ``$XDG_RUNTIME_DIR`` or ``/tmp``. The caller holds the directory's lock.

    Raises
    ------
    UnsafeLocationError
        The private directory is not the user's alone, or something other than a socket is in the way.
    """
    path = directory / SOCKET_NAME
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
        path = _runtime_directory() / f"{name}.sock"
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
            raise UnsafeLocationError(f"{path}: expected our own socket or nothing: remove what is there")
        path.unlink()
    return path


def _runtime_directory() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    candidate = Path(base) / "hightc" if base else None
    if candidate is None or len(os.fsencode(candidate)) > _MAX_SOCKET_PATH_BYTES - 22 or not Path(base).is_dir():
        candidate = Path("/tmp") / f"hightc-{os.geteuid()}"  # noqa: S108 - checked below to be ours alone
    with contextlib.suppress(FileExistsError):
        candidate.mkdir(mode=0o700)
    found = candidate.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeLocationError(
            f"{candidate}: expected a directory of user {os.geteuid()} with mode 0700, found mode "
            f"{stat.filemode(found.st_mode)} of user {found.st_uid}: set XDG_RUNTIME_DIR to a directory of your own"
        )
    return candidate


class DirectoryLock:
    """The lock that makes one server a directory; it also says who holds it.

    Parameters
    ----------
    directory
        The data directory.
    patience_seconds
        How long to try: someone who only looks holds the lock for an instant.

    Attributes
    ----------
    held
        Whether this process has it.
    """

    def __init__(self, directory: Path, patience_seconds: float = 0.2) -> None:
        self.held = False
        self._path = directory / LOCK_NAME
        self._patience_seconds = patience_seconds
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        end = time.monotonic() + self._patience_seconds
        while not self.held:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.held = True
            except BlockingIOError:
                if time.monotonic() >= end:
                    break
                time.sleep(0.01)
            except OSError as error:
                os.close(self._descriptor)
                raise UnsafeLocationError(
                    f"{self._path}: cannot be locked ({error}): choose a directory on a local disk"
                ) from error
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self.held:
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    @property
    def in_place(self) -> bool:
        """Whether the lock file is still the one in the directory: false when someone removed the directory."""
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def publish(self, socket_path: Path) -> None:
        """Write who serves and where, for others to :func:`holder`."""
        content = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "socket": str(socket_path)})
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content.encode(), 0)

    def read(self) -> dict[str, Any]:
        """Return what the holder has published, empty when nothing."""
        return _parse(os.pread(self._descriptor, 4096, 0))


def holder(directory: Path) -> dict[str, Any] | None:
    """Return ``pid``, ``host`` and ``socket`` of the server that has a directory, or None when nobody has it.

    The dictionary is empty while a server is starting.
    """
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _parse(os.pread(descriptor, 4096, 0))
    else:
        return None
    finally:
        os.close(descriptor)


def _parse(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
