from __future__ import annotations

import warnings

import numpy as np
import pytest

from hightc.analysis.parsers.matdyn import CouplingTable, SpectrumFile
from hightc.analysis.spectral_function import alpha2f_document, clipped_spectrum, document_spectrum, finite_or_none


def warnings_about(document, word):
    return [note for note in document.warnings if word in note]


@pytest.mark.parametrize(("case", "number"), [("al_linear_response", 1), ("pb_linear_response", 6)])
def test_recomputed_lambda_agrees_with_the_printed_one_within_a_percent(recorded_spectra, case, number):
    spectrum, table = recorded_spectra(case, number)
    positive = spectrum.omega_mev > 0
    recomputed = clipped_spectrum(spectrum.omega_mev[positive], spectrum.alpha2f[positive])
    assert recomputed.lam == pytest.approx(table.coupling[number - 1], rel=0.01)
    assert recomputed.lam == pytest.approx(spectrum.lambda_printed, rel=0.01)


def test_recomputed_frequency_agrees_with_the_printed_one_where_nothing_is_negative(recorded_spectra):
    spectrum, table = recorded_spectra("pb_linear_response", 6)
    positive = spectrum.omega_mev > 0
    recomputed = clipped_spectrum(spectrum.omega_mev[positive], spectrum.alpha2f[positive])
    # the exponential of a mean logarithm: 1 % of lambda-weighted sums, twice
    assert recomputed.omega_log_mev == pytest.approx(table.omega_log_mev[5], rel=0.02)


def test_spectrum_without_faults_has_no_warning(make_alpha2f):
    document = make_alpha2f((0.42, 0.41, 0.40, 0.40, 0.39))
    assert document.warnings == ()
    assert document.plateau.status == "plateau"
    assert document.chosen.lambda_ == pytest.approx(0.40, rel=1e-3)


def test_zero_frequency_is_dropped_and_the_rest_kept_as_written(make_alpha2f):
    document = make_alpha2f((0.4, 0.4, 0.4))
    assert document.omega_mev[0] == pytest.approx(0.1)
    assert len(document.omega_mev) == len(document.alpha2f[0]) == 400


@pytest.mark.parametrize(("dip", "warned"), [(0.002, False), (0.1, True)])
def test_negative_spectrum_is_clipped_but_kept_and_told_when_it_weighs(make_alpha2f, dip, warned):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = make_alpha2f((0.4, 0.4, 0.4), dip=dip)
        spectrum = document_spectrum(document)
    assert min(document.alpha2f[0]) < 0
    assert spectrum.alpha2f.min() == 0
    assert document.chosen.lambda_clipped < 0
    assert bool(warnings_about(document, "negative a2F of weight")) is warned


@pytest.mark.parametrize(("printed", "warned"), [(0.4035, False), (0.395, True), (0.42, True)])
def test_disagreement_with_the_printed_lambda_beyond_a_percent_is_told(make_alpha2f, printed, warned):
    document = make_alpha2f((0.4, 0.4, 0.4), printed=(printed,) * 3)
    assert bool(warnings_about(document, f"printed {printed:.3f}: the code's own sum differs")) is warned


def test_disagreement_names_the_clipping_where_it_is_the_cause(make_alpha2f):
    document = make_alpha2f((0.4, 0.4, 0.4), dip=0.1)
    assert warnings_about(document, "negative a2F was set to zero")


@pytest.mark.parametrize(("q_sum", "warned"), [(0.45, False), (0.30, True), (0.50, True)])
def test_direct_sum_far_from_the_interpolated_one_is_told(make_alpha2f, q_sum, warned):
    document = make_alpha2f((0.4, 0.4, 0.4), q_sum=(q_sum,) * 3)
    assert bool(warnings_about(document, "direct q sum")) is warned


def test_without_a_plateau_the_widest_smearing_is_used_and_told(make_alpha2f):
    document = make_alpha2f((2.0, 1.5, 1.0, 0.7, 0.5))
    assert document.plateau.status == "no_plateau"
    assert document.plateau.indices == ()
    assert document.plateau.relative_spread is None
    assert document.chosen_smearing == 4
    assert warnings_about(document, "the widest, 0.500 eV, is used")


def test_warnings_of_the_steps_before_come_first(make_alpha2f):
    assert make_alpha2f((2.0, 1.0, 0.5), inherited=("restarted",)).warnings[0] == "restarted"


def test_spectrum_without_coupling_has_no_mean_frequencies(make_alpha2f):
    document = make_alpha2f((0.0, 0.0, 0.0))
    assert (document.chosen.lambda_, document.chosen.omega_log_mev, document.chosen.omega_2_mev) == (0.0, None, None)


def two_spectra(second_omega):
    omega = np.linspace(0.1, 10.0, 100)
    values = np.full(100, 0.1)
    return [SpectrumFile(grid, values, values[None], 0.4) for grid in (omega, second_omega)]


def test_spectra_on_two_grids_are_refused(structure_document, make_coupling, provenance):
    table = CouplingTable(np.array([0.1, 0.2]), np.full(2, 0.4), np.full(2, 0.2), np.full(2, 25.0))
    with pytest.raises(ValueError, match=r"a2F\.dos2: expected the frequencies of a2F\.dos1, found others"):
        alpha2f_document(
            structure_document,
            make_coupling((0.1, 0.2), (0.4, 0.4)),
            two_spectra(np.linspace(0.1, 11.0, 100)),
            table,
            k_mesh=(8, 8, 8),
            k_mesh_dense=(16, 16, 16),
            provenance=provenance,
        )


@pytest.mark.parametrize(("n_spectra", "n_table"), [(1, 2), (2, 1)])
def test_missing_smearing_is_refused_with_the_counts(structure_document, make_coupling, provenance, n_spectra, n_table):
    table = CouplingTable(*(np.full(n_table, value) for value in (0.1, 0.4, 0.2, 25.0)))
    expected = f"expected 2 smearings as ph.x summed, found {n_spectra} spectra and {n_table} lines of lambda"
    with pytest.raises(ValueError, match=expected):
        alpha2f_document(
            structure_document,
            make_coupling((0.1, 0.2), (0.4, 0.4)),
            two_spectra(np.linspace(0.1, 10.0, 100))[:n_spectra],
            table,
            k_mesh=(8, 8, 8),
            k_mesh_dense=(16, 16, 16),
            provenance=provenance,
        )


@pytest.mark.parametrize(("value", "expected"), [(1.5, 1.5), (0.0, 0.0), (np.nan, None), (np.inf, None)])
def test_only_finite_numbers_are_kept(value, expected):
    assert finite_or_none(value) == expected


def test_density_of_states_of_the_tetrahedra_is_kept_beside_the_spectrum_that_it_does_not_change(make_alpha2f):
    plain, compared = (make_alpha2f((0.42, 0.41, 0.40), tetrahedra=value) for value in (None, 0.22))
    assert plain.dos_tetrahedra_per_ev_spin_cell is plain.lambda_rescaled is None
    # 0.2 states/eV/spin/cell at each smearing
    expected = [1.1 * entry.lambda_ for entry in compared.moments]
    assert compared.lambda_rescaled == pytest.approx(expected)
    kept = {"dos_tetrahedra_per_ev_spin_cell", "lambda_rescaled"}
    assert compared.model_dump(exclude=kept) == plain.model_dump(exclude=kept)


@pytest.mark.parametrize(("tetrahedra", "warned"), [(0.19, False), (0.29, True), (0.13, True)])
def test_density_of_states_far_from_that_of_the_smearing_is_told(make_alpha2f, tetrahedra, warned):
    document = make_alpha2f((0.4, 0.4, 0.4), tetrahedra=tetrahedra)
    assert bool(warnings_about(document, "from that of the tetrahedra: use a denser k mesh")) is warned


def test_rescaled_lambda_needs_an_entry_for_each_smearing(make_alpha2f):
    document = make_alpha2f((0.4, 0.4, 0.4), tetrahedra=0.2)
    fields = document.model_dump() | {"lambda_rescaled": (None, 0.4)}
    with pytest.raises(ValueError, match="lambda_rescaled: expected one entry for each of 3 smearings, found 2"):
        type(document).model_validate(fields)
