"""Laws of the batched gap equation and its agreement with the dense solver."""

import re

import numpy as np
import pytest

from hightc.eliashberg import Alpha2F, CoupledModes, NegativeSpectrumWarning, ParameterError, SpectrumError
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.critical_temperature import critical_temperatures
from hightc.eliashberg.gap import GapStatus, solve_gap
from hightc.eliashberg.gap_batch import solve_gaps

OMEGA = np.linspace(0.3, 90.0, 300)


def random_spectrum(rng):
    """One to eight Gaussian peaks over three decades, lambda from 0.3 to 10."""
    peaks = rng.integers(1, 9)
    lam = np.exp(rng.uniform(np.log(0.3), np.log(10.0))) * rng.dirichlet(np.ones(peaks))
    centre = 80.0 * np.exp(-rng.uniform(0, 1, peaks) * rng.uniform(0, np.log(1000)))
    total = np.zeros_like(OMEGA)
    for w, coupling in zip(centre, lam, strict=True):
        peak = OMEGA * np.exp(-0.5 * ((OMEGA - w) / (w * rng.uniform(0.03, 0.25))) ** 2)
        strength = Alpha2F(OMEGA, peak).lam
        if strength > 0:
            total += peak * coupling / strength
    return total


def random_batch(size, seed, largest_mu_star=0.2):
    rng = np.random.default_rng(seed)
    spectra = np.array([random_spectrum(rng) for _ in range(size)])
    mu_star = np.where(rng.random(size) < 0.15, 0.0, rng.uniform(0, largest_mu_star, size))
    tc = critical_temperatures(OMEGA, spectra, mu_star)
    found = tc.status == "found"
    return spectra[found], mu_star[found], tc.tc_kelvin[found]


SPECTRA, MU_STAR, TC = random_batch(250, 1)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8, 0.95])
def test_gaps_agree_with_the_dense_solver(fraction):
    rows = np.flatnonzero(90.0 / (KB_MEV_PER_K * TC * fraction) < 2000)[::16]
    solutions = solve_gaps(OMEGA, SPECTRA[rows], fraction * TC[rows], MU_STAR[rows])
    assert (solutions.status == GapStatus.FOUND).all()
    # Interpolation, 3e-7, in the sums, times d ln Delta/d ln(coupling), some 10 and growing to 30 near Tc.
    tolerance = 1e-5
    for i, row in enumerate(rows):
        dense = solve_gap(Alpha2F(OMEGA, SPECTRA[row]), fraction * TC[row], MU_STAR[row])
        known = solutions.matsubara_index < dense.gap_mev.size
        index = solutions.matsubara_index[known]
        scale = tolerance * dense.gap_mev[0]
        np.testing.assert_allclose(solutions.gap_mev[i, known], dense.gap_mev[index], rtol=0, atol=scale)
        np.testing.assert_allclose(solutions.renormalisation[i, known], dense.renormalisation[index], rtol=tolerance)
        assert solutions.constant_mev[i] == pytest.approx(dense.constant_mev, abs=scale)


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.3, 0.6, 0.9, 0.99, 0.9999])
def test_below_tc_there_is_always_a_gap(fraction):
    solutions = solve_gaps(OMEGA, SPECTRA, fraction * TC, MU_STAR)
    assert (solutions.status == GapStatus.FOUND).all()
    ratio = solutions.gap_mev[:, 0] / (KB_MEV_PER_K * TC)
    # Delta(T) of weak coupling is a lower bound up to 1 %, and the ratio of strong coupling is below 7.
    shape = np.tanh(1.74 * np.sqrt(1 / fraction - 1))
    assert (ratio > 0.97 * 1.764 * shape).all()
    assert (ratio < 7 * shape).all()


@pytest.mark.parametrize("fraction", [1.0001, 1.1, 3.0, 100.0])
def test_above_tc_there_is_none(fraction):
    solutions = solve_gaps(OMEGA, SPECTRA, fraction * TC, MU_STAR)
    assert (solutions.status == GapStatus.NORMAL).all()
    assert (solutions.gap_mev == 0).all()
    assert (solutions.residual == 0).all()
    assert (solutions.renormalisation > 1).all()


def test_gap_closes_with_the_square_root_law():
    distance = np.array([1e-3, 1e-4])
    far, near = (solve_gaps(OMEGA, SPECTRA, (1 - d) * TC, MU_STAR).gap_mev[:, 0] for d in distance)
    # Corrections are of order 1 - T/Tc; Tc itself is known to 1e-6, half a per cent of the gap at 1e-4.
    np.testing.assert_allclose(far / near, np.sqrt(10), rtol=0.01)


def test_strong_repulsion_is_solved_too():
    spectra, mu_star, tc = random_batch(60, 2, largest_mu_star=0.5)
    keep = 90.0 / (KB_MEV_PER_K * tc) < 2000
    spectra, mu_star, tc = spectra[keep], mu_star[keep], tc[keep]
    for fraction, status in ((0.2, GapStatus.FOUND), (0.95, GapStatus.FOUND), (1.05, GapStatus.NORMAL)):
        assert (solve_gaps(OMEGA, spectra, fraction * tc, mu_star).status == status).all()


def test_a_row_that_the_tables_do_not_suit_is_the_dense_solution():
    spectrum = np.exp(-0.5 * ((OMEGA - 40.0) / 4.0) ** 2) * 9.0 / 0.5
    modes = Alpha2F(OMEGA, spectrum)
    batched, dense = solve_gaps(OMEGA, spectrum, 20.0, 0.49), solve_gap(modes, 20.0, 0.49)
    known = batched.matsubara_index < dense.gap_mev.size
    assert batched.status[0] == dense.status == GapStatus.FOUND
    np.testing.assert_array_equal(batched.gap_mev[0, known], dense.gap_mev[batched.matsubara_index[known]])
    assert np.isnan(batched.gap_mev[0, ~known]).all()


def test_a_row_too_cold_for_the_dense_solver_leaves_the_others_alone(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.gap.MOST_FREQUENCIES", 1 << 17)
    spectrum = np.exp(-0.5 * ((OMEGA - 40.0) / 4.0) ** 2)
    spectrum *= 2.0 / Alpha2F(OMEGA, spectrum).lam
    with pytest.raises(ParameterError, match="Matsubara frequencies"):
        solve_gap(Alpha2F(OMEGA, spectrum), 1.1e-3, 0.45)
    solutions = solve_gaps(OMEGA, spectrum, [1.1e-3, 5.0], [0.45, 0.1])
    assert [str(status) for status in solutions.status] == ["not_converged", "found"]
    assert np.isnan(solutions.gap_mev[0]).all()


def test_batch_equals_single_rows():
    rows = slice(0, 12)
    fractions = np.array([0.05, 0.2, 0.5, 0.9, 0.99, 1.2] * 2)
    batch = solve_gaps(OMEGA, SPECTRA[rows], fractions * TC[rows], MU_STAR[rows])
    for i, fraction in enumerate(fractions):
        single = solve_gaps(OMEGA, SPECTRA[i], fraction * TC[i], MU_STAR[i])
        assert single.status[0] == batch.status[i]
        # Rows meet other rows in the same products only: they agree to the tolerance of the iteration, 1e-9/0.01.
        np.testing.assert_allclose(single.gap_mev[0], batch.gap_mev[i], atol=1e-6 * TC[i])


def test_classes_of_tables_meet_smoothly():
    # kB T steps by 2e-6 across the limit of a table; Delta is flat there.
    spectrum, limit = SPECTRA[0], 64.0
    modes = Alpha2F(OMEGA, spectrum).modes
    scale = max(modes.omega_max_mev, modes.lam_per_mode @ modes.omega_mev) / KB_MEV_PER_K
    gaps = solve_gaps(OMEGA, spectrum, scale / limit * np.array([1 - 1e-6, 1 + 1e-6]), 0.0).gap_mev[:, 0]
    assert gaps[0] > 0
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-5)


def test_energies_scale_together():
    rows = slice(0, 20)
    one = solve_gaps(OMEGA, SPECTRA[rows], 0.4 * TC[rows], MU_STAR[rows])
    three = solve_gaps(3 * OMEGA, SPECTRA[rows], 1.2 * TC[rows], MU_STAR[rows])
    # The same equations up to the interpolation of the lattice, 1e-8, amplified by ten.
    np.testing.assert_allclose(three.gap_mev[:, 0], 3 * one.gap_mev[:, 0], rtol=1e-6)
    np.testing.assert_allclose(three.renormalisation, one.renormalisation, rtol=1e-6)


def test_gap_ratio_is_bcs_in_weak_coupling():
    spectrum = np.exp(-0.5 * ((OMEGA - 60.0) / 2.0) ** 2)
    spectrum *= 0.35 / Alpha2F(OMEGA, spectrum).lam
    tc = critical_temperatures(OMEGA, spectrum, 0.0).tc_kelvin[0]
    gap = solve_gaps(OMEGA, spectrum, tc / 20, 0.0).gap_mev[0, 0]
    # 2 Delta/kTc = 3.528 [1 + 12.5 (Tc/w)^2 ln(w/2Tc)] (Mitrovic, Zarate and Carbotte 1984): 1 % here.
    assert 2 * gap / (KB_MEV_PER_K * tc) == pytest.approx(3.528, rel=0.02)
    assert 2 * gap / (KB_MEV_PER_K * tc) > 3.528


def test_gap_ratio_of_an_einstein_mode_is_the_reference():
    spectrum = np.zeros_like(OMEGA)
    spectrum[150] = 1.0
    spectrum /= Alpha2F(OMEGA, spectrum).lam
    tc = critical_temperatures(OMEGA, spectrum, 0.0).tc_kelvin[0]
    gap = solve_gaps(OMEGA, spectrum, 0.05 * tc, 0.0).gap_mev[0, 0]
    dense = solve_gap(CoupledModes([OMEGA[150]], [1.0]), 0.05 * tc, 0.0)
    assert gap == pytest.approx(dense.gap_mev[0], rel=1e-6)
    # 4.2285 is the ratio at the gap edge on the real axis, Delta(w = Delta); Delta(i w -> 0) is below it by
    # (Delta/w)^2 = 0.06 times a number of order 1.
    assert 4.2285 * (1 - 0.06) < 2 * gap / (KB_MEV_PER_K * tc) < 4.2285


def test_one_spectrum_serves_many_temperatures_and_repulsions():
    temperatures = np.array([0.1, 0.5, 0.9]) * TC[0]
    many = solve_gaps(OMEGA, SPECTRA[0], temperatures, MU_STAR[0])
    repeated = solve_gaps(OMEGA, np.repeat(SPECTRA[:1], 3, axis=0), temperatures, MU_STAR[0])
    np.testing.assert_allclose(many.gap_mev, repeated.gap_mev, rtol=1e-12)
    assert (np.diff(many.gap_mev[:, 0]) < 0).all()
    repelled = solve_gaps(OMEGA, SPECTRA[0], temperatures[0], [0.0, 0.1, 0.2])
    assert (np.diff(repelled.gap_mev[:, 0]) < 0).all()
    assert repelled.constant_mev[0] == 0
    assert (repelled.constant_mev[1:] < 0).all()


def test_reference_only_renames_the_repulsion():
    omega_2 = Alpha2F(OMEGA, SPECTRA[0]).omega_2_mev
    named = solve_gaps(OMEGA, SPECTRA[0], 0.5 * TC[0], 0.1)
    numbered = solve_gaps(OMEGA, SPECTRA[0], 0.5 * TC[0], 1 / (1 / 0.1 + np.log(omega_2 / 500.0)), reference=500.0)
    assert numbered.gap_mev[0, 0] == pytest.approx(named.gap_mev[0, 0], rel=1e-9)
    assert (named.reference, numbered.reference) == ("omega_2", "value")
    highest = solve_gaps(OMEGA, SPECTRA[0], 0.5 * TC[0], 0.1, reference="omega_max")
    assert highest.reference_mev[0] >= named.reference_mev[0]


def test_rows_without_coupling_or_without_a_meaning_say_so():
    spectra = np.stack([np.zeros_like(OMEGA), SPECTRA[0]])
    solutions = solve_gaps(OMEGA, spectra, 0.5 * TC[0], 0.5, reference=1e-3)
    assert [str(status) for status in solutions.status] == ["normal", "invalid"]
    assert (solutions.renormalisation[0] == 1).all()
    assert np.isnan(solutions.gap_mev[1]).all()
    assert np.isnan(solutions.residual[1])
    assert str(solve_gap(Alpha2F(OMEGA, SPECTRA[0]), 0.5 * TC[0], 0.5, reference=1e-3).status) == "invalid"


def test_a_mu_star_near_its_pole_has_a_gap_below_tc():
    # 1/mu* + ln(w_ref/w_max) = 0.3: too few Matsubara frequencies see no instability.
    omega = np.array([0.00643954, 0.00674125, 0.00705622, 0.00716173, 0.00746656])
    spectrum = np.array([23.82454228, 1.08836714, 2.96158632, 3.27693775, 3.28086668]) * 3.0
    options = {"reference": 9.875768882361227e-05}
    tc = critical_temperatures(omega, spectrum, 0.2158722854302778, **options).tc_kelvin[0]
    solutions = solve_gaps(omega, spectrum, [0.8 * tc, 1.001 * tc], 0.2158722854302778, **options)
    assert [str(status) for status in solutions.status] == ["found", "normal"]


@pytest.mark.parametrize("tiny", [5e-324, np.float64(1e-310)])
def test_a_mu_star_whose_inverse_is_no_number_is_none(tiny):
    one, other = (solve_gaps(OMEGA, SPECTRA[0], 0.5 * TC[0], mu_star).gap_mev for mu_star in (tiny, 0.0))
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_results_share_no_memory_and_are_read_only():
    temperatures = 0.5 * TC[:2].copy()
    solutions = solve_gaps(OMEGA, SPECTRA[:2], temperatures, MU_STAR[:2])
    arrays = [values for values in vars(solutions).values() if isinstance(values, np.ndarray)]
    assert len(arrays) == 10
    assert not any(values.flags.writeable for values in arrays)
    assert not any(np.shares_memory(values, temperatures) for values in arrays)


def test_an_empty_batch_is_an_empty_answer():
    assert solve_gaps(OMEGA, np.empty((0, OMEGA.size)), 1.0, 0.1).gap_mev.shape[0] == 0


def test_negative_values_are_clipped_with_a_warning():
    spectrum = SPECTRA[0].copy()
    spectrum[0] = -0.01
    with pytest.warns(NegativeSpectrumWarning):
        clipped = solve_gaps(OMEGA, spectrum, 0.5 * TC[0], 0.1)
    spectrum[0] = 0.0
    assert clipped.gap_mev[0, 0] == solve_gaps(OMEGA, spectrum, 0.5 * TC[0], 0.1).gap_mev[0, 0]


def test_bad_spectra_are_named():
    spectra = SPECTRA[:4].copy()
    spectra[3, 17] = np.nan
    with pytest.raises(SpectrumError, match=re.escape("alpha2f[3, 17]: expected finite numbers, found nan")):
        solve_gaps(OMEGA, spectra, 1.0, 0.1)


@pytest.mark.parametrize(
    ("temperature", "mu_star", "reference", "message"),
    [
        (
            [1.0, -1.0],
            0.1,
            "omega_2",
            "temperature_kelvin[1]: expected a positive number of at most 1e+12 K, found -1.0",
        ),
        (0.0, 0.1, "omega_2", "temperature_kelvin: expected a positive number of at most 1e+12 K, found 0.0"),
        (np.inf, 0.1, "omega_2", "temperature_kelvin: expected a positive number of at most 1e+12 K, found inf"),
        ("cold", 0.1, "omega_2", "temperature_kelvin: expected numbers, found 'cold'"),
        ([1.0, 2.0, 3.0], 0.1, "omega_2", "temperature_kelvin: expected a number or shape (batch,)"),
        (1.0, [0.1, -0.2], "omega_2", "mu_star[1]: expected a finite number >= 0, found -0.2"),
        (1.0, 0.1, "omega_log", "reference: expected 'omega_2', 'omega_max'"),
        ([1.0, 1e-5], 0.1, "omega_2", "temperature_kelvin, row 1: expected kB T above"),
    ],
)
def test_bad_parameters_are_named(temperature, mu_star, reference, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        solve_gaps(OMEGA, SPECTRA[:2], temperature, mu_star, reference=reference)
