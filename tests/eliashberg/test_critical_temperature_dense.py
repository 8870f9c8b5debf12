"""The critical temperature against published and recomputed numbers, its limits, scaling laws and statuses."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import eigvalsh, hankel, toeplitz

from hightc.eliashberg import (
    Alpha2F,
    ConvergenceError,
    CoupledModes,
    ParameterError,
    TcStatus,
    critical_temperature_dense,
)
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.critical_temperature_dense import TOLERANCE

# The package's attribute of this name is the function.
MODULE = importlib.import_module("hightc.eliashberg.critical_temperature_dense")

# Two values of Tc, each within TOLERANCE of the same number.
SAME = 2 * TOLERANCE

frequencies = arrays(float, 3, elements=st.floats(5, 50))
couplings = arrays(float, 3, elements=st.floats(0.2, 1))
# Searches are milliseconds, but the machine may be shared.
few = settings(max_examples=15, deadline=None)


def tc_mev(modes, mu_star, **options):
    solution = critical_temperature_dense(modes, mu_star, **options)
    assert solution.status is TcStatus.FOUND
    return KB_MEV_PER_K * solution.tc_kelvin


def einstein(lam):
    return CoupledModes([1.0], [lam])


def strong_coupling_limit(n=200):
    """Tc/(w2 sqrt(lambda)) for lambda_k = 1/k^2: lambda_0 cancels and the matrix does not depend on T."""
    kernel = np.append(0, 1.0 / np.arange(1, 2 * n) ** 2)
    odd = 2 * np.arange(n) + 1.0
    pairing = (toeplitz(kernel[:n]) + hankel(kernel[1 : n + 1], kernel[n:])) / np.sqrt(np.outer(odd, odd))
    largest = eigvalsh(pairing - np.diag(2 * np.cumsum(kernel[:n]) / odd), subset_by_index=[n - 1, n - 1])[0]
    return np.sqrt(largest) / (2 * np.pi)


def test_tc_reaches_its_strong_coupling_limit():
    lam = 1e7
    modes = CoupledModes([0.5, 1.0], [lam / 2, lam / 2])
    limit = tc_mev(modes, 0.0) / (modes.omega_2_mev * np.sqrt(lam))
    assert strong_coupling_limit() == pytest.approx(0.1827, abs=5e-5)  # Allen and Dynes 1975, eq. 23
    # Corrections are O(1/lambda), and 200 frequencies leave (1/200)^4 of the gap's weight.
    assert limit == pytest.approx(strong_coupling_limit(), rel=TOLERANCE + 5 / lam)


@few
@given(frequencies, couplings, st.floats(0, 0.15))
def test_tc_stays_below_the_strong_coupling_limit(omega, lam, mu_star):
    modes = CoupledModes(omega, lam)
    assert tc_mev(modes, mu_star) < 0.1827263 * modes.omega_2_mev * np.sqrt(modes.lam)


@few
@given(frequencies, couplings, st.floats(0, 0.15), st.floats(1e-3, 1e3))
def test_tc_scales_with_the_frequencies(omega, lam, mu_star, scale):
    tc = tc_mev(CoupledModes(omega, lam), mu_star)
    assert tc_mev(CoupledModes(scale * omega, lam), mu_star) == pytest.approx(scale * tc, rel=SAME)


@few
@given(frequencies, couplings, st.floats(0.01, 0.15), st.floats(20, 200))
def test_tc_depends_on_the_repulsion_and_not_on_the_frequency_it_is_quoted_at(omega, lam, mu_star, reference):
    modes = CoupledModes(omega, lam)
    elsewhere = 1 / (1 / mu_star + np.log(modes.omega_2_mev / reference))
    tc = tc_mev(modes, mu_star)
    assert tc_mev(modes, elsewhere, reference=reference) == pytest.approx(tc, rel=SAME)
    at_maximum = 1 / (1 / mu_star + np.log(modes.omega_2_mev / modes.omega_max_mev))
    assert tc_mev(modes, at_maximum, reference="omega_max") == pytest.approx(tc, rel=SAME)


@few
@given(frequencies, couplings, st.floats(0, 0.15), st.floats(5, 50))
def test_adding_a_mode_anywhere_raises_tc(omega, lam, mu_star, extra):
    # Bergmann and Rainer 1973: the functional derivative of Tc is positive. The reference must stay where it is.
    reference = 30.0
    more = CoupledModes(np.append(omega, extra), np.append(lam, 0.05))
    assert tc_mev(more, mu_star, reference=reference) > tc_mev(CoupledModes(omega, lam), mu_star, reference=reference)


def test_tc_rises_with_coupling_and_falls_with_repulsion():
    by_coupling = [tc_mev(einstein(lam), 0.1) for lam in (0.5, 0.7, 1, 2, 5)]
    by_repulsion = [tc_mev(einstein(1), mu_star) for mu_star in (0, 0.01, 0.05, 0.1, 0.2)]
    assert (np.diff(by_coupling) > 0).all()
    assert (np.diff(by_repulsion) < 0).all()


def test_splitting_a_mode_or_adding_modes_without_coupling_changes_nothing():
    split = CoupledModes([10.0, 10.0, 500.0], [0.3, 0.7, 0.0])
    assert tc_mev(split, 0.1) == pytest.approx(tc_mev(CoupledModes([10.0], [1.0]), 0.1), rel=1e-12)


@pytest.mark.parametrize("mu_star", [0.0, 0.13])
def test_tc_by_lanczos_is_tc_by_dense_diagonalisation(mu_star, monkeypatch):
    modes = CoupledModes([0.2, 1.0], [0.5, 0.7])
    tc = {}
    for limit in (0, 10_000):
        monkeypatch.setattr("hightc.eliashberg.matsubara.DENSE_LIMIT", limit)
        tc[limit] = tc_mev(modes, mu_star)
    # Brent's tolerance in ln T, 1e-10, from either side.
    assert tc[0] == pytest.approx(tc[10_000], rel=2e-10)


def test_error_estimate_covers_the_error(monkeypatch):
    modes = CoupledModes([0.2, 1.0], [0.5, 0.7])
    accurate = critical_temperature_dense(modes, 0.13)
    monkeypatch.setattr(MODULE, "TOLERANCE", 1e-4)
    coarse = critical_temperature_dense(modes, 0.13)
    error = abs(coarse.tc_kelvin - accurate.tc_kelvin)
    assert accurate.error_estimate_kelvin < 1e-7 * accurate.tc_kelvin < error < coarse.error_estimate_kelvin
    assert coarse.evaluations < accurate.evaluations


def test_spectrum_and_its_modes_have_one_tc():
    omega = np.linspace(0, 30, 301)
    spectrum = Alpha2F(omega, 0.7 * (omega / 30) ** 2)
    assert critical_temperature_dense(spectrum, 0.1) == critical_temperature_dense(spectrum.modes, 0.1)


def test_solution_says_what_was_solved():
    modes = CoupledModes([5.0, 20.0], [0.5, 0.5])
    for reference, name, value in (
        ("omega_2", "omega_2", modes.omega_2_mev),
        ("omega_max", "omega_max", 20.0),
        (37.0, "value", 37.0),
    ):
        solution = critical_temperature_dense(modes, 0.1, reference=reference)
        assert (solution.reference, solution.reference_mev) == (name, value)
        assert (solution.lam, solution.mu_star) == (1.0, 0.1)
        assert (solution.omega_log_mev, solution.omega_2_mev) == (modes.omega_log_mev, modes.omega_2_mev)
        low, high = solution.bracket_kelvin
        assert low < solution.tc_kelvin < high
        assert solution.evaluations > 3


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_without_coupling_there_is_no_superconductivity(mu_star):
    solution = critical_temperature_dense(Alpha2F([1.0, 2.0], [0.0, 0.0]), mu_star)
    assert solution.status is TcStatus.NO_SUPERCONDUCTIVITY
    assert solution.tc_kelvin == 0.0
    assert (solution.evaluations, solution.reference_mev, solution.bracket_kelvin) == (0, None, None)


def test_tc_vanishes_when_mu_star_exceeds_coupling():
    solution = critical_temperature_dense(einstein(0.1), 0.13)
    assert solution.status is TcStatus.NO_SUPERCONDUCTIVITY
    assert solution.tc_kelvin == 0.0


@pytest.mark.parametrize(("lam", "mu_star"), [(1e-8, 0.0), (0.2, 0.1)])
def test_tc_below_the_range_is_no_number(lam, mu_star):
    solution = critical_temperature_dense(einstein(lam), mu_star)
    assert solution.status is TcStatus.BELOW_RANGE
    assert solution.tc_kelvin is None
    assert solution.error_estimate_kelvin is None


def test_status_changes_at_the_coupling_where_extrapolated_tc_vanishes():
    # At weak coupling 1/ln(w/Tc) = (lambda - lambda_c) / (A + B lambda): three temperatures give lambda_c.
    mu_star, lam = 0.1, np.array([0.30, 0.33, 0.36])
    logarithms = np.array([-np.log(tc_mev(einstein(value), mu_star)) for value in lam])
    threshold = np.linalg.solve(np.column_stack([logarithms, np.ones(3), lam]), lam * logarithms)[0]
    error = 0.2**3  # the form leaves out the third order in lambda - lambda_c = 0.2
    assert critical_temperature_dense(einstein(threshold + error), mu_star).status is TcStatus.BELOW_RANGE
    assert critical_temperature_dense(einstein(threshold - error), mu_star).status is TcStatus.NO_SUPERCONDUCTIVITY


def test_range_ends_at_its_lowest_temperature(monkeypatch):
    tc = tc_mev(einstein(0.3), 0.0)
    for factor, status in ((0.99, TcStatus.FOUND), (1.01, TcStatus.BELOW_RANGE)):
        monkeypatch.setattr(MODULE, "LOWEST_TEMPERATURE", factor * tc)
        assert critical_temperature_dense(einstein(0.3), 0.0).status is status


@pytest.mark.parametrize(("mu_star", "reference"), [(2.0, 0.5), (0.1, 1e-5)])
def test_a_mu_star_without_value_at_phonon_energies_is_invalid(mu_star, reference):
    solution = critical_temperature_dense(einstein(1), mu_star, reference=reference)
    assert solution.status is TcStatus.INVALID
    assert solution.tc_kelvin is None


@pytest.mark.parametrize("mu_star", [-0.1, np.nan, np.inf])
def test_a_negative_or_unbounded_mu_star_is_refused(mu_star):
    with pytest.raises(ParameterError, match="mu_star: expected a finite number >= 0, found"):
        critical_temperature_dense(einstein(1), mu_star)


@pytest.mark.parametrize("reference", ["omega_log", 0.0, -1.0, np.nan, np.inf])
def test_a_reference_that_is_no_frequency_is_refused(reference):
    with pytest.raises(ParameterError, match="reference: expected 'omega_2', 'omega_max' or a positive frequency"):
        critical_temperature_dense(einstein(1), 0.1, reference=reference)


def test_a_tolerance_out_of_reach_is_an_error_and_not_a_number(monkeypatch):
    monkeypatch.setattr(MODULE, "TOLERANCE", 1e-30)
    monkeypatch.setattr(MODULE, "_REFINEMENTS", 1)
    with pytest.raises(ConvergenceError, match=r"expected a relative error below 1e-30, found .* after 1 refinements"):
        critical_temperature_dense(einstein(1), 0.1)


def test_a_normal_state_unstable_above_the_bound_is_an_error(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.coulomb.STRONG_COUPLING_BOUND", 0.1)
    with pytest.raises(ConvergenceError, match="expected a stable normal state at the upper bound"):
        critical_temperature_dense(einstein(1), 0.0)
