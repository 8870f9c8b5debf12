from __future__ import annotations

import json

import pytest
from jobflow import OutputReference
from jobflow.core.reference import find_and_get_references
from monty.json import MontyDecoder, jsanitize
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MaterialTag, Pseudopotential
from hightc.analysis.funnel_rules import Funnel, FunnelGate, parse_rule
from hightc.makers.dynamic_jobs import FollowingFlow
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.wannier_recipe import make_wannier_recipe
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker
from hightc.workflows.screening import ScreeningFlowMaker, StageGateMaker, stage_jobs

TAG = MaterialTag(campaign="test", material="Pb")
LEAD = Structure(Lattice.cubic(4.9), ["Pb"], [[0, 0, 0]])
ELECTRONS = ["relax", "scf dense", "electrons gate"]
PHONONS = ["scf", "ph.x electron-phonon", "q2r.x", "matdyn.x", "matdyn.x bands"]
SPECTRUM = ["alpha2F", "Tc"]


def gate(after: str, rule: str) -> FunnelGate:
    return FunnelGate(name=after, after=after, require=(parse_rule(rule, after),))


@pytest.fixture(scope="module")
def recipe():
    return make_recipe(
        LEAD,
        protocol="draft",
        family="pseudo-dojo",
        pseudopotentials=(Pseudopotential(element="Pb", filename="Pb.upf", sha256="0" * 64),),
        suggested_ecutwfc_ry=40.0,
        norm_conserving=True,
        overrides={},
    )


@pytest.fixture(scope="module")
def route(recipe):
    return ElectronPhononFlowMaker(recipe=recipe, q_jobs=2)


@pytest.fixture(scope="module")
def to_wannier(recipe):
    return ElectronPhononFlowMaker(recipe=recipe, wannier=make_wannier_recipe(LEAD, recipe, {}))


def names(jobs) -> list[str]:
    return [job.name for job in jobs]


def test_every_material_begins_with_electrons_and_their_gate(route):
    flow = ScreeningFlowMaker(funnel=Funnel(), route=route).make(LEAD, TAG)
    assert names(flow.jobs) == ELECTRONS
    assert flow.output == flow.jobs[-1].output


def test_moment_is_computed_where_the_funnel_asks_for_it(route):
    flow = ScreeningFlowMaker(funnel=Funnel(moment=True), route=route).make(LEAD, TAG)
    assert names(flow.jobs) == [*ELECTRONS[:2], "scf moment", "electrons gate"]
    wanted = {reference.uuid for reference in find_and_get_references(flow.jobs[-1].function_args)}
    assert wanted == {job.uuid for job in flow.jobs[:-1]}


def test_stages_together_are_the_flow_without_a_funnel(to_wannier):
    screening = ScreeningFlowMaker(funnel=Funnel(), route=to_wannier)
    staged = [*names(screening.make(LEAD, TAG).jobs), *names(screening.to_come(LEAD, TAG))]
    assert [name for name in staged if name != "electrons gate"] == names(to_wannier.make(LEAD, TAG).jobs)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, []),
        ({"phonons": "lowest_phonon_mev > -1"}, ["phonons gate"]),
        ({"alpha2f": "tc_kelvin > 1"}, ["alpha2f gate"]),
        ({"phonons": "lowest_phonon_mev > -1", "alpha2f": "tc_kelvin > 1"}, ["phonons gate", "alpha2f gate"]),
    ],
)
def test_later_stages_have_a_gate_where_one_is_asked_for(to_wannier, rules, expected):
    funnel = Funnel(gates=tuple(gate(after, rule) for after, rule in rules.items()))
    found = names(ScreeningFlowMaker(funnel=funnel, route=to_wannier).to_come(LEAD, TAG))
    assert [name for name in found if name.endswith(" gate")] == expected


def test_nothing_is_decided_where_nothing_depends_on_it(route):
    funnel = Funnel(gates=(gate("alpha2f", "tc_kelvin > 1"),))
    assert "alpha2f gate" not in names(ScreeningFlowMaker(funnel=funnel, route=route).to_come(LEAD, TAG))


def test_gate_adds_the_steps_up_to_the_next_gate(route):
    funnel = Funnel(gates=(gate("phonons", "lowest_phonon_mev > -1"),))
    done = {name: OutputReference(f"uuid of {name}") for name in ("relax", "dense", "electrons gate")}
    jobs = stage_jobs(route, funnel, "electrons", done)
    assert names(jobs.values()) == [*PHONONS, "phonons gate"]
    later = {**done, **{name: job.output for name, job in jobs.items()}}
    assert names(stage_jobs(route, funnel, "phonons", later).values()) == SPECTRUM


def test_added_steps_take_what_they_need_from_finished_ones(route):
    done = {name: OutputReference(f"uuid of {name}") for name in ("relax", "dense", "electrons gate")}
    jobs = stage_jobs(route, Funnel(), "electrons", done)
    assert names(jobs.values()) == [*PHONONS, *SPECTRUM]
    wanted = {reference.uuid for reference in find_and_get_references(jobs["alpha2f"].function_args)}
    assert {"uuid of relax", "uuid of dense", jobs["phonon"].uuid} <= wanted
    # a finer mesh takes the place of every step that the coarse one had
    *_, places = jobs["phonon"].function_args
    assert places["dense"] == "uuid of dense"
    outside = [reference for job in jobs.values() for reference in find_and_get_references(job.function_args)]
    flow = FollowingFlow(list(jobs.values()), (output.uuid for output in done.values()), "added")
    assert {reference.uuid for reference in outside} <= set(flow.job_uuids)


def test_gate_survives_the_json_of_a_database(to_wannier):
    funnel = Funnel(moment=True, gates=(gate("alpha2f", "tc_kelvin > 1"),))
    (*_, job) = ScreeningFlowMaker(funnel=funnel, route=to_wannier).make(LEAD, TAG).jobs
    again = MontyDecoder().process_decoded(json.loads(json.dumps(jsanitize(job.as_dict()))))
    assert isinstance(again.maker, StageGateMaker)
    assert (again.maker.stage, again.maker.funnel) == ("electrons", funnel)
    assert (again.maker.route.recipe, again.maker.route.wannier) == (to_wannier.recipe, to_wannier.wannier)
