"""Interactive figures of gaps, fine meshes, moments under pressure, and nesting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from scipy.interpolate import PchipInterpolator

from hightc.analysis.documents import (
    FermiDocument,
    FineMeshConvergence,
    GapDocument,
    MagnetismDocument,
    SusceptibilityPeak,
    TemperatureGap,
)
from hightc.analysis.documents.phonon import PathSegment
from hightc.analysis.magnetic_enthalpy import EnthalpyCurve, enthalpy_curves
from hightc.analysis.plots.wannier_wording import gap_ends
from hightc.analysis.plots.wording import kelvin, mesh_text
from hightc.launch.report_site.traces import (
    Figure,
    Trace,
    band,
    broken,
    curve,
    figure,
    path_axis,
    points,
    vertical,
)

COLORS: Final = ("blue", "vermilion", "green", "orange", "sky")
SYMBOLS: Final = ("circle", "square", "triangle-up", "diamond", "triangle-down")
UPPER: Final = [0.53, 1.0]
LOWER: Final = [0.0, 0.47]
"""Heights of two panels above each other."""

HEADROOM: Final = 1.25
"""Top of the nesting axis over its highest peak: the trivial one at q = 0 goes through the roof."""

MARKED_PEAKS: Final = 3
LINE_POINTS: Final = 80
"""Pressures of a line that is interpolated between rows."""


def gaps_figure(document: GapDocument) -> Figure:
    """Draw the gaps of EPW against temperature, isotropic and over the Fermi surface, and hightc's own.

    Parameters
    ----------
    document
        The gaps.
    """
    data: list[Trace] = []
    own = sorted((gap.temperature_kelvin, gap.own_gap_mev) for gap in document.isotropic if gap.own_gap_mev is not None)
    if own:
        line, name = _gap_curve(own, document.tc_kelvin), "hightc, same equations"
        data.append(curve(*line, name, "blue", line={"width": 1.2}, hoverinfo="skip", showlegend=False))
        x, y = zip(*own, strict=True)
        cross = {"size": 10, "line": {"width": 2, "color": "@vermilion"}}
        data.append(points(x, y, name, "vermilion", "cross-thin", marker=cross))
    data += _gap_points(document.isotropic, "EPW, isotropic", "blue", "circle")
    data += _gap_points(document.anisotropic, "EPW, anisotropic: mean and range", "orange", "square")
    every = [gap.temperature_kelvin for gap in (*document.isotropic, *document.anisotropic)] + [document.tc_kelvin or 0]
    if document.tc_kelvin:
        highest = max(abs(gap.gap_mev) for gap in (*document.isotropic, *document.anisotropic))
        name = f"T<sub>c</sub> = {kelvin(document.tc_kelvin)} K"
        data.append(
            curve([document.tc_kelvin] * 2, [0, 1.05 * highest], name, "green", line={"width": 1.2, "dash": "dash"})
        )
    layout = {
        "xaxis": {"title": {"text": "T (K)"}, "range": [0, 1.06 * max(every, default=1.0)]},
        "yaxis": {"title": {"text": "Δ (meV)"}, "rangemode": "tozero"},
    }
    return figure(data, layout)


def _gap_points(gaps: Sequence[TemperatureGap], name: str, color: str, symbol: str) -> Iterator[Trace]:
    """Gaps with their range over the Fermi surface; those whose iterations did not end are open."""
    for converged, suffix, note in ((True, "", ""), (False, "-open", ", not converged")):
        shown = [gap for gap in gaps if gap.converged is converged]
        if not shown:
            continue
        values = [abs(gap.gap_mev) for gap in shown]
        ends = [gap_ends(gap) or (value, value) for gap, value in zip(shown, values, strict=True)]
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [high - value for (_, high), value in zip(ends, values, strict=True)],
            "arrayminus": [value - low for (low, _), value in zip(ends, values, strict=True)],
            "visible": any(high > low for low, high in ends),
        }
        places = [gap.temperature_kelvin for gap in shown]
        yield points(places, values, name + note, color, symbol + suffix, error_y=bars)


def _gap_curve(own: Sequence[tuple[float, float]], tc_kelvin: float | None) -> tuple[list[float], list[float]]:
    """Curve through gaps by temperature: the square of a gap falls linearly to zero at Tc."""
    places, values = np.array(own).T
    if tc_kelvin and tc_kelvin > places[-1]:
        places, values = np.append(places, tc_kelvin), np.append(values, 0.0)
    if places.size < 2 or np.any(np.diff(places) <= 0):
        return places.tolist(), values.tolist()
    # denser toward the end, where the gap falls steeply
    fine = places[0] + (places[-1] - places[0]) * (1 - np.linspace(1, 0, LINE_POINTS) ** 2)
    curved = np.sqrt(np.maximum(PchipInterpolator(places, values**2)(fine), 0.0))
    return fine.tolist(), curved.tolist()


def meshes_figure(convergence: FineMeshConvergence) -> Figure:
    """Draw lambda and Tc on finer and finer meshes, with what counts as still around the last value.

    Parameters
    ----------
    convergence
        The coupling on all fine meshes.
    """
    meshes = convergence.meshes
    names = [f"k {mesh_text(mesh.k_mesh)}<br>q {mesh_text(mesh.q_mesh)}" for mesh in meshes]
    couplings, temperatures = [mesh.lambda_ for mesh in meshes], [mesh.tc_kelvin for mesh in meshes]
    joined = {"type": "scatter", "mode": "lines+markers", "x": names}
    data: list[Trace] = [
        {**joined, "y": couplings, "name": "λ", "line": {"color": "@blue"}},
        {**joined, "y": temperatures, "name": "T<sub>c</sub>", "line": {"color": "@orange"}, "yaxis": "y2"},
    ]
    ranges, shapes = [], []
    last_tc = temperatures[-1]
    tolerance = convergence.lambda_tolerance * couplings[-1]
    still: list[tuple[float, ...]] = [(couplings[-1] - tolerance, couplings[-1] + tolerance), ()]
    if last_tc is not None:
        tolerance = max(convergence.tc_relative_tolerance * last_tc, convergence.tc_tolerance_kelvin)
        still[1] = (last_tc - tolerance, last_tc + tolerance)
    curves: list[Sequence[float | None]] = [couplings, temperatures]
    for values, ends, axis in zip(curves, still, ("y", "y2"), strict=True):
        known = [value for value in (*values, *ends) if value is not None] or [0.0, 1.0]
        margin = 0.15 * ((max(known) - min(known)) or 1.0)
        ranges.append([min(known) - margin, max(known) + margin])
        if ends:
            shapes.append(band(ends[0], ends[-1], "sky", across=True, yref=axis))
    layout = {
        "xaxis": {"type": "category", "anchor": "y2"},
        "yaxis": {"title": {"text": "λ"}, "domain": UPPER, "range": ranges[0]},
        "yaxis2": {"title": {"text": "T<sub>c</sub> (K)"}, "domain": LOWER, "range": ranges[1]},
        "shapes": shapes,
        "showlegend": False,
    }
    return figure(data, layout)


def softness_figure(document: MagnetismDocument) -> Figure:
    """Draw moment and enthalpy of each magnetic order against pressure.

    Parameters
    ----------
    document
        Moments and enthalpies on a ladder of volumes or pressures.
    """
    look = {
        item.order: (COLORS[index % len(COLORS)], SYMBOLS[index % len(SYMBOLS)])
        for index, item in enumerate(document.curves)
    }
    data, shapes = [], []
    for item in document.curves:
        color, symbol = look[item.order]
        bars = {"type": "constant", "value": item.noise_bohr_magneton or 0, "visible": bool(item.noise_bohr_magneton)}
        marks = {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 7}, "legendgroup": item.order}
        moments = item.moment_bohr_magneton_per_atom
        data.append(curve(item.pressure_gpa, moments, item.order, color, error_y=bars, **marks))
        if item.collapse_bracket_gpa:
            shapes.append(band(*item.collapse_bracket_gpa, color))
    enthalpies, reference = _enthalpies(document, look)
    title = "H" if reference is None else f"H − H({reference})"  # noqa: RUF001 - a minus sign
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "P (GPa)"}, "anchor": "y2"},
        "yaxis": {"title": {"text": "|m| (μ<sub>B</sub>/atom)"}, "domain": UPPER, "rangemode": "tozero"},
        "yaxis2": {"title": {"text": f"{title} (meV/atom)"}, "domain": LOWER, "zeroline": True},
        "shapes": shapes + [vertical(item.pressure_gpa, "soft", "dot") for item in document.softness],
        "showlegend": True,
    }
    return figure([*data, *enthalpies], layout)


def _enthalpies(document: MagnetismDocument, look: dict[str, tuple[str, str]]) -> tuple[list[Trace], str | None]:
    """Every enthalpy less that of one order, and the name of that order."""
    curves = enthalpy_curves(document.states, document.orders)
    if not curves:
        return [], None
    plain = [order.name for order in document.orders if order.kind == "nonmagnetic" and order.name in curves]
    reference = plain[0] if plain else max(curves, key=lambda name: float(np.ptp(curves[name].pressure_gpa)))
    data = []
    for name, found in curves.items():
        if name == reference:
            continue
        color, symbol = look.get(name, ("ink", "circle"))
        group = {"legendgroup": name, "showlegend": False, "yaxis": "y2"}
        for low, high in found.intervals_gpa:
            line = np.linspace(low, high, LINE_POINTS).tolist()
            data.append(curve(line, _less(found, curves[reference], line), name, color, **group))
        rows = found.pressure_gpa.tolist()
        data.append(points(rows, _less(found, curves[reference], rows), name, color, symbol, **group))
    return data, reference


def _less(own: EnthalpyCurve, reference: EnthalpyCurve, pressures_gpa: Sequence[float]) -> list[float | None]:
    """Enthalpy less that of the reference in meV per atom; None where one of them is not known."""
    pairs = [(own.enthalpy_ev(pressure), reference.enthalpy_ev(pressure)) for pressure in pressures_gpa]
    return [None if one is None or other is None else 1e3 * (one - other) for one, other in pairs]


def nesting_figure(document: FermiDocument) -> Figure:
    """Draw the nesting function and the bare susceptibility along the standard path, with their peaks.

    Parameters
    ----------
    document
        The document; its arrays may stay in the blob store.
    """
    path = document.path
    distance = list(path.distance_per_angstrom)
    data = []
    for name, values, peaks, color, axis in (
        ("nesting", path.nesting, document.nesting_peaks, "blue", "y"),
        ("χ₀", path.chi0, document.chi0_peaks, "orange", "y2"),
    ):
        data.append(curve("@q", broken(path.segments, list(values)), name, color, yaxis=axis))
        data += _peaks(peaks, path.segments, distance, axis)
    low, high = min(path.chi0), max(path.chi0)
    margin = (high - low) or 1.0
    above: dict[str, Any] = {"title": {"text": "nesting<br>(states/eV/spin/cell)²"}, "domain": UPPER}
    if document.nesting_peaks:
        above["range"] = [0, HEADROOM * document.nesting_peaks[0].value]
    below = {"title": {"text": "χ₀<br>(states/eV/spin/cell)"}, "domain": LOWER}
    layout = {
        "xaxis": {**path_axis(path.segments, distance), "anchor": "y2"},
        "yaxis": above,
        "yaxis2": {**below, "range": [max(0.0, low - 0.15 * margin), high + 0.25 * margin]},
        "showlegend": False,
    }
    return figure(data, layout, {"q": broken(path.segments, distance)})


def _peaks(
    peaks: Sequence[SusceptibilityPeak], segments: Sequence[PathSegment], distance: Sequence[float], axis: str
) -> list[Trace]:
    """Triangles where the strongest peaks lie on the path."""
    found = []
    for peak in peaks[:MARKED_PEAKS]:
        line = next((item for item in segments if peak.path_label == f"{item.start_label}-{item.stop_label}"), None)
        if line is None or peak.path_fraction is None:
            continue
        start, stop = distance[line.start], distance[line.stop - 1]
        text = f"{peak.path_fraction:.3f} of the line, {peak.over_mean:.2f} times the mean"
        place = [start + peak.path_fraction * (stop - start)]
        more = {"yaxis": axis, "hovertemplate": text + "<extra></extra>"}
        found.append(points(place, [peak.value], "peak", "vermilion", "triangle-down", **more))
    return found
