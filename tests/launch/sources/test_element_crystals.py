from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from hightc.launch.sources.element_crystals import (
    OTHERS,
    crystal_of_element,
    element_crystals,
    is_element_crystal,
    reference_crystal,
)

CLOSE_PACKED = (
    "Al",
    "Pb",
    "V",
    "Nb",
    "Ta",
    "Mo",
    "W",
    "Tc",
    "Re",
    "Ru",
    "Os",
    "Rh",
    "Ir",
    "Zn",
    "Cd",
    "Ti",
    "Zr",
    "Hf",
)
COMPLEX = ("In", "Sn", "Hg", "Bi")


@pytest.mark.parametrize("symbol", [*CLOSE_PACKED, "Th", "Tl", "Be", *COMPLEX])
def test_crystal_of_a_superconducting_element_is_built_from_its_measured_lattice(symbol):
    structure = reference_crystal(symbol)
    assert is_element_crystal(structure)
    # measured molar volumes of pymatgen's table, cm^3/mol; thermal expansion and rounding stay below 5 %
    expected = structure.composition.elements[0].molar_volume / 0.602214
    assert structure.volume / len(structure) == pytest.approx(expected, rel=0.05)


def test_space_groups_are_the_known_ones():
    known = {"Al": (225, 1), "Nb": (229, 1), "Re": (194, 2), "La": (194, 4), "In": (139, 1), "Sn": (141, 2)}
    assert {symbol: crystal_of_element(symbol) for symbol in known} == known
    assert crystal_of_element("N") is None
    assert crystal_of_element("Og") is None


def test_lattice_of_another_space_group_is_not_taken():
    """ASE has lanthanum as hcp and gallium without its basis."""
    assert [symbol for symbol in OTHERS if reference_crystal(symbol) is None] == [
        "La",
        "Pr",
        "Nd",
        "Am",
        "Se",
        "Te",
        "P",
        "Ga",
        "B",
        "Mn",
        "Pa",
        "U",
    ]


def test_other_cells_of_an_element_and_compounds_are_not_its_crystal():
    bcc = Structure(Lattice.cubic(3.2), ["Al"] * 2, [(0, 0, 0), (0.5, 0.5, 0.5)])
    compound = Structure(Lattice.cubic(3.2), ["Al", "Ni"], [(0, 0, 0), (0.5, 0.5, 0.5)])
    assert not is_element_crystal(bcc)
    assert not is_element_crystal(compound)
    assert is_element_crystal(Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.05), ["Al"], [(0, 0, 0)]))
    assert not is_element_crystal(bcc * (4, 4, 4))


def test_mirror_image_is_the_same_crystal():
    lattice = Lattice.hexagonal(4.45, 5.93)
    left = Structure.from_spacegroup("P3_121", lattice, ["Te"], [(0.27, 0, 1 / 3)])
    right = Structure.from_spacegroup("P3_221", lattice, ["Te"], [(0.27, 0, 2 / 3)])
    assert [SpacegroupAnalyzer(one).get_space_group_number() for one in (left, right)] == [152, 154]
    assert is_element_crystal(left)
    assert is_element_crystal(right)


def test_given_crystals_are_kept_and_missing_ones_are_built():
    fcc = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.04), ["Al"], [(0, 0, 0)])
    bcc = Structure(Lattice.cubic(3.2), ["Al"] * 2, [(0, 0, 0), (0.5, 0.5, 0.5)])
    found, built = element_crystals({"mp-1": bcc, "mp-134": fcc})
    assert found["Al"] == "mp-134"
    assert found["Nb"] == "ase-Nb"
    assert "ase-Al" not in built
    assert is_element_crystal(built["ase-Nb"])
