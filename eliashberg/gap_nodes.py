"""The gap equation of a batch on the nodes of `matsubara_panels`.

Energies are in units of pi T: x_n = 2n+1, D_n = Delta_n/(pi T), R_n = (x_n^2 + D_n^2)^(1/2), C = D_infinity. With the
sums of `gap_tensors` and h_n = x_n D_n/R_n, of which h_n - C and 1 - x_n/R_n decay, the equations are

    Z_n D_n = sum_j pairing_nj (h_j - C) + C (1 + constant_n),
    Z_n = normal_n - sum_j screening_nj (1 - x_j/R_j),
    C [1 + mu* ln(2 e^gamma w_ref/(pi T))] + 2 mu* sum_j measure_j (h_j - C) = 0.

The last one is C = -2 mu*(w_c) sum_{w_m<w_c} pi T D_m/R_m in the limit of an infinite cutoff, with 1/mu*(w_c) = 1/mu* +
ln(w_ref/w_c) and sum_{m<M} 1/(2m+1) = [ln(4M) + gamma]/2; nothing in it can vanish or diverge.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hightc.eliashberg.gap_tensors import GapMatrices
from hightc.eliashberg.modes import FloatArray

LEAST_STIFFNESS = 0.25
"""Least `NodeEquations.stiffness` for which C is eliminated; it takes mu* > 0.3 and strong coupling to get below."""


@dataclass(frozen=True, eq=False)
class NodeEquations:
    """Equations of a batch, one spectrum, temperature and mu* in each row.

    Attributes
    ----------
    odd
        x_n = 2n+1 of the nodes, shape (J,).
    measure
        Weights of sum_m d_m/(2m+1), shape (J,).
    matrices
        Sums of the equations.
    mu_star
        Shape (batch,).
    logarithm
        mu* ln(2 e^gamma w_ref/(pi T)), shape (batch,).
    """

    odd: FloatArray
    measure: FloatArray
    matrices: GapMatrices
    mu_star: FloatArray
    logarithm: FloatArray

    def subset(self, rows: NDArray[np.bool_]) -> "NodeEquations":
        """Equations of some rows, given as a mask of shape (batch,)."""
        return NodeEquations(
            self.odd, self.measure, self.matrices.subset(rows), self.mu_star[rows], self.logarithm[rows]
        )

    def _sums(self, gap: FloatArray, constant: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return R_n, h_n - C, the first equation's right side without its term C, and Z_n, each (batch, J)."""
        root = np.sqrt(self.odd**2 + gap**2)
        reduced = gap / root
        decaying = self.odd * reduced - constant[:, None]
        pairing = np.matvec(self.matrices.pairing, decaying)
        pairing += constant[:, None] * self.matrices.constant_row
        screening = np.matvec(self.matrices.screening, gap * reduced / (root + self.odd))
        return root, decaying, pairing, self.matrices.normal - screening

    def sides(self, gap: FloatArray, constant: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the first equation's right side and Z_n, each (batch, J), and the third one's left side, (batch,).

        Parameters
        ----------
        gap
            D_n, shape (batch, J).
        constant
            C, shape (batch,).
        """
        _, decaying, pairing, renormalisation = self._sums(gap, constant)
        coulomb = constant * (1 + self.logarithm) + 2 * self.mu_star * (decaying @ self.measure)
        return pairing + constant[:, None], renormalisation, coulomb

    def step(self, gap: FloatArray, constant: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the D_n, (batch, J), and C, (batch,), that a gap produces, and Z_n, (batch, J).

        C follows from the third equation with h = D x/R for the new D and the old R.
        """
        root, _, pairing, renormalisation = self._sums(gap, constant)
        inverse = 1 / renormalisation
        ratio = self.odd / root * inverse
        stiffness = 1 + self.logarithm + 2 * self.mu_star * ((ratio - 1) @ self.measure)
        new = -2 * self.mu_star * ((ratio * pairing) @ self.measure) / stiffness
        return (pairing + new[:, None]) * inverse, new, renormalisation

    @cached_property
    def stiffness(self) -> FloatArray:
        """How firmly the third equation holds C at zero, relative to no phonons, shape (batch,).

        For D = C/Z it reads [1 + mu* ln(...) - 2 mu* sum_j measure_j (1 - 1/Z_j)] C = 0; this is the bracket over its
        value for Z = 1.
        """
        return 1 + 2 * self.mu_star * ((1 / self.matrices.normal - 1) @ self.measure) / (1 + self.logarithm)

    @cached_property
    def _repulsion(self) -> FloatArray:
        """Weights of minus C in (right side without C) for an infinitesimal gap, shape (batch, J)."""
        firm = np.where(self.stiffness > LEAST_STIFFNESS, self.stiffness * (1 + self.logarithm), np.nan)
        return (2 * self.mu_star / firm)[:, None] * self.measure / self.matrices.normal

    def linear_step(self, gap: FloatArray, constant: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the D_n and C of `step` for an infinitesimal gap and the Rayleigh quotient of that map, (batch,).

        The quotient is taken in the metric of the kernel, in which the map is symmetric: it is a lower bound of the
        largest eigenvalue. It is nan where C is less stiff than `LEAST_STIFFNESS`.
        """
        pairing = np.matvec(self.matrices.pairing, gap - constant[:, None])
        pairing += constant[:, None] * self.matrices.constant_row
        inverse = 1 / self.matrices.normal
        new = -np.vecdot(pairing, self._repulsion)
        new_gap = (pairing + new[:, None]) * inverse
        weighted = pairing * self.measure
        return new_gap, new, np.vecdot(weighted, new_gap) / np.vecdot(weighted, gap)

    def linear_matrix(self) -> FloatArray:
        """Return the map of `linear_step` on (D, C) as matrices, shape (batch, J+1, J+1)."""
        m = self.matrices
        inverse = 1 / m.normal
        last = m.constant_row - m.pairing.sum(axis=2)
        pairing = np.concatenate([m.pairing, last[:, :, None]], axis=2)
        row = -np.vecmat(self._repulsion, pairing)
        return np.concatenate([(pairing + row[:, None, :]) * inverse[:, :, None], row[:, None, :]], axis=1)

    def jacobian(self, gap: FloatArray, renormalisation: FloatArray) -> FloatArray:
        """Return derivatives of Z D - (right side) and of the third equation by (D, C), shape (batch, J+1, J+1)."""
        size = self.odd.size
        ratio = self.odd / np.sqrt(self.odd**2 + gap**2)
        cube = ratio**3
        result = np.empty((gap.shape[0], size + 1, size + 1))
        block = result[:, :size, :size]
        np.multiply(self.matrices.screening, (cube * gap / self.odd**2)[:, None, :], out=block)
        block *= -gap[:, :, None]
        block -= self.matrices.pairing * cube[:, None, :]
        diagonal = np.arange(size)
        block[:, diagonal, diagonal] += renormalisation
        result[:, :size, size] = self.matrices.pairing.sum(axis=2) - 1 - self.matrices.constant_row
        result[:, size, :size] = 2 * self.mu_star[:, None] * self.measure * cube
        result[:, size, size] = 1 + self.logarithm - 2 * self.mu_star * self.measure.sum()
        return result
