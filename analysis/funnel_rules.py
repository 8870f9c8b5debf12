"""Gates of the funnel: rules and learned scores that say which materials go on, and what they decide."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from hightc.analysis.documents.base import Gate, JobArgument
from hightc.analysis.documents.decision import Decision, FeatureValue, GateVerdict, Missing, RuleVerdict, Stage
from hightc.analysis.funnel_features import FEATURES, known_after
from hightc.analysis.funnel_model import FunnelError, FunnelModel

Operator = Literal["<", "<=", ">", ">="]
HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}

RULE: Final = re.compile(r"\s*(?P<feature>\w+)\s*(?P<operator><=|>=|<|>)\s*(?P<threshold>\S+)\s*")
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9 _.+-]{0,39}$"

JUDGED: Final = ("electrons", "phonons", "alpha2f")
"""Stages that a gate can follow."""

TAKEN_NAMES: Final = frozenset(
    ("metal", "pressure", "forces", "stable", "wannier", "fermi_energy", "nonmagnetic", "Tc", "Tc wannier")
)
"""Names of gates that every campaign has."""

LEAST_AHEAD, MOST_AHEAD = 0.001, 0.998
"""Bounds of what a score adds to a priority: steps of one kind are ordered by it, and none passes the next step."""


class Rule(JobArgument):
    """A feature held against a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    feature: str = Field(description="Name of the feature.")
    operator: Operator = Field(description="How the value must stand to the threshold.")
    threshold: float = Field(description="The number.")

    @property
    def text(self) -> str:
        """The rule as it is written."""
        return f"{self.feature} {self.bound}"

    @property
    def bound(self) -> str:
        """The part of the rule behind the feature."""
        return f"{self.operator} {self.threshold:.12g}"

    def judge(self, value: float | None, at_most: float | None = None) -> RuleVerdict:
        """Hold the rule against a value, or against an upper bound that decides without one.

        Parameters
        ----------
        value
            Value of the feature; None if it could not be computed.
        at_most
            Upper bound of the feature where there is no value; None if none is known.
        """
        holds = None if value is None else HOLDS[self.operator](value, self.threshold)
        if value is None and at_most is not None and at_most < self.threshold:
            holds = self.operator in ("<", "<=")
        return RuleVerdict(
            rule=self.text,
            feature=self.feature,
            value=value,
            threshold=self.threshold,
            holds=holds,
        )


class FunnelGate(JobArgument):
    """Which materials go on after a stage: those that meet every rule, and those with a score that is high enough."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=NAME, description="Name of the gate.")
    after: Stage = Field(description="The stage whose results it judges.")
    require: tuple[Rule, ...] = Field((), description="Rules, all of which must hold.")
    model: FunnelModel | None = Field(None, description="Model of a score; None: rules alone.")
    model_sha256: str | None = Field(None, description="SHA-256 of the model's file.")
    least_score: float | None = Field(None, description="Score that is needed to go on; None: it only orders.")
    missing: Missing = Field("carry_on", description="What to do where a number could not be computed.")

    @property
    def asks(self) -> str:
        """What it asks for, in words."""
        score = "ordered by a model" if self.least_score is None else f"score >= {self.least_score:.12g}"
        return ", ".join((*(rule.text for rule in self.require), *((score,) if self.model else ())))

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.require and self.model is None:
            msg = "expected rules in require, or a model, found neither"
            raise ValueError(msg)
        if self.model is None and self.least_score is not None:
            msg = "least_score: expected a model beside it, found none"
            raise ValueError(msg)
        known = known_after(self.after)
        asked = [*(rule.feature for rule in self.require), *(self.model.features if self.model else ())]
        for name in asked:
            if name not in known:
                raise ValueError(_unknown(name, self.after))
        return self


class Funnel(JobArgument):
    """How the materials of a campaign are chosen on the way to a Tc."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    moment: bool = Field(False, description="Whether the moment per atom is computed in the first stage.")
    gates: tuple[FunnelGate, ...] = Field((), description="The gates, in order.")

    @model_validator(mode="after")
    def _has_distinct_gates(self) -> Self:
        names = [gate.name for gate in self.gates]
        for name in names:
            if names.count(name) > 1 or name in TAKEN_NAMES:
                msg = f"expected a name that no other gate has, found {name!r}"
                raise ValueError(msg)
        moments = {name for name in FEATURES if "moment" in name}
        for gate in self.gates:
            asked = {*(rule.feature for rule in gate.require), *(gate.model.features if gate.model else ())}
            if asked & moments and not self.moment:
                msg = f"gate {gate.name!r} asks for {min(asked & moments)}: expected moment = true, found false"
                raise ValueError(msg)
        return self

    @property
    def summary(self) -> list[dict[str, str]]:
        """Each gate in short: ``name``, ``after`` and ``asks``, in words."""
        return [{"name": gate.name, "after": gate.after, "asks": gate.asks} for gate in self.gates]

    def after(self, stage: Stage) -> tuple[FunnelGate, ...]:
        """Gates behind a stage, in order.

        Parameters
        ----------
        stage
            The stage.
        """
        return tuple(gate for gate in self.gates if gate.after == stage)


def parse_rule(text: str, after: Stage) -> Rule:
    """Read a rule such as ``dos_per_ev_spin_atom >= 0.15``.

    Parameters
    ----------
    text
        The rule.
    after
        The stage whose results it judges.

    Raises
    ------
    FunnelError
        If it is no rule, or its feature is not known then.
    """
    found = RULE.fullmatch(text)
    if found is None:
        msg = f"expected a rule 'feature operator number' with {', '.join(HOLDS)}, found {text!r}"
        raise FunnelError(msg)
    if found["feature"] not in known_after(after):
        raise FunnelError(_unknown(found["feature"], after))
    try:
        threshold = float(found["threshold"])
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        msg = f"expected a number in the rule {text!r}, found {found['threshold']!r}"
        raise FunnelError(msg)
    return Rule.model_validate({**found.groupdict(), "threshold": threshold})


def _unknown(name: str, after: Stage) -> str:
    known = known_after(after)
    if name in FEATURES:
        return f"{name} is not known after {after}: expected one of {', '.join(known)}, or a gate after {_stage(name)}"
    return f"unknown feature {name!r}: after {after} expected one of {', '.join(known)}"


def _stage(name: str) -> str:
    return FEATURES[name].stage


def judge(gate: FunnelGate, features: Sequence[FeatureValue]) -> GateVerdict:
    """What one gate says of a material.

    A rule that is broken stops it, whatever else is missing; a missing number alone never does.

    Parameters
    ----------
    gate
        The gate.
    features
        What is known of the material.
    """
    values = {entry.name: entry.value for entry in features}
    bounds = {entry.name: entry.at_most for entry in features}
    why = {entry.name: entry.reason for entry in features}
    rules = tuple(rule.judge(values.get(rule.feature), bounds.get(rule.feature)) for rule in gate.require)
    score, no_score = gate.model.score(values) if gate.model else (None, None)
    asked = zip(rules, gate.require, strict=True)
    against = [
        f"{one.feature} {_found(one.value, bounds.get(one.feature))}, expected {rule.bound}"
        for one, rule in asked
        if one.holds is False
    ]
    if score is not None and gate.least_score is not None and score < gate.least_score:
        against.append(f"score {score:.6g}, expected at least {gate.least_score:.12g}")
    lacking = [f"{rule.feature} is not known: {why.get(rule.feature)}" for rule in rules if rule.holds is None]
    if no_score is not None:
        lacking.append(f"{no_score}: {_reasons(gate, why)}")
    decision: Decision = "carried_on"
    if against:
        decision = "stopped"
    elif lacking and gate.missing == "hold":
        decision = "held"
    ends = {
        "stopped": "",
        "held": "; missing = 'carry_on' in the gate would carry it on",
        "carried_on": "; carried on all the same",
    }
    return GateVerdict(
        name=gate.name,
        decision=decision,
        rules=rules,
        score=score,
        least_score=gate.least_score,
        model_sha256=gate.model_sha256,
        missing=gate.missing,
        reasons=(*against, *(f"{one}{ends[decision]}" for one in lacking)),
    )


def _found(value: float | None, at_most: float | None) -> str:
    return f"= {value:.6g}" if value is not None else f"<= {at_most:.6g}"


def _reasons(gate: FunnelGate, why: Mapping[str, str | None]) -> str:
    names = gate.model.features if gate.model else ()
    return "; ".join(dict.fromkeys(reason for name in names if (reason := why.get(name)) is not None))


def joined_decision(verdicts: Iterable[GateVerdict]) -> Decision:
    """What several gates decide together: one that stops is enough, then one that holds.

    Parameters
    ----------
    verdicts
        What each gate said.
    """
    said = {verdict.decision for verdict in verdicts}
    return next((decision for decision in ("stopped", "held") if decision in said), "carried_on")


def gates_of(verdicts: Iterable[GateVerdict]) -> tuple[Gate, ...]:
    """Verdicts in the form of the other gates of a document; what is held has none, because nothing speaks against it.

    Parameters
    ----------
    verdicts
        What each gate said.
    """
    return tuple(_gate(verdict) for verdict in verdicts if verdict.decision != "held")


def _gate(verdict: GateVerdict) -> Gate:
    broken = next((rule for rule in verdict.rules if rule.holds is False), None)
    passed = verdict.decision == "carried_on"
    value, threshold, unit = verdict.score, verdict.least_score, "score"
    if broken is not None:
        value, threshold, unit = broken.value, broken.threshold, FEATURES[broken.feature].unit
    elif verdict.model_sha256 is None and verdict.rules:
        first = verdict.rules[0]
        value, threshold, unit = first.value, first.threshold, FEATURES[first.feature].unit
    message = f"{verdict.name}: {'; '.join(verdict.reasons) or 'carried on'}"
    return Gate(name=verdict.name, passed=passed, value=value, threshold=threshold, unit=unit, message=message)


def priority_ahead(score: float | None) -> float:
    """What a score adds to the priority of the next steps, between 0 and 1: more for better ones.

    Parameters
    ----------
    score
        The score; None if there is none, which adds nothing.
    """
    if score is None:
        return 0.0
    return min(max(0.5 + score / (2 * (1 + abs(score))), LEAST_AHEAD), MOST_AHEAD)
