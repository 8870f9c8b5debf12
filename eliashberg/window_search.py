"""Where a code that keeps N(T) Matsubara frequencies loses its gap.

The number N of frequencies, and M of those with repulsion, depend on x = scale/T alone and are constant in cells of
x. Within a cell the instability of the normal state falls with T; at its edges it jumps, and rises where M alone
shrinks: there the gap may vanish and return at a higher temperature. The search finds the cell of highest temperature
in which the normal state is unstable, and there the root.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, log, pi, sqrt

import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.matsubara_window import MatsubaraWindow, SumRule
from hightc.eliashberg.results import TcStatus

MOST_FREQUENCIES = 10_000
"""A Tc that needs more Matsubara frequencies than this is below the range."""

MOST_FREQUENCIES_OF_GAP = 4_000
"""The gap is solved with dense matrices of this size at most (128 MB each)."""

_ROOT_TOLERANCE = 1e-10  # in ln T


@dataclass(frozen=True, eq=False)
class CutoffConvention:
    """What a code solves at each temperature.

    Attributes
    ----------
    rule
        The spectrum as the code sums it.
    mu_star
        Repulsion as given to the code.
    scale_mev
        x = scale/(kB T) decides about the number of frequencies.
    cell
        Number of the cell, 0, 1, ..., to which an x belongs.
    edges
        The cell as an interval of x, half open: [low, high).
    sizes
        The pair N, M of a cell; neither falls with x, and N = 0 stands for no equations.
    """

    rule: SumRule
    mu_star: float
    scale_mev: float
    cell: Callable[[float], int]
    edges: Callable[[int], tuple[float, float]]
    sizes: Callable[[int], tuple[int, int]]

    def window(self, temperature_mev: float, cell: int | None = None) -> MatsubaraWindow:
        """The equations at kB T in meV; a cell may be named where T lies on its edge."""
        n, coulomb = self.sizes(self.cell(self.scale_mev / temperature_mev) if cell is None else cell)
        return MatsubaraWindow(self.rule.kernel(temperature_mev, 2 * n), n, coulomb, self.mu_star)

    def temperatures_mev(self, cell: int) -> tuple[float, float]:
        """Lowest and highest kB T of a cell in meV.

        The first cell has no highest one. With N = 1 nothing superconducts where lambda_1 < 1/2, hence above
        (2 sum_j c_j w_j^2)^(1/2) / (2 pi).
        """
        low, high = self.edges(cell)
        coldest = self.scale_mev / high
        unbounded = max(2 * coldest, sqrt(2 * self.rule.attraction_mev2) / (2 * pi))
        return coldest, self.scale_mev / low if low > 0 else unbounded


@dataclass(frozen=True)
class WindowTc:
    """Outcome of the search: ``tc_kelvin`` with its cell, or the status that says why there is none.

    Where it is ``below_range``, Tc lies under ``lowest_kelvin``, at which N is `MOST_FREQUENCIES`.
    """

    tc_kelvin: float | None
    status: TcStatus
    evaluations: int
    cell: int | None = None
    lowest_kelvin: float | None = None


def critical_temperature_in_window(convention: CutoffConvention, start_mev: float) -> WindowTc:
    """Find the highest temperature at which the normal state is unstable.

    Parameters
    ----------
    convention
        What is solved at each temperature.
    start_mev
        Estimate of kB Tc in meV; any positive number will do.

    Returns
    -------
    WindowTc
        ``found``; ``below_range`` if a gap opens only where N > `MOST_FREQUENCIES`; ``no_superconductivity``.
    """
    if convention.rule.attraction_mev2 == 0:
        return WindowTc(0.0, TcStatus.NO_SUPERCONDUCTIVITY, 0)
    search = _Search(convention)
    cell = search.highest_unstable(convention.cell(convention.scale_mev / start_mev))
    if cell is None:
        floor = convention.temperatures_mev(search.last)[0]
        if convention.window(floor, search.last).superconducts_at_zero_temperature():
            lowest = floor / KB_MEV_PER_K
            return WindowTc(None, TcStatus.BELOW_RANGE, search.evaluations + 1, lowest_kelvin=lowest)
        return WindowTc(0.0, TcStatus.NO_SUPERCONDUCTIVITY, search.evaluations + 1)
    tc = search.root(cell) / KB_MEV_PER_K
    return WindowTc(tc, TcStatus.FOUND, search.evaluations, cell)


def require_gap_size(convention: CutoffConvention, temperature_kelvin: float) -> float:
    """Return kB T in meV, or raise `ParameterError` if it is no temperature or too low for a dense solution."""
    if not (0 < temperature_kelvin < float("inf")):
        raise ParameterError(
            f"temperature_kelvin: expected a positive number, found {temperature_kelvin!r}: choose one near Tc or below"
        )
    temperature_mev = temperature_kelvin * KB_MEV_PER_K
    size = convention.sizes(convention.cell(convention.scale_mev / temperature_mev))[0]
    if not 1 <= size <= MOST_FREQUENCIES_OF_GAP:
        raise ParameterError(
            f"temperature_kelvin: expected 1 to {MOST_FREQUENCIES_OF_GAP} Matsubara frequencies in the sums, found "
            f"{size} at {temperature_kelvin:g} K: choose a temperature between"
        )
    return temperature_mev


@dataclass(eq=False)
class _Search:
    convention: CutoffConvention
    evaluations: int = 0
    known: dict[int, bool] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last cell with at most `MOST_FREQUENCIES`: the first one beyond is found by bisection."""
        low, high = 0, 4 * MOST_FREQUENCIES
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.convention.sizes(middle)[0] <= MOST_FREQUENCIES else (low, middle)
        return low

    def instability(self, cell: int, temperature_mev: float) -> float:
        if self.convention.sizes(cell)[0] == 0:
            return -1.0
        self.evaluations += 1
        return self.convention.window(temperature_mev, cell).instability()

    def unstable(self, cell: int) -> bool:
        """Whether the normal state is unstable somewhere in the cell: at its lowest temperature, if at all."""
        if cell not in self.known:
            self.known[cell] = self.instability(cell, self.convention.temperatures_mev(cell)[0]) > 0
        return self.known[cell]

    def highest_unstable(self, start: int) -> int | None:
        """The unstable cell of highest temperature; None if none has at most `MOST_FREQUENCIES`."""
        bracket = self._bracket(min(start, self.last))
        if bracket is None:
            return None
        stable, unstable = bracket
        while unstable - stable > 1:
            middle = (stable + unstable) // 2
            stable, unstable = (stable, middle) if self.unstable(middle) else (middle, unstable)
        while True:
            above = next((cell for cell in self._above(unstable) if cell >= 0 and self.unstable(cell)), None)
            if above is None:
                return unstable
            unstable = above

    def _above(self, cell: int) -> tuple[int, int, int]:
        """Hotter cells in which the normal state may be unstable again after a stable one.

        A cell that keeps a frequency less has a smaller largest eigenvalue, but for the slightly smaller Z. Where it
        is only the repulsion that keeps one less, the eigenvalue rises and falls again up to the next such edge;
        these peaks fall with temperature, so that one stable peak settles all beyond.
        """
        sizes, edge = self.convention.sizes, cell
        while edge >= 0 and sizes(edge)[1] == sizes(cell)[1]:
            edge -= 1
        return cell - 1, cell - 2, edge

    def _bracket(self, start: int) -> tuple[int, int] | None:
        """A stable cell (-1 stands for infinite temperature) and an unstable one, by doubling steps."""
        step, here = max(1, start // 8), start
        if self.unstable(here):
            while here >= 0 and self.unstable(here):
                unstable, here, step = here, max(here - step, -1), 2 * step
            return here, unstable
        last = self.last
        while here < last:
            stable, here, step = here, min(here + step, last), 2 * step
            if self.unstable(here):
                return stable, here
        return None

    def root(self, cell: int) -> float:
        """Highest kB T in meV at which the normal state is unstable in an unstable cell."""
        low, high = self.convention.temperatures_mev(cell)
        if self.instability(cell, high) >= 0:
            return high
        return exp(
            float(
                scipy.optimize.brentq(
                    lambda log_t: self.instability(cell, exp(log_t)), log(low), log(high), xtol=_ROOT_TOLERANCE
                )
            )
        )
