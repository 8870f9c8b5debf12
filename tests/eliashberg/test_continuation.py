"""The gap on the real axis: both methods against each other, the way back, sum rules, gap ratios."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hightc.eliashberg import Alpha2F, CoupledModes, ParameterError, critical_temperature
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.continuation import RESIDUAL_TOLERANCE, TRUST, continue_by_pade, continue_gap
from hightc.eliashberg.gap import solve_gap
from hightc.eliashberg.pade import ThieleFraction
from hightc.eliashberg.real_axis_equation import CONSISTENCY, BosonGrid, matsubara_sums
from hightc.eliashberg.real_axis_gap import ContinuationStatus

OMEGA = np.linspace(0.1, 30, 300)
SMOOTH = Alpha2F(OMEGA, 1.2 * (OMEGA / 30) ** 2 * (1 - (OMEGA / 31) ** 6))
TWO_MODES = CoupledModes([2.0, 10.0], [0.5, 0.7])

few = settings(max_examples=5, deadline=None)


def einstein(lam):
    return CoupledModes([10.0], [lam])


def at(spectrum, mu_star, reduced):
    tc = critical_temperature(spectrum, mu_star).tc_kelvin
    return tc, solve_gap(spectrum, reduced * tc, mu_star)


def whole_line(real):
    """Frequencies and gap on both sides of zero."""
    w = real.omega_mev + 1j * real.height_mev
    return np.concatenate([-w[:0:-1].conj(), w]), np.concatenate([real.gap_mev[:0:-1].conj(), real.gap_mev])


@pytest.mark.parametrize(("lam", "mu_star", "ratio", "tolerance"), [(1.0, 0.0, 4.2292, 1e-4), (0.5, 0.1, 3.5488, 5e-4)])
def test_gap_ratios_of_einstein_spectra(lam, mu_star, ratio, tolerance):
    # Computed apart by dense iteration with a sharp cutoff at N frequencies and a Pade approximant through 60 of them:
    # 4.2292 for N = 375 to 3000; with repulsion 3.6186, 3.5638, 3.5519 for N = 750, 1500, 3000, hence 3.5488 as N^-2.
    tc, solution = at(einstein(lam), mu_star, 0.1)
    assert continue_gap(einstein(lam), solution).gap_ratio(tc) == pytest.approx(ratio, abs=tolerance)


def test_gap_ratio_is_bcs_in_weak_coupling():
    tc, solution = at(einstein(0.25), 0.0, 0.1)
    x = KB_MEV_PER_K * tc / 10
    bcs = 2 * np.pi * np.exp(-np.euler_gamma)
    # Mitrovic, Zarate and Carbotte 1984: 12.5 (Tc/w)^2 ln(w/2Tc), fitted at stronger coupling.
    expected = 1 + 12.5 * x**2 * np.log(1 / (2 * x))
    assert continue_gap(einstein(0.25), solution).gap_ratio(tc) == pytest.approx(bcs * expected, rel=(expected - 1) / 2)


@pytest.mark.parametrize(("spectrum", "mu_star"), [(einstein(1.0), 0.0), (TWO_MODES, 0.13), (SMOOTH, 0.1)])
def test_pade_and_integral_equation_have_one_gap_edge_at_low_temperature(spectrum, mu_star):
    tc, solution = at(spectrum, mu_star, 0.1)
    real = continue_gap(spectrum, solution)
    pade = continue_by_pade(solution, np.linspace(0, 1.5 * solution.gap_mev[0], 301))
    # A smooth a2F is piecewise linear in one and a set of modes in the other, which differ by (0.1/30)^2 = 1e-5.
    assert pade.status is ContinuationStatus.CONVERGED
    assert pade.gap_ratio(tc) == pytest.approx(real.gap_ratio(tc), rel=max(1e-5, pade.residual / 10))


def test_pade_and_integral_equation_agree_below_the_phonons():
    _, solution = at(SMOOTH, 0.1, 0.1)
    real = continue_gap(SMOOTH, solution)
    below = real.omega_mev < solution.gap_mev[0]
    pade = continue_by_pade(solution, real.omega_mev[below], height_mev=real.height_mev)
    assert pade.status is ContinuationStatus.CONVERGED
    for one, other in ((pade.gap_mev, real.gap_mev), (pade.renormalisation, real.renormalisation)):
        np.testing.assert_allclose(one, other[below], rtol=0, atol=TRUST * np.abs(other[0]))


@pytest.mark.parametrize("spectrum", [einstein(1.0), TWO_MODES, SMOOTH])
@pytest.mark.parametrize("mu_star", [0.0, 0.1])
@pytest.mark.parametrize("reduced", [0.1, 0.6, 0.95])
def test_cauchys_integral_leads_back_to_the_imaginary_axis(spectrum, mu_star, reduced):
    _, solution = at(spectrum, mu_star, reduced)
    end = 20 * spectrum.modes.omega_max_mev
    height = min(solution.gap_mev[0] / 10, solution.omega_n_mev[0] / 4)
    real = continue_gap(spectrum, solution, omega_max_mev=end, height_mev=height)
    w, gap = whole_line(real)
    step = real.omega_mev[1]
    # Beyond the end Im Delta falls as 1/w^2 in the presence of repulsion: it adds Im Delta(end)/(2 pi).
    tail = real.gap_mev[-1].imag / (2 * np.pi)
    for n in (0, 1, 3):
        integral = np.sum((gap - solution.constant_mev) / (w - 1j * solution.omega_n_mev[n])) * step
        back = solution.constant_mev + (integral / (2j * np.pi)).real + tail
        # What is left beyond the end is a part of order w_n/end of the tail and of order (w_ph/end)^2 = 1/400 of 1.
        tolerance = 3e-4 * solution.gap_mev[0] + 2 * abs(tail) * (0.1 + solution.omega_n_mev[n] / end)
        assert back == pytest.approx(solution.gap_mev[n], abs=tolerance)


@pytest.mark.parametrize(("spectrum", "mu_star"), [(einstein(1.0), 0.0), (TWO_MODES, 0.13), (SMOOTH, 0.1)])
@pytest.mark.parametrize("reduced", [0.1, 0.6, 0.95])
def test_states_are_moved_and_not_lost(spectrum, mu_star, reduced):
    _, solution = at(spectrum, mu_star, reduced)
    real = continue_gap(spectrum, solution)
    density = real.density_of_states
    excess = np.trapezoid(density - 1, real.omega_mev)
    # Beyond the end N - 1 = Re Delta^2/2 w^2.
    tail = (real.gap_mev[-1] ** 2).real / (2 * real.omega_mev[-1])
    # The tail is about C^2/12 w_ph; Delta still moves there by a tenth of itself.
    tolerance = 1e-4 * solution.gap_mev[0] + 0.2 * abs(tail)
    assert excess + tail == pytest.approx(0, abs=tolerance)
    assert (density > 0).all()


def test_states_pile_up_at_the_edge_and_vanish_in_the_gap():
    _, solution = at(SMOOTH, 0.1, 0.05)
    real = continue_gap(SMOOTH, solution)
    edge, density = real.gap_edge_mev, real.density_of_states
    assert real.omega_mev[np.argmax(density)] == pytest.approx(edge, abs=2 * real.height_mev)
    # In the gap the density seen at a height h is h Delta^2/(Delta^2 - w^2)^(3/2), 0.026 at w = 0 and h = Delta/40.
    assert density[real.omega_mev < edge / 2].max() < 2 * real.height_mev / edge
    bcs = real.omega_mev / np.sqrt(np.maximum(real.omega_mev**2 - edge**2, 1e-9))
    between = (real.omega_mev > 1.2 * edge) & (real.omega_mev < 2 * edge)
    # Delta grows by (w/w_ph)^2, below 10 %, up to twice the edge, and N - 1 by twice that.
    np.testing.assert_allclose(density[between] - 1, bcs[between] - 1, rtol=0.4)


def test_result_does_not_depend_on_the_height_of_the_line():
    _, solution = at(TWO_MODES, 0.13, 0.1)
    edges = [
        continue_gap(TWO_MODES, solution, height_mev=solution.gap_mev[0] / part).gap_edge_mev for part in (80, 40, 20)
    ]
    # Third order in height over the distance to the next singularity, the phonon's 2 meV.
    tolerance = (solution.gap_mev[0] / 20 / 2) ** 3
    np.testing.assert_allclose(edges, edges[0], rtol=tolerance)
    assert edges[0] == pytest.approx(solution.gap_mev[0], rel=0.1)


@few
@given(
    arrays(float, 3, elements=st.floats(5, 50)),
    arrays(float, 3, elements=st.floats(0.2, 1)),
    st.floats(0, 0.15),
    st.floats(0.1, 0.6),
)
def test_edge_scales_with_the_frequencies_and_lies_near_the_gap(omega, lam, mu_star, reduced):
    one, other = CoupledModes(omega, lam), CoupledModes(3 * omega, lam)
    tc, solution = at(one, mu_star, reduced)
    edge = continue_gap(one, solution).gap_edge_mev
    scaled = continue_gap(other, solve_gap(other, 3 * reduced * tc, mu_star)).gap_edge_mev
    # Grids are scaled alike; the iterations end within their tolerance of each other.
    assert scaled == pytest.approx(3 * edge, rel=100 * RESIDUAL_TOLERANCE)
    assert edge == pytest.approx(solution.gap_mev[0], rel=0.5)


def test_line_rises_where_the_gap_is_too_small_for_the_grid(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.continuation.MOST_POINTS", 2000)
    _, solution = at(einstein(1.0), 0.0, 0.99)
    real = continue_gap(einstein(1.0), solution)
    assert real.status is ContinuationStatus.CONVERGED
    assert real.omega_mev.size <= 2000
    assert real.height_mev > solution.gap_mev[0] / 40


def test_renormalisation_of_the_normal_state_is_the_known_integral():
    spectrum, temperature = einstein(1.0), 40.0
    solution = solve_gap(spectrum, temperature, 0.0)
    real = continue_gap(spectrum, solution)
    assert real.status is ContinuationStatus.NORMAL
    assert not real.gap_mev.any()
    assert real.gap_edge_mev is None
    np.testing.assert_allclose(real.density_of_states, 1)
    # Grimvall 1981: -Im Sigma = pi (lambda w_E/2) [2 N(w_E) + f(w_E + w) + f(w_E - w)] on the axis.
    w, t = 3.0, KB_MEV_PER_K * temperature
    expected = np.pi * 5.0 * (2 / np.expm1(10 / t) + 1 / (np.exp((10 + w) / t) + 1) + 1 / (np.exp((10 - w) / t) + 1))
    scattering = ((real.omega_mev + 1j * real.height_mev) * (real.renormalisation - 1)).imag
    near = scattering[np.argmin(np.abs(real.omega_mev - w))]
    # At a height h the rate is lower by about Re d(w Z - w)/dw h = lambda h, and the grid point is a step off.
    assert near == pytest.approx(expected, abs=2 * real.height_mev)


def test_matsubara_sums_by_octaves_are_the_sums():
    _, solution = at(einstein(1.0), 0.1, 0.1)
    temperature_mev = KB_MEV_PER_K * solution.temperature_kelvin
    w = np.array([0.5, 5.0, 20.0]) + 0.01j
    pairing, odd = matsubara_sums(solution, w)
    omega, gap = solution.omega_n_mev, solution.gap_mev
    root, kernel = np.hypot(omega, gap), 1 / (w[:, None] ** 2 + omega**2)
    edge = omega[-1]
    # Left out: the integral of C w/w_m^3.
    expected = 2 * np.pi * temperature_mev * w * (kernel @ (gap / root)) + solution.constant_mev * w / (2 * edge**2)
    np.testing.assert_allclose(pairing, expected, rtol=1e-5)
    # The divergent constant drops out of differences; left out: (w_1^2 - w_0^2) times the integral of w_m^-3.
    direct = 2 * np.pi * temperature_mev * (kernel @ (omega**2 / root))
    difference = direct[1:] - direct[0] - (w[1:] ** 2 - w[0] ** 2) / (2 * edge**2)
    np.testing.assert_allclose(odd[1:] - odd[0], difference, rtol=1e-5)


def test_boson_grid_keeps_the_integrals():
    # Modes: interpolation of order 10 at a hundred points to the scale of 1/(z^2 + 25). A smooth a2F: trapezoids of 0.1
    # meV against those of 0.033, which for N(z) at 0.5 meV differ by (0.1/0.5)^2/6.
    for spectrum, tolerances in ((TWO_MODES, (1e-9, 1e-9)), (SMOOTH, (2e-4, 7e-3))):
        grid = BosonGrid.of(spectrum, 0.037, 0.5)
        z = 0.037 * (grid.first + np.arange(grid.weight.size))
        modes = spectrum.modes
        strength = modes.lam_per_mode * modes.omega_mev / 2
        occupations = (1, 1 / np.expm1(modes.omega_mev / 0.5))
        for weight, occupation, tolerance in zip((grid.weight, grid.occupied), occupations, tolerances, strict=True):
            expected = np.sum(strength * occupation / (modes.omega_mev**2 + 25))
            assert np.sum(weight / (z**2 + 25)) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("omega", [np.linspace(30 / n, 30, n) for n in (2, 5, 10, 20)] + [[*range(1, 31), 100, 1000]])
def test_a_coarse_spectrum_is_continued_as_the_modes_whose_gap_it_is(omega):
    shape = np.exp(-(((np.array(omega) - 15) / 6) ** 2)) * (np.array(omega) <= 30)
    spectrum = Alpha2F(omega, 1.5 * shape / Alpha2F(omega, shape).lam)
    _, solution = at(spectrum, 0.1, 0.2)
    edge, expected = (continue_gap(form, solution).gap_edge_mev for form in (spectrum, spectrum.modes))
    # d ln edge/d ln lambda and d ln w2 are of order 1.
    assert edge == pytest.approx(expected, rel=3 * CONSISTENCY)


def test_results_share_no_memory_and_are_read_only():
    _, solution = at(einstein(1.0), 0.0, 0.5)
    omega = np.linspace(0, 2, 50)
    for real in (continue_by_pade(solution, omega), continue_gap(einstein(1.0), solution)):
        for values in (real.omega_mev, real.gap_mev, real.renormalisation, real.density_of_states):
            assert not values.flags.writeable
    omega[0] = 0.01
    assert continue_by_pade(solution, [0.0, 1.0]).omega_mev[0] == 0


def test_thiele_fraction_is_exact_for_a_rational_function():
    z = 1j * np.arange(1, 12)
    fraction = ThieleFraction.through(z, 1 / (z**2 - 4) + 0.3)
    assert fraction.points.size < 8
    where = np.array([0.5, 1.0, 7.0 + 0.1j])
    np.testing.assert_allclose(fraction(where), 1 / (where**2 - 4) + 0.3, rtol=1e-7)
    np.testing.assert_allclose(fraction(z), 1 / (z**2 - 4) + 0.3, rtol=1e-8)


def test_pade_reproduces_the_matsubara_points():
    _, solution = at(TWO_MODES, 0.13, 0.3)
    known = 1j * solution.omega_n_mev[:20]
    fraction = ThieleFraction.through(known, solution.gap_mev[:20].astype(complex))
    used = fraction.points.size
    assert used > 10
    np.testing.assert_allclose(fraction(known[:used]), solution.gap_mev[:used], atol=1e-8 * solution.gap_mev[0])


def test_pade_is_not_trusted_at_phonon_energies():
    _, solution = at(TWO_MODES, 0.13, 0.5)
    pade = continue_by_pade(solution, np.linspace(0, 30, 301))
    assert pade.status is ContinuationStatus.UNTRUSTWORTHY
    assert pade.residual > TRUST


def test_nothing_is_continued_where_there_is_no_gap():
    invalid = solve_gap(einstein(1.0), 1.0, 2.0, reference=5.0)
    for real in (continue_gap(einstein(1.0), invalid), continue_by_pade(invalid, [0.0, 1.0])):
        assert real.status is ContinuationStatus.NO_GAP
        assert np.isnan(real.gap_mev).all()
        assert real.gap_ratio(1.0) is None
    normal = continue_by_pade(solve_gap(einstein(1.0), 50.0, 0.0), [0.0, 1.0])
    assert normal.status is ContinuationStatus.NORMAL
    assert not normal.gap_mev.any()


def test_an_iteration_that_ends_early_gives_no_gap(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.continuation._ITERATIONS", 2)
    _, solution = at(einstein(1.0), 0.0, 0.1)
    real = continue_gap(einstein(1.0), solution)
    assert real.status is ContinuationStatus.NOT_CONVERGED
    assert np.isnan(real.gap_mev).all()
    assert real.residual > RESIDUAL_TOLERANCE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height_mev": 0.0}, "height_mev: expected 0 < height"),
        ({"height_mev": 10.0}, "height_mev: expected 0 < height"),
        ({"omega_max_mev": 9.0}, "omega_max_mev: expected more than the highest phonon frequency"),
        ({"omega_max_mev": np.nan}, "omega_max_mev: expected more than"),
        ({"height_mev": 1e-5}, "height_mev: expected at least .* more than 524288"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused(options, message):
    _, solution = at(einstein(1.0), 0.0, 0.1)
    with pytest.raises(ParameterError, match=message):
        continue_gap(einstein(1.0), solution, **options)


@pytest.mark.parametrize(
    ("omega", "options", "message"),
    [
        ([1.0], {}, "omega_mev: expected increasing"),
        ([2.0, 1.0], {}, "omega_mev: expected increasing"),
        ([0.0, np.nan], {}, "omega_mev: expected increasing"),
        ([0.0, 1.0], {"height_mev": -1.0}, "height_mev: expected a number >= 0"),
        ([0.0, 1.0], {"points": 3}, "points: expected at least 4"),
    ],
)
def test_bad_input_to_pade_is_refused(omega, options, message):
    _, solution = at(einstein(1.0), 0.0, 0.1)
    with pytest.raises(ParameterError, match=message):
        continue_by_pade(solution, omega, **options)
