"""The isotropic Eliashberg equations on a finite window of Matsubara frequencies, as most codes solve them.

Sums over n run over 0 <= n < N only, the one in Z included, and a repulsion mu*, whose value is not brought to any
frequency, acts from the first M <= N of them. With kB = 1 and r_m = (w_m^2 + D_m^2)^(1/2),

    Z_n     = 1 + (pi T / w_n) sum_m (lambda_{n-m} - lambda_{n+m+1}) w_m / r_m
    Z_n D_n = pi T [ sum_m (lambda_{n-m} + lambda_{n+m+1}) D_m / r_m - 2 mu* sum_{m<M} D_m / r_m ] .

Answers depend on N and M. They serve the comparison with a code that fixes both in its own way; the limit without
a cutoff is `hightc.eliashberg.matsubara`.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from hightc.eliashberg.anderson_mixing import fixed_point
from hightc.eliashberg.errors import ConvergenceError
from hightc.eliashberg.kernel import SymmetricConvolution, phonon_kernel
from hightc.eliashberg.matsubara import DENSE_LIMIT, LANCZOS_TOLERANCE
from hightc.eliashberg.modes import CoupledModes, FloatArray

GAP_TOLERANCE = 1e-11
"""The gap is found when one more iteration changes it by less than this fraction of its maximum."""

# Mixing is quick where the shape of the gap is right, which plain iterations see to; more of them where it is not.
_PLAIN_ITERATIONS = (10, 50, 250)
_MOST_MIXED_ITERATIONS = 200
_ARNOLDI_VECTORS = 24


@dataclass(frozen=True, eq=False)
class SumRule:
    """A spectrum as a code sums it: lambda_k = sum_j c_j w_j^2 / (w_j^2 + (2 pi T k)^2).

    Couplings may be negative, because codes neither clip a negative a2F nor drop negative frequencies.

    Attributes
    ----------
    omega_mev
        Frequencies in meV, shape (n,), none of them zero.
    coupling
        c_j = 2 a2F(w_j) dw / w_j, shape (n,).
    """

    omega_mev: FloatArray
    coupling: FloatArray

    @property
    def lam(self) -> float:
        """Coupling constant lambda_0 of the sum."""
        return float(self.coupling.sum())

    @property
    def attraction_mev2(self) -> float:
        """Sum of the positive c_j w_j^2 in meV^2, which no lambda_k (2 pi T k)^2 exceeds."""
        return float(np.maximum(self.coupling, 0) @ self.omega_mev**2)

    def kernel(self, temperature_mev: float, size: int) -> FloatArray:
        """Lambda_k for k = 0 ... size - 1 at temperature kB T in meV."""
        total = np.zeros(size)
        for sign in (1, -1):
            chosen = sign * self.coupling > 0
            if chosen.any():
                modes = CoupledModes(np.abs(self.omega_mev[chosen]), np.abs(self.coupling[chosen]))
                total += sign * phonon_kernel(modes, temperature_mev, size)
        return total


@dataclass(frozen=True, eq=False)
class MatsubaraWindow:
    """The equations at one temperature.

    Attributes
    ----------
    kernel
        lambda_k, shape (2 N,).
    size
        N.
    coulomb_size
        M <= N.
    mu_star
        Repulsion on the first M frequencies.
    """

    kernel: FloatArray
    size: int
    coulomb_size: int
    mu_star: float

    def instability(self) -> float:
        """How far the normal state is beyond stability: (largest eigenvalue of the linearised equations) - 1."""
        linear = _Linearised(self)
        start = np.sqrt(linear.measure)
        return self._largest(linear.product, start) - 1

    def superconducts_at_zero_temperature(self) -> bool:
        """Whether the normal state is unstable at some temperature at or below this one, far below the phonons.

        The frequencies that lower temperatures add all sit at zero energy and carry one gap; as their number
        grows they enter through their total V alone, see `matsubara.superconducts_at_zero_temperature`.
        """
        n, linear = self.size, _Linearised(self)
        root = np.sqrt(linear.measure)
        pairing = root * (self.kernel[:n] + self.kernel[1 : n + 1])
        repulsion, seen = 2 * self.mu_star * root, np.arange(n) < self.coulomb_size

        def product(vector: FloatArray) -> FloatArray:
            u, v = vector[:n], vector[n]
            result = np.empty(n + 1)
            result[:n] = linear.product(u) - u + v * (pairing - repulsion)
            result[n] = (pairing - repulsion * seen) @ u + 2 * (self.kernel[0] - self.mu_star) * v
            return result

        return self._largest(product, np.append(root, 1.0)) > 0

    def gap(self, temperature_mev: float) -> tuple[FloatArray, FloatArray, int]:
        """Solve the equations; zero where the normal state is stable.

        Plain iterations are followed by Anderson mixing until `GAP_TOLERANCE` is met, three times at most.

        Parameters
        ----------
        temperature_mev
            The temperature kB T in meV to which ``kernel`` belongs.

        Returns
        -------
        gap_mev, renormalisation : ndarray
            D_n in meV and Z_n, shape (N,).
        iterations : int

        Raises
        ------
        ConvergenceError
            If 900 iterations are not enough, or end in the normal state.
        """
        equations = _Equations(self, temperature_mev)
        if self.instability() <= 0:
            return np.zeros(self.size), equations.renormalisation(np.zeros(self.size)), 0
        gap = np.full(self.size, np.pi * temperature_mev * (1 + self.kernel[0]))
        weight = 1 / (2 * np.arange(self.size) + 1.0)
        change, iterations = np.inf, 0
        for plain in _PLAIN_ITERATIONS:
            for _ in range(plain):
                gap, _ = equations.step(gap)
            gap, change, mixed = fixed_point(
                equations.step, gap, weight, tolerance=GAP_TOLERANCE, iterations=_MOST_MIXED_ITERATIONS
            )
            iterations += plain + mixed
            if change <= GAP_TOLERANCE:
                break
        if change > GAP_TOLERANCE or gap[0] <= 0:
            raise ConvergenceError(
                f"gap at kB T = {temperature_mev:.6g} meV: expected a gap, changing by {GAP_TOLERANCE} at most, "
                f"found {gap[0]:.3g} meV, changing by {change:.1e}, after {iterations} iterations: the temperature is "
                "too close to Tc; lower it"
            )
        return gap, equations.renormalisation(gap), iterations

    def _largest(self, product: Callable[[FloatArray], FloatArray], start: FloatArray) -> float:
        """Largest real part of the eigenvalues; the equations are symmetric only for M = N."""
        n, symmetric = start.size, self.mu_star == 0 or self.coulomb_size == self.size
        if n <= DENSE_LIMIT:
            matrix = np.column_stack([product(column) for column in np.eye(n)])
            if symmetric:
                return float(scipy.linalg.eigvalsh(matrix, subset_by_index=[n - 1, n - 1])[0])
            return float(scipy.linalg.eigvals(matrix).real.max())
        linear = scipy.sparse.linalg.LinearOperator((n, n), matvec=product, dtype=np.float64)
        solve: Any = functools.partial(scipy.sparse.linalg.eigsh, which="LA")
        if not symmetric:
            solve = functools.partial(scipy.sparse.linalg.eigs, which="LR")
        try:
            values = solve(
                linear, k=1, v0=start, tol=LANCZOS_TOLERANCE, ncv=_ARNOLDI_VECTORS, return_eigenvectors=False
            )
        except scipy.sparse.linalg.ArpackNoConvergence as error:
            raise ConvergenceError(
                f"Arnoldi iteration on {n} frequencies: expected a residual below {LANCZOS_TOLERANCE}, found none in "
                f"time: {error}: report the spectrum"
            ) from error
        return float(values[0].real)


class _Linearised:
    """D_n -> right-hand side / (2n+1), similar to a symmetric matrix by the square root of p_n = 1/(2n+1)."""

    def __init__(self, window: MatsubaraWindow) -> None:
        n, kernel = window.size, window.kernel
        self._window = window
        self._convolution = SymmetricConvolution(kernel, n)
        self.measure = 1 / (2 * np.arange(n) + 1.0)
        # S_k = sum_{1<=i<=k} lambda_i; the window cuts lambda_0 + 2 S_n down to what follows.
        running = np.append(0.0, np.cumsum(kernel[1 : 2 * n]))
        here = np.arange(n)
        self._renormalisation = kernel[0] + 2 * running[here] + running[n - 1 - here] - running[n + here]

    def product(self, vector: FloatArray) -> FloatArray:
        """Apply the linearised equations to u_n = sqrt(p_n) D_n, shape (N,)."""
        root, window = np.sqrt(self.measure), self._window
        weighted = root * vector
        result = root * self._convolution(weighted)
        result -= self.measure * self._renormalisation * vector
        result -= 2 * window.mu_star * weighted[: window.coulomb_size].sum() * root
        return result


class _Equations:
    """The map D -> D of the nonlinear equations, by dense matrices."""

    def __init__(self, window: MatsubaraWindow, temperature_mev: float) -> None:
        n, kernel = window.size, window.kernel
        near = scipy.linalg.toeplitz(kernel[:n])
        far = scipy.linalg.hankel(kernel[1 : n + 1], kernel[n : 2 * n])
        self._step = np.pi * temperature_mev
        self._frequency = self._step * (2 * np.arange(n) + 1)
        self._odd, self._even = near - far, near + far
        self._even[:, : window.coulomb_size] -= 2 * window.mu_star

    def renormalisation(self, gap: FloatArray) -> FloatArray:
        """Z_n of a gap in meV, shape (N,)."""
        frequency = self._frequency
        return np.asarray(1 + self._step * (self._odd @ (frequency / np.hypot(frequency, gap))) / frequency)

    def step(self, gap: FloatArray) -> tuple[FloatArray, float]:
        """One iteration, and how much it changes the gap relative to its maximum."""
        pairing = self._even @ (gap / np.hypot(self._frequency, gap))
        new = np.asarray(self._step * pairing / self.renormalisation(gap))
        return new, float(np.abs(new - gap).max() / np.abs(new).max())
