"""Laws of the Eliashberg function: its quadrature, its moments and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hightc.eliashberg import Alpha2F, NegativeSpectrumWarning, ParameterError, SpectrumError

ROUNDING = 1e-12


def debye(points=400, cutoff=40.0, strength=0.6):
    """a2F = strength (w/w_D)^2 up to w_D: lambda = strength, <w^n> = 2 w_D^n / (n + 2)."""
    omega = np.linspace(0, cutoff, points + 1)
    return Alpha2F(omega, strength * (omega / cutoff) ** 2)


def test_lambda_of_a_debye_spectrum_is_exact_on_any_grid():
    # a2F/w is linear on every interval, the first included, and the trapezoid integrates it without error.
    omega = np.array([3.0, 4.0, 11.0, 25.0, 40.0])
    assert Alpha2F(omega, 0.6 * (omega / 40) ** 2).lam == pytest.approx(0.6, rel=ROUNDING)


def test_means_of_a_debye_spectrum_are_the_analytic_ones():
    spectrum = debye()
    # Euler-Maclaurin with h = 1/400: h^2/2 for w2 and <w>; 2 h^2 [(1 - ln h)/12 - zeta'(-1)] = 1.5 h^2 for w_log.
    tolerance = 1.6 / 400**2
    assert spectrum.omega_2_mev == pytest.approx(40 / np.sqrt(2), rel=tolerance)
    assert spectrum.omega_log_mev == pytest.approx(40 * np.exp(-0.5), rel=tolerance)
    assert spectrum.moment(1) == pytest.approx(40 * 2 / 3, rel=tolerance)
    assert spectrum.omega_max_mev == 40.0


def test_moments_are_trapezoidal_integrals_on_the_given_grid():
    omega = np.array([1.0, 2.0, 4.0, 5.0])
    alpha2f = np.array([0.1, 0.7, 0.4, 0.0])
    spectrum = Alpha2F(omega, alpha2f)
    grid, integrand = np.append(0, omega), 2 * np.append(0, alpha2f)
    lam = np.trapezoid(np.append(0, integrand[1:] / omega), grid)
    assert spectrum.lam == pytest.approx(lam, rel=ROUNDING)
    for n in (1, 2, 3):
        expected = np.trapezoid(np.append(0, integrand[1:] * omega ** (n - 1)), grid) / lam
        assert spectrum.moment(n) == pytest.approx(expected, rel=ROUNDING)


def test_first_interval_holds_the_integral_of_the_assumed_shape():
    omega, alpha2f = np.array([2.0, 4.0]), np.array([0.3, 0.0])
    above = 0.3 / 2 * (4 - 2)  # 2 x trapezoid of a2F/w over [2, 4]
    for rule, below in (("quadratic", 0.3), ("linear", 0.6), ("omit", 0.0)):
        assert Alpha2F(omega, alpha2f, low_frequency=rule).lam == pytest.approx(above + below, rel=ROUNDING)


@pytest.mark.parametrize("rule", ["quadratic", "linear", "omit"])
def test_running_lambda_rises_to_lambda(rule):
    spectrum = Alpha2F([1.0, 2.0, 4.0], [0.1, 0.5, 0.2], low_frequency=rule)
    running = spectrum.running_lambda()
    assert (np.diff(running) >= 0).all()
    assert running[-1] == pytest.approx(spectrum.lam, rel=ROUNDING)


def test_a_leading_zero_frequency_changes_nothing():
    omega, alpha2f = np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.3, 0.1])
    with_zero = Alpha2F(np.append(0, omega), np.append(0, alpha2f))
    np.testing.assert_array_equal(with_zero.omega_mev, omega)
    assert with_zero.lam == Alpha2F(omega, alpha2f).lam


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_lambda_is_linear_in_the_spectrum_and_blind_to_the_unit_of_frequency(strength, scale):
    omega, alpha2f = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.5, 0.2])
    scaled = Alpha2F(scale * omega, strength * alpha2f)
    assert scaled.lam == pytest.approx(strength * Alpha2F(omega, alpha2f).lam, rel=ROUNDING)


def test_negative_values_are_clipped_with_a_warning_and_on_record():
    omega, alpha2f = np.array([1.0, 2.0, 3.0, 4.0]), np.array([-0.05, 0.3, -0.02, 0.1])
    with pytest.warns(NegativeSpectrumWarning, match=r"2 of 4 values are negative, lowest -0\.05 at 1 meV") as seen:
        spectrum = Alpha2F(omega, alpha2f)
    assert seen[0].filename == __file__
    np.testing.assert_array_equal(spectrum.alpha2f, [0, 0.3, 0, 0.1])
    grid = np.append(0, omega)
    unclipped = np.trapezoid(np.append(0, 2 * alpha2f / omega), grid)
    assert spectrum.lam - spectrum.clipped_lambda == pytest.approx(unclipped, rel=ROUNDING)


def test_nothing_is_clipped_from_a_positive_spectrum():
    assert debye().clipped_lambda == 0.0


def test_a_vanishing_spectrum_has_zero_lambda_and_no_mean_frequency():
    spectrum = Alpha2F([1.0, 2.0], [0.0, 0.0])
    assert spectrum.lam == 0
    assert np.isnan([spectrum.omega_log_mev, spectrum.omega_2_mev, spectrum.omega_max_mev]).all()


@pytest.mark.parametrize("rule", ["quadratic", "linear", "omit"])
def test_resampling_on_the_own_grid_changes_nothing(rule):
    spectrum = Alpha2F([1.0, 2.0, 4.0], [0.1, 0.5, 0.2], low_frequency=rule)
    again = spectrum.resample(spectrum.omega_mev)
    np.testing.assert_array_equal(again.alpha2f, spectrum.alpha2f)
    assert again.lam == spectrum.lam


def test_resampling_keeps_lambda_to_second_order_and_adds_nothing_above():
    spectrum = debye()
    finer = spectrum.resample(np.linspace(0, 60, 2401))
    # The cell beyond the cutoff gains a ramp of width 0.025: 2 x 0.6/40 x 0.0125; the rest is second order.
    assert finer.lam == pytest.approx(spectrum.lam, abs=2 * 0.6 / 40 * 0.0125 * 1.1)
    assert (finer.alpha2f[finer.omega_mev > 40] == 0).all()
    np.testing.assert_allclose(finer.alpha2f[:3], 0.6 * (finer.omega_mev[:3] / 40) ** 2, rtol=ROUNDING)


def test_resampling_follows_the_assumed_shape_below_the_first_point():
    for rule, expected in (("quadratic", 0.25), ("linear", 0.5), ("omit", 0.0)):
        spectrum = Alpha2F([2.0, 4.0], [1.0, 1.0], low_frequency=rule)
        assert spectrum.resample([1.0, 2.0]).alpha2f[0] == expected


@pytest.mark.parametrize(
    ("omega", "alpha2f", "message"),
    [
        (
            [1.0, 3.0, 2.0],
            [1.0, 1.0, 1.0],
            r"omega_mev\[2\]: expected a strictly increasing grid, found 2\.0 after 3\.0",
        ),
        ([1.0, 1.0], [1.0, 1.0], r"omega_mev\[1\]: expected a strictly increasing grid"),
        (
            [-2.0, 1.0],
            [0.0, 1.0],
            r"omega_mev\[0\]: expected positive frequencies, found -2\.0: imaginary modes",
        ),
        ([0.0, 1.0], [0.0, 1.0], r"omega_mev: expected at least 2 positive frequencies, found 1"),
        ([1.0, 2.0], [1.0, np.inf], r"alpha2f\[1\]: expected finite numbers, found inf"),
        ([1.0, 2.0], [1.0], r"alpha2f: expected 2 values, one for each frequency, found 1"),
        ([1.0, 2.0], [[1.0, 2.0]], r"alpha2f: expected shape \(n,\), n > 0, found \(1, 2\)"),
    ],
)
def test_arrays_that_are_no_spectrum_are_refused(omega, alpha2f, message):
    with pytest.raises(SpectrumError, match=message):
        Alpha2F(omega, alpha2f)


def test_an_unknown_low_frequency_rule_is_refused():
    with pytest.raises(ParameterError, match=r"low_frequency: expected one of .*'omit'.*, found 'cubic'"):
        Alpha2F([1.0, 2.0], [1.0, 1.0], low_frequency="cubic")
