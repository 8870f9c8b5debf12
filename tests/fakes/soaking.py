"""A campaign of tiny chains whose workers and database server are killed at random while it runs."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from fakes.fault_jobs import chain
from fakes.tiny_campaign import NAME, submit_jobs

from hightc.launch import embedded_mongo
from hightc.launch.crew import Crew
from hightc.launch.patience import Patience
from hightc.launch.settings import Settings
from hightc.launch.store import OUTPUTS, Database

CHAIN_LENGTH = 4
WORKERS = 4
PATIENCE_SECONDS = 600.0
LONGEST_AWAY_SECONDS = 2.0
POLL_SECONDS = 0.05

Chains = dict[tuple[str, int], tuple[int, ...]]


@dataclass
class Soak:
    """What a campaign was like at its end.

    Attributes
    ----------
    seconds
        Wall time in s.
    chains
        Chain by label and number of the link.
    documents
        Stored documents.
    states
        Fireworks by state.
    repeated
        Steps that ran more than once, counted once for each time beyond the first.
    killed
        Workers and servers that were killed.
    said
        What was said of the database.
    crashes
        Errors of workers in their logs: what they ran then runs again though nobody killed them.
    """

    seconds: float
    chains: Chains
    documents: int
    states: dict[str, int]
    repeated: int
    killed: Counter[str]
    said: list[str] = field(default_factory=list)
    crashes: int = 0


def expected_chains(jobs: int) -> Chains:
    """What the links answer, as anybody can tell who reads them."""
    labels = [f"m{number:05d}" for number in range(jobs // CHAIN_LENGTH)]
    return {(label, number): tuple(range(number + 1)) for label in labels for number in range(CHAIN_LENGTH)}


def faults_of(soak: Soak, reference: Chains, jobs: int) -> list[str]:
    """What is lost, doubled or different; nothing if all is well."""
    lost = sorted(set(reference) - set(soak.chains))
    different = [place for place, value in soak.chains.items() if reference.get(place, value) != value]
    faults = [
        f"{len(lost)} documents lost: {lost[:3]}" if lost else "",
        f"{len(different)} documents differ: {different[:3]}" if different else "",
        f"{soak.documents} documents, expected {jobs}" if soak.documents != jobs else "",
        f"states {soak.states}" if soak.states != {"COMPLETED": jobs} else "",
        f"{soak.crashes} errors in the logs of the workers" if soak.crashes else "",
        # a killed worker's step runs again, one for each; a server that goes away costs no step
        f"{soak.repeated} steps repeated by {soak.killed['worker']} killed workers"
        if soak.repeated > soak.killed["worker"]
        else "",
    ]
    return [fault for fault in faults if fault]


def soak(root: Path, jobs: int, kills: int, seed: int, say: Callable[[str], object] = lambda line: None) -> Soak:
    """Run a campaign of chains on a server of its own, and kill at random; the folder must be new."""
    moments = random.Random(seed)
    root.mkdir(parents=True)
    data = root / "mongo"
    uri = embedded_mongo.start(data)
    told: list[str] = []

    def revive() -> None:
        time.sleep(moments.uniform(0, LONGEST_AWAY_SECONDS))
        embedded_mongo.start(data)

    database = Database(uri, "hightc", embedded=True, patience=Patience(PATIENCE_SECONDS, told.append, revive))
    settings = Settings(cores=1, workers=WORKERS, data_directory=root / "data", work_directory=root / "runs")
    directory = settings.work_directory / NAME
    (directory / "workers").mkdir(parents=True)
    try:
        database.prepare()
        labels = [f"m{number:05d}" for number in range(jobs // CHAIN_LENGTH)]
        chains = {label: chain(label, CHAIN_LENGTH) for label in labels}
        submissions = [submit_jobs(label, links, database, directory, settings) for label, links in chains.items()]
        crew = Crew(NAME, submissions, database, directory, settings, max_restarts=kills + 3, settle_seconds=0.2)
        started = time.monotonic()
        try:
            crew.start()
            killed = _disturb(crew, database, data, _plan(jobs, kills, moments), moments, say)
        finally:
            crew.dismiss()
        return _outcome(database, directory, time.monotonic() - started, killed, told)
    finally:
        database.close()
        embedded_mongo.stop(data)


def _plan(jobs: int, kills: int, moments: random.Random) -> list[tuple[int, str]]:
    """Kills by the number of finished steps after which they happen."""
    targets = [("worker", "server")[number % 2] for number in range(kills)]
    return sorted((moments.randrange(1, max(2, jobs - WORKERS)), target) for target in targets)


def _disturb(
    crew: Crew,
    database: Database,
    data: Path,
    plan: list[tuple[int, str]],
    moments: random.Random,
    say: Callable[[str], object],
) -> Counter[str]:
    killed: Counter[str] = Counter()
    while crew.tend():
        done = database.launchpad.fireworks.count_documents({"state": "COMPLETED"})
        if plan and done >= plan[0][0]:
            time.sleep(moments.uniform(0, POLL_SECONDS))
            target = plan.pop(0)[1]
            living = _workers(crew.directory) if target == "worker" else [embedded_mongo.status(data).pid]
            victims = [pid for pid in living if pid is not None]
            if victims:
                with suppress(ProcessLookupError):
                    os.kill(moments.choice(victims), signal.SIGKILL)
                    killed[target] += 1
                    say(f"killed a {target} after {done} steps")
        time.sleep(POLL_SECONDS)
    return killed


def _workers(directory: Path) -> list[int]:
    """Processes of the workers of one folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "hightc.launch.worker" in words and str(directory) in words:
            found.append(process.pid)
    return sorted(found)


def _outcome(database: Database, directory: Path, seconds: float, killed: Counter[str], told: list[str]) -> Soak:
    entries = [entry["output"] for entry in database.collections[OUTPUTS].find({}, {"output": 1})]
    states = Counter(entry["state"] for entry in database.launchpad.fireworks.find({}, {"state": 1}))
    runs = [len(path.read_text().splitlines()) for path in directory.glob("*/*/ran")]
    return Soak(
        seconds=seconds,
        chains={(entry["label"], entry["number"]): tuple(entry["chain"]) for entry in entries},
        documents=len(entries),
        states=dict(states),
        repeated=sum(runs) - len(runs),
        killed=killed,
        said=told,
        crashes=sum(path.read_text(errors="replace").count("Traceback") for path in directory.glob("workers/*.log")),
    )
