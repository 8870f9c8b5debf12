"""A campaign computed by the jobs of a cluster: submitted, launched, watched, and reported as `hightc run` does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from hightc.launch.campaign import read_campaign
from hightc.launch.cluster import Cluster
from hightc.launch.cluster_launch import QueueLauncher, launch_round, launch_until_done, why_untaken
from hightc.launch.cluster_offline import recover_offline
from hightc.launch.cluster_queue import held_launches
from hightc.launch.disk_space import campaign_need, require_room
from hightc.launch.dispatch import ACTIVE, Submission, hold_campaign, submit
from hightc.launch.patience import Patience
from hightc.launch.recovery import recover_interrupted, set_aside
from hightc.launch.run import CampaignEnd, conclude, tell
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
    pack
        Whether a job runs several steps side by side.
    """

    reserve: bool = False
    max_jobs: int | None = None
    once: bool = False
    poll_seconds: float = 30.0
    pack: bool = False


def launch_campaign(
    path: Path, clusters: Sequence[Cluster], settings: Settings, choice: LaunchChoice, console: Console | None = None
) -> int:
    """Compute a campaign in jobs of one or more clusters, or continue.

    Parameters
    ----------
    path
        Campaign file.
    clusters
        The clusters, each of which takes the steps of its categories.
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
    revive = (lambda: open_database(settings)) if settings.mongo_uri is None else None
    patience = Patience(settings.database_patience_seconds, partial(tell, console), revive)
    reached = open_database(settings)
    reached.close()
    with closing(replace(reached, patience=patience)) as database:
        database.prepare()
        with hold_campaign(directory), hold_campaign(settings.data_directory.absolute() / "campaigns" / campaign.name):
            require_room(campaign_need(campaign.materials, database, directory, settings), directory, settings)
            launchers = [
                QueueLauncher(
                    cluster,
                    campaign.name,
                    database,
                    directory,
                    reserve=choice.reserve,
                    max_jobs=choice.max_jobs or cluster.most_jobs,
                    pack=choice.pack,
                )
                for cluster in clusters
            ]
            most = sum(launcher.max_jobs for launcher in launchers)
            # jobs that one material's q points can use beside those of the others
            submissions = submit(campaign, database, directory, q_jobs=max(1, most // len(campaign.materials)))
            _launch(launchers, submissions, choice, console)
        if is_under_way(campaign.name, database):
            names = ",".join(cluster.name for cluster in clusters)
            tell(console, f"jobs are at work; go on with: hightc cluster launch {names} {path}")
            return 0
        end = CampaignEnd(campaign.name, path, directory, settings, console)
        return conclude(end, submissions, database, started=started)


def _launch(
    launchers: Sequence[QueueLauncher], submissions: Sequence[Submission], choice: LaunchChoice, console: Console
) -> None:
    campaign, database = launchers[0].campaign, launchers[0].database
    held = any(held_launches(launcher.cluster, campaign, database) for launcher in launchers)
    if not choice.once and not held:
        # no job is at work: what failed is tried again, as by hightc run
        recover_interrupted(submissions, database)
        set_aside(campaign, submissions, database)
    if choice.once:
        for line in (line for launcher in launchers for line in launch_round(launcher)):
            tell(console, line)
        if untaken := why_untaken(launchers):
            tell(console, untaken)
        return
    launch_until_done(
        launchers,
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
