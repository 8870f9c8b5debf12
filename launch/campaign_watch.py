"""Looks at the progress of a campaign whose cost grows with what is under way, not with the campaign."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hightc.launch.bulk_launchpad import find_among
from hightc.launch.dispatch import Submission
from hightc.launch.monitor import Progress, read_campaign_progress, state_of
from hightc.launch.store import Database

MOST_SHOWN: Final = 20
"""Materials of which everything is read at each look; of a larger campaign, only what runs and what changed."""

FULL_SHARE: Final = 0.01
"""Share of the time that may go into reading the states of all materials of a large campaign anew."""

UNDER_WAY: Final = ("RUNNING", "RESERVED")


@dataclass(frozen=True)
class Look:
    """What a look at a campaign shows.

    Attributes
    ----------
    counts
        Materials by state: waiting, running, finished, stopped, failed.
    progress
        Every material of a small campaign; of a large one those that run, `MOST_SHOWN` at most.
    changed
        Of a large campaign, those of which a step began or ended since the last look.
    finished
        Labels of materials that were not finished at the last look.
    whole
        Whether every material is in ``progress``.
    """

    counts: Mapping[str, int]
    progress: tuple[Progress, ...]
    changed: tuple[Progress, ...]
    finished: frozenset[str]
    whole: bool = False

    @property
    def active(self) -> bool:
        """Whether anything still happens by itself."""
        return bool(self.counts.get("running", 0) or self.counts.get("waiting", 0))


class CampaignWatch:
    """The states of a campaign's materials, followed by the launches that begin and end.

    What changes without a launch, for example a step that another command reruns, is seen when all states are read
    anew, which takes `FULL_SHARE` of the time.
    """

    def __init__(self, submissions: Iterable[Submission], database: Database, *, most_shown: int = MOST_SHOWN) -> None:
        """Remember what to look at; nothing is read yet.

        Parameters
        ----------
        submissions
            The campaign's materials.
        database
            The database.
        most_shown
            Materials of which everything is read at each look.
        """
        self._most_shown = most_shown
        self._submissions = tuple(submissions)
        self._database = database
        self._launchpad = database.launchpad
        self._campaigns = sorted({entry.material.tag.campaign for entry in self._submissions})
        self._position = {fw_id: place for place, entry in enumerate(self._submissions) for fw_id in entry.fw_ids}
        self._states: list[str] = []
        self._running: dict[int, int | None] = {}
        self._next_launch = 1
        self._full_from = 0.0

    def look(self, *, full: bool = False) -> Look:
        """Read what runs, and what changed since the last look.

        Parameters
        ----------
        full
            Whether to read the state of every material anew.
        """
        if len(self._submissions) <= self._most_shown:
            return self._look_at_all()
        began, before = time.monotonic(), list(self._states)
        nodes = self._moved()
        if full or not before or began >= self._full_from:
            self._states = self._states or ["waiting"] * len(self._submissions)
            self._read_states([entry.fw_ids[-1] for entry in self._submissions])
            self._full_from = time.monotonic() + (time.monotonic() - began) / FULL_SHARE
        changed = self._read_states(nodes) if before else set()
        changed |= {place for place, state in enumerate(before) if state != self._states[place]}
        shown = sorted({self._position[fw_id] for fw_id in self._running if fw_id in self._position})
        shown = shown[: self._most_shown]
        places = [*shown, *changed.difference(shown)]
        progress = read_campaign_progress([self._submissions[place] for place in places], self._database)
        details = dict(zip(places, progress, strict=True))
        return Look(
            counts=Counter(self._states),
            progress=tuple(details[place] for place in shown),
            changed=tuple(details[place] for place in sorted(changed)),
            finished=self._finished_since(before),
        )

    def _look_at_all(self) -> Look:
        before, progress = self._states, read_campaign_progress(self._submissions, self._database)
        self._states = [entry.state for entry in progress]
        # a workflow hears of the end of a gate and of the steps it adds in one write, which its fireworks do not
        self._read_states([self._submissions[place].fw_ids[-1] for place in self._ended_since(before)])
        progress = tuple(replace(entry, state=state) for entry, state in zip(progress, self._states, strict=True))
        return Look(Counter(self._states), progress, (), self._finished_since(before), whole=True)

    def _moved(self) -> list[int]:
        """A firework of each material of which a step began or ended since the last look."""
        running, launched = self._read_running(), self._read_launched()
        moved = {fw_id for fw_id, _ in running.items() ^ self._running.items()} | launched
        self._running = running
        at_work = {self._position[fw_id] for fw_id in running if fw_id in self._position}
        # a workflow hears of the end of a step a moment after the step itself
        late = [place for place, state in enumerate(self._states) if state == "running" and place not in at_work]
        return [*moved, *(self._submissions[place].fw_ids[-1] for place in late)]

    def _read_running(self) -> dict[int, int | None]:
        """Last launch of each firework that runs, by its id."""
        query = {"spec.campaign": {"$in": self._campaigns}, "state": {"$in": list(UNDER_WAY)}}
        found = self._launchpad.fireworks.find(query, {"fw_id": 1, "launches": 1, "_id": 0})
        return {int(entry["fw_id"]): (entry["launches"] or [None])[-1] for entry in found}

    def _read_launched(self) -> set[int]:
        """Fireworks that were launched since the last look."""
        counter = self._launchpad.fw_id_assigner.find_one({}, {"next_launch_id": 1}) or {}
        since, self._next_launch = self._next_launch, int(counter.get("next_launch_id", 1))
        if not self._states:
            return set()
        ids = list(range(since, self._next_launch))
        found = find_among(self._launchpad.launches, "launch_id", ids, {"fw_id": 1, "_id": 0})
        return {int(launch["fw_id"]) for launch in found}

    def _read_states(self, nodes: Sequence[int]) -> set[int]:
        """Read the states of the materials that have some fireworks; the positions of these materials."""
        read = set()
        fields = {"nodes": 1, "fw_states": 1, "_id": 0}
        for workflow in find_among(self._launchpad.workflows, "nodes", nodes, fields):
            ids = workflow["nodes"]
            place = next((self._position[node] for node in ids if node in self._position), None)
            if place is not None:
                self._position |= dict.fromkeys(ids, place)
                states = {int(fw_id): str(state) for fw_id, state in workflow["fw_states"].items()}
                states |= dict.fromkeys(self._running.keys() & states.keys(), "RUNNING")
                self._states[place] = state_of(list(states.values()))
                read.add(place)
        return read

    def _finished_since(self, before: Sequence[str]) -> frozenset[str]:
        return frozenset(self._submissions[place].material.tag.material for place in self._ended_since(before))

    def _ended_since(self, before: Sequence[str]) -> list[int]:
        return [
            place
            for place, state in enumerate(self._states)
            if state == "finished" and (not before or before[place] != "finished")
        ]
