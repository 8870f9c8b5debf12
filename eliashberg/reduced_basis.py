"""The linearised gap equation on a few functions, for many spectra at once.

On the functions of `reduced_basis_table`, with the constant gap C as one more variable, the form Q of `matsubara` is
a matrix of order 17 and linear in the spectrum,

    Q(d, C) = <x|G|x> - <d|d> + (C^2/2) [1/mu* + ln(2 e^gamma w_ref/(pi T))],    G = sum_j lam_j G(ln w_j - ln T),

and G(ln w - ln T) is a sum of a few dozen fixed matrices with profiles in ln(w/T). A spectrum enters through the sums
of its couplings over these profiles alone. Between lattice points they are polynomials in ln T.

Tc is where Q, C eliminated, stops being negative definite. With all variables but the leading function eliminated,
that is where the last pivot of S = -Q,

    s(T) = S_00 - S_0r (S_rr)^-1 S_r0,

crosses zero. Its derivative ds/dT = <x|dS/dT|x> needs only the vector x of the back substitution, which at s = 0 is
the gap itself. The functions not used would lower s by sum_i r_i^2/S_ii to second order, r_i = <i|S|x>: this is the
estimate of the error, from the first few of them.
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import ceil, floor, prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from hightc.eliashberg.errors import EliashbergError
from hightc.eliashberg.log_lattice import ORDER, STEP, lagrange_weights
from hightc.eliashberg.modes import FloatArray

LEADING = 16
"""Functions of the fast solution, which suffice for a relative error of Tc below 1e-6 in the whole range."""

LOWEST_TEMPERATURE = 1 / 20000
"""Lowest kB T of the table, in units of the highest phonon frequency."""

TABLE = Path(__file__).with_name("reduced_basis.npz")
TABLE_SHA256 = "f6c8800dcc0fa9a96ea1a60c06b08b706b35fbaad01b97aab6790c7cf5ac6e89"

_REACH = 0.5  # lattice steps from its centre up to which a polynomial in ln T is used
_COEFFICIENTS = 6  # of the polynomial: error 2 (_REACH STEP/(pi/2)/2)^6 = 1e-10 of the profile
_EXPONENTS = np.arange(_COEFFICIENTS)
_PROFILE_TOLERANCE = 1e-11
_LOWEST_LOG_RATIO = -18.4  # ln(w/T) below which a mode contributes less than 1e-16 of its coupling
_LARGEST_KEPT = 1 << 20  # numbers of an array whose memory is kept: 8 MB
_NEGLECTED = 4  # functions beyond those used from which the error is estimated


def table_checksum(table: Mapping[str, NDArray[np.generic]]) -> str:
    """SHA-256 of the names and contents of the arrays of a table."""
    digest = hashlib.sha256()
    for name in sorted(table):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(table[name]).tobytes())
    return digest.hexdigest()


@cache
def load_table() -> dict[str, FloatArray]:
    """Load the table and verify its checksum.

    Returns
    -------
    dict
        ``first``: lattice index of the lowest ln(w/T). ``profiles`` (points, m) and ``forms`` (m, pairs): their
        product is (1 + T^2/w^2) G for the upper triangle over all functions and C. ``zero_temperature`` (points,
        functions + 1): half the coefficient of V of `matsubara.superconducts_at_zero_temperature`. ``combinations``:
        the functions in terms of `reduced_basis_table.rational_functions`.

    Raises
    ------
    EliashbergError
        If the file is damaged.
    """
    with np.load(TABLE) as archive:
        table = {name: archive[name] for name in archive.files}
    found = table_checksum(table)
    if found != TABLE_SHA256:
        raise EliashbergError(
            f"{TABLE}: expected the SHA-256 {TABLE_SHA256[:12]}... of its arrays, found {found[:12]}...: the file is "
            "damaged; install hightc again, or rebuild it by python -m hightc.eliashberg.reduced_basis_table"
        )
    return table


@dataclass(frozen=True, eq=False)
class Stability:
    """The reduced problem of each spectrum at one temperature.

    Attributes
    ----------
    value
        s(T), shape (batch,): negative where the normal state is unstable.
    slope
        ds/d ln T, shape (batch,).
    gap
        x with x = 1 for the leading function, which is the last; C comes first. Shape (functions + 1, batch).
    definite
        Whether Q restricted to the other functions is negative definite, shape (batch,); if not, s has no meaning.
    sums
        Couplings summed over the profiles, shape (m, batch).
    """

    value: FloatArray
    slope: FloatArray
    gap: FloatArray
    definite: NDArray[np.bool_]
    sums: FloatArray


class StabilityOfOne(NamedTuple):
    """`Stability` of a single spectrum: the last axis is missing."""

    value: float
    slope: float
    gap: FloatArray
    definite: bool
    sums: FloatArray


class Workspace(threading.local):
    """Memory of each thread for large intermediate arrays, used again: fresh pages cost an eighth of the time."""

    def __init__(self) -> None:
        self._memory: dict[str, FloatArray] = {}

    def array(self, name: str, *shape: int) -> FloatArray:
        """Return an uninitialised array; the next call with the same name may overwrite it."""
        size = prod(shape)
        if size > _LARGEST_KEPT:
            return np.empty(shape)
        if name not in self._memory or self._memory[name].size < size:
            self._memory[name] = np.empty(size)
        return self._memory[name][:size].reshape(shape)


class ReducedBasis:
    """The reduced problem on the leading functions of the table.

    Parameters
    ----------
    size
        How many functions; at most `ReducedBasis.available`, and all of them if None.
    tolerance
        Singular value of the profiles, relative to the first, below which one is dropped: the relative error of the
        matrices.
    """

    def __init__(self, size: int | None = None, *, tolerance: float = _PROFILE_TOLERANCE) -> None:
        table = load_table()
        count = self.available()
        self.size = count if size is None else size
        self._order = np.concatenate([[count], np.arange(1, self.size), [0]])
        pairs = _symmetric_index(count + 1)
        self._upper = np.triu_indices(self.size + 1)
        self._unpack = _symmetric_index(self.size + 1)
        self._diagonal = np.arange(1, self.size + 1) * (self.size + 2)
        self._multiplicity = np.where(self._upper[0] == self._upper[1], 1.0, 2.0)[:, None]
        beyond = np.arange(self.size, min(self.size + _NEGLECTED, count))
        used = pairs[self._order[self._upper[0]], self._order[self._upper[1]]]
        columns = np.concatenate([used, pairs[beyond[:, None], self._order].ravel(), pairs[beyond, beyond]])
        profiles, forms = _compress(table["profiles"] @ table["forms"][:, columns], tolerance)
        self._forms = np.ascontiguousarray(forms[:, : used.size])
        self._beyond = np.ascontiguousarray(forms[:, used.size :].T)
        self._first, self._polynomials = _extended_polynomials(int(table["first"]), profiles)
        self._table_first, self._zero_temperature = int(table["first"]), table["zero_temperature"][:, self._order]

    @staticmethod
    def available() -> int:
        """Number of functions in the table."""
        return int(load_table()["combinations"].shape[0])

    def profiles(
        self, first: int, coupling: FloatArray, centre: NDArray[np.intp], workspace: Workspace | None = None
    ) -> FloatArray:
        """Sum couplings over the profiles around a temperature.

        Parameters
        ----------
        first
            Lattice index of the first coupling.
        coupling
            Couplings on the lattice in ln w, shape (size, batch).
        centre
            Lattice index of ln T, shape (batch,), sorted.
        workspace
            Memory to be used for the result.

        Returns
        -------
        ndarray
            Coefficients of the polynomials in (ln T)/STEP - ``centre``, shape (coefficients, m, batch).
        """
        batch = centre.size
        table = self._polynomials
        result = (workspace or Workspace()).array("profiles", table.shape[1], batch)
        edges = [0, *(np.flatnonzero(np.diff(centre)) + 1).tolist(), batch]
        for start, stop in pairwise(edges):
            row = first - int(centre[start]) - self._first
            low, high = max(0, -row), min(coupling.shape[0], len(table) - row)
            np.matmul(table[row + low : row + high].T, coupling[low:high, start:stop], out=result[:, start:stop])
        return result.reshape(_COEFFICIENTS, -1, batch)

    def evaluate(
        self, profiles: FloatArray, offset: FloatArray, repulsion: FloatArray, workspace: Workspace | None = None
    ) -> Stability:
        """Solve the reduced problem at one temperature for each spectrum.

        Parameters
        ----------
        profiles
            From `profiles`, shape (coefficients, m, batch).
        offset
            (ln T)/STEP - centre, at most 1/2, shape (batch,).
        repulsion
            [1/mu* + ln(2 e^gamma w_ref/(pi T))]/2 > 0, shape (batch,); infinite for mu* = 0.
        workspace
            Memory for intermediate arrays.

        Returns
        -------
        Stability
        """
        workspace = workspace or Workspace()
        batch, order = offset.size, self.size + 1
        sums, derivatives = _polynomial(profiles, offset)
        elements = np.matmul(-self._forms.T, sums, out=workspace.array("elements", self._upper[0].size, batch))
        stability = workspace.array("stability", order, order, batch)
        np.take(elements, self._unpack, axis=0, out=stability, mode="clip")
        diagonal = np.arange(1, self.size + 1)
        stability[diagonal, diagonal] += 1
        stability[0, 0] -= repulsion
        value, gap, definite = _eliminate(stability, workspace.array("scratch", order - 1, order - 1, batch))
        products = np.take(gap, self._upper[0], axis=0, out=elements, mode="clip")
        products *= gap[self._upper[1]]
        products *= self._multiplicity
        slope = gap[0] ** 2 / 2 - np.einsum("mb,mb->b", self._forms @ products, derivatives) / STEP
        return Stability(value, slope, gap, definite, sums)

    def evaluate_one(self, first: int, coupling: FloatArray, log_t: float, repulsion: float) -> StabilityOfOne:
        """Do as `profiles` and `evaluate` for a single spectrum, coupling of shape (size,): less to arrange."""
        centre = round(log_t / STEP)
        offset = log_t / STEP - centre
        row = first - centre - self._first
        low, high = max(0, -row), min(coupling.size, len(self._polynomials) - row)
        profiles = (coupling[low:high] @ self._polynomials[row + low : row + high]).reshape(_COEFFICIENTS, -1)
        powers = offset**_EXPONENTS
        sums, derivatives = powers @ profiles, (_EXPONENTS[1:] * powers[:-1]) @ profiles[1:]
        stability = -(sums @ self._forms)[self._unpack]
        stability.flat[self._diagonal] += 1
        stability[0, 0] -= repulsion
        value, gap, definite = _eliminate_one(stability)
        products = gap[self._upper[0]] * gap[self._upper[1]] * self._multiplicity[:, 0]
        slope = gap[0] ** 2 / 2 - (self._forms @ products) @ derivatives / STEP
        return StabilityOfOne(value, float(slope), gap, definite, sums)

    def neglected(self, state: Stability, workspace: Workspace | None = None) -> FloatArray:
        """Compute how much the functions not used would lower s, to second order, shape (batch,)."""
        memory = (workspace or Workspace()).array("beyond", len(self._beyond), state.sums.shape[1])
        elements = np.matmul(self._beyond, state.sums, out=memory)
        order = self.size + 1
        count = len(elements) // (order + 1)
        residual = np.einsum("inb,nb->ib", elements[: count * order].reshape(count, order, -1), state.gap)
        return np.asarray((residual**2 / (1 - elements[count * order :])).sum(axis=0))

    def neglected_by_one(self, state: StabilityOfOne) -> float:
        """Do as `neglected` for a single spectrum."""
        elements = self._beyond @ state.sums
        count = elements.size // (self.size + 2)
        residual = elements[:-count].reshape(count, -1) @ state.gap
        return float((residual**2 / (1 - elements[-count:])).sum())

    def unstable_at_zero_temperature(
        self, first: int, coupling: FloatArray, centre: NDArray[np.intp], repulsion: FloatArray
    ) -> NDArray[np.bool_]:
        """Decide whether the normal state is unstable somewhere below a temperature at which it is stable.

        Parameters
        ----------
        first, coupling
            As for `profiles`.
        centre
            Lattice index of a temperature far below the phonons, shape (batch,), sorted.
        repulsion
            As for `evaluate`, at that temperature.

        Returns
        -------
        ndarray
            Shape (batch,); the form is that of `matsubara.superconducts_at_zero_temperature`.
        """
        sums = self.profiles(first, coupling, centre)[0]
        form = (self._forms.T @ sums)[self._unpack]
        order = self.size + 1
        matrix = np.zeros((centre.size, order + 1, order + 1))
        matrix[:, :order, :order] = np.moveaxis(form, 2, 0)
        diagonal = np.arange(1, order)
        matrix[:, diagonal, diagonal] -= 1
        matrix[:, order, order] = 2 * coupling.sum(axis=0)
        # Below the table the link of a mode no longer depends on w/T; above it there is no coupling
        points = first - centre[:, None] - self._table_first + np.arange(coupling.shape[0])
        table = self._zero_temperature[np.clip(points, 0, len(self._zero_temperature) - 1)]
        link = np.einsum("kb,bki->bi", coupling, table)
        link[:, 0] += 1
        matrix[:, :order, order] = matrix[:, order, :order] = link
        weight = 1 / (matrix[:, 0, 0] + repulsion)
        row = matrix[:, 0, 1:]
        reduced = matrix[:, 1:, 1:] - weight[:, None, None] * row[:, :, None] * row[:, None, :]
        return np.asarray(np.linalg.eigvalsh(reduced)[:, -1] > 0)


def _symmetric_index(order: int) -> NDArray[np.intp]:
    """Positions in the packed upper triangle of the elements of a symmetric matrix."""
    rows, columns = np.triu_indices(order)
    index = np.empty((order, order), dtype=np.intp)
    index[rows, columns] = index[columns, rows] = np.arange(rows.size)
    return index


def _compress(values: FloatArray, tolerance: float) -> tuple[FloatArray, FloatArray]:
    left, singular, right = np.linalg.svd(values, full_matrices=False)
    kept = singular > tolerance * singular[0]
    return left[:, kept] * singular[kept], right[kept]


def _extended_polynomials(first: int, profiles: FloatArray) -> tuple[int, FloatArray]:
    """Local polynomials in ln T of G's profiles, continued by the law y^2 to the lowest ln y.

    Row k holds, around y = w/T of lattice point k, the coefficients of powers of the shift of ln T in steps.
    """
    square = np.exp(2 * STEP * (first + np.arange(len(profiles))))
    scaled = profiles * (square / (1 + square))[:, None]
    below = ceil(first - _LOWEST_LOG_RATIO / STEP)
    scaled = np.concatenate([scaled[0] * np.exp(2 * STEP * np.arange(-below, 0.0))[:, None], scaled])
    nodes = _REACH * np.cos(np.pi * (np.arange(_COEFFICIENTS) + 0.5) / _COEFFICIENTS)
    reach = ORDER // 2
    interpolation = np.zeros((_COEFFICIENTS, 2 * reach + 1))
    for row, node in enumerate(nodes):
        start = reach + floor(node) + 1 - ORDER // 2
        interpolation[row, start : start + ORDER] = lagrange_weights(np.array(node - floor(node)))
    # ln y falls as ln T rises: odd powers change sign
    fit = np.linalg.solve(np.vander(-nodes, _COEFFICIENTS, increasing=True), interpolation)
    padded = np.pad(scaled, ((reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    polynomials = np.einsum("qk,ymk->yqm", fit, windows, optimize=True)
    return first - below, np.ascontiguousarray(polynomials.reshape(len(scaled), -1))


def _polynomial(coefficients: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Polynomials and their derivatives, shape (m, batch) each."""
    derivative = coefficients[-1].copy()
    value = coefficients[-1] * offset
    value += coefficients[-2]
    for row in coefficients[-3::-1]:
        derivative *= offset
        derivative += value
        value *= offset
        value += row
    return value, derivative


def _eliminate(matrices: FloatArray, scratch: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Last pivot, its vector and the sign of the pivots between of symmetric matrices, shape (order, order, batch).

    The first pivot, that of C, is negative. Overwrites its arguments.
    """
    order, batch = matrices.shape[1:]
    definite = np.ones(batch, dtype=np.bool_)
    rows = []
    for pivot in range(order - 1):
        row = matrices[pivot, pivot + 1 :]
        if pivot:
            definite &= matrices[pivot, pivot] > 0
        scaled = row / matrices[pivot, pivot]
        rest = matrices[pivot + 1 :, pivot + 1 :]
        rest -= np.multiply(row[:, None], scaled, out=scratch[pivot:, pivot:])
        rows.append(scaled)
    vector = np.ones((order, batch))
    for pivot in range(order - 2, -1, -1):
        vector[pivot] = -np.einsum("jb,jb->b", rows[pivot], vector[pivot + 1 :])
    return matrices[-1, -1].copy(), vector, definite


def _eliminate_one(matrix: FloatArray) -> tuple[float, FloatArray, bool]:
    """Do as `_eliminate` does for one matrix, by Cholesky factorisation."""
    coulomb = matrix[0, 1:] / matrix[0, 0]
    reduced = matrix[1:, 1:] - matrix[0, 1:, None] * coulomb
    _, solution, failure = scipy.linalg.lapack.dposv(reduced[:-1, :-1], reduced[:-1, -1])
    vector = np.ones(len(matrix))
    vector[1:-1] = -solution
    vector[0] = -coulomb @ vector[1:]
    return float(reduced[-1] @ vector[1:]), vector, failure == 0
