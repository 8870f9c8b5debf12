from __future__ import annotations

import math
from pathlib import Path

import pytest
import spglib
from pymatgen.core import Lattice, Structure

from hightc.launch.errors import CampaignError
from hightc.launch.structures import PROTOTYPES, read_structure, require_separate_atoms, structure_from_prototype

CRYSTALS = {
    "sc Po 3.35": ("Pm-3m", 1, 6, 3.35),
    "fcc Al 4.05": ("Fm-3m", 1, 12, 4.05 * math.sqrt(1 / 2)),
    "bcc Nb 3.30": ("Im-3m", 1, 8, 3.30 * math.sqrt(3 / 4)),
    "diamond Si 5.43": ("Fd-3m", 2, 4, 5.43 * math.sqrt(3 / 16)),
    "hcp Zn 2.66": ("P6_3/mmc", 2, 12, 2.66),
    "rocksalt Nb N 4.39": ("Fm-3m", 2, 6, 4.39 / 2),
    "cscl Ni Al 2.89": ("Pm-3m", 2, 8, 2.89 * math.sqrt(3 / 4)),
    "a15 Nb Sn 5.29": ("Pm-3n", 8, 2, 5.29 / 2),
    "alb2 B Mg 3.08 3.52": ("P6/mmm", 3, 12, math.hypot(3.08 / math.sqrt(3), 3.52 / 2)),
}
"""Space group, atoms of the primitive cell, neighbours of the first element in its first shell and their distance in
Angstrom: geometry of the crystals (in AlB2 the first element sits between two honeycombs, six neighbours in each)."""


def read(folder: Path | None = None, **entry: str) -> Structure:
    return read_structure(entry, folder or Path(), where="here")


def space_group(structure: Structure) -> str:
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    return str(spglib.get_spacegroup(cell, symprec=1e-5)).split()[0]


@pytest.mark.parametrize("line", CRYSTALS)
def test_prototype_has_the_symmetry_and_the_neighbours_of_its_crystal(line):
    group, n_atoms, coordination, distance = CRYSTALS[line]
    structure = read(prototype=line)
    assert space_group(structure) == group
    assert len(structure) == n_atoms
    center = next(site for site in structure if site.specie.symbol == line.split()[1])
    distances = sorted(neighbor.nn_distance for neighbor in structure.get_neighbors(center, 6.0))
    # 1e-6: coordinates of 64-bit numbers to 1e-15, rotated and divided a few times
    assert distances[0] == pytest.approx(distance, abs=1e-6)
    assert sum(found < distances[0] + 1e-6 for found in distances) == coordination


def test_every_prototype_is_held_against_its_crystal():
    assert {line.split()[0] for line in CRYSTALS} == set(PROTOTYPES)


def test_hcp_without_c_is_the_ideal_close_packing():
    lattice = structure_from_prototype("hcp Zn 2.66", where="here").lattice
    assert lattice.c / lattice.a == pytest.approx(math.sqrt(8 / 3), rel=1e-12)


def test_c_of_a_hexagonal_prototype_is_kept():
    lattice = structure_from_prototype("hcp Zn 2.66 4.95", where="here").lattice
    assert (lattice.a, lattice.c) == pytest.approx((2.66, 4.95), rel=1e-12)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", "expected one of sc, fcc"),
        ("bct Al 4.05", "expected one of sc, fcc"),
        ("fcc Al", "'fcc Nb 4.0'"),
        ("fcc Al 4.05 4.05", "'fcc Nb 4.0'"),
        ("fcc Al four", "'fcc Nb 4.0'"),
        ("fcc Al -4.05", "'fcc Nb 4.0'"),
        ("fcc Al inf", "'fcc Nb 4.0'"),
        ("rocksalt Nb", "'rocksalt Nb N 4.0'"),
        ("alb2 Mg B 3.08 3.52 1.0", "'alb2 Nb N 4.0 6.5'"),
        ("fcc Foo 4.05", "unknown element 'Foo'"),
    ],
)
def test_line_that_is_no_prototype_is_refused_with_an_example(line, found):
    with pytest.raises(CampaignError, match=f"^here: .*{found}"):
        structure_from_prototype(line, where="here")


@pytest.mark.parametrize("name", ["pb.cif", "POSCAR", "pb.json"])
def test_file_is_read_relative_to_the_folder_as_its_primitive_cell(name, tmp_path):
    conventional = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.95), ["Pb"], [[0, 0, 0]])
    conventional.to(filename=str(tmp_path / name))
    structure = read(tmp_path, file=name)
    assert len(structure) == 1
    # CIF and POSCAR are written with 6 to 8 decimals
    assert structure.volume == pytest.approx(4.95**3 / 4, rel=1e-6)
    assert structure.lattice.angles == pytest.approx((60, 60, 60), abs=1e-4)


def test_oxidation_states_of_a_file_are_dropped(tmp_path):
    charged = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg2+", "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    charged.to(filename=str(tmp_path / "MgO.json"))
    assert {str(site.specie) for site in read(tmp_path, file="MgO.json")} == {"Mg", "O"}


def test_same_crystal_from_file_and_prototype_is_the_same_cell(tmp_path):
    read(prototype="rocksalt Nb N 4.39").make_supercell(2).to(filename=str(tmp_path / "NbN.json"))
    from_file, built = read(tmp_path, file="NbN.json"), read(prototype="rocksalt Nb N 4.39")
    assert from_file.lattice.abc == pytest.approx(built.lattice.abc, rel=1e-8)
    assert from_file.composition == built.composition


def test_neither_prototype_nor_file_is_refused():
    with pytest.raises(CampaignError, match="expected either prototype or file, found neither"):
        read()


def test_hydride_under_pressure_is_accepted():
    # H3S at 200 GPa, Im-3m, a = 2.984 Angstrom (Drozdov et al. 2015; Duan et al. 2014): S-H and H-H of 1.49 Angstrom
    hydride = Structure.from_spacegroup("Im-3m", Lattice.cubic(2.984), ["S", "H"], [[0, 0, 0], [0, 0.5, 0]])
    require_separate_atoms(hydride, where="here")


def test_hydrogen_molecule_is_accepted():
    molecule = Structure(Lattice.cubic(5), ["H", "H"], [[0, 0, 0], [0, 0, 0.74]], coords_are_cartesian=True)
    require_separate_atoms(molecule, where="here")


@pytest.mark.parametrize(
    ("atoms", "distance_angstrom"),
    [(["H", "H"], 0.2), (["Pb", "H"], 0.95), (["Nb", "N"], 0.0)],
)
def test_overlapping_atoms_are_named_with_their_distance(atoms, distance_angstrom):
    pair = Structure(Lattice.cubic(6), atoms, [[0, 0, 0], [0, 0, distance_angstrom]], coords_are_cartesian=True)
    with pytest.raises(CampaignError, match=rf"overlap: {distance_angstrom:.2f} Angstrom apart, expected at least"):
        require_separate_atoms(pair, where="here")


def test_atoms_that_overlap_across_the_cell_boundary_are_found():
    thin = Structure(Lattice.orthorhombic(1.0, 4, 4), ["Al"], [[0, 0, 0]])
    with pytest.raises(CampaignError, match=r"atoms 1 \(Al\) and 1 \(Al\) overlap: 1.00"):
        require_separate_atoms(thin, where="here")
