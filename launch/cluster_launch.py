"""Launch a campaign into a queue through FireWorks' queue launcher, and take up what its jobs left."""

from __future__ import annotations

import logging
import math
import os
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fireworks import FWorker
from fireworks.queue.queue_launcher import launch_rocket_to_queue

from hightc.analysis.files import write_text
from hightc.launch.cluster import Cluster, ClusterError, walltime_seconds
from hightc.launch.cluster_adapter import QueueAdapter
from hightc.launch.cluster_fit import ASKED, Limits, limits_of, request, worker_of
from hightc.launch.cluster_job import STARTED_VARIABLE
from hightc.launch.cluster_offline import pack_inputs, recover_offline
from hightc.launch.cluster_queue import held_launches, job_worker_name, living_jobs, recover_lost
from hightc.launch.lpad import write_launchpad_file
from hightc.launch.settings import SECRETS
from hightc.launch.sources.api_key import VARIABLE as API_KEY_VARIABLE
from hightc.launch.step_category import CATEGORIES, CATEGORY
from hightc.launch.step_resources import RESOURCES, StepResources, resources_in
from hightc.launch.store import Database

KEPT_FROM_JOBS = frozenset(
    f"HIGHTC_{name.upper()}" for name in (*SECRETS, "processes", "threads", "cores", "workers", "walltime_seconds")
)
"""Settings of the launching machine that jobs must not have: secrets, and what belongs to each machine."""

LOG_CHARACTERS = 400
READY = {"state": "READY"}
MOST_READY = 1000
"""Ready steps that are looked at, those first that go first."""

MOST_FRUITLESS = 3
"""Jobs that may end without beginning a step before no more are submitted."""


@dataclass
class QueueLauncher:
    """Launches the ready steps of one campaign into the queue of one cluster.

    Attributes
    ----------
    cluster
        The cluster.
    campaign
        Name of the campaign.
    database
        The database.
    directory
        Folder of the campaign; scripts and output of jobs that take any step lie in ``workers/``.
    reserve
        Whether each job is submitted for one step, which is reserved for it and whose resources it asks for; else jobs
        take what is ready until their time is over. Nodes without a database always have steps reserved.
    max_jobs
        Jobs of this campaign in the queue at a time.
    pack
        Whether a job runs several steps side by side, each in as many processes as are of use to it.
    """

    cluster: Cluster
    campaign: str
    database: Database
    directory: Path
    reserve: bool = False
    max_jobs: int = 8
    pack: bool = False
    _offline: bool = field(init=False)
    _limits: Limits = field(init=False)
    _begun: int = 0
    _fruitless: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nodes without a database need their steps reserved; and jobs must find the database."""
        self._offline = self.cluster.offline
        self._limits = limits_of(self.cluster)
        self.reserve = self.reserve or self._offline
        if self.pack and (self.reserve or self._limits.nodes > 1):
            msg = (
                f"cluster {self.cluster.name}: --pack runs steps side by side on the one node of a job that takes what "
                f"is ready: expected one node, found {self._limits.nodes}; leave --reserve and --offline out with it"
            )
            raise ClusterError(msg)
        write_launchpad_file(self.database, self.cluster.launchpad_file)

    def recover(self) -> list[int]:
        """Take over results of nodes without a database, then make steps ready again whose job is gone.

        Returns
        -------
        list of int
            Fireworks that will run again.
        """
        if self._offline:
            recover_offline(self.campaign, self.database)
        return recover_lost(self.cluster, self.campaign, self.database)

    def launch(self) -> list[str]:
        """Submit jobs for what is ready, no more than allowed.

        Returns
        -------
        list of str
            Numbers of the jobs.

        Raises
        ------
        ClusterError
            If the queue refuses a job, whose step is ready again, or if job after job ends without beginning a step.
        """
        ready = self._ready()
        if ready:
            self._require_fruit()
        held = held_launches(self.cluster, self.campaign, self.database)
        if self.reserve:
            room = self.max_jobs - len(held)
            return [job for step in ready[: max(room, 0)] if (job := self._submit(*step)) is not None]
        waiting = self._submitted() & living_jobs(self.cluster)
        busy = {launch["fworker"]["name"] for launch in held.values() if launch["state"] == "RUNNING"}
        wanted = min(self.max_jobs - len(waiting), self._jobs_for(ready) - (len(waiting) - len(busy)))
        jobs = [job for _ in range(max(wanted, 0)) if (job := self._submit(None)) is not None]
        self._jobs_file.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._jobs_file, "".join(f"{job}\n" for job in sorted(waiting | set(jobs))))
        return jobs

    def _require_fruit(self) -> None:
        """Stop submitting jobs that end before they begin a step: the fault is in the files of the cluster."""
        ids = self.database.launchpad.fireworks.distinct("fw_id", {"spec.campaign": self.campaign})
        ran = {"fw_id": {"$in": ids}, "state_history.state": "RUNNING"}
        begun = self.database.launchpad.launches.count_documents(ran)
        if begun != self._begun:
            self._begun, self._fruitless = begun, []
        if len(self._fruitless) < MOST_FRUITLESS or living_jobs(self.cluster) & set(self._fruitless):
            return
        last = self._fruitless[-1]
        errors = next(self.directory.glob(f"**/*-{last}.error"), None)
        said = " ".join(errors.read_text(encoding="utf-8", errors="replace").split()) if errors else ""
        msg = (
            f"cluster {self.cluster.name}: {len(self._fruitless)} jobs ended without beginning a step; "
            f"job {last} said: {said[-LOG_CHARACTERS:] or '(nothing)'}: correct {self.cluster.environment_file} or "
            f"{self.cluster.qadapter_file}, then give the same command again; output: {errors or self.directory}"
        )
        raise ClusterError(msg)

    @property
    def _jobs_file(self) -> Path:
        return self.directory / "workers" / f"{self.cluster.name}.jobs"

    def _submitted(self) -> set[str]:
        return set(self._jobs_file.read_text(encoding="utf-8").split()) if self._jobs_file.is_file() else set()

    @property
    def worker(self) -> FWorker:
        """What FireWorks knows of a job's worker before it has a number."""
        return worker_of(self.cluster, self.campaign, job_worker_name(self.cluster.name, "reserved"))

    def _ready(self) -> list[tuple[int, StepResources | None]]:
        """Ready steps that jobs here take, those first that belong to materials already under way."""
        fields = {"fw_id": 1, f"spec.{RESOURCES}": 1}
        found = self.database.launchpad.fireworks.find({**self.worker.query, **READY}, fields)
        first = found.sort("spec._priority", -1).limit(MOST_READY)
        return [(int(firework["fw_id"]), resources_in(firework.get("spec", {}))) for firework in first]

    def _jobs_for(self, ready: Sequence[tuple[int, StepResources | None]]) -> int:
        """How many jobs have something to do at once."""
        if not self.pack:
            return len(ready)
        cores = self._limits.processes
        return math.ceil(sum(min(step.processes, cores) if step else cores for _, step in ready) / cores)

    def _submit(self, fw_id: int | None, step: StepResources | None = None) -> str | None:
        """Number of the new job; None if somebody else has taken the step."""
        asked = request(step, self._limits)
        if fw_id is not None:
            # FireWorks' queue launcher takes it from there
            change = {"$set": {f"spec.{ASKED}": asked}}
            self.database.launchpad.fireworks.update_one({"fw_id": fw_id, **READY}, change)
        if self._offline and fw_id is not None:
            pack_inputs(fw_id, self.database)
        folder = self.directory / "workers"
        folder.mkdir(parents=True, exist_ok=True)
        worker = self.worker
        adapter = self._adapter(asked.get("walltime"))
        with _without_secret(), _errors_said(adapter) as said:
            job = launch_rocket_to_queue(
                self.database.launchpad,
                worker,
                adapter,
                launcher_dir=str(folder),
                reserve=self.reserve,
                strm_lvl="CRITICAL",
                create_launcher_dir=True,
                fill_mode=not self.reserve,
                fw_id=fw_id,
            )
        if not job and (fw_id is None or self.database.launchpad.fireworks.count_documents({"fw_id": fw_id, **READY})):
            raise ClusterError(self._refusal(adapter, said))
        if job:
            self._fruitless.append(str(job))
        return str(job) if job else None

    def _adapter(self, walltime: str | None) -> QueueAdapter:
        """The cluster's adapter, with what a job is to run, and until when."""
        adapter = self.cluster.qadapter()
        command = [sys.executable, "-m", "hightc.launch.cluster_job", "singleshot" if self.reserve else "rapidfire"]
        command += ["--cluster", str(self.cluster.directory), "--campaign", self.campaign]
        seconds = walltime_seconds(walltime) if walltime else self._limits.walltime_seconds
        command += ["--seconds", str(seconds), *(["--offline"] if self._offline else [])]
        command += ["--pack"] if self.pack else []
        lines = [f"export {STARTED_VARIABLE}=$(date +%s)", *_settings_lines(os.environ)]
        if given := adapter.get("pre_rocket"):
            lines.append(str(given))
        adapter.update(rocket_launch=shlex.join(command), pre_rocket="\n".join(lines))
        return adapter

    def _refusal(self, adapter: QueueAdapter, said: list[str]) -> str:
        reasons = " ".join(" ".join(said).split())[:LOG_CHARACTERS]
        command = adapter.q_commands[adapter.q_type]["submit_cmd"]
        return (
            f"cluster {self.cluster.name}: {command} took no job: {reasons or '(silence)'}: "
            f"correct {self.cluster.qadapter_file}, then: hightc cluster check {self.cluster.name}"
        )


class _Listener(logging.Handler):
    """Keeps what FireWorks writes into its log instead of raising it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.said.append(record.getMessage())


@contextmanager
def _errors_said(adapter: QueueAdapter) -> Iterator[list[str]]:
    """Listen to FireWorks' queue launcher, and leave out what it uses that will be gone some day."""
    listener = _Listener()
    loggers = [logging.getLogger(name) for name in ("queue.launcher", f"qadapter.{adapter.q_name}")]
    for logger in loggers:
        logger.addHandler(listener)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "cd is deprecated", FutureWarning)
            yield listener.said
    finally:
        for logger in loggers:
            logger.removeHandler(listener)


def _settings_lines(environment: Mapping[str, str]) -> Iterator[str]:
    """Shell lines that give a job the settings of the launching machine, without its secrets."""
    yield f"unset {' '.join(sorted(KEPT_FROM_JOBS))}"
    for name, value in sorted(environment.items()):
        if name.startswith("HIGHTC_") and name not in KEPT_FROM_JOBS and "\n" not in value and "$$" not in value:
            # a job begins in another folder
            place = name.endswith(("_DIRECTORY", "_FILE"))
            yield f"export {name}={shlex.quote(str(Path(value).expanduser().absolute()) if place else value)}"
    yield "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1"


@contextmanager
def _without_secret() -> Iterator[None]:
    """Keep the address of the database, passwords and keys out of the environment that the queue stores with a job."""
    names = (*(f"HIGHTC_{name.upper()}" for name in SECRETS), API_KEY_VARIABLE)
    secrets = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(secrets)


def launch_until_done(
    launchers: Sequence[QueueLauncher],
    active: Callable[[], bool],
    *,
    poll_seconds: float,
    report: Callable[[str], None],
) -> None:
    """Recover and launch until nothing of the campaign is left to do.

    Parameters
    ----------
    launchers
        One launcher a cluster, all of one campaign.
    active
        Function that says whether anything is left that still happens by itself.
    poll_seconds
        Time between two looks at queue and database in s.
    report
        Function that is told, in a line, what was done.

    Raises
    ------
    ClusterError
        If steps are left that none of the clusters takes, and nothing else goes on.
    """
    told = None
    while True:
        for launcher in launchers:
            for line in launch_round(launcher):
                report(line)
        if not active():
            return
        untaken = why_untaken(launchers)
        if untaken and not any(map(_goes_on, launchers)):
            raise ClusterError(untaken)
        if untaken and untaken != told:
            report(untaken)
        told = untaken
        time.sleep(poll_seconds)


def launch_round(launcher: QueueLauncher) -> Iterator[str]:
    """Recover and launch once; one line for each thing done.

    Parameters
    ----------
    launcher
        The launcher.
    """
    lost = launcher.recover()
    if lost:
        yield f"{len(lost)} steps lost their job and are taken up again"
    jobs = launcher.launch()
    if jobs:
        yield f"submitted {len(jobs)} jobs to {launcher.cluster.name}: {', '.join(jobs)}"


def why_untaken(launchers: Sequence[QueueLauncher]) -> str | None:
    """What is ready and taken by none of the clusters, and what to do; None if there is nothing.

    Parameters
    ----------
    launchers
        One launcher a cluster, all of one campaign.
    """
    first = launchers[0]
    if any(launcher.worker.query == {"spec.campaign": launcher.campaign} for launcher in launchers):
        return None  # it takes everything
    fireworks = first.database.launchpad.fireworks
    left = {"spec.campaign": first.campaign, **READY, "$nor": [launcher.worker.query for launcher in launchers]}
    if not fireworks.count_documents(left, limit=1):
        return None
    found = {name: fireworks.count_documents({**left, f"spec.{CATEGORY}": name}) for name in CATEGORIES}
    counts = ", ".join(f"{count} {name}" for name, count in found.items() if count) or "of no category"
    largest = fireworks.find(left, {f"spec.{RESOURCES}": 1, "name": 1}).sort(f"spec.{RESOURCES}.memory_mb", -1).limit(1)
    example = next(iter(largest))
    step = resources_in(example["spec"])
    size = f" (about {step.memory_mb} MB for each process)" if step else ""
    names = ", ".join(launcher.cluster.name for launcher in launchers)
    return (
        f"ready steps that cluster {names} does not take: {counts}; for example {example['name']}{size}: launch on a "
        "further cluster (hightc cluster launch A,B FILE), or correct category and memory_mb_per_node in "
        f"{first.cluster.fworker_file}"
    )


def _goes_on(launcher: QueueLauncher) -> bool:
    """Whether any step of the campaign is in a queue or runs, or will be by this launcher."""
    taken = {"spec.campaign": launcher.campaign, "state": {"$in": ["RESERVED", "RUNNING"]}}
    taken_or_ready = [taken, {**launcher.worker.query, **READY}]
    return any(launcher.database.launchpad.fireworks.count_documents(one, limit=1) for one in taken_or_ready)
