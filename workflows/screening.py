"""The way to a critical temperature as a funnel: cheap electrons first, and each stage added by the gate before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Job, Maker, OutputReference, Response, job
from pymatgen.core import Structure

from hightc.analysis.documents import Document, GateDecisionDocument, MaterialTag
from hightc.analysis.documents.decision import Stage
from hightc.analysis.funnel_features import STAGES
from hightc.analysis.funnel_rules import Funnel, priority_ahead
from hightc.makers.dynamic_jobs import follow_with, running_job
from hightc.makers.funnel_decision import decide
from hightc.makers.moment import MomentMaker
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

JUDGED_STEPS: dict[Stage, tuple[str, ...]] = {
    "electrons": ("relax", "dense", "moment"),
    "phonons": ("phonon",),
    "alpha2f": ("phonon", "tc"),
}
"""Steps whose documents the gate behind a stage reads, where they are there, beside the decision before it."""


def gate_name(stage: Stage) -> str:
    """Name of the step that decides behind a stage.

    Parameters
    ----------
    stage
        The stage.
    """
    return f"{stage} gate"


@dataclass
class StageGateMaker(Maker):
    """The gates behind one stage: their decision, and the jobs of the next stage for a material that is carried on.

    Attributes
    ----------
    name
        Name of the job and its firework.
    stage
        The stage whose results are judged.
    funnel
        The gates of the campaign.
    route
        Makes the jobs of each stage.
    """

    name: str = "gate"
    stage: Stage = field(kw_only=True)
    funnel: Funnel = field(kw_only=True)
    route: ElectronPhononFlowMaker = field(kw_only=True)

    @job(output_schema=GateDecisionDocument)
    def make(self, documents: dict[str, Document], steps: dict[str, str]) -> Response[Any]:
        """Decide, and add the next stage.

        Parameters
        ----------
        documents
            Documents of the stage, by step.
        steps
            Uuid of every finished step, for those that are added.
        """
        decision = decide(self.funnel, self.stage, documents)
        if decision.decision != "carried_on":
            return Response(output=decision)
        # jobflow renames a Maker with its job
        name = gate_name(self.stage)
        finished = {**steps, name: running_job().uuid}
        done = {name: OutputReference(uuid) for name, uuid in finished.items()}
        following = list(stage_jobs(self.route, self.funnel, self.stage, done).values())
        ahead = priority_ahead(decision.score)
        return follow_with(following, name, finished.values(), decision, ahead=ahead)


@dataclass
class ScreeningFlowMaker(Maker):
    """The electrons of one material and the gate behind them, which adds the rest.

    Attributes
    ----------
    name
        Name of the flow.
    funnel
        The gates of the campaign.
    route
        Makes the jobs of each stage.
    """

    name: str = "screening"
    funnel: Funnel = field(kw_only=True)
    route: ElectronPhononFlowMaker = field(kw_only=True)

    def make(self, structure: Structure, tag: MaterialTag) -> Flow:
        """Join the jobs that every material has.

        Parameters
        ----------
        structure
            Primitive standard cell, Angstrom.
        tag
            Campaign and material.

        Returns
        -------
        Flow
            Its output is the decision behind the electrons.
        """
        jobs = self._electrons(structure, tag)
        made: list[Flow | Job] = list(jobs.values())
        return Flow(made, output=made[-1].output, name=f"{tag.material} {self.name}")

    def to_come(self, structure: Structure, tag: MaterialTag) -> Iterator[Job]:
        """Jobs that gates add for a material that passes them all, in order; they are made to be looked at.

        Parameters
        ----------
        structure, tag
            As for :meth:`make`.
        """
        jobs = self._electrons(structure, tag)
        for stage in self.route.later_stages:
            done = {name: one.output for name, one in jobs.items()}
            new = self.route.jobs_of(stage, done)
            new |= _gate(self.route, self.funnel, stage, {**done, **{name: one.output for name, one in new.items()}})
            jobs |= new
            yield from new.values()

    def _electrons(self, structure: Structure, tag: MaterialTag) -> dict[str, Job]:
        jobs = self.route.electrons(structure, tag)
        if self.funnel.moment:
            jobs["moment"] = MomentMaker(recipe=self.route.recipe).make(jobs["relax"].output)
        return jobs | _gate(self.route, self.funnel, "electrons", {name: one.output for name, one in jobs.items()})


def stage_jobs(
    route: ElectronPhononFlowMaker, funnel: Funnel, stage: Stage, done: Mapping[str, OutputReference]
) -> dict[str, Job]:
    """Jobs between the gate behind one stage and the next gate, by step.

    Parameters
    ----------
    route
        Makes the jobs of each stage.
    funnel
        The gates of the campaign.
    stage
        The stage that was just finished.
    done
        Outputs of every finished step.
    """
    jobs: dict[str, Job] = {}
    for later in route.later_stages[STAGES.index(stage) :]:
        outputs = {**done, **{name: one.output for name, one in jobs.items()}}
        jobs |= route.jobs_of(later, outputs)
        gate = _gate(route, funnel, later, {**done, **{name: one.output for name, one in jobs.items()}})
        if gate:
            return jobs | gate
    return jobs


def _gate(
    route: ElectronPhononFlowMaker, funnel: Funnel, stage: Stage, done: Mapping[str, OutputReference]
) -> dict[str, Job]:
    """The job of the gates behind a stage, where something depends on it; the electrons always have one."""
    if stage != "electrons" and not (funnel.after(stage) and stage != route.later_stages[-1]):
        return {}
    documents: dict[str, Any] = {name: done[name] for name in JUDGED_STEPS[stage] if name in done}
    earlier = [done[gate_name(one)] for one in STAGES if gate_name(one) in done]
    if earlier:
        # the newest knows everything that those before it knew
        documents["decision"] = earlier[-1]
    name = gate_name(stage)
    maker = StageGateMaker(name=name, stage=stage, funnel=funnel, route=route)
    return {name: maker.make(documents, {step: output.uuid for step, output in done.items()})}
