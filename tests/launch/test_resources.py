from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign

from hightc.launch.dispatch import make_workflow, study_makers
from hightc.launch.resources import AIM_SECONDS, LEAST_WALL_SECONDS, TIME_MARGIN, Estimates, resources_of, wall_to_ask
from hightc.launch.step_resources import StepResources
from hightc.makers.step_needs import StepNeed

DEAR = ALUMINIUM.replace("k_mesh = [4, 4, 4]\nq_mesh = [2, 2, 2]", "k_mesh = [24, 24, 24]\nq_mesh = [6, 6, 6]")
WANNIER = ALUMINIUM.replace('protocol = "draft"', 'protocol = "draft"\nroute = "wannier"')
FUNNEL = ALUMINIUM.replace('protocol = "draft"', 'protocol = "draft"\nfunnel = {}')
MAGNETIC = ALUMINIUM.replace('protocol = "draft"', 'protocol = "draft"\nstudies = ["magnetic_softness"]').replace(
    "Al 4.05", "Ni 3.52"
)


@pytest.fixture
def material(tmp_path, settings):
    """Material of a campaign whose pseudopotential tells its electrons."""

    def make(text: str = ALUMINIUM, element: str = "Al"):
        found = tiny_campaign(tmp_path, settings, text, element).materials[0]
        header = tmp_path / "pseudo" / f"{element}.upf"
        header.write_text(header.read_text().replace("wfc_cutoff", 'z_valence="3.0" wfc_cutoff'))
        return found

    return make


def specs(material, tmp_path, **options):
    """Spec of each step by its name without the material's."""
    workflow = make_workflow(material, tmp_path, **options)
    return {firework.name.partition(" ")[2]: firework.spec for firework in workflow.fws}


def test_every_step_says_what_it_wants(material, tmp_path):
    found = specs(material(), tmp_path)
    assert {name: spec["_category"] for name, spec in found.items()} == {
        "relax": "small",
        "scf dense": "small",
        "scf": "small",
        "ph.x electron-phonon": "small",
        "q2r.x": "serial",
        "matdyn.x": "small",
        "matdyn.x bands": "serial",
        "alpha2F": "serial",
        "Tc": "serial",
    }
    for spec in found.values():
        assert StepResources(**spec["resources"]).wall_seconds >= LEAST_WALL_SECONDS


def test_large_response_is_parallel_in_as_many_processes_as_it_takes_to_end_soon(material, tmp_path):
    spec = specs(material(DEAR), tmp_path)["ph.x electron-phonon"]
    assert spec["_category"] == "parallel"
    step = StepResources(**spec["resources"])
    assert step.processes > 1
    assert step.core_seconds / step.processes <= AIM_SECONDS
    assert step.wall_seconds >= TIME_MARGIN * step.core_seconds / step.processes


def test_finished_runs_correct_the_estimate_of_their_program(material, tmp_path):
    plain, learned = (specs(material(DEAR), tmp_path, factors=factors) for factors in ({}, {"ph.x": 3.0}))
    name = "ph.x electron-phonon"
    ratio = learned[name]["resources"]["core_seconds"] / plain[name]["resources"]["core_seconds"]
    assert ratio == pytest.approx(3, rel=0.01)
    assert learned["scf"]["resources"] == plain["scf"]["resources"]


def test_cheap_material_goes_before_a_dear_one_at_the_same_step_and_after_it_at_a_later_step(material, tmp_path):
    cheap, dear = specs(material(), tmp_path), specs(material(DEAR), tmp_path)
    for name, spec in cheap.items():
        assert dear[name]["_priority"] < spec["_priority"] < dear[name]["_priority"] + 0.001
    order = [spec["_priority"] for spec in sorted(cheap.values(), key=lambda spec: spec["_launch_dir"])]
    assert order == sorted(order)


def test_groups_of_q_points_share_what_the_response_takes_and_have_it_in_their_spec(material, tmp_path):
    whole = specs(material(DEAR), tmp_path)["ph.x electron-phonon"]["resources"]
    shared = specs(replace(material(DEAR), q_jobs=4), tmp_path)["ph.x electron-phonon"]
    assert shared["resources"]["core_seconds"] == pytest.approx(whole["core_seconds"] / 8, rel=0.01)
    assert shared["steps_made"]["QGroupMaker"]["resources"] == shared["resources"]
    assert shared["steps_made"]["QMergeMaker"]["_category"] == "serial"


def test_finer_mesh_that_a_step_may_ask_for_is_estimated_too(material, tmp_path):
    found = specs(material(DEAR), tmp_path)
    made = found["matdyn.x"]["steps_made"]
    coarse = found["ph.x electron-phonon"]["resources"]["core_seconds"]
    assert made["CouplingMaker"]["resources"]["core_seconds"] > 4 * coarse
    without = specs(replace(material(), finer_q_passes=0), tmp_path)["matdyn.x"]["steps_made"]
    assert set(without) == {"QGroupMaker", "QMergeMaker"}


def test_steps_that_gates_may_add_have_numbers_beside_the_others(material, tmp_path):
    found = specs(material(FUNNEL), tmp_path)
    later = {entry["step"]: entry["configuration"] for entry in found["electrons gate"]["steps_to_come"]}
    assert later["ph.x electron-phonon"]["_category"] == "small"
    assert StepResources(**later["ph.x electron-phonon"]["resources"]).core_seconds > 0
    assert found["electrons gate"]["_category"] == "serial"
    order = [spec["_priority"] for spec in (*found.values(), *later.values())]
    assert len(set(order)) == len(order)


def test_wannier_steps_are_epw_without_numbers(material, tmp_path):
    found = specs(material(WANNIER), tmp_path)
    epw = {name for name, spec in found.items() if spec["_category"] == "epw"}
    assert len(epw) >= 4
    assert all("resources" not in found[name] for name in epw)


def test_magnetic_cells_are_estimated_one_by_one(material, tmp_path):
    found = specs(material(MAGNETIC, "Ni"), tmp_path)
    rungs = {name: spec["resources"]["core_seconds"] for name, spec in found.items() if name.startswith(("FM", "AFM"))}
    assert len(set(rungs.values())) > 1


def test_material_that_cannot_be_estimated_has_categories_alone(tmp_path, settings):
    material = tiny_campaign(tmp_path, settings).materials[0]
    found = specs(material, tmp_path)
    assert found["scf"]["_category"] == "parallel"
    assert found["Tc"]["_category"] == "serial"
    assert all("resources" not in spec for spec in found.values())
    assert [spec["_priority"] for spec in found.values()] == [round(spec["_priority"]) for spec in found.values()]


def test_pseudopotentials_that_are_gone_cost_the_estimate_alone(material, tmp_path):
    given = material()
    (tmp_path / "pseudo" / "Al.upf").unlink()
    assert Estimates(given).configuration(next(iter(_jobs(given))), 1)["_category"] == "parallel"


def _jobs(material):
    maker = next(study_makers(material, 1))
    return maker.make(material.structure, material.tag).jobs


def test_time_that_is_asked_for_has_a_margin_and_is_rounded_up():
    assert wall_to_ask(1.0) == LEAST_WALL_SECONDS
    assert wall_to_ask(1000.0) == 3000
    assert wall_to_ask(1001.0) == 3300


def test_step_of_no_known_cost_has_no_numbers():
    assert resources_of(StepNeed("program"), {}) is None
