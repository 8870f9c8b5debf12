"""The workers of this machine: one for each material side by side, replaced when they die."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hightc.launch.dispatch import Submission, recover_interrupted, worker_lock, worker_name
from hightc.launch.errors import LaunchError
from hightc.launch.settings import Settings
from hightc.launch.store import Database

MAX_RESTARTS = 3
SETTLE_SECONDS = 1.0
"""Longer than any moment in which a living worker holds a firework without a launch, or a workflow's lock."""


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
    """

    campaign: str
    submissions: Sequence[Submission]
    database: Database
    directory: Path
    settings: Settings
    _workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _restarts: int = 0

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
        for number, process in list(self._workers.items()):
            code = process.poll()
            if code is None:
                continue
            del self._workers[number]
            if code != 0:
                self._replace(number)
        return bool(self._workers)

    def dismiss(self) -> None:
        """Stop every worker and what it runs; its step can be taken up again."""
        for process in self._workers.values():
            process.terminate()
        for process in self._workers.values():
            process.wait()
        self._workers.clear()

    def _replace(self, number: int) -> None:
        time.sleep(SETTLE_SECONDS)
        if self._restarts < MAX_RESTARTS:
            self._restarts += 1
            recover_interrupted(self.submissions, self.database, dead_worker=worker_name(number))
            self._start(number)

    def _count(self) -> int:
        return worker_count(self.settings, len(self.submissions))

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
        setpriv = shutil.which("setpriv")
        prefix = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        log = self.directory / "workers" / f"worker-{number}.log"
        with log.open("ab") as stream:
            self._workers[number] = subprocess.Popen(
                [*prefix, *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
