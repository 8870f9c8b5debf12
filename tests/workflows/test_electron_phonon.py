from __future__ import annotations

import json

import pytest
from fireworks import Workflow
from jobflow import Flow, Job
from jobflow.core.reference import find_and_get_references
from jobflow.managers.fireworks import flow_to_workflow
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MaterialTag, Pseudopotential
from hightc.makers.qe.nesting_recipe import make_nesting_recipe
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.wannier_recipe import make_wannier_recipe
from hightc.makers.tc import TcMaker
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

NAMES = [
    "relax",
    "scf dense",
    "scf",
    "ph.x electron-phonon",
    "q2r.x",
    "matdyn.x",
    "matdyn.x bands",
    "alpha2F",
    "Tc",
]
NEEDS = {
    "relax": set(),
    "scf dense": {"relax"},
    "scf": {"relax", "scf dense"},
    "ph.x electron-phonon": {"scf"},
    "q2r.x": {"ph.x electron-phonon"},
    "matdyn.x": {"q2r.x", "relax", "scf"},
    "matdyn.x bands": {"q2r.x", "matdyn.x"},
    "alpha2F": {"relax", "scf dense", "scf", "ph.x electron-phonon", "q2r.x", "matdyn.x"},
    "Tc": {"alpha2F"},
}
TAG = MaterialTag(campaign="test", material="Pb-1")


@pytest.fixture(scope="module")
def lead():
    return Structure(Lattice.cubic(4.9), ["Pb"], [[0, 0, 0]])


@pytest.fixture(scope="module")
def recipe(lead):
    return make_recipe(
        lead,
        protocol="draft",
        family="pseudo-dojo",
        pseudopotentials=(Pseudopotential(element="Pb", filename="Pb.upf", sha256="0" * 64),),
        suggested_ecutwfc_ry=40.0,
        norm_conserving=True,
        overrides={},
    )


@pytest.fixture
def flow(lead, recipe):
    return ElectronPhononFlowMaker(recipe=recipe, tc=TcMaker(mu_star=(0.1, 0.2))).make(lead, TAG)


def needs(job):
    arguments = (job.function_args, job.function_kwargs)
    return {reference.uuid for reference in find_and_get_references(arguments)}


def test_jobs_stand_in_the_order_they_run(flow):
    assert [job.name for job in flow.jobs] == NAMES


def test_each_job_takes_what_it_needs_and_nothing_else(flow):
    names = {job.uuid: job.name for job in flow.jobs}
    assert {job.name: {names[uuid] for uuid in needs(job)} for job in flow.jobs} == NEEDS


def test_output_of_the_flow_is_the_tc_document(flow):
    assert flow.output.uuid == flow.jobs[-1].uuid


def test_flow_is_named_after_its_material(flow):
    assert flow.name == "Pb-1 electron-phonon"


def test_two_flows_of_one_maker_share_no_job(lead, recipe):
    maker = ElectronPhononFlowMaker(recipe=recipe)
    first, second = (maker.make(lead, TAG) for _ in range(2))
    assert not {job.uuid for job in first.jobs} & {job.uuid for job in second.jobs}
    assert maker == ElectronPhononFlowMaker(recipe=recipe)


def test_flow_survives_its_json_with_recipe_and_tag(flow, recipe, lead):
    again = MontyDecoder().process_decoded(json.loads(json.dumps(flow.as_dict())))
    assert isinstance(again, Flow)
    assert [job.name for job in again.jobs] == NAMES
    relax, tc = again.jobs[0], again.jobs[-1]
    assert list(relax.function_args) == [lead, TAG]
    assert relax.maker.recipe == recipe
    assert tuple(tc.maker.mu_star) == (0.1, 0.2)


def test_workflow_survives_the_json_of_the_database(flow, recipe, lead):
    again = Workflow.from_format(flow_to_workflow(flow).to_format("json"), "json")
    assert sorted(firework.name for firework in again.fws) == sorted(NAMES)
    jobs = {firework.name: firework.spec["_tasks"][0]["job"] for firework in again.fws}
    names = {firework.fw_id: firework.name for firework in again.fws}
    found = {name: set() for name in NAMES}
    for parent, children in again.links.items():
        for child in children:
            found[names[child]].add(names[parent])
    assert found == NEEDS
    relax = jobs["relax"] if isinstance(jobs["relax"], Job) else MontyDecoder().process_decoded(jobs["relax"])
    assert relax.maker.recipe == recipe
    assert list(relax.function_args) == [lead, TAG]


@pytest.mark.parametrize("index", range(len(NAMES)))
def test_each_job_says_which_document_it_stores(flow, index):
    schema = flow.jobs[index].output_schema
    assert schema.__name__.endswith("Document")


def test_wannier_route_goes_on_from_the_phonons_of_the_same_run(lead, recipe):
    wannier = make_wannier_recipe(lead, recipe, {})
    both = ElectronPhononFlowMaker(recipe=recipe, wannier=wannier).make(lead, TAG)
    names = {job.uuid: job.name for job in both.jobs}
    later = {job.name: {names[uuid] for uuid in needs(job)} for job in both.jobs[len(NAMES) :]}
    assert later == {
        "wannier": {"scf", "scf dense", "ph.x electron-phonon", "matdyn.x"},
        "epw.x coarse": {"wannier", "ph.x electron-phonon"},
        "epw.x fine": {"relax", "wannier", "epw.x coarse"},
        "gap": {"epw.x fine", "wannier", "epw.x coarse"},
        "Tc wannier": {"epw.x fine"},
    }
    assert [job.name for job in both.jobs].count("ph.x electron-phonon") == 1


def test_wannier_functions_give_the_nesting_that_is_asked_for(lead, recipe):
    wannier, nesting = make_wannier_recipe(lead, recipe, {}), make_nesting_recipe(lead, recipe, {})
    with_nesting = ElectronPhononFlowMaker(recipe=recipe, wannier=wannier, nesting=nesting).make(lead, TAG)
    names = {job.uuid: job.name for job in with_nesting.jobs}
    fermi = next(job for job in with_nesting.jobs if job.name == "fermi surface wannier")
    assert {names[uuid] for uuid in needs(fermi)} == {"wannier", "scf dense"}
    assert fermi.maker.nesting == nesting
    # the flow still ends with Tc, and no other job waits for the Fermi surface
    assert with_nesting.jobs[-1].name == "Tc wannier"
    assert not any(fermi.uuid in needs(job) for job in with_nesting.jobs)
    without_route = ElectronPhononFlowMaker(recipe=recipe, nesting=nesting).make(lead, TAG)
    assert [job.name for job in without_route.jobs] == NAMES
