"""How recorded runs ended."""

from dataclasses import fields
from pathlib import Path

import pytest

from hightc.analysis.parsers.errors import MissingOutputError
from hightc.analysis.parsers.run_end import read_run_end

QE = Path(__file__).parents[2] / "data" / "qe"
EPW = QE.parent / "epw"
TROUBLES = ("walltime_exceeded", "scf_not_converged", "geometry_not_converged", "ph_not_converged", "gap_not_converged")


@pytest.mark.parametrize(
    ("file", "program"),
    [
        ("al_scf/scf.out", "PWSCF"),
        ("al_linear_response/elph.out", "PHONON"),
        ("al_linear_response/q2r.out", "Q2R"),
        ("al_linear_response/matdyn.dos.out", "MATDYN"),
    ],
)
def test_finished_run_succeeded(file, program):
    end = read_run_end(QE / file)
    assert end.succeeded
    assert (end.program, end.code_version, end.n_processes) == (program, "6.7MaX", 1)
    assert end.error_message is None


@pytest.mark.parametrize(
    ("file", "trouble"),
    [
        ("scf_not_converged/scf.out", "scf_not_converged"),
        ("relax_not_converged/relax.out", "geometry_not_converged"),
        ("pw_max_seconds/scf.out", "walltime_exceeded"),
        ("ph_max_seconds/ph.out", "walltime_exceeded"),
        ("ph_not_converged/ph.out", "ph_not_converged"),
    ],
)
def test_job_done_is_no_success_when_nothing_converged(file, trouble):
    end = read_run_end(QE / file)
    assert end.job_done
    assert not end.succeeded
    assert [name for name in TROUBLES if getattr(end, name)] == [trouble]


@pytest.mark.parametrize(
    ("file", "routine", "code", "message"),
    [
        ("missing_pseudopotential/scf.out", "readpp", 1, "file /usr/share/espresso/pseudo/Al.not-there.UPF not found"),
        ("missing_pseudopotential/CRASH", "readpp", 1, "file /usr/share/espresso/pseudo/Al.not-there.UPF not found"),
        ("missing_elph_smearing/q2r.out", "gammaq2r", 1, "problem opening fileelph_dir/a2Fq2r.54.1"),
        ("ph_mesh_breaks_symmetry/ph.out", "q_points", 1, "q-mesh breaks symmetry"),
        ("ph_diverged/ph.out", "broyden", 2, "factorization"),
    ],
)
def test_error_block_is_read(file, routine, code, message):
    end = read_run_end(QE / file)
    assert (end.error_routine, end.error_code, end.error_message) == (routine, code, message)
    assert not end.job_done
    assert not end.succeeded


def test_finished_run_of_epw_succeeded():
    end = read_run_end(EPW / "pb_gaps" / "epw.out")
    assert end.succeeded
    assert (end.program, end.code_version, end.n_processes) == ("EPW", "5.3.1", 1)


def test_gap_equations_that_epw_gave_up_are_no_success_though_its_last_words_are_there():
    end = read_run_end(EPW / "pb_gaps" / "nsiter.out")
    assert end.job_done
    assert not end.succeeded
    assert [name for name in TROUBLES if getattr(end, name)] == ["gap_not_converged"]


@pytest.mark.parametrize(
    ("file", "routine", "message"),
    [
        ("pb_gaps/above_tc.out", "mix_broyden", "factorization"),
        ("epw_files/epw.out", "elphon_shuffle_wrap", "Problem with modes file"),
    ],
)
def test_error_of_epw_is_read(file, routine, message):
    end = read_run_end(EPW / file)
    assert (end.error_routine, end.error_message) == (routine, message)
    assert not end.job_done


def test_wannier90_stops_epw_without_an_error_block():
    end = read_run_end(EPW / "wannier_frozen_window" / "epw.out")
    assert (end.job_done, end.error_message) == (False, None)


def test_killed_run_has_neither_end_nor_error():
    end = read_run_end(QE / "missing_elph_smearing/matdyn.dos.out")
    assert (end.job_done, end.error_message, end.cpu_seconds) == (False, None, None)
    assert not end.succeeded


def test_processes_are_counted():
    assert read_run_end(QE / "al_two_processes/scf.out").n_processes == 2


def test_processes_of_a_threaded_build_are_not_its_cores(tmp_path):
    path = tmp_path / "pw.out"
    path.write_text(
        "     Parallel version (MPI & OpenMP), running on      16 processor cores\n"
        "     Number of MPI processes:                 4\n     Threads/MPI process:                     4\n"
    )
    assert read_run_end(path).n_processes == 4


def test_clock_is_the_last_total():
    end = read_run_end(QE / "ph_max_seconds/ph.out")
    assert (end.cpu_seconds, end.wall_seconds) == (0.14, 0.18)


@pytest.mark.parametrize(
    ("printed", "seconds"),
    [("2.70s", 2.7), ("1m 2.50s", 62.5), ("1h 3m", 3780.0), ("2d 1h 3m", 176580.0), ("1h23m", 4980.0), ("soon", None)],
)
def test_clock_units_are_converted(tmp_path, printed, seconds):
    path = tmp_path / "pw.out"
    path.write_text(f"\n     PWSCF        :   {printed} CPU   {printed} WALL\n\n")
    end = read_run_end(path)
    assert end.cpu_seconds == end.wall_seconds == seconds


def test_empty_output_is_not_an_error_but_knows_nothing(tmp_path):
    path = tmp_path / "pw.out"
    path.write_text("")
    end = read_run_end(path)
    assert not any(getattr(end, field.name) for field in fields(end))


def test_missing_output_is_an_error(tmp_path):
    with pytest.raises(MissingOutputError, match="the program never started"):
        read_run_end(tmp_path / "pw.out")
