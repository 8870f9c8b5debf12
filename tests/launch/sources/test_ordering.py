from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure

from hightc.launch.sources.ordering import DisorderedSiteError, doping_fraction, ordered_parent, parent_formulas

PAIRS = {
    ("Nb3Sn", "Nb3Sn"): 0,
    ("Nb0.75Sn0.25", "Nb3Sn"): 0,
    ("La1.85Sr0.15CuO4", "La2CuO4"): 0.075,
    ("YBa2Cu3O6.5", "YBa2Cu3O7"): 0.5 / 7,
    ("Ba0.6K0.4Fe2As2", "BaFe2As2"): 0.4,
    ("Bi2Sr2CaCu2I0.15O8", "Bi2Sr2CaCu2O8"): 0.01,
    ("PdH0.6", "Pd"): 0.6,
    ("Nb", "Nb3Sn"): 1,
    ("Al", "Nb"): 1,
}
"""By hand: share of the sites of an element that hold another or none; or foreign atoms for each atom."""


@pytest.mark.parametrize("pair", PAIRS, ids=" of ".join)
def test_doping_is_the_share_of_the_sites_that_differ(pair):
    first, parent = map(Composition, pair)
    # 1e-9: sums of a few 64-bit numbers of order one
    assert doping_fraction(first, parent) == pytest.approx(PAIRS[pair], abs=1e-9)


@given(st.floats(0.01, 100), st.floats(0, 0.3))
def test_doping_does_not_depend_on_how_many_formula_units_are_written(scale, x):
    written = {"La": scale * (2 - x), "Sr": scale * x, "Cu": scale, "O": 4 * scale}
    assert doping_fraction(Composition(written), Composition("La2CuO4")) == pytest.approx(x / 2, abs=1e-6)


def cell(*sites: dict[str, float]) -> Structure:
    positions = [(0, 0, 0), (0.5, 0.5, 0.5)][: len(sites)]
    return Structure(Lattice.cubic(3.2), list(sites), positions)


def test_majority_takes_the_site():
    parent = ordered_parent(cell({"Sn": 0.92, "Ag": 0.08}, {"Te": 1}), 0.1)
    assert parent.composition == Composition("SnTe")
    assert parent.is_ordered


def test_partly_empty_site_is_filled_within_the_tolerance():
    assert ordered_parent(cell({"Nb": 1}, {"N": 0.95}), 0.1).composition == Composition("NbN")


@pytest.mark.parametrize("site", [{"Sn": 0.85, "Ag": 0.15}, {"Sn": 0.5, "Ag": 0.5}, {"Sn": 0.8}])
def test_site_without_a_clear_majority_is_refused(site):
    with pytest.raises(DisorderedSiteError, match=r"site 1 is \d+ % .*expected 90 % of one species"):
        ordered_parent(cell(site, {"Te": 1}), 0.1)


def test_whole_occupancies_written_with_few_decimals_need_no_tolerance():
    assert ordered_parent(cell({"Nb": 0.9995}), 0).is_ordered


def test_oxidation_states_are_taken_off():
    structure = Structure(Lattice.cubic(4.2), ["Mg2+", "O2-"], [(0, 0, 0), (0.5, 0.5, 0.5)])
    assert {site.species_string for site in ordered_parent(structure, 0)} == {"Mg", "O"}


def test_closest_ordered_formula_comes_first():
    assert parent_formulas(Composition("La1.85Sr0.15CuO4"), 0.1)[0] == "La2CuO4"
    assert parent_formulas(Composition("Nb0.75Sn0.25"), 0.1)[0] == "Nb3Sn"
    assert parent_formulas(Composition("Ca0.4Ba1.25La1.25Cu3O6.98"), 0.05) == ()
