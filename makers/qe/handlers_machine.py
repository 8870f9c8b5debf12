"""Error handlers of what every program can meet: a lack of time, memory or disk, and what kills it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hightc.makers.job_clock import is_time_up
from hightc.makers.qe.failures import (
    BROKEN_FILE,
    CRASHED,
    DISK_FULL,
    KILLED,
    OUT_OF_MEMORY,
    PSEUDOPOTENTIAL,
    RETURN_CODE,
    WALLTIME,
)
from hightc.makers.qe.handlers_base import (
    FailureHandler,
    Run,
    StartAgainHandler,
    from_first_unfinished_q,
    reason_of_machine,
)
from hightc.makers.qe.inputs import Namelists


class LighterJob(Protocol):
    """A job that can be started with less memory."""

    def lighten(self) -> str | None:
        """Take the next command with less memory and say what changed; None if there is none."""


class WalltimeHandler(FailureHandler):
    """Continue after a clean stop at max_seconds, unless the job of the queue ends: then the next job goes on."""

    failure = WALLTIME

    def matches(self, run: Run) -> bool:
        """Whether the program stopped itself."""
        return run.end.walltime_exceeded

    def changes(self, run: Run) -> Namelists | None:
        """Ask for a continuation, where there is time for one."""
        if is_time_up():
            return None
        if "inputph" in run.namelists():
            return {"inputph": from_first_unfinished_q(run)}
        return {"control": {"restart_mode": "restart"}}


class BrokenFileHandler(FailureHandler):
    """Nothing mends a file that was left incomplete: say so at once."""

    failure = BROKEN_FILE

    def matches(self, run: Run) -> bool:
        """Whether a file could not be read, in a run that does not continue another."""
        return reason_of_machine(run) is self.failure and not run.continues


class KilledHandler(StartAgainHandler):
    """Run again after something killed the program."""

    failure = KILLED

    def matches(self, run: Run) -> bool:
        """Whether the output stops in the middle, for no other reason that a handler knows."""
        return reason_of_machine(run) is self.failure


class CrashedHandler(StartAgainHandler):
    """Run again after a crash that the program has no word for."""

    failure = CRASHED

    def matches(self, run: Run) -> bool:
        """Whether MPI or the system says that the program crashed."""
        return reason_of_machine(run) is self.failure


class OutOfMemoryHandler(StartAgainHandler):
    """Run again so that less memory is needed.

    Attributes
    ----------
    job
        What starts the program; None if it has only one way to start.
    """

    failure = OUT_OF_MEMORY
    job: LighterJob | None = None

    def matches(self, run: Run) -> bool:
        """Whether memory could not be had."""
        return reason_of_machine(run) is self.failure

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Change the command of the job, and start again."""
        change = self.job.lighten() if self.job else None
        if change is None:
            return {"errors": [self.failure.code], "actions": None}
        told = super().correct(directory)
        return {"errors": told["errors"], "actions": [change, *told["actions"]]}


class DiskFullHandler(FailureHandler):
    """Nothing mends a full disk: say so at once."""

    failure = DISK_FULL

    def matches(self, run: Run) -> bool:
        """Whether the system reported a full disk."""
        return reason_of_machine(run) is self.failure


class PseudopotentialHandler(FailureHandler):
    """Nothing mends a pseudopotential that cannot be read: say so at once."""

    failure = PSEUDOPOTENTIAL


class ReturnCodeHandler(FailureHandler):
    """Nothing excuses a return code: say so at once."""

    failure = RETURN_CODE

    def __init__(self, stem: str, others: Sequence[FailureHandler] = ()) -> None:
        """Keep the stem of the files, and the handlers that may know what the return code stands for."""
        super().__init__(stem)
        self.others = list(others)

    def matches(self, run: Run) -> bool:
        """Whether a complete output comes with a return code that is not 0 and that nothing explains."""
        if not run.end.succeeded or run.return_code in (None, 0):
            return False
        return not any(other.matches(run) for other in self.others)


def with_machine_handlers(handlers: Sequence[FailureHandler], stem: str) -> list[FailureHandler]:
    """Add the handlers of what every program can meet.

    Parameters
    ----------
    handlers
        Those of one program.
    stem
        Stem of its input and output files.
    """
    known = [
        *handlers,
        DiskFullHandler(stem),
        OutOfMemoryHandler(stem),
        BrokenFileHandler(stem),
        CrashedHandler(stem),
        KilledHandler(stem),
    ]
    return [*known, ReturnCodeHandler(stem, known)]
