"""The gap equation on a few Matsubara frequencies, linear in the spectrum, tabulated for all temperatures at once.

For functions d, e that decay, given at the nodes of `matsubara_panels`, the sums of the gap equation are

    sum_m [lambda_{n-m} + lambda_{n+m+1}] d_m/(2m+1) = sum_j pairing_nj d_j,
    sum_m [lambda_{n-m} - lambda_{n+m+1}] e_m/(2n+1) = sum_j screening_nj e_j

over all m >= 0: there is no cutoff. A mode of frequency w contributes lam w^2/(w^2 + (2 pi T k)^2) to lambda_k, a
function of w/T alone, so that tensors on a lattice in ln(w/T) serve every spectrum and temperature.

Everywhere lambda_1 stands in place of lambda_0. Phonons much slower than T scatter like static impurities: lambda_0
adds the same lambda_0 D_n/R_n to both sides of the gap equation, so that any part of it may be taken out (P. W.
Anderson, J. Phys. Chem. Solids 11, 26 (1959)). With it iterations would crawl. Z_n gets its
(lambda_0 - lambda_1) pi T/R_n back in the end.
"""

from dataclasses import dataclass
from functools import cache
from math import ceil, floor, log, pi

import numpy as np
from numpy.typing import NDArray

from hightc.eliashberg.log_lattice import ORDER, STEP, shift
from hightc.eliashberg.matsubara_panels import MatsubaraNodes, finite_rule, summation_rule
from hightc.eliashberg.modes import FloatArray

LOWEST_RATIO = 1e-3
"""Modes with w/T below act like this one: lambda_k with k > 0 is then (w/2 pi T)^2 < 3e-8 of lambda_0."""

_SCALE = 4.0  # largest feature of the gap over that of the kernel
_REACH = 8.0  # of the sums over the last node
_COMPRESSION = 1e-10  # singular values of the table kept, relative to the largest


@dataclass(frozen=True, eq=False)
class GapMatrices:
    """Sums of the gap equation for a batch of spectra and temperatures.

    Attributes
    ----------
    pairing
        Sums over decaying d_j, shape (batch, J, J).
    screening
        Sums over e_j = 1 - w_j/R_j divided by 2n+1, shape (batch, J, J).
    constant_row
        sum_m [lambda_{n-m} + lambda_{n+m+1}]/(2m+1), shape (batch, J).
    normal
        Z_n of the normal state, shape (batch, J).
    static
        lambda_0 - lambda_1, left out of the others, shape (batch,).
    """

    pairing: FloatArray
    screening: FloatArray
    constant_row: FloatArray
    normal: FloatArray
    static: FloatArray

    def subset(self, rows: NDArray[np.bool_]) -> "GapMatrices":
        """Sums of some rows, given as a mask of shape (batch,)."""
        return GapMatrices(
            self.pairing[rows], self.screening[rows], self.constant_row[rows], self.normal[rows], self.static[rows]
        )


@dataclass(frozen=True, eq=False)
class GapTensors:
    """Tables for all w/T up to a limit; made by `gap_tensors`.

    Attributes
    ----------
    nodes
        The Matsubara frequencies.
    measure
        Weights of sum_m d_m/(2m+1) over decaying functions, shape (J,).
    first
        Lattice index of the first ln(w/T), in units of the lattice's step.
    left, right
        The table is their product; shapes (size, rank) and (rank, 2 J^2 + 2 J + 1).
    """

    nodes: MatsubaraNodes
    measure: FloatArray
    first: int
    left: FloatArray
    right: FloatArray

    def matrices(self, first: int, coupling: FloatArray, temperature_mev: FloatArray) -> GapMatrices:
        """Sums for spectra on a `LogLattice`.

        Parameters
        ----------
        first
            Index of the first lattice point in ln(w/meV).
        coupling
            Couplings of the lattice points, shape (batch, size).
        temperature_mev
            kB T in meV, shape (batch,).

        Returns
        -------
        GapMatrices
        """
        position = -np.log(temperature_mev) / STEP
        offset = np.floor(position).astype(np.intp)
        moved = shift(coupling, position - offset)
        start = offset + (first - (ORDER // 2 - 1))
        low, high = int(start.min()), int(start.max()) + moved.shape[1]
        profile = np.zeros((moved.shape[0], high - low))
        np.put_along_axis(profile, (start - low)[:, None] + np.arange(moved.shape[1]), moved, axis=1)
        values = (profile @ self._rows(low, high)) @ self.right
        batch, size = values.shape[0], self.measure.size
        return GapMatrices(
            pairing=values[:, : size**2].reshape(batch, size, size),
            screening=values[:, size**2 : 2 * size**2].reshape(batch, size, size),
            constant_row=values[:, 2 * size**2 : 2 * size**2 + size],
            normal=1 + values[:, 2 * size**2 + size : -1],
            static=values[:, -1],
        )

    def _rows(self, low: int, high: int) -> FloatArray:
        """Left factor for lattice indices low <= k < high: constant below the table, zero above."""
        index = np.arange(low, high) - self.first
        rows = self.left[np.clip(index, 0, self.left.shape[0] - 1)]
        rows[index >= self.left.shape[0]] = 0.0
        return rows


@cache
def gap_tensors(highest_ratio: float) -> GapTensors:
    """Tabulate the sums for w/T up to ``highest_ratio``.

    Parameters
    ----------
    highest_ratio
        Limit of w/kB T for all modes that couple.

    Returns
    -------
    GapTensors
        The same object for the same limit in one process.
    """
    nodes = MatsubaraNodes(_SCALE * highest_ratio / (2 * pi))
    first, last = floor(log(LOWEST_RATIO) / STEP), ceil(log(highest_ratio) / STEP) + ORDER
    ratio = np.exp(STEP * np.arange(first, last + 1))
    rows = [_row(nodes, ratio, int(n)) for n in nodes.index]
    blocks = [np.stack([row[i] for row in rows], axis=1).reshape(ratio.size, -1) for i in range(4)]
    blocks.append(1 - _kernel(ratio, np.zeros(1)))
    left, singular, right = np.linalg.svd(np.hstack(blocks), full_matrices=False)
    rank = int(np.sum(singular > _COMPRESSION * singular[0]))
    position, weight = summation_rule(0, _REACH * nodes.index[-1])
    measure = (weight / (2 * position)) @ nodes.interpolation(position)
    return GapTensors(nodes, measure, first, left[:, :rank] * singular[:rank], np.ascontiguousarray(right[:rank]))


def _row(nodes: MatsubaraNodes, ratio: FloatArray, n: int) -> tuple[FloatArray, ...]:
    """Row n of the four tables for modes of unit coupling: shapes (size, J), (size, J), (size,), (size,)."""
    position, weight = summation_rule(n, _REACH * nodes.index[-1])
    interpolation = nodes.interpolation(position) * weight[:, None]
    near, far = (_kernel(ratio, n + 0.5 + sign * position) for sign in (-1, 1))
    inverse = 1 / (2 * position)
    constant = (near + far) @ (weight * inverse)
    normal = _kernel(ratio, np.zeros(1))[:, 0]
    if n > 0:
        half, number = finite_rule(n)
        normal = normal + 2 * (_kernel(ratio, half + 0.5) @ number)
    return (
        (near + far) @ (interpolation * inverse[:, None]),
        (near - far) @ interpolation / (2 * n + 1),
        constant,
        normal / (2 * n + 1),
    )


def _kernel(ratio: FloatArray, k: NDArray[np.float64]) -> FloatArray:
    """lambda_k of modes of unit coupling, lambda_1 in place of lambda_0, shape (size, number of k)."""
    square = ratio[:, None] ** 2
    return square / (square + (2 * pi * np.where(k == 0, 1.0, k)) ** 2)
