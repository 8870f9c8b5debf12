"""How many materials of a campaign came how far on the way to a Tc, and why the others did not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hightc.analysis.documents.decision import Stage
from hightc.launch.funnel_gates import Place, places_of
from hightc.launch.funnel_reading import Passage, read_passages
from hightc.launch.status import cause_of
from hightc.launch.store import Database


@dataclass(frozen=True)
class Reason:
    """Why materials did not go on, as they share it.

    Attributes
    ----------
    text
        The reason with numbers and paths left out.
    example
        The whole reason of one of them.
    materials
        Labels.
    """

    text: str
    example: str
    materials: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many materials."""
        return len(self.materials)


@dataclass(frozen=True)
class FunnelStep:
    """One gate, or one result that a material must have to go on.

    A material reaches a step when it has passed every one before. Then exactly one of the five holds for it; what
    failed, is under way or lacks a number is never counted as stopped.

    Attributes
    ----------
    stage
        electrons, phonons, alpha2f or wannier.
    name
        Name of the gate, for example metal or stable; ``Tc`` and ``Tc wannier`` are results, which stop nothing.
    title
        What is asked there, in a few words.
    carried_on
        How many passed.
    stopped
        How many the verdict of this gate stopped.
    undecided
        How many are held here because a number that a gate asks for could not be computed.
    failed
        How many failed in the steps that lead here.
    under_way
        For how many these steps wait or run.
    not_yet_reached
        How many may still come: under way, failed or held before.
    stopped_because, undecided_because, failed_because
        Reasons, the most frequent first.
    missing
        Why numbers were missing where the material was carried on all the same, the most frequent first.
    """

    stage: Stage
    name: str
    title: str
    carried_on: int
    stopped: int
    undecided: int
    failed: int
    under_way: int
    not_yet_reached: int
    stopped_because: tuple[Reason, ...] = ()
    undecided_because: tuple[Reason, ...] = ()
    failed_because: tuple[Reason, ...] = ()
    missing: tuple[Reason, ...] = ()

    @property
    def reached(self) -> int:
        """How many came here."""
        return self.carried_on + self.stopped + self.undecided + self.failed + self.under_way

    @property
    def dropped(self) -> tuple[str, ...]:
        """Labels that the verdict of this gate stopped, sorted."""
        return tuple(sorted(label for reason in self.stopped_because for label in reason.materials))


@dataclass(frozen=True)
class Funnel:
    """The funnel of one campaign.

    Attributes
    ----------
    campaign
        Its name.
    materials
        How many of its materials are on the way to a Tc.
    steps
        In the order a material goes through them; those of the Wannier route count only materials that ask for it.
    """

    campaign: str
    materials: int
    steps: tuple[FunnelStep, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values, with the counts that follow from others."""
        steps = [{**asdict(step), "reached": step.reached} for step in self.steps]
        return {"campaign": self.campaign, "materials": self.materials, "steps": steps}


@dataclass
class _Tally:
    """Materials at one step while they are counted."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reasons: dict[str, dict[str, list[tuple[str, str]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, fate: str, label: str, cause: str = "", example: str = "") -> None:
        """Count a material, and remember why it did not go on."""
        self.counts[fate] += 1
        if cause:
            self.because(fate, label, cause, example)

    def because(self, fate: str, label: str, cause: str, example: str) -> None:
        """Remember a reason."""
        self.reasons[fate][cause].append((label, example))

    def step(self, place: Place) -> FunnelStep:
        """The finished counts."""
        return FunnelStep(
            stage=place.stage,
            name=place.name,
            title=place.title,
            carried_on=self.counts["carried_on"],
            stopped=self.counts["stopped"],
            undecided=self.counts["undecided"],
            failed=self.counts["failed"],
            under_way=self.counts["under_way"],
            not_yet_reached=self.counts["not_yet_reached"],
            stopped_because=_ordered(self.reasons["stopped"]),
            undecided_because=_ordered(self.reasons["undecided"]),
            failed_because=_ordered(self.reasons["failed"]),
            missing=_ordered(self.reasons["missing"]),
        )


def read_funnel(database: Database, campaign: str) -> Funnel:
    """Count how far the materials of a campaign came.

    Works for every campaign, with gates of its own or without. Of documents only gates are read, of fireworks only
    those that run, wait to run or failed.

    Parameters
    ----------
    database
        The database.
    campaign
        Name of the campaign.
    """
    passages = read_passages(database, campaign)
    places = places_of(passages)
    tallies = [_Tally() for _ in places]
    for passage in passages:
        _follow(
            passage, [(place, tally) for place, tally in zip(places, tallies, strict=True) if place.applies(passage)]
        )
    steps = tuple(tally.step(place) for place, tally in zip(places, tallies, strict=True))
    return Funnel(campaign=campaign, materials=len(passages), steps=steps)


def _follow(passage: Passage, way: Sequence[tuple[Place, _Tally]]) -> None:
    """Count a material at each step up to the one it did not pass, and as still to come at those behind it."""
    for number, (place, tally) in enumerate(way):
        verdict = place.judge(passage)
        for reason in verdict.missing:
            tally.because("missing", passage.label, cause_of(reason), reason)
        if verdict.fate == "carried_on":
            tally.add("carried_on", passage.label)
            continue
        if verdict.fate is not None:
            tally.add(verdict.fate, passage.label, verdict.cause, verdict.example)
        elif passage.state == "under_way":
            tally.add("under_way", passage.label)
        else:
            tally.add("failed", passage.label, passage.cause, passage.example)
        if verdict.fate != "stopped":
            for _, later in way[number + 1 :]:
                later.counts["not_yet_reached"] += 1
        return


def _ordered(reasons: Mapping[str, Iterable[tuple[str, str]]]) -> tuple[Reason, ...]:
    found = [
        Reason(text=text, example=entries[0][1], materials=tuple(label for label, _ in entries))
        for text, entries in ((text, list(entries)) for text, entries in reasons.items())
    ]
    return tuple(sorted(found, key=lambda reason: (-reason.count, reason.text)))
