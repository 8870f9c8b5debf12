"""Version of a program as it is installed, read from the banner that it prints before it reads its input."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.run_end import read_run_end

BANNER_SECONDS = 20.0
FILE = "file "
"""Start of what identifies a program that prints no banner."""


def installed_version(command: Sequence[str]) -> str | None:
    """Version of a program, or what identifies its file where it prints no banner; None if it is not installed.

    The program is started once a process and file with an empty input, which ends it after its banner (0.4 s).

    Parameters
    ----------
    command
        The program and its arguments, without mpirun.
    """
    found = shutil.which(command[0])
    if found is None:
        return None
    path = Path(found).resolve()
    stat = path.stat()
    file = f"{path} {stat.st_size} {stat.st_mtime_ns}"
    return banner_version(tuple(command), file) or f"{FILE}{file}"


def contradicts(installed: str, printed: str | None) -> bool:
    """Whether a run printed another version than the program prints that was asked: a wrapper may start several.

    Parameters
    ----------
    installed
        What `installed_version` gave.
    printed
        Version in the output of the run; None if it printed none.
    """
    return not installed.startswith(FILE) and printed not in (installed, None)


@lru_cache(maxsize=64)
def banner_version(command: tuple[str, ...], file: str) -> str | None:
    """Version in the banner of a program; None if it prints none.

    Parameters
    ----------
    command
        The program and its arguments.
    file
        What identifies its file: another one is asked anew.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GFORTRAN_UNBUFFERED_PRECONNECTED": "1"}
    with tempfile.TemporaryDirectory() as folder:  # the program leaves a file CRASH
        output = Path(folder) / "banner.out"
        try:
            with output.open("wb") as stream:
                subprocess.run(
                    [*command, "-in", os.devnull],
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.DEVNULL,
                    timeout=BANNER_SECONDS,
                    check=False,
                )
            return read_run_end(output).code_version
        except (OSError, subprocess.TimeoutExpired, ParseError):
            return None
