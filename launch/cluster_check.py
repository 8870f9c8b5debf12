"""Whether jobs of a cluster can start: its files, the queue's commands, the database as the nodes see it."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Iterator

from hightc.launch.cluster import Cluster, ClusterError
from hightc.launch.cluster_queue import living_jobs
from hightc.launch.findings import Finding
from hightc.launch.settings import Settings
from hightc.launch.step_category import CATEGORIES

CHECK_SECONDS = 30


def check_cluster(cluster: Cluster, settings: Settings) -> list[Finding]:
    """Look at everything a job needs that can be seen from here.

    Parameters
    ----------
    cluster
        The cluster.
    settings
        Settings of this machine.
    """
    return [_files(cluster), _environment(cluster), *_queue(cluster), _database(cluster, settings), _secret(cluster)]


def _files(cluster: Cluster) -> Finding:
    try:
        adapter, offline = cluster.qadapter(), cluster.offline
        category = cluster.fworker().category
        taken = [category] if isinstance(category, str) else list(category)
        shown = f"{adapter.q_type}, walltime {cluster.walltime_seconds} s, {cluster.most_jobs} jobs"
    except (ClusterError, ValueError) as error:
        return Finding("files", "problem", "cannot be used", str(error))
    unknown = [name for name in taken if name and name not in CATEGORIES]
    if unknown:
        expected = f"category in {cluster.fworker_file}: expected some of {', '.join(CATEGORIES)}, or '' for all"
        return Finding("files", "problem", f"no step has the category {', '.join(unknown)}", expected)
    shown += f", {'offline' if offline else 'online'}, {' and '.join(filter(None, taken)) or 'all'} steps"
    return Finding("files", "ok", f"{cluster.directory}: {shown}")


def _environment(cluster: Cluster) -> Finding:
    path = cluster.environment_file
    if not path.is_file():
        return Finding("environment.sh", "problem", f"{path}: not there", f"hightc cluster add {cluster.name} --force")
    answer = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return Finding("environment.sh", "problem", " ".join(answer.stderr.split()), f"correct {path}")
    return Finding("environment.sh", "ok", "a shell can read it")


def _queue(cluster: Cluster) -> Iterator[Finding]:
    try:
        adapter = cluster.qadapter()
    except ClusterError:
        return
    submit = adapter.q_commands[adapter.q_type]["submit_cmd"]
    advice = "run hightc cluster where jobs are submitted, for example on a login node"
    if shutil.which(submit) is None:
        yield Finding("queue", "problem", f"{submit} is not on PATH", advice)
        return
    try:
        yield Finding("queue", "ok", f"{submit} found; {len(living_jobs(cluster))} jobs of yours in the queue")
    except ClusterError as error:
        yield Finding("queue", "problem", "does not answer", str(error))
        return
    queue = adapter.get("queue")
    if adapter.q_type == "SLURM" and queue:
        answer = subprocess.run(
            ["sinfo", "-h", "-p", str(queue), "-o", "%P %a %l"],
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            check=False,
        )
        if answer.returncode != 0 or not answer.stdout.strip():
            yield Finding("partition", "problem", f"no partition {queue}", f"correct queue in {cluster.qadapter_file}")
        else:
            yield Finding("partition", "ok", f"{answer.stdout.splitlines()[0]} (name, state, time limit)")


def _database(cluster: Cluster, settings: Settings) -> Finding:
    try:
        offline = cluster.offline
    except ClusterError:
        offline = False
    if offline:
        return Finding("database", "ok", "not asked by the nodes: results are taken over from the folders of the steps")
    if settings.mongo_uri is None:
        advice = "set HIGHTC_MONGO_URI to a MongoDB that the nodes reach, or hightc cluster add with --offline"
        return Finding("database", "warning", "embedded: only jobs on this very machine reach it", advice)
    return Finding("database", "ok", "HIGHTC_MONGO_URI is handed to jobs in a file that only you can read")


def _secret(cluster: Cluster) -> Finding:
    path = cluster.launchpad_file
    if not path.is_file():
        return Finding("my_launchpad.yaml", "ok", "not there yet: written at the first launch")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding("my_launchpad.yaml", "problem", f"others can read it, mode {mode:04o}", f"chmod 600 {path}")
    return Finding("my_launchpad.yaml", "ok", f"mode {mode:04o}")
