"""One of several places in a job of a queue: runs the fireworks that it is told, one after another.

It reads lines of its standard input, each the id of a firework and the processes that it may use, and answers each with
1, or 0 where another worker had taken the firework.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fireworks.core.rocket_launcher import launch_rocket
from jobflow import SETTINGS

from hightc.launch.cluster import Cluster
from hightc.launch.cluster_fit import worker_of
from hightc.launch.cluster_job import job_number, open_jobs_database, time_left_in_settings
from hightc.launch.cluster_queue import job_worker_name
from hightc.launch.errors import LaunchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line that the job of a queue gives.

    Parameters
    ----------
    arguments
        Command line; that of the process if None.
    """
    parser = argparse.ArgumentParser(prog="hightc.launch.cluster_slot", description=__doc__)
    parser.add_argument("--cluster", type=Path, required=True, help="folder of the cluster")
    parser.add_argument("--campaign", required=True, help="name of the campaign")
    parser.add_argument("--end", type=float, required=True, help="end of the job, seconds since 1970")
    options = parser.parse_args(arguments)
    # what steps print must not be taken for an answer
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    cluster, folder = Cluster(options.cluster), Path.cwd()
    try:
        database = open_jobs_database(cluster)
        worker = worker_of(cluster, options.campaign, job_worker_name(cluster.name, job_number()))
    except LaunchError as error:
        print(f"hightc: {error}", file=sys.stderr)
        return 2
    SETTINGS.JOB_STORE = database.job_store()
    with time_left_in_settings(options.end):
        for line in sys.stdin:
            fw_id, processes = map(int, line.split())
            os.environ["HIGHTC_PROCESSES"] = str(processes)
            ran = launch_rocket(database.launchpad, worker, fw_id, strm_lvl="WARNING")
            os.chdir(folder)
            print(int(bool(ran)), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
