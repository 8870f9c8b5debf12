from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.magnetic_supercells import (
    cell_number,
    cells,
    crystal_symmetry,
    distinct_sublattices,
    site_permutations,
    sublattices,
)

FCC = Structure(Lattice([[0, 2, 2], [2, 0, 2], [2, 2, 0]]), ["Ni"], [[0, 0, 0]])
CUBIC = Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]])
HCP = Structure(Lattice.hexagonal(2.5, 4.08), ["Co", "Co"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])


@pytest.mark.parametrize(("index", "count"), [(1, 1), (2, 7), (3, 13), (4, 35)])
def test_there_are_as_many_sublattices_as_number_theory_counts(index, count):
    # sum over the divisors d of n of d times the sum of the divisors of d
    found = sublattices(index)
    assert len(found) == count
    assert all(round(np.linalg.det(one)) == index for one in found)


@pytest.mark.parametrize(
    ("structure", "counts"),
    [(CUBIC, {2: 3, 3: 3, 4: 9}), (FCC, {2: 2, 3: 3, 4: 7}), (HCP, {2: 3, 3: 5, 4: 11})],
    ids=["simple cubic", "fcc", "hexagonal"],
)
def test_distinct_sublattices_are_those_of_hart_and_forcade(structure, counts):
    # Phys. Rev. B 77, 224115 (2008), number of distinct Hermite normal forms
    rotations = crystal_symmetry(structure).rotations
    assert {index: len(distinct_sublattices(index, rotations)) for index in counts} == counts


@pytest.mark.parametrize("index", [2, 3, 4])
def test_cells_of_a_supercell_are_numbered_once_and_repeat_with_the_sublattice(index):
    for one in sublattices(index):
        places = cells(one)
        assert cell_number(places, one).tolist() == list(range(index))
        assert not cell_number(np.array([[2, -3, 5]]) @ one, one).any()
        assert np.array_equal(cell_number(places + np.array([1, -2, 1]) @ one, one), cell_number(places, one))


@pytest.mark.parametrize("index", [1, 2, 4])
def test_operations_of_a_supercell_are_a_group_of_permutations_of_its_sites(index):
    symmetry = crystal_symmetry(HCP)
    for one, kept in distinct_sublattices(index, symmetry.rotations):
        found = site_permutations(symmetry, one, kept, np.array([0, 1]))
        assert found.shape == (len(kept) * index, 2 * index)
        assert np.array_equal(np.sort(found, axis=1), np.tile(np.arange(2 * index), (len(found), 1)))
        elements = {tuple(row) for row in found.tolist()}
        products = {tuple(first[second]) for first in found for second in found}
        assert products == elements
        assert found[0].tolist() == list(range(2 * index))


def test_permutations_keep_the_distances_between_sites():
    symmetry = crystal_symmetry(HCP)
    one, kept = distinct_sublattices(2, symmetry.rotations)[0]
    cell = Structure(
        Lattice(one @ HCP.lattice.matrix),
        ["Co"] * 4,
        (HCP.frac_coords[:, None] + cells(one)).reshape(-1, 3) @ HCP.lattice.matrix,
        coords_are_cartesian=True,
    )
    distances = cell.distance_matrix
    for permutation in site_permutations(symmetry, one, kept, np.array([0, 1])):
        # positions are given to 1e-15 of some Angstrom
        assert np.allclose(distances[np.ix_(permutation, permutation)], distances, atol=1e-9)


def test_cell_that_is_not_primitive_is_refused():
    with pytest.raises(ValueError, match="Ni4: expected a primitive cell, found 4 sites where 1 are enough"):
        crystal_symmetry(Structure.from_spacegroup("Fm-3m", Lattice.cubic(4), ["Ni"], [[0, 0, 0]]))
