"""Fireworks that a job made when it ran: a rerun makes them anew, so those of before must go.

FireWorks appends what a job makes (a replacement, a detour, an addition) each time the job completes. After a rerun the
workflow would hold two of each, and the documents of the first would pass for results.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fireworks import LaunchPad
from fireworks.core.launchpad import WFLock, get_action_from_gridfs

JobKey = tuple[str, int]
"""Name (uuid) and index of a job of jobflow, which its firework and its document share."""

JOB_UUID, JOB_INDEX = "spec._tasks.job.uuid", "spec._tasks.job.index"


def rerun_firework(launchpad: LaunchPad, launch_id: int) -> int | None:
    """The firework of a launch if it had launches before that were put aside; None otherwise.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    launch_id
        The launch.
    """
    rerun = {"launches": launch_id, "archived_launches.0": {"$exists": True}}
    found = launchpad.fireworks.find_one(rerun, {"fw_id": 1})
    return None if found is None else int(found["fw_id"])


def drop_made_before(launchpad: LaunchPad, fw_id: int, outputs: str) -> list[int]:
    """Remove what a rerun job, and those that follow upon it, made in their earlier runs, with the documents.

    To be called before the new launch completes.

    Parameters
    ----------
    launchpad
        The LaunchPad; nobody may hold the lock of the workflow.
    fw_id
        The firework of the rerun job.
    outputs
        Collection of the documents, in the database of the LaunchPad.

    Returns
    -------
    list of int
        The fireworks that were removed.
    """
    with WFLock(launchpad, fw_id):
        workflow = launchpad.workflows.find_one({"nodes": fw_id})
        fields = {"fw_id": 1, "launches": 1, "archived_launches": 1, JOB_UUID: 1, JOB_INDEX: 1}
        query = {"fw_id": {"$in": workflow["nodes"]}}
        fireworks = {entry["fw_id"]: entry for entry in launchpad.fireworks.find(query, fields)}
        after = _descendants(workflow["links"], fw_id)
        # what has been launched since the rerun made its jobs by now
        again = [fw_id, *(one for one in after if not fireworks[one]["launches"])]
        keys = {key for one in again for key in _made(launchpad, fireworks[one])}
        gone = [one for one in after if _keys([fireworks[one]]) & keys]
        if gone:
            # the documents first: they are known by what is still there
            for uuid, index in keys:
                launchpad.db[outputs].delete_many({"uuid": uuid, "index": index})
            _remove(launchpad, workflow, [fireworks[fw_id] for fw_id in gone])
    return gone


def _descendants(links: dict[str, list[int]], fw_id: int) -> list[int]:
    found: list[int] = []
    waiting = [fw_id]
    while waiting:
        children = [child for child in links.get(str(waiting.pop()), ()) if child not in found]
        found += children
        waiting += children
    return found


def _made(launchpad: LaunchPad, firework: dict[str, Any]) -> set[JobKey]:
    """Jobs that the archived launches of a firework made."""
    made: set[JobKey] = set()
    for launch in launchpad.launches.find({"launch_id": {"$in": firework["archived_launches"]}}, {"action": 1}):
        action = get_action_from_gridfs(launch.get("action"), launchpad.gridfs_fallback) or {}
        for workflow in (*action.get("detours", ()), *action.get("additions", ())):
            made |= _keys(workflow["fws"])
    return made


def _keys(fireworks: Iterable[dict[str, Any]]) -> set[JobKey]:
    tasks = (task for firework in fireworks for task in firework.get("spec", {}).get("_tasks", ()))
    return {(task["job"]["uuid"], task["job"]["index"]) for task in tasks if "uuid" in task.get("job", {})}


def _remove(launchpad: LaunchPad, workflow: dict[str, Any], fireworks: list[dict[str, Any]]) -> None:
    """Take fireworks and their launches out of a workflow; the links that detours were put beside are still there."""
    gone = {firework["fw_id"] for firework in fireworks}

    def kept(links: dict[str, list[int]]) -> dict[str, list[int]]:
        return {key: [one for one in ids if one not in gone] for key, ids in links.items() if int(key) not in gone}

    changed = {
        "nodes": [fw_id for fw_id in workflow["nodes"] if fw_id not in gone],
        "links": kept(workflow["links"]),
        "parent_links": {key: ids for key, ids in kept(workflow["parent_links"]).items() if ids},
        "fw_states": {key: state for key, state in workflow["fw_states"].items() if int(key) not in gone},
    }
    launches = [launch for one in fireworks for launch in (*one["launches"], *one["archived_launches"])]
    launchpad.workflows.update_one({"_id": workflow["_id"]}, {"$set": changed})
    # fireworks that a kill leaves here are in no workflow, by which they are found
    launchpad.launches.delete_many({"launch_id": {"$in": launches}})
    launchpad.fireworks.delete_many({"fw_id": {"$in": sorted(gone)}})
