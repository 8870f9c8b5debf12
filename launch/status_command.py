"""``hightc status``: how far the campaigns are, what runs where, and what failed for which cause."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any, Final

from hightc.launch.command_parser import CommandParser, add_command

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hightc.launch.status import CampaignStatus, FailureGroup, Status

EPILOG: Final = """\
examples:
  hightc status                 every campaign of the database
  hightc status nb --watch      one campaign, again every five seconds until it is finished
  hightc status --json | jq '.campaigns[] | {name, steps}'

A failed step keeps what it has. Mend the cause, and give `hightc run CAMPAIGN.toml` again: it goes on from there.
`hightc recover CAMPAIGN --cause TEXT` makes only the steps of one cause ready again."""

WATCH_SECONDS: Final = 5.0
MOST_GROUPS: Final = 10
MOST_RUNNING_SHOWN: Final = 20
FINISHED: Final = "COMPLETED"
WORDS: Final = {
    "COMPLETED": "finished",
    "RUNNING": "running",
    "RESERVED": "queued",
    "READY": "ready",
    "WAITING": "waiting",
    "FIZZLED": "failed",
    "DEFUSED": "stopped",
    "PAUSED": "set aside",
    "ARCHIVED": "archived",
}
"""FireWorks' states in words; a gate that stops a material defuses what would come after it."""


def add_status(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        Sub-commands of ``hightc``.
    """
    parser = add_command(
        commands,
        "status",
        show_status,
        "how far the campaigns are, what runs where, failures grouped by cause",
        description="How far the campaigns of the database are, what runs where, and failures grouped by cause.",
        epilog=EPILOG,
    )
    parser.add_argument("campaign", nargs="?", help="name of a campaign; all by default")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--watch", action="store_true", help=f"show it again every {WATCH_SECONDS:g} s until everything is finished"
    )
    how.add_argument("--json", action="store_true", help="print JSON")


def show_status(options: argparse.Namespace) -> int:
    """Print the state of the campaigns.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code: 1 if a step has failed, else 0.

    Raises
    ------
    LaunchError
        If the database cannot be reached or has no such campaign.
    """
    # a help text must not wait for the database's packages
    from rich.console import Console  # noqa: PLC0415

    from hightc.launch.errors import LaunchError  # noqa: PLC0415
    from hightc.launch.settings import load_settings  # noqa: PLC0415
    from hightc.launch.status import read_status  # noqa: PLC0415
    from hightc.launch.store import open_database  # noqa: PLC0415

    database = open_database(load_settings())
    console = Console()
    try:
        status = read_status(database, options.campaign)
        if options.campaign and not status.campaigns[0].steps:
            msg = f"campaign {options.campaign!r}: expected one of the database, found none: hightc status lists all"
            raise LaunchError(msg)
        if options.json:
            print(json.dumps(dataclasses.asdict(status), indent=2))
        elif options.watch:
            _watch(console, database, options.campaign, status)
        else:
            console.print(status_table(status))
    finally:
        database.close()
    return 1 if status.failures else 0


def _watch(console: Any, database: Any, campaign: str | None, status: Status) -> None:
    from rich.live import Live  # noqa: PLC0415

    from hightc.launch.status import read_status  # noqa: PLC0415

    with Live(status_table(status), console=console, auto_refresh=False) as live:
        while any(campaign.left for campaign in status.campaigns):
            time.sleep(WATCH_SECONDS)
            status = read_status(database, campaign)
            live.update(status_table(status), refresh=True)


def status_table(status: Status) -> RenderableType:
    """Lay the state out for a terminal.

    Parameters
    ----------
    status
        The state.
    """
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if not status.campaigns:
        return Text("no campaign has been submitted: hightc run launch/examples/quickstart.toml")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("campaign", "materials", "steps", "per hour", "time left"):
        table.add_column(heading, overflow="fold")
    for campaign in status.campaigns:
        table.add_row(
            campaign.name,
            words_of(campaign.materials),
            words_of(campaign.steps),
            f"{campaign.per_hour:.0f}",
            time_left(campaign),
        )
    parts: list[RenderableType] = [table]
    if status.running:
        parts += [Text(), _running_table(status)]
    for group in status.failures[:MOST_GROUPS]:
        parts += [Text(), *(Text(line, overflow="fold") for line in failure_lines(group))]
    others = sum(group.count for group in status.failures[MOST_GROUPS:]) + status.failures_left_out
    if others:
        parts.append(Text(f"and {others} failed steps of other causes: hightc status --json"))
    return Group(*parts)


def _running_table(status: Status) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("running", "campaign", "worker", "host", "minutes"):
        table.add_column(heading, overflow="fold")
    for step in status.running[:MOST_RUNNING_SHOWN]:
        minutes = "" if step.seconds is None else f"{step.seconds / 60:.1f}"
        table.add_row(step.name, step.campaign, step.worker, step.host, minutes)
    return table


def words_of(counts: dict[str, int] | Any) -> str:
    """Write counts by state, the finished of all first.

    Parameters
    ----------
    counts
        Numbers by FireWorks' state.
    """
    total = sum(counts.values())
    others = ", ".join(
        f"{counts[state]} {word}" for state, word in WORDS.items() if state != FINISHED and counts.get(state)
    )
    done = f"{counts.get(FINISHED, 0)} of {total} finished"
    return f"{done}, {others}" if others else done


def time_left(campaign: CampaignStatus) -> str:
    """Write the time to the end at the rate of the last hour.

    Parameters
    ----------
    campaign
        Counts of the campaign.
    """
    hours = campaign.hours_left
    if hours is None:
        return "unknown: nothing was finished in the last hour"
    if hours == 0:
        return "-"
    return f"{hours * 60:.0f} min" if hours < 1 else (f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days")


def failure_lines(group: FailureGroup) -> list[str]:
    """Write one cause: how often, the newest message, where, and what to do.

    Parameters
    ----------
    group
        The steps that failed for it.
    """
    ids = ", ".join(str(fw_id) for fw_id in group.fw_ids) + (", ..." if group.count > len(group.fw_ids) else "")
    noun = "step" if group.count == 1 else "steps"
    lines = [f"{group.count} failed {noun} of {', '.join(group.campaigns)} (fw_id {ids}): {group.example}"]
    if group.directory:
        lines.append(f"  newest folder: {group.directory}")
    lines.append(f"  next: mend the cause, then: hightc recover {group.campaigns[0]}, and hightc run with its file")
    return lines
