"""Text of files, servers and file names, made fit for a terminal."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 2000
"""Characters of a message: a name that somebody else gave may have any number."""


def plain_text(text: str, longest: int = LONGEST) -> str:
    """Write what could steer a terminal or turn its lines around as escapes, and cut what is too long.

    Parameters
    ----------
    text
        Any text; lines are kept.
    longest
        Most characters, three points in the middle included.

    Returns
    -------
    str
        Letters that can be shown and line ends.
    """
    plain = text.encode("utf-8", errors="backslashreplace").decode()
    if not plain.replace("\n", "").isprintable():
        plain = "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in plain)
    if len(plain) <= longest:
        return plain
    end = longest // 4
    return f"{plain[: longest - end - 3]}...{plain[-end:]}"
