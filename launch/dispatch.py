"""Campaigns in FireWorks: submit what is new, take up what was interrupted."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from fireworks import LaunchPad, Workflow
from jobflow import Flow, Job, JobConfig, OutputReference
from jobflow.managers.fireworks import flow_to_workflow

from hightc.launch.bulk_launchpad import WORKFLOWS_A_BATCH, add_workflows, batches, find_among, known_workflows
from hightc.launch.campaign import Campaign, Material
from hightc.launch.campaign_file import STUDIES, Study
from hightc.launch.cost_learning import factors_by_program
from hightc.launch.errors import LaunchError
from hightc.launch.progress_line import ProgressLine, Tell
from hightc.launch.resources import Estimates
from hightc.launch.settings import load_settings
from hightc.launch.store import Database
from hightc.makers.dynamic_jobs import PRIORITY, TO_COME
from hightc.makers.electron_phonon import Alpha2FMaker
from hightc.makers.epw import FineMeshMaker
from hightc.makers.tc import TcMaker
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker
from hightc.workflows.magnetic_softness import MagneticSoftnessFlowMaker
from hightc.workflows.nesting import NestingFlowMaker
from hightc.workflows.screening import ScreeningFlowMaker

ACTIVE = ("READY", "RESERVED", "RUNNING")
"""States of fireworks on which something will still happen by itself."""

MU_STAR = "mu_star"
"""Where the spec of a Tc step holds its Coulomb pseudopotentials."""

WORKER_PREFIX = "hightc@"
MOST_SOURCES = 20
"""Records of its sources that the workflow of a material carries."""

CHEAP_FIRST = 10_000
"""Added to the priorities of the stage that a funnel begins with: the candidates are known before the best are taken.
More than any material has steps, so that these still stand in their order (:func:`in_order`)."""

STUDY_OF: dict[type, Study] = {MagneticSoftnessFlowMaker: "magnetic_softness", NestingFlowMaker: "nesting"}
"""Study that a flow belongs to; that of any other is the first."""

TC_STEPS = {Alpha2FMaker.name: TcMaker.name, FineMeshMaker.name: f"{TcMaker.name} wannier"}
"""Name of the step that computes Tc by the name of the step whose spectrum it takes, one a route."""


@dataclass(frozen=True)
class Submission:
    """One material in the LaunchPad.

    Attributes
    ----------
    material
        The material.
    fw_ids
        Its fireworks, in order, as they were submitted; running jobs may have added others (:func:`nodes_of`).
    reused
        Whether its workflow was there before.
    q_jobs
        Runs of ph.x that may go on side by side.
    """

    material: Material
    fw_ids: tuple[int, ...]
    reused: bool
    q_jobs: int = 1


def make_workflow(
    material: Material, directory: Path, *, q_jobs: int = 1, factors: Mapping[str, float] | None = None
) -> Workflow:
    """FireWorks workflow of one material.

    Parameters
    ----------
    material
        The material.
    directory
        Folder of the campaign; each step runs in a sub-folder of its own.
    q_jobs
        Runs of ph.x side by side, where the material does not say.
    factors
        What each program takes over the estimate, as finished runs show.
    """
    parts: list[Workflow] = []
    first = 1
    for maker in study_makers(material, q_jobs):
        flow = maker.make(material.structure, material.tag)
        flow.update_metadata({"study": STUDY_OF.get(type(maker), STUDIES[0])}, dynamic=True)
        later = list(maker.to_come(material.structure, material.tag)) if isinstance(maker, ScreeningFlowMaker) else []
        parts.append(schedule(flow, material, directory, first=first, to_come=later, factors=factors))
        first += len(parts[-1].fws) + len(later)
    # new ids are given in the order of the fireworks: the first step has the highest
    fireworks = sorted((firework for part in parts for firework in part.fws), key=lambda firework: int(firework.fw_id))
    links = {parent: children for part in parts for parent, children in part.links.items()}
    return Workflow(fireworks, links, name=parts[0].name, metadata=parts[0].metadata)


def study_makers(
    material: Material, q_jobs: int
) -> Iterator[ElectronPhononFlowMaker | ScreeningFlowMaker | MagneticSoftnessFlowMaker | NestingFlowMaker]:
    """One maker of a flow for each study of a material.

    Parameters
    ----------
    material
        The material.
    q_jobs
        Runs of ph.x side by side, where the material does not say.
    """
    if "electron_phonon" in material.studies:
        route = ElectronPhononFlowMaker(
            recipe=material.recipe,
            tc=TcMaker(mu_star=material.mu_star),
            q_jobs=material.q_jobs or q_jobs,
            finer_q_passes=material.finer_q_passes,
            wannier=material.wannier,
            nesting=material.nesting,
        )
        yield route if material.funnel is None else ScreeningFlowMaker(funnel=material.funnel, route=route)
    if material.magnetism is not None:
        yield MagneticSoftnessFlowMaker(recipe=material.recipe, magnetism=material.magnetism)
    if material.nesting is not None:
        # also beside the Wannier route, whose finer answer replaces this one: unstable phonons, of which nesting may be
        # the reason, end that route before it has bands
        yield NestingFlowMaker(recipe=material.recipe, nesting=material.nesting)


def schedule(
    flow: Flow,
    material: Material,
    directory: Path,
    *,
    first: int = 1,
    to_come: Sequence[Job] = (),
    factors: Mapping[str, float] | None = None,
) -> Workflow:
    """Workflow of a flow, its fireworks named by label and step, each with its folder.

    Parameters
    ----------
    flow
        The flow; its metadata and the names and configuration of its jobs are set.
    material
        The material.
    directory
        Folder of the campaign.
    first
        Number of its first step.
    to_come
        Steps that its last one may add when it runs: they are named and configured now, so that they then stand beside
        the others.
    factors
        What each program takes over the estimate, as finished runs show.
    """
    estimates = Estimates(material, factors)
    flow.update_metadata({"campaign": material.tag.campaign, "material": material.tag.material}, dynamic=True)
    jobs = [job for job in flow.jobs if isinstance(job, Job)]
    later = [
        {"step": job.name, "configuration": _configuration(job, position, directory, estimates)}
        for position, job in enumerate(to_come, start=first + len(jobs))
    ]
    for position, job in enumerate(jobs, start=first):
        told = _configuration(job, position, directory, estimates)
        if later:
            told[PRIORITY] += CHEAP_FIRST
        if later and job is jobs[-1]:
            told[TO_COME] = later
        job.update_config(JobConfig(manager_config=told))
        job.name = f"{material.tag.material} {job.name}"
    return flow_to_workflow(
        flow,
        allow_external_references=True,
        name=f"{material.tag.material} ({material.tag.campaign})",
        metadata={
            "campaign": material.tag.campaign,
            "material": material.tag.material,
            "key": material.key,
            # what hightc funnel must know before there are documents
            **({"route": "wannier"} if material.wannier else {}),
            **({"studies": list(material.studies)} if material.studies != STUDIES[:1] else {}),
            **({"funnel": material.funnel.summary} if material.funnel else {}),
            **({"sources": _sources(material)} if material.sources else {}),
        },
    )


def _configuration(job: Job, position: int, directory: Path, estimates: Estimates) -> dict[str, Any]:
    """What FireWorks is told of a step, which has its name without the material's."""
    material = estimates.material
    step = job.name.lower().replace(" ", "-").replace(".x", "")
    return {
        "_launch_dir": str(directory / material.folder / f"{position:02d}-{step}"),
        **estimates.configuration(job, position),
        **({MU_STAR: list(material.mu_star)} if isinstance(getattr(job, "maker", None), TcMaker) else {}),
    }


def _sources(material: Material) -> dict[str, Any]:
    """Where a material is from, as far as a workflow should carry it: one crystal may stand in a table 600 times."""
    shown = [source.model_dump(exclude_none=True) for source in material.sources[:MOST_SOURCES]]
    return {"count": len(material.sources), "first": shown}


def in_order(fireworks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Fireworks of a workflow from its first step to its last.

    jobflow gives the first step the highest id, and FireWorks' page lists the highest id first; those that a running
    job added have higher ids still, and the priority of that job.

    Parameters
    ----------
    fireworks
        Documents with ``fw_id`` and ``spec._priority``.
    """
    return sorted(fireworks, key=_place)


def _place(firework: Mapping[str, Any]) -> tuple[float, float]:
    return float(firework.get("spec", {}).get(PRIORITY, 0)) % CHEAP_FIRST, -int(firework["fw_id"])


def nodes_of(submission: Submission, database: Database) -> list[int]:
    """Fireworks of a material now, those that running jobs added among them.

    Parameters
    ----------
    submission
        The material in the LaunchPad.
    database
        The database.
    """
    return nodes_of_each([submission], database)[0]


def nodes_of_each(submissions: Sequence[Submission], database: Database) -> list[list[int]]:
    """Fireworks of many materials now, as `nodes_of`, with few queries.

    Parameters
    ----------
    submissions
        Materials in the LaunchPad.
    database
        The database.
    """
    found: dict[int, list[int]] = {}
    ids = [fw_id for submission in submissions for fw_id in submission.fw_ids]
    for workflow in find_among(database.launchpad.workflows, "nodes", ids, {"nodes": 1, "_id": 0}):
        found |= dict.fromkeys(workflow["nodes"], sorted(workflow["nodes"]))
    return [
        next((found[fw_id] for fw_id in submission.fw_ids if fw_id in found), list(submission.fw_ids))
        for submission in submissions
    ]


def submit(
    campaign: Campaign, database: Database, directory: Path, *, q_jobs: int = 1, tell: Tell | None = None
) -> tuple[Submission, ...]:
    """Add the materials that the LaunchPad does not have; reuse the others.

    Materials are added in batches: after a kill in the middle, the same call adds only what is missing.

    Parameters
    ----------
    campaign
        A campaign whose inputs were checked.
    database
        The database.
    directory
        Folder of the campaign, absolute.
    q_jobs
        Runs of ph.x side by side for one material, where it does not say.
    tell
        Where a line of progress goes now and then; None says nothing.
    """
    launchpad = database.launchpad
    keys = [material.key for material in campaign.materials]
    known = known_workflows(launchpad, keys, MU_STAR, TC_STEPS.values())
    ids: dict[str, tuple[int, ...]] = {}
    line = ProgressLine(tell, "looking for Tc steps", len(known))
    for material in campaign.materials:
        if material.key in known:
            line.show(len(ids))
            found = known[material.key]
            # behind the gates of a funnel there may be no Tc at any mu* yet; it will be at the old one, and the next
            # submission adds the new one
            no_tc = "electron_phonon" not in material.studies or not found.values
            has_tc = no_tc or list(material.mu_star) in found.values
            added = [] if has_tc else _add_mu_star(launchpad, found.nodes, material, directory)
            ids[material.key] = tuple(sorted((*found.nodes, *added), reverse=True))
    new = [material for material in campaign.materials if material.key not in known]
    factors = factors_by_program(database, load_settings()) if new else {}
    line = ProgressLine(tell, "submitting", len(new))
    for batch in batches(new, WORKFLOWS_A_BATCH):
        workflows = [make_workflow(material, directory, q_jobs=q_jobs, factors=factors) for material in batch]
        ids |= zip((material.key for material in batch), add_workflows(launchpad, workflows), strict=True)
        line.show(len(ids) - len(known))
    return tuple(
        Submission(material, ids[material.key], reused=material.key in known, q_jobs=material.q_jobs or q_jobs)
        for material in campaign.materials
    )


def _add_mu_star(launchpad: LaunchPad, nodes: Sequence[int], material: Material, directory: Path) -> list[int]:
    """Add a Tc step to a material whose spectrum was, or will be, computed for other mu* only."""
    for count, (name, tc_name) in enumerate(TC_STEPS.items(), start=1):
        named = {"fw_id": {"$in": list(nodes)}, "name": f"{material.tag.material} {name}"}
        found = list(launchpad.fireworks.find(named, {"fw_id": 1, "spec._tasks.job.uuid": 1}))
        if not found:
            continue
        # a finer mesh takes the place of a coarser one, with a higher id
        spectrum = max(found, key=lambda firework: int(firework["fw_id"]))
        reference = OutputReference(spectrum["spec"]["_tasks"][0]["job"]["uuid"])
        step = TcMaker(name=tc_name, mu_star=material.mu_star).make(reference)
        workflow = schedule(Flow([step]), material, directory, first=len(nodes) + count)
        launchpad.append_wf(workflow, [spectrum["fw_id"]])
    grown = launchpad.workflows.find_one({"nodes": {"$in": list(nodes)}}, {"nodes": 1})
    return [fw_id for fw_id in grown["nodes"] if fw_id not in nodes]


@contextmanager
def hold_campaign(directory: Path) -> Iterator[None]:
    """Let one ``hightc run`` work on a campaign folder at a time.

    Parameters
    ----------
    directory
        Folder of the campaign.

    Raises
    ------
    LaunchError
        If another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"{directory}: another hightc run works on this campaign: wait for it, or stop it first"
            raise LaunchError(msg) from None
        except OSError as error:
            msg = f"{directory}: this file system has no locks ({error.strerror}): set HIGHTC_WORK_DIRECTORY elsewhere"
            raise LaunchError(msg) from None
        yield


def worker_lock(directory: Path, name: str) -> TextIO | None:
    """Take the lock that shows a worker to be alive; None if a living worker holds it.

    Parameters
    ----------
    directory
        Folder of the campaign.
    name
        Name of the worker.
    """
    folder = directory / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    stream = (folder / f"{name}.lock").open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream


def worker_name(number: int | str) -> str:
    """Name of a worker of this machine, as FireWorks shows it beside each launch.

    Parameters
    ----------
    number
        Its number on this machine.
    """
    return f"{WORKER_PREFIX}{os.uname().nodename}:{number}"
