"""One program, run under custodian in the current folder, judged by what it wrote."""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import psutil
from custodian.custodian import Custodian, CustodianError, Job, Validator

from hightc.analysis.documents.base import Correction
from hightc.analysis.files import write_text
from hightc.analysis.parsers.run_end import RunEnd, read_run_end
from hightc.makers.errors import ProgramFailedError, ProgramNotFoundError, ScratchError
from hightc.makers.qe.failures import DISK_FULL
from hightc.makers.qe.handlers import FailureHandler
from hightc.makers.settings import ComputeSettings

Program = Literal["pw", "ph", "q2r", "matdyn"]
PROGRAMS: tuple[Program, ...] = get_args(Program)
PARALLEL_PROGRAMS: frozenset[Program] = frozenset({"pw", "ph", "matdyn"})
POOL_PROGRAMS: frozenset[Program] = frozenset({"pw", "ph"})
CLEAN_STOP_SECONDS = 60.0
BYTES_PER_GB = 1e9
MAX_CORRECTIONS = 8
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
    """

    end: RunEnd
    corrections: tuple[Correction, ...]
    input_sha256: str


class QEJob(Job):
    """A program of Quantum ESPRESSO as custodian runs it."""

    def __init__(self, command: Sequence[str], input_file: str, output_file: str, threads: int) -> None:
        """Keep what is needed to start the program."""
        self.command = list(command)
        self.input_file = input_file
        self.output_file = output_file
        self.threads = threads

    def setup(self, directory: str = "./") -> None:
        """Nothing: the Maker wrote the input."""

    def run(self, directory: str = "./") -> subprocess.Popen[bytes]:
        """Start the program; it dies with its parent, so that a killed worker leaves nothing running."""
        output = Path(directory) / self.output_file
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
            return subprocess.Popen(
                [*die_with_parent(), *self.command],
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


def program_command(program: Program, settings: ComputeSettings, n_k_points: int | None = None) -> list[str]:
    """Command that runs a program on this machine, without its input.

    Parameters
    ----------
    program
        Which program.
    settings
        Settings of this machine.
    n_k_points
        Irreducible k points, among which the processes are shared; None if unknown.

    Raises
    ------
    ProgramNotFoundError
        If the program, or mpirun where it is needed, is not found.
    """
    command = shlex.split(str(getattr(settings, f"{program}_command")))
    _require_program(command[0], f"HIGHTC_{program.upper()}_COMMAND")
    if settings.processes == 1 or program not in PARALLEL_PROGRAMS:
        return command
    try:
        mpi = shlex.split(settings.mpi_command.format(processes=settings.processes))
    except (KeyError, IndexError, ValueError):
        msg = (
            f"HIGHTC_MPI_COMMAND: expected a command in which {{processes}} stands for the number of processes, "
            f"found {settings.mpi_command!r}"
        )
        raise ProgramNotFoundError(msg) from None
    _require_program(mpi[0], "HIGHTC_MPI_COMMAND")
    if program not in POOL_PROGRAMS:
        return [*mpi, *command]
    return [*mpi, *command, "-nk", str(pool_count(settings.processes, n_k_points))]


def pool_count(processes: int, n_k_points: int | None) -> int:
    """Pools of k points: as many as divide the processes evenly and leave no pool without a point.

    Parameters
    ----------
    processes
        MPI processes.
    n_k_points
        Irreducible k points; None if unknown.
    """
    most = processes if n_k_points is None else min(processes, n_k_points)
    return max(count for count in range(1, most + 1) if processes % count == 0)


def _require_program(name: str, variable: str) -> None:
    if shutil.which(name) is None:
        msg = (
            f"program {name!r} is not on PATH: install Quantum ESPRESSO (Debian: apt-get install quantum-espresso "
            f"openmpi-bin; elsewhere: conda install -c conda-forge qe) or set {variable} to its full path"
        )
        raise ProgramNotFoundError(msg)


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
    handlers: Sequence[FailureHandler],
    settings: ComputeSettings,
    name: str | None = None,
    n_k_points: int | None = None,
) -> ProgramRun:
    """Run a program in the current folder until it succeeds or no handler can help.

    Parameters
    ----------
    program
        Which program.
    input_text
        Its input, written to ``<name>.in``; the output goes to ``<name>.out``.
    handlers
        Error handlers, made for these file names.
    settings
        Settings of this machine.
    name
        Stem of the files; the program's name if None.
    n_k_points
        Irreducible k points, among which the processes are shared; None if unknown.

    Raises
    ------
    ProgramNotFoundError, ScratchError
        If it cannot be started, or fills the disk.
    ProgramFailedError
        If it ended without its result.
    """
    stem = name or program
    folder = Path.cwd()
    command = program_command(program, settings, n_k_points)
    require_free_space(folder, settings.scratch_minimum_gb)
    stop_leftovers(folder)
    input_path = folder / f"{stem}.in"
    write_text(input_path, input_text)
    job = QEJob([*command, "-in", input_path.name], input_path.name, f"{stem}.out", settings.threads)
    custodian = Custodian(
        handlers=list(handlers),
        jobs=[job],
        validators=[FinishedValidator(f"{stem}.out")],
        max_errors=MAX_CORRECTIONS,
        max_errors_per_job=MAX_CORRECTIONS,
        directory=str(folder),
    )
    try:
        custodian.run()
    except CustodianError as error:
        raise ProgramFailedError(_explain(program, folder / f"{stem}.out", error, handlers)) from error
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
    return tuple(
        Correction(
            handler=type(entry["handler"]).__name__,
            errors=tuple(str(error) for error in entry["errors"]),
            actions=tuple(str(action) for action in entry["actions"] or ()),
        )
        for job in run_log
        for entry in job["corrections"]
    )


def _explain(program: Program, output: Path, error: CustodianError, handlers: Sequence[FailureHandler]) -> str:
    """One message: which program, where, what it said, what was tried, what to do."""
    end = read_run_end(output)
    seen = [handler.failure for handler in handlers if handler.check(str(output.parent))]
    symptoms = "; ".join(failure.symptom for failure in seen)
    said = end.error_message or symptoms or ("its output stops before JOB DONE" if not end.job_done else "")
    stderr = output.with_suffix(".err")
    last = stderr.read_text(errors="replace").strip().splitlines()[-3:] if stderr.is_file() else []
    parts = [
        f"{program}.x failed in {output.parent}",
        said or str(error),
        f"stderr: {' | '.join(last)}" if last and not said else "",
        *(failure.advice for failure in seen),
        f"see {output.name} there",
    ]
    return ": ".join(part for part in parts if part)
