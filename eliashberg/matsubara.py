"""The linearised gap equation as one symmetric eigenvalue problem without a Coulomb cutoff.

With 1/mu*(w_c) = 1/mu* + ln(w_ref/w_c) the limit of an infinite Coulomb cutoff exists. The gap splits into
D_n = d_n + C with d_n -> 0, and Tc is where the largest eigenvalue of

    Q(d, C) = <D|K - Zm|D> - sum_n p_n d_n^2 + (C^2/2) [1/mu* + ln(2 e^gamma w_ref / (pi T))],
    <a|K|b>  = sum_{n,m} p_n p_m a_n b_m (lambda_{n-m} + lambda_{n+m+1}),    p_n = 1/(2n+1),
    <a|Zm|b> = sum_n p_n^2 a_n b_n z_n,            z_n = lambda_0 + 2 sum_{1<=k<=n} lambda_k,

crosses zero once C is eliminated by dQ/dC = 0, a rank-one update; mu* = 0 drops C. Here d_n is kept for n < N
and every sum over C alone runs to infinity, so that N is a variational parameter: the largest eigenvalue
rises with N, and the part still missing is second order in the neglected d_n.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy

from hightc.eliashberg.coulomb import THERMAL_FACTOR
from hightc.eliashberg.errors import ConvergenceError
from hightc.eliashberg.kernel import (
    SymmetricConvolution,
    constant_gap_row,
    constant_gap_square,
    expansion,
    phonon_kernel,
)
from hightc.eliashberg.modes import CoupledModes, FloatArray

DENSE_LIMIT = 100
"""Up to this many Matsubara frequencies a dense eigensolver is the faster one."""

LANCZOS_TOLERANCE = 1e-9
"""Relative residual at which the Lanczos iteration stops; the eigenvalue's error is of its square."""

_LANCZOS_VECTORS = 8  # the largest eigenvalue stands alone: a short basis, restarted, is the cheapest
_TAIL_ORDER = 6


@dataclass(frozen=True, eq=False)
class GapOperator:
    """The form Q at one temperature, restricted to d_n with n < N.

    Attributes
    ----------
    kernel
        lambda_k, shape (size,) with size >= 2 N.
    measure
        p_n = 1/(2n+1), shape (N,).
    renormalisation
        z_n, shape (N,); the mass renormalisation is Z_n = 1 + p_n z_n.
    coulomb_row
        Half the derivative of Q with respect to C and u_n = sqrt(p_n) d_n, shape (N,).
    coulomb_weight
        Inverse of the coefficient of C^2 in Q; 0.0 without repulsion.
    """

    kernel: FloatArray
    measure: FloatArray
    renormalisation: FloatArray
    coulomb_row: FloatArray
    coulomb_weight: float

    def matrix(self) -> FloatArray:
        """Dense A of Q = <u|A|u> - <u|u> with u_n = sqrt(p_n) d_n and C eliminated, shape (N, N)."""
        n, root = self.measure.size, np.sqrt(self.measure)
        pairing = scipy.linalg.toeplitz(self.kernel[:n])
        pairing += scipy.linalg.hankel(self.kernel[1 : n + 1], self.kernel[n : 2 * n])
        pairing *= np.outer(root, root)
        pairing -= np.diag(self.measure * self.renormalisation)
        pairing -= self.coulomb_weight * np.outer(self.coulomb_row, self.coulomb_row)
        return pairing

    @cached_property
    def _convolution(self) -> SymmetricConvolution:
        return SymmetricConvolution(self.kernel, self.measure.size)

    def product(self, vector: FloatArray) -> FloatArray:
        """Return A u without forming A, in O(N log N)."""
        root = np.sqrt(self.measure)
        result = root * self._convolution(root * vector)
        result -= self.measure * self.renormalisation * vector
        result -= self.coulomb_weight * (self.coulomb_row @ vector) * self.coulomb_row
        return result


@dataclass(frozen=True, eq=False)
class Eigenpair:
    """Largest eigenvalue of a `GapOperator` and what it says about the frequencies left out.

    Attributes
    ----------
    value
        Largest eigenvalue of A; the normal state is unstable where it exceeds 1.
    gap
        d_n of the eigenvector, shape (N,), with sum_n p_n d_n^2 = 1.
    """

    value: float
    gap: FloatArray

    @property
    def truncation(self) -> float:
        """Estimate of what the frequencies n >= N would add to ``value``.

        To second order that is value sum_{n>=N} p_n d_n^2. Far above the phonons, with x = n + 1/2, the gap goes as
        d = (alpha + beta ln x/N) (N/x)^2, whose logarithm is the repulsion's; alpha and beta are read off at N and
        N/2, and the sum is alpha^2/8 + alpha beta/16 + beta^2/64. It falls as 1/N^4.
        """
        n = self.gap.size
        x = np.array([n // 2, n - 1]) + 0.5
        middle, alpha = self.gap[[n // 2, n - 1]] * (x / n) ** 2
        beta = (alpha - middle) / np.log(x[1] / x[0])
        return float(self.value * (alpha**2 / 8 + alpha * beta / 16 + beta**2 / 64))


def gap_operator(
    modes: CoupledModes, temperature_mev: float, mu_star: float, reference_mev: float, n_matsubara: int
) -> GapOperator:
    """Build the linearised gap operator.

    Parameters
    ----------
    modes
        The spectrum.
    temperature_mev
        Temperature kB T in meV.
    mu_star
        Coulomb pseudopotential at ``reference_mev``; 0 drops the repulsion.
    reference_mev
        Frequency w_ref in meV to which ``mu_star`` refers; 1/mu* + ln(2 e^gamma w_ref / (pi T)) must be
        positive, or mu* has no value at this temperature.
    n_matsubara
        Number N of positive fermionic frequencies kept; at least 3 and twice w_max / (2 pi T).

    Returns
    -------
    GapOperator
    """
    n = n_matsubara
    kernel = phonon_kernel(modes, temperature_mev, 8 * n)
    coefficients = expansion(modes, temperature_mev, _TAIL_ORDER)
    measure = 1 / (2 * np.arange(n) + 1.0)
    renormalisation = kernel[0] + 2 * np.concatenate([[0.0], np.cumsum(kernel[1:n])])
    row, weight = np.zeros(n), 0.0
    if mu_star > 0:
        row = np.sqrt(measure) * (constant_gap_row(kernel, coefficients, n) - measure * renormalisation)
        repulsion = 1 / mu_star + np.log(THERMAL_FACTOR * reference_mev / temperature_mev)
        weight = 1 / (constant_gap_square(kernel, coefficients) + float(repulsion) / 2)
    return GapOperator(kernel, measure, renormalisation, row, weight)


def largest_eigenpair(operator: GapOperator) -> Eigenpair:
    """Compute the largest eigenvalue, densely up to `DENSE_LIMIT` frequencies and by Lanczos above."""
    if operator.measure.size <= DENSE_LIMIT:
        return largest_eigenpair_dense(operator)
    return largest_eigenpair_lanczos(operator)


def largest_eigenpair_dense(operator: GapOperator) -> Eigenpair:
    """Compute the largest eigenvalue of the dense matrix."""
    last = operator.measure.size - 1
    values, vectors = scipy.linalg.eigh(operator.matrix(), subset_by_index=[last, last])
    return Eigenpair(float(values[0]), np.asarray(vectors[:, 0] / np.sqrt(operator.measure)))


def largest_eigenpair_lanczos(operator: GapOperator) -> Eigenpair:
    """Compute the largest eigenvalue by Lanczos iteration from the constant gap, to `LANCZOS_TOLERANCE`."""
    root = np.sqrt(operator.measure)
    value, vector = largest_by_lanczos(operator.product, root)
    return Eigenpair(value, vector / root)


def superconducts_at_zero_temperature(operator: GapOperator) -> bool:
    """Decide whether the normal state is unstable at some temperature at or below the operator's.

    Going down from T to T' adds Matsubara points with a total measure P = ln(T/T')/2. All of them sit at zero
    energy on the scale of the phonons, where Z = 1 + lambda, and carry one gap value V/P. As T' -> 0 the
    terms of Q that grow with P cancel, -P (V/P - C)^2 + P C^2 = 2 V C - V^2/P, and the limit is

        Q(d, C) + 2 lambda_0 V^2 + 2 V [sum_m p_m (lambda_m + lambda_{m+1}) (d_m + C) + C].

    Its largest eigenvalue, C eliminated, is positive if and only if the normal state is unstable as T' -> 0. What
    is neglected is the change of the kernel below the operator's temperature, (T/w)^2 up to a logarithm.

    Parameters
    ----------
    operator
        Gap operator at a temperature far below the phonons.

    Returns
    -------
    bool
        Whether Tc > 0.
    """
    kernel, weight, root = operator.kernel, operator.coulomb_weight, np.sqrt(operator.measure)
    n = root.size
    coupling = root * (kernel[:n] + kernel[1 : n + 1])
    constant = operator.coulomb_row[0] + kernel[0] + 1

    def product(vector: FloatArray) -> FloatArray:
        u, v = vector[:n], vector[n]
        result = np.empty(n + 1)
        result[:n] = operator.product(u) - u + v * (coupling - weight * constant * operator.coulomb_row)
        result[n] = coupling @ u - weight * constant * (operator.coulomb_row @ u)
        result[n] += (2 * kernel[0] - weight * constant**2) * v
        return result

    value, _ = largest_by_lanczos(product, np.append(root, 1.0))
    return value > 0


def largest_by_lanczos(product: Callable[[FloatArray], FloatArray], start: FloatArray) -> tuple[float, FloatArray]:
    """Compute the largest eigenvalue, and its vector, of the symmetric matrix that ``product`` applies to a vector."""
    linear = scipy.sparse.linalg.LinearOperator((start.size, start.size), matvec=product, dtype=np.float64)
    try:
        values, vectors = scipy.sparse.linalg.eigsh(
            linear,
            k=1,
            which="LA",
            v0=start,
            tol=LANCZOS_TOLERANCE,
            ncv=min(_LANCZOS_VECTORS, start.size - 1),
        )
    except scipy.sparse.linalg.ArpackNoConvergence as error:
        raise ConvergenceError(
            f"Lanczos iteration on {start.size} frequencies: expected a residual below {LANCZOS_TOLERANCE}, "
            f"found none in time: {error}: report the spectrum"
        ) from error
    return float(values[0]), np.asarray(vectors[:, 0])
