from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.source_data import STRUCTURES, SUPERCON, pack_cifs
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from hightc.launch.sources.structure_archive import composition_key, read_structure_library
from hightc.launch.sources.supercon import SuperconTable, supercon_entries
from hightc.launch.sources.supercon_structures import supercon_structures
from hightc.launch.sources.table import SuperconSource, parse_sources


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return read_structure_library(STRUCTURES, pack_cifs(tmp_path_factory.mktemp("archive")), 0.1)


def source(**more) -> SuperconSource:
    fields = {"kind": "supercon", "file": "supercon.csv", "structures": "3dsc.csv", "archive": "a.tar", **more}
    (entry,) = parse_sources([fields], where="here")
    assert isinstance(entry, SuperconSource)
    return entry


def given_structures(library, phases=None, **more):
    sourced = supercon_structures(supercon_entries(SUPERCON), source(**more), library, phases)
    by_formula = {candidate.sources[0].composition: candidate for candidate in sourced.candidates}
    return by_formula, {item.value: item for item in sourced.refused}


def test_every_line_has_a_structure_or_a_reason(library):
    found, refused = given_structures(library)
    assert len(found) + len(refused) == len(SUPERCON.read_text().splitlines()) - 1
    assert not found.keys() & refused.keys()


def test_compound_takes_the_structure_that_the_table_names(library):
    record = given_structures(library)[0]["N1Zr1"].sources[0]
    assert (record.structure_id, record.tc_kelvin, record.tc_meaning, record.doping_fraction) == (
        "mp-1352",
        9.85,
        "measured",
        0,
    )


def test_doped_compound_takes_its_parent_and_says_how_far_it_is(library):
    candidate = given_structures(library)[0]["Sr0.15La1.85Cu1O4"]
    assert candidate.structure.composition.reduced_formula == "La2CuO4"
    assert candidate.sources[0].doping_fraction == pytest.approx(0.075)
    assert candidate.sources[0].tc_kelvin == 34.7


def test_compound_that_the_table_does_not_name_takes_a_near_one(library):
    assert given_structures(library)[0]["La2Sr0Cu1Zn0O4"].sources[0].structure_id == "mp-19735"


def test_doping_beyond_the_tolerance_is_refused_and_taken_with_a_larger_one(library):
    reason = given_structures(library)[1]["Sn0.85Ag0.15Te1"]
    assert reason.code == "doping_beyond_tolerance"
    assert "SnTe" in reason.reason
    assert "0.15: expected at most 0.1" in reason.reason
    assert "Sn0.85Ag0.15Te1" in given_structures(library, max_doping=0.2)[0]


def test_composition_without_a_structure_is_refused(library):
    assert given_structures(library)[1]["Mo0.39Ru0.61"].code == "no_structure"


def test_least_tc_leaves_out_what_has_none_reported(library):
    found, refused = given_structures(library, min_tc_kelvin=5)
    assert {candidate.sources[0].tc_kelvin for candidate in found.values()} == {
        6.4701,
        8.83,
        8.9976875,
        9.85,
        16.9,
        34.7,
    }
    assert refused["C1Nb1"].code == "tc_too_low"
    assert refused["C1Nb1"].reason.endswith("found withheld: lower min_tc_kelvin")


def test_what_is_left_is_looked_up_by_formula(library):
    asked: list[str] = []
    a15 = Structure.from_spacegroup("Pm-3n", Lattice.cubic(4.7), ["V", "Si"], [(0, 0.25, 0.5), (0, 0, 0)])

    def phases(formulas):
        asked.extend(formulas)
        return {"V3Si": (("mp-2567", a15), ("mp-1", a15))}

    found, refused = given_structures(library, phases)
    assert found["V3Si1"].sources[0].structure_id == "mp-2567"
    assert found["V3Si1"].sources[0].choice == "number 1 of 2 phases of the formula, by energy"
    assert "Be6Pb" in asked
    assert "ZrN" not in asked
    assert refused["Nb3Al1"].reason.endswith("nor has the Materials Project a formula near")


def test_element_takes_its_crystal_at_ambient_pressure_and_says_so(library):
    """The table has lead as hcp, and niobium and aluminium not at all."""
    found = given_structures(library)[0]
    for symbol, group in (("Pb", 225), ("Nb", 229), ("Al", 225)):
        candidate = found[f"{symbol}1"]
        assert SpacegroupAnalyzer(candidate.structure).get_space_group_number() == group
        assert candidate.sources[0].structure_id == f"ase-{symbol}"
    choice = found["Pb1"].sources[0].choice
    assert choice.startswith("the crystal of the element at ambient pressure, measured lattice of ASE's table: none of")


def test_other_polymorphs_of_an_element_follow_where_they_are_asked_for(library):
    table = SuperconTable(tuple(e for e in supercon_entries(SUPERCON).entries if e.formula == "Pb1"), ())
    sourced = supercon_structures(table, source(polymorphs=2), library, None)
    records = [candidate.sources[0] for candidate in sourced.candidates]
    assert [record.structure_id for record in records] == ["ase-Pb", "mp-20745"]
    assert (
        records[1].choice
        == "number 2 of 2 structures that fit: in the order of the database, as energies are not known"
    )


def test_phases_of_a_formula_at_the_database_begin_with_the_crystal_of_the_element():
    table = SuperconTable(tuple(e for e in supercon_entries(SUPERCON).entries if e.formula == "Nb1"), ())
    bcc = Structure(Lattice.cubic(3.3), ["Nb"] * 2, [(0, 0, 0), (0.5, 0.5, 0.5)])
    simple = Structure(Lattice.cubic(2.7), ["Nb"], [(0, 0, 0)])
    sourced = supercon_structures(table, source(), None, lambda _: {"Nb": (("mp-1", simple), ("mp-75", bcc))})
    (record,) = (candidate.sources[0] for candidate in sourced.candidates)
    assert (record.structure_id, record.choice) == (
        "mp-75",
        "the crystal of the element at ambient pressure, of 2 phases",
    )


def test_only_structure_that_fits_is_no_choice(library):
    assert given_structures(library)[0]["N1Zr1"].sources[0].choice is None


def test_least_doped_structure_says_so(library):
    table = SuperconTable(tuple(e for e in supercon_entries(SUPERCON).entries if e.formula == "Pb1"), ())
    entry = replace(table.entries[0], formula="PbTe0.02", composition=Composition("Sn0.98TePb0.02"))
    given = replace(library, compositions={**library.compositions, "mp-910": Composition("SnTe0.95")})
    given = replace(given, matches={composition_key(entry.composition): ("mp-1481", "mp-910")})
    (candidate,) = supercon_structures(SuperconTable((entry,), ()), source(), given, None).candidates
    assert candidate.sources[0].structure_id == "mp-1481"
    assert candidate.sources[0].choice == "number 1 of 2 structures that fit: the least doped"
