"""The superconducting gap against temperature: EPW's points, and hightc's solution of the same equations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from hightc.analysis.documents import GapDocument, TemperatureGap
from hightc.analysis.plots.style import BLUE, GREEN, ORANGE, VERMILION, figure_style
from hightc.analysis.plots.wannier_wording import gap_ends
from hightc.analysis.plots.wording import kelvin

CURVE_POINTS = 120


def plot_gaps(document: GapDocument) -> Figure:
    """Draw the gaps of EPW on the imaginary axis, isotropic and over the Fermi surface.

    Parameters
    ----------
    document
        The gaps.

    Returns
    -------
    Figure
        Gaps in meV against T in K. The curve joins hightc's own gaps and ends at Tc; bars are the range over the Fermi
        surface; gaps whose iterations did not end are open.
    """
    with figure_style():
        figure = Figure()
        axes = figure.add_subplot()
        tc = document.tc_kelvin
        _draw_own(axes, document.isotropic, tc)
        _draw_points(axes, document.isotropic, "o", BLUE, "EPW, isotropic")
        _draw_ranges(axes, document.anisotropic)
        _draw_points(axes, document.anisotropic, "s", ORANGE, "EPW, anisotropic: mean")
        if tc:
            axes.axvline(tc, color=GREEN, linestyle="--", linewidth=1.1, label=rf"$T_c$ = {kelvin(tc)} K")
        every = [gap.temperature_kelvin for gap in (*document.isotropic, *document.anisotropic)]
        axes.set_xlim(0, 1.06 * max([tc or 0.0, *every, 1e-3]))
        axes.set_ylim(0, 1.12 * max(axes.dataLim.y1, 1e-6) if every else 1.0)
        axes.set_xlabel(r"$T$ (K)")
        axes.set_ylabel(r"$\Delta(i\pi k_BT)$ (meV)")
        if not every:
            axes.text(0.5, 0.5, "no gap", color=VERMILION, ha="center", va="center", transform=axes.transAxes)
        else:
            figure.legend(loc="outside lower center", ncols=2)
    return figure


def _draw_own(axes: Axes, gaps: Sequence[TemperatureGap], tc_kelvin: float | None) -> None:
    """Draw hightc's gaps and a curve through them; the square of a gap falls linearly to zero at Tc."""
    own = sorted((gap.temperature_kelvin, gap.own_gap_mev) for gap in gaps if gap.own_gap_mev is not None)
    if not own:
        return
    places, values = np.array(own).T
    if tc_kelvin and tc_kelvin > places[-1]:
        places, values = np.append(places, tc_kelvin), np.append(values, 0.0)
    if places.size > 1 and np.all(np.diff(places) > 0):
        fine = _toward_the_end(places[0], places[-1])
        curve = np.sqrt(np.maximum(PchipInterpolator(places, values**2)(fine), 0.0))
        axes.plot(fine, curve, color=BLUE, linewidth=1.0, alpha=0.8)
    axes.plot(*np.array(own).T, "+", color=VERMILION, markersize=9, zorder=4, label="hightc, same equations")


def _toward_the_end(start: float, stop: float) -> NDArray[np.float64]:
    """Temperatures that lie denser toward the last, where the gap falls steeply."""
    shares = 1 - np.linspace(1, 0, CURVE_POINTS) ** 2
    return np.asarray(start + (stop - start) * shares, dtype=np.float64)


def _draw_points(axes: Axes, gaps: Sequence[TemperatureGap], marker: str, color: str, label: str) -> None:
    for converged, fill, note in ((True, "full", ""), (False, "none", ", not converged")):
        shown = [(gap.temperature_kelvin, abs(gap.gap_mev)) for gap in gaps if gap.converged is converged]
        if shown:
            axes.plot(*np.array(shown).T, marker, color=color, markersize=5, fillstyle=fill, label=label + note)


def _draw_ranges(axes: Axes, gaps: Sequence[TemperatureGap]) -> None:
    label: str | None = "its range over the Fermi surface"
    for gap in gaps:
        ends = gap_ends(gap)
        if ends is not None:
            axes.plot([gap.temperature_kelvin] * 2, ends, color=ORANGE, linewidth=4, alpha=0.4, label=label)
            label = None
