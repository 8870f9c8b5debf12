"""Spin-orbit coupling, spin polarisation and Hubbard U: what a recipe may ask for beyond a plain metal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hightc.makers.errors import RecipeError

STARTING_MAGNETIZATION = 0.5
"""Polarisation that every element starts from where the campaign names none: a start, forgotten at convergence."""


def resolve_options(elements: Sequence[str], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Electronic options of one structure that go together.

    Parameters
    ----------
    elements
        Chemical symbols of the structure.
    overrides
        What the campaign sets; only ``spin_orbit``, ``spin_polarized``, ``starting_magnetization`` and
        ``hubbard_u_ev`` are looked at, and each has the right type.

    Returns
    -------
    dict
        Fields of the recipe that follow from the others.

    Raises
    ------
    RecipeError
        If an element is not in the structure or two options exclude each other.
    """
    spin_orbit, polarized = overrides.get("spin_orbit", False), overrides.get("spin_polarized", False)
    start, hubbard = overrides.get("starting_magnetization", {}), overrides.get("hubbard_u_ev", {})
    for name, table in (("starting_magnetization", start), ("hubbard_u_ev", hubbard)):
        unknown = sorted(set(table) - set(elements))
        if unknown:
            msg = f"{name}: expected elements of the structure ({', '.join(sorted(elements))}), found {unknown[0]!r}"
            raise RecipeError(msg)
    if spin_orbit and polarized:
        _exclude("spin_orbit", "spin_polarized", "noncollinear magnetism is not supported")
    if spin_orbit and hubbard:
        _exclude("spin_orbit", "hubbard_u_ev", "pw.x 6.7 has no simplified Hubbard U for spinors")
    if start and not polarized:
        msg = "starting_magnetization: expected spin_polarized = true beside it, found false: set it, or remove this"
        raise RecipeError(msg)
    if not polarized:
        return {}
    if start and not any(start.values()):
        msg = "starting_magnetization: expected one element that is not 0, found all 0: pw.x would stay unpolarised"
        raise RecipeError(msg)
    return {"starting_magnetization": dict(start) or dict.fromkeys(elements, STARTING_MAGNETIZATION)}


def _exclude(first: str, second: str, reason: str) -> None:
    msg = f"{first}: expected without {second}, found both: {reason}; remove one"
    raise RecipeError(msg)
