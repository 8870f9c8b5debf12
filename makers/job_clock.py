"""When the job of a queue ends that this process runs in, as far as a step must know it."""

from __future__ import annotations

import os
import time

ENDS_VARIABLE = "_HIGHTC_JOB_ENDS"
"""Environment variable: seconds since 1970 at which the queue kills the job."""

LEAST_SECONDS = 150.0
"""Nothing is begun with less time than this: it would hardly start before it is asked to stop."""


def seconds_left() -> float | None:
    """Time in s until the queue kills the job; None outside of jobs."""
    ends = os.environ.get(ENDS_VARIABLE)
    return None if ends is None else float(ends) - time.time()


def is_time_up() -> bool:
    """Whether too little time is left to begin anything in this job."""
    left = seconds_left()
    return left is not None and left < LEAST_SECONDS
