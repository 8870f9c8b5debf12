"""Materials that go through a funnel in FireWorks, with steps of milliseconds, on the embedded server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.tiny_route import TinyScreening

from hightc.analysis.documents import GateDecisionDocument
from hightc.analysis.funnel_model import FunnelModel
from hightc.analysis.funnel_rules import Funnel, FunnelGate, parse_rule
from hightc.launch.dispatch import in_order
from hightc.launch.results import Outcome, collect_results
from hightc.launch.store import OUTPUTS

ELECTRONS = ["relax", "scf dense", "electrons gate"]
REST = ["scf", "phonon", "Tc"]


def gate(after: str, rule: str, **fields: Any) -> FunnelGate:
    return FunnelGate(**{"name": f"{after} 1", "after": after, "require": (parse_rule(rule, after),), **fields})


GAP = gate("electrons", "band_gap_ev < 0.5")


@pytest.fixture
def screening(run_worker):
    def make(*gates: FunnelGate, **fields: Any) -> TinyScreening:
        return TinyScreening(run_worker, Funnel(gates=gates), **fields)

    return make


def fireworks(database, label="Al"):
    found = database.launchpad.fireworks.find({"spec.material": label}, {"spec._tasks": 0}).sort("fw_id")
    return {entry["name"].removeprefix(f"{label} "): entry for entry in found}


def decisions(database):
    found = database.collections[OUTPUTS].find({"output.kind": "decision"}).sort("completed_at")
    return [GateDecisionDocument.model_validate(entry["output"]) for entry in found]


def result_of(submission, database):
    (result,) = collect_results([submission], database)
    return result


def test_few_steps_wait_at_first_and_a_gate_adds_the_next(screening, run_worker, database):
    submission = screening(GAP).submit("Al", gap_ev=0.3)
    assert sorted(fireworks(database)) == sorted(ELECTRONS)
    run_worker()
    found = fireworks(database)
    assert sorted(found) == sorted(ELECTRONS + REST)
    assert {entry["state"] for entry in found.values()} == {"COMPLETED"}
    assert database.launchpad.workflows.find_one({})["state"] == "COMPLETED"
    assert result_of(submission, database).outcome is Outcome.ANSWERED


def test_added_steps_stand_beside_the_others_as_if_submitted_with_them(screening, run_worker, database):
    submission = screening(GAP).submit("Al")
    run_worker()
    found = fireworks(database)
    order = ELECTRONS + REST
    folders = [Path(found[step]["spec"]["_launch_dir"]) for step in order]
    names = [f"{number:02d}-{step.lower().replace(' ', '-')}" for number, step in enumerate(order, start=1)]
    assert [folder.name for folder in folders] == names
    assert {folder.parent for folder in folders} == {run_worker.directory / submission.material.folder}
    assert all(folder.is_dir() for folder in folders)
    assert [found[step]["name"] for step in order] == [f"Al {step}" for step in order]
    assert [step["name"] for step in in_order(found.values())] == [f"Al {step}" for step in order]
    assert all(entry["spec"]["campaign"] == "tiny" for entry in found.values())
    assert found["Tc"]["spec"].get("_category") is not None


def test_electrons_of_every_material_come_before_the_phonons_of_any(screening, run_worker, database):
    screened = screening(GAP)
    for label in ("A", "B", "C"):
        screened.submit(label)
    run_worker()
    launches = {entry["fw_id"]: entry["launches"][-1] for entry in database.launchpad.fireworks.find({})}
    started = {
        step: [launches[fireworks(database, label)[step]["fw_id"]] for label in ("A", "B", "C")]
        for step in (ELECTRONS[-1], REST[0])
    }
    assert max(started["electrons gate"]) < min(started["scf"])


def test_material_that_a_rule_stops_has_no_further_steps(screening, run_worker, database):
    submission = screening(GAP).submit("Al", gap_ev=0.8)
    run_worker()
    assert sorted(fireworks(database)) == sorted(ELECTRONS)
    result = result_of(submission, database)
    assert result.outcome is Outcome.GATED
    assert (result.gate.name, result.gate.value, result.gate.threshold) == ("electrons 1", 0.8, 0.5)
    assert "band_gap_ev = 0.8, expected < 0.5" in result.reason
    (decision,) = decisions(database)
    assert (decision.decision, decision.feature("band_gap_ev")) == ("stopped", 0.8)


@pytest.mark.parametrize(("missing", "ends"), [("carry_on", Outcome.ANSWERED), ("hold", Outcome.UNFINISHED)])
def test_missing_number_carries_on_or_holds_and_never_stops(screening, run_worker, database, missing, ends):
    # the summary of this test's dense run breaks off before the bands
    submission = screening(gate("electrons", "dos_per_ev_spin_atom > 1", missing=missing)).submit("Al")
    run_worker()
    assert result_of(submission, database).outcome is ends
    assert ("scf" in fireworks(database)) is (missing == "carry_on")
    (decision,) = decisions(database)
    assert decision.decision == {"carry_on": "carried_on", "hold": "held"}[missing]
    assert decision.feature("dos_per_ev_spin_atom") is None
    assert "N(E_F) by tetrahedra is not known" in decision.reasons[0]
    assert all(gate.passed for gate in decision.gates)


def test_reason_of_a_held_material_is_told(screening, run_worker, database):
    submission = screening(gate("electrons", "dos_per_ev_spin_atom > 1", missing="hold")).submit("Al")
    run_worker()
    assert "held" in result_of(submission, database).reason


@pytest.mark.parametrize(("highest", "passes"), [(30, True), (10, False)])
def test_gate_behind_phonons_decides_who_gets_a_spectrum(screening, run_worker, database, highest, passes):
    submission = screening(GAP, gate("phonons", f"highest_phonon_mev < {highest}")).submit("Al")
    run_worker()
    assert ("Tc" in fireworks(database)) is passes
    assert result_of(submission, database).outcome is (Outcome.ANSWERED if passes else Outcome.GATED)
    assert [one.after for one in decisions(database)] == ["electrons", "phonons"]
    assert decisions(database)[1].feature("band_gap_ev") == 0.0


@pytest.mark.parametrize(("tc_kelvin", "passes"), [(10.0, True), (2.0, False)])
def test_gate_behind_the_spectrum_decides_who_gets_wannier_functions(
    screening, run_worker, database, tc_kelvin, passes
):
    screened = screening(GAP, gate("alpha2f", "tc_kelvin >= 5"), to_wannier=True)
    submission = screened.submit("Al", tc_kelvin=tc_kelvin)
    run_worker()
    assert ("Tc wannier" in fireworks(database)) is passes
    # a material that has a Tc by linear response is answered either way
    assert result_of(submission, database).outcome is Outcome.ANSWERED
    assert decisions(database)[-1].feature("tc_kelvin") == tc_kelvin


def test_without_a_gate_behind_the_spectrum_every_material_goes_on_to_wannier_functions(
    screening, run_worker, database
):
    screening(GAP, to_wannier=True).submit("Al")
    run_worker()
    assert "Tc wannier" in fireworks(database)
    assert "alpha2f gate" not in fireworks(database)


def test_unstable_phonons_stop_before_the_next_gate(screening, run_worker, database):
    submission = screening(GAP, gate("phonons", "highest_phonon_mev < 30")).submit("Al", lowest_mev=-5.0)
    run_worker()
    assert result_of(submission, database).gate.name == "stable"
    assert len(decisions(database)) == 1


def test_gates_inside_documents_come_before_those_of_the_funnel(screening, run_worker, database):
    submission = screening(GAP).submit("Al", gap_ev=2.0)
    run_worker()
    assert result_of(submission, database).gate.name == "metal"
    assert decisions(database) == []


def contents(database):
    workflow = database.launchpad.workflows.find_one({})
    steps = list(database.launchpad.fireworks.find({}, {"fw_id": 1, "name": 1, "state": 1}))
    assert sorted(workflow["nodes"]) == sorted(step["fw_id"] for step in steps)
    names = sorted((step["name"], step["state"]) for step in steps)
    return names, database.collections[OUTPUTS].count_documents({})


@pytest.mark.parametrize("step", ["electrons gate", "relax", "phonons gate", "phonon"])
def test_rerun_doubles_nothing(screening, run_worker, database, step):
    submission = screening(GAP, gate("phonons", "highest_phonon_mev < 30")).submit("Al")
    run_worker()
    before = contents(database)
    database.launchpad.rerun_fw(fireworks(database)[step]["fw_id"])
    run_worker()
    assert contents(database) == before
    assert result_of(submission, database).outcome is Outcome.ANSWERED


def test_rerun_that_ends_at_the_gate_leaves_nothing_of_the_stages_behind_it(screening, run_worker, database):
    screened = screening(GAP)
    submission = screened.submit("Al")
    run_worker()
    screened.answer(submission.material, gap_ev=0.8)
    database.launchpad.rerun_fw(fireworks(database)["relax"]["fw_id"])
    run_worker()
    assert sorted(fireworks(database)) == sorted(ELECTRONS)
    assert result_of(submission, database).outcome is Outcome.GATED


def test_failed_step_of_an_added_stage_goes_on_when_it_is_rerun(screening, run_worker, database):
    screened = screening(GAP)
    submission = screened.submit("Al", fails="phonon")
    run_worker()
    assert result_of(submission, database).outcome is Outcome.FAILED
    screened.answer(submission.material)
    database.launchpad.rerun_fw(fireworks(database)["phonon"]["fw_id"])
    run_worker()
    assert result_of(submission, database).outcome is Outcome.ANSWERED
    assert screened.ran(submission.material) == ["relax", "dense", "scf", "phonon", "tc linear_response"]


def ordering(**fields: Any) -> FunnelGate:
    """A gate with a model whose score is minus the gap."""
    model = FunnelModel(
        predicts="metals first",
        features=("band_gap_ev",),
        means=(0.0,),
        scales=(1.0,),
        coefficients=(-1.0,),
        intercept=0.0,
        link="identity",
        trained_on={"sha256": "0" * 64, "description": "a test"},
    )
    return FunnelGate(name="score", after="electrons", model=model, model_sha256="e" * 64, **fields)


def test_better_scores_run_first_within_the_same_step(screening, run_worker, database):
    screened = screening(ordering())
    for label, gap in (("Worse", 0.9), ("Best", 0.0), ("Good", 0.4)):
        screened.submit(label, gap_ev=gap)
    run_worker()
    steps = {label: fireworks(database, label) for label in ("Best", "Good", "Worse")}
    for step in REST:
        priorities = [steps[label][step]["spec"]["_priority"] for label in steps]
        assert priorities == sorted(priorities, reverse=True)
        assert len(set(priorities)) == 3
        assert len({int(priority) for priority in priorities}) == 1
    assert {one.material: one.score for one in decisions(database)} == {"Best": 0.0, "Good": -0.4, "Worse": -0.9}
    assert {one.verdicts[0].model_sha256 for one in decisions(database)} == {"e" * 64}


def test_score_that_is_too_low_stops(screening, run_worker, database):
    submission = screening(ordering(least_score=-0.5)).submit("Al", gap_ev=0.6)
    run_worker()
    assert "score -0.6, expected at least -0.5" in result_of(submission, database).reason
