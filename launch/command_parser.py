"""A command line that refuses what it cannot use in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol


class SupportsWrite(Protocol):
    """Anything that text can be written to."""

    def write(self, text: str, /) -> object:
        """Write text."""


class CommandParser(argparse.ArgumentParser):
    """Parser of a command and its options."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with an option, and where to read about it, and exit with 2."""
        self.exit(2, f"hightc: {' '.join(message.removeprefix('argument ').split())}: see {self.prog} --help\n")

    def print_help(self, file: SupportsWrite | None = None) -> None:
        """Write the help, and let a full disk be heard of, of which argparse says nothing."""
        (sys.stdout if file is None else file).write(self.format_help())

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse what is left over here, where the name of the command is known."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"{' '.join(rest)}: no such option or argument (for several values, repeat the option)")
        return found, rest


def add_command(
    commands: argparse._SubParsersAction[CommandParser],
    name: str,
    function: Callable[[argparse.Namespace], int] | None,
    summary: str,
    details: str = "",
    *,
    description: str | None = None,
    epilog: str | None = None,
) -> CommandParser:
    """Add a command whose help keeps its lines as they were written.

    Parameters
    ----------
    commands
        The commands of a program, or the actions of a command.
    name
        Name of the command.
    function
        What it does with its options; None for a command that only has actions.
    summary
        What it is for, in a few words without a full stop.
    details
        Sentences that follow the summary in its help.
    description
        What its help begins with in the place of both.
    epilog
        What its help ends with.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {details}".strip() if description is None else description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if function is not None:
        parser.set_defaults(command=function)
    return parser
