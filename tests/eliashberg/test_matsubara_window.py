"""The equations on a finite window against the sums written out, and their statements about zero temperature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hightc.eliashberg import ConvergenceError
from hightc.eliashberg.matsubara_window import GAP_TOLERANCE, MatsubaraWindow, SumRule

RULE = SumRule(np.array([5.0, 20.0]), np.array([0.8, 0.7]))
few = settings(max_examples=15, deadline=None)


def window(temperature, size, coulomb=None, mu_star=0.1, rule=RULE):
    return MatsubaraWindow(rule.kernel(temperature, 2 * size), size, coulomb or size, mu_star)


def iterate(w, temperature, gap):
    """One iteration of the equations as they stand in the docstring."""
    n = np.arange(w.size)
    omega = np.pi * temperature * (2 * n + 1)
    near, far = w.kernel[np.abs(n[:, None] - n)], w.kernel[n[:, None] + n + 1]
    root = np.sqrt(omega**2 + gap**2)
    z = 1 + np.pi * temperature / omega * ((near - far) @ (omega / root))
    repulsion = 2 * w.mu_star * np.sum((gap / root)[: w.coulomb_size])
    return np.pi * temperature * ((near + far) @ (gap / root) - repulsion) / z, z


@few
@given(st.floats(0.1, 3), st.integers(1, 40), st.integers(1, 40), st.floats(0, 0.5))
def test_instability_is_the_largest_eigenvalue_of_the_linearised_iteration(temperature, size, coulomb, mu_star):
    w = window(temperature, size, min(size, coulomb), mu_star)
    small = 1e-9 * temperature
    columns = [iterate(w, temperature, small * unit)[0] / small for unit in np.eye(size)]
    iteration = np.column_stack(columns)
    # The eigenvalue of Z^-1 K and that of K - Z + 1 cross 1 together, and agree on the side of 1.
    largest = np.linalg.eigvals(iteration).real.max() - 1
    ours = w.instability()
    assert abs(largest) < 1e-6 or np.sign(largest) == np.sign(ours)


def test_the_sum_rule_is_the_kernel_with_either_sign():
    rule = SumRule(np.array([-3.0, 5.0, 20.0]), np.array([-0.1, 0.8, -0.2]))
    k = np.arange(50)
    nu = (2 * np.pi * 0.4 * k)[:, None]
    direct = (rule.coupling * rule.omega_mev**2 / (rule.omega_mev**2 + nu**2)).sum(1)
    assert rule.kernel(0.4, 50) == pytest.approx(direct, rel=1e-12)
    assert rule.lam == pytest.approx(0.5)


@pytest.mark.parametrize("coulomb", [15, 150])
def test_arnoldi_finds_the_dense_eigenvalue(coulomb, monkeypatch):
    values = []
    for limit in (0, 1000):
        monkeypatch.setattr("hightc.eliashberg.matsubara_window.DENSE_LIMIT", limit)
        values.append(window(0.2, 150, coulomb).instability())
    # The Arnoldi iteration stops at a residual of 1e-9.
    assert values[0] == pytest.approx(values[1], abs=1e-8)


@few
@given(st.floats(0.05, 0.45), st.integers(20, 60), st.integers(2, 20), st.floats(0, 0.2))
def test_the_gap_solves_the_equations(temperature, size, coulomb, mu_star):
    w = window(temperature, size, coulomb, mu_star)
    gap, z, iterations = w.gap(temperature)
    again, z_again = iterate(w, temperature, gap)
    assert again == pytest.approx(gap, abs=10 * GAP_TOLERANCE * gap.max())
    assert z == pytest.approx(z_again, rel=1e-12)
    assert gap[0] > 0
    assert iterations > 5


def test_above_tc_the_gap_is_zero():
    gap, z, iterations = window(5.0, 20).gap(5.0)
    assert (gap == 0).all()
    assert z == pytest.approx(iterate(window(5.0, 20), 5.0, gap)[1], rel=1e-12)
    assert iterations == 0


def test_iterations_out_of_reach_are_an_error_and_not_a_number(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.matsubara_window._PLAIN_ITERATIONS", (1, 2))
    monkeypatch.setattr("hightc.eliashberg.matsubara_window._MOST_MIXED_ITERATIONS", 2)
    with pytest.raises(ConvergenceError, match=r"expected a gap, .* by 1e-11 at most, found .* after 7 iterations"):
        window(0.3, 30).gap(0.3)


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_zero_temperature_agrees_with_lower_temperatures(share):
    # The form at T = 0.3 foretells the sign that windows of the same energies have at T/9.
    weak = SumRule(np.array([5.0, 20.0]), np.array([0.1, 0.1]))
    verdicts = []
    for mu_star in (0.1, 0.2, 0.3, 0.4, 0.8, 1.0, 1.5):
        now = window(0.3, 200, int(200 * share), mu_star, weak)
        later = window(0.3 / 9, 1800, int(1800 * share), mu_star, weak)
        verdicts.append(now.superconducts_at_zero_temperature())
        assert verdicts[-1] == later.superconducts_at_zero_temperature()
        assert verdicts[-1] or later.instability() < 0
    assert verdicts[0]
    assert not verdicts[-1]
    assert verdicts == sorted(verdicts, reverse=True)


def test_any_attraction_superconducts_without_repulsion():
    weak = SumRule(np.array([10.0]), np.array([1e-3]))
    w = window(0.01, 300, mu_star=0.0, rule=weak)
    assert w.instability() < 0
    assert w.superconducts_at_zero_temperature()
