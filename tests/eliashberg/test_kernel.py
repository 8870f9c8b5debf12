"""The phonon kernel and its infinite sums against closed forms."""

import numpy as np
import pytest
from scipy.special import digamma

from hightc.eliashberg import CoupledModes
from hightc.eliashberg.kernel import (
    SymmetricConvolution,
    constant_gap_row,
    constant_gap_square,
    expansion,
    phonon_kernel,
)

MODES = CoupledModes([0.2, 0.7, 1.0], [0.5, 0.4, 0.9])
TEMPERATURE = 0.01
ORDER = 6


def reduced(modes=MODES, temperature=TEMPERATURE):
    return modes.omega_mev / (2 * np.pi * temperature)


def test_kernel_is_the_sum_over_modes_for_all_frequencies():
    size = 4000  # the expansion takes over at k = 8 w_max / (2 pi T) = 128
    k, a = np.arange(size)[:, None], reduced()
    expected = (MODES.lam_per_mode * a**2 / (a**2 + k**2)).sum(axis=1)
    np.testing.assert_allclose(phonon_kernel(MODES, TEMPERATURE, size), expected, rtol=1e-13)  # rounding


def test_kernel_of_many_modes_does_not_depend_on_how_it_is_chunked(monkeypatch):
    whole = phonon_kernel(MODES, TEMPERATURE, 500)
    monkeypatch.setattr("hightc.eliashberg.kernel._CHUNK", 10)
    np.testing.assert_allclose(phonon_kernel(MODES, TEMPERATURE, 500), whole, rtol=1e-14)


def test_kernel_starts_at_lambda_and_falls_with_the_mean_square_frequency():
    kernel = phonon_kernel(MODES, TEMPERATURE, 100_000)
    assert kernel[0] == pytest.approx(MODES.lam, rel=1e-14)
    assert (np.diff(kernel) < 0).all()
    tail = MODES.lam * MODES.moment(2) / (2 * np.pi * TEMPERATURE * 99_999) ** 2
    assert kernel[-1] == pytest.approx(tail, rel=1e-7)  # next term (w_max / 2 pi T k)^2 = 2.5e-8


def test_convolution_is_the_double_sum_of_either_parity():
    n = 37
    kernel = phonon_kernel(MODES, TEMPERATURE, 2 * n)
    even, odd = np.random.default_rng(1).normal(size=(2, n))
    index = np.arange(n)
    near, far = kernel[abs(index[:, None] - index)], kernel[index[:, None] + index + 1]
    convolution, first = SymmetricConvolution(kernel, n), SymmetricConvolution(kernel, n, rows=5)
    close = {"rtol": 0, "atol": 1e-13 * n}
    np.testing.assert_allclose(convolution(even), (near + far) @ even, **close)
    np.testing.assert_allclose(convolution.odd(odd), (near - far) @ odd, **close)
    np.testing.assert_allclose(convolution.both(even, odd), [(near + far) @ even, (near - far) @ odd], **close)
    np.testing.assert_allclose(first(even), convolution(even)[:5], **close)
    np.testing.assert_allclose(first.odd(odd), convolution.odd(odd)[:5], **close)


def exact_row(n, a):
    """Sum over all integers m of a^2/(a^2 + (n-m)^2) / |2m+1| by partial fractions and digamma functions."""
    total = 0.0
    for distance in (n, -n - 1):  # m >= 0 and m < 0
        pole = -distance - 1j * a
        total += a * ((digamma(0.5) - digamma(pole)) / (1 - 2 * pole)).imag
    return total


@pytest.mark.parametrize("temperature", [0.003, 0.05, 1.0])
def test_row_of_a_constant_gap_is_the_infinite_sum(temperature):
    n = 4 * max(16, int(reduced(temperature=temperature).max()))
    kernel = phonon_kernel(MODES, temperature, 8 * n)
    row = constant_gap_row(kernel, expansion(MODES, temperature, ORDER), n)
    strengths = zip(MODES.lam_per_mode, reduced(temperature=temperature), strict=True)
    expected = sum(lam * exact_row(np.arange(n), a) for lam, a in strengths)
    # Midpoint rule: the tail, (a/M)^2 lambda / 2 with M = 4n >= 16 a, times 1/M^2 < (1/256)^2.
    np.testing.assert_allclose(row, expected, rtol=0, atol=MODES.lam / 2 / 16**2 / 256**2)


def test_square_of_a_constant_gap_does_not_depend_on_where_the_table_ends():
    coefficients = expansion(MODES, TEMPERATURE, ORDER)
    short, long = (constant_gap_square(phonon_kernel(MODES, TEMPERATURE, k), coefficients) for k in (200, 200_000))
    # Midpoint rule on a tail of lambda (a/K)^2 ln K at K = 200: relative 1/K^2.
    assert short == pytest.approx(long, abs=MODES.lam * 0.08**2 * 6 / 200**2)


def test_square_of_a_constant_gap_is_the_double_sum():
    n = 4000
    kernel = phonon_kernel(MODES, TEMPERATURE, 8 * n)
    odd = 2 * np.arange(n) + 1.0
    row = constant_gap_row(kernel, expansion(MODES, TEMPERATURE, ORDER), n)
    renormalisation = kernel[0] + 2 * np.append(0, np.cumsum(kernel[1:n]))
    partial = np.sum(row / odd - renormalisation / odd**2)
    # Rows beyond n fall as lambda (a/n)^2 ln n / n: their sum is lambda (a/n)^2 ln n / 2 to leading order.
    missing = MODES.lam * (MODES.moment(2) / (2 * np.pi * TEMPERATURE * n) ** 2) * np.log(n)
    whole = constant_gap_square(kernel, expansion(MODES, TEMPERATURE, ORDER))
    assert 0 < whole - partial < missing
