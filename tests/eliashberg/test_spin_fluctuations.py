"""Tc with pair-breaking fluctuations: against a textbook form, its limits, signs, verdicts, and the two rescalings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh, hankel, toeplitz
from scipy.optimize import brentq

from hightc.eliashberg import (
    CoupledModes,
    ParameterError,
    TcStatus,
    critical_temperature,
    pair_breaking,
    spin_fluctuations,
)
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.kernel import phonon_kernel
from hightc.eliashberg.pair_breaking import largest_eigenpair, pair_breaking_operator, truncation
from hightc.eliashberg.spin_fluctuation_rules import (
    daams_mitrovic_carbotte,
    three_step_pseudopotential,
    three_step_rule,
)
from hightc.eliashberg.spin_fluctuations import (
    TOLERANCE,
    critical_temperature_with_spin_fluctuations,
    paramagnon_modes,
)

# Down to none at all, but not to numbers whose inverse is too large for a float.
repulsions = st.just(0.0) | st.floats(1e-3, 0.12)
few = settings(max_examples=10, deadline=None)
# The part left out is corrected for; what remains is a tenth of the tolerance, in either number compared.
SAME = 0.2 * TOLERANCE


def einstein(omega, lam):
    return CoupledModes([omega], [lam])


def tc_mev(phonons, fluctuations, mu_star, **options):
    solution = critical_temperature_with_spin_fluctuations(phonons, fluctuations, mu_star, **options)
    assert solution.status is TcStatus.FOUND
    return KB_MEV_PER_K * solution.tc_kelvin


def sharp_cutoff_tc(phonons, fluctuations, mu_star, n):
    """Textbook form: n frequencies, mu* at w_ref = 1 brought to a cutoff between the last kept and the next."""
    odd = 2 * np.arange(n) + 1.0

    def instability(log_t):
        temperature = np.exp(log_t)
        binding, breaking = (phonon_kernel(modes, temperature, 2 * n) for modes in (phonons, fluctuations))
        repulsion = 1 / (1 / mu_star + np.log(1 / (2 * np.pi * temperature * n))) if mu_star else 0.0
        kernel, dressing = binding - breaking, binding + breaking
        pairing = toeplitz(kernel[:n]) + hankel(kernel[1 : n + 1], kernel[n : 2 * n]) - 2 * repulsion
        pairing /= np.sqrt(np.outer(odd, odd))
        pairing -= np.diag((2 * np.cumsum(dressing[:n]) - dressing[0]) / odd)
        return eigh(pairing, eigvals_only=True, subset_by_index=[n - 1, n - 1])[0] - 1

    return np.exp(brentq(instability, np.log(0.04), np.log(0.12), xtol=1e-9))


@pytest.mark.parametrize(("omega_sf", "mu_star"), [(0.3, 0.1), (3.0, 0.0), (3.0, 0.1)])
def test_tc_is_the_limit_of_a_sharp_cutoff(omega_sf, mu_star):
    phonons, fluctuations = einstein(1.0, 1.5), einstein(omega_sf, 0.2)
    # The gap differs from its constant as 1/N at the cutoff: errors of N^-1 and N^-2.
    tc = [sharp_cutoff_tc(phonons, fluctuations, mu_star, n) for n in (150, 300, 600)]
    linear = [2 * tc[1] - tc[0], 2 * tc[2] - tc[1]]
    limit = (4 * linear[1] - linear[0]) / 3
    # The next order is smaller by z/N = 10/600 and a logarithm of it.
    tolerance = 0.1 * abs(linear[1] - linear[0]) / limit + SAME
    assert tolerance < 2e-5
    assert tc_mev(phonons, fluctuations, mu_star) == pytest.approx(limit, rel=tolerance)


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
@pytest.mark.parametrize("omega_sf", [0.3, 10.0, 100.0])
def test_tc_converges_with_the_matsubara_frequencies(omega_sf, mu_star):
    # The eigenvalue rises with N as N^-2 and faster, and the correction takes nine tenths of what is missing.
    phonons, fluctuations, temperature = einstein(1.0, 1.5), einstein(omega_sf, 0.2), 0.07
    n = int(10 * max(1.0, omega_sf) / (2 * np.pi * temperature)) + 64
    pairs = [
        largest_eigenpair(pair_breaking_operator(phonons, fluctuations, temperature, mu_star, 1.0, factor * n))
        for factor in (1, 2, 4, 8)
    ]
    values = np.array([pair.value for pair in pairs])
    corrected = values + [truncation(pair) for pair in pairs]
    assert (np.diff(values) > 0).all()
    assert values[3] - values[2] < 0.27 * (values[2] - values[1])  # a quarter, and z/N of it
    assert abs(corrected[0] - corrected[3]) < 0.15 * (corrected[3] - values[0])


@pytest.mark.parametrize("omega_sf", [0.5, 30.0])
def test_where_the_constant_gap_begins_does_not_matter(omega_sf, monkeypatch):
    phonons, fluctuations = einstein(1.0, 1.5), einstein(omega_sf, 0.2)
    tc = tc_mev(phonons, fluctuations, 0.1)
    monkeypatch.setattr(pair_breaking, "_first_constant", lambda *_: 0)
    assert tc_mev(phonons, fluctuations, 0.1) == pytest.approx(tc, rel=SAME)


def test_a_constant_gap_from_zero_energy_would_have_a_pole(monkeypatch):
    # lambda_sf ln^2(w_sf/T) exceeds what phonons and repulsion contribute: why the constant begins at w_sf.
    case = einstein(1.0, 1.5), einstein(1000.0, 1.0), 0.01, 0.1, 1.0, 100_000
    assert pair_breaking_operator(*case).gap_operator.coulomb_weight > 0
    monkeypatch.setattr(pair_breaking, "_first_constant", lambda *_: 0)
    with pytest.raises(pair_breaking.NoRepulsionScaleError):
        pair_breaking_operator(*case)


@pytest.mark.parametrize(
    "solve", [critical_temperature_with_spin_fluctuations, three_step_rule, daams_mitrovic_carbotte]
)
@pytest.mark.parametrize("tiny", [5e-324, np.float64(1e-310)])
def test_a_mu_star_whose_inverse_is_no_number_is_none(solve, tiny):
    phonons, fluctuations = einstein(1.0, 1.5), einstein(100.0, 0.1)
    assert solve(phonons, fluctuations, tiny).tc_kelvin == pytest.approx(
        solve(phonons, fluctuations, 0.0).tc_kelvin, rel=1e-9
    )


@pytest.mark.parametrize("mu_star", [0.0, 0.12])
def test_without_coupling_of_fluctuations_tc_is_the_phonons(mu_star):
    phonons = CoupledModes([5.0, 20.0], [0.6, 0.7])
    plain = critical_temperature(phonons, mu_star)
    none = critical_temperature_with_spin_fluctuations(phonons, einstein(50.0, 0.0), mu_star)
    assert (none.tc_kelvin, none.lam_sf, none.without) == (plain.tc_kelvin, 0.0, plain)
    little = critical_temperature_with_spin_fluctuations(phonons, einstein(50.0, 1e-7), mu_star)
    assert little.tc_kelvin == pytest.approx(plain.tc_kelvin, rel=SAME + 2e-6)  # tolerance of the phonons' Tc


@few
@given(st.floats(0.8, 2), st.floats(0.01, 0.2), st.floats(0.1, 30), repulsions)
def test_fluctuations_lower_tc(lam, lam_sf, omega_sf, mu_star):
    # -<D|K + Zm|D> <= 0 for every D, because lambda_{n-m} is a positive definite kernel.
    solution = critical_temperature_with_spin_fluctuations(einstein(1.0, lam), einstein(omega_sf, lam_sf), mu_star)
    assert solution.status in (TcStatus.FOUND, TcStatus.BELOW_RANGE)
    if solution.status is TcStatus.FOUND:
        assert solution.tc_kelvin < solution.without.tc_kelvin


@few
@given(st.floats(0.1, 30), repulsions, st.floats(1e-2, 1e3))
def test_tc_scales_with_all_frequencies(omega_sf, mu_star, scale):
    tc = tc_mev(einstein(1.0, 1.5), einstein(omega_sf, 0.1), mu_star)
    scaled = tc_mev(einstein(scale, 1.5), einstein(scale * omega_sf, 0.1), mu_star)
    assert scaled == pytest.approx(scale * tc, rel=SAME)


def test_reference_is_the_phonons_unless_a_number_is_given():
    phonons, fluctuations = CoupledModes([5.0, 20.0], [0.6, 0.7]), einstein(200.0, 0.1)
    tc = tc_mev(phonons, fluctuations, 0.1)
    elsewhere = 1 / (1 / 0.1 + np.log(phonons.omega_2_mev / 50.0))
    assert tc_mev(phonons, fluctuations, elsewhere, reference=50.0) == pytest.approx(tc, rel=SAME)
    at_maximum = 1 / (1 / 0.1 + np.log(phonons.omega_2_mev / 20.0))
    assert tc_mev(phonons, fluctuations, at_maximum, reference="omega_max") == pytest.approx(tc, rel=SAME)


@pytest.mark.parametrize(("lam_sf", "status"), [(0.49, TcStatus.BELOW_RANGE), (0.51, TcStatus.NO_SUPERCONDUCTIVITY)])
def test_fluctuations_of_the_phonons_shape_win_where_their_coupling_is_larger(lam_sf, status):
    # Then K is (lambda - lambda_sf) times a positive matrix with a logarithm, and mu* = 0 leaves nothing else.
    solution = critical_temperature_with_spin_fluctuations(einstein(1.0, 0.5), einstein(1.0, lam_sf), 0.0)
    assert solution.status is status
    assert solution.tc_kelvin == (0.0 if status is TcStatus.NO_SUPERCONDUCTIVITY else None)


def test_verdict_at_zero_temperature_is_where_extrapolated_tc_vanishes():
    # As for phonons: 1/ln(w/Tc) = (lambda - lambda_c)/(A + B lambda) at weak coupling; here lambda_sf = 0.1.
    lam, fluctuations = np.array([0.55, 0.6, 0.65]), einstein(3.0, 0.1)
    logarithms = np.array([-np.log(tc_mev(einstein(1.0, value), fluctuations, 0.1)) for value in lam])
    threshold = np.linalg.solve(np.column_stack([logarithms, np.ones(3), lam]), lam * logarithms)[0]
    error = 0.3**3  # the form leaves out the third order in lambda - lambda_c = 0.3
    for value, status in (
        (threshold + error, TcStatus.BELOW_RANGE),
        (threshold - error, TcStatus.NO_SUPERCONDUCTIVITY),
    ):
        found = critical_temperature_with_spin_fluctuations(einstein(1.0, value), fluctuations, 0.1)
        assert found.status is status


def test_verdict_does_not_depend_on_where_the_constant_gap_begins(monkeypatch):
    def verdict(lam):
        operator = pair_breaking_operator(einstein(1.0, lam), einstein(3.0, 0.1), 1e-3, 0.1, 1.0, 2000)
        return 0.5 if pair_breaking.superconducts_at_zero_temperature(operator) else -0.5

    threshold = brentq(verdict, 0.05, 0.5, xtol=1e-6)
    monkeypatch.setattr(pair_breaking, "_first_constant", lambda *_: 0)
    assert brentq(verdict, 0.05, 0.5, xtol=1e-6) == pytest.approx(threshold, abs=2e-6)


@pytest.mark.parametrize(
    ("phonons", "fluctuations", "mu_star", "status"),
    [
        (einstein(1.0, 0.1), einstein(10.0, 0.1), 0.13, TcStatus.NO_SUPERCONDUCTIVITY),
        (einstein(1.0, 0.6), einstein(1.0, 0.4), 0.1, TcStatus.BELOW_RANGE),
        (einstein(1.0, 1.0), einstein(1.0, 1.5), 0.1, TcStatus.NO_SUPERCONDUCTIVITY),
        (einstein(1.0, 1.0), einstein(1e5, 0.1), 0.1, TcStatus.INVALID),
        (einstein(1.0, 1.0), einstein(100.0, 2.0), 0.2, TcStatus.INVALID),
    ],
)
def test_where_there_is_no_tc_the_status_says_why(phonons, fluctuations, mu_star, status):
    solution = critical_temperature_with_spin_fluctuations(phonons, fluctuations, mu_star)
    assert solution.status is status
    assert solution.tc_kelvin == (0.0 if status is TcStatus.NO_SUPERCONDUCTIVITY else None)
    assert solution.error_estimate_kelvin is None


def test_error_estimate_covers_the_error(monkeypatch):
    phonons, fluctuations = einstein(1.0, 1.5), einstein(3.0, 0.2)
    coarse = critical_temperature_with_spin_fluctuations(phonons, fluctuations, 0.1)
    monkeypatch.setattr(spin_fluctuations, "TOLERANCE", 1e-7)
    accurate = critical_temperature_with_spin_fluctuations(phonons, fluctuations, 0.1)
    error = abs(coarse.tc_kelvin - accurate.tc_kelvin)
    assert accurate.error_estimate_kelvin < error < coarse.error_estimate_kelvin
    low, high = coarse.bracket_kelvin
    assert low < coarse.tc_kelvin < high


def test_a_cap_on_the_frequencies_shows_in_the_error_estimate(monkeypatch):
    phonons, fluctuations = einstein(1.0, 1.5), einstein(30.0, 0.2)
    monkeypatch.setattr(spin_fluctuations, "MOST_FREQUENCIES", 128)
    solution = critical_temperature_with_spin_fluctuations(phonons, fluctuations, 0.1)
    assert solution.error_estimate_kelvin > TOLERANCE * solution.tc_kelvin


def test_paramagnon_modes_carry_the_moments_of_the_lorentzian():
    modes = paramagnon_modes(0.3, 50.0, cutoff_mev=400.0)
    angle = np.arctan(8.0)
    # <w^2> = G^2 (tan t - t)/t at the cutoff's angle t; <w^-1> diverges and has no value to compare.
    assert modes.lam == pytest.approx(0.3, rel=1e-12)
    assert modes.moment(2) == pytest.approx(2500 * (8.0 - angle) / angle, rel=1e-9)
    assert modes.omega_max_mev < 400.0


def test_paramagnon_modes_converge():
    phonons = einstein(20.0, 1.5)
    few_modes, many_modes = (tc_mev(phonons, paramagnon_modes(0.2, 200.0, points=n), 0.1) for n in (96, 192))
    assert few_modes == pytest.approx(many_modes, rel=SAME)


@pytest.mark.parametrize(
    "options",
    [
        {"lam_sf": -0.1, "width_mev": 10.0},
        {"lam_sf": 0.1, "width_mev": 0.0},
        {"lam_sf": 0.1, "width_mev": 10.0, "cutoff_mev": np.nan},
        {"lam_sf": 0.1, "width_mev": 10.0, "points": 0},
    ],
)
def test_a_paramagnon_that_is_none_is_refused(options):
    with pytest.raises(ParameterError, match="expected a positive finite number"):
        paramagnon_modes(**options)


@pytest.mark.parametrize("lam", [1.0, 1.5, 2.5])
@pytest.mark.parametrize("ratio", [10.0, 100.0])
def test_three_steps_are_good_to_three_percent_where_nothing_is_said_against_them(lam, ratio):
    estimate = three_step_rule(einstein(1.0, lam), einstein(ratio, 0.1), 0.1)
    exact = tc_mev(einstein(1.0, lam), einstein(ratio, 0.1), 0.1)
    assert estimate.reason is None
    assert estimate.frequency_ratio == pytest.approx(ratio, rel=1e-12)
    # Einstein spectra, lambda 1 to 2.5, ratios 10 to 100: -0.3 to +2.1 %.
    assert KB_MEV_PER_K * estimate.tc_kelvin == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize(
    ("lam", "ratio", "lam_sf", "reason"),
    [
        (1.5, 3.0, 0.1, "fluctuations are 3 times as fast"),
        (1.5, 30.0, 0.4, "lambda_sf = 0.4 is above 0.1"),
        (0.6, 30.0, 0.1, "kB Tc is below 0.02"),
    ],
)
def test_three_steps_say_where_they_fail_and_do(lam, ratio, lam_sf, reason):
    estimate = three_step_rule(einstein(1.0, lam), einstein(ratio, lam_sf), 0.1)
    exact = tc_mev(einstein(1.0, lam), einstein(ratio, lam_sf), 0.1)
    assert estimate.reason.startswith(reason)
    assert abs(KB_MEV_PER_K * estimate.tc_kelvin / exact - 1) > 0.03


def test_the_other_rescaling_reads_low_and_says_so():
    for ratio in (1.0, 10.0, 100.0):
        estimate = daams_mitrovic_carbotte(einstein(1.0, 1.5), einstein(ratio, 0.1), 0.1)
        exact = tc_mev(einstein(1.0, 1.5), einstein(ratio, 0.1), 0.1)
        assert "reads low" in estimate.reason
        assert 0.75 < KB_MEV_PER_K * estimate.tc_kelvin / exact < 0.85


def test_both_rules_agree_where_fluctuations_live_at_the_reference():
    phonons, fluctuations = einstein(1.0, 1.5), einstein(1.0, 0.1)
    one, other = (rule(phonons, fluctuations, 0.1) for rule in (daams_mitrovic_carbotte, three_step_rule))
    assert one.solution.mu_star == pytest.approx(other.solution.mu_star, rel=1e-15)
    assert one.tc_kelvin == pytest.approx(other.tc_kelvin, rel=2e-6)


@pytest.mark.parametrize("rule", [daams_mitrovic_carbotte, three_step_rule])
@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_rules_without_fluctuations_change_nothing(rule, mu_star):
    estimate = rule(einstein(1.0, 1.0), einstein(10.0, 0.0), mu_star)
    assert estimate.reason is None
    assert estimate.solution == critical_temperature(einstein(1.0, 1.0), mu_star)


def test_a_mu_star_without_value_at_the_fluctuations_has_no_estimate():
    estimate = three_step_rule(einstein(1.0, 1.5), einstein(1e5, 0.1), 0.1)
    assert estimate.status is TcStatus.INVALID
    assert estimate.tc_kelvin is None
    assert "has no value at 1e+05 meV" in estimate.reason


@few
@given(repulsions, st.floats(0, 0.5), st.floats(1, 50))
def test_three_steps_of_repulsion_compose(mu_star, lam_sf, omega_sf):
    direct = three_step_pseudopotential(mu_star, 1.0, lam_sf, omega_sf, 1.0)
    at_two = three_step_pseudopotential(mu_star, 1.0, lam_sf, omega_sf, 2.0)
    if direct:
        assert 1 / at_two == pytest.approx(1 / direct - np.log(2), rel=1e-9)
    assert three_step_pseudopotential(mu_star, 1.0, 0.0, omega_sf, 1.0) == pytest.approx(mu_star, rel=1e-9)
