"""Nesting and bare susceptibility: along the standard path, and on a plane through the zone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from hightc.analysis.brillouin_zone import BrillouinZone, brillouin_zone
from hightc.analysis.documents.fermi import FermiDocument, SusceptibilityPeak
from hightc.analysis.documents.phonon import PathSegment
from hightc.analysis.plots.phonons import point_name
from hightc.analysis.plots.style import BLUE, INK, ORANGE, VERMILION, figure_style
from hightc.analysis.reciprocal_symmetry import cartesian_rotations, fold, images, point_group, reciprocal_vectors

NESTING_LABEL: Final = "nesting (states/eV/spin/cell)$^2$"
CHI0_LABEL: Final = r"$\chi_0$ (states/eV/spin/cell)"

MARKED_PEAKS: Final = 3
"""Peaks of each function that are marked."""

HEADROOM: Final = 1.25
"""Top of the nesting axis over its highest peak: the trivial one at q = 0 goes through the roof."""

CAVEAT_WIDTH: Final = 104
SLICE_POINTS: Final = 241
"""Points along either side of a slice."""


def plot_nesting_path(document: FermiDocument) -> Figure:
    """Draw both functions along the standard path, with their peaks.

    Parameters
    ----------
    document
        The Fermi surface's document; its arrays may stay in the blob store.

    Returns
    -------
    Figure
        The nesting function above, the bare susceptibility below. A triangle stands where a peak lies on the path; at
        q = 0 the nesting function has a peak for any Fermi surface, which leaves the picture.
    """
    path = document.path
    distance = np.array(path.distance_per_angstrom)
    with figure_style():
        figure = Figure(figsize=(5.4, 4.6))
        above, below = figure.subplots(2, 1, sharex=True)
        for axes, values, color in ((above, path.nesting, BLUE), (below, path.chi0, ORANGE)):
            for segment in path.segments:
                part = slice(segment.start, segment.stop)
                axes.plot(distance[part], np.array(values)[part], color=color)
            _mark_points(axes, path.segments, distance)
        _mark_peaks(above, document.nesting_peaks, path.segments, distance)
        _mark_peaks(below, document.chi0_peaks, path.segments, distance)
        above.axhline(_mean(document.nesting_peaks), color=BLUE, linewidth=0.8, linestyle=":")
        _limit_nesting(above, document)
        above.set_ylabel(NESTING_LABEL)
        below.set_ylabel(CHI0_LABEL)
        _limit_chi0(below, path.chi0)
        above.set_title(_title(document), fontsize=8)
        figure.supxlabel(_caveat(document), fontsize=6.5)
    return figure


def plot_nesting_slice(document: FermiDocument) -> Figure:
    """Draw both functions on a plane of high symmetry through Gamma, inside the zone.

    Parameters
    ----------
    document
        The Fermi surface's document, its arrays loaded from the blob store.

    Returns
    -------
    Figure
        Two panels in 1/Angstrom. The plane holds the highest peak of the bare susceptibility off Gamma; a circle stands
        on each image of a peak in the plane.

    Raises
    ------
    ValueError
        If the arrays are still in the blob store.
    """
    zone = brillouin_zone(document.structure.lattice)
    first, second = _plane(document, zone)
    reach = float(np.linalg.norm(zone.corners_per_angstrom, axis=1).max())
    along = np.linspace(-reach, reach, SLICE_POINTS)
    points = along[None, :, None] * first + along[:, None, None] * second
    outside = (points @ zone.normals.T > zone.distance_per_angstrom).any(axis=-1)
    reduced = points @ np.linalg.inv(reciprocal_vectors(document.structure))
    with figure_style():
        figure = Figure(figsize=(7.2, 3.5))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, array, peaks, label in zip(
            panels,
            (document.nesting, document.chi0),
            (document.nesting_peaks, document.chi0_peaks),
            (NESTING_LABEL, CHI0_LABEL),
            strict=True,
        ):
            values = _interpolated(array.to_array(), reduced)
            values[outside] = np.nan
            top = HEADROOM * peaks[0].value if peaks and array is document.nesting else None
            picture = axes.pcolormesh(along, along, values, cmap="viridis", vmax=top, rasterized=True)
            figure.colorbar(picture, ax=axes, label=label, shrink=0.75, extend="neither" if top is None else "max")
            _draw_images(axes, peaks[:MARKED_PEAKS], document, zone, (first, second))
            axes.set_aspect("equal")
            axes.set_xlabel(f"q along {_direction(first)} (1/Å)")
        panels[0].set_ylabel(f"q along {_direction(second)} (1/Å)")
        figure.suptitle(_title(document), fontsize=8)
        figure.supxlabel(_caveat(document), fontsize=6.5)
    return figure


def _title(document: FermiDocument) -> str:
    mesh, computed = ("x".join(str(n) for n in found) for found in (document.fine_mesh, document.k_mesh))
    source = "" if mesh == computed else f" interpolated from {computed}"
    return (
        f"{document.material}: {mesh} k points{source}, smearing {document.smearing_ev:g} eV, "
        f"{document.temperature_k:g} K" + ("" if document.converged else "; not converged")
    )


def _caveat(document: FermiDocument) -> str:
    return textwrap.fill(document.caveat[:1].upper() + document.caveat[1:], CAVEAT_WIDTH)


def _mean(peaks: Sequence[SusceptibilityPeak]) -> float:
    """Mean over all q, from any peak."""
    return peaks[0].value / peaks[0].over_mean if peaks else 0.0


def _limit_nesting(axes: Axes, document: FermiDocument) -> None:
    if document.nesting_peaks:
        axes.set_ylim(0, HEADROOM * document.nesting_peaks[0].value)
    else:
        axes.set_ylim(bottom=0)


def _limit_chi0(axes: Axes, values: Sequence[float]) -> None:
    """Show the shape: transitions of constant matrix elements lie under it as a background."""
    low, high = min(values), max(values)
    margin = (high - low) or 1.0
    axes.set_ylim(max(0.0, low - 0.15 * margin), high + 0.25 * margin)


def _mark_points(axes: Axes, segments: Sequence[PathSegment], distance: NDArray[np.float64]) -> None:
    """Lines and names at the points of high symmetry; at a jump both names stand at one place."""
    places, names = [float(distance[segments[0].start])], [point_name(segments[0].start_label)]
    for index, segment in enumerate(segments):
        name = point_name(segment.stop_label)
        if index + 1 < len(segments) and segments[index + 1].start_label != segment.stop_label:
            name += f"|{point_name(segments[index + 1].start_label)}"
        places.append(float(distance[segment.stop - 1]))
        names.append(name)
    for place in places:
        axes.axvline(place, color=INK, linewidth=0.5, alpha=0.4)
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(distance[0], distance[-1])


def _mark_peaks(
    axes: Axes,
    peaks: Sequence[SusceptibilityPeak],
    segments: Sequence[PathSegment],
    distance: NDArray[np.float64],
) -> None:
    for peak in peaks[:MARKED_PEAKS]:
        place = _place(peak, segments, distance)
        if place is None:
            continue
        axes.plot(place, peak.value, marker="v", color=VERMILION, markersize=5, linestyle="none", zorder=3)
        axes.annotate(
            f"{peak.path_fraction:.3f}" if 0 < (peak.path_fraction or 0) < 1 else "",
            (place, peak.value),
            textcoords="offset points",
            xytext=(4, 4) if place < 0.9 * distance[-1] else (-4, 4),
            horizontalalignment="left" if place < 0.9 * distance[-1] else "right",
            fontsize=7,
            color=VERMILION,
        )


def _place(peak: SusceptibilityPeak, segments: Sequence[PathSegment], distance: NDArray[np.float64]) -> float | None:
    """Where on the path a peak lies; None off it."""
    if peak.path_label is None or peak.path_fraction is None:
        return None
    for segment in segments:
        start, stop = float(distance[segment.start]), float(distance[segment.stop - 1])
        if peak.path_label == f"{segment.start_label}-{segment.stop_label}":
            return start + peak.path_fraction * (stop - start)
        if peak.path_label == f"{segment.stop_label}-{segment.start_label}":
            return stop - peak.path_fraction * (stop - start)
    return None


def _plane(document: FermiDocument, zone: BrillouinZone) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Orthogonal unit vectors of the most symmetric plane through Gamma and the highest peak off it."""
    structure = document.structure
    group, reciprocal = point_group(structure), reciprocal_vectors(structure)
    found = [peak for peak in (*document.chi0_peaks, *document.nesting_peaks) if any(peak.q_fractional)]
    first = np.array(found[0].q_per_angstrom) if found else reciprocal[0]
    first = first / np.linalg.norm(first)
    others = [reciprocal, zone.neighbours_per_angstrom]
    if found:
        others.insert(0, images(np.array(found[0].q_fractional), group) @ reciprocal)
    across = np.concatenate(others)
    across = across - (across @ first)[:, None] * first
    widths = np.linalg.norm(across, axis=1)
    across = across[widths > 1e-3 * widths.max()] / widths[widths > 1e-3 * widths.max(), None]
    normals = np.cross(first, across)
    turned = np.einsum("rij,nj->rni", cartesian_rotations(structure, group), normals)
    kept = (np.abs(np.einsum("rni,ni->rn", turned, normals)) > 1 - 1e-6).sum(axis=0)
    # of equally symmetric ones that with the largest coordinates, z before y
    best = max(range(len(across)), key=lambda row: (kept[row], *np.round(across[row], 6)[::-1]))
    # turned so that a Cartesian axis in the plane stands upright, z before y
    for axis in np.eye(3)[::-1]:
        if abs(axis @ normals[best]) < 1e-6:
            return np.cross(axis, normals[best] * np.sign(np.cross(axis, normals[best]) @ first or 1.0)), axis
    return first, across[best]


def _interpolated(values: NDArray[np.float64], reduced: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.moveaxis(reduced * np.array(values.shape), -1, 0)
    found: NDArray[np.float64] = map_coordinates(values, places, order=1, mode="grid-wrap")
    return found


def _draw_images(
    axes: Axes,
    peaks: Sequence[SusceptibilityPeak],
    document: FermiDocument,
    zone: BrillouinZone,
    plane: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Circle the images of peaks in the plane, those on a face of the zone on both sides."""
    reciprocal, (first, second) = reciprocal_vectors(document.structure), plane
    normal = np.cross(first, second)
    for peak in peaks:
        star = fold(images(np.array(peak.q_fractional), point_group(document.structure)), reciprocal) @ reciprocal
        everywhere = (star[:, None, :] + zone.neighbours_per_angstrom).reshape(-1, 3)
        inside = (everywhere @ zone.normals.T <= zone.distance_per_angstrom * 1.001).all(axis=1)
        shown = everywhere[inside & (np.abs(everywhere @ normal) < 1e-3)]
        axes.plot(
            shown @ first,
            shown @ second,
            linestyle="none",
            marker="o",
            markersize=6,
            markerfacecolor="none",
            markeredgecolor=VERMILION,
        )


def _direction(vector: NDArray[np.float64]) -> str:
    """Small whole numbers in the ratio of a vector's Cartesian coordinates, or the coordinates."""
    for largest in range(1, 6):
        scaled = vector / np.abs(vector).max() * largest
        if np.abs(scaled - np.rint(scaled)).max() < 0.02:
            return "[" + " ".join(str(int(n)) for n in np.rint(scaled)) + "]"
    return "(" + ", ".join(f"{value:.2f}" for value in vector) + ")"
