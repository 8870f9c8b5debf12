from __future__ import annotations

from hightc.makers.qe.handlers import (
    PhononConvergenceHandler,
    PhononDivergenceHandler,
)
from hightc.makers.qe.inputs import read_namelists


def test_phonon_ladder_mixes_slower_and_goes_on_at_the_first_unfinished_q(recorded):
    folder = recorded("qe/ph_not_converged", "ph")
    handler = PhononConvergenceHandler("ph")
    for tried, mixing in enumerate((0.3, 0.1)):
        handler.n_applied_corrections = tried
        handler.correct(str(folder))
        values = read_namelists(folder / "ph.in")["inputph"]
        assert (values["alpha_mix(1)"], values["start_q"]) == (mixing, 1)
    assert values["nmix_ph"] <= 5  # ph.x 6.7 refuses more
    assert handler.max_num_corrections == 2


def test_diverged_response_starts_its_q_point_again_with_slower_mixing(climb, recorded):
    folder = recorded("qe/ph_diverged", "ph")
    climb(PhononDivergenceHandler("ph"), folder)
    values = read_namelists(folder / "ph.in")["inputph"]
    assert (values["alpha_mix(1)"], values["start_q"]) == (0.2, 1)
