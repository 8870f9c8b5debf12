"""A line now and then of what takes long, such as ``submitting: 3200 of 10000 materials``."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_BETWEEN = 5.0

Tell = Callable[[str], object]
"""Where lines go, for example ``rich.console.Console.print``."""


class ProgressLine:
    """Tells how far something is, not more often than every few seconds, and nothing of what is done at once."""

    def __init__(self, tell: Tell | None, doing: str, total: int, *, seconds_between: float = SECONDS_BETWEEN) -> None:
        """Start the clock.

        Parameters
        ----------
        tell
            Where lines go; None says nothing.
        doing
            What is done, for example ``submitting``.
        total
            Materials there are.
        seconds_between
            Least time between two lines, in s.
        """
        self._tell = tell
        self._doing = doing
        self._total = total
        self._seconds_between = seconds_between
        self._last = time.monotonic()

    def show(self, done: int) -> None:
        """Tell how many are done, where the last line is old enough.

        Parameters
        ----------
        done
            Materials that are done.
        """
        now = time.monotonic()
        if self._tell is not None and now - self._last >= self._seconds_between:
            self._tell(f"{self._doing}: {done} of {self._total} materials")
            self._last = now
