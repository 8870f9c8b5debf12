from __future__ import annotations

import pytest

from hightc.makers.errors import ProgramNotFoundError
from hightc.makers.programs import (
    LINEAR_RESPONSE_PROGRAMS,
    PARALLEL_PROGRAMS,
    POOL_PROGRAMS,
    PROGRAMS,
    lighter_commands,
    program_command,
)
from hightc.makers.settings import compute_settings


def test_program_that_is_not_installed_comes_with_the_way_to_install_it():
    settings = compute_settings(pw_command="no_such_pw.x")
    with pytest.raises(ProgramNotFoundError, match=r"'no_such_pw\.x' is not on PATH.*apt-get.*HIGHTC_PW_COMMAND"):
        program_command("pw", settings)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("processes", [1, 2])
def test_only_programs_that_can_share_their_work_start_under_mpi(program, processes):
    settings = compute_settings(**{f"{program}_command": "true"}, mpi_command="env -n {processes}", processes=processes)
    command = program_command(program, settings)
    parallel = processes == 2 and program in PARALLEL_PROGRAMS
    assert command[: 3 if parallel else 1] == (["env", "-n", "2"] if parallel else ["true"])
    assert command[-2:] == ["-nk", "2"] if parallel and program in POOL_PROGRAMS else command[-1] == "true"


@pytest.mark.parametrize("mpi", ["mpirun -np {cores}", "mpirun -np {}", "mpirun -np {processes"])
def test_mpi_command_with_another_placeholder_is_refused(mpi):
    settings = compute_settings(pw_command="true", mpi_command=mpi, processes=2)
    with pytest.raises(ProgramNotFoundError, match=r"HIGHTC_MPI_COMMAND: expected a command in which \{processes\}"):
        program_command("pw", settings)


def test_mpi_that_is_not_installed_is_named():
    settings = compute_settings(pw_command="true", mpi_command="no_such_mpirun -np {processes}", processes=2)
    with pytest.raises(ProgramNotFoundError, match=r"'no_such_mpirun'.*HIGHTC_MPI_COMMAND"):
        program_command("pw", settings)


def test_linear_response_needs_every_program_but_epw():
    assert set(PROGRAMS) - set(LINEAR_RESPONSE_PROGRAMS) == {"epw"}


@pytest.mark.parametrize(("program", "pools"), [("epw", "4"), ("pw", "1")])
def test_every_process_of_epw_is_a_pool_whatever_the_number_of_k_points(program, pools):
    settings = compute_settings(**{f"{program}_command": "true"}, mpi_command="env -n {processes}", processes=4)
    assert program_command(program, settings, n_k_points=1)[-2:] == ["-nk", pools]


@pytest.mark.parametrize(
    ("program", "processes", "expected"),
    [
        ("pw", 4, [("pools: 4 -> 2", "env -n 4 true -nk 2"), ("pools: 4 -> 1", "env -n 4 true -nk 1")]),
        ("ph", 2, [("pools: 2 -> 1", "env -n 2 true -nk 1")]),
        ("epw", 4, [("processes: 4 -> 2", "env -n 2 true -nk 2"), ("processes: 4 -> 1", "true")]),
        ("matdyn", 2, [("processes: 2 -> 1", "true")]),
        ("q2r", 2, []),
        ("pw", 1, []),
        ("epw", 1, []),
    ],
)
def test_lighter_commands_have_fewer_pools_or_fewer_processes(program, processes, expected):
    settings = compute_settings(**{f"{program}_command": "true"}, mpi_command="env -n {processes}", processes=processes)
    found = lighter_commands(program, settings)
    assert [(change, " ".join(command)) for change, command in found] == expected
