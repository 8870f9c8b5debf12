"""The programs of Quantum ESPRESSO, and the commands that run them on this machine."""

from __future__ import annotations

import shlex
import shutil
from typing import Literal, get_args

from hightc.makers.errors import ProgramNotFoundError
from hightc.makers.settings import ComputeSettings

Program = Literal["pw", "ph", "q2r", "matdyn", "epw"]
PROGRAMS: tuple[Program, ...] = get_args(Program)
LINEAR_RESPONSE_PROGRAMS: tuple[Program, ...] = ("pw", "ph", "q2r", "matdyn")
"""What the linear-response route needs; the Wannier route also needs epw.x."""
PARALLEL_PROGRAMS: frozenset[Program] = frozenset({"pw", "ph", "matdyn", "epw"})
POOL_PROGRAMS: frozenset[Program] = frozenset({"pw", "ph", "epw"})
ONE_PROCESS_POOLS: frozenset[Program] = frozenset({"epw"})
"""Programs that stop unless every process is a pool of its own."""


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
    pools = settings.processes if program in ONE_PROCESS_POOLS else pool_count(settings.processes, n_k_points)
    return _command(program, settings, pools)


def lighter_commands(
    program: Program, settings: ComputeSettings, n_k_points: int | None = None
) -> list[tuple[str, list[str]]]:
    """Commands that run a program in less memory, the fastest first, each with what it changes.

    The processes of one pool share one set of plane waves, so fewer pools need less memory in as many processes.

    Parameters
    ----------
    program
        Which program.
    settings
        Settings of this machine.
    n_k_points
        Irreducible k points; None if unknown.

    Raises
    ------
    ProgramNotFoundError
        If the program, or mpirun where it is needed, is not found.
    """
    processes = settings.processes
    if program not in PARALLEL_PROGRAMS:
        return []
    if program in POOL_PROGRAMS - ONE_PROCESS_POOLS:
        most = pool_count(processes, n_k_points)
        counts = [count for count in range(most - 1, 0, -1) if processes % count == 0]
        return [(f"pools: {most} -> {count}", _command(program, settings, count)) for count in counts]
    counts = [count for count in range(processes - 1, 0, -1) if processes % count == 0]
    return [
        (
            f"processes: {processes} -> {count}",
            program_command(program, settings.model_copy(update={"processes": count})),
        )
        for count in counts
    ]


def _command(program: Program, settings: ComputeSettings, pools: int) -> list[str]:
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
    return [*mpi, *command, "-nk", str(pools)] if program in POOL_PROGRAMS else [*mpi, *command]


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
