from __future__ import annotations

import json

import pytest
from fireworks import Workflow
from jobflow import Flow
from jobflow.core.reference import find_and_get_references
from jobflow.managers.fireworks import flow_to_workflow
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MagneticOrder, MaterialTag, Pseudopotential
from hightc.makers.qe.magnetic_recipe import make_magnetic_recipe
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell
from hightc.workflows.magnetic_softness import MagneticSoftnessFlowMaker

IRON = primitive_cell(Structure.from_spacegroup("Im-3m", Lattice.cubic(2.87), ["Fe"], [[0, 0, 0]]))
TAG = MaterialTag(campaign="test", material="Fe-1")
VOLUMES = {"volume_ratios": [1.0, 0.9, 0.8], "max_orders": 3}


@pytest.fixture(scope="module")
def recipe():
    return make_recipe(
        IRON,
        protocol="draft",
        family="pseudo-dojo",
        pseudopotentials=(Pseudopotential(element="Fe", filename="Fe.upf", sha256="0" * 64),),
        suggested_ecutwfc_ry=40.0,
        norm_conserving=True,
        overrides={},
    )


@pytest.fixture
def make_flow(recipe):
    def make(**ladder):
        magnetism = make_magnetic_recipe(IRON, recipe, ladder or VOLUMES)
        return MagneticSoftnessFlowMaker(recipe=recipe, magnetism=magnetism).make(IRON, TAG)

    return make


def needs(flow):
    """Names of the jobs that each job waits for, once each and in order."""
    names = {job.uuid: job.name for job in flow.jobs}
    found = {}
    for job in flow.jobs:
        references = find_and_get_references((job.function_args, job.function_kwargs))
        found[job.name] = list(dict.fromkeys(names[reference.uuid] for reference in references))
    return found


def test_each_order_and_rung_is_a_job_and_two_more_follow(make_flow):
    orders = [f"{order} V {ratio}" for order in ("NM", "FM", "AFM1") for ratio in ("1", "0.9", "0.8")]
    assert [job.name for job in make_flow().jobs] == [*orders, "magnetic checks", "magnetism"]


def test_magnetic_orders_climb_and_the_nonmagnetic_one_waits_for_nothing(make_flow):
    found = needs(make_flow())
    assert found["FM V 1"] == found["NM V 1"] == found["NM V 0.9"] == found["NM V 0.8"] == []
    assert (found["FM V 0.9"], found["FM V 0.8"]) == (["FM V 1"], ["FM V 0.9"])
    assert found["AFM1 V 0.8"] == ["AFM1 V 0.9"]
    ends = [f"{order} V {ratio}" for order in ("NM", "FM", "AFM1") for ratio in ("1", "0.8")]
    assert sorted(found["magnetic checks"]) == sorted(ends)
    assert len(found["magnetism"]) == 10


def test_relaxed_cells_of_a_pressure_ladder_start_from_the_pressure_before(make_flow):
    found = needs(make_flow(pressures_gpa=[0, 20], max_primitive_cells=1))
    assert found["NM P 20 GPa"] == ["NM P 0 GPa"]
    assert found["FM P 20 GPa"] == ["FM P 0 GPa"]


def test_flow_is_named_after_its_material_and_its_output_is_the_document(make_flow):
    flow = make_flow()
    assert flow.name == "Fe-1 magnetic softness"
    assert flow.output.uuid == flow.jobs[-1].uuid
    assert flow.jobs[-1].output_schema.__name__ == "MagnetismDocument"


def test_flow_survives_its_json_with_orders_and_recipe(make_flow, recipe):
    flow = make_flow()
    again = MontyDecoder().process_decoded(json.loads(json.dumps(flow.as_dict())))
    assert isinstance(again, Flow)
    assert [job.name for job in again.jobs] == [job.name for job in flow.jobs]
    job = again.jobs[6]
    assert job.maker.recipe == recipe
    assert job.maker.magnetism == flow.jobs[6].maker.magnetism
    order = job.function_args[0]
    assert isinstance(order, MagneticOrder)
    assert (order.name, order.spins, order.structure) == ("AFM1", (1, -1), flow.jobs[6].function_args[0].structure)


def test_workflow_survives_the_json_of_the_database(make_flow):
    flow = make_flow()
    again = Workflow.from_format(flow_to_workflow(flow).to_format("json"), "json")
    names = {firework.fw_id: firework.name for firework in again.fws}
    found = {name: set() for name in names.values()}
    for parent, children in again.links.items():
        for child in children:
            found[names[child]].add(names[parent])
    assert found == {name: set(waits) for name, waits in needs(flow).items()}
