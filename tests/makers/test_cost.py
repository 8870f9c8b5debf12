"""Times are CPU seconds that pw.x and ph.x 6.7 printed on one core of the machine the constants are fitted on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents.base import Pseudopotential
from hightc.makers.cost import Cost, Studied, estimate_cost
from hightc.makers.qe.nesting_recipe import make_nesting_recipe
from hightc.makers.qe.recipe import Recipe, make_recipe
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.qe.wannier_recipe import make_wannier_recipe

METALS = {"Al": (3.9688, 3, 16), "Pb": (4.8804, 14, 40)}


def fcc(element: str) -> Structure:
    lattice = Lattice.cubic(METALS[element][0])
    return primitive_cell(Structure.from_spacegroup("Fm-3m", lattice, [element], [[0, 0, 0]]))


@pytest.fixture
def recipe(tmp_path):
    def make(element: str, k: int, dense: int, q: int, **numbers) -> Recipe:
        _, valence, ecutwfc_ry = METALS[element]
        header = f'<PP_HEADER element="{element}" z_valence="{valence}"/>'
        (tmp_path / f"{element}.upf").write_text(f'<UPF version="2.0.1">\n{header}\n</UPF>\n')
        meshes = {"k_mesh": [k] * 3, "k_mesh_dense": [dense] * 3, "q_mesh": [q] * 3}
        return make_recipe(
            fcc(element),
            protocol="screen",
            family=str(tmp_path),
            pseudopotentials=(Pseudopotential(element=element, filename=f"{element}.upf", sha256=""),),
            suggested_ecutwfc_ry=ecutwfc_ry,
            norm_conserving=True,
            overrides={"relax": False, **meshes, **numbers},
        )

    return make


@pytest.mark.parametrize(
    ("element", "meshes", "tr2_ph", "measured"),
    [
        ("Al", (8, 16, 2), 1e-16, {"scf_dense": 0.47, "scf": 0.11, "response": 1.52, "double_delta": 1.57}),
        ("Al", (8, 8, 4), 1e-16, {"response": 10.99, "double_delta": 0.43}),
        ("Al", (8, 24, 4), 1e-16, {"scf_dense": 1.3, "response": 11.4, "double_delta": 28.96}),
        ("Al", (12, 24, 4), 1e-16, {"response": 33.6, "double_delta": 30.05}),
        ("Al", (12, 12, 6), 1e-16, {"scf": 0.25, "response": 103.8, "double_delta": 3.85}),
        ("Pb", (8, 8, 2), 1e-16, {"scf": 2.26, "response": 103.1, "double_delta": 0.42}),
        ("Pb", (12, 24, 3), 1e-14, {"response": 795}),
    ],
)
def test_measured_times_are_met_within_a_factor_of_two(element, meshes, tr2_ph, measured, recipe, tmp_path):
    cost = estimate_cost(fcc(element), recipe(element, *meshes, tr2_ph=tr2_ph), tmp_path)
    for step, seconds in measured.items():
        assert 0.5 < getattr(cost, step) / seconds < 2, step


def test_draft_of_lead_takes_what_it_took(recipe, tmp_path):
    cost = estimate_cost(fcc("Pb"), recipe("Pb", 12, 24, 3, tr2_ph=1e-14), tmp_path)
    assert 0.12 < cost.core_hours() < 0.48  # measured: 0.24


def test_response_dominates_once_there_are_many_q_points(recipe, tmp_path):
    few, many = (estimate_cost(fcc("Pb"), recipe("Pb", 12, 12, q), tmp_path) for q in (2, 6))
    assert many.response > 4 * few.response
    assert many.scf == few.scf


def test_double_delta_grows_as_the_square_of_the_dense_points(recipe, tmp_path):
    coarse, fine = (estimate_cost(fcc("Al"), recipe("Al", 12, dense, 2), tmp_path) for dense in (48, 96))
    assert fine.double_delta / coarse.double_delta == pytest.approx(64, rel=0.1)


def test_spins_and_spinors_cost_more(recipe, tmp_path):
    plain, spins, spinors = (
        estimate_cost(fcc("Al"), recipe("Al", 8, 16, 2, **option), tmp_path)
        for option in ({}, {"spin_polarized": True}, {"spin_orbit": True})
    )
    assert spins.core_hours() == pytest.approx(2 * plain.core_hours())
    assert spinors.core_hours() > 3 * plain.core_hours()


def test_relaxation_ultrasoft_files_and_other_studies_are_counted(recipe, tmp_path):
    numbers = recipe("Al", 8, 16, 2)
    plain = estimate_cost(fcc("Al"), numbers, tmp_path)
    relaxed = estimate_cost(fcc("Al"), numbers.model_copy(update={"relax": True}), tmp_path)
    ultrasoft = estimate_cost(fcc("Al"), numbers.model_copy(update={"ecutrho_ry": 160.0}), tmp_path)
    assert relaxed.relax > 3 * plain.relax > 0
    assert ultrasoft.seconds("pw.x") > 2 * plain.seconds("pw.x")
    nesting = make_nesting_recipe(fcc("Al"), numbers, {})
    wannier = make_wannier_recipe(fcc("Al"), numbers, {})
    both = estimate_cost(fcc("Al"), numbers, tmp_path, Studied(nesting=nesting, wannier=wannier))
    assert both.other_pw > 0
    assert both.left_out == ("epw.x",)
    alone = estimate_cost(fcc("Al"), numbers, tmp_path, Studied(electron_phonon=False, nesting=nesting))
    assert (alone.seconds("ph.x"), alone.scf_dense) == (0, 0)


def test_file_without_valence_gives_no_number(recipe, tmp_path):
    numbers = recipe("Al", 8, 16, 2)
    (tmp_path / "Al.upf").write_text('<UPF version="2.0.1">\n<PP_HEADER element="Al"/>\n</UPF>\n')
    assert estimate_cost(fcc("Al"), numbers, tmp_path) is None


def test_factors_multiply_their_program_alone():
    cost = Cost(scf=3600, response=7200)
    assert cost.core_hours() == pytest.approx(3)
    assert cost.core_hours({"ph.x": 0.5}) == pytest.approx(2)
    assert replace(cost, response=0).core_hours({"ph.x": 0.5}) == pytest.approx(1)
