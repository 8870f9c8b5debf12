"""Plateaus against the smearing, and convergence with the mesh."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hightc.analysis.convergence import dense_mesh_convergence, find_plateau
from hightc.analysis.parsers.matdyn import read_lambda

QE = Path(__file__).parents[1] / "data" / "qe"
STEPS = np.arange(1, 11) * 0.005


def test_aluminium_has_its_plateau_behind_the_noise():
    table = read_lambda(QE / "al_linear_response/lambda")
    plateau = find_plateau(table.smearing_ev, table.coupling)
    assert plateau.status == "plateau"
    assert plateau.indices == (2, 3, 4, 5, 6, 7)
    assert 0.37 <= plateau.value <= 0.40
    assert (plateau.low, plateau.high) == (0.3654, 0.3998)


def test_lead_has_its_plateau_at_the_reference_coupling():
    table = read_lambda(QE / "pb_linear_response/lambda")
    plateau = find_plateau(table.smearing_ev, table.coupling)
    assert plateau.status == "plateau"
    assert 1.2 <= plateau.value <= 1.4
    assert min(plateau.indices) >= 5


def test_earliest_stretch_wins_over_a_flatter_one_of_large_smearing():
    plateau = find_plateau(range(1, 10), [0.1, 1.00, 1.05, 1.00, 0.7, 0.50, 0.50, 0.50, 0.50])
    assert plateau.indices == (1, 2, 3)
    assert plateau.chosen == 2


def test_chosen_point_changes_least_with_the_logarithm_of_the_smearing():
    plateau = find_plateau(STEPS, [0.90, 0.95, 0.98, 0.99, 0.98, 0.95, 0.90, 0.5, 0.4, 0.3])
    assert plateau.chosen == 3


def test_constant_series_is_one_plateau():
    plateau = find_plateau(STEPS, np.full(10, 0.4))
    assert plateau.indices == tuple(range(10))
    assert plateau.relative_spread == 0
    assert plateau.value == 0.4


@pytest.mark.parametrize(
    "values",
    [
        np.geomspace(10, 1, 10),
        np.geomspace(1, 10, 10),
        np.full(10, np.nan),
        np.zeros(10),
        -np.ones(10),
        [1.0, np.inf] * 5,
    ],
    ids=["falling", "rising", "nan", "zero", "negative", "infinite"],
)
def test_series_that_never_holds_still_has_no_plateau(values):
    plateau = find_plateau(STEPS, values)
    assert plateau.status == "no_plateau"
    assert plateau.indices == ()
    assert plateau.chosen is plateau.value is plateau.relative_spread is plateau.low is None


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_points_are_a_status(n):
    assert find_plateau(STEPS[:n], np.ones(n)).status == "no_plateau"


def test_value_that_is_nan_ends_the_stretch():
    plateau = find_plateau(range(1, 9), [1, 1, np.nan, 1, 1, 1, np.nan, 1])
    assert plateau.indices == (3, 4, 5)


def test_order_of_the_input_does_not_matter():
    table = read_lambda(QE / "al_linear_response/lambda")
    order = np.random.default_rng(3).permutation(10)
    shuffled = find_plateau(table.smearing_ev[order], table.coupling[order])
    straight = find_plateau(table.smearing_ev, table.coupling)
    assert order[shuffled.chosen] == straight.chosen
    assert tuple(order[list(shuffled.indices)]) == straight.indices


def test_two_points_can_be_a_plateau_when_asked_for():
    plateau = find_plateau([1, 2, 3], [5.0, 1.0, 1.0], min_points=2)
    assert (plateau.indices, plateau.chosen) == ((1, 2), 1)


@pytest.mark.parametrize(
    ("smearing", "values", "min_points"), [([1, 2], [1], 2), ([[1, 2]], [[1, 2]], 2), ([1, 2], [1, 2], 1)]
)
def test_senseless_input_is_an_error(smearing, values, min_points):
    with pytest.raises(ValueError, match="expected two arrays"):
        find_plateau(smearing, values, min_points=min_points)


@given(
    values=st.lists(st.floats(0.01, 10), min_size=3, max_size=12),
    factor=st.floats(0.1, 10),
    tolerance=st.floats(0.01, 0.5),
)
def test_plateau_keeps_its_promises(values, factor, tolerance):
    smearing = np.arange(1, len(values) + 1) * 0.01
    plateau = find_plateau(smearing, values, relative_tolerance=tolerance)
    if plateau.status == "no_plateau":
        return
    assert len(plateau.indices) >= 3
    assert list(plateau.indices) == list(range(plateau.indices[0], plateau.indices[-1] + 1))
    assert plateau.indices[0] < plateau.chosen < plateau.indices[-1]
    assert plateau.low <= plateau.value <= plateau.high
    # rounding of a mean of twelve numbers
    assert plateau.relative_spread <= tolerance * (1 + 1e-12)
    # unit of the smearing is free
    assert find_plateau(smearing * factor, values, relative_tolerance=tolerance).indices == plateau.indices


def test_dense_meshes_of_aluminium_agree_where_the_smearing_spans_the_spacing():
    coarse, dense = read_lambda(QE / "al_linear_response/lambda"), read_lambda(QE / "al_dense/lambda_k32")
    found = dense_mesh_convergence(dense.smearing_ev, [coarse.coupling, dense.coupling])
    assert found.status == "converged"
    # 16x16x16 against 32x32x32: 6 % at 0.025 Ry, 3 % at 0.030 Ry
    assert found.chosen == 5
    assert found.value == dense.coupling[5]
    assert found.error == pytest.approx(abs(dense.coupling[5] - coarse.coupling[5]))
    assert found.relative_error < 0.05


def test_only_the_last_two_meshes_are_compared():
    last = [[0.40, 0.41, 0.40], [0.40, 0.40, 0.40]]
    assert dense_mesh_convergence([1, 2, 3], [[9.0, 9.0, 9.0], *last]) == dense_mesh_convergence([1, 2, 3], last)


def test_meshes_that_agree_at_one_smearing_by_accident_are_not_converged():
    found = dense_mesh_convergence([1, 2, 3], [[0.3, 0.4, 0.5], [0.5, 0.4, 0.3]])
    assert (found.status, found.chosen, found.error) == ("not_converged", 1, 0.0)


def test_order_of_the_smearings_does_not_matter_to_the_meshes():
    curves = np.array([[0.2, 0.41, 0.40, 0.39], [0.3, 0.40, 0.39, 0.39]])
    straight, turned = (
        dense_mesh_convergence(x, y) for x, y in (([1, 2, 3, 4], curves), ([4, 3, 2, 1], curves[:, ::-1]))
    )
    assert (straight.chosen, turned.chosen) == (1, 2)
    assert straight.value == turned.value


def test_mesh_without_a_positive_number_has_no_value():
    found = dense_mesh_convergence([1, 2], [[np.nan, 0.4], [0.4, -0.1]])
    assert found.status == "not_converged"
    assert found.value is found.error is found.chosen is None


@pytest.mark.parametrize("couplings", [[[1, 2]], [1, 2], [[1], [2]]])
def test_fewer_than_two_curves_of_the_smearings_are_an_error(couplings):
    with pytest.raises(ValueError, match="two or more curves"):
        dense_mesh_convergence([1, 2], couplings)
