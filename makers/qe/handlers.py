"""Error handlers for custodian: each sees one failure of the table and does what the table says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, ClassVar

from custodian.custodian import ErrorHandler

from hightc.analysis.parsers.run_end import RunEnd, read_run_end
from hightc.makers.qe.failures import (
    DISK_FULL,
    GEOMETRY_NOT_CONVERGED,
    KILLED,
    PH_NOT_CONVERGED,
    PSEUDOPOTENTIAL,
    RESTART_FAILED,
    SCF_NOT_CONVERGED,
    WALLTIME,
    Failure,
)
from hightc.makers.qe.inputs import Namelists, edit_namelists, read_namelists
from hightc.makers.qe.phonon_restart import clear_unfinished_q

DEFAULT_NSTEP = 50
"""Ionic steps of a relaxation whose input does not say: pw.x, INPUT_PW."""

FINAL_SCF = "Final scf calculation at the relaxed structure"
"""What pw.x prints before it computes the relaxed cell in its own basis set; 6.7 counts that as an ionic step."""

PSEUDOPOTENTIAL_ROUTINES = re.compile(r"readpp|read_?upf|read_ps|scan_inp|upf|pseudo", re.IGNORECASE)
FULL_DISK_BYTES = 1_000_000
"""Free space below which a program that fell silent has filled the disk: nothing was left to write a message to."""

DISK_FULL_TEXT = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


class FailureHandler(ErrorHandler):
    """Base of the handlers: names its failure and reads the end of the run."""

    failure: ClassVar[Failure]
    raise_on_max = True

    def __init__(self, stem: str) -> None:
        """Keep the stem of the input and output files."""
        self.stem = stem
        self.max_num_corrections = self.failure.tries or None

    def check(self, directory: str = "./") -> bool:
        """Whether the failure is there."""
        return self.matches(read_run_end(self.output(directory)), directory)

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether the end of the run is this failure."""
        raise NotImplementedError

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Change the input, or say that nothing can be done."""
        changes = self.changes(directory)
        actions = list(edit_namelists(self.input(directory), changes)) if changes else None
        return {"errors": [self.failure.code], "actions": actions}

    def changes(self, directory: str) -> Namelists | None:
        """Values to change, None where nothing can be mended."""
        return None

    def input(self, directory: str) -> Path:
        """Input file."""
        return Path(directory) / f"{self.stem}.in"

    def output(self, directory: str) -> Path:
        """Output file."""
        return Path(directory) / f"{self.stem}.out"


class ScfConvergenceHandler(FailureHandler):
    """Slower and sturdier mixing when pw.x does not reach self-consistency."""

    failure = SCF_NOT_CONVERGED
    LADDER: ClassVar[tuple[dict[str, Any], ...]] = (
        {"mixing_beta": 0.3, "electron_maxstep": 200},
        {"mixing_mode": "local-TF", "mixing_beta": 0.2},
        {"diagonalization": "cg"},
    )

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether self-consistency was missed."""
        return end.scf_not_converged

    def changes(self, directory: str) -> Namelists | None:
        """Take the next rung of the ladder."""
        return {"electrons": self.LADDER[self.n_applied_corrections]}


class GeometryConvergenceHandler(FailureHandler):
    """More ionic steps from the last geometry when a relaxation used up its own."""

    failure = GEOMETRY_NOT_CONVERGED

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether the ionic steps were used up, if only by the relaxation and not left for the final scf."""
        if end.geometry_not_converged:
            return True
        if not end.job_done or end.walltime_exceeded or end.scf_not_converged:
            return False
        _, found, final = self.output(directory).read_text(encoding="utf-8", errors="replace").partition(FINAL_SCF)
        return bool(found) and "!    total energy" not in final

    def changes(self, directory: str) -> Namelists | None:
        """Continue with twice the steps."""
        steps = read_namelists(self.input(directory)).get("control", {}).get("nstep", DEFAULT_NSTEP)
        return {"control": {"restart_mode": "restart", "nstep": 2 * int(steps)}}


class PhononConvergenceHandler(FailureHandler):
    """Slower mixing when the response of ph.x does not converge."""

    failure = PH_NOT_CONVERGED
    LADDER: ClassVar[tuple[dict[str, Any], ...]] = (
        {"alpha_mix(1)": 0.3},
        {"alpha_mix(1)": 0.1, "nmix_ph": 5},  # more than 5 is refused
    )

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether the response was missed."""
        return end.ph_not_converged

    def changes(self, directory: str) -> Namelists | None:
        """Take the next rung of the ladder."""
        return {"inputph": {**self.LADDER[self.n_applied_corrections], **_from_first_unfinished_q(directory)}}


class WalltimeHandler(FailureHandler):
    """Continue after a clean stop at max_seconds."""

    failure = WALLTIME

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether the program stopped itself."""
        return end.walltime_exceeded

    def changes(self, directory: str) -> Namelists | None:
        """Ask for a continuation."""
        if "inputph" in read_namelists(self.input(directory)):
            return {"inputph": _from_first_unfinished_q(directory)}
        return {"control": {"restart_mode": "restart"}}


class KilledHandler(FailureHandler):
    """Run again after something killed the program."""

    failure = KILLED

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether the output stops in the middle, for no other reason that a handler knows."""
        silent = not end.job_done and end.error_message is None
        known = end.walltime_exceeded or end.ph_not_converged or end.scf_not_converged
        return silent and not known and not _disk_full(end, self.output(directory))

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Continue ph.x at its first unfinished q; start any other program again, whose files may be half-written."""
        path = self.input(directory)
        if "inputph" in read_namelists(path):
            actions = list(edit_namelists(path, {"inputph": _from_first_unfinished_q(directory)}))
        else:
            actions = ["started again"]
        return {"errors": [self.failure.code], "actions": actions}


class RestartFailedHandler(FailureHandler):
    """Start pw.x anew where it cannot continue: a relaxation that was stopped may not fit its own density."""

    failure = RESTART_FAILED

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether an error ended a continued run."""
        if end.error_message is None:
            return False
        return read_namelists(self.input(directory)).get("control", {}).get("restart_mode") == "restart"

    def changes(self, directory: str) -> Namelists | None:
        """Forget what the interrupted run left."""
        return {"control": {"restart_mode": "from_scratch"}}


class PseudopotentialHandler(FailureHandler):
    """Nothing mends a pseudopotential that cannot be read: say so at once."""

    failure = PSEUDOPOTENTIAL

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether reading a pseudopotential failed."""
        if end.error_message is None:
            return False
        return bool(PSEUDOPOTENTIAL_ROUTINES.search(end.error_routine or ""))


class DiskFullHandler(FailureHandler):
    """Nothing mends a full disk: say so at once."""

    failure = DISK_FULL

    def matches(self, end: RunEnd, directory: str) -> bool:
        """Whether the system reported a full disk."""
        return _disk_full(end, self.output(directory))


def _from_first_unfinished_q(directory: str) -> dict[str, Any]:
    return {"start_q": clear_unfinished_q(Path(directory))}


def _disk_full(end: RunEnd, output: Path) -> bool:
    stderr = output.with_suffix(".err")
    text = stderr.read_text(errors="replace") if stderr.is_file() else ""
    if DISK_FULL_TEXT.search(text) or DISK_FULL_TEXT.search(end.error_message or ""):
        return True
    return not end.job_done and shutil.disk_usage(output.parent).free < FULL_DISK_BYTES


def pw_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of a pw.x run.

    Parameters
    ----------
    stem
        Stem of its input and output files.
    """
    return [
        PseudopotentialHandler(stem),
        DiskFullHandler(stem),
        ScfConvergenceHandler(stem),
        GeometryConvergenceHandler(stem),
        WalltimeHandler(stem),
        RestartFailedHandler(stem),
        KilledHandler(stem),
    ]


def ph_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of a ph.x run.

    Parameters
    ----------
    stem
        Stem of its input and output files.
    """
    return [
        PseudopotentialHandler(stem),
        DiskFullHandler(stem),
        PhononConvergenceHandler(stem),
        WalltimeHandler(stem),
        KilledHandler(stem),
    ]


def matdyn_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of q2r.x and matdyn.x runs.

    Parameters
    ----------
    stem
        Stem of their input and output files.
    """
    return [DiskFullHandler(stem), KilledHandler(stem)]
