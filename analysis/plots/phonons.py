"""Phonons: their density of states, and their bands beside it."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hightc.analysis.documents import PhononBandsDocument, PhononDocument
from hightc.analysis.parsers.units import THZ_MEV
from hightc.analysis.plots.style import BLUE, INK, VERMILION, figure_style, scaled_axis

NOISE: Final = 0.005
"""Share of the highest frequency below which a negative one is rounding of the acoustic modes at Gamma."""


def plot_phonon_dos(document: PhononDocument) -> Figure:
    """Draw the phonon density of states; imaginary frequencies stand left of zero, on a warning colour.

    Parameters
    ----------
    document
        Interpolated phonons.

    Returns
    -------
    Figure
        States/meV and cell against omega in meV (THz above).
    """
    omega, dos = np.array(document.omega_mev), np.array(document.dos_per_mev)
    highest = float(omega[-1])
    lowest = min(document.lowest_frequency_mev, float(omega[0]))
    unstable = lowest < -NOISE * highest
    left = 1.15 * lowest if unstable else 0.0
    with figure_style():
        figure = Figure()
        axes = figure.add_subplot()
        if unstable:
            axes.axvspan(left, 0, color=VERMILION, alpha=0.2, linewidth=0)
            label = f"imaginary: lowest {document.lowest_frequency_mev:.2f} meV"
            axes.axvline(document.lowest_frequency_mev, color=VERMILION, linestyle="--", linewidth=1.1, label=label)
        for side, color in ((omega >= 0, BLUE), (omega <= 0, VERMILION)):
            axes.fill_between(omega, dos, where=side, color=color, alpha=0.3, linewidth=0)
            axes.plot(omega[side], dos[side], color=color)
        axes.set_xlim(left, highest)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(r"$\omega$ (meV)")
        axes.set_ylabel(r"$F(\omega)$ (states/meV/cell)")
        scaled_axis(axes, THZ_MEV, r"$\nu$ (THz)")
        if unstable:
            figure.legend(loc="outside lower center")
    return figure


GREEK: Final = {"GAMMA": "Γ", "DELTA": "Δ", "LAMBDA": "Λ", "SIGMA": "Σ"}

WIDTHS: Final = (3.4, 1.0)
"""Relative widths of the bands and the density of states."""


def plot_phonon_bands(bands: PhononBandsDocument, dos: PhononDocument | None = None) -> Figure:
    """Draw phonon bands beside their density of states; imaginary frequencies stand below zero, on a warning colour.

    Parameters
    ----------
    bands
        Frequencies along the standard path.
    dos
        The density of states of the same force constants; without it there is one panel.

    Returns
    -------
    Figure
        Frequencies in meV along the path (THz on the right), and states/meV and cell on the same axis.
    """
    frequencies = np.array(bands.frequencies_mev)
    highest = float(frequencies.max())
    lowest = bands.lowest_frequency_mev if dos is None else min(bands.lowest_frequency_mev, dos.lowest_frequency_mev)
    bottom = 1.15 * lowest if lowest < -NOISE * highest else 0.0
    with figure_style():
        figure = Figure()
        left, *right = figure.subplots(
            1, 1 if dos is None else 2, squeeze=False, sharey=True, width_ratios=WIDTHS[: 1 if dos is None else 2]
        )[0]
        if bottom < 0:
            for axes, label in zip((left, *right), (f"imaginary: lowest {lowest:.2f} meV", None), strict=False):
                axes.axhspan(bottom, 0, color=VERMILION, alpha=0.2, linewidth=0, label=label)
        _draw_bands(left, bands, frequencies)
        left.set_ylim(bottom, 1.04 * highest)
        left.set_ylabel(r"$\omega$ (meV)")
        if dos is not None:
            _draw_beside(right[0], np.array(dos.omega_mev), np.array(dos.dos_per_mev))
        scaled_axis([left, *right][-1], THZ_MEV, r"$\nu$ (THz)", side="right")
        if bottom < 0:
            figure.legend(loc="outside lower center")
    return figure


def _draw_bands(axes: Axes, bands: PhononBandsDocument, frequencies_mev: NDArray[np.float64]) -> None:
    """Draw each line of the path by itself, because bands do not cross a jump."""
    distance = np.array(bands.distance_per_angstrom)
    for segment in bands.segments:
        part = slice(segment.start, segment.stop)
        axes.plot(distance[part], frequencies_mev[part], color=BLUE, linewidth=1.1)
    places, names = _ticks(bands, distance)
    for place in places:
        axes.axvline(place, color=INK, linewidth=0.5, alpha=0.4)
    axes.axhline(0, color=INK, linewidth=0.5)
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(distance[0], distance[-1])


def _ticks(bands: PhononBandsDocument, distance: NDArray[np.float64]) -> tuple[list[float], list[str]]:
    """Places and names of the points of high symmetry; at a jump both names stand at one place."""
    places, names = [float(distance[bands.segments[0].start])], [point_name(bands.segments[0].start_label)]
    for index, segment in enumerate(bands.segments):
        following = bands.segments[index + 1] if index + 1 < len(bands.segments) else None
        name = point_name(segment.stop_label)
        if following is not None and following.start_label != segment.stop_label:
            name += f"|{point_name(following.start_label)}"
        places.append(float(distance[segment.stop - 1]))
        names.append(name)
    return places, names


def point_name(label: str) -> str:
    """Write the name of a point of high symmetry.

    Parameters
    ----------
    label
        As seekpath spells it, for example GAMMA, X or SIGMA_0.
    """
    letter, _, number = label.partition("_")
    name = GREEK.get(letter, letter)
    return f"{name}$_{{{number}}}$" if number else name


def _draw_beside(axes: Axes, omega_mev: NDArray[np.float64], dos_per_mev: NDArray[np.float64]) -> None:
    """Draw a density of states along a vertical axis of frequencies."""
    if omega_mev[0] < 0 < omega_mev[-1]:
        # both colours end at zero
        behind = int(np.searchsorted(omega_mev, 0.0))
        dos_per_mev = np.insert(dos_per_mev, behind, np.interp(0.0, omega_mev, dos_per_mev))
        omega_mev = np.insert(omega_mev, behind, 0.0)
    for side, color in ((omega_mev >= 0, BLUE), (omega_mev <= 0, VERMILION)):
        axes.fill_betweenx(omega_mev, dos_per_mev, where=side, color=color, alpha=0.3, linewidth=0)
        axes.plot(dos_per_mev[side], omega_mev[side], color=color, linewidth=1.1)
    axes.axhline(0, color=INK, linewidth=0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("$F$ (states/meV/cell)")
