"""A worker: takes the fireworks of one campaign and runs them one after another on its cores."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fireworks import FWorker
from fireworks.core.rocket_launcher import launch_rocket
from hightc.launch.dispatch import ACTIVE, worker_lock, worker_name
from hightc.launch.errors import LaunchError
from hightc.launch.settings import load_settings
from hightc.launch.store import Database, open_database
from jobflow import SETTINGS

IDLE_SECONDS = 0.5


def work(campaign: str, database: Database, directory: Path, name: str) -> int:
    """Run fireworks of a campaign until none is left that could still become ready.

    Parameters
    ----------
    campaign
        Name of the campaign.
    database
        The database.
    directory
        Folder of the campaign; a step that names no folder of its own runs here.
    name
        Name of the worker, shown by FireWorks beside each launch.

    Returns
    -------
    int
        How many it ran.
    """
    SETTINGS.JOB_STORE = database.job_store()
    query = {"spec.campaign": campaign}
    worker = FWorker(name=name, query=query)
    ran = 0
    while True:
        os.chdir(directory)
        if launch_rocket(database.launchpad, worker, strm_lvl="WARNING"):
            ran += 1
        elif database.launchpad.fireworks.count_documents({**query, "state": {"$in": list(ACTIVE)}}):
            time.sleep(IDLE_SECONDS)
        else:
            return ran


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker from the command line.

    Parameters
    ----------
    arguments
        Command line; that of the process if None.
    """
    parser = argparse.ArgumentParser(prog="hightc worker", description=__doc__)
    parser.add_argument("campaign", help="name of the campaign")
    parser.add_argument("--directory", type=Path, required=True, help="folder of the campaign")
    parser.add_argument("--number", type=int, default=0, help="number of the worker on this machine")
    parser.add_argument("--cores", default="", help="cores to use, such as 0,1; all if empty")
    options = parser.parse_args(arguments)
    if options.cores:
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    directory = options.directory.absolute()
    lock = worker_lock(directory, f"worker-{options.number}")
    if lock is None:
        print(f"hightc worker: worker {options.number} of {directory} is alive already", file=sys.stderr)
        return 2
    with lock:
        try:
            database = open_database(load_settings())
        except LaunchError as error:
            print(f"hightc worker: {error}", file=sys.stderr)
            return 2
        work(options.campaign, database, directory, worker_name(options.number))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
