from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from hightc.analysis.documents import FeatureValue
from hightc.analysis.funnel_model import FunnelError, FunnelModel
from hightc.analysis.funnel_rules import (
    Funnel,
    FunnelGate,
    gates_of,
    joined_decision,
    judge,
    parse_rule,
    priority_ahead,
)

MODEL = FunnelModel.model_validate(
    {
        "predicts": "chance of a Tc",
        "features": ("dos_per_ev_spin_atom",),
        "means": (0.0,),
        "scales": (1.0,),
        "coefficients": (1.0,),
        "intercept": 0.0,
        "link": "identity",
        "trained_on": {"sha256": "0" * 64, "description": "a test"},
    }
)


def known(**values: float | None) -> tuple[FeatureValue, ...]:
    return tuple(
        FeatureValue(name=name, value=value, reason="pw.x was cut" if value is None else None)
        for name, value in values.items()
    )


def gate(*rules: str, **fields) -> FunnelGate:
    require = tuple(parse_rule(rule, fields.get("after", "electrons")) for rule in rules)
    return FunnelGate(**{"name": "g", "after": "electrons", "require": require, **fields})


@pytest.mark.parametrize(
    ("rule", "value", "holds"),
    [
        ("dos_per_ev_spin_atom >= 0.15", 0.15, True),
        ("dos_per_ev_spin_atom > 0.15", 0.15, False),
        ("dos_per_ev_spin_atom<=.15", 0.15, True),
        ("dos_per_ev_spin_atom < 1.5e-1", 0.15, False),
        ("dos_per_ev_spin_atom < -1", -2.0, True),
    ],
)
def test_rules_hold_as_they_are_written(rule, value, holds):
    assert parse_rule(rule, "electrons").judge(value).holds is holds


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("dos_per_ev_spin_atom", "expected a rule"),
        ("dos_per_ev_spin_atom = 1", "expected a rule"),
        ("dos_per_ev_spin_atom >= much", "expected a number"),
        ("dos_per_ev_spin_atom >= nan", "expected a number"),
        ("dos >= 1", "unknown feature 'dos'"),
        ("tc_kelvin >= 5", "tc_kelvin is not known after electrons"),
        ("__import__('os') >= 1", "expected a rule"),
    ],
)
def test_what_is_no_rule_is_refused(rule, said):
    with pytest.raises(FunnelError) as caught:
        parse_rule(rule, "electrons")
    assert said in str(caught.value)


@pytest.mark.parametrize(("dos", "decision"), [(0.2, "carried_on"), (0.1, "stopped")])
def test_rule_decides_both_ways_with_its_number(dos, decision):
    verdict = judge(gate("dos_per_ev_spin_atom >= 0.15"), known(dos_per_ev_spin_atom=dos))
    assert verdict.decision == decision
    assert (verdict.rules[0].value, verdict.rules[0].threshold) == (dos, 0.15)
    assert verdict.reasons == (() if dos > 0.15 else ("dos_per_ev_spin_atom = 0.1, expected >= 0.15",))


@pytest.mark.parametrize(("missing", "decision"), [("carry_on", "carried_on"), ("hold", "held")])
def test_missing_number_never_stops(missing, decision):
    verdict = judge(gate("dos_per_ev_spin_atom >= 0.15", missing=missing), known(dos_per_ev_spin_atom=None))
    assert verdict.decision == decision
    assert verdict.rules[0].holds is None
    assert "pw.x was cut" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("rule", "holds", "decision"),
    [
        ("tc_eliashberg_kelvin >= 5", False, "stopped"),
        ("tc_eliashberg_kelvin > 5", False, "stopped"),
        ("tc_eliashberg_kelvin < 5", True, "carried_on"),
        ("tc_eliashberg_kelvin <= 5", True, "carried_on"),
        ("tc_eliashberg_kelvin >= 0.01", None, "held"),
        ("tc_eliashberg_kelvin < 0.01", None, "held"),
    ],
)
def test_upper_bound_decides_where_the_threshold_lies_above_it(rule, holds, decision):
    bounded = FeatureValue(name="tc_eliashberg_kelvin", value=None, reason="under the range", at_most=0.02)
    verdict = judge(gate(rule, after="alpha2f", missing="hold"), (bounded,))
    assert (verdict.rules[0].holds, verdict.decision) == (holds, decision)
    if holds is False:
        assert verdict.reasons == (f"tc_eliashberg_kelvin <= 0.02, expected {rule.split(maxsplit=1)[1]}",)


def test_broken_rule_stops_whatever_else_is_missing():
    rules = ("dos_per_ev_spin_atom >= 0.15", "band_gap_ev < 0.1")
    verdict = judge(gate(*rules, missing="hold"), known(dos_per_ev_spin_atom=None, band_gap_ev=1.0))
    assert verdict.decision == "stopped"
    assert [rule.holds for rule in verdict.rules] == [None, False]
    assert len(verdict.reasons) == 2


@pytest.mark.parametrize(
    ("dos", "least", "decision"), [(0.5, 0.5, "carried_on"), (0.4, 0.5, "stopped"), (0.4, None, "carried_on")]
)
def test_score_decides_where_one_is_asked_for(dos, least, decision):
    asked = gate(model=MODEL, model_sha256="f" * 64, least_score=least)
    verdict = judge(asked, known(dos_per_ev_spin_atom=dos))
    assert (verdict.decision, verdict.score, verdict.model_sha256) == (decision, dos, "f" * 64)


@pytest.mark.parametrize(("missing", "decision"), [("carry_on", "carried_on"), ("hold", "held")])
def test_score_of_a_missing_feature_is_none_with_the_reason(missing, decision):
    asked = gate(model=MODEL, least_score=0.5, missing=missing)
    verdict = judge(asked, known(dos_per_ev_spin_atom=None))
    assert (verdict.decision, verdict.score) == (decision, None)
    assert "pw.x was cut" in verdict.reasons[0]


def test_gates_decide_together_stopping_before_holding():
    carried = judge(gate("band_gap_ev < 1"), known(band_gap_ev=0.0))
    held = judge(gate("band_gap_ev < 1", missing="hold"), known(band_gap_ev=None))
    stopped = judge(gate("band_gap_ev < 1"), known(band_gap_ev=2.0))
    assert joined_decision([]) == joined_decision([carried]) == "carried_on"
    assert joined_decision([carried, held]) == "held"
    assert joined_decision([held, stopped, carried]) == "stopped"


def test_held_materials_have_no_failed_gate():
    held = judge(gate("band_gap_ev < 1", missing="hold"), known(band_gap_ev=None))
    stopped = judge(gate("band_gap_ev < 1"), known(band_gap_ev=2.0))
    assert gates_of([held]) == ()
    (found,) = gates_of([stopped])
    assert (found.passed, found.value, found.threshold, found.unit) == (False, 2.0, 1.0, "eV")
    (score,) = gates_of([judge(gate(model=MODEL, least_score=0.5), known(dos_per_ev_spin_atom=0.1))])
    assert (score.passed, score.value, score.threshold) == (False, 0.1, 0.5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"require": ()}, "found neither"),
        ({"least_score": 0.5}, "expected a model"),
        ({"name": "bad/name"}, "name"),
    ],
)
def test_gate_that_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        gate("band_gap_ev < 1", **fields)


@pytest.mark.parametrize("name", ["stable", "g"])
def test_names_of_gates_are_each_their_own(name):
    with pytest.raises(ValidationError, match="no other gate has"):
        Funnel(gates=(gate("band_gap_ev < 1"), gate("band_gap_ev < 2", name=name)))


def test_gate_on_a_moment_needs_the_moment():
    asked = gate("abs_moment_bohr_magneton_per_atom < 0.1")
    with pytest.raises(ValidationError, match="moment = true"):
        Funnel(gates=(asked,))
    assert Funnel(moment=True, gates=(asked,)).after("electrons") == (asked,)
    assert Funnel(moment=True, gates=(asked,)).after("phonons") == ()


def test_funnel_travels_as_the_json_of_a_job():
    funnel = Funnel(gates=(gate("band_gap_ev < 1", model=MODEL, model_sha256="f" * 64, least_score=0.5),))
    assert Funnel.from_dict(json.loads(json.dumps(funnel.as_dict()))) == funnel


def test_better_scores_run_first_and_none_passes_the_next_step():
    scores = (-1e300, -2.0, 0.0, 0.3, 5.0, 50.0, 1e300)
    ahead = [priority_ahead(score) for score in scores]
    assert ahead == sorted(ahead)
    assert len(set(ahead)) == len(ahead)
    assert 0 < min(ahead) < max(ahead) < 1
    assert priority_ahead(None) == 0.0
