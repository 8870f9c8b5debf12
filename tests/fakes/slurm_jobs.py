"""Jobs for a queue: one that its first job never finishes, and one that tells what surrounds it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobflow import Response, job

from hightc.makers.errors import OutOfTimeError


@job
def hang_once() -> str:
    """Wait for ever the first time; answer the second time in the same folder."""
    mark = Path("hung")
    if not mark.exists():
        mark.touch()
        time.sleep(600)
    return "after all"


@job
def surroundings() -> dict[str, str]:
    """What a job knows from its environment."""
    return {name: value for name, value in os.environ.items() if name.startswith("HIGHTC_")}


@job
def nap(seconds: float) -> tuple[float, float, int]:
    """Sleep; when it began, when it ended, and the processes it had."""
    began = time.time()
    time.sleep(seconds)
    return began, time.time(), int(os.environ["HIGHTC_PROCESSES"])


@job
def run_out_of_time(folder: str) -> str:
    """End the first time as a program does that the clock of its job stopped; answer the second time."""
    mark = Path(folder) / "stopped"
    if not mark.exists():
        mark.touch()
        raise OutOfTimeError("pw.x stopped cleanly", ["walltime"])
    return "after all"


@job
def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


@job
def quadruple(number: int) -> Response[int]:
    """Four times a number, by a job that this one makes."""
    return Response(replace=double(2 * number))


@job
def refuse() -> None:
    """Fail."""
    msg = "no such luck"
    raise ValueError(msg)
