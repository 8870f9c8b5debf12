from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Pseudopotential
from hightc.makers.errors import RecipeError
from hightc.makers.qe.recipe import (
    OVERRIDES,
    PROTOCOL_NAMES,
    Protocol,
    Recipe,
    load_protocol,
    make_recipe,
    require_electron_phonon,
)

LEAD = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.9), ["Pb"], [[0, 0, 0]]).get_primitive_structure()
FILE = Pseudopotential(element="Pb", filename="Pb.upf", sha256="0" * 64)


def lead_recipe(protocol="screen", *, suggested=None, norm_conserving=True, **overrides):
    return make_recipe(
        LEAD,
        protocol=protocol,
        family="mine",
        pseudopotentials=(FILE,),
        suggested_ecutwfc_ry=suggested,
        norm_conserving=norm_conserving,
        overrides=overrides,
    )


@pytest.mark.parametrize("name", PROTOCOL_NAMES)
def test_protocol_loads_and_resolves(name):
    recipe = lead_recipe(name)
    rules = load_protocol(name)
    assert recipe.protocol == name
    assert recipe.k_mesh_dense == tuple(rules.dense_factor * n for n in recipe.k_mesh)
    assert recipe.interpolation_mesh == tuple(rules.interpolation_factor * n for n in recipe.q_mesh)
    assert recipe.relax_ecutwfc_ry == rules.relax_cutoff_factor * rules.ecutwfc_ry
    assert recipe.relax


def test_protocols_grow_in_accuracy():
    draft, screen, precise = (load_protocol(name) for name in PROTOCOL_NAMES)
    for name in ("k_spacing", "q_spacing", "degauss_ry", "tr2_ph", "scf_threshold_ry_per_atom"):
        assert getattr(draft, name) >= getattr(screen, name) >= getattr(precise, name)
    for name in ("ecutwfc_ry", "dense_factor", "n_dos", "interpolation_factor"):
        assert getattr(draft, name) <= getattr(screen, name) <= getattr(precise, name)


def test_unknown_protocol_is_refused_with_the_known_ones():
    with pytest.raises(RecipeError, match="expected one of draft, screen, precise, found 'fast'"):
        load_protocol("fast")


def test_cutoff_is_the_files_suggestion_before_the_protocols_number():
    assert lead_recipe().ecutwfc_ry == 90
    assert lead_recipe(suggested=42.0).ecutwfc_ry == 42
    assert lead_recipe(suggested=42.0, ecutwfc_ry=50.0).ecutwfc_ry == 50


@pytest.mark.parametrize(("norm_conserving", "ratio"), [(True, 4), (False, 10)])
def test_density_cutoff_follows_the_kind_of_pseudopotential(norm_conserving, ratio):
    recipe = lead_recipe(norm_conserving=norm_conserving, ecutwfc_ry=30.0)
    assert recipe.ecutrho_ry == ratio * 30
    assert lead_recipe(ecutwfc_ry=30.0, ecutrho_ry=500.0).ecutrho_ry == 500


def test_meshes_that_hang_on_an_overridden_mesh_follow_it():
    recipe = lead_recipe(k_mesh=(6, 6, 6), q_mesh=(3, 3, 3))
    assert recipe.k_mesh_dense == (12, 12, 12)
    assert recipe.interpolation_mesh == (15, 15, 15)


def test_threshold_of_self_consistency_grows_with_the_cell():
    single = lead_recipe().scf_threshold_ry
    double = make_recipe(
        LEAD * (2, 1, 1),
        protocol="screen",
        family="mine",
        pseudopotentials=(FILE,),
        suggested_ecutwfc_ry=None,
        norm_conserving=True,
        overrides={},
    ).scf_threshold_ry
    assert double == 2 * single


def test_every_number_but_the_identity_is_allowed():
    every = frozenset(Recipe.model_fields) | frozenset(Protocol.model_fields)
    assert every - OVERRIDES == {"protocol", "pseudopotential_family", "pseudopotentials", "description"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"ecut": 30}, "unknown setting 'ecut': expected one of degauss_ry, dense_factor, ecutrho_ry"),
        ({"description": "mine"}, "unknown setting 'description'"),
        ({"k_spacing": -0.2}, r"k_spacing: .*greater than 0, found -0\.2"),
        ({"q_spacing": float("inf")}, r"q_spacing: .*finite number, found inf"),
        ({"dense_factor": 1.5}, r"dense_factor: .*integer.*, found 1\.5"),
        ({"pseudopotentials": ()}, "unknown setting 'pseudopotentials'"),
        ({"degauss_ry": -0.1}, r"degauss_ry: .*greater than 0, found -0\.1"),
        ({"degauss_ry": "wide"}, r"degauss_ry: .*number.*, found 'wide'"),
        ({"smearing": "cold"}, r"smearing: .*marzari-vanderbilt.*, found 'cold'"),
        ({"n_dos": 10}, "n_dos: .*50, found 10"),
        ({"k_mesh": (8, 8, 8), "q_mesh": (3, 3, 3)}, r"k_mesh \[8, 8, 8\] is not a multiple of q_mesh"),
        ({"k_mesh_dense": (7, 7, 7)}, r"k_mesh_dense \[7, 7, 7\] is not a multiple of k_mesh"),
        ({"q_mesh": (0, 2, 2)}, r"q_mesh: expected three positive integers, found \[0, 2, 2\]"),
        ({"k_mesh": (0, 8, 8)}, r"k_mesh: expected three positive integers"),
    ],
)
def test_override_that_cannot_work_is_refused_by_name_and_value(overrides, message):
    with pytest.raises(RecipeError, match=message):
        lead_recipe(**overrides)


def test_number_of_the_protocol_changes_what_follows_from_it():
    plain = lead_recipe(suggested=40.0)
    rules = load_protocol("screen")
    finer = lead_recipe(k_spacing=rules.k_spacing / 2, dense_factor=2, q_spacing=rules.q_spacing / 2)
    assert all(new > old for new, old in zip(finer.k_mesh + finer.q_mesh, plain.k_mesh + plain.q_mesh, strict=True))
    assert finer.k_mesh_dense == tuple(2 * n for n in finer.k_mesh)
    assert lead_recipe(interpolation_factor=3).interpolation_mesh == tuple(3 * n for n in plain.q_mesh)
    assert lead_recipe(suggested=40.0, relax_cutoff_factor=2.0).relax_ecutwfc_ry == 80
    assert lead_recipe(scf_threshold_ry_per_atom=1e-7).scf_threshold_ry == 1e-7
    assert load_protocol("screen") == rules


def test_what_is_named_wins_over_what_follows_from_the_protocol():
    recipe = lead_recipe(
        k_spacing=0.01,
        q_spacing=0.01,
        dense_factor=9,
        interpolation_factor=9,
        relax_cutoff_factor=3.0,
        scf_threshold_ry_per_atom=1e-3,
        k_mesh=(4, 4, 4),
        k_mesh_dense=(8, 8, 8),
        q_mesh=(2, 2, 2),
        interpolation_mesh=(6, 6, 6),
        relax_ecutwfc_ry=95.0,
        scf_threshold_ry=1e-8,
    )
    meshes = recipe.k_mesh, recipe.k_mesh_dense, recipe.q_mesh, recipe.interpolation_mesh
    assert meshes == ((4, 4, 4), (8, 8, 8), (2, 2, 2), (6, 6, 6))
    assert (recipe.relax_ecutwfc_ry, recipe.scf_threshold_ry) == (95, 1e-8)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"q_mesh": (2, 2)}, r"q_mesh"),
        ({"k_mesh": 8}, r"k_mesh"),
        ({"k_mesh": "8x8x8"}, r"k_mesh"),
        ({"ecutwfc_ry": "high"}, r"ecutwfc_ry"),
    ],
)
def test_override_of_the_wrong_shape_is_refused_by_name_not_by_a_crash(overrides, message):
    with pytest.raises(RecipeError, match=message):
        lead_recipe(**overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"spin_orbit": "maybe"}, r"spin_orbit: .*boolean.*, found 'maybe'"),
        (
            {"spin_polarized": True, "starting_magnetization": {"Pb": 2}},
            r"starting_magnetization\.Pb: .*less.* found 2",
        ),
        ({"starting_magnetization": 0.5}, r"starting_magnetization: .*dictionary, found 0\.5"),
        ({"hubbard_u_ev": {"Pb": -1.0}}, r"hubbard_u_ev\.Pb: .*greater than 0, found -1\.0"),
        ({"hubbard_u_ev": {"Ni": 1.0}}, r"hubbard_u_ev: expected elements of the structure \(Pb\), found 'Ni'"),
        ({"spin_polarized": True, "spin_orbit": True}, "spin_orbit: expected without spin_polarized"),
    ],
)
def test_electronic_option_that_cannot_work_is_refused(overrides, message):
    with pytest.raises(RecipeError, match=message):
        lead_recipe(**overrides)


def test_polarised_recipe_names_what_it_starts_from():
    assert lead_recipe(spin_polarized=True).starting_magnetization == {"Pb": 0.5}
    named = lead_recipe(spin_polarized=True, starting_magnetization={"Pb": -0.1})
    assert named.starting_magnetization == {"Pb": -0.1}
    assert Recipe.from_dict(named.as_dict()) == named


def test_recipe_of_an_earlier_version_is_a_plain_metal():
    recipe = lead_recipe()
    options = {"spin_orbit", "spin_polarized", "starting_magnetization", "hubbard_u_ev"}
    stored = recipe.model_dump(mode="json", exclude=options)
    assert recipe.model_dump(mode="json", exclude_defaults=True) == stored
    assert Recipe.from_dict(stored) == recipe


def test_coupling_is_refused_on_a_q_mesh_without_the_symmetry_of_the_crystal():
    """ph.x stops there: "This q-mesh breaks symmetry!"."""
    meshes = {"k_mesh": (8, 8, 8), "q_mesh": (2, 2, 1)}
    with pytest.raises(RecipeError, match=r"q_mesh: expected one with the symmetry of the crystal, found \[2, 2, 1\]"):
        require_electron_phonon(lead_recipe(**meshes), LEAD)


def test_coupling_is_refused_with_hubbard_u_alone():
    require_electron_phonon(lead_recipe(), LEAD)
    require_electron_phonon(lead_recipe(spin_orbit=True), LEAD)
    require_electron_phonon(lead_recipe(spin_polarized=True), LEAD)
    with pytest.raises(RecipeError, match=r"expected none where ph\.x computes the coupling, found one of Pb"):
        require_electron_phonon(lead_recipe(hubbard_u_ev={"Pb": 1.0}), LEAD)


def test_recipe_survives_its_json():
    recipe = lead_recipe()
    assert Recipe.from_dict(recipe.as_dict()) == recipe


@pytest.mark.parametrize("model", [Protocol, Recipe])
def test_every_number_has_a_description(model):
    assert [name for name, field in model.model_fields.items() if not field.description] == []
