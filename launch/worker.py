"""A worker: takes the fireworks of one campaign and runs them one after another on its share of the cores."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fireworks import FWorker
from fireworks.core.rocket_launcher import launch_rocket
from jobflow import SETTINGS

from hightc.launch.crew import available_cores, worker_count
from hightc.launch.dispatch import ACTIVE, worker_lock, worker_name
from hightc.launch.errors import LaunchError
from hightc.launch.patience import Patience
from hightc.launch.recovery import runs_here
from hightc.launch.settings import Settings, load_settings
from hightc.launch.store import Database, open_database

IDLE_SECONDS = 0.5
BEGUN = tuple(state for state in ACTIVE if state != "READY")
"""States of fireworks that a worker has: no more than there are workers."""

STEPS_A_LOOK = 4
"""Steps that are read first for each worker of this machine, to see what may run side by side."""

Q_GROUP = " ph.x q "
"""In the name of a step that computes a group of q points beside others of the same material."""


def work(campaign: str, database: Database, directory: Path, name: str, settings: Settings) -> int:
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
    settings
        Settings of this machine.

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
        os.environ["HIGHTC_PROCESSES"] = str(share_of_cores(campaign, database, settings))
        # asked first, because a rocket that finds nothing writes three lines into the log
        if database.launchpad.run_exists(worker):
            ran += launch_rocket(database.launchpad, worker, strm_lvl="WARNING")
        elif _may_become_ready(database, query):
            time.sleep(IDLE_SECONDS)
        else:
            return ran


def _may_become_ready(database: Database, query: dict[str, Any]) -> bool:
    """Whether a step may follow from what is ready or runs on this machine; other machines go on by themselves."""
    fireworks = database.launchpad.fireworks
    if fireworks.count_documents({**query, "state": "READY"}, limit=1):
        return True
    begun = fireworks.find({**query, "state": {"$in": list(BEGUN)}}, {"state": 1, "launches": 1})
    return any(runs_here(database.launchpad, firework) for firework in begun)


def share_of_cores(campaign: str, database: Database, settings: Settings) -> int:
    """Processes for the next step: materials, and groups of q points, that are under way share the cores evenly.

    Parameters
    ----------
    campaign
        Name of the campaign.
    database
        The database.
    settings
        Settings of this machine.
    """
    most = worker_count(settings, sys.maxsize)
    workers = worker_count(settings, max(_side_by_side(campaign, database, most), 1))
    return max(settings.processes, available_cores(settings) // workers)


def _side_by_side(campaign: str, database: Database, most: int) -> int:
    """Count what may run side by side now, up to a number; of the steps that are ready no more are read than needed."""
    fireworks = database.launchpad.fireworks
    found: set[tuple[Any, str]] = set()
    for states in (BEGUN, ("READY",)):
        active, length = {"spec.campaign": campaign, "state": {"$in": list(states)}}, STEPS_A_LOOK * most
        while len(found) < most:
            steps = list(fireworks.find(active, {"name": 1, "spec.material": 1}).limit(length))
            # steps of one material run one after another, but for groups of q points
            found |= {(step["spec"].get("material"), step["name"] if Q_GROUP in step["name"] else "") for step in steps}
            if len(steps) < length:
                break
            # many ready steps of few materials are rare
            length *= STEPS_A_LOOK
    return len(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker from the command line.

    Parameters
    ----------
    arguments
        Command line; that of the process if None.
    """
    parser = argparse.ArgumentParser(prog="hightc.launch.worker", description=__doc__)
    parser.add_argument("campaign", help="name of the campaign")
    parser.add_argument("--directory", type=Path, required=True, help="folder of the campaign")
    parser.add_argument("--number", type=int, default=0, help="number of the worker on this machine")
    options = parser.parse_args(arguments)
    directory = options.directory.absolute()
    lock = worker_lock(directory, f"worker-{options.number}")
    if lock is None:
        print(f"hightc worker: worker {options.number} of {directory} is alive already", file=sys.stderr)
        return 2
    with lock:
        try:
            settings = load_settings()
            patience = Patience(settings.database_patience_seconds, partial(print, "hightc worker:", flush=True))
            database = replace(patience(lambda: open_database(settings)), patience=patience)
        except LaunchError as error:
            print(f"hightc worker: {error}", file=sys.stderr)
            return 2
        work(options.campaign, database, directory, worker_name(options.number), settings)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
