"""Steps that nobody will finish, whoever ran them, and steps that failed, by their cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fireworks.fw_config import RUN_EXPIRATION_SECS

from hightc.launch.bulk_launchpad import find_among
from hightc.launch.claims import CLAIM_SECONDS
from hightc.launch.cluster_queue import QUEUE_PREFIX
from hightc.launch.dispatch import in_order, worker_lock, worker_name
from hightc.launch.errors import LaunchError
from hightc.launch.recovery import make_ready, seconds_since
from hightc.launch.status import cause_of
from hightc.launch.store import Database
from hightc.launch.stored_words import error_message, redact

PING_LIMIT_SECONDS: Final = float(RUN_EXPIRATION_SECS)
"""FireWorks writes every hour that a step still runs; silent for so long (four hours), its worker is held for dead."""

UNKNOWN_REASON: Final = "no reason was stored"


@dataclass(frozen=True)
class LostRun:
    """One step that is marked as running.

    Attributes
    ----------
    fw_id, name, worker
        The firework, its name and its worker.
    lost
        Whether nobody will finish it.
    reason
        How that is known.
    """

    fw_id: int
    name: str
    worker: str
    lost: bool
    reason: str


@dataclass(frozen=True)
class FailedSteps:
    """Steps that failed for one cause.

    Attributes
    ----------
    cause
        What their messages have in common.
    example
        The whole message of the last.
    fw_ids
        The fireworks, the first step of a material first.
    """

    cause: str
    example: str
    fw_ids: tuple[int, ...]


def running_steps(
    database: Database,
    campaign: str,
    directory: Path,
    *,
    run_alive: bool,
    ping_limit_seconds: float = PING_LIMIT_SECONDS,
) -> tuple[LostRun, ...]:
    """Judge every step of a campaign that is marked as running or taken.

    Parameters
    ----------
    database
        The database.
    campaign
        Name of the campaign.
    directory
        Folder of the campaign on this machine, where its workers hold their locks.
    run_alive
        Whether a ``hightc run`` works on the campaign here: it takes care of its own workers.
    ping_limit_seconds
        Silence after which a worker of another machine is held for dead, in s.
    """
    fields = {"fw_id": 1, "name": 1, "state": 1, "launches": 1, "updated_on": 1, "spec._priority": 1}
    query = {"spec.campaign": campaign, "state": {"$in": ["RUNNING", "RESERVED"]}}
    found = in_order(database.launchpad.fireworks.find(query, fields))
    launches = _last_launches(database, found, {"fworker.name": 1, "launch_dir": 1, "state_history": 1})
    judged = []
    for firework in found:
        launch = launches.get(_last(firework), {})
        worker = str((launch.get("fworker") or {}).get("name", ""))
        if not launch:
            seconds = seconds_since(firework["updated_on"])
            lost, reason = seconds > CLAIM_SECONDS, f"taken {_age(seconds)} ago and never begun"
        elif worker.startswith(QUEUE_PREFIX):
            lost, reason = False, "a job of a queue: hightc cluster launch asks the queue for it"
        elif worker.startswith(worker_name("")):
            lost, reason = _judge_here(worker, Path(str(launch.get("launch_dir", ""))), directory, run_alive)
        else:
            lost, reason = _judge_elsewhere(launch, ping_limit_seconds)
        judged.append(LostRun(int(firework["fw_id"]), str(firework["name"]), worker, lost, reason))
    return tuple(judged)


def _judge_here(worker: str, launch_dir: Path, directory: Path, run_alive: bool) -> tuple[bool, str]:
    """Whether a worker of this machine is dead: nobody holds its lock then."""
    if run_alive:
        return False, "the hightc run that is alive takes care of its workers"
    number = worker.rpartition(":")[2]
    # the campaign may have been run from another work folder than that of today's settings
    folders = [folder for folder in launch_dir.parents if (folder / "workers" / f"worker-{number}.lock").is_file()]
    for folder in (*folders[:1], directory):
        if (folder / "workers").is_dir():
            lock = worker_lock(folder, f"worker-{number}")
            if lock is None:
                return False, "its worker is alive"
            lock.close()
    return True, "its worker on this machine is dead"


def _judge_elsewhere(launch: Mapping[str, Any], limit_seconds: float) -> tuple[bool, str]:
    """Whether a worker of another machine has been silent for too long."""
    running = [entry for entry in launch.get("state_history") or () if entry["state"] == "RUNNING"]
    if not running:
        return False, "waits on another machine"
    seconds = seconds_since(running[-1].get("updated_on") or running[-1]["created_on"])
    said = f"its worker on another machine was last heard {_age(seconds)} ago"
    if seconds > limit_seconds:
        return True, f"{said}, more than {_age(limit_seconds)}"
    return False, f"{said}; held for dead after {_age(limit_seconds)}"


def _age(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def failed_steps(database: Database, campaign: str) -> tuple[FailedSteps, ...]:
    """Every failed step of a campaign by cause, the most frequent cause first.

    Parameters
    ----------
    database
        The database.
    campaign
        Name of the campaign.
    """
    fields = {"fw_id": 1, "launches": 1, "spec._priority": 1}
    found = in_order(database.launchpad.fireworks.find({"spec.campaign": campaign, "state": "FIZZLED"}, fields))
    launches = _last_launches(database, found, {"action.stored_data._exception": 1})
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for firework in found:
        action = launches.get(_last(firework), {}).get("action") or {}
        stored = (action.get("stored_data") or {}).get("_exception") or {}
        message = redact(error_message(str(stored.get("_stacktrace") or ""))) or UNKNOWN_REASON
        groups[cause_of(message)].append((int(firework["fw_id"]), message))
    ordered = sorted(groups.items(), key=lambda entry: -len(entry[1]))
    return tuple(FailedSteps(cause, members[-1][1], tuple(fw_id for fw_id, _ in members)) for cause, members in ordered)


def put_back(fw_ids: Iterable[int], database: Database) -> int:
    """Make steps ready again; what of them lies finished on disk is taken over when they run.

    Parameters
    ----------
    fw_ids
        Fireworks that nobody runs.
    database
        The database.

    Returns
    -------
    int
        How many will run again; the others were finished, and only their workflow had not heard of it.
    """
    count = 0
    for fw_id in fw_ids:
        query = {"fw_id": fw_id, "state": {"$in": ["RUNNING", "RESERVED", "FIZZLED"]}}
        firework = database.launchpad.fireworks.find_one(query, {"fw_id": 1, "state": 1, "launches": 1})
        # a step may have finished, or failed again, since it was judged
        count += firework is not None and make_ready(database.launchpad, firework)
    return count


def campaign_names(database: Database, campaign: str | None) -> list[str]:
    """The campaign asked for, or all of the database.

    Parameters
    ----------
    database
        The database.
    campaign
        Name of a campaign; None for all.

    Raises
    ------
    LaunchError
        If the database has no such campaign.
    """
    names = sorted(filter(None, database.launchpad.workflows.distinct("metadata.campaign")))
    if campaign is None:
        return [str(name) for name in names]
    if campaign not in names:
        msg = f"campaign {campaign!r}: expected one of the database, found none: hightc status lists all"
        raise LaunchError(msg)
    return [campaign]


def _last(firework: Mapping[str, Any]) -> int | None:
    launches = firework.get("launches") or []
    return int(launches[-1]) if launches else None


def _last_launches(
    database: Database, fireworks: Iterable[Mapping[str, Any]], fields: Mapping[str, int]
) -> dict[int | None, dict[str, Any]]:
    ids = [launch for firework in fireworks if (launch := _last(firework)) is not None]
    found = find_among(database.launchpad.launches, "launch_id", ids, {"launch_id": 1, **fields})
    return {int(launch["launch_id"]): launch for launch in found}
