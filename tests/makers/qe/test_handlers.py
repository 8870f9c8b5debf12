from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from hightc.makers.qe import handlers as handlers_module
from hightc.makers.qe.failures import FAILURES
from hightc.makers.qe.handlers import (
    DiskFullHandler,
    FailureHandler,
    GeometryConvergenceHandler,
    KilledHandler,
    PhononConvergenceHandler,
    PseudopotentialHandler,
    RestartFailedHandler,
    ScfConvergenceHandler,
    WalltimeHandler,
    matdyn_handlers,
    ph_handlers,
    pw_handlers,
)
from hightc.makers.qe.inputs import read_namelists

RECORDED = Path(__file__).parents[2] / "data" / "qe"

# recorded run, its stem, program -> the handlers that must see it, all others must not
ENDINGS = {
    ("al_scf", "scf", "pw"): set(),
    ("al_two_processes", "scf", "pw"): set(),
    ("ni_spin", "scf", "pw"): set(),
    ("scf_not_converged", "scf", "pw"): {ScfConvergenceHandler},
    ("pw_max_seconds", "scf", "pw"): {WalltimeHandler},
    ("missing_pseudopotential", "scf", "pw"): {PseudopotentialHandler},
    ("relax_not_converged", "relax", "pw"): {GeometryConvergenceHandler},
    ("al_linear_response", "elph", "ph"): set(),
    ("ph_not_converged", "ph", "ph"): {PhononConvergenceHandler},
    ("ph_max_seconds", "ph", "ph"): {WalltimeHandler},
    ("ph_diverged", "ph", "ph"): set(),
    ("ph_mesh_breaks_symmetry", "ph", "ph"): set(),
    ("al_linear_response", "q2r", "q2r"): set(),
    ("missing_elph_smearing", "q2r", "q2r"): set(),
    ("al_linear_response", "matdyn.dos", "matdyn"): set(),
    ("missing_elph_smearing", "matdyn.dos", "matdyn"): {KilledHandler},
}
HANDLERS_OF = {"pw": pw_handlers, "ph": ph_handlers, "q2r": matdyn_handlers, "matdyn": matdyn_handlers}


@pytest.fixture
def recorded(tmp_path):
    """Copy input and output of a recorded run into a folder of its own."""

    def copy(case, stem):
        folder = tmp_path / case
        folder.mkdir(exist_ok=True)
        for suffix in (".in", ".out"):
            source = RECORDED / case / f"{stem}{suffix}"
            if source.is_file():
                shutil.copy(source, folder)
        return folder

    return copy


@pytest.mark.parametrize(("ending", "expected"), ENDINGS.items(), ids=lambda value: "-".join(map(str, value))[:40])
def test_recorded_ending_is_seen_by_its_handler_and_no_other(recorded, ending, expected):
    case, stem, program = ending
    folder = recorded(case, stem)
    seen = {type(handler) for handler in HANDLERS_OF[program](stem) if handler.check(str(folder))}
    assert seen == expected


@pytest.mark.parametrize(("case", "stem", "make"), [("al_scf", "scf", pw_handlers), ("ph_diverged", "ph", ph_handlers)])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6])
def test_output_that_stops_anywhere_in_the_middle_is_seen_as_killed_only(recorded, case, stem, make, kept):
    folder = recorded(case, stem)
    output = folder / f"{stem}.out"
    text = output.read_text()
    output.write_text(text[: int(kept * len(text))])
    assert [type(handler) for handler in make(stem) if handler.check(str(folder))] == [KilledHandler]


@pytest.mark.parametrize("text", ["STOP: No space left on device", "write: Disk quota exceeded"])
def test_full_disk_on_stderr_is_seen_as_such_and_not_as_killed(recorded, text):
    folder = recorded("al_scf", "scf")
    output = folder / "scf.out"
    output.write_text(output.read_text()[:3000])
    (folder / "scf.err").write_text(text)
    assert [type(handler) for handler in pw_handlers("scf") if handler.check(str(folder))] == [DiskFullHandler]


@pytest.mark.parametrize(("free", "expected"), [(0, DiskFullHandler), (10**9, KilledHandler)])
def test_silent_end_on_a_disk_without_space_is_a_full_disk(recorded, monkeypatch, free, expected):
    folder = recorded("al_scf", "scf")
    output = folder / "scf.out"
    output.write_text(output.read_text()[:3000])
    monkeypatch.setattr(handlers_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert [type(handler) for handler in pw_handlers("scf") if handler.check(str(folder))] == [expected]


@pytest.mark.parametrize(("mode", "seen"), [("'restart'", True), ("'from_scratch'", False)])
def test_error_is_a_failed_restart_only_in_a_run_that_continued(tmp_path, mode, seen):
    (tmp_path / "pw.in").write_text(f"&control\n restart_mode={mode}\n/\n&system\n/\n")
    rule = " " + "%" * 78
    (tmp_path / "pw.out").write_text(
        f"\n     Program PWSCF v.6.7MaX starts on today\n{rule}\n     Error in routine electrons (1):\n"
        f"     charge is wrong\n{rule}\n"
    )
    handler = RestartFailedHandler("pw")
    assert handler.check(str(tmp_path)) is seen
    if seen:
        assert handler.correct(str(tmp_path))["actions"] == ["control.restart_mode: restart -> from_scratch"]
        assert not handler.check(str(tmp_path))


def test_scf_ladder_is_climbed_rung_by_rung_and_each_action_is_told(recorded):
    folder = recorded("scf_not_converged", "scf")
    handler = ScfConvergenceHandler("scf")
    told = []
    for tried in range(handler.max_num_corrections):
        handler.n_applied_corrections = tried
        told.append(handler.correct(str(folder)))
    assert [entry["errors"] for entry in told] == [["scf_not_converged"]] * 3
    assert told[0]["actions"][0].endswith("-> 0.3")
    electrons = read_namelists(folder / "scf.in")["electrons"]
    assert (electrons["mixing_beta"], electrons["mixing_mode"]) == (0.2, "local-TF")
    assert (electrons["diagonalization"], electrons["electron_maxstep"]) == ("cg", 200)


def test_relaxation_goes_on_with_twice_the_steps_of_its_input_or_of_pw(recorded):
    folder = recorded("relax_not_converged", "relax")
    handler = GeometryConvergenceHandler("relax")
    assert handler.correct(str(folder))["errors"] == ["geometry_not_converged"]
    control = read_namelists(folder / "relax.in")["control"]
    assert (control["restart_mode"], control["nstep"]) == ("restart", 4)
    (folder / "relax.in").write_text("&control\n calculation='relax'\n/\n&system\n/\n")
    handler.correct(str(folder))
    assert read_namelists(folder / "relax.in")["control"]["nstep"] == 100


@pytest.mark.parametrize(
    ("final", "seen"),
    [
        ("", {GeometryConvergenceHandler}),
        ("!    total energy              =      -4.1 Ry\n", set()),
        ("     Maximum CPU time exceeded\n", {WalltimeHandler}),
        ("     convergence NOT achieved after 100 iterations\n", {ScfConvergenceHandler}),
    ],
)
def test_relaxation_without_a_step_left_for_its_final_scf_is_seen(tmp_path, final, seen):
    (tmp_path / "pw.in").write_text("&control\n/\n&system\n/\n")
    (tmp_path / "pw.out").write_text(
        "     Program PWSCF v.6.7MaX starts on today\n!    total energy              =      -4.2 Ry\n"
        f"     Final scf calculation at the relaxed structure.\n{final}   JOB DONE.\n"
    )
    assert {type(handler) for handler in pw_handlers("pw") if handler.check(str(tmp_path))} == seen


def test_phonon_ladder_mixes_slower_and_goes_on_at_the_first_unfinished_q(recorded):
    folder = recorded("ph_not_converged", "ph")
    handler = PhononConvergenceHandler("ph")
    for tried, mixing in enumerate((0.3, 0.1)):
        handler.n_applied_corrections = tried
        handler.correct(str(folder))
        values = read_namelists(folder / "ph.in")["inputph"]
        assert (values["alpha_mix(1)"], values["start_q"]) == (mixing, 1)
    assert values["nmix_ph"] <= 5  # ph.x 6.7 refuses more
    assert handler.max_num_corrections == len(handler.LADDER)


@pytest.mark.parametrize("handler", [WalltimeHandler, KilledHandler, PhononConvergenceHandler])
def test_no_handler_takes_phonons_up_in_the_middle_of_a_q_point(recorded, handler):
    folder = recorded("ph_max_seconds", "ph")
    one = handler("ph")
    one.n_applied_corrections = 0
    one.correct(str(folder))
    values = read_namelists(folder / "ph.in")["inputph"]
    assert values["start_q"] == 1
    assert not values.get("recover")


def test_pw_continues_after_a_clean_stop_and_starts_again_after_a_kill(recorded):
    folder = recorded("pw_max_seconds", "scf")
    before = (folder / "scf.in").read_text()
    assert KilledHandler("scf").correct(str(folder)) == {"errors": ["killed"], "actions": ["started again"]}
    assert (folder / "scf.in").read_text() == before
    WalltimeHandler("scf").correct(str(folder))
    assert read_namelists(folder / "scf.in")["control"]["restart_mode"] == "restart"


@pytest.mark.parametrize("handler", [PseudopotentialHandler, DiskFullHandler])
def test_what_cannot_be_mended_is_left_alone(recorded, handler):
    folder = recorded("missing_pseudopotential", "scf")
    before = (folder / "scf.in").read_text()
    assert handler("scf").correct(str(folder))["actions"] is None
    assert (folder / "scf.in").read_text() == before


def subclasses():
    return FailureHandler.__subclasses__()


def test_every_failure_of_the_table_has_one_handler_and_reverse():
    assert sorted(handler.failure.code for handler in subclasses()) == sorted(failure.code for failure in FAILURES)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
def test_failure_says_how_it_is_seen_and_what_the_user_can_do(failure):
    assert failure.symptom
    assert failure.advice
    assert (failure.remedy == "none") is (failure.tries == 0)
    assert bool(failure.physics) is (failure.tries > 0)


@pytest.mark.parametrize("handler", subclasses(), ids=lambda handler: handler.__name__)
def test_tries_of_the_table_bound_the_corrections(handler):
    one = handler("pw")
    assert one.max_num_corrections == (handler.failure.tries or None)
    assert one.raise_on_max
    ladder = getattr(handler, "LADDER", None)
    assert ladder is None or len(ladder) == handler.failure.tries
