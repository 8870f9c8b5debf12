"""Rigid, soft, collapsing, nonmagnetic or undetermined, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from hightc.analysis.documents.magnetism import (
    GroundState,
    MagneticTransition,
    MomentCurve,
    Softness,
    SoftnessClass,
)
from hightc.analysis.magnetic_rows import MOMENT_GONE_BOHR_MAGNETON

RIGID_PER_GPA: Final = 5e-3
"""s up to which a moment is rigid. A weak ferromagnet follows m^2 = m0^2 (1 - P/Pc) (E. P. Wohlfarth, J. Appl. Phys.
39, 1061 (1968)), so that s = 1/(2 Pc) at ambient pressure: 0.005/GPa is a moment that lasts to 100 GPa. Nickel's
0.002 lies below; a ferromagnet that loses its moment at 5 GPa has 0.1."""

STANDARD_ERRORS: Final = 2.0
"""Standard errors by which s must lie on one side of the threshold."""


def softness_class(
    grounds: Sequence[GroundState],
    transitions: Sequence[MagneticTransition],
    curves: Sequence[MomentCurve],
    softness: Sequence[Softness],
    unheard: Sequence[str],
) -> tuple[SoftnessClass, str]:
    """Judge a material.

    Parameters
    ----------
    grounds
        Ground states by increasing pressure.
    transitions
        Where their order changes.
    curves
        Moment of each magnetic order.
    softness
        s at the pressures asked for.
    unheard
        Magnetic orders without any result, or without one around a pressure asked for.

    Returns
    -------
    str, str
        Class and sentence. ``collapsing``: the ground state has a moment at some pressure of the ladder and none at
        the highest. ``nonmagnetic``: it has none anywhere, and every order tried was heard. ``soft`` and ``rigid``:
        s lies two standard errors above or below 0.005/GPa, at one or at all of the pressures asked for that have a
        moment. ``undetermined`` is everything else.
    """
    if not grounds:
        return "undetermined", "no ground state is known at any pressure"
    magnetic = [one for one in grounds if one.moment_bohr_magneton_per_atom >= MOMENT_GONE_BOHR_MAGNETON]
    if not magnetic:
        return _without_moment(grounds, unheard)
    if grounds[-1].moment_bohr_magneton_per_atom < MOMENT_GONE_BOHR_MAGNETON:
        return "collapsing", _collapse(magnetic, grounds, transitions, curves)
    return _by_slope([one for one in softness if not _known_without_moment(one, grounds)], grounds)


def _by_slope(asked: Sequence[Softness], grounds: Sequence[GroundState]) -> tuple[SoftnessClass, str]:
    if not asked:
        return "undetermined", "the ground state has a moment on the ladder, but at no pressure asked for"
    sides = {_side(one) for one in asked}
    reason = f"{'; '.join(_sentence(one, grounds) for one in asked)}; the threshold is {RIGID_PER_GPA:g}/GPa"
    if "soft" in sides:
        return "soft", reason
    return ("rigid" if sides == {"rigid"} else "undetermined"), reason


def _without_moment(grounds: Sequence[GroundState], unheard: Sequence[str]) -> tuple[SoftnessClass, str]:
    span = f"from {grounds[0].pressure_gpa:.1f} to {grounds[-1].pressure_gpa:.1f} GPa"
    if unheard:
        return "undetermined", f"no moment {span}, but there is no result of {', '.join(unheard)}"
    margins = [one.margin_mev_per_atom for one in grounds if one.margin_mev_per_atom is not None]
    above = (
        f"orders with one lie at least {min(margins):.2f} meV/atom higher" if margins else "every start lost its own"
    )
    return "nonmagnetic", f"the ground state has no moment {span}: {above}"


def _collapse(
    magnetic: Sequence[GroundState],
    grounds: Sequence[GroundState],
    transitions: Sequence[MagneticTransition],
    curves: Sequence[MomentCurve],
) -> str:
    last, ambient = magnetic[-1], min(magnetic, key=lambda one: abs(one.pressure_gpa))
    before = "" if ambient is last else f"{_moment(ambient)}; "
    crossing = next((one for one in transitions if one.pressure_gpa >= last.pressure_gpa), None)
    if crossing is not None:
        return f"{before}{_moment(last)}, but above {crossing.pressure_gpa:.1f} GPa {crossing.above} is lower"
    bracket = next((curve.collapse_bracket_gpa for curve in curves if curve.order == last.order), None)
    if bracket is None:
        above = next(one for one in grounds if one.pressure_gpa > last.pressure_gpa)
        bracket = last.pressure_gpa, above.pressure_gpa
    return f"{before}{_moment(last)}, and loses it between {bracket[0]:.1f} and {bracket[1]:.1f} GPa"


def _moment(ground: GroundState) -> str:
    moment = f"{ground.moment_bohr_magneton_per_atom:.3f} Bohr magnetons per atom"
    return f"{ground.order} has {moment} at {ground.pressure_gpa:.1f} GPa"


def _known_without_moment(softness: Softness, grounds: Sequence[GroundState]) -> bool:
    """Whether there is nothing to be soft at a pressure."""
    found = [one for one in grounds if one.pressure_gpa == softness.pressure_gpa]
    return bool(found) and found[0].moment_bohr_magneton_per_atom < MOMENT_GONE_BOHR_MAGNETON


def _side(softness: Softness) -> Literal["rigid", "soft", "unknown"]:
    if softness.value_per_gpa is None or softness.error_per_gpa is None:
        return "unknown"
    margin = STANDARD_ERRORS * softness.error_per_gpa
    if softness.value_per_gpa - margin > RIGID_PER_GPA:
        return "soft"
    return "rigid" if softness.value_per_gpa + margin < RIGID_PER_GPA else "unknown"


def _sentence(softness: Softness, grounds: Sequence[GroundState]) -> str:
    where = f"at {softness.pressure_gpa:g} GPa"
    if softness.value_per_gpa is None:
        return f"{where} s is not determined: {softness.reason}"
    ground = next(one for one in grounds if one.pressure_gpa == softness.pressure_gpa)
    error = "of unknown error" if softness.error_per_gpa is None else f"+/- {softness.error_per_gpa:.2g}"
    return f"{_moment(ground)} and s = {softness.value_per_gpa:.2g} {error} per GPa"
