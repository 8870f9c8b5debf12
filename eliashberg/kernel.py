"""The phonon kernel on Matsubara frequencies and its exact sums with a constant gap.

At temperature T (in energy units) a bosonic frequency is 2 pi T k and

    lambda_k = int dw 2 w a2F(w) / [w^2 + (2 pi T k)^2] = sum_j lam_j a_j^2 / (a_j^2 + k^2)

with a_j = w_j / (2 pi T). For k above every a_j the kernel is its expansion sum_p c_p / k^(2p) with
c_p = (-1)^(p+1) sum_j lam_j a_j^(2p). The sums over all Matsubara frequencies that the gap equation needs are
finite sums over M frequencies plus the integral of that expansion by the midpoint rule, whose error is the
1/M^2-th part of the tail.
"""

from math import comb

import numpy as np
import scipy

from hightc.eliashberg.modes import CoupledModes, FloatArray

_CHUNK = 1 << 16  # numbers held at once while the kernel is summed over modes: 0.5 MB stay in the cache
_EXACT_UP_TO = 3  # in units of the largest a_j: sixteen terms of the expansion are exact beyond, (1/3)^34 < 1e-16
_EXPANSION_ORDER = 16
_TAIL_POWERS = 14  # of (n/M)^2 <= 1/16: 16^-14 < 1e-16


def phonon_kernel(modes: CoupledModes, temperature_mev: float, size: int) -> FloatArray:
    """Compute lambda_k for k = 0 ... size - 1.

    Parameters
    ----------
    modes
        The spectrum.
    temperature_mev
        Temperature kB T in meV.
    size
        Number of bosonic frequencies.

    Returns
    -------
    ndarray
        Dimensionless lambda_k, shape (size,), positive and decreasing.
    """
    reduced = modes.omega_mev / (2 * np.pi * temperature_mev)
    exact = min(size, int(_EXACT_UP_TO * reduced.max()) + 2)
    kernel = np.empty(size)
    chunk = max(1, _CHUNK // reduced.size)
    squares, strengths = reduced**2, modes.lam_per_mode * reduced**2
    for first in range(0, exact, chunk):
        k = np.arange(first, min(first + chunk, exact), dtype=np.float64)
        kernel[first : first + k.size] = strengths @ (1 / (squares[:, None] + k**2))
    if exact < size:
        inverse_square = np.arange(exact, size, dtype=np.float64) ** -2
        coefficients = expansion(modes, temperature_mev, _EXPANSION_ORDER)
        kernel[exact:] = np.polynomial.polynomial.polyval(inverse_square, np.append(0.0, coefficients))
    return kernel


def expansion(modes: CoupledModes, temperature_mev: float, order: int) -> FloatArray:
    """Coefficients c_1 ... c_order of lambda_k = sum_p c_p / k^(2p), valid for k > w_max / (2 pi T)."""
    reduced_square = (modes.omega_mev / (2 * np.pi * temperature_mev)) ** 2
    powers = np.arange(1, order + 1)
    return np.asarray((-1.0) ** (powers + 1) * (reduced_square ** powers[:, None] @ modes.lam_per_mode))


class SymmetricConvolution:
    """Sums over all fermionic frequencies with the kernel, which is even in k, by FFT.

    An even function has x_{-m-1} = x_m, an odd one y_{-m-1} = -y_m; both are given for 0 <= m < N and zero beyond.

    Parameters
    ----------
    kernel
        lambda_k, shape at least (2 N,).
    n
        Number N of frequencies.
    rows
        Number of results wanted of `__call__` and `odd`; N if left out, which `both` needs.
    """

    def __init__(self, kernel: FloatArray, n: int, rows: int | None = None) -> None:
        self._n, self._rows = n, n if rows is None else rows
        positive, negative = n + self._rows, n if rows is not None else 2 * n
        self._length = int(scipy.fft.next_fast_len(positive + negative, real=True))
        circular = np.zeros(self._length)
        circular[:positive] = kernel[:positive]
        circular[1 - negative :] = kernel[negative - 1 : 0 : -1]
        self._transform = np.fft.rfft(circular)

    def __call__(self, even: FloatArray) -> FloatArray:
        """Return sum_{m>=0} (lambda_{n-m} + lambda_{n+m+1}) x_m of even values, shape (rows,)."""
        return self._whole(even, even[::-1])[: self._rows]

    def odd(self, values: FloatArray) -> FloatArray:
        """Return sum_{m>=0} (lambda_{n-m} - lambda_{n+m+1}) y_m of odd values, shape (rows,)."""
        return self._whole(values, -values[::-1])[: self._rows]

    def both(self, even: FloatArray, odd: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return both sums at the price of one: the even and the odd part of the convolution with x + y."""
        result = self._whole(even + odd, (even - odd)[::-1])
        positive, negative = result[: self._n], result[: -self._n - 1 : -1]
        return (positive + negative) / 2, (positive - negative) / 2

    def _whole(self, positive: FloatArray, negative: FloatArray) -> FloatArray:
        """Convolve with values at 0 <= m < N and -N <= m < 0, cyclically."""
        extended = np.zeros(self._length)
        extended[: self._n], extended[-self._n :] = positive, negative
        return np.asarray(np.fft.irfft(np.fft.rfft(extended) * self._transform, self._length))


def constant_gap_row(kernel: FloatArray, coefficients: FloatArray, n: int) -> FloatArray:
    """Apply the kernel to a constant gap: sum_{m>=0} (lambda_{n-m} + lambda_{n+m+1}) / (2m+1).

    The first M = 4 n terms are summed; for the rest, with x = m + 1/2 and y = n + 1/2,

        int_M^inf dx/(2x) [(x-y)^(-2p) + (x+y)^(-2p)]
            = M^(-2p) sum_j binom(2j+2p-1, 2p-1) (y/M)^(2j) / (2j+2p).

    Parameters
    ----------
    kernel
        lambda_k, shape at least (8 n,).
    coefficients
        Expansion of the kernel, from `expansion`.
    n
        Number of rows.

    Returns
    -------
    ndarray
        Shape (n,).
    """
    cut = 4 * n
    row = SymmetricConvolution(kernel, cut, rows=n)(1 / (2 * np.arange(cut) + 1.0))
    square = ((np.arange(n) + 0.5) / cut) ** 2
    for p, coefficient in enumerate(coefficients, start=1):
        series = [comb(2 * j + 2 * p - 1, 2 * p - 1) / (2 * j + 2 * p) for j in range(_TAIL_POWERS)]
        row += coefficient * cut ** (-2.0 * p) * np.polynomial.polynomial.polyval(square, series)
    return row


def constant_gap_square(kernel: FloatArray, coefficients: FloatArray) -> float:
    """Quadratic form <1|K - Zm|1> of the constant gap over all Matsubara frequencies.

    It is sum_{k>=1} lambda_k g_k with g_k = (2/k) h_k - 2 sum_{n>=k} (2n+1)^-2 and h_k = sum_{i<k} 1/(2i+1):
    pairs at distance k and pairs that sum to k give h_k/k each. Beyond the last k = X - 1/2 of the table,
    g_k = [ln(k) + gamma + 2 ln 2 - 1/2]/k, which is integrated with the expansion of lambda_k.

    Parameters
    ----------
    kernel
        lambda_k, shape (size,).
    coefficients
        Expansion of the kernel, from `expansion`.

    Returns
    -------
    float
        Dimensionless, linear in the spectrum and positive, since every g_k is.
    """
    k = np.arange(1, kernel.size, dtype=np.float64)
    odd = 2 * k - 1
    weights = 2 * np.cumsum(1 / odd) / k - (np.pi**2 / 4 - 2 * np.cumsum(odd**-2.0))
    edge = kernel.size - 0.5
    twice_p = 2 * np.arange(1, coefficients.size + 1)
    logarithm = np.log(edge) + np.euler_gamma + 2 * np.log(2) - 0.5
    tail = coefficients * edge ** -twice_p.astype(float) * (logarithm / twice_p + 1 / twice_p**2)
    return float(kernel[1:] @ weights + tail.sum())
