from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hightc.makers.qe.handlers import (
    AboveTcHandler,
    FineMeshHandler,
    FrozenWindowHandler,
    GapConvergenceHandler,
    MeshSymmetryHandler,
    PadeNanHandler,
)
from hightc.makers.qe.handlers_epw import fermi_energy_ev, solved_temperatures_k
from hightc.makers.qe.inputs import edit_namelists, read_namelists

RECORDED = Path(__file__).parents[2] / "data"


def test_solved_temperatures_are_kept_and_those_above_tc_dropped(climb, recorded):
    folder = recorded("epw/pb_gaps", "above_tc")
    assert solved_temperatures_k((folder / "above_tc.out").read_text()) == ([6.0], 2)
    climb(AboveTcHandler("above_tc"), folder)
    values = read_namelists(folder / "above_tc.in")["inputepw"]
    # epw.x takes zeros for the end of the list
    assert (values["nstemp"], values["temps(1)"], values["temps(2)"]) == (1, 6.0, 0.0)


def test_temperatures_that_are_all_above_tc_are_left_to_the_user(recorded):
    folder = recorded("epw/pb_gaps", "above_tc")
    output = folder / "above_tc.out"
    output.write_text(output.read_text().replace("Convergence was reached", "nothing"))
    assert AboveTcHandler("above_tc").correct(str(folder))["actions"] is None


def test_gap_gets_more_iterations_before_temperatures_are_dropped(climb, recorded):
    folder = recorded("epw/pb_gaps", "nsiter")
    first, second = climb(GapConvergenceHandler("nsiter"), folder)
    assert first["actions"] == ["inputepw.nsiter: 14 -> 56"]
    assert second["actions"][0] == "inputepw.nstemp: 3 -> 2"
    values = read_namelists(folder / "nsiter.in")["inputepw"]
    assert [values[f"temps({index})"] for index in (1, 2, 3)] == [1.0, 5.0, 0.0]


def test_fine_k_mesh_becomes_the_next_multiple_of_the_q_mesh(climb, recorded):
    folder = recorded("epw/fine_mesh_not_multiple", "epw")
    edit_namelists(folder / "epw.in", {"inputepw": {"nqf1": 5, "nqf3": 3}})
    assert climb(FineMeshHandler("epw"), folder)[0]["actions"] == ["inputepw.nkf1: 3 -> 5", "inputepw.nkf2: 3 -> 4"]


def test_frozen_window_ends_below_the_first_band_too_many(recorded):
    folder = recorded("epw/wannier_frozen_window", "epw")
    # four Wannier functions; the fifth band at that k point is at 22.59376 eV
    handler = FrozenWindowHandler("epw")
    assert handler.correct(str(folder))["actions"] == ["inputepw.dis_froz_max: 60.0 -> 22.5438"]
    (folder / "al.wout").write_text("")
    assert handler.correct(str(folder))["actions"] is None
    (folder / "al.wout").unlink()
    assert handler.correct(str(folder))["actions"] is None


@pytest.mark.parametrize(("second_band_ev", "mended"), [(7.0, False), (9.5, True)])
def test_frozen_window_never_ends_below_the_fermi_energy(recorded, second_band_ev, mended):
    folder = recorded("epw/wannier_frozen_window", "epw")
    save = folder / "al.save"
    save.mkdir()
    shutil.copy(RECORDED / "qe" / "al_scf" / "data-file-schema.xml", save)
    assert 7.0 < fermi_energy_ev(save) < 9.0
    edit_namelists(folder / "epw.in", {"inputepw": {"nbndsub": 1}})
    (folder / "al.wout").write_text(f" ERROR AT K-POINT 1\nBANDS: (eV) -3.0 {second_band_ev}\n Exiting.......\n")
    assert bool(FrozenWindowHandler("epw").correct(str(folder))["actions"]) is mended


@pytest.mark.parametrize(
    ("handler", "case", "expected"),
    [
        (PadeNanHandler, "epw/pade_nan", {"lpade": False, "lacon": False}),
        (MeshSymmetryHandler, "epw/mesh_symmetry_refused", {"mp_mesh_q": False}),
    ],
)
def test_option_that_cannot_work_is_switched_off(climb, recorded, handler, case, expected):
    folder = recorded(case, "epw")
    climb(handler("epw"), folder)
    values = read_namelists(folder / "epw.in")["inputepw"]
    assert {name: values[name] for name in expected} == expected
