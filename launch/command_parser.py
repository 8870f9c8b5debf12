"""A command line that refuses what it cannot use in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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
