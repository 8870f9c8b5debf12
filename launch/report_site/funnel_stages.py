"""How far the materials of a campaign came on the way to a Tc, as lines of a site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hightc.launch.funnel import Funnel, FunnelStep, Reason

MOST_REASONS: Final = 4
"""Reasons written out for each fate, the most frequent first."""


@dataclass(frozen=True)
class SiteStage:
    """One stage of the funnel on the site.

    Attributes
    ----------
    title
        What is asked there.
    count
        How many materials passed.
    lost
        What became of the others that came there, each kind with its number and reasons.
    """

    title: str
    count: int
    lost: tuple[str, ...] = ()


def site_stages(funnel: Funnel) -> tuple[SiteStage, ...]:
    """Lay a funnel out; empty if no material of the campaign is on the way to a Tc.

    Parameters
    ----------
    funnel
        The funnel.
    """
    if not funnel.materials:
        return ()
    begun = SiteStage("submitted", funnel.materials)
    return begun, *(SiteStage(step.title, step.carried_on, tuple(_lost(step))) for step in funnel.steps)


def _lost(step: FunnelStep) -> Iterator[str]:
    for number, word, reasons in (
        (step.stopped, "stopped", step.stopped_because),
        (step.undecided, "undecided", step.undecided_because),
        (step.failed, "failed", step.failed_because),
        (step.under_way, "under way", ()),
    ):
        if number:
            yield f"{number} {word}{_because(number, reasons)}"


def _because(number: int, reasons: Sequence[Reason]) -> str:
    """Write reasons with how often each is met, where that is not always."""
    shown = [reason.example if number == 1 else f"{reason.text} ({reason.count})" for reason in reasons[:MOST_REASONS]]
    if len(reasons) > MOST_REASONS:
        shown.append(f"{len(reasons) - MOST_REASONS} more reasons")
    return f": {'; '.join(shown)}" if shown else ""
