"""How far materials came, as the database tells it: missing and failed are never counted as stopped."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.examined import EXAMINER
from fakes.tiny_campaign import NAME, TinyRun
from fakes.tiny_route import TinyRoute, TinyScreening

from hightc.analysis.funnel_rules import Funnel as Gates
from hightc.analysis.funnel_rules import FunnelGate, parse_rule
from hightc.launch.funnel import Funnel, FunnelStep, read_funnel
from hightc.launch.store import OUTPUTS


def gate(name: str, after: str, rule: str, **fields: Any) -> FunnelGate:
    return FunnelGate(name=name, after=after, require=(parse_rule(rule, after),), **fields)


GAP = gate("gap", "electrons", "band_gap_ev < 0.5")
STATES = gate("states", "electrons", "dos_per_ev_spin_atom > 0.1")
PHONONS = gate("soft", "phonons", "highest_phonon_mev < 30")


def step(funnel: Funnel, name: str) -> FunnelStep:
    (found,) = [one for one in funnel.steps if one.name == name]
    return found


def counts(funnel: Funnel) -> dict[str, tuple[int, ...]]:
    return {
        one.name: (one.reached, one.carried_on, one.stopped, one.undecided, one.failed, one.under_way)
        for one in funnel.steps
    }


def balanced(funnel: Funnel) -> bool:
    """Whether at each step every material has reached it, may still come, or was stopped before."""
    stopped_before, left = 0, funnel.materials
    for one in funnel.steps:
        if one.reached > left or one.reached + one.not_yet_reached + stopped_before != funnel.materials:
            return False
        stopped_before, left = stopped_before + one.stopped, one.carried_on
    return True


@pytest.fixture
def screening(run_worker: TinyRun):
    def make(*gates: FunnelGate, **fields: Any) -> TinyScreening:
        return TinyScreening(run_worker, Gates(gates=gates), **fields)

    return make


def test_each_material_is_counted_where_it_is(screening, run_worker, database):
    screened = screening(GAP, STATES, PHONONS)
    for label, numbers in {
        "Good": {},
        "Insulator": {"gap_ev": 2.0},
        "Semimetal": {"gap_ev": 0.7},
        "Unstable": {"lowest_mev": -5.0},
        "DeadEarly": {"fails": "dense"},
        "DeadLate": {"fails": "phonon"},
    }.items():
        screened.submit(label, **numbers)
    run_worker()
    screened.submit("Waiting")
    funnel = read_funnel(database, NAME)
    # (reached, carried on, stopped, undecided, failed, under way)
    assert counts(funnel) == {
        "metal": (7, 5, 1, 0, 0, 1),
        "gap": (5, 3, 1, 0, 1, 0),
        "states": (3, 3, 0, 0, 0, 0),
        "stable": (3, 1, 1, 0, 1, 0),
        "soft": (1, 1, 0, 0, 0, 0),
        "Tc": (1, 1, 0, 0, 0, 0),
    }
    assert balanced(funnel)
    assert [one.stage for one in funnel.steps] == ["electrons"] * 3 + ["phonons"] * 2 + ["alpha2f"]
    assert (step(funnel, "metal").dropped, step(funnel, "gap").dropped) == (("Insulator",), ("Semimetal",))
    assert [reason.text for reason in step(funnel, "gap").stopped_because] == ["not band_gap_ev < 0.5"]
    assert step(funnel, "gap").title == "band_gap_ev < 0.5"
    (dead,) = step(funnel, "gap").failed_because
    assert dead.materials == ("DeadEarly",)
    assert dead.text == "scf dense: PATH: step dense of DeadEarly has died"
    assert step(funnel, "stable").failed_because[0].text.startswith("phonon: ")
    # no bands were left in these runs: what is missing is told, and stopped nobody
    (missing,) = step(funnel, "states").missing
    assert set(missing.materials) == {"Good", "Unstable", "DeadLate"}
    assert "dos_per_ev_spin_atom is not known" in missing.text


def test_material_that_waits_for_a_number_is_undecided_and_not_stopped(screening, run_worker, database):
    held = STATES.model_copy(update={"missing": "hold"})
    screening(held).submit("Al")
    run_worker()
    funnel = read_funnel(database, NAME)
    assert counts(funnel)["states"] == (1, 0, 0, 1, 0, 0)
    assert step(funnel, "states").undecided_because[0].materials == ("Al",)
    assert step(funnel, "stable").not_yet_reached == 1
    assert balanced(funnel)


def test_gate_that_stops_wins_over_one_that_holds(screening, run_worker, database):
    screening(STATES.model_copy(update={"missing": "hold"}), GAP).submit("Al", gap_ev=0.7)
    run_worker()
    funnel = read_funnel(database, NAME)
    assert counts(funnel)["states"] == (1, 1, 0, 0, 0, 0)
    assert counts(funnel)["gap"] == (1, 0, 1, 0, 0, 0)


def test_before_anything_has_run_all_is_under_way(screening, database):
    screening(GAP).submit("Al")
    funnel = read_funnel(database, NAME)
    assert counts(funnel) == {
        "metal": (1, 0, 0, 0, 0, 1),
        "gap": (0,) * 6,
        "stable": (0,) * 6,
        "Tc": (0,) * 6,
    }
    assert [one.not_yet_reached for one in funnel.steps] == [0, 1, 1, 1]


def test_wannier_steps_count_those_that_ask_for_them(screening, run_worker, database):
    worth = gate("worth it", "alpha2f", "tc_kelvin >= 5")
    screened = screening(worth, to_wannier=True)
    screened.submit("High")
    screened.submit("Low", tc_kelvin=2.0)
    screening().submit("Plain")
    run_worker()
    funnel = read_funnel(database, NAME)
    assert counts(funnel)["Tc"] == (3, 3, 0, 0, 0, 0)
    assert counts(funnel)["worth it"] == (2, 1, 1, 0, 0, 0)
    assert counts(funnel)["Tc wannier"] == (1, 1, 0, 0, 0, 0)
    assert [one.name for one in funnel.steps][-4:] == ["worth it", "wannier", "fermi_energy", "Tc wannier"]


def test_campaign_without_a_funnel_is_counted_by_the_gates_of_its_documents(run_worker, database):
    for label, numbers in {"Good": {}, "Insulator": {"gap_ev": 2.0}, "Unstable": {"lowest_mev": -5.0}}.items():
        route = TinyRoute()
        tag = run_worker.tag(label)
        jobs = route.electrons(None, tag)
        for stage in route.later_stages:
            jobs |= route.jobs_of(stage, {name: one.output for name, one in jobs.items()})
        submission = run_worker.submit(label, list(jobs.values()))
        TinyScreening(run_worker, Gates()).answer(submission.material, **numbers)
    run_worker()
    funnel = read_funnel(database, NAME)
    assert counts(funnel) == {
        "metal": (3, 2, 1, 0, 0, 0),
        "stable": (2, 1, 1, 0, 0, 0),
        "Tc": (1, 1, 0, 0, 0, 0),
    }


def test_of_changed_numbers_only_the_newest_workflow_counts(screening, run_worker, database):
    screening(GAP).submit("Al", key="first1")
    run_worker()
    screening(gate("gap", "electrons", "band_gap_ev > 0.5")).submit("Al", key="secon2")
    run_worker()
    assert counts(read_funnel(database, NAME))["gap"] == (1, 0, 1, 0, 0, 0)
    assert counts(read_funnel(database, NAME))["Tc"] == (0,) * 6


def test_documents_of_others_and_those_behind_a_tc_are_not_examined(screening, run_worker, database):
    screened = screening(GAP)
    for label in ("A", "B", "C"):
        screened.submit(label)
    run_worker()
    kinds = ("structure", "phonon", "coupling", "alpha2f", "tc", "decision")
    of_others = [
        {"uuid": f"{kind} {number}", "index": 1, "output": {"kind": kind, "campaign": "other", "material": "A"}}
        for kind in kinds
        for number in range(50)
    ]
    database.collections[OUTPUTS].insert_many(of_others)
    with EXAMINER.watching(database.uri) as seen:
        assert counts(read_funnel(database, NAME))["Tc"][1] == 3
    # of each material its workflow, structure, decision and Tc
    assert seen.total <= 4 * 3


def test_other_studies_and_campaigns_are_left_out(screening, run_worker, database):
    screening(GAP).submit("Al")
    run_worker()
    one = {"metadata.campaign": NAME}
    database.launchpad.workflows.update_one(one, {"$set": {"metadata.studies": ["nesting"]}})
    assert read_funnel(database, NAME).materials == 0
    assert read_funnel(database, "other").materials == 0


def test_failure_of_another_study_is_none_on_the_way_to_tc(screening, run_worker, database):
    screening(GAP).submit("Al", fails="dense")
    run_worker()
    assert counts(read_funnel(database, NAME))["gap"] == (1, 0, 0, 0, 1, 0)
    of_nesting = {"$set": {"spec.study": "nesting"}}
    database.launchpad.fireworks.update_one({"name": "Al scf dense"}, of_nesting)
    database.launchpad.fireworks.update_one({"name": "Al electrons gate"}, {"$set": {"state": "READY"}})
    assert counts(read_funnel(database, NAME))["gap"] == (1, 0, 0, 0, 0, 1)
