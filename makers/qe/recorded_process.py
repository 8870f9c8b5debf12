"""A process that leaves its return code in a file, where error handlers read it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from hightc.analysis.files import write_text

SUFFIX = ".exit"


class RecordedProcess(subprocess.Popen[bytes]):
    """A process whose end is recorded beside its output."""

    def __init__(self, command: list[str], output: Path, **options: Any) -> None:
        """Start the process.

        Parameters
        ----------
        command
            Program and arguments.
        output
            The file it writes to; the record gets the same stem.
        **options
            Of `subprocess.Popen`.
        """
        self._record = output.with_suffix(SUFFIX)
        self._stopped = False
        self._record.unlink(missing_ok=True)
        super().__init__(command, **options)

    def poll(self) -> int | None:
        """Return code, None while it runs."""
        return self._recorded(super().poll())

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Parameters
        ----------
        timeout
            Time in s after which `subprocess.TimeoutExpired` is raised.
        """
        code = super().wait(timeout)
        self._recorded(code)
        return code

    def terminate(self) -> None:
        """Ask the process to end, as a monitor does that has seen enough."""
        self._stopped = True
        super().terminate()

    def _recorded(self, code: int | None) -> int | None:
        if code is not None and not self._record.exists():
            write_text(self._record, json.dumps({"return_code": code, "stopped": self._stopped}) + "\n")
        return code


def read_recorded_end(output: Path) -> tuple[int, bool] | None:
    """Read how the process of an output ended.

    Parameters
    ----------
    output
        The file it wrote to.

    Returns
    -------
    tuple or None
        Return code, and whether a monitor stopped it; None if there is no record.
    """
    try:
        record = json.loads(output.with_suffix(SUFFIX).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return int(record["return_code"]), bool(record["stopped"])
