"""The non-linear gap equation on the imaginary axis, one temperature, without any visible cutoff.

With x_n = 2n+1, D_n = Delta(i w_n)/(pi T), s_m = D_m/R_m, c_m = x_m/R_m and R = sqrt(x^2 + D^2),

    Z_n x_n = x_n + sum_{m>=0} (lambda_{n-m} - lambda_{n+m+1}) c_m,
    Z_n D_n = sum_{m>=0} (lambda_{n-m} + lambda_{n+m+1}) s_m + C,
    C [1/mu* + ln(2 e^gamma w_ref / (pi T))] = -2 sum_{m>=0} [s_m - C/x_m].

The last line is C = -2 mu*(w_c) sum_{w_m<w_c} s_m with 1/mu*(w_c) = 1/mu* + ln(w_ref/w_c): since D_m -> C, its sum
goes as C sum 1/x_m = (C/2) ln(4 e^gamma w_c/(2 pi T)), and the cutoff drops out.

D_n is kept for n < N, and D = C beyond. There c_m = 1 and s_m = C/x_m up to (C/x_N)^2, so that

* Z is its normal-state value, known for all m, less a sum over 1 - c_m;
* with r_n = sum_{m>=N} (lambda_{n-m} + lambda_{n+m+1})/x_m, which `kernel.constant_gap_row` gives, the tail of the
  second line is C r_n;
* in the third line the frequencies left out follow C, up to D_n - C as the second line gives it, n >= N, and with the
  integral of C/x_m - s_m, the only one that falls as slowly as N^-2.

This is the stationary point of the free energy over the D_n with a constant tail: the solution is wrong by the
fourth power of w_ph/w_N, and it bifurcates where the eigenvalue of `matsubara.gap_operator` with the same N
exceeds 1.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log, sqrt

import numpy as np

from hightc.eliashberg.kernel import SymmetricConvolution
from hightc.eliashberg.matsubara import GapOperator
from hightc.eliashberg.modes import FloatArray

CONSTANT_TOLERANCE = 1e-8
"""Last change of C by Newton's method, relative to the largest |Delta_n|; the error left is of its square."""

_NEWTON_STEPS = 50


@dataclass(frozen=True, eq=False)
class GapEquation:
    """The map of a gap to the gap that it produces; energies are in units of pi T.

    Parameters
    ----------
    operator
        The linearised operator at the same temperature, with the same N.
    """

    operator: GapOperator

    @cached_property
    def odd_numbers(self) -> FloatArray:
        """x_n = 2n+1 = w_n/(pi T), shape (N,)."""
        return 1 / self.operator.measure

    @cached_property
    def _convolution(self) -> SymmetricConvolution:
        return SymmetricConvolution(self.operator.kernel, self.operator.measure.size)

    @cached_property
    def tail_row(self) -> FloatArray:
        """r_n = sum_{m>=N} (lambda_{n-m} + lambda_{n+m+1})/x_m, shape (N,); zeros without repulsion."""
        if self.operator.coulomb_weight == 0:
            return np.zeros_like(self.operator.measure)
        return self._constant_row - self._kept_row

    @cached_property
    def _constant_row(self) -> FloatArray:
        measure = self.operator.measure
        return np.asarray(self.operator.coulomb_row / np.sqrt(measure) + measure * self.operator.renormalisation)

    @cached_property
    def _kept_row(self) -> FloatArray:
        return self._convolution(self.operator.measure)

    @cached_property
    def _stiffness(self) -> float:
        """Coefficient k of C k = -sum_{m<N} (1 + r_m) (s_m - C/x_m); infinite without repulsion."""
        if self.operator.coulomb_weight == 0:
            return float("inf")
        measure, renormalisation = self.operator.measure, self.operator.renormalisation
        kept = measure @ (self._kept_row - measure * renormalisation)
        return float(1 / self.operator.coulomb_weight - measure @ self.tail_row - kept)

    def constant(self, decaying: FloatArray) -> float:
        """Solve the third line for C, given D_n - C, shape (N,), by Newton's method; in units of pi T.

        It stops when C moves by less than `CONSTANT_TOLERANCE` of the largest |D_n|.
        """
        measure, weight = self.operator.measure, 1 + self.tail_row
        if self.operator.coulomb_weight == 0:
            return 0.0
        constant = -float(weight @ (measure * decaying)) / self._stiffness
        for _ in range(_NEWTON_STEPS):
            gap = decaying + constant
            root = np.hypot(self.odd_numbers, gap)
            excess = self._stiffness * constant + weight @ (gap / root - constant * measure) - self._bent(constant)
            slope = self._stiffness + weight @ (self.odd_numbers**2 / root**3 - measure)
            change = -float(excess / slope)
            constant += change
            if abs(change) <= CONSTANT_TOLERANCE * np.abs(gap).max():
                break
        return constant

    def _bent(self, constant: float) -> float:
        """Return sum_{m>=N} (C/x_m - s_m) for D = C, about C (C/N)^2/32, by the midpoint rule."""
        return constant / 2 * log((1 + sqrt(1 + (constant / (2 * self.operator.measure.size)) ** 2)) / 2)

    def renormalised(self, gap: FloatArray, constant: float) -> tuple[FloatArray, FloatArray]:
        """Return Z_n D_n and Z_n that the gap D, shape (N,), with the asymptotic value C produces, each (N,)."""
        x, measure = self.odd_numbers, self.operator.measure
        root = np.hypot(x, gap)
        even, odd = self._convolution.both(gap / root, gap**2 / (root * (root + x)))
        pairing = even + constant * (1 + self.tail_row)
        return pairing, 1 + measure * (self.operator.renormalisation - odd)

    def excess(self, decaying: FloatArray) -> float:
        """Return half the derivative of the condensation energy along D_n - C itself, shape (N,).

        C follows. At the bifurcation and for a small gap it vanishes together with the form Q of `matsubara`.
        """
        constant = self.constant(decaying)
        gap = decaying + constant
        pairing, renormalisation = self.renormalised(gap, constant)
        return float((self.operator.measure * decaying) @ (pairing - renormalisation * gap))

    def step(self, decaying: FloatArray) -> tuple[FloatArray, float]:
        """Apply the gap equation once.

        Parameters
        ----------
        decaying
            D_n - C for n < N in units of pi T, shape (N,).

        Returns
        -------
        tuple
            The new D_n - C, shape (N,), and the residual max |change of D_n| / max |D_n|.
        """
        constant = self.constant(decaying)
        gap = decaying + constant
        pairing, renormalisation = self.renormalised(gap, constant)
        new = pairing / renormalisation
        return new - constant, float(np.abs(new - gap).max() / np.abs(gap).max())
