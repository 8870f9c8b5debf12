"""One program, run under custodian in the current folder, judged by what it wrote."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from custodian.custodian import Custodian, CustodianError, ErrorHandler, Job, Validator

from hightc.analysis.documents.base import Correction
from hightc.analysis.parsers.run_end import RunEnd, read_run_end
from hightc.makers.errors import OutOfTimeError, ProgramFailedError, ScratchError
from hightc.makers.job_clock import is_time_up, seconds_left
from hightc.makers.programs import POOL_PROGRAMS, Program, lighter_commands, pool_count, program_command
from hightc.makers.qe.clean_stop import renew_time_limit, write_input
from hightc.makers.qe.failure import Failure
from hightc.makers.qe.failures import DISK_FULL, WALLTIME
from hightc.makers.qe.handlers import OutOfMemoryHandler
from hightc.makers.qe.recorded_process import RecordedProcess, read_recorded_end
from hightc.makers.settings import ComputeSettings, compute_settings

CLEAN_STOP_SECONDS = 60.0
BYTES_PER_GB = 1e9
MAX_CORRECTIONS = 8
POLL_SECONDS = 0.5
"""How often custodian looks whether a program that is monitored still runs."""
MONITOR_SECONDS = 10.0
LEFTOVER_SECONDS = 10.0
FOLDER_VARIABLE = "_HIGHTC_FOLDER"
"""Environment variable by which a program says for which folder it was started."""


@dataclass(frozen=True)
class ProgramRun:
    """A program that reached its end.

    Attributes
    ----------
    end
        What its output says of the end.
    corrections
        What handlers changed on the way.
    input_sha256
        SHA-256 of the input as first written, before any correction.
    content_sha256
        Key of everything the result depends on (`hightc.makers.content_key`); None if it is not known.
    reused_from
        Folder of the run whose outputs were taken over; None if the program ran here.
    """

    end: RunEnd
    corrections: tuple[Correction, ...]
    input_sha256: str
    content_sha256: str | None = None
    reused_from: str | None = None


class QEJob(Job):
    """A program of Quantum ESPRESSO as custodian runs it."""

    def __init__(
        self,
        command: Sequence[str],
        input_file: str,
        output_file: str,
        threads: int,
        lighter: Sequence[tuple[str, Sequence[str]]] = (),
    ) -> None:
        """Keep what is needed to start the program, and the commands that need less memory with what they change."""
        self.command = list(command)
        self.input_file = input_file
        self.output_file = output_file
        self.threads = threads
        self.lighter = list(lighter)

    def lighten(self) -> str | None:
        """Take the next command with less memory and say what changed; None if there is none."""
        if not self.lighter:
            return None
        change, command = self.lighter.pop(0)
        self.command = list(command)
        return change

    def setup(self, directory: str = "./") -> None:
        """Nothing: the Maker wrote the input."""

    def run(self, directory: str = "./") -> RecordedProcess:
        """Start the program; it dies with its parent, so that a killed worker leaves nothing running."""
        output, walltime = Path(directory) / self.output_file, compute_settings().walltime_seconds
        if walltime is not None and seconds_left() is not None:
            # started again after a correction, it has less time than when its input was written
            renew_time_limit(Path(directory) / self.input_file, max(walltime - CLEAN_STOP_SECONDS, CLEAN_STOP_SECONDS))
        environment = {
            **os.environ,
            FOLDER_VARIABLE: str(Path(directory).absolute()),
            "OMP_NUM_THREADS": str(self.threads),
            # An error message must not stay in a buffer when MPI aborts; compilers other than GNU's ignore this.
            "GFORTRAN_UNBUFFERED_PRECONNECTED": "1",
            # Open MPI refuses root and more processes than cores unless told; other MPIs ignore these.
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_hwloc_base_binding_policy": "none",
        }
        with output.open("wb") as stdout, output.with_suffix(".err").open("wb") as stderr:
            return RecordedProcess(
                [*die_with_parent(), *self.command],
                output,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=environment,
            )

    def postprocess(self, directory: str = "./") -> None:
        """Nothing: the Maker reads the output."""


def die_with_parent() -> list[str]:
    """Prefix of a command that the kernel ends with its parent; empty where util-linux is older than 2.33."""
    setpriv = shutil.which("setpriv")
    return _working_prefix(setpriv) if setpriv else []


@cache
def _working_prefix(setpriv: str) -> list[str]:
    prefix = [setpriv, "--pdeathsig", "TERM", "--"]
    tried = subprocess.run([*prefix, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return prefix if tried.returncode == 0 else []


def stop_leftovers(directory: Path) -> int:
    """Kill what still runs in a folder from a worker that was killed, so that two programs never share files.

    Processes started by mpirun outlive it for a moment. Only programs that were started for this folder are killed,
    which they carry in their environment.

    Parameters
    ----------
    directory
        Folder of the run.

    Returns
    -------
    int
        How many processes were killed.
    """
    leftovers = [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get(FOLDER_VARIABLE) == str(directory)
    ]
    for process in leftovers:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=LEFTOVER_SECONDS)
    return len(leftovers)


class FinishedValidator(Validator):
    """Refuses an output that does not say JOB DONE or that reports a failure."""

    def __init__(self, output_file: str) -> None:
        """Keep the name of the output."""
        self.output_file = output_file

    def check(self, directory: str = "./") -> bool:
        """Whether the output is not that of a finished run."""
        return not read_run_end(Path(directory) / self.output_file).succeeded


def require_free_space(directory: Path, minimum_gb: float) -> None:
    """Refuse to run where the file system is nearly full.

    Parameters
    ----------
    directory
        An existing folder.
    minimum_gb
        Space in GB that must be free.

    Raises
    ------
    ScratchError
        If less is free.
    """
    free_gb = shutil.disk_usage(directory).free / BYTES_PER_GB
    if free_gb < minimum_gb:
        msg = (
            f"scratch {directory}: expected at least {minimum_gb:g} GB free, found {free_gb:.3g} GB: free some space, "
            "run where there is more, or lower HIGHTC_SCRATCH_MINIMUM_GB"
        )
        raise ScratchError(msg)


def run_program(
    program: Program,
    *,
    input_text: str,
    handlers: Sequence[ErrorHandler],
    settings: ComputeSettings,
    name: str | None = None,
    n_k_points: int | None = None,
    monitor_seconds: float = MONITOR_SECONDS,
) -> ProgramRun:
    """Run a program in the current folder until it succeeds or no handler can help.

    Parameters
    ----------
    program
        Which program.
    input_text
        Its input, written to ``<name>.in``; the output goes to ``<name>.out``.
    handlers
        Error handlers, made for these file names; monitors among them look while the program runs.
    settings
        Settings of this machine.
    name
        Stem of the files; the program's name if None.
    n_k_points
        Irreducible k points, among which the processes are shared; None if unknown.
    monitor_seconds
        How often monitors look, in s.

    Raises
    ------
    ProgramNotFoundError, ScratchError
        If it cannot be started, or fills the disk.
    ProgramFailedError
        If it ended without its result.
    OutOfTimeError
        If it stopped cleanly because the job of the queue ends.
    """
    stem = name or program
    folder = Path.cwd()
    command = program_command(program, settings, n_k_points)
    require_free_space(folder, settings.scratch_minimum_gb)
    stop_leftovers(folder)
    input_path = folder / f"{stem}.in"
    pools = pool_count(settings.processes, n_k_points) if program in POOL_PROGRAMS else 1
    write_input(input_path, input_text, processes=settings.processes, pools=pools)
    given = ["-in", input_path.name]
    lighter = [(change, [*words, *given]) for change, words in lighter_commands(program, settings, n_k_points)]
    job = QEJob([*command, *given], input_path.name, f"{stem}.out", settings.threads, lighter)
    for handler in handlers:
        if isinstance(handler, OutOfMemoryHandler):
            handler.job = job
    custodian = Custodian(
        handlers=list(handlers),
        jobs=[job],
        validators=[FinishedValidator(f"{stem}.out")],
        max_errors=MAX_CORRECTIONS,
        max_errors_per_job=MAX_CORRECTIONS,
        polling_time_step=POLL_SECONDS,
        monitor_freq=max(1, round(monitor_seconds / POLL_SECONDS)),
        directory=str(folder),
    )
    try:
        custodian.run()
    except CustodianError as error:
        output = folder / f"{stem}.out"
        seen = _seen(output, error, handlers)
        kind = OutOfTimeError if WALLTIME in seen and is_time_up() else ProgramFailedError
        raise kind(_explain(program, output, error, seen), [item.code for item in seen]) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        msg = f"scratch {folder}: {DISK_FULL.symptom} while {program}.x ran: {DISK_FULL.advice}"
        raise ScratchError(msg) from error
    return ProgramRun(
        end=read_run_end(folder / f"{stem}.out"),
        corrections=_corrections(custodian.run_log),
        input_sha256=hashlib.sha256(input_text.encode()).hexdigest(),
    )


def _corrections(run_log: list[dict[str, Any]]) -> tuple[Correction, ...]:
    found = []
    for entry in (entry for job in run_log for entry in job["corrections"]):
        failure = _failure(entry["handler"])
        found.append(
            Correction(
                handler=type(entry["handler"]).__name__,
                errors=tuple(str(error) for error in entry["errors"]),
                actions=tuple(str(action) for action in entry["actions"] or ()),
                physics=failure.physics if failure else "",
            )
        )
    return tuple(found)


def _failure(handler: object) -> Failure | None:
    """Entry of the table of failures that a handler is for; monitors may have none."""
    failure = getattr(handler, "failure", None)
    return failure if isinstance(failure, Failure) else None


def _seen(output: Path, error: CustodianError, handlers: Sequence[ErrorHandler]) -> list[Failure]:
    """Known failures of a run that could not be mended."""
    blamed = getattr(error, "handler", None)
    acted = [handler for handler in handlers if handler is blamed or handler.check(str(output.parent))]
    return [failure for failure in map(_failure, acted) if failure is not None]


def _explain(program: Program, output: Path, error: CustodianError, seen: Sequence[Failure]) -> str:
    """One message: which program, where, what it said, what was tried, what to do."""
    end = read_run_end(output)
    symptoms = "; ".join(failure.symptom for failure in seen)
    said = end.error_message or symptoms or ("its output stops before its last words" if not end.job_done else "")
    # otherwise the output says it all
    mute = end.error_message is None and (end.succeeded or not end.job_done)
    recorded = read_recorded_end(output)
    stderr = output.with_suffix(".err")
    last = stderr.read_text(errors="replace").strip().splitlines()[-3:] if stderr.is_file() else []
    parts = [
        f"{program}.x failed in {output.parent}",
        said or str(error),
        f"return code {recorded[0]}" if mute and recorded and recorded[0] else "",
        f"stderr: {' | '.join(last)}" if mute and last else "",
        *(failure.advice for failure in seen),
        f"see {output.name} there",
    ]
    return ": ".join(part for part in parts if part)
