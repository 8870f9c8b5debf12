"""What an earlier run left behind: steps of dead workers, failed steps, steps that nobody asks for any more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fireworks import FWAction, LaunchPad

from hightc.launch.dispatch import ACTIVE, WORKER_PREFIX, Submission, in_order, nodes_of, worker_name
from hightc.launch.store import Database

LAUNCH_SECONDS = 0.5
"""Longer than a living worker holds a firework without a launch."""

CLAIM_SECONDS = 60.0
"""Longer than a living worker holds a firework without a launch when the database was away in between."""

CLAIM_POLL_SECONDS = 10.0

SET_ASIDE = "set_aside"
"""Mark in the spec of a firework that was paused because its campaign no longer asks for it."""


def recover_interrupted(
    submissions: Iterable[Submission],
    database: Database,
    *,
    dead_worker: str | None = None,
    held: Path | None = None,
) -> list[int]:
    """Make fireworks ready again whose worker is gone.

    A step keeps its folder, so it continues where it can. What failed is tried again only when no worker is named.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    dead_worker
        The one worker that died while others live; None if no worker of the campaign runs on this machine.
    held
        Folder of the campaign if this process holds it (`hold_campaign`): what ran in it on any machine is lost, for
        example on the node of a batch job that has ended.

    Returns
    -------
    list of int
        Fireworks that will run again.
    """
    launchpad = database.launchpad
    recovered: list[int] = []
    for submission in submissions:
        lost = _lost_fireworks(submission, database, dead_worker, held)
        if lost or dead_worker is None:
            launchpad.workflows.update_many({"nodes": {"$in": list(submission.fw_ids)}}, {"$unset": {"locked": True}})
        recovered += [int(firework["fw_id"]) for firework in lost if make_ready(launchpad, firework)]
    return recovered


def lost_steps(submissions: Iterable[Submission], database: Database, *, dead_worker: str) -> list[int]:
    """Fireworks that a worker was running when it died.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    dead_worker
        Name of the worker.
    """
    lost = [firework for entry in submissions for firework in _lost_fireworks(entry, database, dead_worker)]
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
    launchpad.workflows.update_many({"nodes": fw_id}, {"$unset": {"locked": True}})
    action = FWAction(stored_data={"_exception": {"_stacktrace": reason, "_details": None}}, exit=True)
    launchpad.complete_launch(firework["launches"][-1], action, "FIZZLED")


def _lost_fireworks(
    submission: Submission, database: Database, dead_worker: str | None, held: Path | None = None
) -> list[Mapping[str, Any]]:
    """Fireworks of a material that nobody will finish, in order."""
    states = ["RUNNING", "RESERVED"] if dead_worker else ["RUNNING", "RESERVED", "FIZZLED"]
    launchpad = database.launchpad
    query = {"fw_id": {"$in": nodes_of(submission, database)}, "state": {"$in": states}}
    fields = {"fw_id": 1, "state": 1, "launches": 1, "updated_on": 1, "spec._priority": 1}
    found = launchpad.fireworks.find(query, fields)
    lost = [firework for firework in found if _is_lost(launchpad, firework, dead_worker, held)]
    return in_order(lost)


def _is_lost(launchpad: Any, firework: Mapping[str, Any], dead_worker: str | None, held: Path | None = None) -> bool:
    """Whether nobody will finish this firework."""
    if firework["state"] == "FIZZLED":
        return True
    if not firework["launches"]:
        # a living worker takes a firework and gives it a launch within milliseconds
        return dead_worker is None or seconds_since(firework["updated_on"]) > LAUNCH_SECONDS
    name, folder = _last_launch(launchpad, firework)
    if dead_worker is not None:
        return name == dead_worker
    inside = held is not None and folder.is_relative_to(held)
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


def _last_launch(launchpad: Any, firework: Mapping[str, Any]) -> tuple[str, Path]:
    """Worker and folder of the last launch of a firework that has one."""
    fields = {"fworker": 1, "launch_dir": 1}
    launch = launchpad.launches.find_one({"launch_id": firework["launches"][-1]}, fields) or {}
    return str(launch.get("fworker", {}).get("name", "")), Path(str(launch.get("launch_dir", "")))


def seconds_since(moment: datetime | str) -> float:
    """Seconds since a time that FireWorks stored.

    Parameters
    ----------
    moment
        As stored.
    """
    return (datetime.now(UTC) - utc(moment)).total_seconds()


def utc(moment: datetime | str) -> datetime:
    """A time that FireWorks stored, with its zone.

    Parameters
    ----------
    moment
        As stored: a datetime or ISO 8601, with or without its zone.
    """
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return value if value.tzinfo else value.replace(tzinfo=UTC)


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
        launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": {"state": "READY"}})
        return True
    if firework["state"] == "RUNNING":
        over = {"launch_id": firework["launches"][-1], "state": {"$in": ["COMPLETED", "FIZZLED"]}}
        if launchpad.launches.count_documents(over):
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
    wanted = [fw_id for submission in submissions for fw_id in nodes_of(submission, database)]
    _resume(launchpad, wanted)
    stale = {"spec.campaign": campaign, "state": {"$in": list(ACTIVE)}, "fw_id": {"$nin": wanted}}
    count = 0
    for firework in launchpad.fireworks.find(stale, {"fw_id": 1, "state": 1, "launches": 1}):
        if firework["state"] != "RUNNING" or not firework["launches"]:
            mark = {"$set": {"state": "PAUSED", f"spec.{SET_ASIDE}": True}}
            launchpad.fireworks.update_one({"fw_id": firework["fw_id"]}, mark)
            launchpad._refresh_wf(firework["fw_id"])
        elif _is_lost(launchpad, firework, None):
            launchpad.mark_fizzled(firework["launches"][-1])
        else:
            continue
        count += 1
    return count


def _resume(launchpad: LaunchPad, ids: Iterable[int]) -> None:
    """Let steps go on that had been set aside."""
    paused = {"fw_id": {"$in": list(ids)}, "state": "PAUSED", f"spec.{SET_ASIDE}": True}
    for firework in launchpad.fireworks.find(paused, {"fw_id": 1}):
        launchpad.fireworks.update_one({"fw_id": firework["fw_id"]}, {"$unset": {f"spec.{SET_ASIDE}": True}})
        launchpad.resume_fw(firework["fw_id"])


@dataclass
class Claims:
    """Steps that are taken and not begun: the claim arrived at the database, its answer never at the worker.

    Attributes
    ----------
    patience_seconds
        How long a claim may last before it is undone.
    """

    patience_seconds: float = CLAIM_SECONDS
    _since: dict[tuple[int, str], float] = field(default_factory=dict)
    _looked: float = float("-inf")

    def release(self, campaign: str, database: Database) -> list[int]:
        """Undo the claims of a campaign that have lasted for too long; it looks now and then only.

        Parameters
        ----------
        campaign
            Name of the campaign.
        database
            The database.

        Returns
        -------
        list of int
            Fireworks that are ready again.
        """
        now = time.monotonic()
        if now - self._looked < min(CLAIM_POLL_SECONDS, self.patience_seconds):
            return []
        # what was seen before a long silence of the database is no older than before it
        kept = self._since if now - self._looked < 2 * CLAIM_POLL_SECONDS else {}
        fireworks = database.launchpad.fireworks
        taken = {"spec.campaign": campaign, "state": "RESERVED", "launches": []}
        found = {
            (int(entry["fw_id"]), str(entry["updated_on"])): entry
            for entry in fireworks.find(taken, {"fw_id": 1, "updated_on": 1})
        }
        self._looked = time.monotonic()
        self._since = {claim: kept.get(claim, self._looked) for claim in found}
        old = [claim for claim, since in self._since.items() if self._looked - since >= self.patience_seconds]
        for claim in old:
            same = {**taken, "fw_id": claim[0], "updated_on": found[claim]["updated_on"]}
            fireworks.update_one(same, {"$set": {"state": "READY"}})
        return [fw_id for fw_id, _ in old]
