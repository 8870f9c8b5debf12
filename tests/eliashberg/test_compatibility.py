"""EPW and Elk, recorded and run for real, against their conventions repeated here; the limits of these conventions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fakes.random_spectra import random_spectra
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants

from hightc.eliashberg import Alpha2F, ParameterError, SpectrumError, TcStatus, critical_temperature
from hightc.eliashberg.code_conventions import epw_convention
from hightc.eliashberg.compatibility import (
    elk_critical_temperature,
    elk_gap,
    epw_critical_temperature,
    epw_gap,
)
from hightc.eliashberg.constants import KB_MEV_PER_K

DATA = Path(__file__).parent / "data"
HARTREE_MEV = constants.value("Hartree energy in eV") * 1e3
NUMBER = r"([-+.\dE]+)"
EPW_RUNS = {"epw_lead": ("pb.a2f", 0.1, 0.1), "epw_strong_coupling": ("peaks.a2f", 0.15, 0.2)}


def epw_spectrum(run):
    return np.loadtxt(DATA / run / EPW_RUNS[run][0], skiprows=1).T


def epw_answers(text):
    """Rows of T in K, number of frequencies, Z, gap in meV: the last iteration at each converged temperature."""
    rows = []
    for block in re.split(r"\n +temp\( *\d+\) =", text)[1:]:
        iterations = re.findall(rf"^ +\d+ +{NUMBER} +{NUMBER} +{NUMBER}$", block, re.M)
        size = re.search(r"nsiw\( *\d+\) = *(\d+)", block)[1]
        if "Convergence was reached" in block:
            rows.append([float(block.split()[0]), int(size), float(iterations[-1][1]), float(iterations[-1][2])])
    return rows


def elk_spectrum():
    omega, alpha2f = np.loadtxt(DATA / "elk_two_peaks" / "ALPHA2F.OUT").T
    return omega * HARTREE_MEV, alpha2f


def elk_number(what, text):
    return float(re.search(rf"{what} *: *{NUMBER}", text)[1])


def require_epw_gaps(run, rows):
    _, mu_star, wscut = EPW_RUNS[run]
    tc = epw_critical_temperature(*epw_spectrum(run), mu_star, wscut_ev=wscut).tc_kelvin
    for temperature, size, renormalisation, gap in rows:
        ours = epw_gap(*epw_spectrum(run), temperature, mu_star, wscut_ev=wscut)
        assert ours.n_matsubara == ours.n_coulomb == size
        # Seven digits are printed; EPW stops at a change of 1e-7, from where 1/(1 - T/Tc) of these may be missing.
        assert ours.gap_mev == pytest.approx(gap, rel=5e-7 + 1e-7 / (1 - temperature / tc))
        assert ours.renormalisation == pytest.approx(renormalisation, rel=3e-7)


@pytest.mark.parametrize("run", EPW_RUNS)
def test_gaps_printed_by_epw_are_reproduced_to_six_digits(run):
    rows = epw_answers((DATA / run / "epw.out").read_text())
    assert len(rows) >= 6
    require_epw_gaps(run, rows)


@pytest.mark.parametrize("run", EPW_RUNS)
def test_coupling_mean_frequency_and_estimate_are_those_printed_by_epw(run):
    _, mu_star, wscut = EPW_RUNS[run]
    text = (DATA / run / "epw.out").read_text()
    ours = epw_critical_temperature(*epw_spectrum(run), mu_star, wscut_ev=wscut)
    # Rounding of the digits printed, and 2e-7 for another set of constants in the estimate.
    assert ours.lam == pytest.approx(float(re.search(rf"coupling strength = *{NUMBER}", text)[1]), abs=5.1e-8)
    assert ours.omega_log_mev == pytest.approx(float(re.search(rf"w_log in .* = *{NUMBER} meV", text)[1]), abs=5.1e-7)
    printed = float(re.search(rf"Estimated Allen-Dynes Tc = *{NUMBER} K", text)[1])
    assert ours.formula_tc_kelvin == pytest.approx(printed, rel=2e-7, abs=5.1e-7)


@pytest.mark.parametrize("run", EPW_RUNS)
def test_tc_is_where_the_squared_gaps_of_epw_extrapolate_to(run):
    _, mu_star, wscut = EPW_RUNS[run]
    (t1, _, _, d1), (t2, _, _, d2) = epw_answers((DATA / run / "epw.out").read_text())[-2:]
    extrapolated = t2 + d2**2 * (t2 - t1) / (d1**2 - d2**2)
    ours = epw_critical_temperature(*epw_spectrum(run), mu_star, wscut_ev=wscut)
    assert ours.status is TcStatus.FOUND
    # gap^2 = a (1 - t) [1 + b (1 - t)] moves the extrapolation by b (Tc - t1)(Tc - t2)/Tc; |b| < 3.
    curvature = 3 * (ours.tc_kelvin - t1) * (ours.tc_kelvin - t2) / ours.tc_kelvin
    assert 0 < curvature < 1e-3 * ours.tc_kelvin
    assert ours.tc_kelvin == pytest.approx(extrapolated, abs=curvature)
    assert ours.bracket_kelvin[0] < ours.tc_kelvin < ours.bracket_kelvin[1]


def test_cutoffs_and_temperatures_are_those_of_elk():
    omega, alpha2f = elk_spectrum()
    text = (DATA / "elk_two_peaks" / "ELIASHBERG.OUT").read_text()
    rows = np.loadtxt(DATA / "elk_two_peaks" / "ELIASHBERG_GAP_T.OUT")
    ours = elk_critical_temperature(omega, alpha2f, 0.12, n_temperatures=30)
    coulomb = float(re.search(r"below 2 w_rms = ([\d.]+) meV", ours.convention)[1])
    assert coulomb == pytest.approx(elk_number(" Coulomb", text) * HARTREE_MEV, abs=5.1e-4)
    # Elk's grid runs from a sixth to five times its estimate of Tc; ten digits are printed.
    assert 5 * ours.formula_tc_kelvin == pytest.approx(rows[-1, 0], rel=1e-8)
    assert ours.printed_bracket_kelvin == pytest.approx(tuple(rows[4:6, 0]), rel=1e-8)


def test_gaps_printed_by_elk_are_reproduced():
    omega, alpha2f = elk_spectrum()
    rows = np.loadtxt(DATA / "elk_two_peaks" / "ELIASHBERG_GAP_T.OUT")
    tc = elk_critical_temperature(omega, alpha2f, 0.12).tc_kelvin
    for temperature, gap, renormalisation in rows:
        ours = elk_gap(omega, alpha2f, temperature, 0.12)
        assert ours.renormalisation == pytest.approx(renormalisation, rel=1e-7)
        if temperature < tc:
            # Elk stops when the mean change is 1e-12 Hartree, 1e-7 of the gap, and near Tc each step gains little.
            assert ours.gap_mev == pytest.approx(gap * HARTREE_MEV, rel=1e-6 / (1 - temperature / tc))
        else:
            assert ours.gap_mev == 0.0
            assert gap < 1e-6


def test_numbers_of_frequencies_are_those_printed_by_elk():
    omega, alpha2f = elk_spectrum()
    text = (DATA / "elk_two_peaks" / "ELIASHBERG.OUT").read_text()
    blocks = re.findall(rf"kelvin\) : *{NUMBER} *\n.*\n phonons : *(\d+)\n Coulomb : *(\d+)", text)
    assert len(blocks) == 2
    for temperature, phonons, coulomb in blocks:
        ours = elk_gap(omega, alpha2f, float(temperature), 0.12)
        # Elk sums the repulsion from 0 to the number it prints.
        assert (ours.n_matsubara, ours.n_coulomb) == (int(phonons), int(coulomb) + 1)


def peaks(n=60, step=0.5):
    omega = step * np.arange(1, n + 1)
    return omega, 0.6 * np.exp(-(((omega - 8) / 2) ** 2)) + 0.4 * np.exp(-(((omega - 22) / 3) ** 2))


def as_summed(omega, alpha2f):
    """The spectrum whose trapezoid is the plain sum of EPW: the last point at half weight is zero here."""
    return Alpha2F(np.append(omega, omega[-1] + omega[0]), np.append(alpha2f, 0.0))


@pytest.mark.parametrize("mu_star", [0.0, 0.12])
def test_a_far_cutoff_is_mu_star_referred_to_the_cutoff(mu_star):
    omega, alpha2f = peaks()
    errors = []
    for wscut in (0.5, 2.0):
        ours = epw_critical_temperature(omega, alpha2f, mu_star, wscut_ev=wscut)
        exact = critical_temperature(as_summed(omega, alpha2f), mu_star, reference=1e3 * wscut)
        errors.append(abs(ours.tc_kelvin / exact.tc_kelvin - 1))
    # What a window leaves out is (w2/wscut)^2 lambda, and with repulsion its last frequency, mu*^2/N.
    window = (15 / 2000) ** 2 + mu_star**2 / ours.n_matsubara
    assert errors[1] < 3 * window
    assert errors[1] < errors[0] / 3


def test_the_codes_disagree_as_their_conventions_do():
    # One spectrum and one mu* = 0.12: the higher the frequency it is taken at, the weaker the repulsion.
    omega, alpha2f = peaks()
    epw = epw_critical_temperature(omega, alpha2f, 0.12, wscut_ev=0.3).tc_kelvin
    elk = elk_critical_temperature(omega, alpha2f, 0.12).tc_kelvin
    exact = critical_temperature(as_summed(omega, alpha2f), 0.12).tc_kelvin
    assert exact < elk < epw


few = settings(max_examples=20, deadline=None)


@few
@given(st.floats(0.02, 0.3), st.floats(0, 0.2), st.floats(1, 5))
def test_no_gap_opens_above_tc_and_one_does_below(wscut, mu_star, strength):
    omega, alpha2f = peaks(30, 1.0)
    alpha2f = strength * alpha2f
    ours = epw_critical_temperature(omega, alpha2f, mu_star, wscut_ev=wscut)
    assert ours.status is TcStatus.FOUND
    cutoffs = epw_convention(omega, alpha2f, mu_star, wscut).cutoffs
    tc = ours.tc_kelvin * KB_MEV_PER_K
    assert cutoffs.window(tc * (1 - 1e-6)).instability() > 0
    # Windows change by whole frequencies: 30 temperatures cover several of them.
    for factor in 1 + 1e-6 + np.linspace(0, 0.3, 30):
        assert cutoffs.window(tc * factor).instability() < 0


def test_tc_may_sit_where_the_number_of_frequencies_changes():
    omega, alpha2f = peaks()
    found = [epw_critical_temperature(omega, alpha2f, 0.3, wscut_ev=w) for w in np.linspace(0.05, 0.06, 25)]
    at_edge = [each for each in found if each.tc_kelvin == pytest.approx(each.bracket_kelvin[1], rel=1e-12)]
    assert 0 < len(at_edge) < len(found)
    for each in at_edge:
        # On the hot side of the edge there is one frequency less, and no gap.
        wscut = float(re.search(r"wscut = ([\d.]+) eV", each.convention)[1])
        hot = epw_gap(omega, alpha2f, each.tc_kelvin * (1 + 1e-4), 0.3, wscut_ev=wscut)
        assert (hot.gap_mev, hot.n_matsubara) == (0.0, each.n_matsubara - 1)


def test_the_gap_of_elk_may_vanish_and_return_where_one_frequency_less_repels():
    omega, spectra, mu_star = random_spectra(1)
    tc = elk_critical_temperature(omega, spectra[0], mu_star[0]).tc_kelvin
    cold, warm, hot = (elk_gap(omega, spectra[0], tc * factor, mu_star[0]) for factor in (0.99, 0.995, 1.0001))
    assert (cold.gap_mev, hot.gap_mev) == (0.0, 0.0)
    assert warm.gap_mev > 0
    assert warm.n_coulomb == cold.n_coulomb - 1


@pytest.mark.parametrize("scale", [0.137, 8.3])
def test_answers_scale_with_the_frequencies(scale):
    omega, alpha2f = peaks()
    here = epw_critical_temperature(omega, alpha2f, 0.1, wscut_ev=0.2)
    there = epw_critical_temperature(scale * omega, alpha2f, 0.1, wscut_ev=0.2 * scale)
    # Brent's tolerance in ln T, 1e-10, from either side.
    assert there.tc_kelvin == pytest.approx(scale * here.tc_kelvin, rel=3e-10)
    elk = [elk_critical_temperature(factor * omega, alpha2f, 0.1).tc_kelvin for factor in (1, scale)]
    assert elk[1] == pytest.approx(scale * elk[0], rel=3e-10)


@pytest.mark.parametrize(
    "solve", [elk_critical_temperature, lambda *spectrum: epw_critical_temperature(*spectrum, wscut_ev=0.2)]
)
def test_weak_coupling_is_below_the_range_or_without_superconductivity(solve):
    omega, alpha2f = peaks()
    below = solve(omega, 0.07 * alpha2f, 0.0)
    assert (below.status, below.tc_kelvin, below.n_matsubara) == (TcStatus.BELOW_RANGE, None, None)
    assert below.lowest_kelvin > 0
    never = solve(omega, 0.2 * alpha2f, 0.8)
    assert (never.status, never.tc_kelvin, never.bracket_kelvin) == (TcStatus.NO_SUPERCONDUCTIVITY, 0.0, None)


def test_cutoff_far_above_the_phonons_says_below_which_temperature_tc_lies():
    omega, alpha2f = peaks()
    near = epw_critical_temperature(omega, alpha2f, 0.1, wscut_ev=0.2)
    far = epw_critical_temperature(omega, alpha2f, 0.1, wscut_ev=1000.0)
    assert near.lowest_kelvin is None
    assert far.status is TcStatus.BELOW_RANGE
    # N = 10000 at wscut/(pi kB T) = 2e4 + 1
    assert far.lowest_kelvin == pytest.approx(1e6 / (np.pi * 20001 * 0.0861733), rel=1e-6)
    assert far.lowest_kelvin > near.tc_kelvin


def test_without_coupling_epw_has_no_superconductivity_and_elk_no_cutoff():
    omega, alpha2f = peaks()
    assert epw_critical_temperature(omega, 0 * alpha2f, 0.1, wscut_ev=0.2).status is TcStatus.NO_SUPERCONDUCTIVITY
    with pytest.raises(SpectrumError, match="expected a positive lambda above 1e-8 Hartree, found 0"):
        elk_critical_temperature(omega, 0 * alpha2f, 0.1)


def test_negative_values_take_coupling_away_in_both_codes():
    omega, alpha2f = peaks()
    dented = np.where(np.arange(omega.size) == 10, -0.3, alpha2f)
    for solve in (elk_critical_temperature, lambda *spectrum: epw_critical_temperature(*spectrum, wscut_ev=0.2)):
        assert solve(omega, dented, 0.1).tc_kelvin < solve(omega, alpha2f, 0.1).tc_kelvin


def test_the_normal_state_has_a_renormalisation_and_no_gap():
    omega, alpha2f = peaks()
    hot = epw_gap(omega, alpha2f, 200.0, 0.1, wscut_ev=0.2)
    assert (hot.gap_mev, hot.iterations) == (0.0, 0)
    assert hot.renormalisation > 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"wscut_ev": 0.0}, ParameterError, "wscut_ev: expected a positive energy"),
        ({"wscut_ev": np.nan}, ParameterError, "wscut_ev: expected a positive energy"),
        ({"mu_star": -0.1}, ParameterError, "mu_star: expected a finite number >= 0"),
        ({"temperature_kelvin": 0.0}, ParameterError, "temperature_kelvin: expected a positive number, found 0.0"),
        ({"temperature_kelvin": 1e-3}, ParameterError, "expected 1 to 4000 Matsubara frequencies"),
        ({"omega_mev": [0.0, 1.0]}, SpectrumError, "expected positive frequencies, found 0.0 first"),
        ({"omega_mev": [2.0, 1.0]}, SpectrumError, "of which 1 do not increase"),
        ({"omega_mev": [1.0, 2.0, 3.0]}, SpectrumError, "alpha2f: expected 3 values"),
        ({"omega_mev": [1.0], "alpha2f": [1.0]}, SpectrumError, "expected at least 2 strictly increasing"),
    ],
)
def test_bad_input_is_refused(change, error, message):
    good = {"omega_mev": [1.0, 2.0], "alpha2f": [0.0, 1.0], "temperature_kelvin": 1.0, "mu_star": 0.1, "wscut_ev": 0.1}
    with pytest.raises(error, match=message):
        epw_gap(**(good | change))


def test_bad_input_of_elk_is_refused():
    omega, alpha2f = peaks()
    with pytest.raises(SpectrumError, match="omega_mev: expected no zero"):
        elk_critical_temperature(omega - omega[3], alpha2f, 0.1)
    with pytest.raises(ParameterError, match="n_temperatures: expected at least 1, found 0"):
        elk_critical_temperature(omega, alpha2f, 0.1, n_temperatures=0)
    with pytest.raises(ParameterError, match="expected 1 to 4000 Matsubara frequencies in the sums, found 0"):
        elk_gap(omega, alpha2f, 1e5, 0.1)


def single_threaded(command, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)


@pytest.mark.qe
def test_epw_run_now_prints_the_gaps_computed_here(tmp_path):
    for path in (DATA / "epw_lead").iterdir():
        shutil.copy(path, tmp_path)
    source = (tmp_path / "epw.in").read_text()
    temperatures = "temps=2.5, 4.5, 6.2\n"
    (tmp_path / "epw.in").write_text(re.sub(r"nstemp=.*\n", f"nstemp=3, {temperatures}", source))
    rows = epw_answers(single_threaded(["epw.x", "-in", "epw.in"], tmp_path).stdout)
    assert [row[0] for row in rows] == [2.5, 4.5, 6.2]
    require_epw_gaps("epw_lead", rows)


@pytest.mark.skipif(shutil.which("elk-lapw") is None, reason="not installed: apt-get install elk-lapw")
def test_elk_run_now_prints_the_gaps_computed_here(tmp_path):
    for name in ("elk.in", "ALPHA2F.OUT"):
        shutil.copy(DATA / "elk_two_peaks" / name, tmp_path)
    source = (tmp_path / "elk.in").read_text()
    (tmp_path / "elk.in").write_text(source.replace("ntemp\n  30", "ntemp\n  12"))
    single_threaded(["elk-lapw"], tmp_path)
    rows = np.loadtxt(tmp_path / "ELIASHBERG_GAP_T.OUT")
    assert len(rows) == 12
    temperature, gap, _ = rows[0]
    assert elk_gap(*elk_spectrum(), temperature, 0.12).gap_mev == pytest.approx(gap * HARTREE_MEV, rel=3e-6)
    bracket = elk_critical_temperature(*elk_spectrum(), 0.12, n_temperatures=12).printed_bracket_kelvin
    printed = rows[:, 0][rows[:, 1] > 1e-6]
    assert bracket == pytest.approx((printed[-1], rows[printed.size, 0]), rel=1e-8)
