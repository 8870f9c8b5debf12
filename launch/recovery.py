"""What an earlier run left behind: steps of dead workers, failed steps, steps that nobody asks for any more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fireworks import FWAction, LaunchPad

from hightc.launch.bulk_launchpad import KEYS_A_QUERY, batches, find_among
from hightc.launch.dispatch import ACTIVE, WORKER_PREFIX, Submission, in_order, worker_name
from hightc.launch.patience import CLAIMED_BY, is_signed, sign_of
from hightc.launch.store import Database
from hightc.launch.stored_words import utc
from hightc.launch.unfit_workflows import OVER, find_unfit, has_strays, mend

LAUNCH_SECONDS = 0.5
"""Longer than a living worker holds a firework without a launch."""

SET_ASIDE = "set_aside"
"""Mark in the spec of a firework that was paused because its campaign no longer asks for it."""


@dataclass(frozen=True)
class Loss:
    """Whose steps are lost.

    Attributes
    ----------
    dead_worker
        The one worker that died while others live; None if no worker of the campaign runs on this machine.
    dead_sign
        Sign of its process in locks and claims; None if it is not known.
    held
        Folder of the campaign if this process holds it.
    """

    dead_worker: str | None = None
    dead_sign: str | None = None
    held: Path | None = None


def recover_interrupted(
    submissions: Iterable[Submission],
    database: Database,
    *,
    dead_worker: str | None = None,
    dead_sign: str | None = None,
    held: Path | None = None,
) -> list[int]:
    """Make fireworks ready again whose worker is gone, and let workflows fit that it left half written.

    A step keeps its folder, so it continues where it can. What failed is tried again only when no worker is named.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    dead_worker
        The one worker that died while others live; None if no worker of the campaign runs on this machine.
    dead_sign
        Sign of its process in locks and claims (`hightc.launch.patience.sign_of`); None if it is not known.
    held
        Folder of the campaign if this process holds it (`hold_campaign`): what ran in it on any machine is lost, for
        example on the node of a batch job that has ended.

    Returns
    -------
    list of int
        Fireworks that will run again.
    """
    chosen = tuple(submissions)
    loss = Loss(dead_worker, dead_sign, held)
    lost = _lost_fireworks(chosen, database, loss)
    _unlock(chosen, database, loss, {int(firework["fw_id"]) for firework in lost})
    recovered = [int(firework["fw_id"]) for firework in lost if make_ready(database.launchpad, firework)]
    for campaign in _campaigns(chosen):
        # those that are in no workflow wait without harm while workers are at work
        strays = dead_worker is None and has_strays(campaign, database)
        mend(find_unfit(campaign, database, whole=strays), database)
    return recovered


def _campaigns(submissions: Iterable[Submission]) -> list[str]:
    return sorted({submission.material.tag.campaign for submission in submissions})


def _unlock(submissions: Sequence[Submission], database: Database, loss: Loss, lost: set[int]) -> None:
    """Break the locks of the dead."""
    workflows = database.launchpad.workflows
    locked = {"metadata.campaign": {"$in": _campaigns(submissions)}, "locked": {"$exists": True}}
    if loss.dead_worker is None:
        workflows.update_many({**locked, **_held_here()}, {"$unset": {"locked": True}})
        return
    for workflow in list(workflows.find(locked, {"nodes": 1, "locked": 1})):
        mark = workflow["locked"]
        if loss.dead_sign is not None and isinstance(mark, str):
            dead = is_signed(mark, loss.dead_sign)
        else:
            dead = not lost.isdisjoint(workflow["nodes"])
        if dead:
            workflows.update_one({"_id": workflow["_id"], "locked": mark}, {"$unset": {"locked": True}})


def _held_here() -> dict[str, Any]:
    """Locks of this machine's processes, and those without a sign; others break by themselves in seconds."""
    here = {"$regex": f"^{re.escape(sign_of(0).rpartition(':')[0])}:"}
    return {"$or": [{"locked": here}, {"locked": True}]}


def lost_steps(
    submissions: Iterable[Submission], database: Database, *, dead_worker: str, dead_sign: str | None = None
) -> list[int]:
    """Fireworks that a worker was running when it died.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    dead_worker
        Name of the worker.
    dead_sign
        Sign of its process in locks and claims; None if it is not known.
    """
    lost = _lost_fireworks(tuple(submissions), database, Loss(dead_worker, dead_sign))
    return [int(firework["fw_id"]) for firework in lost if firework["launches"]]


def fail_step(fw_id: int, database: Database, reason: str) -> None:
    """Let a step fail whose worker cannot say why, because it was killed.

    Parameters
    ----------
    fw_id
        A firework that has a launch.
    database
        The database.
    reason
        What is stored in the place of a traceback.
    """
    launchpad = database.launchpad
    firework = launchpad.fireworks.find_one({"fw_id": fw_id}, {"launches": 1})
    launchpad.workflows.update_many({"nodes": fw_id, **_held_here()}, {"$unset": {"locked": True}})
    if _is_over(launchpad, firework):
        # it died after its step
        launchpad._refresh_wf(fw_id)
        return
    action = FWAction(stored_data={"_exception": {"_stacktrace": reason, "_details": None}}, exit=True)
    launchpad.complete_launch(firework["launches"][-1], action, "FIZZLED")


def _is_over(launchpad: LaunchPad, firework: Mapping[str, Any]) -> bool:
    over = {"launch_id": firework["launches"][-1], "state": {"$in": list(OVER)}}
    return bool(launchpad.launches.count_documents(over, limit=1))


def _lost_fireworks(submissions: Sequence[Submission], database: Database, loss: Loss) -> list[Mapping[str, Any]]:
    """Fireworks of the materials that nobody will finish, in order."""
    states = ["RUNNING", "RESERVED"] if loss.dead_worker else ["RUNNING", "RESERVED", "FIZZLED"]
    launchpad = database.launchpad
    query = {"spec.campaign": {"$in": _campaigns(submissions)}, "state": {"$in": states}}
    fields = {"fw_id": 1, "state": 1, "launches": 1, "updated_on": 1, "spec._priority": 1, CLAIMED_BY: 1}
    found = list(launchpad.fireworks.find(query, fields))
    ids = [int(firework["launches"][-1]) for firework in found if firework["launches"]]
    launches = {
        int(launch["launch_id"]): _worker_and_folder(launch)
        for launch in find_among(launchpad.launches, "launch_id", ids, {"launch_id": 1, **LAUNCH_FIELDS})
    }
    lost = [firework for firework in found if _is_lost(firework, launches, loss)]
    places = _places(submissions, [int(firework["fw_id"]) for firework in lost], launchpad)
    asked_for = [firework for firework in in_order(lost) if firework["fw_id"] in places]
    return sorted(asked_for, key=lambda firework: places[firework["fw_id"]])


def _places(submissions: Sequence[Submission], ids: Sequence[int], launchpad: LaunchPad) -> dict[int, int]:
    """Number of the material that each firework belongs to, be it by a job that added it; none for other materials."""
    own = {fw_id: place for place, submission in enumerate(submissions) for fw_id in submission.fw_ids}
    places = {fw_id: own[fw_id] for fw_id in ids if fw_id in own}
    others = [fw_id for fw_id in ids if fw_id not in own]
    for workflow in find_among(launchpad.workflows, "nodes", others, {"nodes": 1, "_id": 0}):
        place = next((own[node] for node in workflow["nodes"] if node in own), None)
        if place is not None:
            places |= dict.fromkeys(workflow["nodes"], place)
    return places


def _is_lost(firework: Mapping[str, Any], launches: Mapping[int, tuple[str, Path]], loss: Loss) -> bool:
    """Whether nobody will finish this firework."""
    if firework["state"] == "FIZZLED":
        return True
    if not firework["launches"]:
        claim = firework.get(CLAIMED_BY)
        if loss.dead_worker is not None and loss.dead_sign is not None and claim is not None:
            return is_signed(claim, loss.dead_sign)
        # a living worker takes a firework and gives it a launch within milliseconds
        return loss.dead_worker is None or seconds_since(firework["updated_on"]) > LAUNCH_SECONDS
    name, folder = launches.get(int(firework["launches"][-1]), NOBODY)
    if loss.dead_worker is not None:
        return name == loss.dead_worker
    inside = loss.held is not None and folder.is_relative_to(loss.held)
    return name.startswith(worker_name("")) or (inside and name.startswith(WORKER_PREFIX))


def runs_here(launchpad: LaunchPad, firework: Mapping[str, Any]) -> bool:
    """Whether a worker of this machine runs the firework, or took it a moment ago.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    firework
        Document with ``launches``.
    """
    if not firework["launches"]:
        return True
    name, _ = _last_launch(launchpad, firework)
    return name.startswith(worker_name(""))


LAUNCH_FIELDS = {"fworker.name": 1, "launch_dir": 1}
NOBODY = ("", Path())


def _last_launch(launchpad: Any, firework: Mapping[str, Any]) -> tuple[str, Path]:
    """Worker and folder of the last launch of a firework that has one."""
    launch = launchpad.launches.find_one({"launch_id": firework["launches"][-1]}, LAUNCH_FIELDS)
    return _worker_and_folder(launch) if launch else NOBODY


def _worker_and_folder(launch: Mapping[str, Any]) -> tuple[str, Path]:
    return str((launch.get("fworker") or {}).get("name", "")), Path(str(launch.get("launch_dir", "")))


def seconds_since(moment: datetime | str) -> float:
    """Seconds since a time that FireWorks stored.

    Parameters
    ----------
    moment
        As stored.
    """
    return (datetime.now(UTC) - utc(moment)).total_seconds()


def make_ready(launchpad: LaunchPad, firework: Mapping[str, Any]) -> bool:
    """Put a lost firework back; False if its launch was over and only the workflow had not heard of it.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    firework
        Document with ``fw_id``, ``state`` and ``launches``.
    """
    fw_id = int(firework["fw_id"])
    if not firework["launches"]:
        same = {"fw_id": fw_id, "state": firework["state"], "launches": []}
        launchpad.fireworks.update_one(same, {"$set": {"state": "READY"}, "$unset": {CLAIMED_BY: True}})
        return True
    if firework["state"] == "RUNNING" and _is_over(launchpad, firework):
        launchpad._refresh_wf(fw_id)
        return False
    launchpad.rerun_fw(fw_id)
    return True


def set_aside(campaign: str, submissions: Iterable[Submission], database: Database) -> int:
    """Pause what the campaign's file no longer asks for, and let go on what it asks for again.

    Materials may have been removed from it, or their numbers changed.

    Call it while no worker of the campaign runs on this machine.

    Parameters
    ----------
    campaign
        Name of the campaign.
    submissions
        What it asks for now.
    database
        The database.

    Returns
    -------
    int
        Steps that were set aside; they go on when the file asks for them again.
    """
    launchpad = database.launchpad
    own = {fw_id for submission in submissions for fw_id in submission.fw_ids}
    wanted, unwanted = set(own), []
    for workflow in launchpad.workflows.find({"metadata.campaign": campaign}, {"nodes": 1, "_id": 0}):
        if own.isdisjoint(workflow["nodes"]):
            unwanted += workflow["nodes"]
        else:
            wanted.update(workflow["nodes"])
    _resume(launchpad, campaign, wanted)
    count = 0
    for part in batches(unwanted, KEYS_A_QUERY):
        stale = {"fw_id": {"$in": list(part)}, "state": {"$in": list(ACTIVE)}, "spec.campaign": campaign}
        found = list(launchpad.fireworks.find(stale, {"fw_id": 1, "state": 1, "launches": 1}))
        count += sum(_put_aside(launchpad, firework) for firework in found)
    return count


def _put_aside(launchpad: LaunchPad, firework: Mapping[str, Any]) -> bool:
    """Pause a step, or let it fail if its worker is dead; False if its worker lives."""
    if firework["state"] != "RUNNING" or not firework["launches"]:
        mark = {"$set": {"state": "PAUSED", f"spec.{SET_ASIDE}": True}}
        launchpad.fireworks.update_one({"fw_id": firework["fw_id"]}, mark)
        launchpad._refresh_wf(firework["fw_id"])
        return True
    if _last_launch(launchpad, firework)[0].startswith(worker_name("")):
        launchpad.mark_fizzled(firework["launches"][-1])
        return True
    return False


def _resume(launchpad: LaunchPad, campaign: str, wanted: set[int]) -> None:
    """Let steps go on that had been set aside."""
    paused = {"spec.campaign": campaign, "state": "PAUSED", f"spec.{SET_ASIDE}": True}
    for firework in list(launchpad.fireworks.find(paused, {"fw_id": 1})):
        if firework["fw_id"] in wanted:
            launchpad.fireworks.update_one({"fw_id": firework["fw_id"]}, {"$unset": {f"spec.{SET_ASIDE}": True}})
            launchpad.resume_fw(firework["fw_id"])
