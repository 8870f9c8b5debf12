from __future__ import annotations

import typing

import numpy as np
import pytest

from hightc.analysis.critical_temperature import WEAK_COUPLING, spectrum_sha256, tc_document
from hightc.analysis.documents import TcDocument
from hightc.analysis.documents.tc import Method
from hightc.analysis.spectral_function import clipped_spectrum, document_spectrum
from hightc.eliashberg import critical_temperature

METHODS = typing.get_args(Method)
MU_STAR = (0.10, 0.13, 0.16)


@pytest.fixture(scope="module")
def strong(make_alpha2f):
    """A spectrum with a plateau from the second smearing on."""
    return make_alpha2f((2.5, 1.24, 1.20, 1.19, 1.22))


def peaks(omega_mev, *shape):
    """Gaussian peaks of 1 meV, each with its frequency and its lambda."""
    spectrum = np.zeros_like(omega_mev)
    for centre_mev, coupling in shape:
        peak = np.exp(-(((omega_mev - centre_mev) / 1.0) ** 2))
        spectrum += coupling * peak / (2 * np.trapezoid(peak / omega_mev, omega_mev))
    return spectrum


def replaced(document, spectra, chosen):
    """The document with other spectra, all of them its plateau."""
    n = len(spectra)
    changes = {
        "alpha2f": tuple(tuple(values.tolist()) for values in spectra),
        "smearing_ev": document.smearing_ev[:n],
        "plateau": document.plateau.model_copy(update={"indices": tuple(range(n))}),
        "chosen_smearing": chosen,
    }
    return document.model_copy(update=changes)


@pytest.fixture(scope="module")
def tc(strong):
    return tc_document(strong, mu_star=MU_STAR, reference="omega_2")


def test_every_method_is_there_once_for_every_mu_star(tc):
    assert [(entry.mu_star, entry.method) for entry in tc.critical_temperatures] == [
        (mu, method) for mu in MU_STAR for method in METHODS
    ]
    assert all(tc.find(method, mu) is not None for method in METHODS for mu in MU_STAR)
    assert tc.find("eliashberg", 0.2) is None


def test_range_over_the_plateau_holds_the_chosen_tc(strong, tc):
    assert strong.chosen_smearing in strong.plateau.indices
    for entry in tc.critical_temperatures:
        assert entry.low_kelvin <= entry.tc_kelvin <= entry.high_kelvin
        assert entry.low_kelvin < entry.high_kelvin


@pytest.mark.parametrize("lambdas", [(2.5, 1.24, 1.20, 1.19, 1.22), (0.350, 0.352, 0.354, 0.353, 0.351)])
def test_range_of_eliashberg_tc_is_that_of_all_spectra_of_the_plateau(lambdas, make_alpha2f):
    spectra = make_alpha2f(lambdas)
    tc = tc_document(spectra, mu_star=(0.1,), reference="omega_2")
    indices = spectra.plateau.indices
    every = [critical_temperature(document_spectrum(spectra, index), 0.1).tc_kelvin for index in indices]
    entry = tc.find("eliashberg", 0.1)
    assert (entry.low_kelvin, entry.high_kelvin) == pytest.approx((min(every), max(every)))


# Allen-Dynes 20.96, 20.91, 21.12 K but Eliashberg 19.75, 20.08, 19.78 K at mu* = 0.1: not the same order
UNORDERED = (((12, 0.7), (34, 0.5)), ((10, 0.48), (28, 0.72)), ((12, 0.72), (36, 0.48)))


@pytest.mark.parametrize("chosen", range(len(UNORDERED)))
def test_range_is_that_of_the_equations_where_the_formula_orders_spectra_otherwise(strong, chosen):
    omega = np.array(strong.omega_mev)
    spectra = [peaks(omega, *shape) for shape in UNORDERED]
    entry = tc_document(replaced(strong, spectra, chosen), mu_star=(0.1,), reference="omega_2").find("eliashberg", 0.1)
    every = [critical_temperature(clipped_spectrum(omega, values), 0.1).tc_kelvin for values in spectra]
    assert (entry.low_kelvin, entry.high_kelvin) == pytest.approx((min(every), max(every)))
    assert entry.low_kelvin <= entry.tc_kelvin <= entry.high_kelvin


def test_tc_falls_as_mu_star_grows(tc):
    for method in METHODS:
        values = [tc.find(method, mu).tc_kelvin for mu in MU_STAR]
        assert values == sorted(values, reverse=True)


def test_moments_and_range_of_lambda_are_those_of_the_spectrum(strong, tc):
    assert tc.lambda_ == strong.chosen.lambda_
    assert (tc.omega_log_mev, tc.omega_2_mev) == (strong.chosen.omega_log_mev, strong.chosen.omega_2_mev)
    lambdas = [strong.moments[index].lambda_ for index in strong.plateau.indices]
    assert (tc.lambda_low, tc.lambda_high) == (min(lambdas), max(lambdas))
    assert tc.smearing_ev == strong.smearing_ev[strong.chosen_smearing]
    assert tc.plateau_smearing_ev == tuple(strong.smearing_ev[index] for index in strong.plateau.indices)


@pytest.mark.parametrize("reference", ["omega_2", "omega_max"])
def test_mu_star_is_stored_with_the_frequency_it_belongs_to(strong, reference):
    document = tc_document(strong, mu_star=(0.1,), reference=reference)
    spectrum = document_spectrum(strong)
    assert document.mu_star_reference == reference
    assert document.mu_star_reference_mev == getattr(spectrum, f"{reference}_mev")
    assert document.find("eliashberg", 0.1).tc_kelvin == pytest.approx(
        critical_temperature(spectrum, 0.1, reference=reference).tc_kelvin
    )


def test_without_a_plateau_there_is_a_tc_but_no_range(make_alpha2f):
    document = tc_document(make_alpha2f((3.0, 2.0, 1.2)), mu_star=(0.1,), reference="omega_2")
    assert document.plateau_smearing_ev == ()
    assert document.lambda_low == document.lambda_high == document.lambda_
    for entry in document.critical_temperatures:
        assert entry.status == "found"
        assert (entry.low_kelvin, entry.high_kelvin) == (None, None)


def test_zero_kelvin_is_a_number_and_has_its_own_status(make_alpha2f):
    document = tc_document(make_alpha2f((0.1, 0.1, 0.1)), mu_star=(0.3,), reference="omega_2")
    for method in ("mcmillan", "allen_dynes", "eliashberg"):
        entry = document.find(method, 0.3)
        assert (entry.status, entry.tc_kelvin, entry.low_kelvin) == ("no_superconductivity", 0.0, 0.0)


def test_temperature_below_the_range_is_no_number(make_alpha2f):
    entry = tc_document(make_alpha2f((0.18, 0.18, 0.18)), mu_star=(0.1,), reference="omega_2").find("eliashberg", 0.1)
    assert (entry.status, entry.tc_kelvin, entry.low_kelvin, entry.high_kelvin) == ("below_range", None, None, None)


def test_pole_of_a_formula_is_invalid_and_no_number(make_alpha2f):
    moments = make_alpha2f((1.0, 1.0, 1.0)).chosen
    # Xie et al., npj Comput. Mater. 8, 14 (2022), eq. 8: 1/lambda = mu* + omega_log/omega_2
    pole = 1 / (0.1 + moments.omega_log_mev / moments.omega_2_mev)
    document = tc_document(make_alpha2f((pole,) * 3), mu_star=(0.1,), reference="omega_2")
    entry = document.find("xie_2022", 0.1)
    assert (entry.status, entry.tc_kelvin, entry.low_kelvin, entry.high_kelvin) == ("invalid", None, None, None)
    assert document.find("allen_dynes", 0.1).status == "found"


def test_spectrum_without_coupling_has_no_superconductivity_and_no_frequency(make_alpha2f):
    document = tc_document(make_alpha2f((0.0, 0.0, 0.0)), mu_star=(0.1,), reference="omega_max")
    assert document.mu_star_reference_mev is None
    assert {entry.status for entry in document.critical_temperatures} <= {"no_superconductivity", "invalid"}


@pytest.mark.parametrize(("coupling", "weak"), [(0.14, ["0.10", "0.13"]), (0.16, ["0.13"]), (0.3, [])])
def test_weak_coupling_is_told_with_the_mu_star_it_holds_for(make_alpha2f, coupling, weak):
    document = tc_document(make_alpha2f((coupling,) * 3), mu_star=(0.10, 0.13), reference="omega_2")
    notes = [note for note in document.warnings if "practically no Tc" in note]
    assert notes == (
        [f"lambda {document.lambda_:.3f} is at most {WEAK_COUPLING} mu* for mu* = {', '.join(weak)}: practically no Tc"]
        if weak
        else []
    )


def test_warnings_of_the_spectrum_stay(make_alpha2f):
    spectrum = make_alpha2f((3.0, 2.0, 1.2))
    assert set(spectrum.warnings) <= set(tc_document(spectrum, mu_star=(0.1,), reference="omega_2").warnings)


def test_digest_names_the_spectrum_and_not_the_campaign(strong):
    digest = spectrum_sha256(strong)
    assert spectrum_sha256(strong.model_copy(update={"campaign": "other", "warnings": ("x",)})) == digest
    other = 0 if strong.chosen_smearing else 1
    assert spectrum_sha256(strong.model_copy(update={"chosen_smearing": other})) != digest


def test_numerical_error_is_told_where_equations_are_solved_and_only_there(tc):
    for entry in tc.critical_temperatures:
        if entry.method == "eliashberg":
            # the relative difference to the equations on all Matsubara frequencies that critical_temperature states
            assert 0 < entry.error_estimate_kelvin < 1e-6 * entry.tc_kelvin
        else:
            assert entry.error_estimate_kelvin is None


def test_derivative_foretells_the_tc_of_a_stronger_spectrum(strong, tc):
    moved = tc.sensitivity
    assert (moved.mu_star, moved.reason) == (MU_STAR[0], None)
    omega, values = np.array(strong.omega_mev), np.array(strong.alpha2f[strong.chosen_smearing])
    # 1 % up and down: the scaled spectra have the same omega_2. The third derivative leaves (1e-2)^2 of the slope, two
    # solutions, each to 1e-6 of Tc, at most 1e-4 of it
    up, down = (critical_temperature(clipped_spectrum(omega, factor * values), 0.1) for factor in (1.01, 0.99))
    slope = (up.tc_kelvin - down.tc_kelvin) / 0.02
    width = document_spectrum(strong).modes.lam_per_mode * omega / 2  # a2F dw of each row
    assert np.array(moved.dtc_dalpha2f_kelvin_per_mev) @ width == pytest.approx(slope, rel=2e-4)


def test_derivative_to_mu_star_foretells_the_tc_of_more_repulsion(strong, tc):
    up, down = (critical_temperature(document_spectrum(strong), mu) for mu in (0.102, 0.098))
    slope = (up.tc_kelvin - down.tc_kelvin) / 0.004
    # third derivative: (2e-3/0.1)^2 at most; two solutions, each to 1e-6 of 20 K: 4e-5 K of 0.3 K
    assert tc.sensitivity.dtc_dmu_star_kelvin == pytest.approx(slope, rel=5e-4)


def test_isotope_coefficient_without_repulsion_is_one_half(strong):
    document = tc_document(strong, mu_star=(0.0, 0.1), reference="omega_2")
    assert document.sensitivity.isotope_coefficient == pytest.approx(0.5, abs=1e-6)
    assert document.sensitivity.mu_star == 0.0


@pytest.mark.parametrize(
    ("coupling", "mu_star", "reason"),
    [(0.1, 0.3, "Tc is 0 K"), (0.18, 0.1, "lowest temperature searched"), (1.0, 9.0, "no value on the scale")],
)
def test_without_a_tc_there_are_no_derivatives_but_a_reason(make_alpha2f, coupling, mu_star, reason):
    moved = tc_document(make_alpha2f((coupling,) * 3), mu_star=(mu_star,), reference="omega_2").sensitivity
    assert reason in moved.reason
    assert moved.isotope_coefficient is moved.dtc_dmu_star_kelvin is moved.dtc_dalpha2f_kelvin_per_mev is None


def test_derivative_has_a_value_at_every_frequency_of_the_document(strong):
    omega = (0.0, *strong.omega_mev)
    spectra = tuple((0.0, *values) for values in strong.alpha2f)
    longer = strong.model_copy(update={"omega_mev": omega, "alpha2f": spectra})
    derivative = tc_document(longer, mu_star=(0.1,), reference="omega_2").sensitivity.dtc_dalpha2f_kelvin_per_mev
    assert len(derivative) == len(omega)
    assert derivative[0] == 0.0
    assert min(derivative[1:]) > 0


def test_document_stored_before_errors_and_derivatives_were_computed_is_read(tc):
    stored = tc.model_dump()
    del stored["sensitivity"]
    for entry in stored["critical_temperatures"]:
        del entry["error_estimate_kelvin"]
    old = TcDocument.model_validate(stored)
    assert old.sensitivity is None
    assert old.find("eliashberg", 0.1).error_estimate_kelvin is None


def test_without_a_mu_star_nothing_is_derived(strong):
    document = tc_document(strong, mu_star=(), reference="omega_2")
    assert (document.critical_temperatures, document.sensitivity) == ((), None)
