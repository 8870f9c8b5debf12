"""The state of every campaign in the database: counts, rates, what runs where, failures grouped by cause."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hightc.launch.store import Database
from hightc.launch.stored_words import error_message, redact, utc

LEFT: Final = ("READY", "WAITING", "RUNNING", "RESERVED")
"""States of fireworks that something is still to be done for."""

RATE_SPAN: Final = timedelta(hours=1)
"""Time over which finished steps are counted for the rate."""

RATE_LAUNCHES: Final = 500
SHORTEST_HOURS: Final = 1 / 60
"""Newest launches that the rate is taken from, and the shortest time it is taken over."""

MOST_RUNNING: Final = 200
MOST_FAILURES: Final = 1000
"""Running and failed steps that are read; of more, the newest."""

NUMBERS: Final = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
PATHS: Final = re.compile(r"(?:\.{0,2}/)?(?:[\w.+@-]+/)+[\w.+@-]*")


@dataclass(frozen=True)
class CampaignStatus:
    """Counts of one campaign.

    Attributes
    ----------
    name
        Name of the campaign.
    materials
        Workflows by state, as FireWorks names states.
    steps
        Fireworks by state.
    per_hour
        Steps finished in an hour, by the last hour or by the newest launches.
    """

    name: str
    materials: Mapping[str, int]
    steps: Mapping[str, int]
    per_hour: float

    @property
    def left(self) -> int:
        """Steps that are not finished and not stopped; running jobs may add others."""
        return sum(self.steps.get(state, 0) for state in LEFT)

    @property
    def hours_left(self) -> float | None:
        """Time to the end at the rate of the last hour; None where nothing was finished in it."""
        if not self.left:
            return 0.0
        return self.left / self.per_hour if self.per_hour else None


@dataclass(frozen=True)
class RunningStep:
    """One step that runs now.

    Attributes
    ----------
    campaign, name
        Campaign, and label of the material with the step.
    worker, host
        Where it runs.
    seconds
        For how long, in s; None if FireWorks does not say.
    """

    campaign: str
    name: str
    worker: str
    host: str
    seconds: float | None


@dataclass(frozen=True)
class FailureGroup:
    """Steps that failed for one cause.

    Attributes
    ----------
    cause
        The message, with numbers and paths left out.
    example
        The whole message of the newest.
    count
        How many.
    campaigns
        Campaigns they belong to.
    fw_ids
        The newest few.
    directory
        Folder of the newest.
    """

    cause: str
    example: str
    count: int
    campaigns: tuple[str, ...]
    fw_ids: tuple[int, ...]
    directory: str


@dataclass(frozen=True)
class Status:
    """Everything that ``hightc status`` shows.

    Attributes
    ----------
    campaigns
        By name.
    running
        The longest first.
    failures
        The most frequent first.
    failures_left_out
        Failed steps that were not read.
    """

    campaigns: tuple[CampaignStatus, ...]
    running: tuple[RunningStep, ...]
    failures: tuple[FailureGroup, ...]
    failures_left_out: int


def read_status(database: Database, campaign: str | None = None) -> Status:
    """Read the state of one campaign or of all.

    What is asked of the database is counted there by indexes; only running and failed steps are read, at most
    `MOST_RUNNING` and `MOST_FAILURES` of them.

    Parameters
    ----------
    database
        The database.
    campaign
        Name of the campaign; all if None.
    """
    launchpad = database.launchpad
    names = [campaign] if campaign else sorted(filter(None, launchpad.workflows.distinct("metadata.campaign")))
    recent = _finished_lately(database)
    campaigns = tuple(
        CampaignStatus(
            name=name,
            materials=_counts(launchpad.workflows, "metadata.campaign", name),
            steps=_counts(launchpad.fireworks, "spec.campaign", name),
            per_hour=recent.get(name, 0.0),
        )
        for name in names
    )
    failures, left_out = _failures(database, campaign)
    return Status(campaigns, _running(database, campaign), failures, left_out)


STATES: Final = (
    *("ARCHIVED", "FIZZLED", "DEFUSED", "PAUSED", "WAITING"),
    *("READY", "RESERVED", "RUNNING", "COMPLETED"),
)
"""States of FireWorks."""


def _counts(collection: Any, field: str, name: str) -> dict[str, int]:
    found = {state: collection.count_documents({field: name, "state": state}) for state in STATES}
    return {state: count for state, count in found.items() if count}


def _finished_lately(database: Database) -> dict[str, float]:
    """Steps an hour by campaign, from the newest launches, at most `RATE_LAUNCHES` of them."""
    launchpad = database.launchpad
    counter = launchpad.fw_id_assigner.find_one({}, {"next_launch_id": 1}) or {}
    newest = int(counter.get("next_launch_id", 1))
    ids = list(range(max(1, newest - RATE_LAUNCHES), newest))
    fields = {"fw_id": 1, "state": 1, "time_end": 1, "_id": 0}
    now = datetime.now(UTC)
    ended = {
        int(launch["fw_id"]): now - utc(launch["time_end"])
        for launch in launchpad.launches.find({"launch_id": {"$in": ids}}, fields)
        if launch["state"] == "COMPLETED" and launch.get("time_end")
    }
    recent = {fw_id: age for fw_id, age in ended.items() if age < RATE_SPAN}
    if not recent:
        return {}
    # a busy campaign finishes more than is read: the rate is then that of the time they took
    span = max(recent.values()) if len(ended) == len(recent) and len(ids) == RATE_LAUNCHES else RATE_SPAN
    hours = max(span / timedelta(hours=1), SHORTEST_HOURS)
    found = launchpad.fireworks.find({"fw_id": {"$in": list(recent)}}, {"spec.campaign": 1, "_id": 0})
    counts = Counter(str(firework.get("spec", {}).get("campaign", "")) for firework in found)
    return {name: count / hours for name, count in counts.items()}


def _condition(state: str, campaign: str | None) -> dict[str, Any]:
    return {"state": state, **({"spec.campaign": campaign} if campaign else {})}


def _running(database: Database, campaign: str | None) -> tuple[RunningStep, ...]:
    launchpad = database.launchpad
    fields = {"fw_id": 1, "name": 1, "launches": 1, "spec.campaign": 1}
    found = list(launchpad.fireworks.find(_condition("RUNNING", campaign), fields).limit(MOST_RUNNING))
    launches = _last_launches(database, found, {"fworker.name": 1, "host": 1, "time_start": 1, "state_history": 1})
    steps = [_running_step(firework, launches.get(_last(firework), {})) for firework in found]
    return tuple(sorted(steps, key=lambda step: -(step.seconds or 0)))


def _running_step(firework: Mapping[str, Any], launch: Mapping[str, Any]) -> RunningStep:
    history = launch.get("state_history") or []
    start = next((entry["created_on"] for entry in history if entry["state"] == "RUNNING"), None)
    return RunningStep(
        campaign=str(firework.get("spec", {}).get("campaign", "")),
        name=str(firework["name"]),
        worker=str((launch.get("fworker") or {}).get("name", "")),
        host=str(launch.get("host", "")),
        seconds=(datetime.now(UTC) - utc(start)).total_seconds() if start else None,
    )


def _failures(database: Database, campaign: str | None) -> tuple[tuple[FailureGroup, ...], int]:
    launchpad = database.launchpad
    condition = _condition("FIZZLED", campaign)
    fields = {"fw_id": 1, "name": 1, "launches": 1, "spec.campaign": 1}
    found = list(launchpad.fireworks.find(condition, fields).sort("fw_id", -1).limit(MOST_FAILURES))
    total = launchpad.fireworks.count_documents(condition) if len(found) == MOST_FAILURES else len(found)
    launches = _last_launches(database, found, {"launch_dir": 1, "action.stored_data._exception": 1})
    groups: dict[str, list[tuple[Mapping[str, Any], str, str]]] = defaultdict(list)
    for firework in found:
        launch = launches.get(_last(firework), {})
        stored = ((launch.get("action") or {}).get("stored_data") or {}).get("_exception") or {}
        message = redact(error_message(str(stored.get("_stacktrace") or ""))) or "no reason was stored"
        groups[cause_of(message)].append((firework, message, str(launch.get("launch_dir", ""))))
    ordered = sorted(groups.items(), key=lambda entry: -len(entry[1]))
    return tuple(_group(cause, members) for cause, members in ordered), total - len(found)


def _group(cause: str, members: Sequence[tuple[Mapping[str, Any], str, str]]) -> FailureGroup:
    _, example, directory = members[0]
    campaigns = {str(firework.get("spec", {}).get("campaign", "")) for firework, _, _ in members}
    return FailureGroup(
        cause=cause,
        example=example,
        count=len(members),
        campaigns=tuple(sorted(campaigns)),
        fw_ids=tuple(int(firework["fw_id"]) for firework, _, _ in members[:5]),
        directory=directory,
    )


def cause_of(message: str) -> str:
    """Say what messages of the same failure have in common: numbers and paths are left out.

    Parameters
    ----------
    message
        An error message.
    """
    return NUMBERS.sub("#", PATHS.sub("PATH", message.splitlines()[0]))


def _last(firework: Mapping[str, Any]) -> int | None:
    launches = firework.get("launches") or []
    return int(launches[-1]) if launches else None


def _last_launches(
    database: Database, fireworks: Iterable[Mapping[str, Any]], fields: Mapping[str, int]
) -> dict[int | None, dict[str, Any]]:
    ids = [launch for firework in fireworks if (launch := _last(firework)) is not None]
    if not ids:
        return {}
    found = database.launchpad.launches.find({"launch_id": {"$in": ids}}, {"launch_id": 1, **fields})
    return {int(launch["launch_id"]): launch for launch in found}
