from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.wannier_windows import LEAST_FROZEN_EV, Window
from hightc.makers.base import QEMaker
from hightc.makers.errors import ProgramFailedError
from hightc.makers.qe.epw_inputs import Subspace
from hightc.makers.qe.wannier_recipe import make_wannier_recipe
from hightc.makers.wannier_search import WannierSearch

FAKE = Path(__file__).parents[1] / "fakes" / "program.py"
RECORDED = Path(__file__).parents[1] / "data" / "epw"
STOPPED = RECORDED / "wannier_stopped" / "epw.out"


@dataclass
class BandsOfRuns:
    """Bands whose wavefunctions are those of one run after another."""

    gauges: list[str] = field(default_factory=lambda: ["one"])

    def gauge(self):
        return self.gauges[0]

    def fetch_wavefunctions(self):
        if len(self.gauges) == 1:
            return False
        self.gauges.pop(0)
        return True


@pytest.fixture
def attempt(recipe, aluminium, monkeypatch):
    def make(say, *options, bands=None):
        monkeypatch.setenv("HIGHTC_EPW_COMMAND", shlex.join([sys.executable, str(FAKE), "--say", str(say), *options]))
        wannier = make_wannier_recipe(aluminium, recipe, {})
        search = WannierSearch(QEMaker(recipe=recipe), recipe, wannier, 8.0, np.zeros((1, 3)), np.zeros((1, 4)))
        search.attempt(("Al:s;p",), Window(10.0, 20.0), Subspace(4, 0), bands or BandsOfRuns(), None)
        return search

    return make


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("wannier_stopped", "wannier90 stopped epw.x"),
        ("wannier_too_few_bands", "fewer bands than Wannier functions"),
        ("wannier_outer_window", "fewer states than number of target WFs"),
        ("wannier_frozen_window", "More states in the frozen window"),
    ],
)
def test_refusal_of_wannier90_is_a_verdict_on_the_functions(attempt, case, reason):
    search = attempt(RECORDED / case / "epw.out")
    (trial,) = search.trials
    assert reason in trial.reason
    assert trial.eta_mev is None
    assert search.best is None


@pytest.mark.parametrize(
    ("output", "options", "codes"),
    [
        (STOPPED, ("--lines", "30"), ("killed",)),
        (STOPPED, ("--complain", "write error: No space left on device"), ("disk_full", "wannier_stopped")),
        (STOPPED, ("--complain", "Cannot allocate memory"), ("out_of_memory", "wannier_stopped")),
        (RECORDED / "epw_files" / "epw.out", (), ("epw_files",)),
        (RECORDED.parent / "qe" / "al_scf" / "scf.out", ("--exit", "3"), ("return_code",)),
        (RECORDED.parent / "qe" / "ph_mesh_breaks_symmetry" / "ph.out", (), ()),
    ],
    ids=["killed", "disk_full", "out_of_memory", "files_gone", "return_code", "unknown"],
)
def test_failure_that_says_nothing_of_the_functions_is_no_verdict(attempt, output, options, codes):
    with pytest.raises(ProgramFailedError, match=r"epw\.x failed in") as caught:
        attempt(output, *options)
    assert tuple(sorted(caught.value.codes)) == codes


@pytest.mark.parametrize("said", ["Error in allocating m_matrix in overlap_read", "Error: Problem opening input file"])
def test_wannier90_without_memory_or_files_is_no_verdict(attempt, tmp_path, said):
    output = tmp_path / "said.out"
    output.write_text(STOPPED.read_text().replace("param_get_projection: Atom site not recognised zz", said))
    assert said in output.read_text()
    with pytest.raises(ProgramFailedError) as caught:
        attempt(output)
    assert caught.value.codes == ()


def test_attempt_is_made_with_the_key_of_the_wavefunctions_that_were_computed_for_it(attempt):
    bands = BandsOfRuns(["one", "two"])
    search = attempt(STOPPED, bands=bands)
    assert len(search.trials) == 1
    assert bands.gauge() == "two"
    assert len(Path("starts").read_text().splitlines()) == 1


@pytest.mark.parametrize(("smearing_ev", "least_ev"), [(0.05, LEAST_FROZEN_EV), (0.4, 0.8)])
def test_frozen_height_grows_with_the_smearing(recipe, aluminium, smearing_ev, least_ev):
    wannier = make_wannier_recipe(aluminium, recipe, {"electron_smearing_ev": smearing_ev})
    search = WannierSearch(QEMaker(recipe=recipe), recipe, wannier, 8.0, np.zeros((1, 3)), np.zeros((1, 4)))
    assert search.least_frozen_ev == least_ev
