"""The workers of this machine: one for each core set, replaced when they die."""

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


def core_sets(settings: Settings, n_materials: int) -> list[list[int]]:
    """Share the cores of this machine among workers, one core set each.

    Parameters
    ----------
    settings
        Settings of this machine.
    n_materials
        No more workers than materials.
    """
    available = sorted(os.sched_getaffinity(0))[: settings.cores]
    wanted = settings.workers or max(1, len(available) // settings.processes)
    workers = max(1, min(wanted, n_materials, len(available)))
    return [available[index::workers] for index in range(workers)]


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
        for number in range(len(self._core_sets())):
            lock = worker_lock(self.directory, f"worker-{number}")
            if lock is None:
                msg = f"{self.directory}: worker {number} of an earlier run is still alive: wait for it, or stop it"
                raise LaunchError(msg)
            lock.close()

    def start(self) -> None:
        """Start one worker for each core set."""
        for number in range(len(self._core_sets())):
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

    def _core_sets(self) -> list[list[int]]:
        return core_sets(self.settings, len(self.submissions))

    def _start(self, number: int) -> None:
        cores = self._core_sets()[number]
        environment = {
            **os.environ,
            "HIGHTC_MONGO_URI": self.database.uri,
            "HIGHTC_DATA_DIRECTORY": str(self.settings.data_directory.absolute()),
            "HIGHTC_PROCESSES": str(max(self.settings.processes, len(cores))),
        }
        command = [
            sys.executable,
            "-m",
            "hightc.launch.worker",
            self.campaign,
            "--directory",
            str(self.directory),
        ]
        command += ["--number", str(number), "--cores", ",".join(str(core) for core in cores)]
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
