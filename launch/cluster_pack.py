"""Several steps side by side in one job of a queue, each in as many processes as are of use to it.

The most urgent ready step goes first. Where the free cores are too few for it, the next waits with it: no step is
overtaken for ever by smaller ones. Steps of which nothing is known take all cores.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from fireworks import FWorker

from hightc.launch.cluster import Cluster
from hightc.launch.cluster_queue import take_back
from hightc.launch.recovery import fail_step
from hightc.launch.step_resources import RESOURCES, resources_in
from hightc.launch.store import Database
from hightc.makers.execution import die_with_parent
from hightc.makers.job_clock import LEAST_SECONDS

POLL_SECONDS = 2.0
"""How often a job looks for steps that have become ready by what other jobs do."""

STOP_SECONDS = 20.0
MOST_DEATHS = 2
"""Places in one job that a step may bring down before it fails: a lack of memory does so again."""


@dataclass
class Slot:
    """One place: a process that runs one step at a time.

    Attributes
    ----------
    process
        The process.
    fw_id, cores
        What it runs now, and in how many processes; None and 0 if nothing.
    """

    process: subprocess.Popen[bytes]
    fw_id: int | None = None
    cores: int = 0

    def begin(self, fw_id: int, cores: int) -> None:
        """Let it run a step.

        Parameters
        ----------
        fw_id
            The firework.
        cores
            Processes for it.
        """
        assert self.process.stdin is not None  # noqa: S101 - opened with a pipe
        self.fw_id, self.cores = fw_id, cores
        try:
            self.process.stdin.write(f"{fw_id} {cores}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # it died in its sleep, which the end of its answers tells

    def answer(self) -> bool | None:
        """Whether it ran its step; None if it died. To be called when there is something to read."""
        assert self.process.stdout is not None  # noqa: S101 - as above
        line = os.read(self.process.stdout.fileno(), 16)
        return line.strip() == b"1" if line else None

    def dismiss(self) -> None:
        """End it: it ends by itself when nothing more is to come."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Packer:
    """Runs what is ready side by side until nothing is, or time is short.

    Attributes
    ----------
    cluster
        The cluster.
    worker
        The worker of this job.
    database
        The database.
    cores
        Processes that all steps together may have.
    end
        Moment, in s since 1970, at which the queue kills the job.
    """

    cluster: Cluster
    worker: FWorker
    database: Database
    cores: int
    end: float
    _slots: list[Slot] = field(default_factory=list)
    _deaths: Counter[int] = field(default_factory=Counter)

    def run(self, campaign: str) -> int:
        """Run steps of one campaign.

        Parameters
        ----------
        campaign
            Name of the campaign.

        Returns
        -------
        int
            How many it ran.
        """
        ran = begun = 0
        try:
            while True:
                if not begun or self.end - time.time() > LEAST_SECONDS:
                    begun += self._begin_what_fits(campaign)
                busy = [slot for slot in self._slots if slot.fw_id is not None]
                if not busy:
                    return ran
                ran += sum(self._take_answer(slot) for slot in _answering(busy))
        finally:
            for slot in self._slots:
                slot.dismiss()

    def _begin_what_fits(self, campaign: str) -> int:
        """Begin the most urgent steps as far as there are cores; how many."""
        busy = {slot.fw_id: slot.cores for slot in self._slots if slot.fw_id is not None}
        free, begun = self.cores - sum(busy.values()), 0
        if not free:
            return 0
        query = {**self.worker.query, "state": "READY", "fw_id": {"$nin": list(busy)}}
        found = self.database.launchpad.fireworks.find(query, {"fw_id": 1, f"spec.{RESOURCES}": 1})
        for firework in found.sort("spec._priority", -1).limit(self.cores):
            step = resources_in(firework.get("spec", {}))
            wanted = min(step.processes, self.cores) if step else self.cores
            if wanted > free:
                break
            self._idle_slot(campaign).begin(int(firework["fw_id"]), wanted)
            free, begun = free - wanted, begun + 1
        return begun

    def _idle_slot(self, campaign: str) -> Slot:
        for slot in self._slots:
            if slot.fw_id is None:
                return slot
        command = [sys.executable, "-m", "hightc.launch.cluster_slot", "--cluster", str(self.cluster.directory)]
        command += ["--campaign", campaign, "--end", str(self.end)]
        process = subprocess.Popen([*die_with_parent(), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._slots.append(Slot(process))
        return self._slots[-1]

    def _take_answer(self, slot: Slot) -> int:
        """Free a place whose step is over; 1 if it ran."""
        fw_id, ran = slot.fw_id, slot.answer()
        slot.fw_id, slot.cores = None, 0
        if ran is None:
            self._slots.remove(slot)
            slot.dismiss()
            if fw_id is not None:
                self._recover(fw_id, slot.process.returncode)
        return int(bool(ran))

    def _recover(self, fw_id: int, code: int) -> None:
        """Take back the step of a place that died; it fails where that happens again."""
        self._deaths[fw_id] += 1
        launchpad = self.database.launchpad
        taken = {"fw_id": fw_id, "state": {"$in": ["RUNNING", "RESERVED"]}}
        firework = launchpad.fireworks.find_one(taken, {"launches": 1})
        if firework is None:
            return
        if not firework["launches"]:
            launchpad.fireworks.update_one({**taken, "launches": []}, {"$set": {"state": "READY"}})
        elif self._deaths[fw_id] < MOST_DEATHS:
            take_back(launchpad, fw_id, int(firework["launches"][-1]))
        else:
            reason = (
                f"the worker of this step in a packed job of cluster {self.cluster.name} ended with code {code}, "
                f"{self._deaths[fw_id]} times (-9: the kernel does so when memory runs out): launch without --pack, "
                f"or give a node's memory in {self.cluster.fworker_file}"
            )
            fail_step(fw_id, self.database, reason)


def _answering(busy: list[Slot]) -> list[Slot]:
    """Places that have answered or died, after a while at the latest."""
    streams = {slot.process.stdout: slot for slot in busy if slot.process.stdout is not None}
    ready, _, _ = select.select(list(streams), [], [], POLL_SECONDS)
    return [streams[stream] for stream in ready]
