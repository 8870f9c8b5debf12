"""Memory is what pw.x 6.7 printed as "Estimated max dynamical RAM per process" in recorded runs."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents.base import Pseudopotential
from hightc.makers.cost import Studied
from hightc.makers.qe.nesting_recipe import make_nesting_recipe
from hightc.makers.qe.recipe import Recipe, make_recipe
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.step_needs import PROCESS_MB, StepNeed, load_of, magnetic_need, step_needs

BOHR = 0.529177
METALS = {"Al": (7.5, 3), "Pb": (9.2225583816, 14)}


def fcc(element: str) -> Structure:
    lattice = Lattice.cubic(METALS[element][0] * BOHR)
    return primitive_cell(Structure.from_spacegroup("Fm-3m", lattice, [element], [[0, 0, 0]]))


@pytest.fixture
def recipe(tmp_path):
    def make(element: str, ecutwfc_ry: float, k: int, dense: int, **numbers) -> Recipe:
        header = f'<PP_HEADER element="{element}" z_valence="{METALS[element][1]}"/>'
        (tmp_path / f"{element}.upf").write_text(f'<UPF version="2.0.1">\n{header}\n</UPF>\n')
        meshes = {"k_mesh": [k] * 3, "k_mesh_dense": [dense] * 3, "q_mesh": [2] * 3}
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
    ("element", "ecutwfc_ry", "mesh", "printed_mb"),
    [("Al", 16, 8, 1.05), ("Pb", 40, 8, 9.21), ("Pb", 40, 16, 25.52), ("Al", 60, 16, 15.64)],
)
def test_memory_is_what_pw_prints_within_a_quarter(element, ecutwfc_ry, mesh, printed_mb, recipe, tmp_path):
    needs = step_needs(fcc(element), recipe(element, ecutwfc_ry, mesh, mesh), tmp_path, Studied())
    assert needs["ScfMaker"].memory_mb(1) - PROCESS_MB == pytest.approx(printed_mb, rel=0.25)


@pytest.mark.parametrize(("mesh", "resident_mb"), [(8, 39.8), (16, 56.8)])
def test_memory_of_the_process_is_what_it_had_at_most(mesh, resident_mb, recipe, tmp_path):
    needs = step_needs(fcc("Pb"), recipe("Pb", 40, mesh, mesh), tmp_path, Studied())
    assert needs["ScfMaker"].memory_mb(1) == pytest.approx(resident_mb, rel=0.05)


def test_pools_share_the_memory_of_k_points(recipe, tmp_path):
    need = step_needs(fcc("Pb"), recipe("Pb", 40, 16, 16), tmp_path, Studied())["ScfMaker"]
    assert need.memory_mb(1) > need.memory_mb(4) > PROCESS_MB
    assert need.memory_mb(10_000) == need.memory_mb(need.n_k)


def test_groups_of_q_points_share_the_response(recipe, tmp_path):
    numbers = recipe("Pb", 40, 8, 8)
    whole, parts = (step_needs(fcc("Pb"), numbers, tmp_path, Studied(), groups=groups) for groups in (1, 4))
    assert parts["QGroupMaker"].core_seconds == pytest.approx(whole["CouplingMaker"].core_seconds / 4)
    assert parts["ScfMaker"] == whole["ScfMaker"]


@pytest.mark.parametrize(
    ("wanted", "processes"),
    [(1, 1), (7, 7), (10, 10), (11, 10), (19, 10), (25, 20), (1000, 30)],
    ids=str,
)
def test_processes_are_shared_by_pools_that_are_alike_and_no_more_than_are_of_use(wanted, processes):
    assert StepNeed("program", 1.0, "pw.x", n_k=10, waves=1600).processes(wanted) == processes


def test_wannier_route_is_not_estimated_and_analysis_is_serial(recipe, tmp_path):
    needs = step_needs(fcc("Al"), recipe("Al", 16, 8, 8), tmp_path, Studied())
    assert "VertexMaker" not in needs
    assert load_of("VertexMaker") == "epw"
    assert needs["TcMaker"].load == load_of("TcMaker") == "serial"
    assert load_of("MagneticRungMaker") == "program"


def test_studies_have_steps_of_their_own(recipe, tmp_path):
    numbers = recipe("Al", 16, 8, 8)
    nesting = make_nesting_recipe(fcc("Al"), numbers, {})
    needs = step_needs(fcc("Al"), numbers, tmp_path, Studied(electron_phonon=False, nesting=nesting))
    assert needs["FermiSurfaceMaker"].core_seconds > needs["DensityMaker"].core_seconds > 0
    assert needs["RelaxMaker"].core_seconds > 0


def test_larger_magnetic_cells_need_more(recipe, tmp_path):
    one, two = fcc("Al"), fcc("Al") * (1, 1, 2)
    needs = [
        magnetic_need(cell, recipe("Al", 16, 8, 8), tmp_path, mesh, 1.0)
        for cell, mesh in ((one, (8, 8, 8)), (two, (8, 8, 4)))
    ]
    assert needs[1].core_seconds > needs[0].core_seconds


def test_file_without_valence_gives_no_needs(recipe, tmp_path):
    numbers = recipe("Al", 16, 8, 8)
    (tmp_path / "Al.upf").write_text('<UPF version="2.0.1">\n<PP_HEADER element="Al"/>\n</UPF>\n')
    assert step_needs(fcc("Al"), numbers, tmp_path, Studied()) == {}
    assert magnetic_need(fcc("Al"), numbers, tmp_path, (8, 8, 8), 1.0) is None


def test_moment_has_two_spins_in_time_pools_and_memory_and_no_coupling(recipe, tmp_path):
    plain, coupled, polarized = (
        step_needs(fcc("Pb"), recipe("Pb", 40, 8, 8, **spins), tmp_path, Studied())
        for spins in ({}, {"spin_orbit": True}, {"spin_polarized": True})
    )
    one = plain["ScfMaker"]
    for needs in (plain, coupled, polarized):
        moment = needs["MomentMaker"]
        assert (moment.core_seconds, moment.n_k) == (pytest.approx(2 * one.core_seconds), 2 * one.n_k)
        assert moment.memory_mb(1) == polarized["ScfMaker"].memory_mb(1) > one.memory_mb(1)


def test_only_the_nonmagnetic_order_has_one_spin(recipe, tmp_path):
    two, one = (
        magnetic_need(fcc("Pb"), recipe("Pb", 40, 8, 8), tmp_path, (8, 8, 8), 1.0, polarized=polarized)
        for polarized in (True, False)
    )
    assert (two.core_seconds, two.n_k) == (pytest.approx(2 * one.core_seconds), 2 * one.n_k)
    assert two.memory_mb(1) > one.memory_mb(1)
