"""Derivatives of Tc against differences of Tc, their signs, limits and scaling laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hightc.eliashberg import Alpha2F, CoupledModes, ParameterError, SpectrumError, TcStatus, critical_temperature
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.critical_temperature_dense import critical_temperature_dense
from hightc.eliashberg.sensitivity import sensitivity

frequencies = arrays(float, 3, elements=st.floats(5, 50))
couplings = arrays(float, 3, elements=st.floats(0.2, 1))
# Down to none at all, but not to numbers whose inverse is too large for a float.
repulsions = st.just(0.0) | st.floats(1e-3, 0.15)
few = settings(max_examples=15, deadline=None)

TWO_MODES = CoupledModes([5.0, 20.0], [0.6, 0.7])


def slope(tc, step):
    """Derivative at 0 of a function of Tc by Richardson's extrapolation of central differences: error of step^4."""
    wide, narrow = ((tc(h) - tc(-h)) / (2 * h) for h in (2 * step, step))
    return (4 * narrow - wide) / 3


def tc_kelvin(modes, mu_star, reference):
    solution = critical_temperature_dense(modes, mu_star, reference=reference)
    assert solution.status is TcStatus.FOUND
    return solution.tc_kelvin


# Differences of Tc: 1e-8 of Tc each over steps of 0.01, and (0.01/0.3)^4 = 1e-6 of the derivative of fifth order.
BY_DIFFERENCES = 1e-5


@pytest.mark.parametrize("mu_star", [0.0, 0.12])
@pytest.mark.parametrize("extra", [0.3, 4.0, 20.0, 300.0])
def test_response_to_a_mode_is_the_difference_of_two_tc(mu_star, extra):
    # The coupling of an absent mode cannot be lowered, so that the difference is taken where 0.05 of it is there.
    base = CoupledModes([*TWO_MODES.omega_mev, extra], [*TWO_MODES.lam_per_mode, 0.05])
    answer = sensitivity(base, mu_star)

    def tc(change):
        modes = CoupledModes(base.omega_mev, [*base.lam_per_mode[:2], 0.05 + change])
        return tc_kelvin(modes, mu_star, answer.solution.reference_mev)

    assert answer.dtc_dlam[2] == pytest.approx(slope(tc, 0.01), rel=BY_DIFFERENCES)


@pytest.mark.parametrize("extra", [0.3, 20.0, 300.0])
def test_response_to_a_mode_that_is_not_there_is_the_limit_of_differences(extra):
    answer = sensitivity(TWO_MODES, 0.12, omega_mev=[extra])
    omega, lam = [*TWO_MODES.omega_mev, extra], TWO_MODES.lam_per_mode
    step, reference = 1e-3, answer.solution.reference_mev
    none, one, two = (tc_kelvin(CoupledModes(omega, [*lam, h]), 0.12, reference) for h in (0, step, 2 * step))
    # Error of the one-sided difference: (step/0.1)^2 with the 0.1 over which the response of 300 meV changes.
    assert answer.dtc_dlam[0] == pytest.approx((4 * one - two - 3 * none) / (2 * step), rel=1e-4)


def test_functional_derivative_predicts_the_tc_of_a_changed_spectrum():
    omega = np.linspace(0.2, 20, 100)
    spectrum = Alpha2F(omega, 0.6 * np.exp(-(((omega - 8) / 4) ** 2)))
    bump = np.exp(-((omega - 12) ** 2))
    answer = sensitivity(spectrum, 0.1)
    predicted = np.trapezoid(answer.dtc_dalpha2f * bump, answer.omega_mev)

    def tc(change):
        return tc_kelvin(Alpha2F(omega, spectrum.alpha2f + change * bump), 0.1, answer.solution.reference_mev)

    assert predicted == pytest.approx(slope(tc, 1e-2), rel=BY_DIFFERENCES)


@pytest.mark.parametrize("mu_star", [0.02, 0.1, 0.2])
def test_response_to_repulsion_is_the_difference_of_two_tc(mu_star):
    answer = sensitivity(TWO_MODES, mu_star)

    def tc(change):
        return tc_kelvin(TWO_MODES, mu_star + change, answer.solution.reference_mev)

    assert answer.dtc_dmu_star < 0
    assert answer.dtc_dmu_star == pytest.approx(slope(tc, 2e-3), rel=BY_DIFFERENCES)


def test_response_to_repulsion_is_continuous_where_repulsion_vanishes():
    none, little = (sensitivity(TWO_MODES, mu_star).dtc_dmu_star for mu_star in (0.0, 1e-6))
    assert none == pytest.approx(little, rel=1e-5)  # the relative second derivative is of order ln(w/T)


@pytest.mark.parametrize("mu_star", [0.0, 0.12])
def test_isotope_coefficient_is_the_difference_of_two_tc(mu_star):
    answer = sensitivity(TWO_MODES, mu_star)
    for j, expected in enumerate(answer.isotope_per_mode):
        moved = np.eye(2)[j]

        def log_tc(log_mass, moved=moved):
            omega = TWO_MODES.omega_mev * np.exp(-moved * log_mass / 2)
            lam = TWO_MODES.lam_per_mode
            return np.log(tc_kelvin(CoupledModes(omega, lam), mu_star, answer.solution.reference_mev))

        assert expected == pytest.approx(-slope(log_tc, 0.02), rel=BY_DIFFERENCES)


@few
@given(frequencies, couplings, repulsions, st.floats(-5, 1))
def test_more_coupling_raises_tc_wherever_repulsion_is_a_pseudopotential(omega, lam, mu_star, position):
    # Bergmann and Rainer 1973; with repulsion as far as the gap keeps its sign, where mu*(w) has doubled.
    modes = CoupledModes(omega, lam)
    highest = min(10.0, 0.4 / max(mu_star, 1e-3))
    answer = sensitivity(modes, mu_star, omega_mev=[modes.omega_2_mev * np.exp(highest * position)])
    assert answer.dtc_dalpha2f[0] > 0
    assert answer.dtc_dmu_star < 0


def test_attraction_between_gaps_of_opposite_sign_lowers_tc():
    # At 100 w_ref a mu* of 0.125 is 0.29, and the gap there is negative.
    modes = CoupledModes([5.0, 500.0], [3.0, 0.05])
    answer = sensitivity(modes, 0.125, reference=5.0)

    def tc(change):
        return tc_kelvin(CoupledModes(modes.omega_mev, [3.0, 0.05 + change]), 0.125, 5.0)

    assert answer.dtc_dlam[1] < 0
    # Differences of 1e-7 Tc = 1e-6 K over steps of 2e-3, against 0.5 K.
    assert answer.dtc_dlam[1] == pytest.approx(slope(tc, 2e-3), rel=1e-3)


@few
@given(frequencies, couplings)
def test_isotope_coefficient_is_one_half_without_repulsion(omega, lam):
    answer = sensitivity(CoupledModes(omega, lam), 0.0)
    assert answer.isotope_coefficient == pytest.approx(0.5, rel=1e-12)
    assert answer.isotope_per_mode.sum() == pytest.approx(0.5, rel=1e-12)


@few
@given(frequencies, couplings, st.floats(0.01, 0.15))
def test_repulsion_takes_from_the_isotope_effect_what_its_reference_gives_to_tc(omega, lam, mu_star):
    # Tc is homogeneous of degree 1 in all w_j and w_ref, and w_ref enters as 1/mu* + ln w_ref:
    # 2 beta - mu*^2 d ln Tc/dmu* = 1.
    answer = sensitivity(CoupledModes(omega, lam), mu_star)
    by_reference = -(mu_star**2) * answer.dtc_dmu_star / answer.solution.tc_kelvin
    assert 0 < answer.isotope_coefficient < 0.5
    assert 2 * answer.isotope_coefficient + by_reference == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("mu_star", [0.0, 0.12])
def test_moving_a_mode_does_what_moving_its_coupling_along_does(mu_star):
    # d Tc/d ln w_j = lam_j d(dTc/dlam)/d ln w: isotope effect and functional derivative are one function.
    step = 0.01
    ladder = np.exp(step * np.arange(-2, 3))
    answer = sensitivity(TWO_MODES, mu_star)
    for j, omega in enumerate(TWO_MODES.omega_mev):
        values = sensitivity(TWO_MODES, mu_star, omega_mev=omega * ladder).dtc_dlam
        difference = (8 * (values[3] - values[1]) - (values[4] - values[0])) / (12 * step)
        expected = TWO_MODES.lam_per_mode[j] * difference / answer.solution.tc_kelvin / 2
        # 1e-8 of interpolation over the step.
        assert answer.isotope_per_mode[j] == pytest.approx(expected, rel=1e-5)


def test_low_frequencies_count_in_proportion_to_their_frequency():
    tc_mev = KB_MEV_PER_K * sensitivity(TWO_MODES, 0.1).solution.tc_kelvin
    low = tc_mev * np.array([1e-3, 2e-3])
    per_mev = sensitivity(TWO_MODES, 0.1, omega_mev=low).dtc_dalpha2f / low
    assert per_mev[0] == pytest.approx(per_mev[1], rel=1e-6)  # the next term is (w/2 pi Tc)^2 = 1e-7


@pytest.mark.parametrize(
    ("modes", "mu_star"),
    [(CoupledModes([10.0], [1.0]), 0.0), (CoupledModes([4.4, 8.5], [1.0, 0.55]), 0.131), (TWO_MODES, 0.1)],
)
def test_coupling_is_worth_most_near_seven_tc(modes, mu_star):
    # Carbotte 1990, section IV: the maximum lies somewhat above 2 pi Tc, near 7 to 8 kB Tc, whatever the spectrum.
    tc_mev = KB_MEV_PER_K * critical_temperature(modes, mu_star).tc_kelvin
    omega = np.geomspace(0.1, 100, 1000) * tc_mev
    best = omega[np.argmax(sensitivity(modes, mu_star, omega_mev=omega).dtc_dalpha2f)] / tc_mev
    assert 2 * np.pi < best < 8.5


@few
@given(frequencies, couplings, repulsions)
def test_eigenvalue_at_tc_is_the_one_of_the_search(omega, lam, mu_star):
    answer = sensitivity(CoupledModes(omega, lam), mu_star)
    assert answer.residual < 1.2e-6  # the tolerances of both


def test_sharper_grids_change_no_derivative():
    omega = np.linspace(0.2, 20, 100)
    spectrum = Alpha2F(omega, 0.6 * np.exp(-(((omega - 8) / 4) ** 2)))
    everywhere = sensitivity(spectrum, 0.1)
    one = sensitivity(spectrum, 0.1, omega_mev=[omega[40]])
    assert one.dtc_dalpha2f[0] == pytest.approx(everywhere.dtc_dalpha2f[40], rel=1e-7)


def test_modes_without_coupling_have_a_response_and_no_isotope_effect():
    answer = sensitivity(CoupledModes([5.0, 500.0, 20.0], [0.6, 0.0, 0.7]), 0.1)
    expected = sensitivity(TWO_MODES, 0.1)
    assert answer.isotope_per_mode[1] == 0
    assert answer.dtc_dlam[1] > 0
    np.testing.assert_allclose(answer.dtc_dlam[[0, 2]], expected.dtc_dlam, rtol=1e-7)
    np.testing.assert_allclose(answer.isotope_per_mode[[0, 2]], expected.isotope_per_mode, rtol=1e-7)


@pytest.mark.parametrize(
    ("modes", "mu_star", "status"),
    [
        (CoupledModes([1.0], [0.1]), 0.13, TcStatus.NO_SUPERCONDUCTIVITY),
        (CoupledModes([1.0], [0.2]), 0.1, TcStatus.BELOW_RANGE),
        (CoupledModes([1.0], [0.0]), 0.1, TcStatus.NO_SUPERCONDUCTIVITY),
        (CoupledModes([0.5, 1.0], [1.0, 1.0]), 5.0, TcStatus.INVALID),
    ],
)
def test_without_a_tc_there_are_no_derivatives(modes, mu_star, status):
    answer = sensitivity(modes, mu_star)
    assert answer.status is status
    for name in ("dtc_dalpha2f", "dtc_dlam", "dtc_dmu_star", "isotope_coefficient", "isotope_per_mode", "residual"):
        assert getattr(answer, name) is None


@pytest.mark.parametrize("omega", [[0.0], [1.0, -1.0], [np.nan], []])
def test_frequencies_that_are_none_are_refused(omega):
    with pytest.raises(SpectrumError, match="omega_mev"):
        sensitivity(TWO_MODES, 0.1, omega_mev=omega)


@pytest.mark.parametrize("tiny", [5e-324, np.float64(1e-310)])
def test_a_mu_star_whose_inverse_is_no_number_is_none(tiny):
    one, other = sensitivity(TWO_MODES, tiny), sensitivity(TWO_MODES, 0.0)
    assert one.dtc_dmu_star == pytest.approx(other.dtc_dmu_star, rel=1e-7)
    np.testing.assert_allclose(one.dtc_dlam, other.dtc_dlam, rtol=1e-7)


def test_results_are_read_only():
    omega = np.array([5.0, 6.0])
    answer = sensitivity(TWO_MODES, 0.1, omega_mev=omega)
    for values in (answer.omega_mev, answer.dtc_dalpha2f, answer.dtc_dlam, answer.isotope_per_mode):
        assert not values.flags.writeable
    assert omega.flags.writeable


def test_a_negative_mu_star_is_refused():
    with pytest.raises(ParameterError, match="mu_star"):
        sensitivity(TWO_MODES, -0.1)
