from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from hightc.makers.job_clock import ENDS_VARIABLE, LEAST_SECONDS
from hightc.makers.qe import handlers_base
from hightc.makers.qe.epw_inputs import MATRIX_ELEMENTS
from hightc.makers.qe.epw_restart import RESTART
from hightc.makers.qe.handlers import (
    CrashedHandler,
    DiskFullHandler,
    KilledHandler,
    OutOfMemoryHandler,
    PadeNanHandler,
    PhononConvergenceHandler,
    PseudopotentialHandler,
    ReturnCodeHandler,
    WalltimeHandler,
    epw_handlers,
    ph_handlers,
    pw_handlers,
)
from hightc.makers.qe.inputs import read_namelists


@pytest.mark.parametrize(
    ("case", "stem", "make"),
    [("qe/al_scf", "scf", pw_handlers), ("qe/ph_diverged", "ph", ph_handlers), ("epw/pb_gaps", "epw", epw_handlers)],
)
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6])
def test_output_that_stops_anywhere_in_the_middle_is_seen_as_killed_only(recorded, case, stem, make, kept):
    folder = recorded(case, stem)
    output = folder / f"{stem}.out"
    text = output.read_text()
    output.write_text(text[: int(kept * len(text))])
    assert [type(handler) for handler in make(stem) if handler.check(str(folder))] == [KilledHandler]


@pytest.mark.parametrize("text", ["STOP: No space left on device", "write: Disk quota exceeded"])
def test_full_disk_on_stderr_is_seen_as_such_and_not_as_killed(recorded, text):
    folder = recorded("qe/al_scf", "scf")
    output = folder / "scf.out"
    output.write_text(output.read_text()[:3000])
    (folder / "scf.err").write_text(text)
    assert [type(handler) for handler in pw_handlers("scf") if handler.check(str(folder))] == [DiskFullHandler]


@pytest.mark.parametrize(("free", "expected"), [(0, [DiskFullHandler]), (10**9, [])])
def test_run_that_ends_well_on_a_disk_without_space_is_not_believed(recorded, monkeypatch, free, expected):
    folder = recorded("qe/al_scf", "scf")
    monkeypatch.setattr(handlers_base.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert [type(handler) for handler in pw_handlers("scf") if handler.check(str(folder))] == expected


@pytest.mark.parametrize(("free", "expected"), [(0, DiskFullHandler), (10**9, KilledHandler)])
def test_silent_end_on_a_disk_without_space_is_a_full_disk(recorded, monkeypatch, free, expected):
    folder = recorded("qe/al_scf", "scf")
    output = folder / "scf.out"
    output.write_text(output.read_text()[:3000])
    monkeypatch.setattr(handlers_base.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert [type(handler) for handler in pw_handlers("scf") if handler.check(str(folder))] == [expected]


@pytest.mark.parametrize("handler", [WalltimeHandler, KilledHandler, PhononConvergenceHandler])
def test_no_handler_takes_phonons_up_in_the_middle_of_a_q_point(recorded, handler):
    folder = recorded("qe/ph_max_seconds", "ph")
    one = handler("ph")
    one.n_applied_corrections = 0
    one.correct(str(folder))
    values = read_namelists(folder / "ph.in")["inputph"]
    assert values["start_q"] == 1
    assert not values.get("recover")


def test_pw_continues_after_a_clean_stop_and_starts_again_after_a_kill(recorded):
    folder = recorded("qe/pw_max_seconds", "scf")
    before = (folder / "scf.in").read_text()
    assert KilledHandler("scf").correct(str(folder)) == {"errors": ["killed"], "actions": ["started again"]}
    assert (folder / "scf.in").read_text() == before
    WalltimeHandler("scf").correct(str(folder))
    assert read_namelists(folder / "scf.in")["control"]["restart_mode"] == "restart"


@pytest.mark.parametrize(("case", "stem"), [("qe/pw_max_seconds", "scf"), ("qe/ph_max_seconds", "ph")])
@pytest.mark.parametrize(("left", "continues"), [(LEAST_SECONDS - 1, False), (LEAST_SECONDS + 60, True), (None, True)])
def test_stopped_program_goes_on_in_the_same_job_only_where_there_is_time(
    recorded, monkeypatch, case, stem, left, continues
):
    folder = recorded(case, stem)
    before = (folder / f"{stem}.in").read_text()
    if left is not None:
        monkeypatch.setenv(ENDS_VARIABLE, str(time.time() + left))
    told = WalltimeHandler(stem).correct(str(folder))
    assert told["errors"] == ["walltime"]
    assert (told["actions"] is not None) == ((folder / f"{stem}.in").read_text() != before) == continues


@pytest.mark.parametrize("make", [KilledHandler, CrashedHandler])
def test_pw_that_was_killed_while_it_continued_starts_from_scratch(recorded, make):
    folder = recorded("qe/restart_failed", "relax")
    assert make("relax").correct(str(folder))["actions"] == ["control.restart_mode: restart -> from_scratch"]


@pytest.mark.parametrize("make", [KilledHandler, CrashedHandler, OutOfMemoryHandler])
@pytest.mark.parametrize(("linked", "left"), [(False, []), (True, ["ephmat1"])])
def test_epw_starts_again_without_what_it_would_append_to(recorded, tmp_path, make, linked, left):
    folder = recorded("epw/pb_gaps", "epw")
    elements = tmp_path / "fine" if linked else folder / MATRIX_ELEMENTS
    elements.mkdir(parents=True)
    (elements / "ephmat1").write_text("cut")
    if linked:
        (folder / MATRIX_ELEMENTS).parent.mkdir()
        (folder / MATRIX_ELEMENTS).symlink_to(elements)
    (folder / RESTART).write_text("17")
    handler = make("epw")
    handler.job = Job()
    assert handler.correct(str(folder))["actions"][-1] == "started again without restart.fmt"
    assert [path.name for path in elements.glob("*")] == left
    assert not (folder / RESTART).exists()
    handler.job = Job()
    assert handler.correct(str(folder))["actions"][-1] == "started again"


@pytest.mark.parametrize("handler", [PseudopotentialHandler, DiskFullHandler])
def test_what_cannot_be_mended_is_left_alone(recorded, handler):
    folder = recorded("qe/missing_pseudopotential", "scf")
    before = (folder / "scf.in").read_text()
    assert handler("scf").correct(str(folder))["actions"] is None
    assert (folder / "scf.in").read_text() == before


@pytest.mark.parametrize("code", [None, 0, 1])
def test_return_code_counts_although_the_output_is_complete(recorded, code):
    folder = recorded("epw/two_processes_one_pool", "epw")
    if code is not None:
        (folder / "epw.exit").write_text(f'{{"return_code": {code}, "stopped": false}}')
    seen = [type(handler) for handler in epw_handlers("epw") if handler.check(str(folder))]
    assert seen == ([ReturnCodeHandler] if code else [])


def test_return_code_that_another_handler_can_explain_is_left_to_it(recorded):
    folder = recorded("epw/pade_nan", "epw")
    (folder / "epw.exit").write_text('{"return_code": 1, "stopped": false}')
    assert [type(handler) for handler in epw_handlers("epw") if handler.check(str(folder))] == [PadeNanHandler]


@pytest.mark.parametrize(("stopped", "expected"), [(True, []), (False, [KilledHandler])])
def test_program_that_a_monitor_stopped_was_not_killed(recorded, stopped, expected):
    folder = recorded("qe/al_scf", "scf")
    output = folder / "scf.out"
    output.write_text(output.read_text()[:3000])
    (folder / "scf.exit").write_text(f'{{"return_code": -15, "stopped": {str(stopped).lower()}}}')
    assert [type(handler) for handler in pw_handlers("scf") if handler.check(str(folder))] == expected


@pytest.mark.parametrize(
    "text",
    [
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.0",
        "Error allocating 400000 bytes: Cannot allocate memory",
        "Allocation would exceed memory limit",
        "forrtl: severe (41): insufficient virtual memory",
    ],
)
def test_lack_of_memory_is_seen_as_such_and_not_as_killed(recorded, text):
    folder = recorded("qe/al_scf", "scf")
    output = folder / "scf.out"
    output.write_text(output.read_text()[:3000])
    (folder / "scf.err").write_text(text)
    assert [type(handler) for handler in pw_handlers("scf") if handler.check(str(folder))] == [OutOfMemoryHandler]


class Job:
    """A job with one command that needs less memory."""

    def __init__(self):
        self.changes = ["pools: 2 -> 1"]

    def lighten(self):
        return self.changes.pop() if self.changes else None


def test_lack_of_memory_is_met_by_a_lighter_command_and_told_when_there_is_none(recorded):
    folder = recorded("qe/out_of_memory", "scf")
    handler = OutOfMemoryHandler("scf")
    assert handler.correct(str(folder))["actions"] is None
    handler.job = Job()
    assert handler.correct(str(folder))["actions"] == ["pools: 2 -> 1", "started again"]
    assert handler.correct(str(folder))["actions"] is None
