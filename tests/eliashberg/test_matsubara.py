"""Laws of the linearised gap operator."""

import numpy as np
import pytest
import scipy
from scipy.linalg import eigvalsh, hankel, toeplitz

from hightc.eliashberg import ConvergenceError, CoupledModes, matsubara
from hightc.eliashberg.kernel import phonon_kernel
from hightc.eliashberg.matsubara import (
    gap_operator,
    largest_eigenpair,
    largest_eigenpair_dense,
    largest_eigenpair_lanczos,
    superconducts_at_zero_temperature,
)

EINSTEIN = CoupledModes([1.0], [1.0])
TWO_MODES = CoupledModes([0.2, 1.0], [0.5, 0.7])


def eigenvalue(n, mu_star=0.1, temperature=0.05):
    return largest_eigenpair(gap_operator(TWO_MODES, temperature, mu_star, 1.0, n))


@pytest.mark.parametrize("mu_star", [0.0, 0.13])
def test_product_is_the_matrix_times_the_vector(mu_star):
    operator = gap_operator(TWO_MODES, 0.05, mu_star, 1.0, 50)
    vector = np.random.default_rng(0).normal(size=50)
    np.testing.assert_allclose(operator.product(vector), operator.matrix() @ vector, atol=1e-13)
    np.testing.assert_allclose(operator.matrix(), operator.matrix().T, atol=1e-15)


@pytest.mark.parametrize("mu_star", [0.0, 0.13])
@pytest.mark.parametrize("temperature", [0.3, 0.02])
def test_lanczos_finds_the_eigenpair_of_the_dense_matrix(mu_star, temperature):
    operator = gap_operator(TWO_MODES, temperature, mu_star, 1.0, 300)
    dense, lanczos = largest_eigenpair_dense(operator), largest_eigenpair_lanczos(operator)
    assert lanczos.value == pytest.approx(dense.value, abs=1e-12)  # square of the residual, and rounding
    # The vector is good to the residual over the gap to the next eigenvalue, above 0.1; d = u sqrt(2n+1).
    sign = np.sign(dense.gap[0] * lanczos.gap[0])
    tolerance = 10 * matsubara.LANCZOS_TOLERANCE * np.sqrt(2 * 300)
    np.testing.assert_allclose(sign * lanczos.gap, dense.gap, atol=tolerance)


def test_gap_is_normalised_and_keeps_one_sign_without_repulsion():
    gap = eigenvalue(100, mu_star=0.0).gap
    assert np.sum(gap**2 / (2 * np.arange(100) + 1)) == pytest.approx(1, rel=1e-12)
    assert (gap * np.sign(gap[0]) > 0).all()


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_more_frequencies_never_lower_the_eigenvalue(mu_star):
    values = [eigenvalue(n, mu_star).value for n in (16, 32, 64, 128, 256)]
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
@pytest.mark.parametrize("n", [32, 64, 128])
def test_what_truncation_leaves_out_is_estimated(mu_star, n):
    converged = eigenvalue(2048, mu_star)
    missing = converged.value + converged.truncation - eigenvalue(n, mu_star).value
    # What the last kept d_n lack by truncation is of order lambda (w/2 pi T)/n = 1.2 (3.2/32) for the smallest n.
    assert eigenvalue(n, mu_star).truncation == pytest.approx(missing, rel=0.12)


def test_truncation_is_not_hidden_where_the_gap_changes_sign():
    # Strong repulsion turns the sign of d_n near n = 48 here; d_N = 0 is no sign of convergence.
    def strongly_repulsive(n):
        return largest_eigenpair(gap_operator(CoupledModes([1.0], [2.0]), 0.05, 0.5, 1.0, n))

    converged, pair = strongly_repulsive(1024), strongly_repulsive(48)
    missing = converged.value - pair.value
    assert pair.value * pair.gap[-1] ** 2 / 8 < 0.01 * missing
    # The next term beside the logarithm is (w/2 pi T)^2/n^2 of the leading one, which cancels it here.
    assert pair.truncation == pytest.approx(missing, rel=0.3)


def test_truncation_falls_with_the_fourth_power():
    ratio = eigenvalue(128, 0.0).truncation / eigenvalue(256, 0.0).truncation
    # d_n lacks a part of order lambda (w/2 pi T)/n by truncation: 3 % at n = 128, in the square.
    assert ratio == pytest.approx(2**4, rel=0.06)


def sharp_cutoff_eigenvalue(modes, temperature, mu_star, reference, n):
    """Textbook form: n frequencies, mu* brought to the cutoff between the last kept and the first dropped."""
    kernel = phonon_kernel(modes, temperature, 2 * n)
    odd = 2 * np.arange(n) + 1.0
    repulsion = 1 / (1 / mu_star + np.log(reference / (2 * np.pi * temperature * n)))
    pairing = toeplitz(kernel[:n]) + hankel(kernel[1 : n + 1], kernel[n : 2 * n]) - 2 * repulsion
    renormalisation = np.append(0, 2 * np.cumsum(kernel[1:n])) + kernel[0]
    matrix = pairing / np.sqrt(np.outer(odd, odd)) - np.diag(renormalisation / odd)
    return eigvalsh(matrix, subset_by_index=[n - 1, n - 1])[0]


def test_sharp_coulomb_cutoff_tends_to_the_infinite_one():
    # At Tc, where the eigenvalue is 1, both forms state the same equation.
    mu_star, reference, temperature = 0.1, 1.0, 0.072107607
    for n in (50, 100, 200, 400):
        # What is lost are the pairs across the cutoff: below (w/2 pi T n)^2 for lambda = 1.
        lost = 1 / (2 * np.pi * temperature * n) ** 2
        assert sharp_cutoff_eigenvalue(EINSTEIN, temperature, mu_star, reference, n) == pytest.approx(1, abs=lost)


def threshold(mu_star, temperature):
    """Coupling of one mode, referred to its own frequency, at which superconductivity begins."""
    low, high = 0.0, 2 * mu_star
    for _ in range(30):
        lam = (low + high) / 2
        operator = gap_operator(CoupledModes([1.0], [lam]), temperature, mu_star, 1.0, int(2 / temperature) + 64)
        low, high = (low, lam) if superconducts_at_zero_temperature(operator) else (lam, high)
    return high


def test_threshold_of_superconductivity_is_a_property_of_zero_temperature():
    at_first, at_second, at_third = (threshold(0.1, temperature) for temperature in (0.04, 0.02, 0.01))
    # The neglected change of the kernel falls as (T/w)^2, up to a logarithm.
    assert 3 < (at_first - at_second) / (at_second - at_third) < 4
    assert 0 < at_second - at_third < 0.02**2


def test_threshold_of_superconductivity_is_mu_star_for_weak_repulsion():
    # Between the bare lambda = mu* and McMillan's lambda = mu* / (1 - 0.62 mu*).
    for mu_star in (0.01, 0.05, 0.1):
        assert mu_star < threshold(mu_star, 0.01) < mu_star / (1 - 0.62 * mu_star)


def test_any_attraction_superconducts_without_repulsion():
    assert superconducts_at_zero_temperature(gap_operator(CoupledModes([1.0], [1e-6]), 0.01, 0.0, 1.0, 200))


def test_a_lanczos_iteration_that_fails_is_an_error(monkeypatch):
    def never(*args, **kwargs):
        raise scipy.sparse.linalg.ArpackNoConvergence("no convergence", np.array([]), np.array([]))

    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", never)
    with pytest.raises(ConvergenceError, match="Lanczos iteration on 64 frequencies: expected a residual below"):
        largest_eigenpair_lanczos(gap_operator(EINSTEIN, 0.05, 0.1, 1.0, 64))
