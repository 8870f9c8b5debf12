"""Ascent on a mesh and parabolas between its points."""

import numpy as np
import pytest

from hightc.analysis.mesh_maxima import ends_of_ascent, fit_parabola

CUBIC = np.eye(3)


def waves(n, shift):
    """Product of cosines with one maximum."""
    x, y, z = (np.cos(2 * np.pi * (np.arange(n) / n - s)) for s in shift)
    return (2 + x)[:, None, None] * (2 + y)[None, :, None] * (2 + z)[None, None, :]


def test_every_point_of_a_single_hill_ends_on_its_top():
    assert np.unique(ends_of_ascent(waves(8, (0.25, 0.5, 0.125)), CUBIC)).tolist() == [2 * 64 + 4 * 8 + 1]


def test_plateau_has_one_end():
    values = np.zeros((6, 6, 6))
    values[2:4, 2:4, 2] = 1.0
    ends = ends_of_ascent(values, CUBIC)
    assert np.unique(ends[values > 0]).tolist() == [2 * 36 + 2 * 6 + 2]


def test_constant_function_has_one_end():
    assert not ends_of_ascent(np.ones((4, 4, 4)), CUBIC).any()


def test_parabola_is_found_exactly():
    curvature = np.array([[-2.0, 0.3, 0.1], [0.3, -1.5, 0.2], [0.1, 0.2, -3.0]])
    centre = np.array([3.2, 2.9, 3.4])
    d = np.stack(np.meshgrid(*3 * [np.arange(7.0)], indexing="ij"), axis=-1) - centre
    fit = fit_parabola(5 + np.einsum("...i,ij,...j", d, curvature, d) / 2, (3, 3, 3))
    assert fit.refined
    # differences of numbers of order ten
    assert fit.shift == pytest.approx([0.2, -0.1, 0.4], abs=1e-13)
    assert fit.value == pytest.approx(5, abs=1e-13)
    assert fit.curvature == pytest.approx(curvature, abs=1e-13)


def test_place_of_a_smooth_maximum_converges_with_the_mesh():
    errors = []
    for n in (8, 16, 32):
        fit = fit_parabola(waves(n, (0.25 + 0.3 / n, 0.5, 0.5)), (n // 4, n // 2, n // 2))
        errors.append(abs(fit.shift[0] - 0.3) / n)
    # the next term of the series is third order in the step
    assert errors[1] < errors[0] / 7
    assert errors[2] < errors[1] / 7


def test_direction_without_curvature_is_not_moved_along():
    values = np.broadcast_to(np.array([1.0, 2.0, 1.5, 0.0])[:, None, None], (4, 4, 4))
    fit = fit_parabola(np.array(values), (1, 0, 0))
    assert fit.refined
    assert fit.shift.tolist() == [pytest.approx(1 / 6), 0, 0]


def test_axis_with_one_point_has_no_curvature():
    fit = fit_parabola(waves(8, (0.5, 0.5, 0))[:, :, :1], (4, 4, 0))
    assert fit.refined
    assert not fit.curvature[2].any()


def test_cusp_that_is_a_saddle_for_a_parabola_is_left_on_the_mesh():
    values = np.zeros((5, 5, 1))
    values[2, 2], values[1, 1], values[3, 3] = 1.0, 0.9, 0.9
    values[1, 3] = values[3, 1] = -3.0
    values[2, 1] = values[2, 3] = values[1, 2] = values[3, 2] = 0.99
    fit = fit_parabola(values, (2, 2, 0))
    assert not fit.refined
    assert fit.value == 1.0
    assert not fit.shift.any()
