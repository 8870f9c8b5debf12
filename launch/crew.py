"""The workers of this machine: one for each material side by side, replaced when they die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fireworks import FWorker

from hightc.launch.claims import Claims
from hightc.launch.dispatch import Submission, worker_lock, worker_name
from hightc.launch.errors import LaunchError
from hightc.launch.patience import sign_of
from hightc.launch.recovery import fail_step, lost_steps, recover_interrupted
from hightc.launch.settings import Settings
from hightc.launch.store import Database
from hightc.launch.unfit_workflows import find_unfit, has_strays, mend
from hightc.makers.execution import die_with_parent

LOG_TAIL_LINES = 3
LOG_LINE_CHARACTERS = 200


def available_cores(settings: Settings) -> int:
    """Cores of this machine that calculations may use.

    Parameters
    ----------
    settings
        Settings of this machine.
    """
    return min(len(os.sched_getaffinity(0)), settings.cores or sys.maxsize)


def worker_count(settings: Settings, n_materials: int) -> int:
    """How many materials run side by side: no more than there are materials or core sets.

    Parameters
    ----------
    settings
        Settings of this machine.
    n_materials
        Materials of the campaign.
    """
    wanted = settings.workers or max(1, available_cores(settings) // settings.processes)
    return max(1, min(wanted, n_materials))


@dataclass
class Crew:
    """Workers of one campaign on this machine.

    Attributes
    ----------
    campaign
        Name of the campaign.
    submissions
        Its materials.
    database
        The database, handed to the workers in their environment.
    directory
        Folder of the campaign; each worker logs into ``workers/``.
    settings
        Settings of this machine.
    max_restarts
        How often a step is taken up again that got its worker killed, and workers are replaced that fail by themselves.
    settle_seconds
        Longer than any moment in which a living worker holds a firework without a launch, or a workflow's lock.
    fault
        How the worker that died last did so; None if none has.
    """

    campaign: str
    submissions: Sequence[Submission]
    database: Database
    directory: Path
    settings: Settings
    _workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    max_restarts: int = 3
    settle_seconds: float = 1.0
    fault: str | None = None
    _deaths: Counter[int | None] = field(default_factory=Counter)
    _claims: Claims = field(default_factory=Claims)
    _looks: int = 0

    def require_alone(self) -> None:
        """Refuse to start while workers of an earlier run live.

        Raises
        ------
        LaunchError
            If one lives.
        """
        for number in range(self._count()):
            lock = worker_lock(self.directory, f"worker-{number}")
            if lock is None:
                msg = f"{self.directory}: worker {number} of an earlier run is still alive: wait for it, or stop it"
                raise LaunchError(msg)
            lock.close()

    def start(self) -> None:
        """Start the workers."""
        for number in range(self._count()):
            self._start(number)

    def tend(self) -> bool:
        """Replace workers that died; what they ran is taken up again.

        Returns
        -------
        bool
            Whether any worker is at work.
        """
        ended = False
        for number, process in list(self._workers.items()):
            code = process.poll()
            if code is None:
                continue
            del self._workers[number]
            if code != 0:
                _kill_group(process.pid)
                self._replace(number, code, sign_of(process.pid))
            ended = ended or code == 0
        self._claims.release(self.campaign, self.database)
        if ended and not self._workers:
            self._look_again()
        return bool(self._workers)

    def dismiss(self) -> None:
        """Stop every worker and what it runs; its step can be taken up again."""
        for process in self._workers.values():
            process.terminate()
        for process in self._workers.values():
            process.wait()
            _kill_group(process.pid)
        self._workers.clear()

    def _look_again(self) -> None:
        """Start the workers anew if they ended beside steps that only seemed to wait for others."""
        unfit = find_unfit(self.campaign, self.database, whole=has_strays(self.campaign, self.database))
        if self._looks < self.max_restarts and mend(unfit, self.database):
            self._looks += 1
            if self.database.launchpad.run_exists(FWorker(query={"spec.campaign": self.campaign})):
                self.start()

    def _replace(self, number: int, code: int, sign: str) -> None:
        """Start a worker anew, unless workers fail by themselves; a step that gets every worker killed fails."""
        time.sleep(self.settle_seconds)
        worker = worker_name(number)
        lost = lost_steps(self.submissions, self.database, dead_worker=worker, dead_sign=sign)
        causes: list[int | None] = [*lost] if code < 0 and lost else [None]
        self._deaths.update(causes)
        self.fault = self._describe(number, code, max(self._deaths[cause] for cause in causes))
        for fw_id in lost:
            if self._deaths[fw_id] > self.max_restarts:
                fail_step(fw_id, self.database, self.fault)
        recover_interrupted(self.submissions, self.database, dead_worker=worker, dead_sign=sign)
        if self._deaths[None] <= self.max_restarts:
            self._start(number)

    def _describe(self, number: int, code: int, deaths: int) -> str:
        log = self._log(number)
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
        said = " | ".join(line[:LOG_LINE_CHARACTERS] for line in [line for line in lines if line][-LOG_TAIL_LINES:])
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        memory = " (the kernel does so when memory runs out)" if code == -signal.SIGKILL else ""
        said = said.replace(self.database.uri, self.database.address)
        return f"worker {number} {how}{memory}, {deaths} times in all; its log {log} ends: {said or '(empty)'}"

    def _log(self, number: int) -> Path:
        return self.directory / "workers" / f"worker-{number}.log"

    def _count(self) -> int:
        return worker_count(self.settings, sum(max(entry.q_jobs, 1) for entry in self.submissions))

    def _start(self, number: int) -> None:
        environment = {
            **os.environ,
            "HIGHTC_MONGO_URI": self.database.uri,
            "HIGHTC_DATA_DIRECTORY": str(self.settings.data_directory.absolute()),
            "HIGHTC_CORES": str(available_cores(self.settings)),
            # the numerics of one worker leave the cores to the calculations of the others
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [
            sys.executable,
            "-m",
            "hightc.launch.worker",
            self.campaign,
            "--directory",
            str(self.directory),
        ]
        command += ["--number", str(number)]
        with self._log(number).open("ab") as stream:
            self._workers[number] = subprocess.Popen(
                [*die_with_parent(), *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _kill_group(pid: int) -> None:
    """Kill what a worker that is gone has left running: it led a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
