from __future__ import annotations

import pytest

from hightc.makers.qe.handlers import (
    BfgsHistoryHandler,
    GeometryConvergenceHandler,
    PseudopotentialHandler,
    RestartFailedHandler,
    ScfConvergenceHandler,
    ScfOscillationHandler,
    TooFewBandsHandler,
    WalltimeHandler,
    pw_handlers,
)
from hightc.makers.qe.handlers_pw import is_oscillating
from hightc.makers.qe.inputs import edit_namelists, read_namelists


@pytest.mark.parametrize(("case", "stem"), [("restart_failed", "relax"), ("broken_pseudopotential", "scf")])
@pytest.mark.parametrize("mode", ["restart", "from_scratch"])
def test_error_or_a_broken_file_is_a_failed_restart_only_in_a_run_that_continued(recorded, case, stem, mode):
    folder = recorded(f"qe/{case}", stem)
    edit_namelists(folder / f"{stem}.in", {"control": {"restart_mode": mode}})
    handler = RestartFailedHandler(stem)
    assert handler.check(str(folder)) is (mode == "restart")
    if mode == "restart":
        assert [type(one) for one in pw_handlers(stem) if one.check(str(folder))] == [RestartFailedHandler]
        assert handler.correct(str(folder))["actions"] == ["control.restart_mode: restart -> from_scratch"]
        assert not handler.check(str(folder))


def test_scf_ladder_is_climbed_rung_by_rung_and_each_action_is_told(recorded):
    folder = recorded("qe/scf_not_converged", "scf")
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
    folder = recorded("qe/relax_not_converged", "relax")
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


def test_oscillating_accuracy_is_told_from_a_slow_one():
    def text(*accuracies):
        return "".join(f"     estimated scf accuracy    <       {value} Ry\n" for value in accuracies)

    assert is_oscillating(text(1.0, 2.0, 1.0, 2.0, 1.0, 2.0))
    assert not is_oscillating(text(1.0, 0.9, 0.8, 0.7, 0.6, 0.5))
    assert not is_oscillating(text(1.0, 2.0, 1.0))
    slow_at_last = text(1.0, 2.0, 1.0, 2.0, 1.0, 2.0) + "     Self-consistent Calculation\n" + text(1.0, 0.5)
    assert not is_oscillating(slow_at_last)


def test_oscillating_charge_is_mixed_slower_and_never_faster_than_before(climb, recorded):
    folder = recorded("qe/scf_oscillating", "scf")
    climb(ScfOscillationHandler("scf"), folder)
    electrons = read_namelists(folder / "scf.in")["electrons"]
    assert (electrons["mixing_beta"], electrons["mixing_ndim"], electrons["mixing_mode"]) == (0.1, 12, "local-TF")
    climb(ScfConvergenceHandler("scf"), folder)
    assert read_namelists(folder / "scf.in")["electrons"]["mixing_beta"] == 0.1


def test_bands_that_no_input_names_are_not_raised(recorded):
    folder = recorded("qe/too_few_bands", "scf")
    (folder / "scf.in").write_text("&control\n/\n&system\n/\n")
    assert TooFewBandsHandler("scf").correct(str(folder))["actions"] is None


def test_relaxation_on_the_noise_of_its_forces_begins_anew_with_a_stricter_threshold(recorded):
    folder = recorded("qe/bfgs_history", "relax")
    handler = BfgsHistoryHandler("relax")
    handler.correct(str(folder))
    assert read_namelists(folder / "relax.in")["electrons"]["conv_thr"] == pytest.approx(1e-5)  # of 1e-3
    assert not handler.raise_on_max  # the Maker takes what is left, with a warning


@pytest.mark.parametrize("known", ["pseudopotential", "bands"])
def test_error_of_a_continued_run_that_another_handler_knows_is_left_to_it(tmp_path, known):
    routine, message = {"pseudopotential": ("readpp", "file ./Al.UPF not found"), "bands": ("setup", "too few bands")}[
        known
    ]
    (tmp_path / "pw.in").write_text("&control\n restart_mode='restart'\n/\n&system\n nbnd=2\n/\n")
    rule = " " + "%" * 78
    (tmp_path / "pw.out").write_text(f"{rule}\n     Error in routine {routine} (1):\n     {message}\n{rule}\n")
    expected = {"pseudopotential": PseudopotentialHandler, "bands": TooFewBandsHandler}[known]
    assert [type(handler) for handler in pw_handlers("pw") if handler.check(str(tmp_path))] == [expected]
