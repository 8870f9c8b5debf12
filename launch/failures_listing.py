"""The table of failures, for a terminal and for documentation."""

from __future__ import annotations

import argparse

from hightc.launch.command_parser import CommandParser, add_command
from hightc.makers.qe.failure import Failure
from hightc.makers.qe.failures import EVERY_PROGRAM, FAILURES

COLUMNS = ("failure", "programs", "symptom", "remedy", "tries", "changes in the result", "if that does not help")


SUMMARY = "how Quantum ESPRESSO fails, and what is done about it"


def add_failures(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    parser = add_command(
        commands, "failures", show_failures, SUMMARY, details="Whatever a handler changed is told beside the result."
    )
    parser.add_argument("--markdown", action="store_true", help="as markdown, for a page of documentation")


def failure_row(failure: Failure) -> tuple[str, ...]:
    """One failure as the cells of a row.

    Parameters
    ----------
    failure
        Entry of the table.

    Returns
    -------
    tuple of str
        One cell for each of `COLUMNS`.
    """
    every = failure.programs == EVERY_PROGRAM
    return (
        failure.code,
        "all" if every else ", ".join(f"{program}.x" for program in failure.programs),
        failure.symptom,
        failure.remedy,
        str(failure.tries),
        failure.physics or ("nothing" if failure.tries else "-"),
        failure.advice,
    )


def failures_markdown() -> str:
    """The table of failures as markdown."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(failure_row(failure) for failure in FAILURES)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)


def show_failures(options: argparse.Namespace) -> int:
    """Print the table of failures.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code, always 0.
    """
    if options.markdown:
        print(failures_markdown(), end="")
        return 0
    # a help text must not wait for pymatgen
    from rich.table import Table  # noqa: PLC0415

    from hightc.launch.families import print_table  # noqa: PLC0415

    table = Table(*COLUMNS, show_lines=True)
    for failure in FAILURES:
        table.add_row(*failure_row(failure))
    print_table(table)
    return 0
