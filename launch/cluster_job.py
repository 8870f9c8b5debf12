"""What runs inside a job of a queue: takes fireworks of one campaign until the job's time is over."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml
from fireworks.core.rocket_launcher import launch_rocket
from jobflow import SETTINGS
from pydantic import SecretStr
from pymongo.errors import InvalidURI
from pymongo.uri_parser import parse_uri

from hightc.launch.cluster import Cluster
from hightc.launch.cluster_fit import limits_of, worker_of
from hightc.launch.cluster_offline import run_offline
from hightc.launch.cluster_pack import Packer
from hightc.launch.cluster_queue import held_launches, job_worker_name, take_back
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.patience import Patience
from hightc.launch.settings import load_settings
from hightc.launch.store import Database, open_database
from hightc.makers.job_clock import ENDS_VARIABLE, LEAST_SECONDS

STARTED_VARIABLE = "_HIGHTC_JOB_STARTED"
"""Environment variable: seconds since 1970 at which the job's script began."""

END_SECONDS = 30.0
"""Time before the limit of the job that is left for writing results into the database."""

SHORTEST_WALLTIME_SECONDS = 61.0
"""The settings take no shorter one."""

CLOCK_SECONDS = 5.0


@contextmanager
def time_left_in_settings(end: float) -> Iterator[None]:
    """Tell every program when it must have stopped, however many a step starts one after another.

    Parameters
    ----------
    end
        Moment, in s since 1970, at which the queue kills the job.
    """
    over = threading.Event()

    def tell() -> None:
        left = end - END_SECONDS - time.time()
        os.environ["HIGHTC_WALLTIME_SECONDS"] = f"{max(left, SHORTEST_WALLTIME_SECONDS):.0f}"

    def keep_telling() -> None:
        while not over.wait(CLOCK_SECONDS):
            tell()

    tell()
    os.environ[ENDS_VARIABLE] = str(end)
    clock = threading.Thread(target=keep_telling, daemon=True)
    clock.start()
    try:
        yield
    finally:
        over.set()
        clock.join()
        del os.environ[ENDS_VARIABLE]


def job_number() -> str:
    """Number of the job that this process runs in.

    Raises
    ------
    LaunchError
        If it runs in none.
    """
    for name in ("SLURM_JOB_ID", "PBS_JOBID"):
        if number := os.environ.get(name):
            return number.partition(".")[0]
    msg = "neither SLURM_JOB_ID nor PBS_JOBID is set: this program runs in jobs only: hightc cluster launch"
    raise LaunchError(msg)


def take_processes_of_job() -> None:
    """Use the processes and threads of the job, unless the cluster's environment says otherwise."""
    processes = _slurm_processes() or os.environ.get("PBS_NP") or _pbs_slots()
    threads = os.environ.get("SLURM_CPUS_PER_TASK")
    for name, value in (("HIGHTC_PROCESSES", processes), ("HIGHTC_THREADS", threads)):
        if value:
            os.environ.setdefault(name, value)


def _slurm_processes() -> str | None:
    """Tasks of the job; Slurm leaves their sum out where only those of a node were asked for."""
    nodes, tasks = os.environ.get("SLURM_JOB_NUM_NODES"), os.environ.get("SLURM_NTASKS_PER_NODE")
    if os.environ.get("SLURM_NTASKS"):
        return os.environ["SLURM_NTASKS"]
    return str(int(nodes) * int(tasks)) if nodes and tasks else None


def _pbs_slots() -> str | None:
    """Lines of the file in which PBS names a node once for each process."""
    path = os.environ.get("PBS_NODEFILE")
    return str(len(Path(path).read_text(encoding="utf-8").split())) if path else None


def open_jobs_database(cluster: Cluster) -> Database:
    """The database that the launching machine wrote down; what is asked of it waits while it is away.

    Parameters
    ----------
    cluster
        The cluster.

    Raises
    ------
    DatabaseError
        If nobody answers, or nothing was written down.
    """
    try:
        uri = yaml.safe_load(cluster.launchpad_file.read_text(encoding="utf-8"))["host"]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        msg = f"{cluster.launchpad_file}: expected the address of the database ({error}): hightc cluster launch again"
        raise DatabaseError(msg) from None
    settings = load_settings(mongo_uri=SecretStr(uri))
    patience = Patience(settings.database_patience_seconds, partial(print, "hightc:", flush=True))
    try:
        reach = partial(open_database, settings)
        reached = reach() if _is_elsewhere(uri) else patience(reach)
        reached.close()
        return replace(reached, patience=patience)
    except DatabaseError as error:
        msg = (
            f"{error}; an embedded database is reached on its own machine alone: nodes need HIGHTC_MONGO_URI on the "
            f"launching machine, or offline: true in {cluster.fworker_file}"
        )
        raise DatabaseError(msg) from None


def _is_elsewhere(uri: str) -> bool:
    """Whether an address is a socket that is not there, as on another machine: waiting would be of no use."""
    try:
        hosts = [str(host) for host, _ in parse_uri(uri)["nodelist"]]
    except (InvalidURI, ValueError):
        return False
    return any(host.endswith(".sock") and not Path(host).exists() for host in hosts)


def run_fireworks(
    cluster: Cluster, campaign: str, database: Database, *, fw_id: int | None, end: float, pack: bool = False
) -> int:
    """Run one firework that was reserved, or those that are ready until none is or time is short.

    Parameters
    ----------
    cluster
        The cluster.
    campaign
        Name of the campaign.
    database
        The database.
    fw_id
        The reserved firework; None to take what is ready.
    end
        Moment, in s since 1970, at which the queue kills the job.
    pack
        Whether several run side by side.

    Returns
    -------
    int
        How many it ran.

    Raises
    ------
    LaunchError
        If several run side by side and their processes end before they begin a step.
    """
    SETTINGS.JOB_STORE = database.job_store()
    name = job_worker_name(cluster.name, job_number())
    worker = worker_of(cluster, campaign, name)
    for lost, launch in held_launches(cluster, campaign, database).items():
        # the queue started this job again, for example after a node failed: what it ran before is lost
        if launch["fworker"]["name"] == name and launch["state"] == "RUNNING":
            take_back(database.launchpad, lost, int(launch["launch_id"]))
    if fw_id is not None:
        return int(bool(launch_rocket(database.launchpad, worker, fw_id, strm_lvl="WARNING")))
    if pack:
        memory_mb = limits_of(cluster).memory_mb_per_node
        return Packer(cluster, worker, database, load_settings().processes, end, memory_mb).run(campaign)
    ran, folder = 0, Path.cwd()
    while database.launchpad.run_exists(worker) and (ran == 0 or end - time.time() > LEAST_SECONDS):
        os.chdir(folder)
        ran += int(bool(launch_rocket(database.launchpad, worker, strm_lvl="WARNING")))
    return ran


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line of a batch script, which `hightc cluster launch` writes.

    Parameters
    ----------
    arguments
        Command line; that of the process if None.
    """
    parser = argparse.ArgumentParser(prog="hightc.launch.cluster_job", description=__doc__)
    parser.add_argument("mode", choices=("singleshot", "rapidfire"), help="one reserved firework, or what is ready")
    parser.add_argument("--cluster", type=Path, required=True, help="folder of the cluster")
    parser.add_argument("--campaign", required=True, help="name of the campaign")
    parser.add_argument("--seconds", type=float, required=True, help="time limit of the job")
    parser.add_argument("--pack", action="store_true", help="run several fireworks side by side")
    parser.add_argument("--offline", action="store_true", help="run the firework of the current folder")
    parser.add_argument("--fw_id", type=int, help="the reserved firework")
    options = parser.parse_args(arguments)
    cluster = Cluster(options.cluster)
    end = float(os.environ.get(STARTED_VARIABLE) or time.time()) + options.seconds
    take_processes_of_job()
    try:
        with time_left_in_settings(end):
            if options.offline:
                run_offline(Path.cwd())
                return 0
            database = open_jobs_database(cluster)
            ran = run_fireworks(cluster, options.campaign, database, fw_id=options.fw_id, end=end, pack=options.pack)
    except LaunchError as error:
        print(f"hightc: {error}", file=sys.stderr)
        return 2
    print(f"hightc: job {job_number()} of cluster {cluster.name} ran {ran} steps")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
