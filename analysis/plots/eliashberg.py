"""One solved spectrum in four panels: a2F, the gap against temperature, what moves Tc, and the tunnelling spectrum."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hightc.analysis.answers import lowest_tc_kelvin
from hightc.analysis.eliashberg_curves import COLD, EliashbergCurves, is_weak
from hightc.analysis.parsers.units import KELVIN_MEV, THZ_MEV
from hightc.analysis.plots.style import BLUE, GREEN, INK, ORANGE, SKY, VERMILION, figure_style, scaled_axis
from hightc.analysis.plots.wording import frequency
from hightc.eliashberg import Alpha2F

SIZE_INCHES: Final = (8.6, 6.6)

SIZE_WITHOUT_TC: Final = (5.4, 3.9)

LOW_MAXIMUM: Final = 0.05
"""Frequency of the maximum of dTc/da2F over the highest, below which the axis is logarithmic."""

LOG_RANGE: Final = 30.0
"""Frequency of that maximum over the first on a logarithmic axis."""

ENERGY_RANGE: Final = 1.15
"""Highest energy of the tunnelling spectrum over gap plus highest phonon, where its last image lies."""

FREQUENCY: Final = r"$\omega$ (meV)"

SMALL_GAP: Final = 0.01
"""Gap over the highest phonon below which the images of the phonons, (gap/phonon)^2, would not be seen."""

GAPS_SHOWN: Final = 8.0
"""Energy up to which a tunnelling spectrum without images is shown, over the gap."""

HIGHEST_DENSITY: Final = 2.5
"""N/N(0) at the top of its panel: the images of the phonons are a few per cent of 1."""

TOO_WEAK: Final = r"""not computed: $k_BT_c$ is below 1/2000
of the highest phonon frequency, near
weak coupling ($2\Delta/k_BT_c$ = 3.53)"""

WITHOUT_TC: Final = {
    "no_superconductivity": "no superconductivity at any temperature",
    "below_range": r"$T_c$ below {limit} K, the lowest searched",
    "invalid": r"$\mu^*$ has no value on the scale of the phonons",
}
"""What a spectrum without a positive Tc has instead."""


def plot_eliashberg(curves: EliashbergCurves, title: str) -> Figure:
    """Draw what the Eliashberg equations say of one spectrum at one mu*.

    Parameters
    ----------
    curves
        What was computed.
    title
        What the spectrum is.

    Returns
    -------
    Figure
        a2F with the running lambda and dTc/da2F against omega in meV (THz above), Delta in meV against T in K, and
        N/N(0) against omega in meV. A panel without content says why; without a Tc there is a2F alone.
    """
    with figure_style():
        if curves.solution.status.value in WITHOUT_TC:
            figure = Figure(figsize=SIZE_WITHOUT_TC)
            _draw_spectrum(figure.subplots(), curves.spectrum)
        else:
            figure = Figure(figsize=SIZE_INCHES)
            spectrum, gap, derivative, density = figure.subplots(2, 2).ravel()
            _draw_spectrum(spectrum, curves.spectrum)
            _draw_gap(gap, curves)
            _draw_derivative(derivative, curves)
            _draw_density(density, curves)
        figure.suptitle(f"{title.replace('$', chr(92) + '$')}\n{_headline(curves)}")
    return figure


def _headline(curves: EliashbergCurves) -> str:
    solution = curves.solution
    place = "" if solution.reference_mev is None else f" at {solution.reference_mev:.3g} meV"
    result = WITHOUT_TC.get(solution.status.value, "").format(limit=_number(lowest_tc_kelvin(curves.spectrum), 3))
    result = result or rf"$T_c$ = {_number(solution.tc_kelvin or np.nan, 4)} K"
    return rf"$\lambda$ = {_number(solution.lam, 3)},  $\mu^*$ = {solution.mu_star:.3g}{place}:  {result}"


def _number(value: float, digits: int) -> str:
    """A number with a true minus sign, and a power of ten instead of an e."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    power = rf" \times 10^{{{int(exponent)}}}" if exponent else ""
    return f"${mantissa}{power}$" if power or value < 0 else mantissa


def _draw_spectrum(axes: Axes, spectrum: Alpha2F) -> None:
    omega = spectrum.omega_mev
    axes.fill_between(omega, spectrum.alpha2f, color=BLUE, alpha=0.3, linewidth=0)
    axes.plot(omega, spectrum.alpha2f, color=BLUE, label=r"$\alpha^2F$")
    right = axes.twinx()
    right.plot(omega, spectrum.running_lambda(), color=ORANGE, label=r"$\lambda(\omega)$")
    for name, value, style in (("log", spectrum.omega_log_mev, "--"), ("2", spectrum.omega_2_mev, ":")):
        if np.isfinite(value):
            text = rf"$\omega_\mathrm{{{name}}}$ = {frequency(value)}"
            axes.axvline(value, ymax=0.8, color=GREEN, linestyle=style, linewidth=1.1, label=text)  # below the legend
    _frequency_axis(axes, omega[-1])
    axes.set_ylim(0, 1.32 * float(spectrum.alpha2f.max()) or 1)  # room for the legend
    right.set_ylim(0, 1.32 * spectrum.lam or 1)
    axes.set_ylabel(r"$\alpha^2F(\omega)$ (dimensionless)", color=BLUE)
    right.set_ylabel(r"running $\lambda(\omega)$ (dimensionless)", color=ORANGE)
    handles = [handle for one in (axes, right) for handle in one.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, loc="upper left", ncols=2)


def _frequency_axis(axes: Axes, highest_mev: float, lowest_mev: float = 0.0) -> None:
    if lowest_mev > 0:
        axes.set_xscale("log")
    axes.set_xlim(lowest_mev, highest_mev)
    axes.set_xlabel(FREQUENCY)
    scaled_axis(axes, THZ_MEV, r"$\nu$ (THz)")


def _draw_gap(axes: Axes, curves: EliashbergCurves) -> None:
    axes.set_xlabel(r"$T$ (K)")
    axes.set_ylabel(r"$\Delta(i\pi k_BT)$ (meV)")
    tc = curves.solution.tc_kelvin
    if curves.gap_mev is None or curves.temperature_kelvin is None or not tc:
        _say_why(axes, "the iteration of a gap failed")
        return
    coldest, gap = curves.temperature_kelvin[0], curves.gap_mev[0]
    label = rf"$\Delta$ = {_number(gap, 4)} meV at {_number(coldest, 2)} K"
    axes.plot(curves.temperature_kelvin, curves.gap_mev, "o-", color=BLUE, markersize=3, label=label)
    axes.axvline(tc, color=GREEN, linestyle="--", linewidth=1.1, label=rf"$T_c$ = {_number(tc, 4)} K")
    axes.set_xlim(0, 1.06 * tc)
    axes.set_ylim(0, 1.15 * float(curves.gap_mev.max()))
    axes.legend(loc="lower left")


def _draw_derivative(axes: Axes, curves: EliashbergCurves) -> None:
    axes.set_ylabel(r"$\delta T_c/\delta\alpha^2F$ (K/meV)", color=GREEN)
    found = curves.sensitivity
    if found.dtc_dalpha2f is None or found.isotope_coefficient is None or found.dtc_dmu_star is None:
        _say_why(axes, "not computed")
        return
    omega, values = np.append(0.0, found.omega_mev), np.append(0.0, found.dtc_dalpha2f)
    highest_mev, peak_mev = curves.spectrum.omega_mev[-1], omega[np.argmax(values)]
    _frequency_axis(axes, highest_mev, peak_mev / LOG_RANGE if peak_mev < LOW_MAXIMUM * highest_mev else 0.0)
    slope = _number(found.dtc_dmu_star, 3)
    label = rf"isotope coefficient {_number(found.isotope_coefficient, 3)}, $dT_c/d\mu^*$ = {slope} K"
    axes.fill_between(omega, values, color=GREEN, alpha=0.2, linewidth=0)
    axes.plot(omega, values, color=GREEN, label=label)
    height = float(values.max())
    shape = curves.spectrum.alpha2f * (0.5 * height / float(curves.spectrum.alpha2f.max()))
    axes.plot(curves.spectrum.omega_mev, shape, color=SKY, linewidth=0.9, label=r"$\alpha^2F$, scaled to compare")
    axes.set_ylim(0, 1.32 * height)
    axes.legend(loc="upper left")


def _draw_density(axes: Axes, curves: EliashbergCurves) -> None:
    axes.set_xlabel(FREQUENCY)
    axes.set_ylabel(r"$N(\omega)/N(0)$ (dimensionless)")
    real, tc = curves.real_axis, curves.solution.tc_kelvin
    if real is None or real.gap_edge_mev is None or not tc:
        weak = tc is not None and is_weak(curves.spectrum, tc)
        _say_why(axes, TOO_WEAK if weak else "too small beside the phonons to be resolved")
        return
    edge = real.gap_edge_mev
    energy, density = real.omega_mev, real.density_of_states
    images = edge > SMALL_GAP * curves.spectrum.omega_max_mev
    shown = energy <= (ENERGY_RANGE * (edge + curves.spectrum.omega_max_mev) if images else GAPS_SHOWN * edge)
    axes.axhline(1.0, color=INK, linewidth=0.5)
    label = rf"at {COLD:g} $T_c$, through a Lorentzian of {_number(real.height_mev, 2)} meV"
    axes.plot(energy[shown], density[shown], color=BLUE, label=label)
    ideal = np.sqrt(np.maximum(1 - (edge / np.maximum(energy, edge * (1 + 1e-9))) ** 2, 0))
    visible = shown & (energy > edge) & (ideal > 1 / HIGHEST_DENSITY)
    axes.plot(energy[visible], 1 / ideal[visible], color=SKY, linewidth=0.9, label="constant gap (BCS)")
    text = (
        rf"gap edge {_number(edge, 4)} meV,"
        + "\n"
        + rf"$2\Delta/k_BT_c$ = {2 * edge / (tc * KELVIN_MEV):.3f} (BCS 3.528)"
    )
    axes.axvline(edge, color=GREEN, linestyle="--", linewidth=1.1, label=text)
    axes.set_xlim(0, energy[shown][-1])
    axes.set_ylim(0, HIGHEST_DENSITY)
    axes.legend(loc="lower right")  # below 1, where nothing lies beyond the edge


def _say_why(axes: Axes, text: str) -> None:
    """Leave a panel empty, without numbers on its axes that would mean nothing."""
    axes.text(0.5, 0.5, text, color=VERMILION, ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
