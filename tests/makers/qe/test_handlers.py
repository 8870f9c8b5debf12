from __future__ import annotations

import pytest

from hightc.makers.qe.failures import FAILURES
from hightc.makers.qe.handlers import (
    AboveTcHandler,
    BfgsHistoryHandler,
    BrokenFileHandler,
    CoarseMeshHandler,
    CrashedHandler,
    EigenvaluesHandler,
    ElphFilesHandler,
    EpwFilesHandler,
    FailureHandler,
    FftSymmetryHandler,
    FineMeshHandler,
    FrozenWindowHandler,
    GapConvergenceHandler,
    GeometryConvergenceHandler,
    KilledHandler,
    MatdynNanHandler,
    MeshSymmetryHandler,
    OuterWindowHandler,
    OutOfMemoryHandler,
    OverlapMatrixHandler,
    PadeNanHandler,
    PhononConvergenceHandler,
    PhononDivergenceHandler,
    PseudopotentialHandler,
    RestartFailedHandler,
    ScfConvergenceHandler,
    ScfOscillationHandler,
    TooFewBandsForWannierHandler,
    TooFewBandsHandler,
    WalltimeHandler,
    WannierStoppedHandler,
    epw_handlers,
    matdyn_handlers,
    ph_handlers,
    pw_handlers,
    q2r_handlers,
)
from hightc.makers.qe.inputs import read_namelists

# recorded run, its stem, program -> the handlers that must see it, all others must not
ENDINGS = {
    ("qe/al_scf", "scf", "pw"): set(),
    ("qe/al_two_processes", "scf", "pw"): set(),
    ("qe/ni_spin", "scf", "pw"): set(),
    ("qe/scf_not_converged", "scf", "pw"): {ScfConvergenceHandler},
    ("qe/scf_oscillating", "scf", "pw"): {ScfOscillationHandler},
    ("qe/overlap_matrix", "scf", "pw"): {OverlapMatrixHandler},
    ("qe/eigenvalues_not_converged", "nscf", "pw"): {EigenvaluesHandler},
    ("qe/too_few_bands", "scf", "pw"): {TooFewBandsHandler},
    ("qe/fermi_not_bracketed", "scf", "pw"): {TooFewBandsHandler},
    ("qe/pw_max_seconds", "scf", "pw"): {WalltimeHandler},
    ("qe/missing_pseudopotential", "scf", "pw"): {PseudopotentialHandler},
    ("qe/unreadable_pseudopotential", "scf", "pw"): {PseudopotentialHandler},
    ("qe/broken_pseudopotential", "scf", "pw"): {BrokenFileHandler},
    ("qe/relax_not_converged", "relax", "pw"): {GeometryConvergenceHandler},
    ("qe/final_scf_without_a_step", "relax", "pw"): {GeometryConvergenceHandler},
    ("qe/bfgs_history", "relax", "pw"): {BfgsHistoryHandler},
    ("qe/restart_failed", "relax", "pw"): {RestartFailedHandler},
    ("qe/crashed", "scf", "pw"): {CrashedHandler},
    ("qe/out_of_memory", "scf", "pw"): {OutOfMemoryHandler},
    ("qe/al_linear_response", "elph", "ph"): set(),
    ("qe/ph_not_converged", "ph", "ph"): {PhononConvergenceHandler},
    ("qe/ph_max_seconds", "ph", "ph"): {WalltimeHandler},
    ("qe/ph_diverged", "ph", "ph"): {PhononDivergenceHandler},
    ("qe/ph_fft_symmetry", "ph", "ph"): {FftSymmetryHandler},
    ("qe/fft_translations", "ph", "ph"): {FftSymmetryHandler},
    ("qe/ph_mesh_breaks_symmetry", "ph", "ph"): set(),
    ("qe/al_linear_response", "q2r", "q2r"): set(),
    ("qe/missing_elph_smearing", "q2r", "q2r"): {ElphFilesHandler},
    ("qe/al_linear_response", "matdyn.dos", "matdyn"): set(),
    ("qe/missing_elph_smearing", "matdyn.dos", "matdyn"): {KilledHandler},
    ("qe/matdyn_nan", "matdyn", "matdyn"): {MatdynNanHandler},
    ("epw/pb", "epw1", "epw"): set(),
    ("epw/pb_gaps", "epw", "epw"): set(),
    ("epw/pb_gaps", "above_tc", "epw"): {AboveTcHandler},
    ("epw/pb_gaps", "nsiter", "epw"): {GapConvergenceHandler},
    ("epw/pade_nan", "epw", "epw"): {PadeNanHandler},
    ("epw/fine_mesh_not_multiple", "epw", "epw"): {FineMeshHandler},
    ("epw/mesh_symmetry_refused", "epw", "epw"): {MeshSymmetryHandler},
    ("epw/epw_coarse_mesh", "epw", "epw"): {CoarseMeshHandler},
    ("epw/q_mesh_not_commensurate", "epw", "epw"): {CoarseMeshHandler},
    ("epw/epw_files", "epw", "epw"): {EpwFilesHandler},
    **{
        ("epw/epw_files", f"no_{file}", "epw"): {EpwFilesHandler}
        for file in (
            *("dynamical_matrix", "potential", "wavefunctions", "save"),
            *("ukk", "crystal", "epwdata", "dmedata", "epmatwp", "ephmat"),
        )
    },
    ("epw/epw_files", "no_egnv", "epw"): {BrokenFileHandler},
    ("epw/wannier_frozen_window", "epw", "epw"): {FrozenWindowHandler},
    ("epw/wannier_outer_window", "epw", "epw"): {OuterWindowHandler},
    ("epw/wannier_too_few_bands", "epw", "epw"): {TooFewBandsForWannierHandler},
    ("epw/wannier_stopped", "epw", "epw"): {WannierStoppedHandler},
    ("epw/two_processes_one_pool", "epw", "epw"): set(),
}
HANDLERS_OF = {
    "pw": pw_handlers,
    "ph": ph_handlers,
    "q2r": q2r_handlers,
    "matdyn": matdyn_handlers,
    "epw": epw_handlers,
}


@pytest.mark.parametrize(("ending", "expected"), ENDINGS.items(), ids=lambda value: "-".join(map(str, value))[:60])
def test_recorded_ending_is_seen_by_its_handler_and_no_other(recorded, ending, expected):
    case, stem, program = ending
    folder = recorded(case, stem)
    seen = {type(handler) for handler in HANDLERS_OF[program](stem) if handler.check(str(folder))}
    assert seen == expected


@pytest.mark.parametrize(
    ("handler", "case", "stem", "namelist", "expected"),
    [
        (OverlapMatrixHandler, "qe/overlap_matrix", "scf", "electrons", [("diagonalization", "cg", "paro")]),
        (
            EigenvaluesHandler,
            "qe/eigenvalues_not_converged",
            "nscf",
            "electrons",
            [("diago_david_ndim", 4, 4), ("diagonalization", None, "cg"), ("diago_thr_init", 1e-30, 1e-10)],
        ),
        (TooFewBandsHandler, "qe/too_few_bands", "scf", "system", [("nbnd", 2, 4)]),
        (OuterWindowHandler, "epw/wannier_outer_window", "epw", "inputepw", [("dis_win_max", 10.0, 15.0)]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_second_try_goes_further_than_the_first(recorded, handler, case, stem, namelist, expected):
    folder = recorded(case, stem)
    one = handler(stem)
    for tried in range(2):
        one.n_applied_corrections = tried
        told = one.correct(str(folder))
        assert told["errors"] == [handler.failure.code]
        found = read_namelists(folder / f"{stem}.in")[namelist]
        assert {name: found.get(name) for name, *_ in expected} == {name: values[tried] for name, *values in expected}
    one.n_applied_corrections = 2
    if handler.failure.ladder:
        assert one.correct(str(folder))["actions"] is None


def all_handlers():
    made = [handler for make in HANDLERS_OF.values() for handler in make("pw")]
    return sorted({type(handler) for handler in made}, key=lambda one: one.__name__)


def test_every_failure_of_the_table_has_one_handler_and_reverse():
    assert sorted(handler.failure.code for handler in all_handlers()) == sorted(failure.code for failure in FAILURES)


def test_programs_of_the_table_are_those_whose_runs_get_the_handler():
    found = {}
    for program, make in HANDLERS_OF.items():
        for handler in make(program):
            found.setdefault(handler.failure.code, set()).add(program)
    assert found == {failure.code: set(failure.programs) for failure in FAILURES}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
def test_failure_says_how_it_is_seen_and_what_the_user_can_do(failure):
    assert failure.symptom
    assert failure.advice
    assert (failure.remedy == "none") is (failure.tries == 0)
    assert failure.tries > 0 or not failure.physics
    assert len(failure.ladder) in (0, failure.tries)


@pytest.mark.parametrize("handler", all_handlers(), ids=lambda handler: handler.__name__)
def test_tries_of_the_table_bound_the_corrections(handler):
    one = handler("pw")
    assert isinstance(one, FailureHandler)
    assert one.max_num_corrections == (handler.failure.tries or None)
    assert one.raise_on_max or handler is BfgsHistoryHandler
