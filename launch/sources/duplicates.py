"""Duplicates of one structure, merged; where each is from is kept."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hightc.launch.sources.records import Candidate

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher

VOLUME_SHARE: Final = 0.1
"""Volumes an atom that differ by less may belong to one structure: functionals and measurements of one crystal differ
by up to some 8 %, and the relaxation that comes first removes that; cells further apart are kept apart."""


def merge_duplicates(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Merge candidates of the same crystal; the first gives name and cell, all give their sources and pressures.

    Only those of one formula and nearly one volume are held against each other, by pymatgen's StructureMatcher, and
    each only against the first of every crystal found so far, so that the time is near linear in their number.

    Parameters
    ----------
    candidates
        Ordered primitive cells.

    Returns
    -------
    tuple of Candidate
        One for each crystal, in the order in which they first occur.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher  # noqa: PLC0415 - a help text waits for nothing

    matcher = StructureMatcher()
    by_formula: dict[str, list[int]] = defaultdict(list)
    merged: list[Candidate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for candidate in candidates:
            crystals = by_formula[candidate.structure.composition.reduced_formula]
            same = next((index for index in crystals if _is_same(merged[index], candidate, matcher)), None)
            if same is None:
                crystals.append(len(merged))
                merged.append(candidate)
            else:
                merged[same] = _joined(merged[same], candidate)
    return tuple(merged)


def _is_same(first: Candidate, second: Candidate, matcher: StructureMatcher) -> bool:
    if first.structure is second.structure:
        return True
    if len(first.structure) != len(second.structure):  # both are primitive
        return False
    one, other = first.structure.volume, second.structure.volume
    if abs(one - other) > VOLUME_SHARE * min(one, other):
        return False
    return bool(matcher.fit(first.structure, second.structure))


def _joined(first: Candidate, second: Candidate) -> Candidate:
    return replace(
        first,
        sources=tuple(dict.fromkeys((*first.sources, *second.sources))),
        pressures_gpa=tuple(dict.fromkeys((*first.pressures_gpa, *second.pressures_gpa))),
    )
