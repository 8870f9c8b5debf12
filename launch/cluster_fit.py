"""What one step asks of the queue of one cluster: its own numbers, as far as a job there may have them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fireworks import FWorker, LaunchPad

from hightc.launch.cluster import Cluster, walltime_seconds
from hightc.launch.step_resources import RESOURCES, StepResources, resources_in

ASKED = "_queueadapter"
"""Where the spec of a step has what its job asks the queue for: FireWorks reads it when it reserves the step."""

MEMORY_MARGIN: Final = 1.5
"""Memory that is counted with over the estimate, which prints of pw.x meet within a quarter."""

LEAST_ASKED_MB: Final = 1000
"""Memory of one process below which nothing is asked for: queues give about as much unasked, often more."""

MORE_TIME: Final = 2

MOST_LOSSES: Final = 20
"""A phonon calculation may need many jobs, each some q points; a step that needs more than these never ends."""

TIME_LIMIT: Final = re.compile(r"DUE TO TIME LIMIT|walltime \S+ exceeded limit", re.IGNORECASE)
"""What Slurm and PBS write into the error file of a job that they killed at its time limit."""

ERROR_CHARACTERS: Final = 10_000


@dataclass(frozen=True)
class Limits:
    """The largest job of a cluster.

    Attributes
    ----------
    system
        SLURM or PBS.
    nodes, processes_per_node, threads
        Nodes, MPI processes on each, and threads of each process.
    walltime_seconds
        Time limit in s.
    memory_mb_per_node
        Memory of a node in MB; None if the cluster's files do not say.
    """

    system: str
    nodes: int
    processes_per_node: int
    walltime_seconds: int
    threads: int = 1
    memory_mb_per_node: int | None = None

    @property
    def processes(self) -> int:
        """MPI processes of the largest job."""
        return self.nodes * self.processes_per_node


def limits_of(cluster: Cluster) -> Limits:
    """Read the largest job from the files of a cluster.

    Parameters
    ----------
    cluster
        The cluster.

    Raises
    ------
    ClusterError
        If its files cannot be used.
    """
    adapter = cluster.qadapter()
    names = ("nnodes", "ppnode") if adapter.q_type == "PBS" else ("nodes", "ntasks_per_node")
    nodes, per_node = (int(adapter.get(name) or 0) for name in names)
    if not per_node:
        per_node = math.ceil(int(adapter.get("ntasks") or 1) / (nodes or 1))
    memory = cluster.fworker().env.get("memory_mb_per_node")
    return Limits(
        system=adapter.q_type,
        nodes=nodes or 1,
        processes_per_node=per_node,
        walltime_seconds=cluster.walltime_seconds,
        threads=int(adapter.get("cpus_per_task") or 1),
        memory_mb_per_node=int(memory) if memory else None,
    )


def request(step: StepResources | None, limits: Limits) -> dict[str, Any]:
    """What the job of a step asks for, as FireWorks' CommonAdapter names it; empty: what the cluster's file says.

    Parameters
    ----------
    step
        Its numbers; None if they are not known.
    limits
        The largest job.
    """
    if step is None:
        return {}
    memory_mb = math.ceil(MEMORY_MARGIN * step.memory_mb)
    per_node = limits.processes_per_node
    if limits.memory_mb_per_node is not None:
        per_node = max(1, min(per_node, limits.memory_mb_per_node // memory_mb))
    processes = min(step.processes, limits.nodes * per_node)
    nodes = math.ceil(processes / per_node)
    per_node = math.ceil(processes / nodes)
    seconds = min(math.ceil(step.wall_seconds * max(step.processes / processes, 1)), limits.walltime_seconds)
    asked: dict[str, Any] = {"walltime": clock_text(seconds)}
    if limits.system == "PBS":
        asked |= {"nnodes": nodes, "ppnode": per_node}
        return asked | ({"pmem": f"{memory_mb}mb"} if memory_mb > LEAST_ASKED_MB else {})
    asked |= {"nodes": nodes, "ntasks": processes, "ntasks_per_node": per_node}
    if memory_mb > LEAST_ASKED_MB:
        asked |= {"mem_per_cpu": f"{math.ceil(memory_mb / limits.threads)}M"}
    return asked


def clock_text(seconds: int) -> str:
    """A time as queues read it, HH:MM:SS.

    Parameters
    ----------
    seconds
        In s.
    """
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def was_at_time_limit(launch_dir: str, job: str | None) -> bool:
    """Whether the queue says that it killed a job at its time limit.

    Parameters
    ----------
    launch_dir
        Folder that the job was submitted in, where its error file lies.
    job
        Its number.
    """
    names = (f"*-{job}.error", "FW_job.error")
    for path in (path for name in names for path in Path(launch_dir).glob(name)):
        if TIME_LIMIT.search(path.read_text(encoding="utf-8", errors="replace")[-ERROR_CHARACTERS:]):
            return True
    return False


def ask_for_more_time(launchpad: LaunchPad, fw_id: int) -> int | None:
    """Let the next job of a step ask for twice the time that the last one had; what that is, in s.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    fw_id
        The step.

    Returns
    -------
    int or None
        None where its jobs have the time of the cluster's file.
    """
    fields = {f"spec.{RESOURCES}": 1, f"spec.{ASKED}": 1}
    spec = (launchpad.fireworks.find_one({"fw_id": fw_id}, fields) or {}).get("spec", {})
    known, asked = resources_in(spec), spec.get(ASKED) or {}
    if known is None or "walltime" not in asked:
        return None
    had = max(known.wall_seconds, walltime_seconds(asked["walltime"]))
    more = {f"spec.{RESOURCES}.wall_seconds": MORE_TIME * had}
    launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": more})
    return MORE_TIME * had


def worker_of(cluster: Cluster, campaign: str, name: str) -> FWorker:
    """What FireWorks knows of a worker in a job: it takes steps of one campaign that the cluster is for.

    Parameters
    ----------
    cluster
        The cluster.
    campaign
        Name of the campaign.
    name
        Name of the worker.
    """
    known = cluster.fworker()
    query: dict[str, Any] = {**(known.query or {}), "spec.campaign": campaign}
    memory = limits_of(cluster).memory_mb_per_node
    if memory is not None:
        needed = f"spec.{RESOURCES}.memory_mb"
        fits = [{needed: {"$lte": int(memory / MEMORY_MARGIN)}}, {needed: {"$exists": False}}]
        query["$and"] = [*query.get("$and", ()), {"$or": fits}]
    return FWorker(name=name, category=known.category, query=query, env=known.env)
