from __future__ import annotations

import pytest
from fakes.report_results import make_structure
from fakes.stored_documents import LEAD, PROVENANCE, make_scf, make_tc, temperature, with_cut_bands

from hightc.analysis.documents import MomentDocument, PhononDocument
from hightc.analysis.funnel_features import known_after
from hightc.analysis.funnel_rules import Funnel, FunnelGate, parse_rule
from hightc.makers.errors import StagingError
from hightc.makers.funnel_decision import decide


def gate(after, rule, **fields):
    return FunnelGate(**{"name": after, "after": after, "require": (parse_rule(rule, after),), **fields})


@pytest.fixture
def electrons(tmp_path):
    return {"relax": make_structure("Po"), "dense": with_cut_bands(make_scf("Po"), tmp_path / "dense")}


def test_without_gates_everything_is_carried_on_and_still_known(electrons):
    decision = decide(Funnel(), "electrons", electrons)
    assert decision.decision == "carried_on"
    assert tuple(entry.name for entry in decision.features) == known_after("electrons")
    assert (decision.material, decision.campaign) == ("Po", "test")


def test_only_gates_behind_the_stage_are_asked(electrons):
    funnel = Funnel(gates=(gate("electrons", "band_gap_ev < 0.1"), gate("phonons", "lowest_phonon_mev > -1")))
    assert [verdict.name for verdict in decide(funnel, "electrons", electrons).verdicts] == ["electrons"]


def test_bands_that_cannot_be_read_are_missing_and_no_zero(electrons):
    decision = decide(Funnel(gates=(gate("electrons", "dos_per_ev_spin_cell > 1"),)), "electrons", electrons)
    assert decision.decision == "carried_on"
    assert decision.feature("dos_per_ev_spin_cell") is None
    assert "data-file-schema.xml" in decision.reasons[0]


def test_folder_out_of_reach_is_an_error_and_no_missing_number(electrons, tmp_path):
    (tmp_path / "dense").rename(tmp_path / "elsewhere")
    with pytest.raises(StagingError, match=r"dense/.*data-file-schema\.xml: expected the bands .*hightc recover"):
        decide(Funnel(), "electrons", electrons)


def test_tc_under_the_range_is_bounded_by_the_phonons_of_the_stage():
    tc = make_tc("Po", 0.0, temperature("eliashberg", 0.10, None, None))
    phonon = PhononDocument(
        **tc.model_dump(include={"campaign", "material", "formula", "elements"}),
        structure=LEAD,
        q_mesh=(2, 2, 2),
        interpolation_mesh=(4, 4, 4),
        omega_mev=(1.0, 20.0),
        dos_per_mev=(1.0, 2.0),
        lowest_frequency_mev=0.0,
        lowest_frequency_q=(0.0, 0.0, 0.0),
        stability="stable",
        protocol="draft",
        provenance=PROVENANCE,
    )
    funnel = Funnel(gates=(gate("alpha2f", "tc_eliashberg_kelvin >= 5", missing="hold"),))
    decision = decide(funnel, "alpha2f", {"phonon": phonon, "tc": tc})
    assert decision.decision == "stopped"
    assert decision.gates[0].value is None
    # 20 meV/20000 = 1e-3 meV, and 1 meV is 11.605 K
    assert "tc_eliashberg_kelvin <= 0.0116045, expected >= 5" in decision.reasons[0]
    assert decide(funnel, "alpha2f", {"tc": tc}).decision == "held"


def test_moment_is_that_of_its_document(electrons):
    moment = MomentDocument(
        **electrons["relax"].model_dump(include={"campaign", "material", "formula", "elements", "structure"}),
        starting_magnetization={"Po": 0.5},
        total_magnetization_bohr_magneton=1.0,
        absolute_magnetization_bohr_magneton=1.2,
        energy_ev=-1.0,
        reason=None,
        k_mesh=(4, 4, 4),
        protocol="draft",
        provenance=None,
    )
    funnel = Funnel(moment=True, gates=(gate("electrons", "abs_moment_bohr_magneton_per_atom < 0.1"),))
    decision = decide(funnel, "electrons", {**electrons, "moment": moment})
    assert decision.decision == "stopped"
    assert decision.gates[0].value == 1.2


def test_later_decision_knows_what_the_earlier_one_knew(electrons):
    first = decide(Funnel(), "electrons", electrons).model_copy(update={"score": 0.7})
    tc = make_tc("Po", 3.0)
    funnel = Funnel(gates=(gate("alpha2f", "tc_kelvin >= 5"),))
    decision = decide(funnel, "alpha2f", {"tc": tc, "decision": first})
    assert decision.decision == "stopped"
    assert decision.feature("band_gap_ev") == 0.0
    assert decision.feature("tc_kelvin") == 3.0
    assert decision.score == 0.7
