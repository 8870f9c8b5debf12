"""Irreducible k points and the mesh they stand for."""

import math
import time
from pathlib import Path

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure

from hightc.analysis.mesh_unfolding import bands_on_mesh, irreducible_of_mesh, mesh_of_points
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.reciprocal_symmetry import band_rotations

AL = Path(__file__).parents[1] / "data" / "qe" / "al_dense" / "data-file-schema.xml"


@pytest.fixture(scope="module")
def run():
    return read_pw_xml(AL)


def test_each_point_of_the_mesh_counts_as_often_as_pw_weighs_it(run):
    points = irreducible_of_mesh(run.structure, run.k_points, run.k_mesh)
    counts = np.bincount(points.ravel(), minlength=len(run.k_points))
    assert counts / points.size == pytest.approx(run.k_weights, abs=1e-8)  # weights are printed with more digits


def test_points_of_the_list_lie_where_they_are(run):
    points = irreducible_of_mesh(run.structure, run.k_points, run.k_mesh)
    at = np.rint(run.k_points * 16).astype(int) % 16
    assert np.array_equal(points[tuple(at.T)], np.arange(len(run.k_points)))


def test_list_with_a_missing_point_is_refused(run):
    with pytest.raises(ValueError, match="points without one"):
        irreducible_of_mesh(run.structure, run.k_points[:-1], run.k_mesh)


def test_list_of_another_mesh_is_refused(run):
    with pytest.raises(ValueError, match="the run is of another mesh"):
        irreducible_of_mesh(run.structure, run.k_points, (12, 12, 12))


CUBE = Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]])
HEXAGON = Structure(Lattice.hexagonal(3.0, 4.7), ["Mg"], [[0, 0, 0]])
# rutile, whose fourfold screw axis exchanges the two spins
ALTERMAGNET = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.87, 3.31), ["Mn", "F"], [[0, 0, 0], [0.305, 0.305, 0]]
)
MOMENTS = [4.6 if site.frac_coords[2] < 0.25 else -4.6 for site in ALTERMAGNET][:2] + [0.0] * 4


def irreducible_points(structure, mesh, shift=(0, 0, 0)):
    """Irreducible points by spglib, as real coordinates, with how many points each stands for."""
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    mapping, addresses = spglib.get_ir_reciprocal_mesh(mesh, cell, is_shift=shift)
    first, counts = np.unique(mapping, return_counts=True)
    return (addresses[first] + np.array(shift) / 2) / mesh, counts


@pytest.mark.parametrize(
    ("structure", "mesh", "shift"),
    [
        (CUBE, (6, 6, 6), (0, 0, 0)),
        (CUBE, (4, 4, 4), (1, 1, 1)),
        (HEXAGON, (6, 6, 4), (0, 0, 1)),
        (HEXAGON, (5, 5, 1), (0, 0, 0)),
        (ALTERMAGNET, (4, 4, 6), (0, 0, 0)),
    ],
)
def test_each_point_counts_as_often_as_spglib_says(structure, mesh, shift):
    points, counts = irreducible_points(structure, mesh, shift)
    found = irreducible_of_mesh(structure, points, mesh, shift)
    assert np.array_equal(np.bincount(found.ravel()), counts)


def test_mesh_of_lower_symmetry_than_the_crystal_is_filled_from_images_on_it():
    # the image of (1/4, 0, 0) along z is between the points of (4, 4, 2)
    points = np.array([[i / 4, j / 4, k / 2] for i in range(3) for j in range(i + 1) for k in range(2)])
    found = irreducible_of_mesh(CUBE, points, (4, 4, 2))
    assert points[found[3, 1, 1]].tolist() == [0.25, 0.25, 0.5]
    assert points[found[0, 2, 1]].tolist() == [0.5, 0.0, 0.5]
    assert mesh_of_points(CUBE, points) == (4, 4, 2)


@pytest.mark.parametrize(
    ("structure", "mesh"),
    [(CUBE, (6, 6, 6)), (CUBE, (1, 1, 1)), (CUBE, (2, 2, 2)), (HEXAGON, (2, 2, 1)), (HEXAGON, (12, 12, 7))],
)
def test_mesh_is_found_from_its_irreducible_points(structure, mesh):
    assert mesh_of_points(structure, irreducible_points(structure, mesh)[0]) == mesh


@pytest.mark.parametrize(
    "points",
    [
        irreducible_points(CUBE, (4, 4, 4), (1, 1, 1))[0],
        irreducible_points(CUBE, (6, 6, 6))[0][:-1],
        np.linspace([0, 0, 0], [0.5, 0.5, 0], 21),
        np.array([[0, 0, 0], [1 / math.pi, 0, 0]]),
    ],
    ids=["shifted", "incomplete", "path", "irrational"],
)
def test_points_of_no_centred_mesh_are_refused(points):
    with pytest.raises(ValueError, match="expected the irreducible k points of a uniform Gamma-centred mesh"):
        mesh_of_points(CUBE, points)


def test_rotations_of_one_spin_are_those_that_keep_the_moments():
    magnet = ALTERMAGNET.copy(site_properties={"magmom": MOMENTS})
    assert (len(band_rotations(ALTERMAGNET)), len(band_rotations(magnet))) == (16, 8)
    assert len(band_rotations(magnet, tell_apart=False)) == 16
    ferromagnet = ALTERMAGNET.copy(site_properties={"magmom": np.abs(MOMENTS)})
    assert len(band_rotations(ferromagnet)) == 16


def test_rotations_of_one_spin_are_those_that_keep_the_labels():
    labelled = ALTERMAGNET.copy()
    for site, label in zip(labelled, ["Mn1", "Mn2", "F", "F", "F", "F"], strict=True):
        site.label = label
    assert np.array_equal(
        band_rotations(labelled), band_rotations(ALTERMAGNET.copy(site_properties={"magmom": MOMENTS}))
    )


def test_noncollinear_moments_are_refused():
    with pytest.raises(ValueError, match="expected one number a site"):
        band_rotations(CUBE.copy(site_properties={"magmom": [[0, 0, 1.0]]}))


def test_bands_of_one_spin_keep_the_difference_that_the_order_makes():
    points = np.stack(np.meshgrid(*(np.arange(4) / 4,) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    # what makes an altermagnet one: k_x k_y has the opposite sign for the other spin
    energies = (np.sin(2 * np.pi * points[:, 0]) * np.sin(2 * np.pi * points[:, 1]))[:, None]
    magnet = ALTERMAGNET.copy(site_properties={"magmom": MOMENTS})
    images = [np.rint(points @ rotation * 4).astype(int) % 4 @ [16, 4, 1] for rotation in band_rotations(magnet)]
    irreducible = np.unique(np.min(images, axis=0))
    assert len(irreducible) < len(points) / 3
    full = bands_on_mesh(energies[irreducible], points[irreducible], magnet)
    assert full[..., 0].ravel() == pytest.approx(energies[:, 0])
    with pytest.raises(ValueError, match="a magnetic order lowers the symmetry"):
        bands_on_mesh(energies, points, ALTERMAGNET)


def test_list_reduced_with_more_symmetry_than_the_moments_have_is_unfolded_with_it():
    points, counts = irreducible_points(ALTERMAGNET, (4, 4, 4))
    magnet = ALTERMAGNET.copy(site_properties={"magmom": MOMENTS})
    assert np.array_equal(np.bincount(irreducible_of_mesh(magnet, points, (4, 4, 4)).ravel()), counts)


def test_given_rotations_replace_those_of_the_crystal():
    points = irreducible_points(CUBE, (4, 4, 4))[0]
    with pytest.raises(ValueError, match="points without one"):
        irreducible_of_mesh(CUBE, points, (4, 4, 4), rotations=np.eye(3, dtype=np.int64)[None])


@pytest.mark.parametrize(("energies", "points"), [((2, 8, 3), (8, 3)), ((8, 3), (7, 3)), ((0, 3), (0, 3))])
def test_energies_and_points_must_match(energies, points):
    with pytest.raises(ValueError, match="give one spin at a time"):
        bands_on_mesh(np.zeros(energies), np.zeros(points), CUBE)


def test_large_mesh_is_unfolded_at_once():
    points, counts = irreducible_points(CUBE, (64, 64, 64))
    start = time.process_time()
    found = irreducible_of_mesh(CUBE, points, (64, 64, 64))
    assert time.process_time() - start < 2
    assert np.array_equal(np.bincount(found.ravel()), counts)


@pytest.mark.parametrize("shift", [(1, 1, 1), (0, 0, 1)])
def test_shifted_mesh_counts_its_points_from_its_own_corner(run, shift):
    """Of a crystal with no symmetry but time reversal, every point is its own or its opposite's."""
    lattice = Lattice.from_parameters(3, 4, 5, 80, 95, 105)
    crystal = Structure(lattice, ["Mg", "Al", "Si"], [[0, 0, 0], [0.3, 0.1, 0.2], [0.6, 0.45, 0.15]])
    index = np.stack(np.unravel_index(np.arange(24), (2, 3, 4)), axis=1)
    mesh = (index + np.array(shift) / 2) / (2, 3, 4)
    points = irreducible_of_mesh(crystal, mesh, (2, 3, 4), shift)
    apart = mesh[points.ravel()] - mesh
    opposite = mesh[points.ravel()] + mesh
    whole = [np.abs(distance - np.rint(distance)).max(axis=1) < 1e-9 for distance in (apart, opposite)]
    assert np.all(whole[0] | whole[1])
    with pytest.raises(ValueError, match="the run is of another mesh"):
        irreducible_of_mesh(crystal, mesh, (2, 3, 4))
