"""Two temperatures between which the normal state changes its stability."""

from collections.abc import Callable
from math import exp

from hightc.eliashberg.errors import ConvergenceError


def bracket_instability(
    unstable_by: Callable[[float], float], start: float, step: float, floor: float, ceiling: float
) -> tuple[float, float] | None:
    """Walk in ln T with doubling steps until stability changes.

    Parameters
    ----------
    unstable_by
        Positive where the normal state is unstable, as a function of ln(kB T/meV).
    start
        First temperature, between ``floor`` and ``ceiling``.
    step
        First step in ln T.
    floor, ceiling
        Ends of the walk.

    Returns
    -------
    tuple of float or None
        ln T where the normal state is unstable and where it is stable, in this order and ascending; None if it is
        stable down to the floor.

    Raises
    ------
    ConvergenceError
        If the normal state is unstable at the ceiling.
    """
    here, unstable = start, unstable_by(start) > 0
    end = ceiling if unstable else floor
    while here != end:
        there = min(here + step, end) if unstable else max(here - step, end)
        if (unstable_by(there) > 0) != unstable:
            return (here, there) if unstable else (there, here)
        here, step = there, 2 * step
    if unstable:
        raise ConvergenceError(
            f"kB T = {exp(ceiling):.6g} meV: expected a stable normal state at the upper bound of Tc, found an "
            "unstable one: report the spectrum"
        )
    return None
