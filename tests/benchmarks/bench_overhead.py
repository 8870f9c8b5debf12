"""What FireWorks and the store cost a job: ``python tests/benchmarks/bench_overhead.py --workers 1 2 4``.

The jobs add two numbers, so that all the time is that of the database, of FireWorks, of jobflow and of hightc's worker.
They come alone and as chains of four, each of which takes the result of the one before it. The workers are those of
``hightc run``, as many processes as are asked for, on an embedded server of their own, or on the MongoDB of
HIGHTC_TEST_MONGO_URI. ``--finished`` and ``--ready`` put other steps into the LaunchPad before: finished ones of
another campaign, and ones of the same campaign that are ready too, with a lower priority.

``--commands`` runs one worker in this process and says which commands a job costs, and what each takes; ``--profile``
says in which functions that worker spends its time.
"""

from __future__ import annotations

import argparse
import cProfile
import math
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from bson import ObjectId
from fireworks import FWorker, Workflow
from fireworks.core.rocket_launcher import launch_rocket
from jobflow import SETTINGS, Flow, Job, JobConfig
from jobflow.managers.fireworks import flow_to_workflow
from pymongo import monitoring

from hightc.launch import embedded_mongo
from hightc.launch.bulk_launchpad import add_workflows, batches
from hightc.launch.settings import Settings, load_settings
from hightc.launch.store import Database
from hightc.launch.worker import share_of_cores

CAMPAIGN = "overhead"
CHAIN = 4
LOW, HIGH = 0, 1


class Counts(monitoring.CommandListener):
    """How often each command was sent, and for how long it was waited for."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.microseconds: Counter[str] = Counter()
        self._collections: dict[int, str] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep the collection of a command."""
        collection = event.command.get("collection") or event.command.get(event.command_name)
        self._collections[event.request_id] = f"{event.command_name} {collection}"

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Count a command."""
        name = self._collections.pop(event.request_id, event.command_name)
        self.calls[name] += 1
        self.microseconds[name] += event.duration_micros

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Forget a command."""
        self._collections.pop(event.request_id, None)

    def show(self, n_jobs: int, seconds: float) -> None:
        """Print a table, the dearest first."""
        calls, waited_ms = sum(self.calls.values()), sum(self.microseconds.values()) / 1e3
        print(f"{1e3 * seconds / n_jobs:.1f} ms a job: {waited_ms / n_jobs:.1f} in {calls / n_jobs:.1f} commands")
        for name, microseconds in self.microseconds.most_common(25):
            number = self.calls[name]
            each, in_all = microseconds / number / 1e3, microseconds / n_jobs / 1e3
            print(f"  {name:32}{number / n_jobs:7.2f} a job {each:8.2f} ms each {in_all:8.2f} ms in all")


def chain(length: int, folder: Path, priority: int) -> Workflow:
    """One workflow of jobs, each of which adds 1 to what the one before it gives."""
    label = uuid4().hex[:8]
    jobs: list[Job] = []
    for number in range(length):
        value = jobs[-1].output if jobs else 1.0
        config = {"_launch_dir": str(folder / label / f"{number:02d}"), "_priority": 10 * priority + number}
        jobs.append(
            Job(
                math.fsum,
                function_args=([value, 1.0],),
                name=f"{label} {number}",
                config=JobConfig(manager_config=config),
                metadata={"campaign": CAMPAIGN, "material": label},
            )
        )
    return flow_to_workflow(Flow(jobs), metadata={"campaign": CAMPAIGN, "material": label, "key": label})


def fill(database: Database, n_jobs: int, length: int, folder: Path, priority: int = HIGH) -> None:
    """Put jobs into the LaunchPad."""
    workflows = [chain(length, folder, priority) for _ in range(n_jobs // length)]
    for batch in batches(workflows, 200):
        add_workflows(database.launchpad, batch)


def fill_finished(database: Database, number: int) -> None:
    """Put finished fireworks of another campaign into the LaunchPad, ten to a workflow, each with its launch."""
    launchpad = database.launchpad
    first, launch = launchpad.get_new_fw_id(number), int(launchpad.fw_id_assigner.find_one({})["next_launch_id"])
    launchpad.fw_id_assigner.update_one({}, {"$inc": {"next_launch_id": number}})
    now, fw_ids = datetime.now(UTC).isoformat(), range(first, first + number)
    common = {"state": "COMPLETED", "created_on": now, "updated_on": now, "archived_launches": []}
    for ids in batches(fw_ids, 1000):
        spec = {"_tasks": [], "campaign": "old", "pad": "y" * 400}
        launchpad.fireworks.insert_many(
            [{**common, "fw_id": i, "name": f"n{i}", "spec": spec, "launches": [launch + i - first]} for i in ids]
        )
        ran = {"state": "COMPLETED", "time_end": now, "state_history": []}
        launchpad.launches.insert_many([{**ran, "launch_id": launch + i - first, "fw_id": i} for i in ids])
        launchpad.workflows.insert_many(
            [
                {**common, "_id": ObjectId(), "nodes": list(some), "metadata": {"campaign": "old", "key": str(some[0])}}
                for some in batches(ids, 10)
            ]
        )


def finished(database: Database) -> int:
    """How many steps of the campaign are finished."""
    return database.launchpad.fireworks.count_documents({"spec.campaign": CAMPAIGN, "state": "COMPLETED"})


@contextmanager
def workers(number: int, database: Database, folder: Path) -> Iterator[None]:
    """Workers as ``hightc run`` starts them, until the block ends."""
    environment = {
        **os.environ,
        "HIGHTC_MONGO_URI": database.uri,
        "HIGHTC_CORES": str(number),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "hightc.launch.worker", CAMPAIGN, "--directory", str(folder), "--number"]
    with (folder / "workers.log").open("wb") as log:
        running = [
            subprocess.Popen([*command, str(one)], env=environment, stdout=log, stderr=log) for one in range(number)
        ]
    try:
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()


def rate(database: Database, n_workers: int, n_jobs: int, folder: Path) -> float:
    """Jobs a second, from the first that begins to the last that ends."""
    before = int(database.launchpad.fw_id_assigner.find_one({})["next_launch_id"])
    target = finished(database) + n_jobs
    with workers(n_workers, database, folder):
        while finished(database) < target:
            time.sleep(0.2)
    new = {"launch_id": {"$gte": before}, "state": "COMPLETED"}
    launches = list(database.launchpad.launches.find(new, {"time_start": 1, "time_end": 1}))
    first = min(launch["time_start"] for launch in launches)
    last = max(launch["time_end"] for launch in launches)
    return len(launches) / (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def one_worker(database: Database, folder: Path, settings: Settings, n_jobs: int, *, profiled: bool) -> None:
    """Run one worker in this process and say where its time goes."""
    counts = Counts()
    database.close()
    monitoring.register(counts)
    profile = cProfile.Profile()
    start = time.perf_counter()
    if profiled:
        profile.enable()
    SETTINGS.JOB_STORE = database.job_store()
    worker = FWorker(name="hightc@here:0", query={"spec.campaign": CAMPAIGN})
    for _ in range(n_jobs):
        # as hightc.launch.worker.work, which does not stop after so many
        os.chdir(folder)
        share_of_cores(CAMPAIGN, database, settings)
        assert database.launchpad.run_exists(worker)
        launch_rocket(database.launchpad, worker, strm_lvl="WARNING")
    profile.disable()
    counts.show(n_jobs, time.perf_counter() - start)
    if profiled:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(70)


@contextmanager
def empty_database(folder: Path) -> Iterator[Database]:
    """A database of nobody else."""
    real, name = os.environ.get("HIGHTC_TEST_MONGO_URI"), f"hightc_bench_{uuid4().hex[:8]}"
    uri = real or embedded_mongo.start(folder / "mongo")
    database = Database(uri=uri, name=name if real else "hightc", embedded=real is None)
    database.prepare()
    try:
        yield database
    finally:
        if real:
            database.client.drop_database(name)
        database.close()
        if not real:
            embedded_mongo.stop(folder / "mongo")


def sync_milliseconds(folder: Path, n_writes: int = 100) -> float:
    """What the disk takes to make one small write safe: every write of a job to the embedded server waits for one."""
    with (folder / "sync").open("wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(n_writes):
            file.write(bytes(1000))
            os.fdatasync(file.fileno())
        return (time.perf_counter() - start) / n_writes * 1e3


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Print the figures."""
    print(f"the disk takes {sync_milliseconds(folder):.2f} ms for a write")
    with empty_database(folder) as database:
        settings = load_settings(cores=1)
        if options.finished:
            fill_finished(database, options.finished)
        if options.ready:
            fill(database, options.ready, 1, folder, LOW)
        for length in (1, CHAIN):
            kind = f"chains of {length}" if length > 1 else "independent"
            for number in options.workers:
                fill(database, options.jobs, length, folder)
                jobs_per_second = rate(database, number, options.jobs, folder)
                print(f"{kind:14}{number} workers: {jobs_per_second:6.1f} jobs/s", flush=True)
            if options.commands or options.profile:
                fill(database, options.jobs, length, folder)
                one_worker(database, folder, settings, options.jobs, profiled=options.profile)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--jobs", type=int, default=400, help="jobs of each measurement")
    parser.add_argument("--finished", type=int, default=0, help="finished steps of another campaign")
    parser.add_argument("--ready", type=int, default=0, help="other steps of the campaign that are ready")
    parser.add_argument("--commands", action="store_true", help="commands of one worker")
    parser.add_argument("--profile", action="store_true", help="commands and functions of one worker")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench_overhead_", dir=Path.home()) as scratch:
        os.environ |= {"HIGHTC_SETTINGS_FILE": f"{scratch}/settings.toml", "HIGHTC_DATA_DIRECTORY": f"{scratch}/data"}
        measure(options, Path(scratch))


if __name__ == "__main__":
    main()
