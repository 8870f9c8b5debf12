"""``hightc funnel``: how many materials came how far on the way to a Tc, and why the others did not."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Final

from hightc.launch.command_parser import CommandParser, add_command

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hightc.launch.funnel import Funnel, FunnelStep, Reason

SUMMARY: Final = "how many materials came how far on the way to a Tc, and why the others did not"
DETAILS: Final = """\
Every gate with the materials that reached it: carried on, stopped by its verdict, held because a number is missing,
failed on the way, or under way. What failed or lacks a number is never counted as stopped."""
EPILOG: Final = """\
examples:
  hightc funnel nb                         the gates of one campaign, with the reasons
  hightc funnel nb --materials stable      which materials did not pass that gate, and why
  hightc funnel --json | jq '.[].steps[] | {name, reached, stopped}'
  hightc query --kind decision --where 'decision = stopped'      every number the gates of [funnel] looked at

"to come" are materials that may still reach a gate: under way, failed or held before it."""

REASONS_SHOWN: Final = 5
LABELS_SHOWN: Final = 5


def add_funnel(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        Sub-commands of ``hightc``.
    """
    parser = add_command(commands, "funnel", show_funnel, SUMMARY, description=DETAILS, epilog=EPILOG)
    parser.add_argument("campaign", nargs="?", help="name of a campaign; all by default")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--materials", metavar="GATE", help="list the materials that did not pass one gate")
    shown.add_argument("--json", action="store_true", help="print JSON: a list of campaigns")


def show_funnel(options: argparse.Namespace) -> int:
    """Print the funnel of one campaign or of all.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code, always 0.

    Raises
    ------
    LaunchError
        If the database cannot be reached, or has no such campaign or gate.
    """
    # a help text must not wait for the database's packages
    from rich.console import Console  # noqa: PLC0415

    from hightc.launch.errors import LaunchError  # noqa: PLC0415
    from hightc.launch.funnel import read_funnel  # noqa: PLC0415
    from hightc.launch.settings import load_settings  # noqa: PLC0415
    from hightc.launch.store import open_database  # noqa: PLC0415

    database = open_database(load_settings())
    try:
        known = sorted(filter(None, database.launchpad.workflows.distinct("metadata.campaign")))
        names = [options.campaign] if options.campaign else known
        if options.campaign and options.campaign not in known:
            msg = f"campaign {options.campaign!r}: expected one of the database, found none: hightc status lists all"
            raise LaunchError(msg)
        funnels = [read_funnel(database, name) for name in names]
    finally:
        database.close()
    if options.json:
        print(json.dumps([funnel.as_dict() for funnel in funnels], indent=2))
        return 0
    console = Console()
    if options.materials is not None:
        lines = [line for funnel in funnels for line in material_lines(funnel, options.materials)]
        if not any(step.name == options.materials for funnel in funnels for step in funnel.steps):
            gates = ", ".join(dict.fromkeys(step.name for funnel in funnels for step in funnel.steps))
            msg = f"--materials: expected one of {gates or 'the gates of a campaign'}, found {options.materials!r}"
            raise LaunchError(msg)
        for line in lines:
            print(line)
        return 0
    for funnel in funnels:
        console.print(funnel_table(funnel))
        for line in reason_lines(funnel):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not funnels:
        console.print("no campaigns in the database yet: hightc run CAMPAIGN.toml")
    return 0


def funnel_table(funnel: Funnel) -> RenderableType:
    """The steps of a campaign as a table.

    Parameters
    ----------
    funnel
        The funnel.
    """
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    title = f"{escape(funnel.campaign)}: {funnel.materials} materials on the way to a Tc"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("gate")
    for heading in ("reached", "passed", "stopped", "held", "failed", "under way", "to come"):
        table.add_column(heading, justify="right", no_wrap=True)
    before = ""
    for step in funnel.steps:
        counts = (step.reached, step.carried_on, step.stopped, step.undecided, step.failed, step.under_way)
        stage = "" if step.stage == before else step.stage
        table.add_row(stage, escape(step.name), *map(str, counts), str(step.not_yet_reached))
        before = step.stage
    return table


def reason_lines(funnel: Funnel) -> list[str]:
    """Why materials did not go on, gate by gate, the most frequent reasons first.

    Parameters
    ----------
    funnel
        The funnel.
    """
    lines: list[str] = []
    for step in funnel.steps:
        for said, reasons in _groups(step).items():
            if not reasons:
                continue
            lines.append(f"{step.name} ({step.title}), {said}:")
            lines += [_reason_line(reason) for reason in reasons[:REASONS_SHOWN]]
            others = reasons[REASONS_SHOWN:]
            if others:
                count = sum(reason.count for reason in others)
                lines.append(f"  {count:6d}  of {len(others)} other reasons: hightc funnel --json lists all")
    return lines


def material_lines(funnel: Funnel, gate: str) -> list[str]:
    """Materials that did not pass one gate: label, what became of it and why.

    Parameters
    ----------
    funnel
        The funnel.
    gate
        Name of the gate.
    """
    return sorted(
        f"{label}  {said}  {reason.text}"
        for step in funnel.steps
        if step.name == gate
        for said, reasons in _groups(step).items()
        if said != CARRIED_ON
        for reason in reasons
        for label in reason.materials
    )


CARRIED_ON: Final = "carried on though a number is missing"


def _groups(step: FunnelStep) -> dict[str, tuple[Reason, ...]]:
    return {
        "stopped": step.stopped_because,
        "held": step.undecided_because,
        "failed": step.failed_because,
        CARRIED_ON: step.missing,
    }


def _reason_line(reason: Reason) -> str:
    labels = ", ".join(reason.materials[:LABELS_SHOWN])
    more = f" and {reason.count - LABELS_SHOWN} others" if reason.count > LABELS_SHOWN else ""
    return f"  {reason.count:6d}  {reason.text}: {labels}{more}"
