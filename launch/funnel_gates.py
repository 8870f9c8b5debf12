"""The steps of a funnel: which gates the materials of a campaign have, and what each says by the stored documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hightc.analysis.documents.decision import Stage
from hightc.analysis.funnel_rules import JUDGED
from hightc.launch.funnel_reading import Passage
from hightc.launch.status import cause_of
from hightc.launch.stored_words import redact

STRUCTURE_GATES: Final = {
    "metal": "no gap",
    "pressure": "the pressure asked for",
    "forces": "atoms at rest",
}
"""Gates of a relaxed structure in their order, and what each asks."""


@dataclass(frozen=True)
class Verdict:
    """What a step says of a material.

    Attributes
    ----------
    fate
        None where there is no document yet.
    cause, example
        Why it did not let the material pass, as others share it and in its own words.
    missing
        Why numbers were missing that did not keep it from passing.
    """

    fate: Literal["carried_on", "stopped", "undecided"] | None = None
    cause: str = ""
    example: str = ""
    missing: tuple[str, ...] = ()


NOT_THERE: Final = Verdict()
PASSED: Final = Verdict("carried_on")


@dataclass(frozen=True)
class Place:
    """A step: where it stands, and how it is judged from documents.

    Attributes
    ----------
    stage, name, title
        As of the :class:`hightc.launch.funnel.FunnelStep` that it becomes.
    judge
        What it says of a material.
    wannier_only
        Whether only materials that ask for Wannier functions come here.
    """

    stage: Stage
    name: str
    title: str
    judge: Callable[[Passage], Verdict]
    wannier_only: bool = False

    def applies(self, passage: Passage) -> bool:
        """Whether a material is to come here at all.

        Parameters
        ----------
        passage
            The material.
        """
        return passage.to_wannier or not self.wannier_only


def places_of(passages: Sequence[Passage]) -> list[Place]:
    """Every step that some material of a campaign has, in order.

    Parameters
    ----------
    passages
        The materials.
    """
    found = {str(gate["name"]) for one in passages for gate in one.documents.get("structure", {}).get("gates", ())} or {
        "metal"
    }
    others = sorted(found - STRUCTURE_GATES.keys())
    own = {(gate["after"], gate["name"]): gate["asks"] for one in passages for gate in one.gates}
    for stage in JUDGED:
        decisions = (one.documents.get(f"decision {stage}", {}) for one in passages)
        for verdict in (verdict for decision in decisions for verdict in decision.get("verdicts", ())):
            asks = ", ".join(str(rule["rule"]) for rule in verdict.get("rules", ()))
            own.setdefault((stage, str(verdict["name"])), asks)

    def gates_after(stage: Stage) -> list[Place]:
        return [
            Place(stage, name, asks, _decision(stage, name), wannier_only=stage == "alpha2f")
            for (after, name), asks in own.items()
            if after == stage
        ]

    places = [
        Place("electrons", name, STRUCTURE_GATES.get(name, name), _gate_of("structure", name))
        for name in (*(name for name in STRUCTURE_GATES if name in found), *others)
    ]
    places += gates_after("electrons")
    places += [Place("phonons", "stable", "no imaginary phonons", _stable), *gates_after("phonons")]
    places += [Place("alpha2f", "Tc", "Tc by linear response", _has("tc linear_response")), *gates_after("alpha2f")]
    if any(passage.to_wannier for passage in passages):
        places += [
            Place("wannier", "wannier", "bands of Wannier functions", _gate_of("wannier", "wannier"), True),
            Place("wannier", "fermi_energy", "the same Fermi energy", _fermi_energy, True),
            Place("wannier", "Tc wannier", "Tc by Wannier functions", _has("tc wannier"), True),
        ]
    return places


def _has_tc(passage: Passage) -> bool:
    """Whether it came to a Tc: then it passed what comes before, and the documents of that were not read."""
    return "tc linear_response" in passage.documents


def _has(document: str) -> Callable[[Passage], Verdict]:
    return lambda passage: PASSED if document in passage.documents else NOT_THERE


def _gate_of(document: str, name: str) -> Callable[[Passage], Verdict]:
    def judge(passage: Passage) -> Verdict:
        found = passage.documents.get(document)
        if found is None:
            return PASSED if document == "structure" and _has_tc(passage) else NOT_THERE
        return _by_gate(found, name)

    return judge


def _by_gate(document: Mapping[str, Any], name: str) -> Verdict:
    broken = next((gate for gate in document.get("gates", ()) if gate["name"] == name and not gate["passed"]), None)
    if broken is None:
        return PASSED
    message = redact(str(broken["message"]))
    return Verdict("stopped", cause_of(message.partition(": ")[0]), message)


def _stable(passage: Passage) -> Verdict:
    phonon, coupling = passage.documents.get("phonon"), passage.documents.get("coupling")
    # a finer mesh may stop what a coarser one had let pass
    for document in (coupling, phonon):
        if document is not None and (verdict := _by_gate(document, "stable")).fate == "stopped":
            return verdict
    return PASSED if phonon is not None or _has_tc(passage) else NOT_THERE


def _fermi_energy(passage: Passage) -> Verdict:
    spectrum = passage.documents.get("alpha2f wannier")
    if spectrum is not None:
        return _by_gate(spectrum, "fermi_energy")
    return PASSED if "tc wannier" in passage.documents else NOT_THERE


def _decision(stage: str, name: str) -> Callable[[Passage], Verdict]:
    def judge(passage: Passage) -> Verdict:
        document = passage.documents.get(f"decision {stage}")
        if document is None:
            return NOT_THERE if any(gate["name"] == name for gate in passage.gates) else PASSED
        found = next((one for one in document.get("verdicts", ()) if one["name"] == name), None)
        if found is None:
            return PASSED
        reasons = tuple(redact(str(reason)) for reason in found["reasons"])
        if found["decision"] == "stopped":
            broken = [str(rule["rule"]) for rule in found.get("rules", ()) if rule["holds"] is False]
            cause = f"not {' and not '.join(broken)}" if broken else cause_of(reasons[0])
            return Verdict("stopped", cause, "; ".join(reasons))
        if found["decision"] == "held" and document["decision"] == "held":
            return Verdict("undecided", cause_of(reasons[0]), "; ".join(reasons))
        return Verdict("carried_on", missing=reasons)

    return judge
