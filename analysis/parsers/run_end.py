"""How a Quantum ESPRESSO run ended, from the text it printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hightc.analysis.parsers.errors import MissingOutputError

_LAST_WORDS = ("JOB DONE.", "Please consider citing the papers listed in EPW.bib.")
_BANNER = re.compile(r"Program (\w+) v\.(\S+) starts")
_ERROR = re.compile(r"Error in routine\s+(.+?)\s*\((-?\d+)\)\s*:[ \t]*\n(.*?)\n?\s*%%%%", re.DOTALL)
_CRASH = re.compile(r"from\s+(.+?)\s*:\s*error\s+#\s*(-?\d+)[ \t]*\n(.*?)\n?\s*%%%%", re.DOTALL)
_CLOCK = re.compile(r"^\s*([A-Z][A-Z0-9_]*)\s*:\s+(\S.*?)\s*CPU\s+(\S.*?)\s*WALL\s*$", re.MULTILINE)
_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d*\.?\d+)s)?")
_PROCESSES = re.compile(r"Number of MPI processes:\s+(\d+)")
_PROCESSORS = re.compile(r"running on\s+(\d+)\s+processors")


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, as far as its text tells; the return code knows more.

    Attributes
    ----------
    program : str or None
        Name in the banner (PWSCF, PHONON, Q2R, MATDYN, EPW); None if the run printed none.
    code_version : str or None
        For example ``6.7MaX``.
    n_processes : int or None
        MPI processes.
    job_done : bool
        Whether its last words are there: "JOB DONE", or epw.x's wish to be cited. pw.x and ph.x print theirs even when
        nothing converged.
    error_routine, error_message : str or None
        From the block between two lines of percent signs.
    error_code : int or None
        The number in that block.
    walltime_exceeded : bool
        The run stopped itself at max_seconds.
    scf_not_converged : bool
        pw.x gave up an electronic self-consistency.
    geometry_not_converged : bool
        pw.x used up its ionic steps.
    ph_not_converged : bool
        ph.x gave up a linear-response self-consistency.
    gap_not_converged : bool
        epw.x gave up the gap equations at some temperature, and left the ones after it out.
    cpu_seconds, wall_seconds : float or None
        From the last total of the clocks.
    """

    program: str | None
    code_version: str | None
    n_processes: int | None
    job_done: bool
    error_routine: str | None
    error_message: str | None
    error_code: int | None
    walltime_exceeded: bool
    scf_not_converged: bool
    geometry_not_converged: bool
    ph_not_converged: bool
    gap_not_converged: bool
    cpu_seconds: float | None
    wall_seconds: float | None

    @property
    def succeeded(self) -> bool:
        """Whether nothing in the text speaks against the run."""
        troubles = (
            self.error_message is not None,
            self.walltime_exceeded,
            self.scf_not_converged,
            self.geometry_not_converged,
            self.ph_not_converged,
            self.gap_not_converged,
        )
        return self.job_done and not any(troubles)


def read_run_end(path: str | Path) -> RunEnd:
    """Read how a run of pw.x, ph.x, q2r.x, matdyn.x or epw.x ended.

    Parameters
    ----------
    path : str or Path
        The text output, complete or not, or a file ``CRASH``.

    Returns
    -------
    RunEnd
        A run that was killed has neither `job_done` nor an error.

    Raises
    ------
    MissingOutputError
        If there is no such file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise MissingOutputError(path, None, "a file", "none", "the program never started") from None
    banner = _BANNER.search(text)
    error = _ERROR.search(text) or _CRASH.search(text)
    clocks = _CLOCK.findall(text)
    processes = _PROCESSES.search(text) or _PROCESSORS.search(text)
    return RunEnd(
        program=banner[1] if banner else None,
        code_version=banner[2] if banner else None,
        n_processes=int(processes[1]) if processes else None,
        job_done=any(mark in text for mark in _LAST_WORDS),
        error_routine=error[1] if error else None,
        error_message=" ".join(error[3].split()) if error else None,
        error_code=int(error[2]) if error else None,
        walltime_exceeded="Maximum CPU time exceeded" in text,
        scf_not_converged="convergence NOT achieved" in text,
        geometry_not_converged="The maximum number of steps has been reached" in text,
        ph_not_converged="No convergence has been achieved" in text,
        gap_not_converged="Convergence was not reached in nsiter" in text,
        cpu_seconds=_seconds(clocks[-1][1]) if clocks else None,
        wall_seconds=_seconds(clocks[-1][2]) if clocks else None,
    )


def _seconds(duration: str) -> float | None:
    """Turn ``1d 2h 3m 4.5s`` into seconds; None if it is written otherwise."""
    match = _DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
