"""The phonon density of states."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.figure import Figure

from hightc.analysis.documents import PhononDocument
from hightc.analysis.parsers.units import THZ_MEV
from hightc.analysis.plots.style import BLUE, VERMILION, figure_style, scaled_axis

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
