"""The spectral function by linear response and by Wannier functions, one over the other."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.figure import Figure

from hightc.analysis.documents import Alpha2FDocument
from hightc.analysis.documents.alpha2f import Route
from hightc.analysis.parsers.units import THZ_MEV
from hightc.analysis.plots.style import BLUE, INK, ORANGE, figure_style, scaled_axis
from hightc.analysis.plots.wording import ROUTES, coupling
from hightc.analysis.spectral_function import document_spectrum

COLORS: Final[dict[Route, str]] = {"linear_response": BLUE, "wannier": ORANGE}

WIDTHS: Final[dict[Route, float]] = {"linear_response": 1.4, "wannier": 0.9}
"""Width of the lines: epw.x broadens the phonons little, and its spectrum has many narrow peaks."""


def plot_routes(documents: dict[Route, Alpha2FDocument]) -> Figure:
    """Draw alpha2F at the chosen smearing of each route, with the running lambda of each.

    Parameters
    ----------
    documents
        The spectral functions by route.

    Returns
    -------
    Figure
        alpha2F against omega in meV (THz above), full lines; lambda on the right, dashed.
    """
    with figure_style():
        figure = Figure()
        axes = figure.add_subplot()
        right = axes.twinx()
        highest = 0.0
        for route, document in documents.items():
            spectrum = document_spectrum(document)
            color, omega = COLORS[route], spectrum.omega_mev
            width = document.smearing_ev[document.chosen_smearing]
            label = rf"{ROUTES[route]}, $\sigma$ = {width:.3f} eV: $\lambda$ = {coupling(spectrum.lam)}"
            axes.fill_between(omega, spectrum.alpha2f, color=color, alpha=0.18, linewidth=0)
            axes.plot(omega, spectrum.alpha2f, color=color, linewidth=WIDTHS[route], label=label)
            right.plot(omega, spectrum.running_lambda(), color=color, linestyle="--", linewidth=1.1)
            occupied = omega[np.asarray(spectrum.alpha2f) > 0]
            highest = max(highest, float(occupied[-1]) if occupied.size else float(omega[-1]))
        axes.set_xlim(0, 1.03 * highest)
        axes.set_ylim(0, 1.08 * max(axes.dataLim.y1, 1e-12))
        right.set_ylim(0, 1.08 * max(right.dataLim.y1, 1e-12))
        axes.set_xlabel(r"$\omega$ (meV)")
        axes.set_ylabel(r"$\alpha^2F(\omega)$ (dimensionless)", color=INK)
        right.set_ylabel(r"running $\lambda(\omega)$, dashed (dimensionless)", color=INK)
        scaled_axis(axes, THZ_MEV, r"$\nu$ (THz)")
        figure.legend(loc="outside lower center", ncols=1)
    return figure
