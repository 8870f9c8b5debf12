"""What every error handler shares: the failure it is for, the files of the run, and why a run fell silent."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from custodian.custodian import ErrorHandler

from hightc.analysis.parsers.run_end import RunEnd, read_run_end
from hightc.makers.qe.epw_restart import RESTART, discard_matrix_elements
from hightc.makers.qe.failure import Failure
from hightc.makers.qe.failures import BROKEN_FILE, CRASHED, DISK_FULL, FAILURES, KILLED, OUT_OF_MEMORY
from hightc.makers.qe.failures_epw import WANNIER_STOPPED
from hightc.makers.qe.inputs import Namelists, edit_namelists, read_namelists
from hightc.makers.qe.phonon_restart import clear_unfinished_q
from hightc.makers.qe.recorded_process import read_recorded_end

FULL_DISK_BYTES = 1_000_000
"""Free space below which a program that fell silent, or says that all is well, has filled the disk: the Fortran library
does not tell of what it could not write when it closes a file (gfortran 12 with pw.x 6.7)."""


class Run:
    """A run that ended, as its files tell.

    Attributes
    ----------
    input, output
        Its files.
    end
        How its output ends.
    text
        Its output.
    stderr
        What it wrote to standard error.
    return_code
        What it returned; None if that is not known.
    stopped
        Whether a monitor stopped it.
    """

    def __init__(self, directory: str, stem: str) -> None:
        """Read the files of the run.

        Parameters
        ----------
        directory
            Folder of the run.
        stem
            Stem of its input and output files.

        Raises
        ------
        MissingOutputError
            If it has no output.
        """
        folder = Path(directory)
        self.input = folder / f"{stem}.in"
        self.output = folder / f"{stem}.out"
        self.end: RunEnd = read_run_end(self.output)
        self.text = self.output.read_text(encoding="utf-8", errors="replace")
        stderr = self.output.with_suffix(".err")
        self.stderr = stderr.read_text(encoding="utf-8", errors="replace") if stderr.is_file() else ""
        recorded = read_recorded_end(self.output)
        self.return_code: int | None = recorded[0] if recorded else None
        self.stopped: bool = recorded[1] if recorded else False

    def namelists(self) -> dict[str, dict[str, Any]]:
        """Namelists of the input."""
        return read_namelists(self.input)

    @property
    def continues(self) -> bool:
        """Whether pw.x was told to go on with an interrupted run."""
        return self.namelists().get("control", {}).get("restart_mode") == "restart"


class FailureHandler(ErrorHandler):
    """Base of the handlers: sees what the program says of its failure, and takes the next rung of its ladder."""

    failure: ClassVar[Failure]
    raise_on_max = True

    def __init__(self, stem: str) -> None:
        """Keep the stem of the input and output files."""
        self.stem = stem
        self.max_num_corrections = self.failure.tries or None

    def check(self, directory: str = "./") -> bool:
        """Whether the failure is there."""
        return self.matches(Run(directory, self.stem))

    def matches(self, run: Run) -> bool:
        """Whether the run ended so: by default, with an error message of the failure, or what is printed with it."""
        return is_error_of(self.failure, run.end) or is_printed(self.failure, run.text)

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Change the input, or say that nothing can be done."""
        run = Run(directory, self.stem)
        changes = self.changes(run)
        actions = list(edit_namelists(run.input, changes)) if changes else None
        return {"errors": [self.failure.code], "actions": actions}

    def changes(self, run: Run) -> Namelists | None:
        """Values to change, None where nothing can be mended: by default, the next rung of the ladder."""
        if self.n_applied_corrections >= len(self.failure.ladder):
            return None
        rung = self.failure.ladder[self.n_applied_corrections]
        return {name: dict(values) for name, values in rung.items()}


class StartAgainHandler(FailureHandler):
    """Base of the handlers that run the program once more."""

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Continue ph.x at its first unfinished q; start any other program again, whose files may be half-written.

        pw.x can only continue what it ended itself. epw.x would go on by itself with what it finds, which is removed.
        """
        run = Run(directory, self.stem)
        namelists = run.namelists()
        if "inputph" in namelists:
            actions = list(edit_namelists(run.input, {"inputph": from_first_unfinished_q(run)}))
        elif "inputepw" in namelists and discard_matrix_elements(run.input.parent):
            actions = [f"started again without {RESTART}"]
        elif run.continues:
            actions = list(edit_namelists(run.input, {"control": {"restart_mode": "from_scratch"}}))
        else:
            actions = ["started again"]
        return {"errors": [self.failure.code], "actions": actions}


def from_first_unfinished_q(run: Run) -> dict[str, Any]:
    """Value that lets ph.x go on at its first unfinished q point, whose files are removed.

    Parameters
    ----------
    run
        A run of ph.x.
    """
    return {"start_q": clear_unfinished_q(run.input.parent)}


def is_error_of(failure: Failure, end: RunEnd) -> bool:
    """Whether a run ended with the error message of a failure.

    Parameters
    ----------
    failure
        Entry of the table.
    end
        End of the run.
    """
    if end.error_message is None or not re.search(failure.routine or "", end.error_routine or ""):
        return False
    return _any(failure.errors, end.error_message)


def is_printed(failure: Failure, text: str) -> bool:
    """Whether an output has what is printed with a failure.

    Parameters
    ----------
    failure
        Entry of the table.
    text
        Output of the program.
    """
    return any(re.search(pattern, text) for pattern in failure.printed)


def is_known_error(program: str, end: RunEnd) -> bool:
    """Whether some entry of the table knows the error message of a program's run.

    Parameters
    ----------
    program
        Name of the program, such as pw.
    end
        End of the run.
    """
    return any(is_error_of(failure, end) for failure in FAILURES if program in failure.programs)


def reason_of_machine(run: Run) -> Failure | None:
    """What the machine did to a run; None if nothing.

    A full disk and a lack of memory are also seen in the program's error message, and a full disk although a run ended
    well. A run that stopped in the middle without any message was killed.

    Parameters
    ----------
    run
        A run that ended.
    """
    said = f"{run.stderr}\n{run.end.error_message or ''}"
    if _any(DISK_FULL.system, said):
        return DISK_FULL
    if _any(OUT_OF_MEMORY.system, said) and not run.end.job_done:
        return OUT_OF_MEMORY
    told = run.end.walltime_exceeded or run.end.ph_not_converged or run.end.scf_not_converged
    silent = not run.end.job_done and run.end.error_message is None and not told and not run.stopped
    silent = silent and not is_printed(WANNIER_STOPPED, run.text)
    if (silent or run.end.succeeded) and shutil.disk_usage(run.output.parent).free < FULL_DISK_BYTES:
        return DISK_FULL
    if not silent:
        return None
    return next((reason for reason in (BROKEN_FILE, CRASHED) if _any(reason.system, said)), KILLED)


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)
