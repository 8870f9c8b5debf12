"""The stability of the normal state as a function of temperature, and where it changes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp

from hightc.eliashberg.errors import ConvergenceError
from hightc.eliashberg.matsubara import Eigenpair


@dataclass
class Instability(ABC):
    """How far the normal state is beyond stability, (largest eigenvalue) - 1, as a function of ln T.

    Attributes
    ----------
    refinement
        Factor on the number of Matsubara frequencies kept.
    eigenpairs
        What was solved at this refinement, by ln T: no temperature is solved twice.
    evaluations
        How many eigenpairs were computed at all refinements.
    """

    refinement: float = field(default=1.0, init=False)
    eigenpairs: dict[float, Eigenpair] = field(default_factory=dict, init=False)
    evaluations: int = field(default=0, init=False)

    @abstractmethod
    def eigenpair(self, log_t: float) -> Eigenpair:
        """Solve at one temperature."""

    def left_out(self, log_t: float) -> float:
        """Estimate what the frequencies left out add to the eigenvalue at a temperature that was solved."""
        return self.eigenpairs[log_t].truncation

    def __call__(self, log_t: float) -> float:
        """Return the largest eigenvalue, what was left out added, less 1."""
        if log_t not in self.eigenpairs:
            self.evaluations += 1
            self.eigenpairs[log_t] = self.eigenpair(log_t)
        return self.eigenpairs[log_t].value + self.left_out(log_t) - 1

    def refine(self, factor: float) -> None:
        """Keep more Matsubara frequencies from now on."""
        self.refinement *= factor
        self.eigenpairs.clear()


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
