"""Where the normal state becomes unstable: the critical temperatures of many spectra at once.

The reduced problem of `reduced_basis` gives s(T) and its slope. Newton's step with error O(a^2), a the distance from
the root, and then the root of the cubic that interpolates ln T(s) through the last two values and slopes (inverse
Hermite interpolation), with error O(a^2 b^2), start from the Allen-Dynes formula on half of the functions, where an
evaluation costs a fourth; on the leading functions most spectra then need one evaluation more. What the functions
beyond would add is put in to second order. Spectra that do not converge, or whose estimated error is too large, are
solved again one by one on more functions, and in the last resort on all of the table by bisection.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from math import ceil, inf, log
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hightc.eliashberg.coulomb import THERMAL_FACTOR
from hightc.eliashberg.errors import ConvergenceError
from hightc.eliashberg.log_lattice import STEP
from hightc.eliashberg.modes import FloatArray
from hightc.eliashberg.reduced_basis import LEADING, LOWEST_TEMPERATURE, ReducedBasis, Stability, Workspace

IndexArray = NDArray[np.intp]
Number = TypeVar("Number", float, FloatArray)

ACCURATE = 20
"""Functions used for a single spectrum, where arranging the arrays takes longer than the arithmetic."""

COARSE = 8
"""Functions on which a batch approaches its solution."""

TOLERANCE = 3e-7
"""Estimated relative error of Tc above which a spectrum is solved again on more functions."""

RESOLUTION = 3e-9
"""Relative error of Tc from interpolation on the lattice, added to every estimate."""

LEAST_REPULSION = 2.0
"""1/mu* at the highest frequency below which the estimate of the error by the leading functions is too small."""

LAST_RESORT = 1e-6
"""Relative error told of a solution on all functions: nothing is left from which it could be estimated."""

_LAST_STEP = {COARSE: 3e-5, LEADING: 1e-7, ACCURATE: 2e-9}  # error of the last step in ln T at which a search ends
_COARSE_PROFILES = 1e-8  # enough for the error at which the coarse search ends
_NEWTON, _CUBIC = 4.0, 20.0  # bounds of that error over a^2 and a^2 b^2: derivatives of ln T(s)
_UNCERTAINTY = 1.0  # of the estimated shift by the functions left out; seen to be right to half of itself
_RESIDUAL = 0.5  # of |s| up to which a root is believed: just above a pole Newton's steps are short, but s is large
_STEP_LIMIT = 0.7  # in ln T
_FAR, _LEAST_STEP = 2.0, 0.2  # of -s, from which on Tc is further away than this in ln T
_EXTRAPOLATION = 1.5  # intervals from the middle of the last two points up to which the cubic beats its tangent
_ROUNDS = 8
_CHUNK = 92_000  # elements of the matrices at once: 0.7 MB, which fit into a cache
_SECTIONS, _BISECTIONS = 64, 6  # a lattice step divided by 64^6 is 2e-12


WORKSPACE = Workspace()
"""Memory of the searches, kept from one to the next."""


class Outcome(IntEnum):
    """What became of the search for one spectrum."""

    FOUND = 0
    BELOW_RANGE = 1
    STABLE = 2


@dataclass(frozen=True, eq=False)
class Problems:
    """Spectra on a lattice in ln(w/meV), with their repulsion.

    Attributes
    ----------
    first
        Lattice index of the first coupling.
    coupling
        Shape (batch, size).
    constant_repulsion
        1/mu* + ln(2 e^gamma w_ref/(pi meV)), shape (batch,); infinite for mu* = 0.
    guess, lowest, highest
        ln(kB T/meV), shape (batch,): where to begin, and the range; the normal state is stable at ``highest``.
    """

    first: int
    coupling: FloatArray
    constant_repulsion: FloatArray
    guess: FloatArray
    lowest: FloatArray
    highest: FloatArray

    def select(self, row: int) -> "Problems":
        """The problem of one spectrum."""
        one = slice(row, row + 1)
        per_row = (self.coupling, self.constant_repulsion, self.guess, self.lowest, self.highest)
        return Problems(self.first, *(values[one] for values in per_row))

    def least_repulsion(self) -> FloatArray:
        """1/mu* at the highest frequency where it has to have a value, shape (batch,)."""
        at_omega_max = self.constant_repulsion - self.lowest + log(LOWEST_TEMPERATURE / THERMAL_FACTOR)
        return np.minimum(at_omega_max, self.constant_repulsion - self.highest)

    def repulsion(self, rows: IndexArray, log_t: FloatArray) -> FloatArray:
        """Half of r(T) of `coulomb`, which stands at C^2."""
        return (self.constant_repulsion[rows] - log_t) / 2


@dataclass(eq=False)
class Instabilities:
    """Solutions, filled in as they are found.

    Attributes
    ----------
    log_tc
        ln(kB Tc/meV), shape (batch,), nan unless found.
    error
        Estimated relative error of Tc, shape (batch,).
    outcome
        Shape (batch,), values of `Outcome`.
    evaluations
        How often each reduced problem was solved, shape (batch,).
    """

    log_tc: FloatArray
    error: FloatArray
    outcome: NDArray[np.int8]
    evaluations: IndexArray


@cache
def reduced_basis(size: int | None) -> ReducedBasis:
    """The reduced basis of that many functions, built once."""
    return ReducedBasis(COARSE, tolerance=_COARSE_PROFILES) if size == COARSE else ReducedBasis(size)


def find_instabilities(problems: Problems) -> Instabilities:
    """Find the critical temperature of every spectrum.

    Raises
    ------
    ConvergenceError
        If the normal state is unstable at the upper end of the range; not known to happen.
    """
    approach = _search(COARSE, problems, problems.guess)
    guess = np.where(approach.outcome == Outcome.FOUND, approach.log_tc, problems.guess)
    solutions = _search(LEADING, problems, guess)
    solutions.evaluations += approach.evaluations
    _settle_stable(problems, np.flatnonzero(solutions.outcome == Outcome.STABLE), solutions)
    trusted = (solutions.error <= TOLERANCE) & (problems.least_repulsion() >= LEAST_REPULSION)
    inaccurate = (solutions.outcome == Outcome.FOUND) & ~trusted
    for row in np.flatnonzero((solutions.outcome < 0) | inaccurate):
        _replace(solutions, int(row), find_instability(problems.select(int(row))))
    return solutions


def _replace(solutions: Instabilities, row: int, better: Instabilities) -> None:
    solutions.log_tc[row], solutions.error[row] = better.log_tc[0], better.error[0]
    solutions.outcome[row] = better.outcome[0]
    solutions.evaluations[row] += better.evaluations[0]


def _unsolved(batch: int) -> Instabilities:
    return Instabilities(
        np.full(batch, np.nan), np.full(batch, np.nan), np.full(batch, -1, np.int8), np.zeros(batch, np.intp)
    )


def _search(size: int, problems: Problems, guess: FloatArray) -> Instabilities:
    """Search on that many functions; outcome -1 where the search does not end."""
    batch = guess.size
    solutions, rows = _unsolved(batch), np.arange(batch)
    log_t = np.clip(guess, problems.lowest, problems.highest)
    previous = np.full((3, batch), np.nan)
    chunk = ceil(_CHUNK / (size + 1) ** 2)
    for _ in range(_ROUNDS):
        order = np.argsort(log_t)
        going = np.empty(rows.size, dtype=np.bool_)
        for start in range(0, order.size, chunk):
            part = order[start : start + chunk]
            going[part] = _step(size, problems, rows[part], (log_t, previous, part), solutions)
        rows, log_t, previous = rows[going], log_t[going], previous[:, going]
        if not rows.size:
            break
    return solutions


def _step(
    size: int,
    problems: Problems,
    rows: IndexArray,
    points: tuple[FloatArray, FloatArray, IndexArray],
    solutions: Instabilities,
) -> NDArray[np.bool_]:
    """Evaluate once at increasing temperatures; note what is solved, move on what is not, and say which that is.

    ``points`` are ln T and, of the point before, ln T, s and ds/d ln T, both read and overwritten at the indices that
    come third.
    """
    log_t, previous, part = points
    here, basis = log_t[part], reduced_basis(size)
    centre = np.rint(here / STEP).astype(np.intp)
    coupling = WORKSPACE.array("coupling", rows.size, problems.coupling.shape[1])
    np.take(problems.coupling, rows, axis=0, out=coupling, mode="clip")
    profiles = basis.profiles(problems.first, coupling.T, centre, WORKSPACE)
    state = basis.evaluate(profiles, here / STEP - centre, problems.repulsion(rows, here), WORKSPACE)
    root, error = _next_root(here, state, previous[:, part])
    lowest, highest = problems.lowest[rows], problems.highest[rows]
    found = state.definite & (error < _LAST_STEP[size]) & (np.abs(state.value) < _RESIDUAL)
    found &= (root >= lowest) & (root <= highest)
    stable = state.definite & (here <= lowest) & (state.value > 0) & ~found
    solutions.evaluations[rows] += 1
    if found.any():
        missing = basis.neglected(state, WORKSPACE) / state.slope
        solutions.log_tc[rows[found]] = (root + missing)[found]
        solutions.error[rows[found]] = (error + _UNCERTAINTY * missing)[found] + RESOLUTION
        solutions.outcome[rows[found]] = Outcome.FOUND
    solutions.outcome[rows[stable]] = Outcome.STABLE
    following = np.clip(root, np.maximum(here - _STEP_LIMIT, lowest), here + _STEP_LIMIT)
    # Far below Tc s no longer rises with T, or a second instability makes it meaningless; just above the pole in
    # between Newton's steps only double the distance from it
    following = np.where(state.value < -_FAR, np.maximum(following, here + _LEAST_STEP), following)
    cold = ~state.definite | ((state.slope <= 0) & (state.value < 0))
    following = np.where(cold, here + _STEP_LIMIT, following)
    log_t[part] = np.minimum(following, highest)
    previous[:, part] = np.where(cold, np.nan, (here, state.value, state.slope))
    return np.isfinite(following) & ~(found | stable)


def _next_root(here: FloatArray, state: Stability, previous: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimate the root, and the error of that; previous is nan where there is no point before."""
    last, value, slope = previous
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        newton = np.where(state.slope > 0, here - state.value / state.slope, np.nan)
        t = -value / (state.value - value)
        cubic = _cubic_root(t, (last, value, slope), (here, state.value, state.slope))
    interpolated = np.abs(t - 0.5) < _EXTRAPOLATION
    root = np.where(interpolated, cubic, newton)
    square = (root - here) ** 2
    return root, np.where(interpolated, _CUBIC * square * (here - last) ** 2, _NEWTON * square)


def _cubic_root(t: Number, last: tuple[Number, Number, Number], here: tuple[Number, Number, Number]) -> Number:
    """Value at s = 0, ``t`` of the way from the last s to this, of the cubic ln T(s) through (ln T, s, ds/d ln T)."""
    interval = here[1] - last[1]
    return (
        (1 + 2 * t) * (1 - t) ** 2 * last[0]
        + t * (1 - t) ** 2 * interval / last[2]
        + t**2 * (3 - 2 * t) * here[0]
        + t**2 * (t - 1) * interval / here[2]
    )


def find_instability(problem: Problems) -> Instabilities:
    """Do as `find_instabilities` for a single spectrum, faster where the search takes its ordinary course."""
    basis, row = reduced_basis(ACCURATE), problem.coupling[0]
    lowest, repulsion = float(problem.lowest[0]), float(problem.constant_repulsion[0])
    highest = float(problem.highest[0])
    here = min(max(float(problem.guess[0]), lowest), highest)
    last: tuple[float, float, float] | None = None
    for evaluations in range(1, _ROUNDS + 1):
        state = basis.evaluate_one(problem.first, row, here, (repulsion - here) / 2)
        value, slope = state.value, state.slope
        if not state.definite or (slope <= 0 and value < 0):
            last, here = None, min(here + _STEP_LIMIT, highest)
            continue
        if here <= lowest and value > 0:
            solutions = _unsolved(1)
            solutions.outcome[0], solutions.evaluations[0] = Outcome.STABLE, evaluations
            _settle_stable(problem, np.zeros(1, dtype=np.intp), solutions)
            return solutions
        root, error = _next_root_of_one((here, value, slope), last)
        if error < _LAST_STEP[ACCURATE] and abs(value) < _RESIDUAL and lowest <= root <= highest:
            missing = basis.neglected_by_one(state) / slope
            error += _UNCERTAINTY * missing + RESOLUTION
            if error > TOLERANCE:
                break
            return Instabilities(
                np.array([root + missing]),
                np.array([error]),
                np.array([Outcome.FOUND], np.int8),
                np.array([evaluations]),
            )
        least = here + _LEAST_STEP if value < -_FAR else max(lowest, here - _STEP_LIMIT)
        last, here = (here, value, slope), min(max(root, least), here + _STEP_LIMIT, highest)
    return _solve_on_all_functions(problem)


def _next_root_of_one(here: tuple[float, float, float], last: tuple[float, float, float] | None) -> tuple[float, float]:
    """Do as `_next_root` for a single spectrum."""
    log_t, value, slope = here
    if last is not None and value != last[1]:
        t = -last[1] / (value - last[1])
        if abs(t - 0.5) < _EXTRAPOLATION:
            root = _cubic_root(t, last, here)
            return root, _CUBIC * ((root - log_t) * (log_t - last[0])) ** 2
    root = log_t - value / slope if slope > 0 else inf
    return root, _NEWTON * (root - log_t) ** 2


def _settle_stable(problems: Problems, rows: IndexArray, solutions: Instabilities) -> None:
    """Tell a Tc below the range from none at all."""
    if not rows.size:
        return
    rows = rows[np.argsort(problems.lowest[rows], kind="stable")]
    centre = np.floor(problems.lowest[rows] / STEP).astype(np.intp)
    exists = reduced_basis(LEADING).unstable_at_zero_temperature(
        problems.first,
        np.ascontiguousarray(problems.coupling[rows].T),
        centre,
        problems.repulsion(rows, STEP * centre.astype(np.float64)),
    )
    solutions.evaluations[rows] += 1
    # Without repulsion the least coupling superconducts, though rounding may not show it
    exists |= np.isinf(problems.constant_repulsion[rows])
    solutions.outcome[rows[exists]] = Outcome.BELOW_RANGE


def _solve_on_all_functions(problem: Problems) -> Instabilities:
    """Bracket the highest temperature of instability on the lattice and divide the bracket until it is a point."""
    basis, solutions = reduced_basis(None), _unsolved(1)
    lowest, highest = problem.lowest[0], problem.highest[0] + STEP

    def stability(log_t: FloatArray) -> Stability:
        solutions.evaluations[0] += log_t.size
        centre = np.rint(log_t / STEP).astype(np.intp)
        profiles = basis.profiles(problem.first, np.tile(problem.coupling[0][:, None], log_t.size), centre)
        repulsion = problem.repulsion(np.zeros(log_t.size, dtype=np.intp), log_t)
        return basis.evaluate(profiles, log_t / STEP - centre, repulsion)

    points = np.linspace(lowest, highest, ceil((highest - lowest) / STEP) + 1)
    for _ in range(_BISECTIONS):
        state = stability(points)
        unstable = ~state.definite | (state.value < 0)
        if unstable[-1]:
            raise ConvergenceError(
                f"kB T = {np.exp(points[-1]):.6g} meV: expected a stable normal state at the upper bound of Tc, "
                "found the contrary: report the spectrum"
            )
        if not unstable.any():
            solutions.outcome[0] = Outcome.STABLE
            _settle_stable(problem, np.zeros(1, dtype=np.intp), solutions)
            return solutions
        last = int(np.flatnonzero(unstable)[-1])
        points = np.linspace(points[last], points[last + 1], _SECTIONS + 1)
    solutions.outcome[0] = Outcome.FOUND
    solutions.log_tc[0] = (points[0] + points[-1]) / 2
    solutions.error[0] = LAST_RESORT
    return solutions
