"""Laws of the Matsubara nodes, of the sums in panels and of the tables built on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hightc.eliashberg import CoupledModes
from hightc.eliashberg.gap_tensors import gap_tensors
from hightc.eliashberg.kernel import constant_gap_row, expansion, phonon_kernel
from hightc.eliashberg.log_lattice import LogLattice
from hightc.eliashberg.matsubara_panels import INTERPOLATION_TOLERANCE, MatsubaraNodes, finite_rule, summation_rule

NODES = MatsubaraNodes(100.0)
POSITION = np.unique(np.rint(np.geomspace(1, 1e6, 200))) - 0.5
LIMIT = 64.0


def test_nodes_start_at_the_first_frequency_and_grow_sparse():
    index = NODES.index
    assert index[0] == 0
    assert (np.diff(index) > 0).all()
    assert index.size < 30 < index[-1]


def test_interpolation_is_exact_at_the_nodes():
    matrix = NODES.interpolation(NODES.index + 0.5)
    # Rounding of the pseudo-inverse, whose cut is 1e-13, times the weight of the farthest node.
    np.testing.assert_allclose(matrix, np.eye(NODES.index.size), atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.floats(np.log(0.3), np.log(80.0)), st.floats(np.log(0.3), np.log(20.0)))
def test_interpolation_holds_for_all_frequencies_of_phonons_and_gap(log_s, log_g):
    s, g = np.exp([log_s, log_g])

    def function(x):
        return s**2 / (s**2 + x**2) * x / np.hypot(x, g) + np.log1p((s / x) ** 2) / 4

    error = NODES.interpolation(POSITION) @ function(NODES.index + 0.5) - function(POSITION)
    # The logarithm is an integral of Lorentzians; the pivots bound each error up to a Lebesgue constant of some 10.
    assert np.abs(error).max() < 30 * INTERPOLATION_TOLERANCE


@pytest.mark.parametrize("n", [0, 3, 33, 50, 64, 1000, 70001])
def test_sums_to_infinity_are_exact_near_zero_and_near_n(n):
    position, weight = summation_rule(n, max(1e3, 8 * n))
    # sum 1/(m + 1/2)^2 = pi^2/2. Panels that double in length: Gauss' rule with 12 points to 1e-10.
    assert weight @ position**-2.0 == pytest.approx(np.pi**2 / 2, rel=1e-9)
    term = np.arange(400000) + 0.5

    def peaked(x):
        return 1 / ((x - n - 0.5) ** 2 + 0.04) / (x + 1)

    # Beyond the last term the sum is 1/(2 M^2), by the rule itself included.
    missing = 1 / (2 * 4e5**2)
    assert weight @ peaked(position) == pytest.approx(peaked(term).sum() + missing, rel=1e-8)


@pytest.mark.parametrize("n", [1, 40, 41, 1000, 30000])
def test_finite_sums_are_exact(n):
    position, weight = finite_rule(n)
    exact = np.sum(1 / ((np.arange(n) + 0.5) ** 2 + 4))
    assert weight.sum() == pytest.approx(n, rel=1e-12)
    assert weight @ (1 / (position**2 + 4)) == pytest.approx(exact, rel=1e-9)


def sums(omega, lam, temperature):
    lattice = LogLattice.of(np.asarray(omega))
    coupling = np.atleast_2d(lam) @ lattice.distribution
    return gap_tensors(LIMIT).matrices(lattice.first, coupling, np.array([temperature]))


def kernel_without_static_part(modes, size):
    kernel = phonon_kernel(modes, 1.0, size)
    kernel[0] = kernel[1]
    return kernel


@pytest.mark.parametrize("omega", [[0.01], [1.0, 7.0], [60.0], [0.3, 3.0, 30.0]])
def test_tables_are_the_sums_over_all_frequencies(omega):
    lam = np.linspace(1.0, 0.5, len(omega))
    modes, matrices, index = CoupledModes(omega, lam), sums(omega, lam, 1.0), gap_tensors(LIMIT).nodes.index
    m = np.arange(200000)
    decaying = 25 / (25 + (m + 0.5) ** 2)
    kernel = kernel_without_static_part(modes, 2 * m.size)
    for row, n in enumerate(index[index < 200]):
        near, far = kernel[np.abs(n - m)], kernel[n + m + 1]
        pairing, screening = (near + far) @ (decaying / (2 * m + 1)), (near - far) @ decaying / (2 * n + 1)
        # 1e-8 of the lattice, 3e-7 of the interpolation, times a sum of at most lambda ln(m).
        assert matrices.pairing[0, row] @ decaying[index] == pytest.approx(pairing, abs=2e-6)
        assert matrices.screening[0, row] @ decaying[index] == pytest.approx(screening, abs=2e-6)
        normal = 1 + (kernel[0] + 2 * kernel[1 : n + 1].sum()) / (2 * n + 1)
        assert matrices.normal[0, row] == pytest.approx(normal, abs=1e-7)
    static = phonon_kernel(modes, 1.0, 2)
    assert matrices.static[0] == pytest.approx(static[0] - static[1], abs=1e-7)


def test_table_of_the_constant_gap_is_that_of_the_linearised_operator():
    omega, lam = [1.0, 7.0, 30.0], [0.4, 0.3, 0.6]
    modes, matrices, index = CoupledModes(omega, lam), sums(omega, lam, 1.0), gap_tensors(LIMIT).nodes.index
    size = int(index[-1]) + 1
    row = constant_gap_row(phonon_kernel(modes, 1.0, 8 * size), expansion(modes, 1.0, 6), size)[index]
    row -= matrices.static[0] / (2 * index + 1)  # lambda_1 for lambda_0
    np.testing.assert_allclose(matrices.constant_row[0], row, atol=1e-7)


def test_tables_depend_on_the_ratio_to_the_temperature_only():
    hot, cold = sums([40.0], [1.0], 8.0), sums([5.0], [1.0], 1.0)
    # Both hit the same table up to the interpolation of the lattice, 1e-8.
    np.testing.assert_allclose(hot.pairing, cold.pairing, atol=1e-7)
    np.testing.assert_allclose(hot.normal, cold.normal, atol=1e-7)


def test_tables_are_built_once():
    assert gap_tensors(LIMIT) is gap_tensors(LIMIT)
