from __future__ import annotations

import pytest
from fakes.report_results import make_alpha2f
from pymatgen.core import Lattice, Structure

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import TcDocument
from hightc.analysis.spin_fluctuation_interval import spin_fluctuation_interval, transition_metals

MU_STAR = 0.13


def spectrum(elements, dos=0.9):
    lattice = Lattice.cubic(3.02)
    structure = Structure(lattice, elements, [[index / len(elements), 0, 0] for index in range(len(elements))])
    changes = {"structure": structure, "dos_per_ev_spin_cell": (dos,) * 3}
    return make_alpha2f("V").model_copy(update=changes)


@pytest.fixture(scope="module")
def vanadium():
    return spin_fluctuation_interval(spectrum(["V"]), MU_STAR, reference="omega_2")


def test_simple_metals_have_no_estimate():
    assert transition_metals(spectrum(["Al"]).structure) == ()
    assert spin_fluctuation_interval(spectrum(["Al"]), MU_STAR, reference="omega_2") is None


def test_filled_d_shells_do_not_count():
    assert transition_metals(spectrum(["Cu", "Zn", "Nb"]).structure) == ("Nb",)


def test_fluctuations_lower_the_tc_of_vanadium(vanadium):
    phonons_alone = tc_document(spectrum(["Al"]), mu_star=[MU_STAR], reference="omega_2").find("eliashberg", MU_STAR)
    assert 0 < vanadium.lambda_sf_low < vanadium.lambda_sf_high
    assert vanadium.stoner_product == pytest.approx(0.70 * 0.9)
    assert vanadium.tc_high_kelvin < 0.75 * phonons_alone.tc_kelvin
    assert (vanadium.tc_low_kelvin or 0.0) < vanadium.tc_high_kelvin


def test_an_end_without_a_number_says_why(vanadium):
    assert (vanadium.reason is None) == (vanadium.tc_low_kelvin is not None)


def test_an_ordered_metal_has_no_interval():
    # I N(E_F) = 0.92 x 1.5 > 1: the paramagnet that the estimate dresses does not exist
    iron = spin_fluctuation_interval(spectrum(["Fe"], dos=1.5), MU_STAR, reference="omega_2")
    assert iron.stoner_product > 1
    assert (iron.tc_low_kelvin, iron.tc_high_kelvin, iron.lambda_sf_high) == (None, None, None)
    assert "orders" in iron.reason


def test_two_atoms_share_the_states():
    one = spin_fluctuation_interval(spectrum(["V"], dos=0.4), MU_STAR, reference="omega_2")
    two = spin_fluctuation_interval(spectrum(["V", "V"], dos=0.8), MU_STAR, reference="omega_2")
    assert two.stoner_product == pytest.approx(one.stoner_product)
    assert two.lambda_sf_high == pytest.approx(one.lambda_sf_high)


def test_an_element_without_a_stoner_parameter_is_named():
    found = spin_fluctuation_interval(spectrum(["Hf", "V"]), MU_STAR, reference="omega_2")
    assert found.stoner_ev is None
    assert found.tc_high_kelvin is None
    assert "Hf, V" in found.reason


def test_the_estimate_stands_beside_every_tc_of_a_transition_metal():
    document = tc_document(spectrum(["Hf"]), mu_star=[0.10, MU_STAR], reference="omega_2")
    assert document.spin_fluctuations.mu_star == 0.10
    assert TcDocument.model_validate(document.model_dump()) == document
