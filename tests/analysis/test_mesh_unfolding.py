"""Irreducible k points and the mesh they stand for."""

from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.mesh_unfolding import irreducible_of_mesh
from hightc.analysis.parsers.pw import read_pw_xml

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
