"""How far the materials of a campaign came on the way to a Tc."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hightc.launch.lazy_documents import gates_of
from hightc.launch.results import MaterialResult


@dataclass(frozen=True)
class Stage:
    """One stage of the way to a Tc.

    Attributes
    ----------
    name
        What a material has reached there.
    count
        How many materials have.
    dropped
        Position on the page, and result, of those that came no further than the stage before.
    """

    name: str
    count: int
    dropped: tuple[tuple[int, MaterialResult], ...]


def funnel(results: Sequence[MaterialResult]) -> tuple[Stage, ...]:
    """Count how far the materials that were asked for a Tc came.

    Parameters
    ----------
    results
        What became of each material.
    """
    stages: list[Stage] = []
    left = [entry for entry in enumerate(results) if "electron_phonon" in entry[1].submission.material.studies]
    for name, reached in STAGES:
        left, dropped = _parted(left, reached)
        stages.append(Stage(name, len(left), dropped))
    asked = [entry for entry in left if entry[1].submission.material.wannier is not None]
    if any(result.submission.material.wannier is not None for result in results):
        passed, dropped = _parted(asked, lambda result: result.tc_of("wannier") is not None)
        stages.append(Stage(WANNIER, len(passed), dropped))
    return tuple(stages)


def _parted(
    entries: Sequence[tuple[int, MaterialResult]], reached: Callable[[MaterialResult], bool]
) -> tuple[list[tuple[int, MaterialResult]], tuple[tuple[int, MaterialResult], ...]]:
    """Those that reached a stage, and those that did not."""
    passed = [reached(result) for _, result in entries]
    chosen = list(zip(entries, passed, strict=True))
    return [entry for entry, there in chosen if there], tuple(entry for entry, there in chosen if not there)


def _has(kind: str) -> Callable[[MaterialResult], bool]:
    return lambda result: kind in result.documents


def _relaxed(result: MaterialResult) -> bool:
    """Whether there is a structure that only the gap may stop."""
    found = gates_of(result.documents, "structure")
    return bool(found) and all(gate.passed for gate in found[-1] if gate.name != "metal")


def _passed(*kinds: str) -> Callable[[MaterialResult], bool]:
    return lambda result: all(
        kind in result.documents and all(gate.passed for gate in gates_of(result.documents, kind)[-1]) for kind in kinds
    )


STAGES: Final[tuple[tuple[str, Callable[[MaterialResult], bool]], ...]] = (
    ("submitted", lambda _: True),
    ("relaxed", _relaxed),
    ("metal", _passed("structure")),
    ("stable", _passed("coupling", "phonon")),
    ("alpha2F", _has("alpha2f")),
    ("Tc", _has("tc")),
)
"""What a material must have for each stage of the funnel."""

WANNIER: Final = "Wannier"
"""Last stage, where some material asked for it: a Tc by Wannier functions, among those that asked."""
