"""What a large campaign came to, from one pass over its results: counts, causes, and the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Final

from hightc.launch.dispatch import Submission
from hightc.launch.notify import highest_tc
from hightc.launch.report_facts import ranked
from hightc.launch.results import MaterialResult, Outcome
from hightc.launch.status import cause_of
from hightc.launch.stored_words import redact

MOST_ON_A_PAGE: Final = 300
"""Materials of which one table and one page tell; a larger campaign is a summary, and pages of its own."""

MOST_BEST: Final = 50
"""Materials with the highest Tc that the summary of a large campaign lists."""

MOST_CAUSES: Final = 5
MOST_CHARACTERS: Final = 100
"""Causes that one line names, and how much of each."""

SETTLED: Final = frozenset({Outcome.ANSWERED, Outcome.GATED})
"""Outcomes after which nothing is left to do."""

KINDS: Final = ("tc", "magnetism", "fermi")
"""Kinds of documents that a summary reads."""


@dataclass(frozen=True)
class CampaignSummary:
    """What a large campaign came to.

    Attributes
    ----------
    outcomes
        Materials by outcome.
    gates
        Materials that a gate stopped, by its name.
    causes
        Failed materials by cause, without numbers and paths.
    best
        Answered materials, the highest Tc first, at most `MOST_BEST`.
    hits
        Materials with a Tc above the threshold of notifications.
    over
        Materials on which nothing is left to do.
    held
        Unfinished materials that a gate holds because a number is missing.
    """

    outcomes: Mapping[Outcome, int]
    gates: Mapping[str, int]
    causes: Mapping[str, int]
    best: tuple[MaterialResult, ...]
    hits: tuple[MaterialResult, ...]
    over: tuple[Submission, ...]
    held: int = 0


def summarize(results: Iterable[MaterialResult], threshold_kelvin: float) -> CampaignSummary:
    """Go through the results of a large campaign once, and keep the best.

    Parameters
    ----------
    results
        What became of each material, for example of `hightc.launch.results.iterate_results`.
    threshold_kelvin
        Tc in K above which a material is a hit.
    """
    outcomes: Counter[Outcome] = Counter()
    gates: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    best: list[MaterialResult] = []
    hits: list[MaterialResult] = []
    over: list[Submission] = []
    held = 0
    for result in results:
        outcomes[result.outcome] += 1
        if result.outcome is Outcome.ANSWERED:
            best.append(result)
            if len(best) >= 2 * MOST_BEST:
                best = ranked(best)[:MOST_BEST]
        elif result.outcome is Outcome.GATED and result.gate is not None:
            gates[result.gate.name] += 1
        elif result.outcome is Outcome.FAILED and result.failure is not None:
            causes[cause_of(redact(result.failure.reason))] += 1
        elif result.outcome is Outcome.UNFINISHED and result.held:
            held += 1
        if (hit := highest_tc(result.tc) if result.tc else None) is not None and hit.tc_kelvin > threshold_kelvin:
            hits.append(result)
        if is_over(result):
            over.append(result.submission)
    return CampaignSummary(outcomes, gates, causes, tuple(ranked(best)[:MOST_BEST]), tuple(hits), tuple(over), held)


def is_over(result: MaterialResult) -> bool:
    """Whether nothing is left to do on a material: it has its answer, or a verdict why not.

    Parameters
    ----------
    result
        What became of it.
    """
    return result.outcome in SETTLED and result.settled


def summary_lines(summary: CampaignSummary, campaign: str, campaign_file: Path) -> list[str]:
    """Counts of a large campaign, and where each material is told of.

    Parameters
    ----------
    summary
        What it came to.
    campaign
        Its name.
    campaign_file
        Its file.
    """
    answered = summary.outcomes.get(Outcome.ANSWERED, 0)
    counts = [(summary.outcomes.get(outcome, 0), outcome.value) for outcome in Outcome]
    said = ", ".join(f"{count} {name}" for count, name in counts if count)
    lines = [f"{sum(summary.outcomes.values())} materials: {said}"]
    if summary.gates:
        lines.append(f"gated: {_most_common(summary.gates)}")
    if summary.causes:
        lines.append(f"failed: {_most_common(summary.causes)}")
        lines.append(f"what mends failures: hightc status {campaign}")
    if summary.held:
        lines.append(f"held by a gate, because a number is missing: {summary.held}; why: hightc funnel {campaign}")
    if answered > len(summary.best):
        lines.append(f"shown: the {len(summary.best)} with the highest Tc")
        lines.append(f"all: hightc query --campaign {campaign} --sort tc_kelvin --descending")
    return [*lines, f"report, a page a material: hightc report {campaign_file}"]


def _most_common(counts: Mapping[str, int]) -> str:
    ordered = Counter(counts).most_common()
    said = ", ".join(
        f"{count} {shorten(name, MOST_CHARACTERS, placeholder='...')}" for name, count in ordered[:MOST_CAUSES]
    )
    rest = len(ordered) - MOST_CAUSES
    return f"{said} and {rest} other causes" if rest > 0 else said
