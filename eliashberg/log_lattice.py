"""Spectra on a lattice of equal steps in ln w, on which a change of temperature is a shift.

Every integral of the theory is a sum over modes of lam_j f(ln w_j - ln T) with an f that is analytic within pi/2
of the real axis: the kernel w^2/(w^2 + nu^2). Lagrange interpolation of f between lattice points is exact to
1e-9 for the step and the order used here. Read backwards, it distributes each mode over ``ORDER`` lattice points;
the integrals then are products with a table of f on the lattice, the same table for every spectrum and every
temperature.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, floor

import numpy as np

from hightc.eliashberg.modes import FloatArray, frozen

STEP = 0.125
"""Step of the lattice in ln w."""

ORDER = 12
"""Points over which one mode is distributed.

The error of interpolation in the middle of the stencil is (STEP/(pi/2))^ORDER (1/2 3/2 5/2 7/2 9/2 11/2)^2 = 2e-9.
"""


FRACTIONS = np.array([1e-30, 1 / 30, 1 / 10, 1 / 3])
"""Of the highest frequency: modes below each of them are left out in turn where Tc is estimated."""


def lagrange_weights(fraction: FloatArray) -> FloatArray:
    """Weights of Lagrange interpolation between the two middle points of a stencil.

    Parameters
    ----------
    fraction
        Distance from the left one of the two middle points in steps, 0 to 1, shape (...).

    Returns
    -------
    ndarray
        Weights of the points 1 - ORDER/2, ..., ORDER/2, shape (..., ORDER); they sum to 1.
    """
    points = np.arange(1 - ORDER // 2, ORDER // 2 + 1, dtype=np.float64)
    distance = np.asarray(fraction)[..., None] - points
    weights = np.ones_like(distance)
    for point in range(ORDER):
        others = np.delete(np.arange(ORDER), point)
        weights[..., point] = np.prod(distance[..., others] / (points[point] - points[others]), axis=-1)
    return weights


@dataclass(frozen=True, eq=False)
class LogLattice:
    """The lattice points that a frequency grid needs, and the distribution of its modes over them.

    Attributes
    ----------
    first
        Index of the first point: point k stands for ln(w/meV) = STEP (first + k).
    distribution
        Shape (n, size): couplings lam_j of the n modes, times this matrix, are couplings of the lattice points.
    """

    first: int
    distribution: FloatArray

    @classmethod
    def of(cls, omega_mev: FloatArray) -> "LogLattice":
        """Lattice for modes at ``omega_mev``, positive frequencies in meV of shape (n,) in any order."""
        position = np.log(omega_mev) / STEP
        first = floor(position.min()) + 1 - ORDER // 2
        size = ceil(position.max()) + ORDER // 2 - first + 1
        left = np.floor(position).astype(int)
        columns = (left - first)[:, None] + np.arange(1 - ORDER // 2, ORDER // 2 + 1)
        distribution = np.zeros((position.size, size))
        np.put_along_axis(distribution, columns, lagrange_weights(position - left), axis=1)
        return cls(first, frozen(distribution))

    @property
    def size(self) -> int:
        """Number of lattice points."""
        return int(self.distribution.shape[1])

    @property
    def log_omega(self) -> FloatArray:
        """ln(w/meV) of the lattice points, shape (size,)."""
        return STEP * np.arange(self.first, self.first + self.size, dtype=np.float64)

    @property
    def top_mev(self) -> float:
        """Highest frequency of the grid in meV, rounded up to a lattice point."""
        return float(np.exp(STEP * (self.first + self.size - ORDER // 2)))

    @cached_property
    def upper_moments(self) -> FloatArray:
        """Weights of three sums over the modes above each of `FRACTIONS` of the top, shape (size, 3 fractions).

        Coupling, coupling times ln x and coupling times x^2, x = w/top, are each summed for all fractions.
        """
        log_x = self.log_omega - np.log(self.top_mev)
        above = log_x[:, None] >= np.log(FRACTIONS)
        columns = [above * weight[:, None] for weight in (np.ones(self.size), log_x, np.exp(2 * log_x))]
        return frozen(np.concatenate(columns, axis=1))


def lattice_of(omega_mev: FloatArray) -> LogLattice:
    """Build the lattice of a frequency grid, or return that of the same grid met shortly before."""
    return _lattice_of(omega_mev.tobytes())


@lru_cache(maxsize=16)
def _lattice_of(content: bytes) -> LogLattice:
    return LogLattice.of(np.frombuffer(content))


def shift(coupling: FloatArray, fraction: FloatArray) -> FloatArray:
    """Move couplings on the lattice by a fraction of a step, as a temperature between lattice points asks for.

    Parameters
    ----------
    coupling
        Couplings of the lattice points, shape (batch, size).
    fraction
        How far to move every spectrum towards higher points, 0 to 1 steps, shape (batch,).

    Returns
    -------
    ndarray
        Couplings, shape (batch, size + ORDER - 1), whose point k lies ORDER/2 - 1 steps below point k of
        ``coupling``.
    """
    weights = lagrange_weights(fraction)
    size = coupling.shape[1]
    moved = np.zeros((coupling.shape[0], size + ORDER - 1))
    for point in range(ORDER):
        moved[:, point : point + size] += weights[:, point, None] * coupling
    return moved
