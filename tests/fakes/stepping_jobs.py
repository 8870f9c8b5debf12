"""Jobs of milliseconds that make others when they run: in their place, beside them, and none at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobflow import Response, job

from hightc.makers.dynamic_jobs import replace_by, running_job, take_the_place_of


@job
def number(value: int) -> int:
    """Give a number back."""
    return value


@job
def groups() -> Response[Any]:
    """Make as many jobs as a file says, and a last one in the own place; none for zero."""
    count, this = int(Path("../count").read_text()), running_job()
    if not count:
        return Response(output=0)
    jobs = {"0": number(0)}
    for index in range(1, count):
        jobs[str(index)] = number(jobs[str(index - 1)].output)
    last = nested(count, jobs[str(count - 1)].output)
    take_the_place_of(last, this.uuid, this.index + 1)
    return replace_by({**jobs, "last": last}, "groups", output=-1)


@job
def nested(count: int, after: int) -> Response[Any]:
    """Make one more job in the own place, which sums up."""
    this = running_job()
    assert after == 0
    more = number(10 * count)
    take_the_place_of(more, this.uuid, this.index + 1)
    return replace_by({"more": more}, "nested", output=-2)


@job
def twice(value: int) -> Response[Any]:
    """Add a job that follows upon this one, and stop what was to follow."""
    return Response(output=value, addition=number(2 * value), stop_children=True)
