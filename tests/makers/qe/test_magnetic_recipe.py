from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MagneticOrder, Pseudopotential
from hightc.makers.errors import RecipeError
from hightc.makers.qe.magnetic_recipe import load_magnetic_protocol, magnetic_elements, make_magnetic_recipe
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell

IRON = primitive_cell(Structure.from_spacegroup("Im-3m", Lattice.cubic(2.87), ["Fe"], [[0, 0, 0]]))
PROTOCOLS = ("draft", "screen", "precise")


def recipe_of(structure, protocol="draft", **overrides):
    files = tuple(
        Pseudopotential(element=element.symbol, filename=f"{element.symbol}.upf", sha256="0" * 64)
        for element in structure.composition.elements
    )
    return make_recipe(
        structure,
        protocol=protocol,
        family="mine",
        pseudopotentials=files,
        suggested_ecutwfc_ry=30.0,
        norm_conserving=True,
        overrides=overrides,
    )


def two_cells(spins=(1, -1)):
    structure = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return MagneticOrder(
        name="AFM1",
        kind="antiferromagnetic",
        spins=spins,
        structure=structure,
        n_primitive_cells=2,
        propagation_vector=(0.5, 0.5, 0.5),
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ladders_fall_through_the_volume_of_the_structure_on_even_meshes(protocol):
    made = make_magnetic_recipe(IRON, recipe_of(IRON, protocol), {})
    assert made.volume_ratios[made.ambient_rung] == 1
    assert made.pressures_gpa == ()
    assert made.magnetic_elements == ("Fe",)
    # k >= 12^3 for Fe: coarser meshes scatter its moment
    assert min(made.k_mesh) >= 12
    assert not any(n % 2 for n in made.k_mesh)


def test_accuracy_rises_from_protocol_to_protocol():
    rules = [load_magnetic_protocol(name) for name in PROTOCOLS]
    assert [rule.k_spacing for rule in rules] == sorted((rule.k_spacing for rule in rules), reverse=True)
    assert [len(rule.volume_ratios) for rule in rules] == sorted(len(rule.volume_ratios) for rule in rules)
    assert rules[-1].volume_ratios[0] == 1.05
    assert rules[-1].volume_ratios[-1] == 0.6


def test_pressures_of_a_campaign_take_the_place_of_the_volumes():
    made = make_magnetic_recipe(IRON, recipe_of(IRON), {"pressures_gpa": [-5, 0, 25.5]})
    assert (made.volume_ratios, made.n_rungs, made.ambient_rung) == ((), 3, 1)
    assert [made.rung_name(rung) for rung in range(3)] == ["P -5 GPa", "P 0 GPa", "P 25.5 GPa"]
    assert make_magnetic_recipe(IRON, recipe_of(IRON), {"volume_ratios": [1.0, 0.95]}).rung_name(1) == "V 0.95"


@pytest.mark.parametrize(
    ("ratios", "count", "rungs"),
    [
        ([1.05, 1.0, 0.9, 0.8, 0.7], 2, (1, 4)),
        ([1.05, 1.0, 0.9, 0.8, 0.7], 3, (1, 4, 0)),
        ([1.0, 0.9, 0.8], 3, (0, 2, 1)),
        ([1.0, 0.9, 0.8], 0, (0,)),
        ([1.0], 3, (0,)),
    ],
)
def test_rungs_that_are_repeated_lie_far_from_ambient_pressure(ratios, count, rungs):
    made = make_magnetic_recipe(IRON, recipe_of(IRON), {"volume_ratios": ratios, "noise_rungs": count})
    assert made.check_rungs == rungs


def test_larger_cells_get_a_mesh_as_dense_as_that_of_the_primitive_one():
    made = make_magnetic_recipe(IRON, recipe_of(IRON), {"k_mesh": [12, 12, 12]})
    mesh, shift = made.k_points_of(two_cells())
    # reciprocal vectors of the cubic cell are shorter by sqrt(2): 12/sqrt(2) = 8.5, the next even number
    assert (mesh, shift) == ((10, 10, 10), (1, 1, 1))
    denser, _ = made.k_points_of(two_cells(), 1.25)
    assert denser == (14, 14, 14)
    centred = make_magnetic_recipe(IRON, recipe_of(IRON), {"off_gamma": False})
    assert centred.k_points_of(two_cells())[1] == (0, 0, 0)


@pytest.mark.parametrize(
    ("species", "found"),
    [(["Fe", "Se"], ("Fe",)), (["Rh"], ("Rh",)), (["Rh", "Al"], ("Rh",)), (["Al"], ("Al",)), (["Ni", "Pd"], ("Ni",))],
)
def test_elements_that_often_are_magnetic_come_first(species, found):
    sites = [[0.5 * number] * 3 for number in range(len(species))]
    assert magnetic_elements(Structure(Lattice.cubic(4), species, sites)) == found


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"volumes": [1]}, r"unknown setting 'volumes' of \[magnetism\]: expected one of .*volume_ratios"),
        ({"volume_ratios": [0.9, 1.0]}, "magnetism.volume_ratios: expected falling numbers"),
        ({"volume_ratios": []}, "magnetism.volume_ratios: expected either these or pressures_gpa, found neither"),
        ({"volume_ratios": [1.0], "pressures_gpa": [0]}, "expected either these or pressures_gpa, found both"),
        ({"volume_ratios": [-1.0]}, "magnetism.volume_ratios.0: .*greater than 0"),
        ({"pressures_gpa": [0, 0]}, "magnetism.pressures_gpa: expected rising numbers"),
        ({"magnetic_elements": ["Ni"]}, r"magnetism.magnetic_elements: expected elements of the structure \(Fe\)"),
        ({"magnetic_elements": []}, "magnetism.magnetic_elements"),
        ({"k_mesh": [8, 8, 0]}, "magnetism.k_mesh: expected three positive integers"),
        ({"noise_rungs": -1}, "magnetism.noise_rungs"),
        ({"max_orders": 1}, "magnetism.max_orders"),
        ({"max_primitive_cells": 5}, "magnetism.max_primitive_cells"),
        ({"fixed_moments_bohr_magneton": [0.0]}, "magnetism.fixed_moments_bohr_magneton"),
    ],
)
def test_wrong_number_is_told_in_one_line(overrides, message):
    with pytest.raises(RecipeError, match=message) as error:
        make_magnetic_recipe(IRON, recipe_of(IRON), overrides)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "overrides", "message"),
    [
        ({"spin_orbit": True}, {}, "magnetism.spin_orbit: expected false: noncollinear magnetism is not supported"),
        ({"relax": False}, {"pressures_gpa": [0, 10]}, "expected relax = true beside it, or volume_ratios"),
    ],
)
def test_recipe_that_does_not_go_with_a_ladder_is_refused(options, overrides, message):
    with pytest.raises(RecipeError, match=message):
        make_magnetic_recipe(IRON, recipe_of(IRON, **options), overrides)
