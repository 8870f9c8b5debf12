"""The spectral function, and how far lambda depends on the smearing."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hightc.analysis.documents import Alpha2FDocument, TcSensitivity
from hightc.analysis.parsers.units import KELVIN_MEV, RYDBERG_EV, THZ_MEV
from hightc.analysis.plots.style import BLUE, GREEN, ORANGE, SKY, VERMILION, figure_style, scaled_axis
from hightc.analysis.spectral_function import document_spectrum

PANELS: Final = {False: (1.0,), True: (2.2, 1.0)}
"""Relative heights of the panels, without and with the derivative of Tc."""

HEADROOM: Final = 1.6
"""Highest lambda shown over the highest of the trusted smearings; what lies above is marked at the edge."""


def plot_alpha2f(document: Alpha2FDocument, sensitivity: TcSensitivity | None = None) -> Figure:
    """Draw alpha2F at the chosen smearing over the band of the plateau, with the running lambda.

    Parameters
    ----------
    document
        The spectral function.
    sensitivity
        Derivatives of its Tc; with dTc/dalpha2F there is a second panel below.

    Returns
    -------
    Figure
        alpha2F against omega in meV (THz above), lambda on the right; what was clipped is vermilion. Below, if given,
        dTc/dalpha2F in K/meV on the same frequencies.
    """
    omega = np.array(document.omega_mev)
    spectrum = document_spectrum(document)
    derivative = sensitivity.dtc_dalpha2f_kelvin_per_mev if sensitivity else None
    with figure_style():
        figure = Figure() if derivative is None else Figure(figsize=(5.0, 4.6))
        axes, *below = figure.subplots(
            1 if derivative is None else 2, squeeze=False, sharex=True, height_ratios=PANELS[derivative is not None]
        )[:, 0]
        _draw_spectra(axes, document, omega)
        _mark_mean(axes, "log", document.chosen.omega_log_mev, "--")
        _mark_mean(axes, "2", document.chosen.omega_2_mev, ":")
        axes.set_xlim(0, omega[-1])
        (below or [axes])[0].set_xlabel(r"$\omega$ (meV)")
        axes.set_ylabel(r"$\alpha^2F(\omega)$ (dimensionless)", color=BLUE)
        scaled_axis(axes, THZ_MEV, r"$\nu$ (THz)")
        right = axes.twinx()
        right.plot(spectrum.omega_mev, spectrum.running_lambda(), color=ORANGE, label=r"$\lambda(\omega)$")
        right.set_ylabel(r"running $\lambda(\omega)$ (dimensionless)", color=ORANGE)
        _share_zero(axes, right)
        if sensitivity is not None and derivative is not None:
            _draw_derivative(below[0], omega, np.array(derivative), sensitivity.mu_star)
        handles = [handle for one in (axes, right, *below) for handle in one.get_legend_handles_labels()[0]]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _draw_derivative(
    axes: Axes, omega_mev: NDArray[np.float64], derivative: NDArray[np.float64], mu_star: float
) -> None:
    label = rf"$\delta T_c/\delta\alpha^2F$ at $\mu^*$ = {mu_star:.2f}"
    axes.fill_between(omega_mev, derivative, color=GREEN, alpha=0.2, linewidth=0)
    axes.plot(omega_mev, derivative, color=GREEN, label=label)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(r"$\delta T_c/\delta\alpha^2F$ (K/meV)", color=GREEN)


def _draw_spectra(axes: Axes, document: Alpha2FDocument, omega_mev: NDArray[np.float64]) -> None:
    chosen = np.array(document.alpha2f[document.chosen_smearing])
    if len(document.plateau.indices) > 1:
        plateau = np.array([document.alpha2f[index] for index in document.plateau.indices])
        low, high = plateau.min(axis=0), plateau.max(axis=0)
        axes.fill_between(omega_mev, low, high, color=SKY, alpha=0.55, linewidth=0, label="range over the plateau")
    width = document.smearing_ev[document.chosen_smearing]
    label = rf"$\alpha^2F$ at $\sigma$ = {width:.3f} eV"
    positive, negative = np.maximum(chosen, 0), np.minimum(chosen, 0)
    axes.fill_between(omega_mev, positive, color=BLUE, alpha=0.3, linewidth=0)
    axes.plot(omega_mev, positive, color=BLUE, label=label)
    if negative.any():
        axes.fill_between(omega_mev, negative, color=VERMILION, alpha=0.7, linewidth=0, label="negative, set to zero")


def _mark_mean(axes: Axes, name: str, omega_mev: float | None, linestyle: str) -> None:
    """Draw the line of a mean frequency; nothing if lambda is 0 and it does not exist."""
    if omega_mev is not None:
        text = rf"$\omega_\mathrm{{{name}}}$ = {omega_mev:.3g} meV ({omega_mev / KELVIN_MEV:.0f} K)"
        axes.axvline(omega_mev, color=GREEN, linestyle=linestyle, linewidth=1.1, label=text)


def _share_zero(left: Axes, right: Axes) -> None:
    """Put the zero of both axes at the same height, with room for what is negative."""
    low, high = left.get_ylim()
    share = min(max(-low / high, 0.0), 1.0) if low < 0 and min(left.dataLim.y0, 0.0) < 0 else 0.0
    left.set_ylim(-share * high, high)
    top = 1.08 * max(right.dataLim.y1, 1e-12)
    right.set_ylim(-share * top, top)


def plot_lambda_smearing(document: Alpha2FDocument) -> Figure:
    """Draw lambda against the smearing, as recomputed, as printed and as summed over the computed q points.

    The axis follows the trusted smearings; points of wild ones stand at its upper edge with their value.

    Parameters
    ----------
    document
        The spectral function.

    Returns
    -------
    Figure
        lambda against sigma in eV (Ry above), with the plateau shaded and the chosen smearing marked.
    """
    order = np.argsort(document.smearing_ev)
    smearing = np.array(document.smearing_ev)[order]
    moments = [document.moments[index] for index in order]
    recomputed = np.array([entry.lambda_ for entry in moments])
    with figure_style():
        figure = Figure()
        axes = figure.add_subplot()
        _shade_plateau(axes, document)
        axes.plot(smearing, recomputed, "o-", color=BLUE, markersize=4, label="recomputed from the clipped spectrum")
        for label, values, marker, color in (
            ("as printed by the code", [entry.lambda_printed for entry in moments], "x", VERMILION),
            ("direct sum over q, no interpolation", [entry.lambda_q_sum for entry in moments], "s", GREEN),
        ):
            known = np.array([np.nan if value is None else value for value in values])
            if np.isfinite(known).any():
                axes.plot(smearing, known, marker, color=color, markersize=5, fillstyle="none", label=label)
        chosen = document.smearing_ev[document.chosen_smearing]
        text = rf"chosen: $\lambda$ = {document.chosen.lambda_:.3f} at {chosen:.3f} eV"
        axes.plot(chosen, document.chosen.lambda_, "o", color=ORANGE, markersize=10, fillstyle="none", label=text)
        _limit_lambda(axes, document, smearing, recomputed)
        axes.set_xlim(0, smearing[-1] * 1.05)
        axes.set_xlabel(r"smearing $\sigma$ of the double delta (eV)")
        axes.set_ylabel(r"$\lambda$ (dimensionless)")
        axes.grid(visible=True, axis="y")
        scaled_axis(axes, RYDBERG_EV, r"$\sigma$ (Ry)")
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def _shade_plateau(axes: Axes, document: Alpha2FDocument) -> None:
    if document.plateau.status == "no_plateau":
        text = r"no plateau: $\lambda$ does not settle"
        axes.text(0.5, 0.95, text, color=VERMILION, ha="center", va="top", transform=axes.transAxes, weight="bold")
        return
    widths = [document.smearing_ev[index] for index in document.plateau.indices]
    axes.axvspan(min(widths), max(widths), color=SKY, alpha=0.25, linewidth=0, label="plateau")


def _limit_lambda(
    axes: Axes, document: Alpha2FDocument, smearing_ev: NDArray[np.float64], recomputed: NDArray[np.float64]
) -> None:
    """End the axis above the trusted smearings: the plateau, or the wider half where there is none."""
    indices = document.plateau.indices
    trusted = [document.moments[index].lambda_ for index in indices] or list(recomputed[len(recomputed) // 2 :])
    top = HEADROOM * max(*trusted, document.chosen.lambda_, 1e-12)
    sums = [entry.lambda_q_sum for entry in (document.moments[index] for index in indices)]
    top = max([top, *(1.1 * value for value in sums if value is not None)])
    axes.set_ylim(min(0.0, float(recomputed.min())), top)
    for x, value in zip(smearing_ev, recomputed, strict=True):
        if value > top:
            axes.plot(x, 0.975 * top, "^", color=BLUE, markersize=5)
            axes.annotate(f"{value:.2f}", (x, 0.955 * top), color=BLUE, fontsize=7, ha="center", va="top")
