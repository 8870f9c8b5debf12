"""Answers of one spectrum: what each number is, and that none is invented."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.answers import Answer, convention_text, spectrum_answers, spectrum_notes, tc_answers
from hightc.analysis.eliashberg_curves import eliashberg_curves
from hightc.analysis.further_answers import (
    GAP_NOTES,
    Questions,
    all_answers,
    compatible_answers,
    gap_answers,
    sensitivity_answers,
    spin_fluctuation_answers,
)
from hightc.analysis.parsers.alpha2f import Alpha2FFile, read_alpha2f
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.analysis.spectral_function import clipped_spectrum
from hightc.eliashberg import Alpha2F, CoupledModes, critical_temperature
from hightc.eliashberg.compatibility import elk_critical_temperature, epw_critical_temperature
from hightc.eliashberg.formulas import formula_table
from hightc.eliashberg.sensitivity import sensitivity

PB = Path(__file__).parents[1] / "data" / "epw" / "pb" / "pb.a2f_iso"
FAST_PARAMAGNONS = CoupledModes([200.0], [0.1])


@pytest.fixture(scope="module")
def lead():
    file = read_alpha2f(PB)
    return clipped_spectrum(file.omega_mev, file.alpha2f)


def peak(coupling, centre_mev=10.0):
    """A narrow peak of given lambda."""
    omega = np.linspace(0.1, 12.0, 240)
    shape = np.exp(-(((omega - centre_mev) / 0.5) ** 2))
    return Alpha2F(omega, shape * coupling / Alpha2F(omega, shape).lam)


def by_name(answers):
    return {(answer.quantity, answer.method, answer.unit): answer for answer in answers}


def test_mean_frequencies_are_given_in_mev_and_in_kelvin(lead):
    found = by_name(spectrum_answers(lead))
    assert found["lambda", "integral", ""].value == lead.lam
    for name in ("omega_log", "omega_2", "omega_max"):
        assert found[name, "integral", "meV"].value == getattr(lead, f"{name}_mev")
        assert found[name, "integral", "K"].value == pytest.approx(getattr(lead, f"{name}_mev") / 0.08617333)


def test_tc_of_each_method_is_that_of_its_function(lead):
    found = {answer.method: answer for answer in tc_answers(lead, 0.13, 20.0)}
    table = formula_table(lead, 0.13)
    assert found["mcmillan"].value == table["mcmillan_dynes"].tc_kelvin
    assert found["xie_2022"].value == table["xie_2022"].tc_kelvin
    assert found["eliashberg"].value == critical_temperature(lead, 0.13, reference=20.0).tc_kelvin


def test_formula_below_the_coupling_it_was_fitted_to_says_so(lead):
    assert not any(answer.note for answer in tc_answers(lead, 0.1, "omega_2"))
    found = {answer.method: answer for answer in tc_answers(peak(0.1), 0.2, "omega_2")}
    assert found["eliashberg"].value == 0.0 < found["xie_2019"].value
    assert "below 0.69" in found["xie_2019"].note
    assert not found["mcmillan"].note


def test_tc_below_the_range_comes_with_the_limit():
    weak = peak(0.02)
    found = {answer.method: answer for answer in tc_answers(weak, 0.0, "omega_2")}["eliashberg"]
    assert (found.status, found.value) == ("below_range", None)
    # w_max/20000
    assert found.note.startswith(f"below {weak.omega_max_mev / 20000 / 0.08617333:.3g} K")


def test_convention_names_the_frequency_of_mu_star():
    assert convention_text("omega_2", 5.0).startswith("mu* belongs to omega_2 = 5 meV:")
    assert convention_text(7.5, 7.5).startswith("mu* belongs to the frequency given = 7.5 meV:")
    assert convention_text("omega_max", None).startswith("mu* belongs to omega_max:")


def test_gap_of_weak_coupling_is_that_of_bcs():
    # At kTc/w = 0.01 the corrections of strong coupling, 12.5 (Tc/w)^2 ln(w/2Tc), 53 (Tc/w)^2 ln(w/3Tc) and
    # -12.2 (Tc/w)^2 ln(w/3Tc) (F. Marsiglio and J. P. Carbotte, Phys. Rev. B 33, 6141 (1986)), are 0.5, 1.9 and -0.4 %
    found = {answer.quantity: answer.value for answer in gap_answers(peak(0.3), 0.0, "omega_2")}
    assert found["gap_ratio"] == pytest.approx(3.528, rel=0.01)
    assert found["specific_heat_jump"] == pytest.approx(1.426, rel=0.04)
    assert found["field_ratio"] == pytest.approx(0.168, rel=0.01)


def test_gap_ratio_is_twice_the_edge_over_tc(lead):
    found = {answer.quantity: answer for answer in gap_answers(lead, 0.1, "omega_2")}
    tc = critical_temperature(lead, 0.1).tc_kelvin
    assert found["gap_ratio"].value == pytest.approx(2 * found["gap_edge"].value / (KELVIN_MEV * tc))
    assert (found["gap_edge"].unit, found["gap_ratio"].unit) == ("meV", "")
    # the gap grows from the imaginary axis to its edge, towards the phonons
    assert found["delta_0"].value < found["gap_edge"].value


def test_gap_that_no_grid_resolves_is_no_number(lead, monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.continuation.MOST_POINTS", 10)
    found = {answer.quantity: answer for answer in gap_answers(lead, 0.1, "omega_2")}
    assert (found["gap_edge"].value, found["gap_edge"].status) == (None, "not_resolved")
    assert found["gap_ratio"].value is None
    assert found["delta_0"].status == found["specific_heat_jump"].status == "found"
    assert eliashberg_curves(lead, 0.1, "omega_2").real_axis is None


def test_weak_coupling_is_a_reason_and_no_number():
    weak = peak(0.15)
    answers = {answer.quantity: answer for answer in gap_answers(weak, 0.0, "omega_2")}
    tc = critical_temperature(weak, 0.0).tc_kelvin
    assert 0 < KELVIN_MEV * tc < weak.omega_max_mev / 2000
    # BCS; its corrections are 12.5 (Tc/w)^2 ln(w/2Tc), below 1e-4, and half a step of i pi T along the axis
    assert answers["delta_0"].value == pytest.approx(1.764 * KELVIN_MEV * tc, rel=1e-3)
    for name in ("gap_edge", "gap_ratio", "specific_heat_jump", "field_ratio"):
        assert (answers[name].value, answers[name].status) == (None, "weak_coupling")
    curves = eliashberg_curves(weak, 0.0, "omega_2")
    assert curves.real_axis is None
    assert curves.gap_mev is not None


def test_edge_of_a_small_gap_does_not_depend_on_the_line_it_was_continued_on(monkeypatch):
    fine = eliashberg_curves(peak(0.5), 0.1, "omega_2").real_axis
    monkeypatch.setattr("hightc.analysis.eliashberg_curves.LARGEST_RATIO", 1.0)
    coarse = eliashberg_curves(peak(0.5), 0.1, "omega_2").real_axis
    assert coarse.height_mev > 2 * fine.height_mev
    assert coarse.omega_mev.size < fine.omega_mev.size / 4
    # third order in height over the phonon frequency, (0.05/10)^3, and Delta taken as constant beyond three of them
    assert coarse.gap_edge_mev == pytest.approx(fine.gap_edge_mev, rel=1e-3)


def test_sensitivity_is_that_of_the_engine_and_peaks_where_its_derivative_does(lead):
    found = {answer.quantity: answer.value for answer in sensitivity_answers(lead, 0.1, "omega_2")}
    engine = sensitivity(lead, 0.1, omega_mev=found["dtc_dalpha2f_peak"] * np.array([0.97, 1.0, 1.03]))
    assert found["isotope_coefficient"] == pytest.approx(engine.isotope_coefficient)
    assert found["dtc_dmu_star"] == pytest.approx(engine.dtc_dmu_star)
    assert np.argmax(engine.dtc_dalpha2f) == 1
    assert found["dtc_dalpha2f_highest"] == pytest.approx(engine.dtc_dalpha2f[1])
    assert 7 < found["dtc_dalpha2f_peak_over_tc"] < 9  # as its docstring has it


def test_derivative_that_only_rises_has_no_maximum(lead, monkeypatch):
    monkeypatch.setattr("hightc.analysis.further_answers.PEAK_RANGE", (2e-4, 0.1))
    found = {answer.quantity: answer for answer in sensitivity_answers(lead, 0.1, "omega_2")}
    for name in ("dtc_dalpha2f_peak", "dtc_dalpha2f_peak_over_tc", "dtc_dalpha2f_highest"):
        assert (found[name].value, found[name].status) == (None, "no_maximum")
    assert found["isotope_coefficient"].status == "found"


def test_paramagnons_lower_tc_and_every_rule_says_how_it_was_made(lead):
    answers = spin_fluctuation_answers(lead, FAST_PARAMAGNONS, 0.1, "omega_2")
    found = {(answer.quantity, answer.method): answer for answer in answers}
    assert found["lambda_sf", "integral"].value == pytest.approx(0.1)
    assert found["omega_sf", "integral"].value == pytest.approx(200.0)
    exact = found["tc", "exact"]
    assert exact.value < critical_temperature(lead, 0.1).tc_kelvin
    # fluctuations 34 times as fast as the phonons: the rule in three steps is within 2 % there
    assert found["tc", "three_step"].value == pytest.approx(exact.value, rel=0.02)
    assert found["tc", "daams_mitrovic_carbotte"].value < exact.value
    assert all(answer.note for answer in answers if answer.quantity == "tc")


def test_paramagnons_without_coupling_change_nothing_and_have_no_frequency(lead):
    found = {
        (answer.quantity, answer.method): answer
        for answer in spin_fluctuation_answers(lead, CoupledModes([200.0], [0.0]), 0.1, "omega_2")
    }
    assert (found["omega_sf", "integral"].value, found["omega_sf", "integral"].status) == (None, "no_coupling")
    assert found["tc", "exact"].value == critical_temperature(lead, 0.1).tc_kelvin
    assert not any(re.search(r"\bnan\b", answer.note) for answer in found.values())


def test_other_programs_answer_as_their_modules_do(lead):
    found = {(answer.quantity, answer.method): answer for answer in compatible_answers(lead, 0.1, 0.08)}
    epw = epw_critical_temperature(lead.omega_mev, lead.alpha2f, 0.1, wscut_ev=0.08)
    elk = elk_critical_temperature(lead.omega_mev, lead.alpha2f, 0.1)
    assert (found["tc", "epw"].value, found["tc", "elk"].value) == (epw.tc_kelvin, elk.tc_kelvin)
    assert found["tc_estimate", "elk"].value == elk.formula_tc_kelvin
    assert found["tc", "epw"].note == ""


def test_cutoffs_of_epw_far_above_and_below_the_phonons_are_called_so(lead):
    far, near = (
        next(answer for answer in compatible_answers(lead, 0.1, wscut) if answer.method == "epw")
        for wscut in (50, 1e-4)
    )
    assert (far.value, far.status) == (None, "too_many_frequencies")
    assert "more than 10000 frequencies; lower wscut, 50 eV" in far.note
    assert near.value > 0
    assert near.note == "wscut = 0.0001 eV lies below the highest phonon"


def test_cutoff_of_epw_is_ten_times_the_highest_frequency_unless_given(lead):
    found = {(answer.quantity, answer.method): answer for answer in compatible_answers(lead, 0.1)}
    assert f"wscut = {lead.omega_max_mev / 100:g} eV" in found["tc", "epw"].convention


def test_uneven_grid_is_interpolated_for_epw_and_said_so(lead):
    uneven = Alpha2F(lead.omega_mev[1:], lead.alpha2f[1:])  # begins at two steps
    found = {(answer.quantity, answer.method): answer for answer in compatible_answers(uneven, 0.1, 0.1)}
    even = {(answer.quantity, answer.method): answer for answer in compatible_answers(lead, 0.1, 0.1)}
    # 499 points for 500: the interpolation of these narrow peaks
    assert found["tc", "epw"].value == pytest.approx(even["tc", "epw"].value, rel=2e-3)
    assert "interpolated" in found["tc", "epw"].note
    assert found["tc", "elk"].note == ""


@pytest.mark.parametrize(
    ("spectrum", "mu_star", "status"),
    [
        (peak(0.1), 0.3, "no_superconductivity"),
        (peak(0.02), 0.0, "below_range"),
        (Alpha2F(np.linspace(1.0, 4.0, 4), np.zeros(4)), 0.1, "no_superconductivity"),
    ],
)
def test_without_tc_there_is_no_number_anywhere_but_0_k(spectrum, mu_star, status):
    ask = Questions(gap=True, sensitivity=True, compare=True, paramagnons=FAST_PARAMAGNONS)
    answers = all_answers(spectrum, (mu_star,), "omega_2", ask=ask)
    for answer in answers:
        if answer.group in ("gap", "sensitivity"):
            assert (answer.value, answer.status) == (None, status)
        if answer.quantity == "tc" and answer.status == "no_superconductivity":
            assert answer.value == 0.0
        if answer.quantity == "tc" and answer.status in ("below_range", "too_many_frequencies"):
            assert answer.value is None
    curves = eliashberg_curves(spectrum, mu_star, "omega_2")
    assert curves.gap_mev is curves.temperature_kelvin is curves.real_axis is None


def test_questions_choose_what_is_answered_and_mu_star_how_often(lead):
    every = Questions(gap=True, sensitivity=True, compare=True, paramagnons=FAST_PARAMAGNONS)
    for ask, groups in ((Questions(), {"tc"}), (every, {"tc", "gap", "sensitivity", "compare", "spin_fluctuations"})):
        answers = all_answers(lead, (0.1, 0.13), "omega_2", ask=ask)
        assert {answer.group for answer in answers} == {"spectrum"} | groups
        for group in groups:
            per_mu = [[a for a in answers if (a.group, a.mu_star) == (group, mu)] for mu in (0.1, 0.13)]
            assert len(per_mu[0]) == len(per_mu[1]) > 0


def test_every_number_of_the_gap_is_explained():
    found = gap_answers(peak(1.0), 0.1, "omega_2")
    assert [answer.quantity for answer in found] == list(GAP_NOTES)
    assert all(answer.note for answer in found)


def test_answer_holds_nothing_that_json_does_not_know(lead):
    for answer in all_answers(lead, (0.1,), "omega_2", ask=Questions(gap=True, sensitivity=True, compare=True)):
        for field in fields(Answer):
            value = getattr(answer, field.name)
            assert value is None or type(value) in (str, float)
            assert not isinstance(value, float) or np.isfinite(value)


def test_curve_of_the_gap_ends_at_tc_and_never_rises(lead):
    curves = eliashberg_curves(lead, 0.1, "omega_2")
    assert curves.temperature_kelvin[-1] == curves.solution.tc_kelvin
    assert curves.gap_mev[-1] == 0.0
    # below 0.3 Tc the gap is constant but for exp(-Delta/kT) and the step of i pi T along the axis, which lowers it
    assert (np.diff(curves.gap_mev) < 0).all()
    assert curves.sensitivity.omega_mev[-1] == lead.omega_mev[-1]
    assert curves.real_axis.gap_edge_mev > 0


def file_of(spectrum, **changes):
    given = {
        "layout": "table",
        "omega_mev": spectrum.omega_mev,
        "alpha2f": spectrum.alpha2f,
        "column": 1,
        "n_columns": 1,
        "unit": "meV",
        "smearing_mev": None,
        "lambda_printed": None,
        "notes": (),
    }
    return Alpha2FFile(**{**given, **changes})


def test_notes_compare_lambda_and_tell_what_was_clipped(lead):
    assert spectrum_notes(file_of(lead), lead) == []
    assert spectrum_notes(file_of(lead, lambda_printed=lead.lam * 1.005), lead) == []
    (note,) = spectrum_notes(file_of(lead, lambda_printed=1.5), lead)
    assert note == "lambda recomputed 1.23, printed in the file 1.5"
    dipped = clipped_spectrum(lead.omega_mev, np.where(lead.omega_mev < 2, -0.1, lead.alpha2f))
    (note,) = spectrum_notes(file_of(lead), dipped)
    assert note.startswith("negative a2F was set to zero, which adds ")
    zero = Alpha2F(lead.omega_mev, 0 * lead.alpha2f)
    assert spectrum_notes(file_of(lead), zero) == ["a2F is zero everywhere: nothing couples"]


def test_implausible_spectra_are_noted(lead):
    (note,) = spectrum_notes(file_of(lead), Alpha2F(lead.omega_mev, 20 * lead.alpha2f))
    assert note.startswith("lambda = 24.6 is implausible")
    (note,) = spectrum_notes(file_of(lead), Alpha2F(1e3 * lead.omega_mev, lead.alpha2f))
    assert note == "1.023e+04 meV is above every phonon: is the unit right?"
