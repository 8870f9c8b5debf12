"""Whether the programs of Quantum ESPRESSO start here, alone and in two processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hightc.analysis.parsers.run_end import RunEnd, read_run_end
from hightc.launch.findings import Finding, Status
from hightc.launch.settings import Settings
from hightc.makers.errors import CalculationError
from hightc.makers.execution import QEJob, die_with_parent
from hightc.makers.programs import LINEAR_RESPONSE_PROGRAMS, PROGRAMS, Program, program_command

PROGRAM_TIMEOUT_SECONDS = 30.0


def check_programs(settings: Settings, timeout_seconds: float = PROGRAM_TIMEOUT_SECONDS) -> Iterator[Finding]:
    """Whether each program starts, and all are of one version.

    Parameters
    ----------
    settings
        Settings of this machine.
    timeout_seconds
        How long to wait for each, in s.
    """
    versions = set()
    for program in PROGRAMS:
        finding = _check_program(program, settings, timeout_seconds)
        yield finding
        # epw.x counts its own versions
        if finding.status == "ok" and program in LINEAR_RESPONSE_PROGRAMS:
            versions.add(finding.found.partition(" ")[0])
    if len(versions) > 1:
        advice = "take all from one installation: set HIGHTC_PW_COMMAND, HIGHTC_PH_COMMAND and so on to full paths"
        yield Finding("Quantum ESPRESSO", "warning", f"versions {', '.join(sorted(versions))}", advice)


def _check_program(program: Program, settings: Settings, timeout_seconds: float) -> Finding:
    name = f"{program}.x"
    needed: Status = "problem" if program in LINEAR_RESPONSE_PROGRAMS else "warning"
    try:
        command = program_command(program, settings.model_copy(update={"processes": 1}))
    except CalculationError as error:
        found = "not found" if needed == "problem" else "not found; only the Wannier route needs it"
        return Finding(name, needed, found, str(error))
    path = shutil.which(command[0])
    end, complaint = _start(command, timeout_seconds)
    if end is None or end.code_version is None:
        advice = f"run: {' '.join(command)} < /dev/null: it should name its version before it misses its input"
        return Finding(name, needed, f"{path}: {complaint}", advice)
    return Finding(name, "ok", f"{end.code_version} ({path})")


def _start(command: Sequence[str], timeout_seconds: float) -> tuple[RunEnd | None, str]:
    """Start a program without input, as a calculation would, and read its banner; or what it said instead."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            process = QEJob(command, "none.in", "banner.out", threads=1).run(folder)
        except OSError as error:
            return None, f"cannot be started ({error.strerror})"
        try:
            code = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None, f"no answer within {timeout_seconds:g} s"
        said = Path(folder, "banner.err").read_text(errors="replace").strip().splitlines()
        end = read_run_end(Path(folder, "banner.out"))
    return end, f"exit code {code}{f', {said[0]}' if said else ''}"


def check_mpi(settings: Settings) -> Finding:
    """Whether pw.x runs in two processes that know of each other.

    Parameters
    ----------
    settings
        Settings of this machine.
    """
    cores = len(sorted(os.sched_getaffinity(0))[: settings.cores])
    needed: Status = "problem" if settings.processes > 1 or cores > 1 else "warning"
    try:
        command = program_command("pw", settings.model_copy(update={"processes": 2}))
    except CalculationError as error:
        return Finding("MPI", needed, "cannot start pw.x in 2 processes", str(error))
    end, complaint = _start(command, PROGRAM_TIMEOUT_SECONDS)
    where = shutil.which(command[0])
    if end is not None and end.n_processes == 2:
        return Finding("MPI", "ok", f"pw.x runs in 2 processes ({where})")
    if end is None or end.code_version is None:
        advice = f"run: {' '.join(command)} < /dev/null: and mend what it says, or set HIGHTC_MPI_COMMAND"
        return Finding("MPI", needed, f"{where}: {complaint}", advice)
    advice = (
        "pw.x was built for another MPI than this mpirun, or for none: set HIGHTC_MPI_COMMAND to the start command of "
        "the MPI that pw.x was built with, or run on single cores: HIGHTC_CORES=1"
    )
    return Finding("MPI", needed, f"{where}: 2 copies that do not know of each other", advice)


def check_process_death() -> Finding:
    """Whether programs can be made to die with their worker."""
    prefix = die_with_parent()
    if prefix:
        return Finding("setpriv", "ok", f"{prefix[0]}: programs die with their worker")
    advice = "run: apt-get install util-linux (2.33 or newer): without it a killed worker leaves its program running"
    return Finding("setpriv", "warning", "no setpriv that knows --pdeathsig", advice)
