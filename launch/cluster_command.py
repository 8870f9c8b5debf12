"""``hightc cluster``: campaigns in the jobs of a queueing system."""

# ruff: noqa: PLC0415 - a help text must not wait for FireWorks and pymatgen
from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hightc.launch.command_parser import CommandParser

SUMMARY = "compute campaigns in the jobs of a cluster (Slurm, PBS)"

DETAILS = """\
Compute campaigns in the jobs of a cluster (Slurm, PBS), through FireWorks' queue launcher.

  hightc cluster add lab --queue compute --processes-per-node 48 --walltime 24:00:00
                                      writes the files of a cluster; read them, they explain themselves
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
  hightc cluster launch lab campaign.toml --max-jobs 20    no more than 20 jobs in the queue
  hightc cluster launch lab campaign.toml --once           submit what is ready now and end, from cron

Exits with 0 when every material has an answer or a stored verdict why it has none (with --once also when jobs are at
work), with 1 when one failed."""


def add_cluster(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    group = _parser(commands, "cluster", None, SUMMARY, DETAILS)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_add(actions)
    _parser(actions, "list", _list, "clusters that are known")
    _name(_parser(actions, "show", _show, "the files of a cluster"))
    _name(_parser(actions, "check", _check, "whether jobs can start; exits with 1 if there is a problem"))
    launch = _parser(actions, "launch", _launch, "compute a campaign in jobs, or continue", LAUNCH_DETAILS)
    _name(launch)
    launch.add_argument("campaign", metavar="CAMPAIGN.toml", type=Path, help="campaign file")
    launch.add_argument("--reserve", action="store_true", help="one job for each step, which is reserved for it")
    launch.add_argument("--max-jobs", metavar="N", type=_positive, help="jobs in the queue at a time")
    launch.add_argument("--once", action="store_true", help="submit what is ready and end")
    launch.add_argument(
        "--poll", metavar="SECONDS", type=_positive, default=30, help="time between looks at the queue (default: 30)"
    )
    _parser(
        actions,
        "recover-offline",
        _recover_offline,
        "take over results of nodes that cannot reach the database",
        "hightc cluster launch does so by itself; this is for when nothing more is to be submitted.",
    )


def _add_add(actions: argparse._SubParsersAction[CommandParser]) -> None:
    parser = _parser(actions, "add", _add, "write the files of a cluster, to be completed by hand")
    _name(parser)
    parser.add_argument("--system", choices=("slurm", "pbs"), default="slurm", help="default: slurm")
    parser.add_argument("--queue", metavar="Q", help="partition or queue (default: the centre's)")
    parser.add_argument("--account", metavar="A", help="account or project that pays")
    parser.add_argument("--nodes", metavar="N", type=_positive, default=1, help="nodes of one job (default: 1)")
    parser.add_argument(
        "--processes-per-node", metavar="N", type=_positive, default=1, help="MPI processes on each (default: 1)"
    )
    parser.add_argument("--walltime", metavar="HH:MM:SS", default="24:00:00", help="time limit (default: 24:00:00)")
    parser.add_argument("--max-jobs", metavar="N", type=_positive, default=8, help="jobs in the queue (default: 8)")
    parser.add_argument("--offline", action="store_true", help="the nodes cannot reach the database")
    parser.add_argument("--force", action="store_true", help="write over files that are there")


def _parser(
    commands: argparse._SubParsersAction[CommandParser],
    name: str,
    function: Callable[[argparse.Namespace], int] | None,
    summary: str,
    details: str = "",
) -> CommandParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=details or f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if function is not None:
        parser.set_defaults(command=function)
    return parser


def _name(parser: CommandParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the cluster")


def _positive(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        msg = f"expected a whole number above 0, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


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
    )
    cluster = write_cluster(
        options.name,
        shape,
        load_settings(),
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

    for cluster in list_clusters(load_settings()):
        print(f"{cluster.name}: {cluster.directory}")
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
    from hightc.launch.cluster import find_cluster
    from hightc.launch.cluster_campaign import LaunchChoice, launch_campaign
    from hightc.launch.settings import load_settings

    settings = load_settings()
    choice = LaunchChoice(options.reserve, options.max_jobs, options.once, options.poll)
    return launch_campaign(options.campaign, find_cluster(options.name, settings), settings, choice)


def _recover_offline(_options: argparse.Namespace) -> int:
    from hightc.launch.cluster_campaign import recover_all_offline
    from hightc.launch.settings import load_settings
    from hightc.launch.store import open_database

    with closing(open_database(load_settings())) as database:
        print(f"{recover_all_offline(database)} steps ended")
    return 0
