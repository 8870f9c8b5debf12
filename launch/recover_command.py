"""``hightc recover``: put back what dead workers ran, and run again what failed, all or by cause."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from hightc.launch.command_parser import CommandParser, add_command

if TYPE_CHECKING:
    from hightc.launch.settings import Settings
    from hightc.launch.store import Database

EPILOG: Final = """\
examples:
  hightc recover --dry-run                       every campaign: what was lost, what failed and why; nothing is changed
  hightc recover nb                              put back what was lost, run again everything that failed
  hightc recover nb --cause "no space left"      of what failed, only that whose message has these words
  hightc recover nb --redo Nb                    compute Nb once more from its first step, though it has finished

Steps are lost when their worker is dead: on this machine nobody holds its lock; another machine's worker has not been
heard of for four hours. Steps in jobs of a queue are left to hightc cluster launch. What a step has finished on disk is
taken over when it runs again, without starting the program, also if the database was away when it ended. Workflows are
half written if what changed them was killed between two writes: steps wait for ones that have finished. Give hightc
run or hightc cluster launch again afterwards; hightc run itself puts back all of its campaign when it starts.
After --redo, finished runs of equal content are taken over; HIGHTC_REUSE=false hightc run starts every program."""

MOST_LINES: Final = 20


def add_recover(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        Sub-commands of ``hightc``.
    """
    parser = add_command(
        commands,
        "recover",
        recover,
        "put back steps that were lost or failed, all or by cause",
        description="Put back steps of dead workers, and run again steps that failed, all or by cause.",
        epilog=EPILOG,
    )
    parser.add_argument("campaign", nargs="?", help="name of a campaign; all by default")
    parser.add_argument("--cause", metavar="TEXT", help="of what failed, only that whose message has this text")
    parser.add_argument("--dry-run", action="store_true", help="change nothing, only say what would be put back")
    parser.add_argument(
        "--redo", metavar="LABEL", action="append", help="compute a material of the campaign anew; can be repeated"
    )


def recover(options: argparse.Namespace) -> int:
    """Recover campaigns.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code: 1 if a cause was named that nothing failed for, else 0.

    Raises
    ------
    LaunchError
        If the database cannot be reached or has no such campaign.
    """
    # a help text must not wait for the database's packages
    from hightc.launch.lost_runs import campaign_names  # noqa: PLC0415
    from hightc.launch.settings import load_settings  # noqa: PLC0415
    from hightc.launch.store import open_database  # noqa: PLC0415

    settings = load_settings()
    database = open_database(settings)
    try:
        names = campaign_names(database, options.campaign)
        if options.redo:
            _redo(database, options)
            return 0
        matched = 0
        for name in names:
            matched += _recover_campaign(name, database, settings, options)
        if not names:
            print("no campaign has been submitted: nothing to recover")
        if options.cause and not matched:
            print(f"no failed step has {options.cause!r} in its message: hightc status shows the causes")
            return 1
    finally:
        database.close()
    return 0


def _redo(database: Database, options: argparse.Namespace) -> None:
    """Make the first steps of materials ready again."""
    from hightc.launch.errors import LaunchError  # noqa: PLC0415
    from hightc.launch.redo import redo  # noqa: PLC0415

    if options.campaign is None or options.cause or options.dry_run:
        msg = "--redo: expected the name of a campaign beside it, and neither --cause nor --dry-run"
        raise LaunchError(msg)
    for label in options.redo:
        print(f"{label}: {redo(options.campaign, label, database)} first steps are ready again")
    print("next: hightc run with the file of the campaign, or hightc cluster launch")


def _recover_campaign(name: str, database: Database, settings: Settings, options: argparse.Namespace) -> int:
    """Recover one campaign; how many failed steps were chosen."""
    from hightc.launch.dispatch import hold_campaign  # noqa: PLC0415
    from hightc.launch.errors import LaunchError  # noqa: PLC0415

    print(f"campaign {name}:")
    with ExitStack() as held:
        try:
            held.enter_context(hold_campaign(settings.data_directory.absolute() / "campaigns" / name))
            alive = False
        except LaunchError:
            alive = True
            print("  a hightc run works on it: what its own workers run is left to it")
        lost = _put_back_lost(name, database, settings, alive=alive, dry=options.dry_run)
        mended = _mend(name, database, dry=options.dry_run)
        chosen, again = _run_again(name, database, options.cause, dry=options.dry_run)
    if (lost or mended or again) and not alive and not options.dry_run:
        print("  next: hightc run with the file of the campaign, or hightc cluster launch")
    return chosen


def _put_back_lost(name: str, database: Database, settings: Settings, *, alive: bool, dry: bool) -> int:
    from hightc.launch.lost_runs import put_back, running_steps  # noqa: PLC0415

    directory = (settings.work_directory / name).absolute()
    judged = running_steps(database, name, directory, run_alive=alive)
    for step in judged[:MOST_LINES]:
        print(f"  {'lost' if step.lost else 'runs'}: {step.name} (fw_id {step.fw_id}, {step.worker}): {step.reason}")
    if len(judged) > MOST_LINES:
        print(f"  and {len(judged) - MOST_LINES} others that are marked as running")
    lost = [step.fw_id for step in judged if step.lost]
    if dry:
        print(f"  lost runs: {len(lost)}, would be put back")
        return 0
    count = put_back(lost, database)
    finished = f", {len(lost) - count} were finished" if count < len(lost) else ""
    print(f"  lost runs: {len(lost)}, {count} put back{finished}")
    return count


def _mend(name: str, database: Database, *, dry: bool) -> int:
    """How many workflows were half written, with fireworks that none has."""
    from hightc.launch.unfit_workflows import find_unfit, mend  # noqa: PLC0415

    unfit = find_unfit(name, database, whole=True)
    if not unfit:
        return 0
    if dry:
        print(f"  half written: {len(unfit.workflows)} workflows, {len(unfit.strays)} steps in none, would be mended")
        return 0
    count = mend(unfit, database)
    print(f"  half written: {len(unfit.workflows)} workflows, {len(unfit.strays)} steps in none; mended: {count}")
    return count


def _run_again(name: str, database: Database, cause: str | None, *, dry: bool) -> tuple[int, int]:
    """How many failed steps were chosen, and how many of them were made ready."""
    from hightc.launch.lost_runs import FailedSteps, failed_steps, put_back  # noqa: PLC0415

    groups = failed_steps(database, name)

    def chosen() -> Iterator[FailedSteps]:
        for group in groups:
            if cause is None or cause.lower() in group.example.lower() or cause.lower() in group.cause.lower():
                yield group

    picked, total = tuple(chosen()), 0
    for group in groups:
        if group not in picked:
            print(f"  left: {len(group.fw_ids)} failed: {group.example}")
        elif dry:
            print(f"  would run again: {len(group.fw_ids)} failed: {group.example}")
        else:
            count = put_back(group.fw_ids, database)
            total += count
            print(f"  ready again: {count} of {len(group.fw_ids)} failed: {group.example}")
    if not groups:
        print("  failed steps: none")
    return sum(len(group.fw_ids) for group in picked), total
