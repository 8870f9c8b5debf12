"""What can be wrong with a file that a code wrote.

ParseError (ValueError)
+-- MissingOutputError       the file is not there
+-- IncompleteOutputError    the file ends before its content does
+-- UnreadableNumberError    a number did not fit its field, or is not finite
+-- InconsistentOutputError  complete, but two of its statements exclude each other
"""

from __future__ import annotations

from pathlib import Path


class ParseError(ValueError):
    """A file does not say what its format promises.

    Parameters
    ----------
    path : str or Path
        The file.
    line : int or None
        Line number from 1; None where the format has no lines (XML elements, missing files).
    expected, found : str
        What the format promises there, and what stands there.
    advice : str
        The next step for whoever reads the message.
    """

    def __init__(self, path: str | Path, line: int | None, expected: str, found: str, advice: str) -> None:
        self.path = Path(path)
        self.line = line
        self.expected = expected
        self.found = found
        self.advice = advice
        place = self.path.name if line is None else f"{self.path.name} line {line}"
        super().__init__(f"{place}: expected {expected}, found {found}: {advice}")

    def __reduce__(self) -> tuple[type[ParseError], tuple[str, int | None, str, str, str]]:
        """Rebuild from the five facts, so that the error crosses process boundaries."""
        return type(self), (str(self.path), self.line, self.expected, self.found, self.advice)


class MissingOutputError(ParseError):
    """The file, or an element that the run should have written, is not there."""


class IncompleteOutputError(ParseError):
    """The file ends before its content does: the run was cut or is still writing."""


class UnreadableNumberError(ParseError):
    """A number overflowed its Fortran field (asterisks) or is not finite."""


class InconsistentOutputError(ParseError):
    """The file is complete, but two of its statements exclude each other."""
