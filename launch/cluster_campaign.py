"""A campaign computed by the jobs of a cluster: submitted, launched, watched, and reported as `hightc run` does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hightc.launch.campaign import read_campaign
from hightc.launch.cluster import Cluster
from hightc.launch.cluster_launch import QueueLauncher, launch_round, launch_until_done
from hightc.launch.cluster_offline import recover_offline
from hightc.launch.cluster_queue import held_launches
from hightc.launch.disk_space import campaign_need, drop_finished, require_room
from hightc.launch.dispatch import ACTIVE, Submission, hold_campaign, submit
from hightc.launch.recovery import recover_interrupted, set_aside
from hightc.launch.report import write_report
from hightc.launch.report_table import result_table
from hightc.launch.results import collect_results
from hightc.launch.run import SETTLED, exit_code, package_versions, tell, with_figures
from hightc.launch.settings import Settings
from hightc.launch.store import Database, open_database


@dataclass(frozen=True)
class LaunchChoice:
    """How a campaign is launched.

    Attributes
    ----------
    reserve
        Whether each job is submitted for one step.
    max_jobs
        Jobs in the queue at a time; None for what the cluster says.
    once
        Whether to submit what is ready and end, for cron or a login node with short sessions.
    poll_seconds
        Time between two looks at the queue in s.
    """

    reserve: bool = False
    max_jobs: int | None = None
    once: bool = False
    poll_seconds: float = 30.0


def launch_campaign(
    path: Path, cluster: Cluster, settings: Settings, choice: LaunchChoice, console: Console | None = None
) -> int:
    """Compute a campaign in jobs of a cluster, or continue.

    Parameters
    ----------
    path
        Campaign file.
    cluster
        The cluster.
    settings
        Settings of this machine.
    choice
        How it is launched.
    console
        Where to print; standard output if None.

    Returns
    -------
    int
        As of `hightc.launch.run.run_campaign`; 0 with `once` if jobs are still at work.

    Raises
    ------
    LaunchError
        If the campaign, the cluster or the database cannot be used, or the queue refuses a job.
    """
    console = console or Console()
    started = time.monotonic()
    campaign = read_campaign(path, settings)
    directory = (settings.work_directory / campaign.name).absolute()
    with closing(open_database(settings)) as database:
        database.prepare()
        with hold_campaign(directory), hold_campaign(settings.data_directory.absolute() / "campaigns" / campaign.name):
            require_room(campaign_need(campaign.materials, database, directory, settings), directory, settings)
            most = choice.max_jobs or cluster.most_jobs
            # jobs that one material's q points can use beside those of the others
            submissions = submit(campaign, database, directory, q_jobs=max(1, most // len(campaign.materials)))
            launcher = QueueLauncher(cluster, campaign.name, database, directory, choice.reserve, most)
            _launch(launcher, submissions, choice, console)
        if is_under_way(campaign.name, database):
            tell(console, f"jobs are at work; go on with: hightc cluster launch {cluster.name} {path}")
            return 0
        results = collect_results(submissions, database)
        illustrated = with_figures(results, database)
    over = [result.submission.material for result in results if result.outcome in SETTLED and result.settled]
    drop_finished(over, directory, settings.keep)
    console.print(result_table(results, campaign_file=path))
    page = directory / "report.html"
    write_report(
        illustrated,
        page,
        campaign=campaign.name,
        versions=package_versions(),
        elapsed_seconds=time.monotonic() - started,
        campaign_file=path,
    )
    tell(console, f"report: {page}")
    return exit_code(results)


def _launch(launcher: QueueLauncher, submissions: Sequence[Submission], choice: LaunchChoice, console: Console) -> None:
    campaign, database = launcher.campaign, launcher.database
    if not choice.once and not held_launches(launcher.cluster, campaign, database):
        # no job is at work: what failed is tried again, as by hightc run
        recover_interrupted(submissions, database)
        set_aside(campaign, submissions, database)
    if choice.once:
        for line in launch_round(launcher):
            tell(console, line)
        return
    launch_until_done(
        launcher,
        lambda: is_under_way(campaign, database),
        poll_seconds=choice.poll_seconds,
        report=lambda line: tell(console, line),
    )


def is_under_way(campaign: str, database: Database) -> bool:
    """Whether anything of a campaign is ready, in the queue or running.

    Parameters
    ----------
    campaign
        Name of the campaign.
    database
        The database.
    """
    active = {"spec.campaign": campaign, "state": {"$in": list(ACTIVE)}}
    return bool(database.launchpad.fireworks.count_documents(active, limit=1))


def recover_all_offline(database: Database) -> int:
    """Take over the results of nodes without a database, of every campaign; how many steps ended.

    Parameters
    ----------
    database
        The database.
    """
    launchpad = database.launchpad
    runs = launchpad.offline_runs.distinct("fw_id", {"completed": False, "deprecated": False})
    campaigns = launchpad.fireworks.distinct("spec.campaign", {"fw_id": {"$in": runs}})
    return sum(len(recover_offline(str(campaign), database)) for campaign in campaigns)
