"""The numbers of the Fermi surface."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.reciprocal_symmetry import mesh_is_symmetric, point_group
from hightc.makers.errors import RecipeError
from hightc.makers.qe.nesting_recipe import NestingRecipe, load_nesting_protocol, make_nesting_recipe

NAMES = ("draft", "screen", "precise")


@pytest.mark.parametrize("name", NAMES)
def test_meshes_of_every_protocol_are_even_and_fine_enough(aluminium, recipe, name):
    made = make_nesting_recipe(aluminium, recipe.model_copy(update={"protocol": name}), {})
    rules = load_nesting_protocol(name)
    assert not np.any(np.mod(made.k_mesh, 2))
    assert max(np.array(aluminium.lattice.reciprocal_lattice.abc) / made.k_mesh) <= rules.k_spacing
    assert made.fine_mesh == tuple(rules.interpolation_factor * n for n in made.k_mesh)


def test_accuracy_rises_from_protocol_to_protocol():
    rules = [load_nesting_protocol(name) for name in NAMES]
    for name in ("k_spacing", "smearing_ev", "temperature_k"):
        values = [getattr(rule, name) for rule in rules]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 3


def test_mesh_that_is_named_wins_over_the_spacing(aluminium, recipe):
    made = make_nesting_recipe(aluminium, recipe, {"k_mesh": [9, 9, 9], "k_spacing": 0.5, "stoner_ev": 0.3})
    assert (made.k_mesh, made.stoner_ev) == ((9, 9, 9), 0.3)
    assert make_nesting_recipe(aluminium, recipe, {"k_spacing": 0.5}).k_mesh == (6, 6, 6)


def test_recipe_travels_as_json(aluminium, recipe):
    made = make_nesting_recipe(aluminium, recipe, {})
    assert NestingRecipe.from_dict(made.as_dict()) == made


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"kmesh": [4, 4, 4]}, r"unknown setting 'kmesh' of \[nesting\]: expected one of .*k_mesh"),
        ({"k_mesh": [4, 4]}, "nesting.k_mesh"),
        ({"k_mesh": [4, 4, 0]}, r"nesting: expected a mesh of 1 to .*found k_mesh \[4, 4, 0\] times 4"),
        ({"k_mesh": [200, 200, 200]}, "change k_mesh, k_spacing or interpolation_factor"),
        ({"interpolation_factor": 0}, "nesting.interpolation_factor: .*found 0"),
        ({"k_spacing": -0.2}, "nesting.k_spacing: .*greater than 0"),
        ({"smearing_ev": 0}, "nesting.smearing_ev: .*greater than 0, found 0"),
        ({"temperature_k": float("nan")}, "nesting.temperature_k"),
        ({"stoner_ev": "large"}, "nesting.stoner_ev.*found 'large'"),
    ],
)
def test_wrong_number_is_told_in_one_line(aluminium, recipe, overrides, message):
    with pytest.raises(RecipeError, match=message) as error:
        make_nesting_recipe(aluminium, recipe, overrides)
    assert "\n" not in str(error.value)


def test_two_spins_are_refused(aluminium, recipe):
    magnetic = recipe.model_copy(update={"spin_polarized": True})
    with pytest.raises(RecipeError, match="spin_polarized: expected false for nesting, found true"):
        make_nesting_recipe(aluminium, magnetic, {})


def test_long_axis_has_fewer_points(recipe):
    structure = Structure(Lattice.tetragonal(3.0, 12.0), ["Al"], [[0, 0, 0]])
    n1, n2, n3 = make_nesting_recipe(structure, recipe, {}).k_mesh
    assert n1 == n2 > n3


def body_centred(a, b, c):
    return Structure(
        Lattice([[-a / 2, b / 2, c / 2], [a / 2, -b / 2, c / 2], [a / 2, b / 2, -c / 2]]), ["V"], [[0] * 3]
    )


@pytest.mark.parametrize("structure", [body_centred(3.25, 3.25, 4.95), body_centred(3.0, 4.1, 5.3)])
def test_mesh_of_a_body_centred_cell_keeps_its_symmetry(recipe, structure):
    spacings = np.array(structure.lattice.reciprocal_lattice.abc)
    assert np.ptp(np.ceil(spacings / 0.2)) > 0  # one spacing alone gives unequal numbers
    made = make_nesting_recipe(structure, recipe, {"k_spacing": 0.2})
    assert mesh_is_symmetric(made.k_mesh, point_group(structure))
    assert max(spacings / made.k_mesh) <= 0.2
