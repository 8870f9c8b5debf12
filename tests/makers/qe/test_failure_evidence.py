"""No entry of the table of failures rests on a text that somebody made up."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from hightc.analysis.parsers.run_end import read_run_end
from hightc.makers.qe.failures import FAILURES
from hightc.makers.qe.handlers_base import is_error_of

DATA = Path(__file__).parents[2] / "data"
HERE = Path(__file__).parent
BY_CODE = {failure.code: failure for failure in FAILURES}


@dataclass(frozen=True)
class Recorded:
    """A file that a real run wrote."""

    file: str


@dataclass(frozen=True)
class Source:
    """A line of the program that says so, where it could not be provoked in seconds."""

    where: str
    printed: str


@dataclass(frozen=True)
class SystemMessage:
    """The C library's text of an error number."""

    number: int


@dataclass(frozen=True)
class RealRun:
    """A test that makes a real program fail so."""

    file: str
    test: str


SLURM = "Slurm, src/plugins/task/cgroup/task_cgroup_memory.c"
MISSING = "epw/epw_files/no_{}.out"

PATTERNS = {
    ("overlap_matrix", "S matrix not positive definite"): Recorded("qe/overlap_matrix/scf.out"),
    # ScaLAPACK diagonalises with four processes or more
    ("overlap_matrix", "problems computing cholesky"): Source(
        "Quantum ESPRESSO 6.7, LAXlib/cdiaghg.f90 and rdiaghg.f90, laxlib_pcdiaghg", " problems computing cholesky "
    ),
    ("eigenvalues_not_converged", "too many bands are not converged"): Recorded(
        "qe/eigenvalues_not_converged/nscf.out"
    ),
    ("too_few_bands", "too few bands"): Recorded("qe/too_few_bands/scf.out"),
    ("too_few_bands", "cannot bracket Ef"): Recorded("qe/fermi_not_bracketed/scf.out"),
    ("bfgs_history", "history already reset at previous step: stopping"): Recorded("qe/bfgs_history/relax.out"),
    ("fft_symmetry", "FFT grid incompatible with symmetry"): Recorded("qe/ph_fft_symmetry/ph.out"),
    ("fft_symmetry", "incompatible FFT grid"): Recorded("qe/fft_translations/ph.out"),
    ("ph_diverged", "^factorization$"): Recorded("qe/ph_diverged/ph.out"),
    ("elph_files", "problem opening file"): Recorded("qe/missing_elph_smearing/q2r.out"),
    ("pseudopotential", "not found"): Recorded("qe/missing_pseudopotential/scf.out"),
    ("pseudopotential", "not readable"): Recorded("qe/unreadable_pseudopotential/scf.out"),
    ("broken_file", "Fortran runtime error"): Recorded("qe/broken_pseudopotential/scf.err"),
    ("crashed", "MPI_ABORT was invoked"): Recorded("qe/fermi_not_bracketed/scf.err"),
    ("crashed", "signal SIGSEGV"): Recorded("qe/crashed/scf.err"),
    ("crashed", "signal SIGBUS"): Recorded("qe/crashed/bus.err"),
    ("crashed", "signal SIGFPE"): Recorded("qe/crashed/fpe.err"),
    ("crashed", "signal SIGILL"): Recorded("qe/crashed/ill.err"),
    ("crashed", "signal SIGABRT"): Recorded("qe/crashed/abrt.err"),
    ("crashed", "segmentation fault"): Recorded("qe/crashed/scf.err"),
    ("out_of_memory", "cannot allocate"): Recorded("qe/out_of_memory/scf.err"),
    ("out_of_memory", "out of memory"): Source(
        "Slurm, src/srun/libsrun/launch.c, for the state JOB_OOM", "srun: error: node1: task 13: Out Of Memory"
    ),
    ("out_of_memory", "oom-kill"): Source(SLURM, "error: Detected 1 oom-kill event(s) in StepId=47.batch cgroup."),
    ("out_of_memory", "oom_kill"): Source(
        "Slurm from 22.05 on, the same file", "slurmstepd: error: Detected 1 oom_kill event in StepId=45791123.batch."
    ),
    ("out_of_memory", "insufficient virtual memory"): Source(
        "Intel Fortran, run-time error 41 (FOR$IOS_INSVIRMEM)", "forrtl: severe (41): insufficient virtual memory"
    ),
    ("out_of_memory", "allocation would exceed memory limit"): Source(
        "gfortran, gcc/fortran/trans.c, gfc_allocate_using_malloc", "Allocation would exceed memory limit"
    ),
    ("disk_full", "no space left on device"): SystemMessage(errno.ENOSPC),
    ("disk_full", "disk quota exceeded"): SystemMessage(errno.EDQUOT),
    ("epw_fine_mesh", "nkf1,nkf2,nkf3 to be multiple of nqf1,nqf2,nqf3"): Recorded(
        "epw/fine_mesh_not_multiple/epw.out"
    ),
    ("epw_mesh_symmetry", "can only work with full uniform mesh"): Recorded("epw/mesh_symmetry_refused/epw.out"),
    ("epw_coarse_mesh", "inconsistent nscf and elph k-grids"): Recorded("epw/epw_coarse_mesh/epw.out"),
    ("epw_coarse_mesh", "q-vec not commensurate"): Recorded("epw/q_mesh_not_commensurate/epw.out"),
    ("epw_files", "problem with modes file"): Recorded("epw/epw_files/epw.out"),
    ("epw_files", "expected a file named .* but none was found"): Recorded(MISSING.format("dynamical_matrix")),
    ("epw_files", r"error opening \S+\.dvscf_q"): Recorded(MISSING.format("potential")),
    ("epw_files", r"cannot open restart file \S+/wfc"): Recorded(MISSING.format("wavefunctions")),
    ("epw_files", "fatal error reading xml file"): Recorded(MISSING.format("save")),
    ("epw_files", "error opening ukk file"): Recorded(MISSING.format("ukk")),
    ("epw_files", r"error opening crystal\.fmt"): Recorded(MISSING.format("crystal")),
    ("epw_files", r"error opening epwdata\.fmt"): Recorded(MISSING.format("epwdata")),
    ("epw_files", r"error opening dmedata\.fmt"): Recorded(MISSING.format("dmedata")),
    ("epw_files", "error in MPI_FILE_OPEN"): Recorded(MISSING.format("epmatwp")),
    ("epw_files", r"error opening file \S+\.ephmat/"): Recorded(MISSING.format("ephmat")),
    ("epw_above_tc", "^factorization$"): Recorded("epw/pb_gaps/above_tc.out"),
    ("epw_pade_nan", r"(?i)pade\s+Re\[znorm\][^\n]*\n\s*\d+\s+NaN"): Recorded("epw/pade_nan/epw.out"),
    ("wannier_frozen_window", "More states in the frozen window than target WFs"): Recorded(
        "epw/wannier_frozen_window/epw.out"
    ),
    ("wannier_outer_window", "Energy window contains fewer states than number of target WFs"): Recorded(
        "epw/wannier_outer_window/epw.out"
    ),
    ("wannier_too_few_bands", r"dis_spheres_first_wann is larger than num_bands-num_wann\+1"): Recorded(
        "epw/wannier_too_few_bands/epw.out"
    ),
    ("wannier_stopped", "Error: examine the output/error file for details"): Recorded("epw/wannier_stopped/epw.out"),
}

STATES = {
    "scf_not_converged": Recorded("qe/scf_not_converged/scf.out"),
    "scf_oscillating": Recorded("qe/scf_oscillating/scf.out"),
    "geometry_not_converged": Recorded("qe/final_scf_without_a_step/relax.out"),
    "restart_failed": Recorded("qe/restart_failed/relax.out"),
    "ph_not_converged": Recorded("qe/ph_not_converged/ph.out"),
    "matdyn_nan": Recorded("qe/matdyn_nan/phonon_dos"),
    "epw_not_converged": Recorded("epw/pb_gaps/nsiter.out"),
    "walltime": Recorded("qe/pw_max_seconds/scf.out"),
    "killed": Recorded("qe/missing_elph_smearing/matdyn.dos.out"),
    "return_code": RealRun(
        "test_handlers_qe.py", "test_two_processes_in_one_pool_of_epw_are_refused_though_the_output_is_complete"
    ),
}
"""Failures that no text alone gives away; test_handlers.py has a handler see each of these recorded endings."""


def test_every_pattern_of_the_table_has_evidence_and_no_evidence_is_of_a_pattern_that_is_gone():
    assert set(PATTERNS) == {(failure.code, pattern) for failure in FAILURES for pattern in failure.patterns}
    assert set(STATES) == {failure.code for failure in FAILURES if not failure.patterns}


def test_the_table_knows_at_least_fifteen_failures_with_recorded_or_real_runs():
    real = {code for (code, _), found in PATTERNS.items() if isinstance(found, Recorded)}
    assert len(real | set(STATES)) >= 15


@pytest.mark.parametrize("evidence", PATTERNS.items(), ids=lambda item: "-".join(item[0])[:60])
def test_pattern_is_what_was_printed(evidence):
    (code, pattern), found = evidence
    failure = BY_CODE[code]
    text = {Recorded: recorded, Source: lambda one: one.printed, SystemMessage: lambda one: os.strerror(one.number)}[
        type(found)
    ](found)
    if isinstance(found, Recorded) and pattern in failure.errors:
        end = read_run_end(DATA / found.file)
        assert re.search(pattern, end.error_message, re.IGNORECASE)
        assert is_error_of(failure, end)
    else:
        assert re.search(pattern, text, 0 if pattern in failure.printed else re.IGNORECASE)


@pytest.mark.parametrize("code", STATES)
def test_failure_without_a_text_of_its_own_was_seen_in_a_real_run(code):
    found = STATES[code]
    if isinstance(found, RealRun):
        assert_test_exists(found)
    else:
        assert recorded(found)


def recorded(evidence):
    path = DATA / evidence.file
    assert (path.parent / "SOURCE.md").is_file()
    return path.read_text(encoding="utf-8", errors="replace")


def assert_test_exists(evidence):
    assert f"\ndef {evidence.test}(" in (HERE / evidence.file).read_text(encoding="utf-8")
