"""How a batch of gap equations is solved: stability of the normal state, starting point, Anderson, Newton.

Converged rows leave the batch on the way. The tolerance of the gap is `RESIDUAL_TOLERANCE`, tightened in proportion to
eta - 1 where the normal state is hardly unstable (eta < 1.05), down to a hundredth: there the gap is eta - 1 times less
stiff than its equation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hightc.eliashberg.gap_nodes import LEAST_STIFFNESS, NodeEquations
from hightc.eliashberg.modes import FloatArray

BoolArray = NDArray[np.bool_]

RESIDUAL_TOLERANCE = 1e-9
"""Largest change of a Delta_n by one more iteration, relative to the largest |Delta_n|, at which a gap is accepted."""

_NEARLY_STABLE = 0.05  # eta - 1
_FIRST_POWERS = 4  # products that decide all rows but those near Tc
_MOST_POWERS = 100
_DECIDED = 10.0  # how often the last change of the eigenvalue must fit between it and 1
_ROUNDING = 1e-13
_STIFF = 0.5  # stiffness of C below which a stable normal state is verified
_AMPLITUDES = 3
_LEAP = 3.0  # largest correction of the amplitude
_MIXINGS = 14
_HISTORY = 8
_FEW = 0.3  # part of the batch that must have converged before its matrices are copied without it
_CLOSE = 1e-2  # residual below which Newton starts from where mixing ended
_NEWTON_STEPS = 12
_RETRIES = (1.0, 2.0, 0.5, 4.0, 0.25, 8.0, 16.0)  # starting amplitudes, in units of the estimate
_PLAIN_STEPS = 4
_LARGEST_STEP = 0.5  # of Newton's method, in units of the largest |D_n|
_COLLAPSED = 1e-2  # of the starting amplitude: a gap this small is the trivial solution


@dataclass(frozen=True, eq=False)
class NormalState:
    """Largest eigenvalue of the linearised equations and its eigenvector.

    Attributes
    ----------
    eigenvalue
        eta, shape (batch,); above 1 the normal state is unstable; nan where the iteration did not decide.
    gap
        D_n, shape (batch, J), largest entry 1 in size, positive at n = 0.
    constant
        C on the same scale, shape (batch,).
    """

    eigenvalue: FloatArray
    gap: FloatArray
    constant: FloatArray

    def subset(self, rows: BoolArray) -> "NormalState":
        """Some rows, given as a mask of shape (batch,)."""
        return NormalState(self.eigenvalue[rows], self.gap[rows], self.constant[rows])


@dataclass(frozen=True, eq=False)
class NodeGaps:
    """Gaps on the nodes, in units of pi T.

    Attributes
    ----------
    gap, renormalisation
        D_n and Z_n, shape (batch, J).
    constant
        C, shape (batch,).
    residual
        Where the iteration ended, shape (batch,).
    iterations
        Evaluations of the equations, shape (batch,).
    found
        Whether the tolerance was reached at a gap that is not trivial, shape (batch,).
    """

    gap: FloatArray
    renormalisation: FloatArray
    constant: FloatArray
    residual: FloatArray
    iterations: NDArray[np.intp]
    found: BoolArray

    def store(
        self, rows: NDArray[np.intp], part: BoolArray, state: FloatArray, z: FloatArray, error: FloatArray
    ) -> None:
        """Keep the marked part of the iterates, (D, C), Z and residual, as the result of ``rows``."""
        where = rows[part]
        self.gap[where], self.constant[where] = state[part, :-1], state[part, -1]
        self.renormalisation[where], self.residual[where] = z[part], error[part]


def normal_state(equations: NodeEquations) -> NormalState:
    """Find the largest eigenvalue of the linearised equations by power iteration from a constant gap.

    The Rayleigh quotient is good to the square of the vector's error. A row is decided when ten times the last change
    of its quotient fits between it and 1, and at the latest when that change is 1e-14. As a lower bound the quotient
    proves an instability. Strong repulsion, however, has an eigenvalue of its own, negative and possibly the largest in
    size; where it is that strong and no instability was seen, all eigenvalues are computed. Where C is too soft to be
    eliminated nothing is decided.
    """
    state = _by_powers(equations)
    strong = (equations.stiffness < _STIFF) | ~(state.eigenvalue > 0)
    doubtful = ~(state.eigenvalue > 1) & strong & (equations.stiffness > LEAST_STIFFNESS)
    if doubtful.any():
        values, vectors = np.linalg.eig(equations.subset(doubtful).linear_matrix())
        largest = np.argmax(values.real, axis=1)
        vector = np.take_along_axis(vectors, largest[:, None, None], axis=2)[:, :, 0].real
        state.eigenvalue[doubtful] = np.take_along_axis(values.real, largest[:, None], axis=1)[:, 0]
        state.gap[doubtful], state.constant[doubtful] = _normalised(vector[:, :-1], vector[:, -1])
    return state


def _normalised(gap: FloatArray, constant: FloatArray) -> tuple[FloatArray, FloatArray]:
    norm = np.abs(gap).max(axis=1) * np.where(gap[:, 0] < 0, -1, 1)
    return gap / norm[:, None], constant / norm


def _by_powers(equations: NodeEquations) -> NormalState:
    batch, size = equations.matrices.normal.shape
    state = NormalState(np.full(batch, np.nan), np.ones((batch, size)), np.ones(batch))
    rows, gap, constant, previous = np.arange(batch), state.gap, state.constant, np.full(batch, np.inf)
    for count in range(1, _MOST_POWERS + 1):
        gap, constant, eigenvalue = equations.linear_step(gap, constant)
        gap, constant = _normalised(gap, constant)
        change, previous = np.abs(eigenvalue - previous), eigenvalue
        if count < _FIRST_POWERS:
            continue
        decided = _DECIDED * change <= np.maximum(np.abs(eigenvalue - 1), _ROUNDING)
        if decided.any():
            where, rest = rows[decided], ~decided
            state.eigenvalue[where] = eigenvalue[decided]
            state.gap[where], state.constant[where] = gap[decided], constant[decided]
            if not rest.any():
                break
            rows, equations, previous = rows[rest], equations.subset(rest), previous[rest]
            gap, constant = gap[rest], constant[rest]
    return state


def solve_nodes(equations: NodeEquations, normal: NormalState) -> NodeGaps:
    """Solve the gap equation where the normal state is unstable.

    Anderson's iteration first; for what that leaves, Newton's method from where it ended if that was close, else from
    several multiples of the linear gap.

    Parameters
    ----------
    equations
        Equations of rows with eta > 1.
    normal
        Their normal state.

    Returns
    -------
    NodeGaps
    """
    batch, size = normal.gap.shape
    result = NodeGaps(
        gap=np.full((batch, size), np.nan),
        renormalisation=np.full((batch, size), np.nan),
        constant=np.full(batch, np.nan),
        residual=np.full(batch, np.inf),
        iterations=np.zeros(batch, dtype=np.intp),
        found=np.zeros(batch, dtype=np.bool_),
    )
    amplitude = _amplitude(equations, normal)
    start = amplitude[:, None] * np.column_stack([normal.gap, normal.constant])
    tolerance = RESIDUAL_TOLERANCE * np.clip((normal.eigenvalue - 1) / _NEARLY_STABLE, 1e-2, 1)
    result.iterations[:] = _AMPLITUDES
    _mix(equations, start, tolerance, result)

    def trivial() -> BoolArray:
        return np.asarray(~((result.gap[:, 0] > 0) & (np.abs(result.gap).max(axis=1) > _COLLAPSED * amplitude)))

    close = (result.residual < _CLOSE) & ~trivial()
    for factor in _RETRIES:
        open_rows = (result.residual > tolerance) | trivial()
        if not open_rows.any():
            break
        retry = factor * start
        if factor == 1:
            retry[close] = np.column_stack([result.gap, result.constant])[close]
        _newton(equations, retry, tolerance, np.flatnonzero(open_rows), result)
    result.found[:] = (result.residual <= RESIDUAL_TOLERANCE) & ~trivial()
    return result


def _amplitude(equations: NodeEquations, normal: NormalState) -> FloatArray:
    """Multiple of the linear gap that fulfils the gap equation on average, shape (batch,).

    The ratio of both sides, summed with the weight D_n/x_n, falls with the amplitude a about like
    eta/(1 + a^2/s^2)^(1/2); s is read off and a improved three times, each time by a factor of 3 at most.
    """
    weight = normal.gap / equations.odd

    def ratio(amplitude: FloatArray) -> FloatArray:
        gap, constant = amplitude[:, None] * normal.gap, amplitude * normal.constant
        pairing, renormalisation, _ = equations.sides(gap, constant)
        return np.asarray(np.vecdot(weight, pairing) / np.vecdot(weight, renormalisation * gap))

    drive = normal.eigenvalue**2 - 1
    amplitude = np.sqrt(drive)
    for _ in range(_AMPLITUDES):
        wanted = drive / np.maximum((normal.eigenvalue / np.maximum(ratio(amplitude), 1e-9)) ** 2 - 1, 1e-13)
        amplitude = amplitude * np.clip(np.sqrt(wanted), 1 / _LEAP, _LEAP)
    return amplitude


def _mix(equations: NodeEquations, state: FloatArray, tolerance: FloatArray, result: NodeGaps) -> None:
    """Anderson's iteration with the last eight differences of residuals kept orthonormal, for at most 14 steps.

    With q_k those differences and g_k the changes of the iterate that belong to them, the next iterate is
    u + f - sum_k (q_k.f) g_k, f the residual of u.
    """
    batch, size = state.shape
    history = np.zeros((batch, _HISTORY, 2 * size))
    rows, limit = np.arange(batch), tolerance
    last, move = state, state
    for count in range(_MIXINGS):
        gap, constant, renormalisation = equations.step(state[:, :-1], state[:, -1])
        change = np.column_stack([gap, constant])
        change -= state
        error = np.abs(change).max(axis=1) / np.abs(state).max(axis=1)
        done = error <= limit
        final = count == _MIXINGS - 1
        if final or done.mean() > _FEW:
            leaving = np.ones_like(done) if final else done
            result.store(rows, leaving, state, renormalisation, error)
            result.iterations[rows[leaving]] += count + 1
            rest = ~leaving
            if not rest.any():
                return
            rows, equations, limit, history = rows[rest], equations.subset(rest), limit[rest], history[rest]
            state, change, last, move = state[rest], change[rest], last[rest], move[rest]
        if count:
            _remember(history, count - 1, change - last, move)
        kept = history[:, : min(count, _HISTORY)]
        move = change - np.vecmat(np.matvec(kept[:, :, :size], change), kept[:, :, size:])
        last, state = change, state + move


def _remember(history: FloatArray, count: int, difference: FloatArray, move: FloatArray) -> None:
    """Add the last difference of residuals, made orthonormal, and the change of the iterate that belongs to it."""
    size = difference.shape[1]
    new = np.concatenate([difference, move + difference], axis=1)
    kept = history[:, : min(count, _HISTORY)]
    new -= np.vecmat(np.matvec(kept[:, :, :size], difference), kept)
    norm = np.sqrt(np.vecdot(new[:, :size], new[:, :size]))
    history[:, count % _HISTORY] = new / np.where(norm > 0, norm, 1)[:, None]


def _newton(
    equations: NodeEquations, state: FloatArray, tolerance: FloatArray, rows: NDArray[np.intp], result: NodeGaps
) -> None:
    """Newton's method with C as an unknown after four plain steps; at most 12 steps of at most half max |D_n|."""
    mask = np.zeros(state.shape[0], dtype=np.bool_)
    mask[rows] = True
    equations, state, limit = equations.subset(mask), state[rows], tolerance[rows]
    for _ in range(_PLAIN_STEPS):
        gap, constant, _ = equations.step(state[:, :-1], state[:, -1])
        state = np.column_stack([gap, constant])
    for count in range(_NEWTON_STEPS + 1):
        pairing, renormalisation, coulomb = equations.sides(state[:, :-1], state[:, -1])
        imbalance = np.column_stack([renormalisation * state[:, :-1] - pairing, coulomb])
        largest = np.abs(state).max(axis=1)
        error = np.maximum(np.abs(imbalance[:, :-1] / renormalisation).max(axis=1), np.abs(coulomb)) / largest
        leaving = error <= limit if count < _NEWTON_STEPS else np.ones(rows.size, dtype=np.bool_)
        if leaving.any():
            result.store(rows, leaving, state, renormalisation, error)
            result.iterations[rows[leaving]] += count + 1
            rest = ~leaving
            if not rest.any():
                return
            rows, equations, limit = rows[rest], equations.subset(rest), limit[rest]
            state, imbalance, renormalisation, largest = (
                values[rest] for values in (state, imbalance, renormalisation, largest)
            )
        jacobian = equations.jacobian(state[:, :-1], renormalisation)
        step = np.linalg.solve(jacobian, imbalance[:, :, None])[:, :, 0]
        state = state - step * np.minimum(1, _LARGEST_STEP * largest / np.abs(step).max(axis=1))[:, None]
