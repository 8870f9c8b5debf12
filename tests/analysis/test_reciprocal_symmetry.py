"""The point group in reciprocal space."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.reciprocal_symmetry import (
    cartesian_rotations,
    distance,
    fold,
    images,
    lengths,
    mesh_is_symmetric,
    mesh_permutations,
    point_group,
    reciprocal_vectors,
)


def bcc():
    return Structure(Lattice(1.44 * (np.ones((3, 3)) - 2 * np.eye(3))), ["Cr"], [[0, 0, 0]])


def polar():
    """Without inversion."""
    return Structure(Lattice.tetragonal(4.0, 4.2), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.4]])


@pytest.mark.parametrize(("structure", "order"), [(bcc(), 48), (polar(), 16)])
def test_group_holds_the_inversion_by_time_reversal(structure, order):
    rotations = point_group(structure)
    assert len(rotations) == order
    assert any(np.array_equal(rotation, -np.eye(3)) for rotation in rotations)


def test_cartesian_rotations_are_orthogonal_and_move_q_as_the_integer_ones_do():
    structure = bcc()
    rotations, reciprocal = point_group(structure), reciprocal_vectors(structure)
    cartesian = cartesian_rotations(structure, rotations)
    # rounding of three products of numbers of order one
    assert cartesian @ np.swapaxes(cartesian, 1, 2) == pytest.approx(np.broadcast_to(np.eye(3), (48, 3, 3)), abs=1e-13)
    q = np.array([0.11, -0.23, 0.37])
    assert images(q, rotations) @ reciprocal == pytest.approx((q @ reciprocal) @ cartesian, abs=1e-13)


def test_folded_point_is_the_shortest_of_its_equivalents():
    reciprocal = reciprocal_vectors(bcc())
    points = np.random.default_rng(1).uniform(-2, 2, (50, 3))
    folded = fold(points, reciprocal)
    assert np.abs((points - folded) - np.rint(points - folded)).max() < 1e-12
    assert np.linalg.norm(folded @ reciprocal, axis=1) == pytest.approx(lengths(points, reciprocal))
    # the zone of bcc lies within the distance of its corner H, 2 pi/a
    assert lengths(points, reciprocal).max() <= 2 * np.pi / 2.88 + 1e-12


def test_equivalents_of_one_length_fold_onto_one_point():
    reciprocal = reciprocal_vectors(bcc())
    h = np.array([1.0, 0, 0]) * 2 * np.pi / 2.88 @ np.linalg.inv(reciprocal)
    stars = fold(images(h, point_group(bcc())), reciprocal)
    assert stars == pytest.approx(np.broadcast_to(h, stars.shape), abs=1e-9)


def test_distance_ignores_reciprocal_lattice_vectors():
    reciprocal = reciprocal_vectors(bcc())
    assert distance(np.array([0.9, 0, 0]), np.array([-0.1, 0, 3.0]), reciprocal) == pytest.approx(0, abs=1e-12)


def test_permutations_turn_functions_as_the_rotations_do():
    structure = bcc()
    rotations, n = point_group(structure), 6
    axis = np.arange(n) / n
    k = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    values = np.cos(2 * np.pi * k @ [1, 2, 0])
    for rotation, order in zip(rotations, mesh_permutations((n, n, n), rotations), strict=True):
        assert values.ravel()[order] == pytest.approx(np.cos(2 * np.pi * (k @ rotation) @ [1, 2, 0]).ravel(), abs=1e-12)


def test_mesh_that_a_rotation_leaves_is_refused():
    with pytest.raises(ValueError, match=r"mesh: expected .* found \(6, 6, 4\): use the same number"):
        mesh_permutations((6, 6, 4), point_group(bcc()))


@pytest.mark.parametrize(("mesh", "symmetric"), [((6, 6, 6), True), ((6, 6, 7), False), ((4, 4, 8), False)])
def test_mesh_is_symmetric_where_rotations_permute_its_points(mesh, symmetric):
    assert mesh_is_symmetric(mesh, point_group(bcc())) is symmetric
    if symmetric:
        assert mesh_permutations(mesh, point_group(bcc())).max() == np.prod(mesh) - 1
    else:
        with pytest.raises(ValueError, match="map onto itself"):
            mesh_permutations(mesh, point_group(bcc()))
