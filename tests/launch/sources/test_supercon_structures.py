from __future__ import annotations

import pytest
from fakes.source_data import STRUCTURES, SUPERCON, pack_cifs
from pymatgen.core import Lattice, Structure

from hightc.launch.sources.structure_archive import read_structure_library
from hightc.launch.sources.supercon import supercon_entries
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
    assert {candidate.sources[0].tc_kelvin for candidate in found.values()} == {6.4701, 8.83, 9.85, 16.9, 34.7}
    assert refused["C1Nb1"].code == "tc_too_low"
    assert refused["C1Nb1"].reason.endswith("found withheld: lower min_tc_kelvin")


def test_what_is_left_is_looked_up_by_formula(library):
    asked: list[str] = []
    bcc = Structure(Lattice.cubic(3.3), ["Nb"] * 2, [(0, 0, 0), (0.5, 0.5, 0.5)])

    def phases(formulas):
        asked.extend(formulas)
        return {"Nb": (("mp-75", bcc), ("mp-1", bcc))}

    found, refused = given_structures(library, phases)
    assert found["Nb1"].sources[0].structure_id == "mp-75"
    assert "V3Si" in asked
    assert "ZrN" not in asked
    assert refused["V3Si1"].reason.endswith("nor has the Materials Project a formula near")
