"""Files that are either complete or absent."""

from __future__ import annotations

import os
from pathlib import Path


def write_bytes(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file under a temporary name and rename it into place.

    Parameters
    ----------
    path
        Where the file shall stand; its folder must exist.
    content
        What it shall hold.
    mode
        Permission bits before the umask.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a text file in UTF-8 under a temporary name and rename it into place.

    Parameters
    ----------
    path
        Where the file shall stand; its folder must exist.
    text
        What it shall hold.
    mode
        Permission bits before the umask.
    """
    write_bytes(path, text.encode("utf-8"), mode=mode)
