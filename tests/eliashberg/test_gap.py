"""The gap on the imaginary axis: brute force, limits, scaling, and its relation to Tc."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import hankel, toeplitz
from scipy.optimize import brentq

from hightc.eliashberg import Alpha2F, CoupledModes, ParameterError, SpectrumError, TcStatus, critical_temperature
from hightc.eliashberg.anderson_mixing import fixed_point
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.gap import LARGEST_TRUNCATION, RESIDUAL_TOLERANCE, TRUNCATION_TOLERANCE, GapStatus, solve_gap
from hightc.eliashberg.gap_equation import GapEquation
from hightc.eliashberg.kernel import phonon_kernel
from hightc.eliashberg.matsubara import gap_operator, largest_eigenpair

frequencies = arrays(float, 3, elements=st.floats(5, 50))
couplings = arrays(float, 3, elements=st.floats(0.2, 1))
# A solution is milliseconds, but the machine may be shared.
few = settings(max_examples=15, deadline=None)

# Relative errors of one solution: those of the frequencies left out, magnified by the response of the gap (below 0.9 Tc
# at most 1/(1 - T/Tc) = 10), and the residual, magnified alike.
EXACT = 20 * (TRUNCATION_TOLERANCE + RESIDUAL_TOLERANCE)


def einstein(lam, omega=10.0):
    return CoupledModes([omega], [lam])


def tc_of(modes, mu_star=0.0, **options):
    return critical_temperature(modes, mu_star, **options).tc_kelvin


def gap_at(modes, temperature, mu_star=0.0, **options):
    solution = solve_gap(modes, temperature, mu_star, **options)
    assert solution.status is GapStatus.FOUND
    return solution


def brute_force(modes, temperature_mev, mu_star, n, steps=1000):
    """Iterate the equations as they are printed, damped, N frequencies and the Coulomb cutoff there; mu* at omega_2."""
    kernel = phonon_kernel(modes, temperature_mev, 2 * n + 1)
    pairing = toeplitz(kernel[:n]) + hankel(kernel[1 : n + 1], kernel[n : 2 * n])
    mass = toeplitz(kernel[:n]) - hankel(kernel[1 : n + 1], kernel[n : 2 * n])
    index = np.arange(n)
    omega = np.pi * temperature_mev * (2 * index + 1)
    total = np.append(0, np.cumsum(kernel))
    mass_tail = total[n + index + 1] - total[n - index]  # w/R = 1 beyond
    cutoff = 2 * np.pi * temperature_mev * n
    repulsion = 1 / (1 / mu_star + np.log(modes.omega_2_mev / cutoff)) if mu_star else 0
    gap = np.full(n, 2 * temperature_mev)
    for _ in range(steps):
        root = np.hypot(omega, gap)
        renormalisation = 1 + np.pi * temperature_mev / omega * (mass @ (omega / root) + mass_tail)
        anomalous = np.pi * temperature_mev * gap / root
        gap = 0.8 * gap + 0.2 * (pairing @ anomalous - 2 * repulsion * anomalous.sum()) / renormalisation
    return gap, renormalisation


@pytest.mark.parametrize("mu_star", [0.0, 0.13])
def test_gap_is_what_plain_iteration_converges_to(mu_star):
    modes = CoupledModes([2.0, 10.0], [0.5, 0.7])
    temperature = 0.4 * tc_of(modes, mu_star)
    solution = gap_at(modes, temperature, mu_star)
    coarse, fine = (brute_force(modes, KB_MEV_PER_K * temperature, mu_star, n) for n in (300, 600))
    for exact, half, whole in zip((solution.gap_mev, solution.renormalisation), coarse, fine, strict=True):
        # What a sharp cutoff leaves out goes as 1/N^2, with a logarithm where there is repulsion: Richardson's
        # step takes three quarters of it away, and the rest is below a quarter of the difference.
        expected = whole[:30] + (whole[:30] - half[:30]) / 3
        tolerance = np.abs(whole[:30] - half[:30]).max() / 4 + EXACT * abs(exact[0])
        np.testing.assert_allclose(exact[:30], expected, rtol=0, atol=tolerance)
        assert tolerance < 2e-3 * exact[0]


def test_gap_ratio_is_bcs_in_weak_coupling():
    # 2 Delta/kTc = 2 pi exp(-gamma) [1 + O((Tc/w)^2 ln)]; Mitrovic, Zarate and Carbotte 1984: 12.5 (Tc/w)^2 ln(w/2Tc).
    modes = einstein(0.25)
    tc = tc_of(modes)
    x = KB_MEV_PER_K * tc / 10
    ratio = 2 * gap_at(modes, tc / 10).gap_mev[0] / (KB_MEV_PER_K * tc)
    bcs = 2 * np.pi * np.exp(-np.euler_gamma)
    # The gap at i w_0 instead of at the edge is lower by a part of order (Delta/w)^2 = 3 x^2.
    assert bcs * (1 - 3 * x**2) < ratio < bcs * (1 + 25 * x**2 * np.log(1 / (2 * x)))


def test_gap_follows_the_bcs_temperature_dependence_in_weak_coupling():
    # Muehlschlegel 1959: Delta(T)/Delta(0) = 0.9569 at T = Tc/2, 0.5263 at 0.9 Tc.
    modes = einstein(0.25)
    tc = tc_of(modes)
    zero, half, high = (gap_at(modes, t * tc).gap_mev[0] for t in (0.1, 0.5, 0.9))
    assert half / zero == pytest.approx(0.9569, abs=1e-3)
    assert high / zero == pytest.approx(0.5263, abs=1e-3)


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_gap_vanishes_as_the_root_of_the_distance_to_tc(mu_star):
    modes = einstein(1.0)
    tc = tc_of(modes, mu_star)
    distances = np.array([1e-4, 4e-4, 1.6e-3])
    squares = np.array([gap_at(modes, (1 - d) * tc, mu_star).gap_mev[0] ** 2 / d for d in distances])
    # Delta^2 = A d (1 + B d), B of order 1, and the Tc of a search is good to 1e-6: 1e-6/d.
    np.testing.assert_allclose(squares / squares[1], 1, atol=3 * 1.6e-3 + 1e-2)


@pytest.mark.parametrize(("lam", "mu_star"), [(0.3, 0.0), (0.45, 0.19), (1.0, 0.1), (3.0, 0.2), (10.0, 0.1)])
def test_gap_falls_with_temperature_and_status_changes_at_tc(lam, mu_star):
    modes = einstein(lam)
    tc = tc_of(modes, mu_star)
    gaps = [gap_at(modes, t * tc, mu_star).gap_mev[0] for t in (0.1, 0.5, 0.9, 0.99, 0.9999)]
    assert (np.diff(gaps) < 0).all()
    assert solve_gap(modes, 1.00001 * tc, mu_star).status is GapStatus.NORMAL


def test_gap_stays_far_below_tc():
    modes = CoupledModes([0.1, 100.0], [0.5, 0.7])
    tc = tc_of(modes, 0.15)
    gaps = [gap_at(modes, t * tc, 0.15).gap_mev[0] for t in (0.02, 0.04)]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-3)


def test_normal_state_has_no_gap_and_its_own_renormalisation():
    modes = einstein(1.0)
    tc = tc_of(modes)
    for temperature in (1.5 * tc, 100 * tc):
        solution = solve_gap(modes, temperature, 0.1)
        kernel = phonon_kernel(modes, KB_MEV_PER_K * temperature, 3)
        assert solution.status is GapStatus.NORMAL
        assert not solution.gap_mev.any()
        expected = 1 + np.array([kernel[0], kernel[0] + 2 * kernel[1]]) / [1, 3]
        np.testing.assert_allclose(solution.renormalisation[:2], expected, rtol=1e-14)


def test_normal_state_above_the_bound_of_tc_needs_no_mu_star():
    assert solve_gap(einstein(1.0), 1e6, 0.2).status is GapStatus.NORMAL


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_without_coupling_the_state_is_normal(mu_star):
    solution = solve_gap(Alpha2F([1.0, 2.0], [0.0, 0.0]), 4.2, mu_star)
    assert solution.status is GapStatus.NORMAL
    assert (solution.renormalisation == 1).all()
    assert solution.reference_mev is None


@few
@given(frequencies, couplings, st.floats(0, 0.15), st.floats(0.1, 0.9), st.floats(1e-3, 1e3))
def test_gap_scales_with_the_frequencies(omega, lam, mu_star, reduced, scale):
    temperature = reduced * tc_of(CoupledModes(omega, lam), mu_star)
    one = gap_at(CoupledModes(omega, lam), temperature, mu_star)
    other = gap_at(CoupledModes(scale * omega, lam), scale * temperature, mu_star)
    assert other.gap_mev[0] == pytest.approx(scale * one.gap_mev[0], rel=EXACT)
    assert other.renormalisation[0] == pytest.approx(one.renormalisation[0], rel=EXACT)


@few
@given(frequencies, couplings, st.floats(0.01, 0.15), st.floats(0.1, 0.9), st.floats(20, 200))
def test_gap_depends_on_the_repulsion_and_not_on_the_frequency_it_is_quoted_at(omega, lam, mu_star, reduced, reference):
    modes = CoupledModes(omega, lam)
    temperature = reduced * tc_of(modes, mu_star)
    elsewhere = 1 / (1 / mu_star + np.log(modes.omega_2_mev / reference))
    one = gap_at(modes, temperature, mu_star)
    other = gap_at(modes, temperature, elsewhere, reference=reference)
    assert other.gap_mev[0] == pytest.approx(one.gap_mev[0], rel=EXACT)
    assert other.constant_mev == pytest.approx(one.constant_mev, rel=EXACT, abs=EXACT * one.gap_mev[0])


@few
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(arrays(float, n, elements=st.floats(-1, 2)), arrays(float, n, elements=st.floats(0.01, 1)))
    ),
    st.floats(0.4, 10),
    st.floats(0, 0.12),
    st.sampled_from([0.1, 0.5, 0.9, 0.99, 0.999]),
)
def test_solution_satisfies_the_equations_over_three_decades(spectrum, lam, mu_star, reduced):
    logarithms, shares = spectrum
    modes = CoupledModes(10.0**logarithms, lam * shares / shares.sum())
    solution = critical_temperature(modes, mu_star)
    if not solution.tc_kelvin:
        return
    temperature_mev = KB_MEV_PER_K * reduced * solution.tc_kelvin
    gap = gap_at(modes, reduced * solution.tc_kelvin, mu_star)
    n = gap.gap_mev.size
    kernel = phonon_kernel(modes, temperature_mev, 2 * n)
    anomalous = np.pi * temperature_mev * gap.gap_mev / np.hypot(gap.omega_n_mev, gap.gap_mev)
    m = np.arange(n)
    pairing = (kernel[m] + kernel[m + 1]) @ anomalous + gap.constant_mev
    # Left out at n = 0: 2 lambda_N C/(4 (w_N/pi T)) and smaller, lambda_N <= kernel[n].
    tolerance = 1e-9 * gap.gap_mev[0] + kernel[n - 1] * abs(gap.constant_mev)
    assert gap.gap_mev[0] * gap.renormalisation[0] == pytest.approx(pairing, abs=tolerance)
    assert gap.gap_mev[0] > 0
    assert gap.constant_mev <= 0


@pytest.mark.parametrize("mu_star", [0.0, 0.13])
def test_gap_equation_bifurcates_where_the_linear_operator_does(mu_star):
    modes, n = CoupledModes([0.2, 1.0], [0.5, 0.7]), 64

    def eigenpair(temperature):
        return largest_eigenpair(gap_operator(modes, temperature, mu_star, 1.0, n))

    temperature = brentq(lambda t: eigenpair(t).value - 1, 0.01, 0.2, xtol=1e-12)
    equation = GapEquation(gap_operator(modes, temperature, mu_star, 1.0, n))
    small = 1e-5 * eigenpair(temperature).gap
    # A small gap of the eigenvector's shape reproduces itself up to its square.
    assert equation.excess(small) / 1e-10 == pytest.approx(0, abs=1e-8)
    assert equation.step(small)[1] < 1e-8


def test_more_frequencies_change_the_gap_by_less_than_the_truncation_says(monkeypatch):
    modes = CoupledModes([2.0, 10.0], [0.5, 0.7])
    temperature = 0.5 * tc_of(modes, 0.13)
    accurate = gap_at(modes, temperature, 0.13)
    monkeypatch.setattr("hightc.eliashberg.gap.TRUNCATION_TOLERANCE", 1e-5)
    monkeypatch.setattr("hightc.eliashberg.gap._FIRST_DENSITY", 3.0)
    coarse = gap_at(modes, temperature, 0.13)
    error = abs(coarse.gap_mev[0] / accurate.gap_mev[0] - 1)
    # The response of the gap to the pairing strength is of order 1/lambda to 10 at T = Tc/2.
    assert coarse.gap_mev.size < accurate.gap_mev.size
    assert 1e-9 < error < 10 * coarse.truncation


@pytest.mark.parametrize(
    ("lam", "mu_star", "reduced"), [(1.0, 0.1, 0.5), (1.0, 0.1, 0.99), (1.18, 0.45, 0.9), (7.2, 0.26, 0.3)]
)
def test_error_of_the_gap_is_the_truncation_it_states(lam, mu_star, reduced, monkeypatch):
    modes = CoupledModes([0.3 * 10, 0.6 * 10, 10.0], lam * np.array([0.3, 0.4, 0.3]))
    temperature = reduced * tc_of(modes, mu_star)
    monkeypatch.setattr("hightc.eliashberg.gap.TRUNCATION_TOLERANCE", 1e-8)
    rough = gap_at(modes, temperature, mu_star)
    monkeypatch.setattr("hightc.eliashberg.gap.TRUNCATION_TOLERANCE", 1e-10)
    exact = gap_at(modes, temperature, mu_star)
    # Two terms of the gap beyond N, and one direction of its response: right up to a factor.
    assert rough.truncation <= 1e-8
    assert abs(rough.gap_mev[0] / exact.gap_mev[0] - 1) < 10 * rough.truncation


def test_a_mu_star_near_its_pole_has_a_gap_below_tc_and_none_above():
    # 1/mu* + ln(w_ref/w_max) = 0.3: ten times the usual number of frequencies see no instability.
    modes = CoupledModes(
        [0.00643954, 0.00674125, 0.00705622, 0.00716173, 0.00746656],
        [23.82454228, 1.08836714, 2.96158632, 3.27693775, 3.28086668],
    )
    mu_star, options = 0.2158722854302778, {"reference": 9.875768882361227e-05}
    tc = tc_of(modes, mu_star, **options)
    assert solve_gap(modes, 1.0001 * tc, mu_star, **options).status is GapStatus.NORMAL
    gaps = [gap_at(modes, reduced * tc, mu_star, **options) for reduced in (0.7, 0.9)]
    assert gaps[0].gap_mev[0] > gaps[1].gap_mev[0] > 0
    assert max(gap.truncation for gap in gaps) <= LARGEST_TRUNCATION


def test_a_gap_that_needs_too_many_frequencies_is_not_converged(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.gap.REFINED_FREQUENCIES", 64)
    near, below = (solve_gap(einstein(1.0), reduced * tc_of(einstein(1.0)), 0.0) for reduced in (0.99999, 0.2))
    assert (near.status, below.status) == (GapStatus.NOT_CONVERGED, GapStatus.FOUND)
    assert below.truncation > TRUNCATION_TOLERANCE


def test_below_the_range_of_tc_the_eigenvalue_decides():
    # kB Tc below w_max/20000.
    weak = einstein(0.11)
    assert critical_temperature(weak, 0.0).status is TcStatus.BELOW_RANGE
    statuses = [solve_gap(weak, 10.0 * kbt / KB_MEV_PER_K, 0.0).status for kbt in (1e-4, 4e-5, 1.5e-5)]
    assert statuses == [GapStatus.NORMAL, GapStatus.NORMAL, GapStatus.FOUND]


def test_results_are_read_only():
    for temperature, reference in ((2.0, "omega_2"), (100.0, "omega_2"), (2.0, 1e-4)):
        solution = solve_gap(einstein(1.0), temperature, 0.1, reference=reference)
        for values in (solution.omega_n_mev, solution.gap_mev, solution.renormalisation):
            assert not values.flags.writeable


def test_what_is_no_spectrum_is_refused():
    with pytest.raises(SpectrumError, match="spectrum: expected Alpha2F or CoupledModes, found list"):
        solve_gap([1.0], 2.0, 0.1)


def test_solution_says_what_was_solved():
    modes = CoupledModes([5.0, 20.0], [0.5, 0.5])
    solution = gap_at(modes, 2.0, 0.1, reference="omega_max")
    assert (solution.temperature_kelvin, solution.mu_star) == (2.0, 0.1)
    assert (solution.reference, solution.reference_mev) == ("omega_max", 20.0)
    assert solution.omega_n_mev[0] == pytest.approx(np.pi * KB_MEV_PER_K * 2.0)
    assert solution.gap_mev.shape == solution.renormalisation.shape == solution.omega_n_mev.shape
    assert 0 < solution.residual <= RESIDUAL_TOLERANCE
    assert solution.truncation <= TRUNCATION_TOLERANCE


def test_an_iteration_that_ends_early_gives_no_gap(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.gap._ITERATIONS", 3)
    solution = solve_gap(einstein(1.0), 2.0, 0.1)
    assert solution.status is GapStatus.NOT_CONVERGED
    assert np.isnan(solution.gap_mev).all()
    assert np.isnan(solution.renormalisation).all()
    assert solution.residual > RESIDUAL_TOLERANCE
    assert solution.iterations == 3


@pytest.mark.parametrize(("mu_star", "reference"), [(2.0, 5.0), (0.1, 1e-4)])
def test_a_mu_star_without_value_at_phonon_energies_is_invalid(mu_star, reference):
    solution = solve_gap(einstein(1.0), 1.0, mu_star, reference=reference)
    assert solution.status is GapStatus.INVALID
    assert np.isnan(solution.gap_mev).all()


@pytest.mark.parametrize("temperature", ["2", None, True, 1j, [1.0, 2.0], [True]])
def test_what_is_no_number_is_no_temperature(temperature):
    with pytest.raises(ParameterError, match=r"temperature_kelvin: expected (numbers|one number), found"):
        solve_gap(einstein(1.0), temperature, 0.1)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf, 1e300, 5e-324])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(
        ParameterError, match=r"temperature_kelvin: expected a positive number of at most 1e\+12 K, found"
    ):
        solve_gap(einstein(1.0), temperature, 0.1)


def test_a_temperature_that_needs_too_many_frequencies_is_refused():
    with pytest.raises(ParameterError, match=r"expected at most 524288 Matsubara frequencies, found 1e-05 K"):
        solve_gap(einstein(1.0), 1e-5, 0.1)


def test_mixing_finds_the_attracting_fixed_point_and_not_zero():
    weight = np.ones(2)

    def step(state):
        new = state * (1.2 - 0.2 * state**2)  # zero repels, 1 attracts
        return new, float(np.abs(new - state).max() / np.abs(state).max())

    state, residual, _ = fixed_point(step, np.array([1e-3, 2e-3]), weight, tolerance=1e-12, iterations=200)
    np.testing.assert_allclose(state, 1, rtol=1e-11)
    assert residual <= 1e-12
