"""What a queueing system knows: which jobs live, and so which steps lost theirs."""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from fireworks import LaunchPad

from hightc.launch.claims import CLAIM_SECONDS
from hightc.launch.cluster import Cluster, ClusterError
from hightc.launch.cluster_fit import MOST_LOSSES, ask_for_more_time, was_at_time_limit
from hightc.launch.recovery import fail_step, make_ready, seconds_since
from hightc.launch.store import Database

QUEUE_PREFIX = "queue@"
"""Workers in jobs: never those of `hightc run`, which knows what lives on its own machine and nothing of a queue."""

STATUS_SECONDS = 60
LAUNCH_FIELDS = {"fworker.name": 1, "state": 1, "state_history": 1, "launch_id": 1, "launch_dir": 1}


def job_worker_name(cluster: str, job: str) -> str:
    """Name of the worker in a job, as FireWorks shows it beside each launch.

    Parameters
    ----------
    cluster
        Name of the cluster.
    job
        Number of the job in the queue.
    """
    return f"{QUEUE_PREFIX}{cluster}:{job}"


def living_jobs(cluster: Cluster) -> set[str]:
    """Numbers of this user's jobs that wait, run or are ending.

    Parameters
    ----------
    cluster
        The cluster.

    Raises
    ------
    ClusterError
        If the queue does not answer: nothing is known then of any job.
    """
    adapter = cluster.qadapter()
    command = [adapter.q_commands[adapter.q_type]["status_cmd"], "-u", getpass.getuser()]
    if adapter.q_type == "SLURM":
        command += ["-h", "-o", "%A"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=STATUS_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"cluster {cluster.name}: {command[0]} cannot be asked for jobs ({error}): run hightc where it can"
        raise ClusterError(msg) from None
    if answer.returncode != 0:
        said = " ".join(answer.stderr.split()) or f"code {answer.returncode}"
        msg = f"cluster {cluster.name}: {' '.join(command)} failed: {said}"
        raise ClusterError(msg)
    return {found[1] for line in answer.stdout.splitlines() if (found := re.match(r"\s*(\d+)", line))}


def job_of(launch: Mapping[str, Any]) -> str | None:
    """Number of the job that a launch belongs to; None if it was never submitted.

    Parameters
    ----------
    launch
        Document of a launch.
    """
    reserved = [entry["reservation_id"] for entry in launch["state_history"] if entry.get("reservation_id")]
    if reserved:
        return str(reserved[-1])
    _, _, job = str(launch["fworker"]["name"]).rpartition(":")
    return job if job.isdecimal() else None


def held_launches(cluster: Cluster, campaign: str, database: Database) -> dict[int, Mapping[str, Any]]:
    """Last launches of steps that jobs of a cluster have reserved or run.

    Parameters
    ----------
    cluster
        The cluster.
    campaign
        Name of the campaign.
    database
        The database.

    Returns
    -------
    dict
        Launch by number of its firework.
    """
    launchpad = database.launchpad
    states = {"$in": ["RUNNING", "RESERVED"]}
    query = {"spec.campaign": campaign, "state": states, "launches.0": {"$exists": True}}
    last = {fw["launches"][-1]: int(fw["fw_id"]) for fw in launchpad.fireworks.find(query, {"fw_id": 1, "launches": 1})}
    prefix = job_worker_name(cluster.name, "")
    named = {"launch_id": {"$in": list(last)}, "fworker.name": {"$regex": f"^{re.escape(prefix)}"}}
    return {last[launch["launch_id"]]: launch for launch in launchpad.launches.find(named, LAUNCH_FIELDS)}


def recover_lost(cluster: Cluster, campaign: str, database: Database) -> list[int]:
    """Make steps ready again whose job is gone: killed at its time limit, cancelled, or with its node.

    So are steps that were taken and never begun, by whomever.

    To be called by the only process that launches jobs of the campaign.

    Parameters
    ----------
    cluster
        The cluster.
    campaign
        Name of the campaign.
    database
        The database.

    Returns
    -------
    list of int
        Fireworks that will run again, in their own folders.
    """
    released = _release_claims(campaign, database)
    before = held_launches(cluster, campaign, database)
    if not before:
        return released
    # asked after the launches were read: a job that started since is not among them
    living = living_jobs(cluster)
    dead = {fw_id: launch for fw_id, launch in before.items() if job_of(launch) not in living}
    # read again: a job that was ending wrote its result before it left the queue
    now = held_launches(cluster, campaign, database) if dead else {}
    lost = [fw_id for fw_id, launch in dead.items() if now.get(fw_id, {}).get("launch_id") == launch["launch_id"]]
    return released + [fw_id for fw_id in lost if _take_back_or_fail(fw_id, dead[fw_id], database)]


def _release_claims(campaign: str, database: Database) -> list[int]:
    """Make steps ready again whose taker died before it gave them a launch, which no job is known by."""
    launchpad = database.launchpad
    taken = {"spec.campaign": campaign, "state": "RESERVED", "launches": []}
    found = list(launchpad.fireworks.find(taken, {"fw_id": 1, "state": 1, "launches": 1, "updated_on": 1}))
    old = [firework for firework in found if seconds_since(firework["updated_on"]) > CLAIM_SECONDS]
    return [int(firework["fw_id"]) for firework in old if make_ready(launchpad, firework)]


def _take_back_or_fail(fw_id: int, launch: Mapping[str, Any], database: Database) -> bool:
    """Make a lost step ready again; False if it failed, because it has lost its job too often."""
    launchpad = database.launchpad
    before = launchpad.fireworks.find_one({"fw_id": fw_id}, {"archived_launches": 1})["archived_launches"]
    if len(before) < MOST_LOSSES:
        if was_at_time_limit(str(launch["launch_dir"]), job_of(launch)):
            ask_for_more_time(launchpad, fw_id)
        take_back(launchpad, fw_id, int(launch["launch_id"]))
        return True
    launchpad.forget_offline(int(launch["launch_id"]))
    reason = (
        f"job {job_of(launch)} is gone, and {len(before)} launches before it did not finish this step either: give "
        "jobs more time (walltime in my_qadapter.yaml) or more processes; *.error in the step's folder says more"
    )
    fail_step(fw_id, database, reason)
    return False


def take_back(launchpad: LaunchPad, fw_id: int, launch_id: int) -> None:
    """Make one firework ready again whose launch nobody will finish.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    fw_id, launch_id
        The firework and its last launch.
    """
    over = {"launch_id": launch_id, "state": {"$in": ["COMPLETED", "FIZZLED"]}}
    if launchpad.launches.count_documents(over):
        launchpad._refresh_wf(fw_id)
        return
    launchpad.forget_offline(launch_id)
    launchpad.rerun_fw(fw_id)
