from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from custodian.custodian import ErrorHandler

from hightc.analysis.documents import Correction, Provenance
from hightc.makers.base import correction_warnings
from hightc.makers.errors import ProgramFailedError, ScratchError
from hightc.makers.execution import FOLDER_VARIABLE, require_free_space, run_program, stop_leftovers
from hightc.makers.job_clock import ENDS_VARIABLE
from hightc.makers.qe.handlers import ph_handlers, pw_handlers
from hightc.makers.qe.inputs import read_namelists
from hightc.makers.settings import compute_settings

FAKE = Path(__file__).parents[1] / "fakes" / "program.py"
RECORDED = Path(__file__).parents[1] / "data" / "qe"
COMPLETE = RECORDED / "al_scf" / "scf.out"
PW_INPUT = "&CONTROL\n   outdir = './out'\n/\n&SYSTEM\n/\n&ELECTRONS\n/\nK_POINTS gamma\n"


def fake(say, *options):
    return shlex.join([sys.executable, str(FAKE), "--say", str(say), "--expect", "control", *options])


def run_pw(command, **settings):
    settings = compute_settings(pw_command=command, **settings)
    return run_program("pw", input_text=PW_INPUT, handlers=pw_handlers("pw"), settings=settings)


def starts():
    return len(Path("starts").read_text().splitlines())


def test_program_that_succeeds_hands_back_its_end_and_the_digest_of_its_input():
    run = run_pw(fake(COMPLETE))
    assert run.end.job_done
    assert run.end.code_version == "6.7MaX"
    assert run.corrections == ()
    assert run.input_sha256 == hashlib.sha256(PW_INPUT.encode()).hexdigest()
    assert Path("pw.in").read_text() == PW_INPUT


def test_complete_text_does_not_excuse_a_return_code():
    with pytest.raises(
        ProgramFailedError, match=r"pw\.x failed in .*output is complete.*return code 3: stderr: STOP 3.*see pw\.out"
    ):
        run_pw(fake(COMPLETE, "--exit", "3", "--complain", "STOP 3"))
    assert starts() == 1


def test_return_code_zero_does_not_excuse_a_text_without_its_end():
    with pytest.raises(ProgramFailedError, match=r"output stops without its last words .*the machine may lack memory"):
        run_pw(fake(COMPLETE, "--lines", "40"))
    assert starts() == 3  # twice again, as the table of failures says


def test_error_that_no_handler_knows_is_reported_at_once_in_the_programs_words():
    case = RECORDED / "ph_mesh_breaks_symmetry"
    settings = compute_settings(ph_command=shlex.join([sys.executable, str(FAKE), "--say", str(case / "ph.out")]))
    with pytest.raises(ProgramFailedError, match=r"ph\.x failed in .*: [^:]+: see ph\.out there") as caught:
        run_program("ph", input_text=(case / "ph.in").read_text(), handlers=ph_handlers("ph"), settings=settings)
    assert "symmetr" in str(caught.value)
    assert starts() == 1


def test_missing_pseudopotential_is_reported_at_once_with_file_and_advice():
    output = RECORDED / "missing_pseudopotential" / "scf.out"
    with pytest.raises(ProgramFailedError, match=r"Al\.not-there\.UPF not found: hightc doctor lists"):
        run_pw(fake(output, "--exit", "1"))
    assert starts() == 1


def test_program_that_never_converges_ends_with_symptom_and_advice_after_the_last_rung():
    output = RECORDED / "scf_not_converged" / "scf.out"
    with pytest.raises(ProgramFailedError, match=r"convergence NOT achieved.*check the structure and the smearing"):
        run_pw(fake(output, "--exit", "2"))
    assert starts() == 4
    assert "diagonalization  = 'cg'" in Path("pw.in").read_text()


@pytest.mark.parametrize(("ends", "limit"), [("9999999999", 140.0), (None, 3000.0)])
def test_program_that_starts_again_in_a_job_of_a_queue_has_the_time_that_is_left(ends, limit, monkeypatch):
    if ends:
        monkeypatch.setenv(ENDS_VARIABLE, ends)
    monkeypatch.setenv("HIGHTC_WALLTIME_SECONDS", "200")
    output = RECORDED / "scf_not_converged" / "scf.out"
    settings = compute_settings(pw_command=fake(output, "--exit", "2"))
    text = PW_INPUT.replace("&CONTROL", "&CONTROL\n   max_seconds = 3000")
    with pytest.raises(ProgramFailedError):
        run_program("pw", input_text=text, handlers=pw_handlers("pw"), settings=settings)
    assert read_namelists(Path("pw.in"))["control"]["max_seconds"] == limit


def test_message_of_a_failure_holds_no_object_address():
    with pytest.raises(ProgramFailedError) as caught:
        run_pw(fake(RECORDED / "pw_max_seconds" / "scf.out", "--exit", "2"))
    assert "max_seconds had passed" in str(caught.value)
    assert "0x" not in str(caught.value)


class Watcher(ErrorHandler):
    """A monitor that has seen enough of a program until it is told to be calm."""

    is_monitor = True

    def __init__(self, mends):
        self.mends = mends

    def check(self, directory="./"):
        return Path("starts").exists() and not Path("calm").exists()

    def correct(self, directory="./"):
        if not self.mends:
            return {"errors": ["endless"], "actions": None}
        Path("calm").touch()
        return {"errors": ["endless"], "actions": ["calm"]}


def watch(tmp_path, mends):
    script = tmp_path / "endless"
    script.write_text(f"#!/bin/sh\necho >> starts\n[ -e calm ] || exec sleep 60\ncat {COMPLETE}\n")
    script.chmod(0o755)
    handlers = [Watcher(mends), *pw_handlers("pw")]
    settings = compute_settings(pw_command=str(script))
    return run_program("pw", input_text=PW_INPUT, handlers=handlers, settings=settings, monitor_seconds=0.5)


def test_monitor_stops_a_program_that_runs_and_no_other_handler_takes_it_for_killed(tmp_path):
    started = time.monotonic()
    run = watch(tmp_path, mends=True)
    assert time.monotonic() - started < 30
    assert [(one.handler, one.errors, one.actions) for one in run.corrections] == [("Watcher", ("endless",), ("calm",))]
    assert starts() == 2


def test_monitor_that_cannot_mend_what_it_stopped_ends_the_run(tmp_path):
    with pytest.raises(ProgramFailedError, match=r"pw\.x failed in"):
        watch(tmp_path, mends=False)
    assert starts() == 1


def test_warning_says_whether_a_correction_changed_the_physics():
    same = Correction(handler="A", errors=("killed",), actions=("started again",))
    other = Correction(handler="B", errors=("too_few_bands",), actions=("nbnd: 1 -> 2",), physics="more bands")
    provenance = Provenance(
        input_sha256="", codes={}, pseudopotentials=(), corrections=(same, other), directory="", wall_seconds=None
    )
    assert correction_warnings([provenance]) == (
        "A changed started again after killed: the physics is the same",
        "B changed nbnd: 1 -> 2 after too_few_bands: more bands",
    )


def test_file_stem_can_differ_from_the_program():
    settings = compute_settings(pw_command=fake(COMPLETE))
    run_program("pw", input_text=PW_INPUT, handlers=pw_handlers("dense"), settings=settings, name="dense")
    assert Path("dense.out").is_file()


def test_disk_with_room_is_accepted(tmp_path):
    require_free_space(tmp_path, 0)


def test_disk_without_room_is_refused_with_both_numbers_and_advice(tmp_path):
    with pytest.raises(ScratchError, match=rf"scratch {tmp_path}: expected at least 1e\+09 GB free, found .* GB: free"):
        require_free_space(tmp_path, 1e9)


def test_no_program_starts_on_a_disk_without_room():
    with pytest.raises(ScratchError, match="HIGHTC_SCRATCH_MINIMUM_GB"):
        run_pw(fake(COMPLETE), scratch_minimum_gb=1e9)
    assert not Path("starts").exists()


def start_sleeper(folder):
    return subprocess.Popen(["sleep", "60"], env={**os.environ, FOLDER_VARIABLE: str(folder)})


def test_leftovers_of_this_folder_alone_are_stopped(tmp_path):
    ours, others = start_sleeper(tmp_path / "ours"), start_sleeper(tmp_path / "others")
    try:
        time.sleep(0.2)  # until both have become sleep
        assert stop_leftovers(tmp_path / "ours") == 1
        assert ours.wait(5) is not None
        assert others.poll() is None
        assert stop_leftovers(tmp_path / "ours") == 0
    finally:
        others.kill()
        others.wait()
