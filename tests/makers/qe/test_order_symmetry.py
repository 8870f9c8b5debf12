from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.makers.qe.order_symmetry import is_fixed_by_symmetry, shift_off_gamma
from hightc.makers.qe.symmetry import primitive_cell


def crystal(group, lattice, species, positions):
    return primitive_cell(Structure.from_spacegroup(group, lattice, species, positions))


FCC = crystal("Fm-3m", Lattice.cubic(3.5), ["Ni"], [[0, 0, 0]])
BCC = crystal("Im-3m", Lattice.cubic(2.9), ["Cr"], [[0, 0, 0]])
HCP = crystal("P6_3/mmc", Lattice.hexagonal(2.5, 4.0), ["Co"], [[1 / 3, 2 / 3, 0.25]])
SALT = crystal("Fm-3m", Lattice.cubic(4.2), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
PYRITE = crystal("Pa-3", Lattice.cubic(5.4), ["Fe", "S"], [[0, 0, 0], [0.385, 0.385, 0.385]])
ZINC_BLENDE = crystal("F-43m", Lattice.cubic(4.6), ["Mn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]])
WURTZITE = crystal("P6_3mc", Lattice.hexagonal(3.2, 5.2), ["Mn", "S"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.375]])
TETRAGONAL = crystal("I4/mmm", Lattice.tetragonal(3.0, 4.6), ["Fe"], [[0, 0, 0]])
TWO = Structure(Lattice.cubic(2.9), ["Cr", "Cr"], [[0, 0, 0], [0.5, 0.5, 0.5]])
LAYERS = Structure(Lattice.tetragonal(2.5, 3.5), ["Ni", "Ni"], [[0, 0, 0], [0.5, 0.5, 0.5]])
FOUR = Structure(Lattice.cubic(3.5), ["Ni"] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


@pytest.mark.parametrize(
    ("structure", "spins", "fixed"),
    [
        (FCC, (0,), True),
        (BCC, (1,), True),
        (SALT, (1, 0), True),
        (ZINC_BLENDE, (1, 0), True),  # polar translations do not count: there are none in a cubic crystal
        (TWO, (1, -1), True),
        (HCP, (1, 1), False),  # c/a
        (PYRITE, (0,) * len(PYRITE), False),  # positions of sulphur
        (WURTZITE, (0,) * len(WURTZITE), False),
        (TETRAGONAL, (1,), False),
        (LAYERS, (1, -1), False),  # layers of spins take the cubic axes away from fcc
        (FOUR, (1, 1, 1, 1), True),
        (FOUR, (1, 1, -1, -1), False),
    ],
)
def test_volume_fixes_a_cell_whose_symmetry_leaves_nothing_else(structure, spins, fixed):
    assert is_fixed_by_symmetry(structure, spins) is fixed


@pytest.mark.parametrize(
    ("structure", "spins", "mesh", "shift"),
    [
        (FCC, (1,), (8, 8, 8), (1, 1, 1)),
        (TWO, (1, -1), (6, 6, 6), (1, 1, 1)),
        (HCP, (1, 1), (8, 8, 4), (0, 0, 1)),  # a sixfold axis keeps no other
        (TETRAGONAL, (1,), (4, 4, 4), (1, 1, 1)),
        (HCP, (1, 1), (8, 8, 1), (0, 0, 0)),  # a single point stays where it is
        (FCC, (1,), (1, 1, 1), (0, 0, 0)),
    ],
)
def test_mesh_is_shifted_as_far_as_its_symmetry_allows(structure, spins, mesh, shift):
    assert shift_off_gamma(structure, spins, mesh) == shift
