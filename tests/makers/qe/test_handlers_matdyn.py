from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.q2r import read_force_constants
from hightc.makers.qe.handlers_matdyn import MatdynNanHandler, raise_on_site_constants
from hightc.makers.qe.inputs import edit_namelists

QE = Path(__file__).parents[2] / "data" / "qe"


@pytest.mark.parametrize("file", ["si_dielectric/si.fc", "matdyn_nan/force_constants"])
def test_only_constants_of_an_atom_with_itself_are_raised(tmp_path, file):
    shutil.copy(QE / file, tmp_path / "fc")
    before = read_force_constants(tmp_path / "fc")
    raise_on_site_constants(tmp_path / "fc", 16.0)
    raised = read_force_constants(tmp_path / "fc").array_ry_per_bohr2 - before.array_ry_per_bohr2
    expected = np.zeros_like(raised)
    expected[0, 0, 0] = 16.0 * np.einsum("ab,ij->abij", np.eye(before.n_atoms), np.eye(3))
    assert np.allclose(raised, expected, rtol=0, atol=4e-15)  # spacing of floating-point numbers near 16


def test_each_try_raises_further(recorded, climb):
    folder = recorded("qe/matdyn_nan", "matdyn")
    shutil.copy(QE / "matdyn_nan" / "force_constants", folder)
    told = climb(MatdynNanHandler("matdyn"), folder)
    assert [one["errors"] for one in told] == [["matdyn_nan"]] * 2
    assert "raised by 64" in told[1]["actions"][0]
    on_site = read_force_constants(folder / "force_constants").array_ry_per_bohr2[0, 0, 0, 0, 0, 0, 0]
    assert on_site == pytest.approx(80 + 3.53079825e-02, abs=2e-14)  # spacing of floating-point numbers near 80


@pytest.mark.parametrize("rule", ["crystal", "no"])
def test_nothing_is_changed_where_the_sum_rule_would_keep_it(recorded, rule):
    folder = recorded("qe/matdyn_nan", "matdyn")
    edit_namelists(folder / "matdyn.in", {"input": {"asr": rule}})
    assert MatdynNanHandler("matdyn").correct(str(folder))["actions"] is None


@pytest.mark.parametrize("why", ["numbers", "cut", "bands"])
def test_run_with_numbers_or_without_an_end_or_a_density_of_states_is_not_seen(recorded, why):
    folder = recorded("qe/matdyn_nan", "matdyn")
    assert MatdynNanHandler("matdyn").check(str(folder))
    if why == "numbers":
        shutil.copy(QE / "al_linear_response" / "al.phdos", folder / "phonon_dos")
    elif why == "cut":
        text = (folder / "matdyn.out").read_text()
        (folder / "matdyn.out").write_text(text[: text.index("JOB DONE")])
    else:
        text = (folder / "matdyn.in").read_text()
        (folder / "matdyn.in").write_text("\n".join(line for line in text.splitlines() if "fldos" not in line) + "\n")
    assert not MatdynNanHandler("matdyn").check(str(folder))
