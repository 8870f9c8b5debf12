"""``hightc cluster``: campaigns in the jobs of a queueing system."""

# ruff: noqa: PLC0415 - a help text must not wait for FireWorks and pymatgen
from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.errors import LaunchError
from hightc.launch.step_category import CATEGORIES, Category

SUMMARY = "compute campaigns in the jobs of a cluster (Slurm, PBS)"

DETAILS = """\
Compute campaigns in the jobs of a cluster (Slurm, PBS), through FireWorks' queue launcher.

  hightc cluster add lab --queue compute --processes-per-node 48 --walltime 24:00:00
                                      writes the files of a cluster; read them, they explain themselves
  hightc cluster add short --queue short --category serial,small --walltime 01:00:00
                                      a queue for the steps of two categories; hightc cluster add -h lists them
  hightc cluster check lab            can jobs start? each problem comes with what mends it
  hightc cluster launch lab campaign.toml
                                      submits jobs until the campaign is done, then shows the table as hightc run does

Jobs take ready steps, one after another, until their time is over; programs are told to stop cleanly before that.
A step whose job was killed (time limit, scancel, lost node) is found out by asking the queue, and goes on in its
folder at its first unfinished q point. A drained node loses nothing: its jobs end by themselves.

What the nodes must see: the folders of HIGHTC_WORK_DIRECTORY and HIGHTC_DATA_DIRECTORY, this Python, and the MongoDB
of HIGHTC_MONGO_URI. Where they cannot reach a database, add --offline: inputs and results travel in files."""

LAUNCH_DETAILS = """\
Submits the campaign to the database and jobs to the queue, watches both, takes up what lost its job, and ends with
the table and the page of hightc run. Interrupt it as you like: jobs go on, and the same command goes on with them.

  hightc cluster launch lab campaign.toml                  jobs that take one ready step after another
  hightc cluster launch lab campaign.toml --reserve        one job for each step, named as the step in squeue
  hightc cluster launch lab campaign.toml --pack           several small steps side by side in each job
  hightc cluster launch lab,large campaign.toml            two clusters, each for the steps of its categories
  hightc cluster launch lab campaign.toml --max-jobs 20    no more than 20 jobs in the queue
  hightc cluster launch lab campaign.toml --once           submit what is ready now and end, from cron

A reserved step asks for the processes, time and memory that it is estimated to need, at most those of the cluster's
files; one that is killed at its time limit, or stops before it, goes on in a job with twice the time. Steps that no
cluster takes are listed, and end the command when nothing else is left.

Exits with 0 when every material has an answer or a stored verdict why it has none (with --once also when jobs are at
work), with 1 when one failed."""


WORKER_DETAILS = """\
The same as hightc cluster launch NAME CAMPAIGN.toml, which explains itself: workers are jobs that FireWorks' queue
launcher (qlaunch) submits, for one step each with --reserve.

  hightc cluster add lab           writes the files of a cluster, once
  hightc worker --slurm lab campaign.toml

On this machine alone, hightc run starts its workers by itself."""


def add_cluster(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    group = add_command(commands, "cluster", None, SUMMARY, description=DETAILS)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_add(actions)
    add_command(actions, "list", _list, "clusters that are known")
    _name(add_command(actions, "show", _show, "the files of a cluster"))
    _name(add_command(actions, "check", _check, "whether jobs can start; exits with 1 if there is a problem"))
    launch = add_command(
        actions, "launch", _launch, "compute a campaign in jobs, or continue", description=LAUNCH_DETAILS
    )
    launch.add_argument("names", metavar="NAME[,NAME]", help="name of the cluster, or of several")
    _add_launch(launch)
    add_command(
        actions,
        "recover-offline",
        _recover_offline,
        "take over results of nodes that cannot reach the database",
        description="hightc cluster launch does so by itself; this is for when nothing more is to be submitted.",
    )


def add_worker(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command that launches workers into a queue, by the name that FireWorks gives them.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    parser = add_command(
        commands, "worker", _launch, "workers of a campaign as jobs of a cluster", description=WORKER_DETAILS
    )
    for system in ("--slurm", "--pbs"):
        parser.add_argument(system, dest="names", metavar="NAME[,NAME]", help="name of the cluster, or of several")
    _add_launch(parser)


def _add_launch(launch: CommandParser) -> None:
    launch.add_argument("campaign", metavar="CAMPAIGN.toml", type=Path, help="campaign file")
    launch.add_argument("--reserve", action="store_true", help="one job for each step, which is reserved for it")
    launch.add_argument("--pack", action="store_true", help="several steps side by side in each job, on its one node")
    launch.add_argument("--max-jobs", metavar="N", type=_positive, help="jobs in the queue at a time")
    launch.add_argument("--once", action="store_true", help="submit what is ready and end")
    launch.add_argument(
        "--poll", metavar="SECONDS", type=_positive, default=30, help="time between looks at the queue (default: 30)"
    )


def _add_add(actions: argparse._SubParsersAction[CommandParser]) -> None:
    parser = add_command(actions, "add", _add, "write the files of a cluster, to be completed by hand")
    _name(parser)
    parser.add_argument("--system", choices=("slurm", "pbs"), default="slurm", help="default: slurm")
    parser.add_argument("--queue", metavar="Q", help="partition or queue (default: the centre's)")
    parser.add_argument("--account", metavar="A", help="account or project that pays")
    parser.add_argument("--nodes", metavar="N", type=_positive, default=1, help="nodes of one job (default: 1)")
    parser.add_argument(
        "--processes-per-node", metavar="N", type=_positive, default=1, help="MPI processes on each (default: 1)"
    )
    parser.add_argument("--walltime", metavar="HH:MM:SS", default="24:00:00", help="time limit (default: 24:00:00)")
    parser.add_argument(
        "--memory-per-node", metavar="MB", type=_positive, help="memory of a node, which steps must fit into"
    )
    parser.add_argument(
        "--category",
        metavar="C[,C]",
        type=_categories,
        default=(),
        help=f"steps that jobs there take, of {', '.join(CATEGORIES)} (default: all)",
    )
    parser.add_argument("--max-jobs", metavar="N", type=_positive, default=8, help="jobs in the queue (default: 8)")
    parser.add_argument("--offline", action="store_true", help="the nodes cannot reach the database")
    parser.add_argument("--force", action="store_true", help="write over files that are there")


def _name(parser: CommandParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the cluster")


def _positive(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        msg = f"expected a whole number above 0, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _categories(text: str) -> tuple[Category, ...]:
    wanted = text.split(",")
    if not set(wanted) <= set(CATEGORIES):
        msg = f"expected some of {', '.join(CATEGORIES)} with commas between them, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return tuple(name for name in CATEGORIES if name in wanted)


def _add(options: argparse.Namespace) -> int:
    from hightc.launch.cluster import JobShape, write_cluster
    from hightc.launch.settings import load_settings

    shape = JobShape(
        system=options.system,
        queue=options.queue,
        account=options.account,
        nodes=options.nodes,
        processes_per_node=options.processes_per_node,
        walltime=options.walltime,
        memory_mb_per_node=options.memory_per_node,
    )
    cluster = write_cluster(
        options.name,
        shape,
        load_settings(),
        categories=options.category,
        offline=options.offline,
        max_jobs=options.max_jobs,
        force=options.force,
    )
    for path in (cluster.qadapter_file, cluster.fworker_file, cluster.environment_file):
        print(f"written: {path}")
    print(f"next: look through them, then: hightc cluster check {cluster.name}")
    return 0


def _list(_options: argparse.Namespace) -> int:
    from hightc.launch.cluster import list_clusters
    from hightc.launch.settings import load_settings

    known = list_clusters(load_settings())
    for cluster in known:
        print(f"{cluster.name}: {cluster.directory}")
    if not known:
        print("no cluster is known: hightc cluster add NAME")
    return 0


def _show(options: argparse.Namespace) -> int:
    from hightc.launch.cluster import find_cluster
    from hightc.launch.settings import load_settings

    cluster = find_cluster(options.name, load_settings())
    for path in (cluster.qadapter_file, cluster.fworker_file, cluster.environment_file):
        print(f"# {path}\n{path.read_text(encoding='utf-8')}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from hightc.launch.cluster import find_cluster
    from hightc.launch.cluster_check import check_cluster
    from hightc.launch.findings import show_findings
    from hightc.launch.settings import load_settings

    settings = load_settings()
    return show_findings(check_cluster(find_cluster(options.name, settings), settings))


def _launch(options: argparse.Namespace) -> int:
    from hightc.launch.cluster import find_cluster, list_clusters
    from hightc.launch.cluster_campaign import LaunchChoice, launch_campaign
    from hightc.launch.settings import load_settings

    settings = load_settings()
    if options.names is None:
        known = ", ".join(cluster.name for cluster in list_clusters(settings)) or "none: hightc cluster add NAME"
        msg = f"no cluster named: expected --slurm NAME or --pbs NAME; those known are {known}; here it is hightc run"
        raise LaunchError(msg)
    choice = LaunchChoice(options.reserve, options.max_jobs, options.once, options.poll, options.pack)
    clusters = [find_cluster(name, settings) for name in options.names.split(",")]
    return launch_campaign(options.campaign, clusters, settings, choice)


def _recover_offline(_options: argparse.Namespace) -> int:
    from hightc.launch.cluster_campaign import recover_all_offline
    from hightc.launch.settings import load_settings
    from hightc.launch.store import open_database

    with closing(open_database(load_settings())) as database:
        print(f"{recover_all_offline(database)} steps ended")
    return 0
