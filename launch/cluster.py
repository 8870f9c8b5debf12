"""A queueing system that campaigns are computed on: its folder of files, as FireWorks reads them.

Each cluster has a folder ``clusters/NAME`` in the data directory, which the nodes must see too:

    my_qadapter.yaml    what a job asks the queue for (FireWorks' CommonAdapter)
    my_fworker.yaml     which fireworks run there, and whether the nodes reach the database
    environment.sh      what a job does before it starts: modules, MPI, programs
    my_launchpad.yaml   the address of the database, with its password: mode 0600, written anew at every launch
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from fireworks import FWorker

from hightc.analysis.files import write_text
from hightc.launch.cluster_adapter import QueueAdapter
from hightc.launch.cluster_templates import ENVIRONMENT, FWORKER, QADAPTERS, QueueSystem
from hightc.launch.errors import LaunchError
from hightc.launch.settings import Settings
from hightc.launch.step_category import Category

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}")
"""Names of clusters, queues and accounts: they stand in file names, comments of batch scripts and commands."""

WALLTIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d))?")
MOST_JOBS = 8


class ClusterError(LaunchError):
    """A cluster that is not known, or whose files cannot be used."""


@dataclass(frozen=True)
class JobShape:
    """What one job asks the queue for.

    Attributes
    ----------
    system
        The queueing system.
    queue, account
        Partition or queue, and who pays; None for the centre's default.
    nodes, processes_per_node
        Nodes, and MPI processes on each.
    walltime
        HH:MM:SS.
    memory_mb_per_node
        Memory of one node in MB, which steps must fit into; None if it need not be counted with.
    """

    system: QueueSystem = "slurm"
    queue: str | None = None
    account: str | None = None
    nodes: int = 1
    processes_per_node: int = 1
    walltime: str = "24:00:00"
    memory_mb_per_node: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would not be one word of a batch script."""
        for what in ("queue", "account"):
            word = getattr(self, what)
            if word is not None and not NAME.fullmatch(word):
                msg = f"{what}: expected letters, digits, '_', '.' or '-', found {word!r}"
                raise ClusterError(msg)
        walltime_seconds(self.walltime)


@dataclass(frozen=True)
class Cluster:
    """A cluster by its folder.

    Attributes
    ----------
    directory
        The folder, named as the cluster.
    """

    directory: Path

    @property
    def name(self) -> str:
        """Name of the cluster."""
        return self.directory.name

    @property
    def qadapter_file(self) -> Path:
        """What a job asks the queue for."""
        return self.directory / "my_qadapter.yaml"

    @property
    def fworker_file(self) -> Path:
        """Which fireworks run there."""
        return self.directory / "my_fworker.yaml"

    @property
    def environment_file(self) -> Path:
        """What a job does before it starts."""
        return self.directory / "environment.sh"

    @property
    def launchpad_file(self) -> Path:
        """Address of the database."""
        return self.directory / "my_launchpad.yaml"

    def qadapter(self) -> QueueAdapter:
        """FireWorks' queue adapter.

        Raises
        ------
        ClusterError
            If its file cannot be read or is not one of CommonAdapter.
        """
        content = _read_yaml(self.qadapter_file)
        try:
            found: QueueAdapter = QueueAdapter.from_dict(content)
        except (KeyError, ValueError) as error:
            msg = f"{self.qadapter_file}: not a file of FireWorks' CommonAdapter ({error}): see hightc cluster add -h"
            raise ClusterError(msg) from None
        return found

    def fworker(self) -> FWorker:
        """FireWorks' worker.

        Raises
        ------
        ClusterError
            If its file cannot be read.
        """
        content = _read_yaml(self.fworker_file)
        try:
            return FWorker.from_dict(content)
        except (KeyError, ValueError) as error:
            msg = f"{self.fworker_file}: not a file of FireWorks' FWorker ({error!r}): see hightc cluster add -h"
            raise ClusterError(msg) from None

    @property
    def offline(self) -> bool:
        """Whether the nodes cannot reach the database."""
        return bool(self.fworker().env.get("offline", False))

    @property
    def most_jobs(self) -> int:
        """Jobs of one campaign in the queue, unless told otherwise."""
        return int(self.fworker().env.get("max_jobs", MOST_JOBS))

    @property
    def walltime_seconds(self) -> int:
        """Time limit of a job in s."""
        return walltime_seconds(self.qadapter().get("walltime"), self.qadapter_file)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: cannot be read ({' '.join(str(error).split())}): write it anew: hightc cluster add NAME --force"
        raise ClusterError(msg) from None
    if not isinstance(content, dict):
        msg = f"{path}: expected lines such as name: value, found {type(content).__name__}"
        raise ClusterError(msg)
    return content


def walltime_seconds(text: Any, path: Path | None = None) -> int:
    """Seconds of a time limit.

    Parameters
    ----------
    text
        HH:MM:SS, HH:MM or D-HH:MM:SS.
    path
        File it comes from, for the message.

    Raises
    ------
    ClusterError
        If it is none, or not above zero.
    """
    found = WALLTIME.fullmatch(text) if isinstance(text, str) else None
    seconds = 0
    if found is not None:
        days, hours, minutes, rest = (int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
        seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if seconds == 0:
        where = f"{path}: " if path else ""
        msg = f"{where}walltime: expected hours, minutes and seconds in quotes such as '24:00:00', found {text!r}"
        raise ClusterError(msg)
    return seconds


def clusters_directory(settings: Settings) -> Path:
    """Folder of all clusters.

    Parameters
    ----------
    settings
        Settings of this machine.
    """
    return settings.data_directory.absolute() / "clusters"


def find_cluster(name: str, settings: Settings) -> Cluster:
    """A cluster by its name.

    Parameters
    ----------
    name
        Its name.
    settings
        Settings of this machine.

    Raises
    ------
    ClusterError
        If there is none of this name.
    """
    _require_name(name)
    cluster = Cluster(clusters_directory(settings) / name)
    if not cluster.qadapter_file.is_file():
        known = ", ".join(entry.name for entry in list_clusters(settings)) or "none"
        msg = f"cluster {name!r} is not known (known: {known}): hightc cluster add {name}"
        raise ClusterError(msg)
    return cluster


def list_clusters(settings: Settings) -> Iterator[Cluster]:
    """Every cluster, by name.

    Parameters
    ----------
    settings
        Settings of this machine.
    """
    for path in sorted(clusters_directory(settings).glob("*/my_qadapter.yaml")):
        yield Cluster(path.parent)


def write_cluster(
    name: str,
    shape: JobShape,
    settings: Settings,
    *,
    categories: Sequence[Category] = (),
    offline: bool = False,
    max_jobs: int = MOST_JOBS,
    force: bool,
) -> Cluster:
    """Write the files of a cluster, to be looked through by whoever knows the centre.

    Parameters
    ----------
    name
        Name of the cluster.
    shape
        What one job asks for.
    settings
        Settings of this machine.
    categories
        Categories of steps that jobs there take; empty for all.
    offline
        Whether the nodes cannot reach the database.
    max_jobs
        Jobs of one campaign in the queue at a time.
    force
        Whether files that are there are written over.

    Raises
    ------
    ClusterError
        If a name cannot be used, or a file is there and `force` is not given.
    """
    _require_name(name)
    cluster = Cluster(clusters_directory(settings) / name)
    texts = {
        cluster.qadapter_file: QADAPTERS[shape.system].substitute(
            name=name,
            source=json.dumps(f". {shlex.quote(str(cluster.environment_file))}"),
            queue=shape.queue or "null",
            account=shape.account or "null",
            nodes=shape.nodes,
            processes_per_node=shape.processes_per_node,
            walltime=shape.walltime,
        ),
        cluster.fworker_file: FWORKER.substitute(
            name=name,
            category=json.dumps(list(categories)) if categories else "''",
            offline=str(offline).lower(),
            max_jobs=max_jobs,
            memory=shape.memory_mb_per_node or "null",
        ),
        cluster.environment_file: ENVIRONMENT.substitute(name=name),
    }
    there = [path.name for path in texts if path.exists()]
    if there and not force:
        msg = f"{cluster.directory}: {', '.join(there)} there already: change them by hand, or add --force to replace"
        raise ClusterError(msg)
    cluster.directory.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        write_text(path, text)
    return cluster


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name) or ".." in name:
        msg = f"cluster name: expected a letter or digit, then letters, digits, '_', '.' or '-', found {name!r}"
        raise ClusterError(msg)
