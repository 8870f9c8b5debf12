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
from jobflow import Flow, JobConfig, OutputReference
from jobflow.managers.fireworks import flow_to_workflow

from hightc.launch.campaign import Campaign, Material
from hightc.launch.errors import LaunchError
from hightc.launch.store import Database
from hightc.makers.electron_phonon import Alpha2FMaker
from hightc.makers.tc import TcMaker
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

ACTIVE = ("READY", "RESERVED", "RUNNING")
"""States of fireworks on which something will still happen by itself."""

MU_STAR = "mu_star"
"""Where the spec of a Tc step holds its Coulomb pseudopotentials."""

WORKER_PREFIX = "hightc@"


@dataclass(frozen=True)
class Submission:
    """One material in the LaunchPad.

    Attributes
    ----------
    material
        The material.
    fw_ids
        Its fireworks, in order.
    reused
        Whether its workflow was there before.
    """

    material: Material
    fw_ids: tuple[int, ...]
    reused: bool


def make_workflow(material: Material, directory: Path) -> Workflow:
    """FireWorks workflow of one material.

    Parameters
    ----------
    material
        The material.
    directory
        Folder of the campaign; each step runs in a sub-folder of its own.
    """
    maker = ElectronPhononFlowMaker(recipe=material.recipe, tc=TcMaker(mu_star=material.mu_star))
    return schedule(maker.make(material.structure, material.tag), material, directory)


def schedule(flow: Flow, material: Material, directory: Path, *, first: int = 1) -> Workflow:
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
    """
    flow.update_metadata({"campaign": material.tag.campaign, "material": material.tag.material}, dynamic=True)
    names = [job.name for job in flow.jobs]
    for position, job in enumerate(flow.jobs, start=first):
        step = job.name.lower().replace(" ", "-").replace(".x", "")
        job.update_config(
            JobConfig(
                manager_config={
                    "_launch_dir": str(directory / material.folder / f"{position:02d}-{step}"),
                    # later steps first: a material that is under way is finished before the next is begun
                    "_priority": position,
                    **({MU_STAR: list(material.mu_star)} if job is flow.jobs[-1] else {}),
                }
            )
        )
        job.name = f"{material.tag.material} {names[position - first]}"
    return flow_to_workflow(
        flow,
        allow_external_references=True,
        name=f"{material.tag.material} ({material.tag.campaign})",
        metadata={"campaign": material.tag.campaign, "material": material.tag.material, "key": material.key},
    )


def in_order(fireworks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Fireworks of a workflow from its first step to its last.

    jobflow gives the first step the highest id, and FireWorks' page lists the highest id first.

    Parameters
    ----------
    fireworks
        Documents with ``fw_id``.
    """
    return sorted(fireworks, key=lambda firework: -int(firework["fw_id"]))


def submit(campaign: Campaign, database: Database, directory: Path) -> tuple[Submission, ...]:
    """Add the materials that the LaunchPad does not have; reuse the others.

    Parameters
    ----------
    campaign
        A campaign whose inputs were checked.
    database
        The database.
    directory
        Folder of the campaign, absolute.
    """
    launchpad = database.launchpad
    submissions = []
    for material in campaign.materials:
        known = launchpad.workflows.find_one({"metadata.key": material.key}, {"nodes": 1})
        if known is None:
            ids = list(launchpad.add_wf(make_workflow(material, directory)).values())
        else:
            ids = [*known["nodes"], *_add_mu_star(launchpad, known["nodes"], material, directory)]
        submissions.append(Submission(material, tuple(sorted(ids, reverse=True)), reused=known is not None))
    return tuple(submissions)


def _add_mu_star(launchpad: LaunchPad, nodes: Sequence[int], material: Material, directory: Path) -> list[int]:
    """Add a Tc step to a material whose spectrum was, or will be, computed for other mu* only."""
    asked = {"fw_id": {"$in": list(nodes)}, f"spec.{MU_STAR}": list(material.mu_star)}
    spectrum = launchpad.fireworks.find_one(
        {"fw_id": {"$in": list(nodes)}, "name": f"{material.tag.material} {Alpha2FMaker.name}"},
        {"fw_id": 1, "spec._tasks.job.uuid": 1},
    )
    if spectrum is None or launchpad.fireworks.count_documents(asked):
        return []
    reference = OutputReference(spectrum["spec"]["_tasks"][0]["job"]["uuid"])
    step = Flow([TcMaker(mu_star=material.mu_star).make(reference)])
    launchpad.append_wf(schedule(step, material, directory, first=len(nodes) + 1), [spectrum["fw_id"]])
    grown = launchpad.workflows.find_one({"nodes": spectrum["fw_id"]}, {"nodes": 1})
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
