"""TOML of somebody else: read within limits of size, depth and time."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

LARGEST_BYTES: Final = 20_000_000
"""Ten thousand materials with a table each take one million."""

MOST_PARTS: Final = 100
"""Parts of a dotted key: the time that Python's reader takes rises with their square, 50,000 take a minute."""

ENDS: Final = re.compile(r"[=\[\]{},#\n]")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    OSError
        If it cannot be opened.
    UnicodeDecodeError
        If it is no UTF-8.
    ValueError
        If it is no TOML, or larger or deeper than any that is meant to be read.
    """
    with path.open("rb") as stream:
        content = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        msg = f"more than {LARGEST_BYTES / 1e6:g} MB"
        raise ValueError(msg)
    text = content.decode("utf-8").replace("\r\n", "\n")
    if max(part.count(".") for part in ENDS.split(text)) > MOST_PARTS:
        msg = f"a key of more than {MOST_PARTS} parts"
        raise ValueError(msg)
    try:
        return tomllib.loads(text)
    except RecursionError:
        msg = "tables or lists too deep in one another"
        raise ValueError(msg) from None
