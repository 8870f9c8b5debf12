"""Magnetism under pressure: the moment of each order, and which order is the lowest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hightc.analysis.documents.magnetism import MagneticState, MagnetismDocument, SoftnessClass
from hightc.analysis.magnetic_enthalpy import EnthalpyCurve, enthalpy_curves
from hightc.analysis.magnetic_rows import MOMENT_GONE_BOHR_MAGNETON
from hightc.analysis.plots.style import BLUE, GREEN, INK, ORANGE, SKY, VERMILION, figure_style

COLORS: Final = (BLUE, VERMILION, GREEN, ORANGE, SKY)
MARKERS: Final = ("o", "s", "^", "D", "v")

TITLES: Final[dict[SoftnessClass, str]] = {
    "rigid": "rigid moment",
    "soft": "soft moment",
    "collapsing": "collapsing moment",
    "nonmagnetic": "nonmagnetic",
    "undetermined": "softness undetermined",
}
"""Each class in words."""

POINTS: Final = 300
"""Pressures of a line that is interpolated between rows."""


def plot_magnetism(document: MagnetismDocument) -> Figure:
    """Draw the moment and the enthalpy of each magnetic order against pressure.

    Parameters
    ----------
    document
        Moments and enthalpies on a ladder of volumes or pressures.

    Returns
    -------
    Figure
        Above, the moment in Bohr magnetons per atom with its noise, crosses on the axis where a calculation failed,
        and shaded the pressures between which a moment collapses. Below, the enthalpy less that of the nonmagnetic
        state in meV per atom, or of the order known furthest if that was not computed. The class is the title.
    """
    names = [curve.order for curve in document.curves]
    colors = {name: COLORS[index % len(COLORS)] for index, name in enumerate(names)}
    markers = {name: MARKERS[index % len(MARKERS)] for index, name in enumerate(names)}
    with figure_style():
        figure = Figure(figsize=(5.0, 4.6))
        upper, lower = figure.subplots(2, 1, sharex=True)
        _draw_moments(upper, document, colors, markers)
        reference = _draw_enthalpies(lower, document, colors, markers)
        for softness in document.softness:
            for axes in (upper, lower):
                axes.axvline(softness.pressure_gpa, color=INK, linestyle=":", linewidth=0.7, alpha=0.7)
        upper.set_ylabel(r"$|m|$ ($\mu_B$/atom)")
        upper.set_title(f"{document.material}: {TITLES[document.softness_class]}", fontsize=9)
        lower.set_ylabel(rf"$H - H_\mathrm{{{reference}}}$ (meV/atom)")
        lower.set_xlabel("$P$ (GPa)")
        figure.align_ylabels()
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def _draw_moments(axes: Axes, document: MagnetismDocument, colors: dict[str, str], markers: dict[str, str]) -> None:
    for curve in document.curves:
        color = colors[curve.order]
        label = curve.order if curve.pressure_gpa else f"{curve.order} (no row)"
        axes.errorbar(
            curve.pressure_gpa,
            curve.moment_bohr_magneton_per_atom,
            yerr=curve.noise_bohr_magneton,
            color=color,
            marker=markers[curve.order],
            markersize=3.5,
            linewidth=1.1,
            capsize=2.0,
            label=label,
        )
        if curve.collapse_bracket_gpa:
            axes.axvspan(*curve.collapse_bracket_gpa, color=color, alpha=0.12, linewidth=0)
    failed = [row for row in document.states if row.status == "failed"]
    placed = [(row, _pressure(row, document.states)) for row in failed]
    for order in dict.fromkeys(row.order for row in failed):
        own = [pressure for row, pressure in placed if row.order == order and pressure is not None]
        axes.plot(
            own,
            [0.0] * len(own),
            color=colors.get(order, INK),
            marker="x",
            markersize=6,
            linestyle="none",
            clip_on=not own,
            zorder=5,
            label=f"{order} failed" if own else f"{order} failed (at an unknown pressure)",
        )
    axes.axhline(MOMENT_GONE_BOHR_MAGNETON, color=INK, linewidth=0.5, linestyle="--", alpha=0.4)
    axes.set_ylim(0, 1.1 * max(axes.dataLim.y1, 2 * MOMENT_GONE_BOHR_MAGNETON))


def _pressure(row: MagneticState, states: Sequence[MagneticState]) -> float | None:
    """Where a row without a result belongs: the pressure asked for, or the mean of the others on its rung."""
    if row.target_pressure_gpa is not None:
        return row.target_pressure_gpa
    others = [
        other.pressure_gpa
        for other in states
        if other.pressure_gpa is not None and other.volume_ratio == row.volume_ratio
    ]
    return float(np.mean(others)) if others else None


def _draw_enthalpies(axes: Axes, document: MagnetismDocument, colors: dict[str, str], markers: dict[str, str]) -> str:
    """Draw every enthalpy less that of one order; return the name of that order."""
    curves = enthalpy_curves(document.states, document.orders)
    if not curves:
        axes.text(0.5, 0.5, "no order has a result", transform=axes.transAxes, ha="center", va="center")
        return "NM"
    plain = [order.name for order in document.orders if order.kind == "nonmagnetic" and order.name in curves]
    reference = plain[0] if plain else max(curves, key=lambda name: np.ptp(curves[name].pressure_gpa))
    axes.axhline(0, color=colors.get(reference, INK), linewidth=1.1, label=None if reference in colors else reference)
    others = {name: curve for name, curve in curves.items() if name != reference}
    if not others:
        axes.set_ylim(-1, 1)
        axes.text(0.5, 0.6, "no other order has a result", transform=axes.transAxes, ha="center", va="center")
    for name, curve in others.items():
        for low, high in curve.intervals_gpa:
            line = np.linspace(low, high, POINTS)
            axes.plot(line, _less(curve, curves[reference], line.tolist()), color=colors[name], linewidth=1.1)
        rows = _less(curve, curves[reference], curve.pressure_gpa.tolist())
        axes.plot(curve.pressure_gpa, rows, color=colors[name], marker=markers[name], markersize=3.5, linestyle="none")
    return reference


def _less(curve: EnthalpyCurve, reference: EnthalpyCurve, pressures_gpa: Sequence[float]) -> list[float]:
    """Enthalpy less that of the reference in meV per atom; nan where one of them is not known."""
    pairs = [(curve.enthalpy_ev(pressure), reference.enthalpy_ev(pressure)) for pressure in pressures_gpa]
    return [1e3 * (own - other) if own is not None and other is not None else np.nan for own, other in pairs]
