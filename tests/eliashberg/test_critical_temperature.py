"""The critical temperature on the reduced basis: reference numbers, all Matsubara frequencies, and its laws."""

import importlib

import numpy as np
import pytest
from fakes.random_spectra import random_spectra
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hightc.eliashberg import (
    Alpha2F,
    ConvergenceError,
    CoupledModes,
    NegativeSpectrumWarning,
    ParameterError,
    SpectrumError,
    TcStatus,
    critical_temperature,
    critical_temperature_dense,
    critical_temperatures,
    instability,
)
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.instability import RESOLUTION, TOLERANCE

# Two temperatures of one spectrum, each within the resolution of a single solution.
SAME = 2 * RESOLUTION

frequencies = arrays(float, 3, elements=st.floats(5, 50))
couplings = arrays(float, 3, elements=st.floats(0.2, 1))
few = settings(max_examples=30, deadline=None)

GRID = np.linspace(0.5, 40.0, 80)
spectra = arrays(float, (3, GRID.size), elements=st.floats(0, 2)).filter(lambda rows: (rows.sum(axis=1) > 5).all())


def tc_mev(modes, mu_star, **options):
    solution = critical_temperature(modes, mu_star, **options)
    assert solution.status is TcStatus.FOUND
    return KB_MEV_PER_K * solution.tc_kelvin


def einstein(lam):
    return CoupledModes([1.0], [lam])


def debye_midpoints(lam, points=400):
    omega = (np.arange(points) + 0.5) / points
    return CoupledModes(omega, lam * omega / omega.sum())


@pytest.mark.parametrize(
    ("modes", "mu_star", "tc"),
    [
        (einstein(1), 0.0, "0.114619512"),
        (einstein(1), 0.10, "0.0721076"),
        (einstein(0.5), 0.0, "0.0394288771"),
        (einstein(0.5), 0.10, "0.0117920"),
        (einstein(2), 0.13, "0.149117"),
        (einstein(10), 0.10, "0.46278798"),
        (einstein(0.3), 0.0, "0.009923325"),
        (CoupledModes([0.2, 1], [0.5, 0.7]), 0.13, "0.0403859"),
        (CoupledModes([0.05, 1], [1, 1]), 0.10, "0.0720128"),
        (debye_midpoints(1.5), 0.10, "0.0777721"),
    ],
)
@pytest.mark.parametrize("solve", [critical_temperature, critical_temperature_dense])
def test_reference_spectra_to_all_digits_given(solve, modes, mu_star, tc):
    # Cut-off-free solutions with mu* at omega_2, agreed on by three methods; some were rounded and some truncated:
    # one unit of the last digit.
    unit = 10.0 ** -len(tc.partition(".")[2])
    assert KB_MEV_PER_K * solve(modes, mu_star).tc_kelvin == pytest.approx(float(tc), abs=unit)


@pytest.mark.parametrize("grid", ["linear", "logarithmic"])
def test_reduced_basis_agrees_with_all_matsubara_frequencies(grid):
    omega, alpha2f, mu_star = random_spectra(12, seed=7, grid=grid)
    batch = critical_temperatures(omega, alpha2f, mu_star)
    for row, mu in enumerate(mu_star):
        spectrum = Alpha2F(omega, alpha2f[row])
        dense, single = critical_temperature_dense(spectrum, mu), critical_temperature(spectrum, mu)
        assert batch.status[row] == single.status == dense.status
        if dense.status is not TcStatus.FOUND:
            continue
        for tc, error in (
            (batch.tc_kelvin[row], batch.error_estimate_kelvin[row]),
            (single.tc_kelvin, single.error_estimate_kelvin),
        ):
            assert abs(tc - dense.tc_kelvin) < error + dense.error_estimate_kelvin
            assert error < TOLERANCE * tc


def test_weak_coupling_agrees_with_all_matsubara_frequencies_down_to_the_end_of_the_range():
    for mu_star, value in ((0.08, 0.28), (0.13, 0.36)):
        modes = CoupledModes([0.02, 0.1, 1.0], [0.1 * value, 0.2 * value, 0.7 * value])
        dense, fast = critical_temperature_dense(modes, mu_star), critical_temperature(modes, mu_star)
        assert fast.status is dense.status is TcStatus.FOUND
        assert KB_MEV_PER_K * fast.tc_kelvin < 1e-3
        difference = abs(fast.tc_kelvin - dense.tc_kelvin)
        assert difference < fast.error_estimate_kelvin + dense.error_estimate_kelvin


def test_weak_coupling_solves_batches_down_to_the_end_of_the_range():
    # Narrow peaks, whose lambda decides about the exponentially small Tc alike in single and batch.
    omega = np.linspace(0.01, 1.0, 100)
    peak = np.exp(-0.5 * ((omega - 0.9) / 0.03) ** 2)
    lam = np.linspace(0.22, 0.4, 40)
    rows = peak * (lam / Alpha2F(omega, peak).lam)[:, None]
    batch = critical_temperatures(omega, rows, 0.1)
    reduced = KB_MEV_PER_K * batch.tc_kelvin
    found = batch.status == TcStatus.FOUND
    assert np.nanmin(reduced[found]) < 1.3 / 20000
    assert (batch.status[~found] == TcStatus.BELOW_RANGE).all()
    assert (np.diff(found.astype(int)) >= 0).all()
    assert np.isnan(batch.tc_kelvin[~found]).all()
    for row in np.flatnonzero(found)[[0, 3]]:
        dense = critical_temperature_dense(Alpha2F(omega, rows[row]), 0.1)
        difference = abs(batch.tc_kelvin[row] - dense.tc_kelvin)
        assert difference < batch.error_estimate_kelvin[row] + dense.error_estimate_kelvin


def test_strong_coupling_limit_is_reached():
    # 0.18272625: Tc/(w2 sqrt(lambda)) of the kernel 1/k^2, by diagonalisation; corrections are O(1/lambda).
    lam = 1e6
    modes = CoupledModes([0.5, 1.0], [lam / 2, lam / 2])
    assert tc_mev(modes, 0.0) / (modes.omega_2_mev * np.sqrt(lam)) == pytest.approx(0.18272625, rel=1e-7 + 5 / lam)


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
    assert tc_mev(modes, elsewhere, reference=reference) == pytest.approx(tc_mev(modes, mu_star), rel=SAME)


@few
@given(frequencies, couplings, st.floats(0, 0.15), st.floats(5, 50))
def test_adding_a_mode_anywhere_raises_tc(omega, lam, mu_star, extra):
    # Bergmann and Rainer 1973: the functional derivative of Tc is positive. The reference must stay where it is.
    more = CoupledModes(np.append(omega, extra), np.append(lam, 0.05))
    assert tc_mev(more, mu_star, reference=30.0) > tc_mev(CoupledModes(omega, lam), mu_star, reference=30.0)


@few
@given(frequencies, couplings, st.floats(0, 0.14))
def test_tc_falls_with_mu_star(omega, lam, mu_star):
    modes = CoupledModes(omega, lam)
    assert tc_mev(modes, mu_star + 0.01) < tc_mev(modes, mu_star)


@few
@given(spectra, st.floats(0, 0.15))
def test_batch_and_single_solutions_are_one(rows, mu_star):
    batch = critical_temperatures(GRID, rows, mu_star)
    for row, values in enumerate(rows):
        single = critical_temperature(Alpha2F(GRID, values), mu_star)
        assert batch.status[row] == single.status
        if single.status is TcStatus.FOUND:
            error = single.error_estimate_kelvin + batch.error_estimate_kelvin[row]
            assert batch.tc_kelvin[row] == pytest.approx(single.tc_kelvin, abs=error)
        for name in ("lam", "omega_log_mev", "omega_2_mev", "mu_star", "reference_mev"):
            assert getattr(batch, name)[row] == pytest.approx(getattr(single, name), rel=1e-12)


@few
@given(spectra, st.integers(0, 2))
def test_a_spectrum_has_the_same_tc_in_any_company(rows, row):
    together, alone = critical_temperatures(GRID, rows, 0.1), critical_temperatures(GRID, rows[row], 0.1)
    # Another order of summation may decide for one step more or less, each of which is good to the error told
    error = together.error_estimate_kelvin[row] + alone.error_estimate_kelvin[0]
    assert alone.tc_kelvin[0] == pytest.approx(together.tc_kelvin[row], abs=error)


def test_a_smooth_spectrum_keeps_its_tc_when_resampled():
    omega = np.linspace(0.1, 30, 300)
    shape = omega**2 * np.exp(-((omega / 12) ** 2))
    spectrum = Alpha2F(omega, shape / Alpha2F(omega, shape).lam)
    finer = spectrum.resample(np.linspace(0.05, 30, 600))
    # The trapezoid of a smooth spectrum is exact to second order in the spacing over its width: (0.1/12)^2.
    assert tc_mev(finer, 0.1) == pytest.approx(tc_mev(spectrum, 0.1), rel=(0.1 / 12) ** 2)


def test_each_row_of_a_batch_has_its_own_status_and_number():
    omega = np.linspace(0.1, 10, 100)
    shape = omega**2 * (10 - omega)
    shape /= Alpha2F(omega, shape).lam
    solutions = critical_temperatures(omega, np.outer([1.0, 0.24, 0.1, 0.0, 1.0], shape), [0.1, 0.12, 0.13, 0.1, 9.0])
    assert solutions.status.tolist() == [
        TcStatus.FOUND,
        TcStatus.BELOW_RANGE,
        TcStatus.NO_SUPERCONDUCTIVITY,
        TcStatus.NO_SUPERCONDUCTIVITY,
        TcStatus.INVALID,
    ]
    assert solutions.tc_kelvin[0] > 0
    np.testing.assert_array_equal(solutions.tc_kelvin[1:], [np.nan, 0.0, 0.0, np.nan])
    assert np.isnan(solutions.error_estimate_kelvin[1:]).all()
    assert (solutions.evaluations > 0).tolist() == [True, True, True, False, False]
    assert len(solutions) == 5


def test_numbers_of_the_reference_are_told():
    omega = np.linspace(0.1, 10, 100)
    rows = np.stack([omega < 6, omega < 11]).astype(float)
    for reference, name, expected in (
        ("omega_2", "omega_2", None),
        ("omega_max", "omega_max", [5.9, 10.0]),
        (37.0, "value", [37.0, 37.0]),
    ):
        solutions = critical_temperatures(omega, rows, 0.1, reference=reference)
        assert solutions.reference == name
        np.testing.assert_allclose(solutions.reference_mev, solutions.omega_2_mev if expected is None else expected)


def test_solution_says_what_was_solved():
    modes = CoupledModes([5.0, 20.0], [0.5, 0.5])
    for reference, name, value in (
        ("omega_2", "omega_2", modes.omega_2_mev),
        ("omega_max", "omega_max", 20.0),
        (37.0, "value", 37.0),
    ):
        solution = critical_temperature(modes, 0.1, reference=reference)
        assert (solution.reference, solution.reference_mev) == (name, value)
        assert (solution.lam, solution.mu_star) == (1.0, 0.1)
        assert (solution.omega_log_mev, solution.omega_2_mev) == (modes.omega_log_mev, modes.omega_2_mev)
        assert 2 <= solution.evaluations <= 4


@pytest.mark.parametrize(
    ("modes", "mu_star", "reference", "status"),
    [
        (CoupledModes([1.0], [0.0]), 0.1, "omega_2", TcStatus.NO_SUPERCONDUCTIVITY),
        (einstein(0.1), 0.13, "omega_2", TcStatus.NO_SUPERCONDUCTIVITY),
        (einstein(1e-8), 0.0, "omega_2", TcStatus.BELOW_RANGE),
        (einstein(0.2), 0.1, "omega_2", TcStatus.BELOW_RANGE),
        (einstein(1), 2.0, 0.5, TcStatus.INVALID),
        (einstein(1), 0.1, 1e-5, TcStatus.INVALID),
    ],
)
def test_there_is_no_number_where_there_is_none(modes, mu_star, reference, status):
    fast, dense = (
        solve(modes, mu_star, reference=reference) for solve in (critical_temperature, critical_temperature_dense)
    )
    assert fast.status is dense.status is status
    assert fast.tc_kelvin == dense.tc_kelvin == (0.0 if status is TcStatus.NO_SUPERCONDUCTIVITY else None)
    assert fast.error_estimate_kelvin is None


@pytest.mark.parametrize("mu_star", [0.05, 0.1, 0.15])
def test_the_coupling_where_superconductivity_begins_is_that_of_all_matsubara_frequencies(mu_star):
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        none = critical_temperature(einstein(middle), mu_star).status is TcStatus.NO_SUPERCONDUCTIVITY
        low, high = (middle, high) if none else (low, middle)
    # Both neglect the kernel's change below the lowest temperature; the interval left is 2^-12.
    for lam, none in ((low - 1e-3, True), (high + 1e-3, False)):
        status = critical_temperature_dense(einstein(lam), mu_star).status
        assert (status is TcStatus.NO_SUPERCONDUCTIVITY) is none


def test_a_spectrum_whose_error_is_too_large_is_solved_on_all_functions(monkeypatch):
    omega, alpha2f, mu_star = random_spectra(5, seed=2)
    mu_star /= 2  # all of them then superconduct
    ordinary = critical_temperatures(omega, alpha2f, mu_star)
    monkeypatch.setattr(instability, "TOLERANCE", 1e-12)
    costly = critical_temperatures(omega, alpha2f, mu_star)
    single = critical_temperature(Alpha2F(omega, alpha2f[0]), mu_star[0])
    assert (costly.evaluations > 100).all()
    assert single.evaluations > 100
    np.testing.assert_allclose(costly.tc_kelvin, ordinary.tc_kelvin, rtol=TOLERANCE)
    assert single.tc_kelvin == pytest.approx(costly.tc_kelvin[0], rel=SAME)


@pytest.mark.parametrize("factor", [0.1, 0.4, 2.0])
def test_tc_does_not_depend_on_where_the_search_begins(factor, monkeypatch):
    # Far below Tc the last pivot has poles, falls with T, and may have zeros of its own.
    omega, alpha2f, mu_star = random_spectra(1500, seed=4)
    expected = critical_temperatures(omega, alpha2f, mu_star)
    module = importlib.import_module("hightc.eliashberg.critical_temperature")
    estimate = module._estimate_mev
    monkeypatch.setattr(module, "_estimate_mev", lambda *arguments: factor * estimate(*arguments))
    found = critical_temperatures(omega, alpha2f, mu_star)
    np.testing.assert_array_equal(found.status, expected.status)
    error = found.error_estimate_kelvin + expected.error_estimate_kelvin
    superconducts = found.status == TcStatus.FOUND
    assert (np.abs(found.tc_kelvin - expected.tc_kelvin)[superconducts] < error[superconducts]).all()


def test_a_normal_state_unstable_above_the_bound_is_an_error(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.coulomb.STRONG_COUPLING_BOUND", 0.05)
    with pytest.raises(ConvergenceError, match="expected a stable normal state at the upper bound"):
        critical_temperature(einstein(1), 0.0)


@pytest.mark.parametrize("mu_star", [-0.1, np.nan, np.inf, "many", None])
def test_a_mu_star_that_is_no_repulsion_is_refused(mu_star):
    with pytest.raises(ParameterError, match="mu_star: expected"):
        critical_temperature(einstein(1), mu_star)
    with pytest.raises(ParameterError, match="mu_star: expected"):
        critical_temperatures(GRID, np.ones(GRID.size), mu_star)


@pytest.mark.parametrize("reference", ["omega_log", 0.0, -1.0, np.nan, np.inf, 5e-324, None, np.array([10.0, 20.0])])
def test_a_reference_that_is_no_frequency_is_refused(reference):
    with pytest.raises(ParameterError, match="reference: expected 'omega_2', 'omega_max' or a positive frequency"):
        critical_temperature(einstein(1), 0.1, reference=reference)
    with pytest.raises(ParameterError, match="reference: expected 'omega_2', 'omega_max' or a positive frequency"):
        critical_temperatures(GRID, np.ones(GRID.size), 0.1, reference=reference)


@pytest.mark.parametrize(("lam", "mu_star", "least"), [(40.0, 0.38, 0.6), (10.0, 0.35, 0.9), (60.0, 0.3, 1.3)])
def test_near_the_pole_of_mu_star_all_solvers_agree(lam, mu_star, least):
    omega = np.array([0.2, 0.5, 0.9, 1.0])
    row = np.ones(4) * lam / Alpha2F(omega, np.ones(4)).lam
    modes = Alpha2F(omega, row).modes
    highest = max(1.0, 0.18273 * modes.omega_2_mev * np.sqrt(lam) * np.pi / (2 * np.exp(np.euler_gamma)))
    reference = highest * np.exp(least - 1 / mu_star)
    dense = critical_temperature_dense(modes, mu_star, reference=reference)
    fast = critical_temperature(modes, mu_star, reference=reference)
    batch = critical_temperatures(omega, row, mu_star, reference=reference)
    assert batch.status[0] == fast.status == dense.status == TcStatus.FOUND
    assert fast.tc_kelvin == pytest.approx(batch.tc_kelvin[0], rel=1e-12)
    assert abs(fast.tc_kelvin - dense.tc_kelvin) < fast.error_estimate_kelvin + dense.error_estimate_kelvin


@pytest.mark.parametrize("lam", [1e-17, 1e-20, 1e-150])
def test_without_repulsion_the_least_coupling_superconducts(lam):
    modes, omega = CoupledModes([10.0], [lam]), np.array([9.0, 10.0, 11.0])
    rows = np.array([0.0, 5 * lam, 0.0])
    statuses = [
        critical_temperature(modes, 0.0).status,
        critical_temperature_dense(modes, 0.0).status,
        critical_temperatures(omega, rows, 0.0).status[0],
    ]
    assert statuses == [TcStatus.BELOW_RANGE] * 3


@pytest.mark.parametrize("mu_star", [5e-324, 1e-310])
def test_a_vanishing_mu_star_is_no_repulsion(mu_star):
    omega, row = np.array([9.0, 10.0, 11.0]), np.array([0.0, 5.0, 0.0])
    assert tc_mev(einstein(1), mu_star) == tc_mev(einstein(1), 0.0)
    batches = [critical_temperatures(omega, row, value).tc_kelvin[0] for value in (mu_star, 0.0)]
    assert batches[0] == batches[1]


def test_a_coupling_beyond_the_table_is_refused():
    with pytest.raises(SpectrumError, match=r"lambda: expected at most 1e\+10, found 1e\+12: check the units"):
        critical_temperature(einstein(1e12), 0.1)
    with pytest.raises(SpectrumError, match="lambda: expected at most"):
        critical_temperatures(GRID, np.full(GRID.size, 1e12), 0.1)


def test_what_is_no_spectrum_is_refused():
    with pytest.raises(SpectrumError, match="spectrum: expected Alpha2F or CoupledModes, found tuple: build Alpha2F"):
        critical_temperature(([1.0, 2.0], [1.0, 1.0]), 0.1)


def test_results_cannot_be_written_to():
    solutions = critical_temperatures(GRID, np.ones(GRID.size), 0.1)
    for name in ("tc_kelvin", "status", "lam", "omega_2_mev", "mu_star", "reference_mev", "error_estimate_kelvin"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(solutions, name)[0] = 0


def test_bad_rows_of_a_batch_are_named():
    rows = np.ones((4, GRID.size))
    rows[3, 17] = np.nan
    with pytest.raises(SpectrumError, match=r"alpha2f\[3, 17\]: expected finite numbers, found nan"):
        critical_temperatures(GRID, rows, 0.1)
    with pytest.raises(ParameterError, match=r"mu_star\[2\]: expected a finite number >= 0, found -0.1"):
        critical_temperatures(GRID, np.ones((4, GRID.size)), [0.1, 0.1, -0.1, 0.1])
    with pytest.raises(ParameterError, match=r"mu_star: expected a number or shape \(4,\)"):
        critical_temperatures(GRID, np.ones((4, GRID.size)), [0.1, 0.1])


def test_negative_values_of_a_batch_are_clipped_with_a_warning():
    rows = np.ones((2, GRID.size))
    rows[1, :4] = -0.1
    with pytest.warns(NegativeSpectrumWarning, match="1 of 2 spectra have negative values, the first in row 1"):
        clipped = critical_temperatures(GRID, rows, 0.1)
    expected = critical_temperatures(GRID, np.maximum(rows, 0), 0.1)
    np.testing.assert_array_equal(clipped.tc_kelvin, expected.tc_kelvin)


def test_an_empty_batch_is_no_error():
    assert len(critical_temperatures(GRID, np.empty((0, GRID.size)), 0.1)) == 0
