"""The text that a program prints while it runs: labels, numbers behind them, and how it takes its leave."""

from __future__ import annotations

import re
from pathlib import Path

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.fortran import FortranFile

_JOB_DONE = re.compile(r"^=-{70,}=\n +JOB DONE\.\n=-{70,}=\n", re.MULTILINE)


class PrintedText(FortranFile):
    """The text output of a run, in which values are found by the words before them.

    Parameters
    ----------
    path : str or Path
        The file.
    advice : str
        The next step to print in each error.

    Raises
    ------
    MissingOutputError, IncompleteOutputError
        As :class:`FortranFile`.
    """

    def __init__(self, path: str | Path, advice: str) -> None:
        super().__init__(path, advice)
        self.text = "\n".join(self.lines) + "\n"

    def go_to(self, offset: int) -> None:
        """Put the cursor on the line that holds a character of the text."""
        self.position = self.text.count("\n", 0, offset) + 1

    def find_last(self, label: str) -> str | None:
        """Return what follows the last such label in its line, and put the cursor there; None if it is nowhere."""
        offset = self.text.rfind(label)
        if offset < 0:
            return None
        self.go_to(offset)
        offset += len(label)
        return self.text[offset : self.text.index("\n", offset)]

    def last_number(self, label: str, expected: str) -> float | None:
        """Read the number behind the last such label; None if the label is nowhere.

        Raises
        ------
        ParseError
            If no finite number follows.
        """
        rest = self.find_last(label)
        if rest is None:
            return None
        fields = rest.split()
        return self.number(fields[0] if fields else "", expected)

    def require_banner(self, program: str) -> str:
        """Return the version behind "Program ... v." of the given program.

        Raises
        ------
        ParseError
            If another program wrote the text, or none.
        """
        banner = re.search(r"^ +Program (\w+) v\.(\S+) starts", self.text, re.MULTILINE)
        if banner is None or banner[1] != program:
            found = f"'Program {banner[1]}'" if banner else "no such line"
            self.position = len(self.lines)
            self.fail(f"'Program {program} v.... starts'", found, ParseError if banner else IncompleteOutputError)
        return banner[2]

    def require_job_done(self) -> None:
        """Fail unless the run said JOB DONE between its two lines.

        Raises
        ------
        ParseError
            Located at the message of a run that stopped itself, else at the last line.
        """
        if _JOB_DONE.search(self.text, max(0, len(self.text) - 10_000)):
            return
        expected = "'JOB DONE.' between two lines at the end"
        stopped = self.find_last("Error in routine")
        if stopped is not None:
            self.advice = "the run stopped itself; mend what its message names before you rerun it"
            message = self.lines[self.position].strip() if self.position < len(self.lines) else ""
            self.fail(expected, f"an error in routine{stopped} {message}")
        last = next((line.strip() for line in reversed(self.lines) if line.strip()), "")
        self.position = len(self.lines)
        self.fail(expected, repr(last), IncompleteOutputError)
