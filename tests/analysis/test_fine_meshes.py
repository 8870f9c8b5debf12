from __future__ import annotations

import pytest

from hightc.analysis.documents import FineMesh
from hightc.analysis.fine_meshes import compared, mesh_convergence

TOLERANCES = {"lambda_tolerance": 0.03, "tc_relative_tolerance": 0.05, "tc_tolerance_kelvin": 0.5}


@pytest.fixture
def series(make_fine_mesh):
    """Meshes compared with the ones before, from lambda and Tc of each."""

    def make(*values):
        meshes = []
        for number, (lambda_, tc_kelvin) in enumerate(values):
            meshes.append(
                compared(make_fine_mesh(4 * (number + 1), lambda_, tc_kelvin), meshes[-1] if meshes else None)
            )
        return meshes

    return make


def status(meshes):
    return mesh_convergence(meshes, **TOLERANCES).status


def test_changes_are_those_from_the_mesh_before(series):
    first, second = series((0.4, 1.0), (0.5, 3.0))
    assert (first.lambda_change, first.tc_change_kelvin) == (None, None)
    assert second.lambda_change == pytest.approx(0.2)
    assert second.tc_change_kelvin == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([(0.44, 5.0)], "not_converged"),
        ([(0.44, 5.0), (0.44, 5.0)], "not_converged"),
        ([(0.44, 5.0), (0.44, 5.0), (0.44, 5.0)], "converged"),
        ([(0.30, 2.0), (0.44, 5.0), (0.44, 5.0)], "not_converged"),
        ([(0.30, 2.0), (0.44, 5.0), (0.44, 5.0), (0.445, 5.1)], "converged"),
        ([(0.44, 5.0), (0.44, 5.0), (0.44, 5.0), (0.50, 7.0)], "not_converged"),
    ],
    ids=["one", "one step", "two still steps", "only the last still", "the last two", "the last one moves"],
)
def test_converged_only_after_two_still_steps_in_a_row(series, values, expected):
    assert status(series(*values)) == expected


@pytest.mark.parametrize(("lambda_", "expected"), [(0.4123, "converged"), (0.4125, "not_converged")])
def test_lambda_is_still_within_three_percent_of_its_new_value(series, lambda_, expected):
    # 0.03 of the new value: 0.4/0.97 = 0.41237
    assert status(series((0.4, 1.0), (0.4, 1.0), (lambda_, 1.0))) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1.0, 1.49, "converged"),
        (1.0, 1.51, "not_converged"),
        (20.0, 21.04, "converged"),
        (20.0, 21.06, "not_converged"),
    ],
)
def test_tc_is_still_within_half_a_kelvin_or_five_percent_whichever_is_larger(series, before, after, expected):
    assert status(series((0.4, before), (0.4, before), (0.4, after))) == expected


def test_tc_that_appears_or_vanishes_is_not_still(series):
    meshes = series((0.4, 1.0), (0.4, None), (0.4, 1.0))
    assert [mesh.tc_change_kelvin for mesh in meshes] == [None, None, None]
    assert status(meshes) == "not_converged"


def test_tc_below_the_range_on_every_mesh_is_still_while_lambda_is(series):
    assert status(series((0.2, None), (0.2, None), (0.2, None))) == "converged"
    assert status(series((0.2, None), (0.3, None), (0.3, None))) == "not_converged"


@pytest.mark.parametrize(("dos", "expected"), [(0.2061, "converged"), (0.2063, "not_converged")])
def test_density_of_states_must_hold_still_as_lambda_must(series, dos, expected):
    # 0.03 of the new value: 0.2/0.97 = 0.20619
    before = series((0.4, 1.0), (0.4, 1.0))
    last = series((0.4, 1.0))[0].model_copy(update={"dos_per_ev_spin_cell": dos})
    last = compared(last, before[-1])
    assert last.dos_change == pytest.approx(1 - 0.2 / dos)
    assert status([*before, last]) == expected


def test_first_mesh_has_no_change_of_the_density_of_states(series):
    first, second = series((0.4, 1.0), (0.4, 1.0))
    assert (first.dos_change, second.dos_change) == (None, 0.0)


def test_documents_without_a_change_of_the_density_of_states_are_read(series):
    stored = series((0.4, 1.0))[0].model_dump(exclude={"dos_change"})
    assert FineMesh.model_validate(stored).dos_change is None
