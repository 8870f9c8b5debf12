"""Several steps side by side in one job of a queue, each in as many processes as are of use to it.

The most urgent ready step goes first. Where the free cores or the memory that is left are too little for it, the next
waits with it: no step is overtaken for ever by smaller ones. Steps of which nothing is known take all cores.
"""

from __future__ import annotations

import math
import os
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from fireworks import FWorker

from hightc.launch.cluster import Cluster
from hightc.launch.cluster_fit import MEMORY_MARGIN
from hightc.launch.cluster_queue import take_back
from hightc.launch.errors import LaunchError
from hightc.launch.recovery import fail_step
from hightc.launch.step_resources import RESOURCES, StepResources, resources_in
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
    memory_mb
        Memory in MB that all its processes may take; 0 if that is not known.
    """

    process: subprocess.Popen[bytes]
    fw_id: int | None = None
    cores: int = 0
    memory_mb: int = 0

    def begin(self, fw_id: int, cores: int, memory_mb: int = 0) -> None:
        """Let it run a step.

        Parameters
        ----------
        fw_id
            The firework.
        cores
            Processes for it.
        memory_mb
            Memory in MB that all of them may take; 0 if that is not known.
        """
        assert self.process.stdin is not None  # noqa: S101 - opened with a pipe
        self.fw_id, self.cores, self.memory_mb = fw_id, cores, memory_mb
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
    memory_mb
        Memory in MB that all steps together may take; None if that of the node is not known.
    """

    cluster: Cluster
    worker: FWorker
    database: Database
    cores: int
    end: float
    memory_mb: int | None = None
    _slots: list[Slot] = field(default_factory=list)
    _deaths: Counter[int] = field(default_factory=Counter)
    _fault: str | None = None

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

        Raises
        ------
        LaunchError
            If places end before they begin a step, as they do where the node cannot reach the database; after the
            steps that run beside it.
        """
        ran = begun = 0
        try:
            while True:
                if self._fault is None and (not begun or self.end - time.time() > LEAST_SECONDS):
                    begun += self._begin_what_fits(campaign)
                busy = [slot for slot in self._slots if slot.fw_id is not None]
                if not busy and self._fault is not None:
                    raise LaunchError(self._fault)
                if not busy:
                    return ran
                ran += sum(self._take_answer(slot) for slot in _answering(busy))
        finally:
            for slot in self._slots:
                slot.dismiss()

    def _begin_what_fits(self, campaign: str) -> int:
        """Begin the most urgent steps as far as there are cores and memory; how many."""
        busy = [slot for slot in self._slots if slot.fw_id is not None]
        free, used_mb = self.cores - sum(slot.cores for slot in busy), sum(slot.memory_mb for slot in busy)
        begun = 0
        if not free:
            return 0
        query = {**self.worker.query, "state": "READY", "fw_id": {"$nin": [slot.fw_id for slot in busy]}}
        found = self.database.launchpad.fireworks.find(query, {"fw_id": 1, f"spec.{RESOURCES}": 1})
        for firework in found.sort("spec._priority", -1).limit(self.cores):
            wanted, wanted_mb = self._share(resources_in(firework.get("spec", {})))
            # what fits nowhere may still run alone
            alone = not busy and not begun
            full = self.memory_mb is not None and used_mb + wanted_mb > self.memory_mb
            if wanted > free or (full and not alone):
                break
            self._idle_slot(campaign).begin(int(firework["fw_id"]), wanted, wanted_mb)
            free, used_mb, begun = free - wanted, used_mb + wanted_mb, begun + 1
        return begun

    def _share(self, step: StepResources | None) -> tuple[int, int]:
        """Processes that a step may have, and the memory in MB that they may take; 0 if that is not known."""
        if step is None:
            return self.cores, 0
        one_mb = math.ceil(MEMORY_MARGIN * step.memory_mb)
        most = self.cores if self.memory_mb is None else self.memory_mb // one_mb
        processes = max(1, min(step.processes, self.cores, most))
        return processes, processes * one_mb

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
        slot.fw_id, slot.cores, slot.memory_mb = None, 0, 0
        if ran is None:
            self._slots.remove(slot)
            slot.dismiss()
            if fw_id is not None:
                self._recover(fw_id, slot.process.returncode)
        return int(bool(ran))

    def _recover(self, fw_id: int, code: int) -> None:
        """Take back the step of a place that died; it fails where that happens again, or the job if it never began."""
        self._deaths[fw_id] += 1
        launchpad = self.database.launchpad
        taken = {"fw_id": fw_id, "state": {"$in": ["RUNNING", "RESERVED"]}}
        firework = launchpad.fireworks.find_one(taken, {"launches": 1})
        launches = firework["launches"] if firework else []
        if firework and not launches:
            launchpad.fireworks.update_one({**taken, "launches": []}, {"$set": {"state": "READY"}})
        if not launches:
            if self._deaths[fw_id] >= MOST_DEATHS:
                self._fault = (
                    f"cluster {self.cluster.name}: places of a packed job ended {self._deaths[fw_id]} times, the last "
                    f"with code {code} before it began step {fw_id}: see the job's *.error; launch without --pack"
                )
            return
        mine = {"launch_id": launches[-1], "fworker.name": self.worker.name}
        if not launchpad.launches.count_documents(mine, limit=1):
            return  # another job has taken it since
        if self._deaths[fw_id] < MOST_DEATHS:
            take_back(launchpad, fw_id, int(launches[-1]))
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
