from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from pymatgen.core import Lattice

from hightc.makers.errors import RecipeError
from hightc.makers.qe.wannier_recipe import growing_meshes, load_wannier_protocol, make_wannier_recipe


@pytest.fixture(params=["draft", "screen", "precise"])
def of_protocol(request, recipe):
    return recipe.model_copy(update={"protocol": request.param})


def test_meshes_of_every_protocol_are_commensurate_and_grow(aluminium, of_protocol):
    made = make_wannier_recipe(aluminium, of_protocol, {})
    assert not np.any(np.mod(made.k_mesh, of_protocol.q_mesh))
    points = [np.prod(mesh) for mesh in made.fine_q_meshes]
    assert points == sorted(set(points))
    assert made.fine_k_mesh(1) == tuple(made.fine_k_factor * n for n in made.fine_q_meshes[1])


def test_accuracy_rises_from_protocol_to_protocol():
    rules = [load_wannier_protocol(name) for name in ("draft", "screen", "precise")]
    for name in ("k_spacing", "electron_smearing_ev"):
        values = [getattr(rule, name) for rule in rules]
        assert values == sorted(values, reverse=True)
    assert len({min(rule.fine_q_spacings) for rule in rules}) == 3


def test_overrides_replace_numbers_of_the_protocol(aluminium, recipe):
    made = make_wannier_recipe(aluminium, recipe, {"k_mesh": [6, 6, 6], "lambda_tolerance": 0.01})
    assert (made.k_mesh, made.lambda_tolerance) == ((6, 6, 6), 0.01)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"kmesh": [4, 4, 4]}, r"unknown setting 'kmesh' of \[wannier\]: expected one of .*k_mesh"),
        ({"k_mesh": [5, 5, 5]}, r"wannier.k_mesh \[5, 5, 5\] is not a multiple of q_mesh \[2, 2, 2\]"),
        ({"k_mesh": [4, 4]}, "wannier.k_mesh"),
        ({"k_mesh": [4, 4, 0]}, r"wannier.k_mesh: expected three positive integers, found \[4, 4, 0\]"),
        ({"fine_q_meshes": [[4, 4, -4]]}, "wannier.fine_q_meshes: expected three positive integers"),
        ({"fine_q_meshes": []}, "wannier.fine_q_meshes"),
        ({"band_distance_mev": 0}, "wannier.band_distance_mev: .*greater than 0, found 0"),
        ({"band_distance_mev": float("nan")}, "wannier.band_distance_mev"),
        ({"electron_smearing_ev": "wide"}, "wannier.electron_smearing_ev.*found 'wide'"),
        ({"k_check_points": 4}, "wannier.k_check_points"),
    ],
)
def test_wrong_number_is_told_in_one_line(aluminium, recipe, overrides, message):
    with pytest.raises(RecipeError, match=message) as error:
        make_wannier_recipe(aluminium, recipe, overrides)
    assert "\n" not in str(error.value)


def test_unknown_protocol_has_no_numbers():
    with pytest.raises(KeyError, match="sloppy"):
        load_wannier_protocol("sloppy")


@pytest.mark.parametrize("length", [3.0, 4.9, 8.0, 10.0, 15.0])
@pytest.mark.parametrize("protocol", ["draft", "screen", "precise"])
def test_each_fine_mesh_is_finer_than_the_one_before_in_cells_of_any_size(length, protocol):
    spacings = load_wannier_protocol(protocol).fine_q_spacings
    meshes = growing_meshes(Lattice.orthorhombic(length, length, 2 * length), spacings)
    assert len(meshes) == len(spacings)
    for coarser, finer in pairwise(meshes):
        assert finer != coarser
        assert all(new >= old for new, old in zip(finer, coarser, strict=True))
