"""Text written by Fortran: records that end in a newline, and numbers that may overflow their field."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hightc.analysis.parsers.errors import (
    IncompleteOutputError,
    MissingOutputError,
    ParseError,
    UnreadableNumberError,
)

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eEdD]?([+-]\d+)|[eEdD](\d+))?")

_NOT_FINITE = frozenset({"nan", "inf", "infinity"})
_OVERFLOW_ADVICE = "the value diverged or did not fit its field; look at the calculation before you rerun it"


def read_number(text: str) -> float | None:
    """Read one real number as Fortran prints it.

    Parameters
    ----------
    text : str
        One field, for example ``1.5``, ``0.3D-02`` or ``0.1234-103``: Fortran drops the letter of an
        exponent of three digits.

    Returns
    -------
    float or None
        None if the text is no finite number (asterisks, NaN, Infinity, words).

    Examples
    --------
    >>> read_number("0.1234-103")
    1.234e-104
    >>> read_number("******") is None
    True
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    mantissa, signed, unsigned = match.groups()
    value = float(f"{mantissa}e{signed or unsigned or '0'}")
    return value if math.isfinite(value) else None


class FortranFile:
    """A cursor over the lines of a file, which knows where it stands when something is wrong.

    Parameters
    ----------
    path : Path
        The file.
    advice : str
        The next step to print in each error, for example ``"the run was cut; rerun matdyn.x"``.
    text : str or None
        Its content where that has been read already.

    Raises
    ------
    MissingOutputError
        If there is no such file.
    IncompleteOutputError
        If it is empty or its last record has no newline: Fortran ends every record with one.
    """

    def __init__(self, path: str | Path, advice: str, text: str | None = None) -> None:
        self.path = Path(path)
        self.advice = advice
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace") if text is None else text
        except FileNotFoundError:
            raise MissingOutputError(self.path, None, "a file", "none", advice) from None
        self.lines = text.split("\n")
        self.position = 0
        if not text.endswith("\n"):
            self.position = len(self.lines)
            found = f"a cut line {self.lines[-1].strip()!r}" if text else "an empty file"
            self.fail("a newline at the end of the last record", found, IncompleteOutputError)
        self.lines.pop()

    @property
    def at_end(self) -> bool:
        """Whether only blank lines are left."""
        return not any(self.lines[index].strip() for index in range(self.position, len(self.lines)))

    def fail(self, expected: str, found: str, error: type[ParseError] = ParseError) -> NoReturn:
        """Raise an error located at the line last read."""
        raise error(self.path, max(self.position, 1), expected, found, self.advice)

    def read_line(self, expected: str) -> str:
        """Return the next line as it stands, or fail because the file ends where `expected` should be."""
        if self.position >= len(self.lines):
            self.position += 1
            self.fail(expected, "the end of the file", IncompleteOutputError)
        self.position += 1
        return self.lines[self.position - 1]

    def read_filled_line(self, expected: str) -> str:
        """Return the next line that is not blank."""
        line = self.read_line(expected)
        while not line.strip():
            line = self.read_line(expected)
        return line

    def read_match(self, pattern: str, expected: str) -> re.Match[str]:
        """Match the next filled line from its start (leading blanks dropped) against a pattern."""
        line = self.read_filled_line(expected)
        match = re.match(pattern, line.strip())
        if match is None:
            self.fail(expected, repr(line.strip()))
        return match

    def skip_to(self, pattern: str, expected: str) -> re.Match[str]:
        """Read on until a line contains the pattern, and return that match."""
        compiled = re.compile(pattern)
        match = None
        while match is None:
            match = compiled.search(self.read_line(expected))
        return match

    def number(self, text: str, expected: str) -> float:
        """Read a finite number or fail: asterisks mean that the value did not fit its field."""
        value = read_number(text)
        if value is None and ("*" in text or text.strip(" +-").lower() in _NOT_FINITE):
            raise UnreadableNumberError(self.path, self.position, expected, repr(text), _OVERFLOW_ADVICE)
        return value if value is not None else self.fail(expected, repr(text))

    def numbers(self, fields: Sequence[str], count: int, expected: str) -> list[float]:
        """Read exactly `count` numbers from the given fields."""
        if len(fields) != count:
            self.fail(f"{count} columns ({expected})", str(len(fields)))
        return [self.number(field, expected) for field in fields]

    def integers(self, fields: Sequence[str], count: int, expected: str) -> list[int]:
        """Read exactly `count` integers from the given fields."""
        if len(fields) != count:
            self.fail(f"{count} integers ({expected})", str(len(fields)))
        if not all(re.fullmatch(r"[+-]?\d+", field) for field in fields):
            self.fail(f"{count} integers ({expected})", repr(" ".join(fields)))
        return [int(field) for field in fields]
