"""The gap equation without its matrix, against its matrix."""

import numpy as np
import pytest

from hightc.analysis.pairing_operator import leading_eigenpairs, surface_operator


def random_case(mesh, seed=0):
    """Even interaction and weights without other symmetry."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.1, 1.0, (2, *mesh))
    values += np.roll(np.flip(values, axis=(1, 2, 3)), 1, axis=(1, 2, 3))
    weights = np.where(values[1] > 1.1, values[1], 0.0)
    return values[0] - 1.0, weights


def dense(interaction, weights):
    """-sqrt(w) V sqrt(w)/N as a matrix, element by element."""
    mesh = weights.shape
    points = np.array(list(np.ndindex(mesh)))
    difference = (points[:, None] - points[None]) % np.array(mesh)
    root = np.sqrt(weights.ravel())
    return -root[:, None] * interaction[tuple(np.moveaxis(difference, -1, 0))] * root / weights.size


def of_parity(matrix, mesh, sign):
    points = np.array(list(np.ndindex(mesh)))
    inverse = np.ravel_multi_index(tuple((-points % np.array(mesh)).T), mesh)
    projector = (np.eye(len(points)) + sign * np.eye(len(points))[inverse]) / 2
    return projector @ matrix @ projector


@pytest.mark.parametrize("mesh", [(6, 6, 6), (5, 4, 3), (12, 12, 1)])
@pytest.mark.parametrize(("channel", "sign"), [("singlet", 1), ("triplet", -1)])
def test_eigenvalues_are_those_of_the_dense_matrix(mesh, channel, sign):
    interaction, weights = random_case(mesh)
    expected = np.linalg.eigvalsh(of_parity(dense(interaction, weights), mesh, sign))[::-1]
    values, vectors = leading_eigenpairs(interaction, weights, channel, 2)
    bound = np.abs(interaction).max() * weights.mean()
    # the iteration stops at 1e-8 of the shifted eigenvalue, at most twice the bound; errors are of second order
    assert values == pytest.approx(expected[: len(values)], abs=1e-8 * bound)
    assert len(values) >= 6
    assert dense(interaction, weights) @ vectors.T == pytest.approx(vectors.T * values, abs=1e-7 * bound)


def test_operator_gives_nothing_to_functions_of_the_other_parity():
    interaction, weights = random_case((4, 4, 4))
    even, on_surface = surface_operator(interaction, weights, "singlet")
    vector = np.zeros(weights.size)
    vector[on_surface] = np.random.default_rng(3).standard_normal(len(on_surface))
    cube = vector.reshape(weights.shape)
    odd = (cube - np.roll(np.flip(cube), 1, axis=(0, 1, 2))).ravel()[on_surface]
    assert even @ odd == pytest.approx(np.zeros(len(odd)), abs=1e-14)


def test_points_without_weight_are_left_out():
    interaction, weights = random_case((6, 6, 6))
    operator, on_surface = surface_operator(interaction, weights, "singlet")
    assert operator.shape == (np.count_nonzero(weights),) * 2
    assert weights.ravel()[on_surface].min() > 0


def test_constant_repulsion_attracts_in_no_even_channel():
    weights = random_case((6, 6, 6))[1]
    for channel in ("singlet", "triplet"):
        assert not leading_eigenpairs(np.ones((6, 6, 6)), weights, channel, 3)[0].size


def test_constant_attraction_pairs_with_the_density_of_states():
    weights = random_case((6, 6, 6))[1]
    values, _ = leading_eigenpairs(np.full((6, 6, 6), -0.7), weights, "singlet", 3)
    assert values == pytest.approx([0.7 * weights.mean()])


def test_mesh_of_self_inverse_points_has_no_odd_function():
    assert not leading_eigenpairs(-np.ones((2, 2, 2)), np.ones((2, 2, 2)), "triplet", 2)[0].size
