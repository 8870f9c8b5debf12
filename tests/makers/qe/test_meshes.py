from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from hightc.analysis.reciprocal_symmetry import mesh_is_symmetric, point_group
from hightc.makers.errors import RecipeError
from hightc.makers.qe.meshes import Meshes, commensurate_meshes, mesh_from_spacing, require_commensurate, uniform_points

LENGTHS = st.floats(2.0, 12.0)
LATTICES = st.builds(
    Lattice.from_parameters,
    LENGTHS,
    LENGTHS,
    LENGTHS,
    st.floats(70, 110),
    st.floats(70, 110),
    st.floats(70, 110),
)


@given(LATTICES, st.floats(0.1, 1.0))
def test_points_lie_no_farther_apart_than_the_spacing_and_one_point_less_would(lattice, spacing):
    mesh = mesh_from_spacing(lattice, spacing)
    for length, n in zip(lattice.reciprocal_lattice.abc, mesh, strict=True):
        # a length that is a whole number of spacings is allowed 1e-6 points of rounding
        assert length / n <= spacing * (1 + 1e-6)
        assert n == 1 or length / (n - 1) > spacing


@given(LATTICES, st.floats(0.1, 0.4), st.floats(0.3, 1.0), st.integers(1, 4))
def test_meshes_divide_each_other_and_k_is_even_and_no_coarser_than_asked_for(lattice, k_spacing, q_spacing, factor):
    meshes = commensurate_meshes(
        lattice, k_spacing_per_angstrom=k_spacing, q_spacing_per_angstrom=q_spacing, dense_factor=factor
    )
    require_commensurate(meshes)
    wanted = mesh_from_spacing(lattice, k_spacing)
    for q, k, dense, least in zip(*meshes, wanted, strict=True):
        assert k % q == 0
        assert dense == factor * k
        assert k >= min(least, k)
        assert k % 2 == 0 or k == 1
        # no more than the next even multiple of q
        assert least <= k <= q * (math.ceil(least / q) + 1)


@given(st.floats(2.0, 8.0))
def test_mesh_follows_the_symmetry_of_a_cubic_lattice(a):
    fcc = Lattice(a / 2 * (np.ones((3, 3)) - np.eye(3)))
    assert len(set(mesh_from_spacing(fcc, 0.3))) == 1


def test_meshes_of_fcc_aluminium_at_draft():
    fcc = Lattice(3.97 / 2 * (np.ones((3, 3)) - np.eye(3)))
    meshes = commensurate_meshes(fcc, k_spacing_per_angstrom=0.3, q_spacing_per_angstrom=0.9, dense_factor=2)
    # |b| = 2 pi sqrt(3)/a = 2.741/Angstrom: 2.741/0.9 -> 4, 2.741/0.3 -> 10 -> the next even multiple of 4
    assert meshes == Meshes(q=(4, 4, 4), k=(12, 12, 12), k_dense=(24, 24, 24))


@pytest.mark.parametrize("edges", [(3.25, 3.25, 4.95), (5.83, 5.83, 3.18), (3.0, 4.1, 5.3)])
@pytest.mark.parametrize("spacing", [0.2, 0.3, 0.4])
def test_meshes_of_a_body_centred_cell_keep_its_symmetry(edges, spacing):
    # ph.x 6.7 stops at the others: "This q-mesh breaks symmetry!"
    lattice = Lattice((np.ones((3, 3)) - 2 * np.eye(3)) * np.array(edges) / 2)
    rotations = point_group(Structure(lattice, ["Al"], [[0, 0, 0]]))
    spacings = {"k_spacing_per_angstrom": spacing, "q_spacing_per_angstrom": 2 * spacing, "dense_factor": 2}
    assert not mesh_is_symmetric(commensurate_meshes(lattice, **spacings).q, rotations)
    meshes = commensurate_meshes(lattice, **spacings, rotations=rotations)
    require_commensurate(meshes)
    assert all(mesh_is_symmetric(mesh, rotations) for mesh in meshes)
    for mesh, widest in ((meshes.q, 2 * spacing), (meshes.k, spacing)):
        assert max(np.array(lattice.reciprocal_lattice.abc) / mesh) <= widest


@pytest.mark.parametrize("lattice", [Lattice.hexagonal(3.0, 5.0), Lattice.tetragonal(3.0, 7.0), Lattice.cubic(4.0)])
def test_meshes_that_are_symmetric_are_left_as_they_are(lattice):
    rotations = point_group(Structure(lattice, ["Al"], [[0, 0, 0]]))
    spacings = {"k_spacing_per_angstrom": 0.3, "q_spacing_per_angstrom": 0.7, "dense_factor": 2}
    assert commensurate_meshes(lattice, **spacings, rotations=rotations) == commensurate_meshes(lattice, **spacings)


@pytest.mark.parametrize(
    ("meshes", "message"),
    [
        (Meshes((3, 3, 3), (8, 8, 8), (16, 16, 16)), r"k_mesh \[8, 8, 8\] is not a multiple of q_mesh \[3, 3, 3\]"),
        (Meshes((2, 2, 2), (8, 8, 8), (8, 8, 12)), r"k_mesh_dense \[8, 8, 12\] is not a multiple of k_mesh"),
        (Meshes((2, 2, 0), (8, 8, 8), (8, 8, 8)), r"q_mesh: expected three positive integers, found \[2, 2, 0\]"),
        (Meshes((2, 2, 2), (8, -8, 8), (8, 8, 8)), r"k_mesh: expected three positive integers"),
    ],
)
def test_meshes_that_do_not_fit_are_refused(meshes, message):
    with pytest.raises(RecipeError, match=message):
        require_commensurate(meshes)


def test_uniform_points_are_every_point_once_with_the_third_index_fastest():
    points = uniform_points((3, 1, 2))
    assert points.tolist() == [[i / 3, 0, k / 2] for i in range(3) for k in range(2)]
    assert uniform_points((1, 1, 1)).tolist() == [[0, 0, 0]]
