"""Interactive figures of spectral functions and phonons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from hightc.analysis.documents import Alpha2FDocument, PhononBandsDocument, PhononDocument, TcSensitivity
from hightc.analysis.documents.alpha2f import Route
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.analysis.plots.wording import ROUTES, coupling
from hightc.analysis.spectral_function import document_spectrum
from hightc.launch.report_site.traces import (
    OMEGA,
    Figure,
    Trace,
    band,
    broken,
    curve,
    figure,
    path_axis,
    points,
)

HEADROOM: Final = 1.6
"""Highest lambda shown at first over the highest of the trusted smearings."""

NOISE: Final = 0.005
"""Share of the highest frequency below which a negative one is rounding of the acoustic modes at Gamma."""

ALPHA2F: Final = "α²F"  # noqa: RUF001 - the field's letters
SIGMA: Final = "σ"  # noqa: RUF001

COLORS: Final[dict[Route, str]] = {"linear_response": "blue", "wannier": "vermilion"}


def alpha2f_figure(document: Alpha2FDocument, sensitivity: TcSensitivity | None) -> Figure:
    """Draw alpha2F at the chosen smearing over the range of the plateau, the running lambda, and dTc/dalpha2F.

    Parameters
    ----------
    document
        The spectral function.
    sensitivity
        Derivatives of its Tc; None leaves that panel out.
    """
    spectrum = document_spectrum(document)
    omega, chosen = list(document.omega_mev), np.array(document.alpha2f[document.chosen_smearing])
    width = document.smearing_ev[document.chosen_smearing]
    derivative = sensitivity.dtc_dalpha2f_kelvin_per_mev if sensitivity else None
    floor = 0.34 if derivative is not None else 0.0
    data = [*_plateau(document)]
    name = f"{ALPHA2F} at {SIGMA} = {width:.3f} eV"
    data.append(curve("@x", np.maximum(chosen, 0).tolist(), name, "blue", fill="tozeroy", fillcolor="@blue/0.2"))
    if (chosen < 0).any():
        negative = np.minimum(chosen, 0).tolist()
        data.append(curve("@x", negative, "negative, set to zero", "vermilion", fill="tozeroy"))
    running = spectrum.running_lambda().tolist()
    data.append(curve(list(spectrum.omega_mev), running, "running λ(ω)", "orange", yaxis="y2"))
    data += _means(document, 1.04 * float(max(chosen.max(), 1e-12)))
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": OMEGA}, "range": [0, omega[-1]], "anchor": "y3" if derivative is not None else "y"},
        "yaxis": {"title": {"text": f"{ALPHA2F}(ω)"}, "domain": [floor, 1], "rangemode": "tozero"},
        "yaxis2": {
            "title": {"text": "λ(ω)"},
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "tickmode": "auto",
            "rangemode": "tozero",
        },
    }
    if sensitivity is not None and derivative is not None:
        name = f"δT<sub>c</sub>/δ{ALPHA2F} at μ* {sensitivity.mu_star:.2f}"
        data.append(curve("@x", derivative, name, "green", yaxis="y3", fill="tozeroy", fillcolor="@green/0.2"))
        title = f"δT<sub>c</sub>/δ{ALPHA2F}<br>(K/meV)"
        layout["yaxis3"] = {"title": {"text": title}, "domain": [0, floor - 0.06], "rangemode": "tozero"}
    return figure(data, layout, {"x": omega})


def _plateau(document: Alpha2FDocument) -> list[Trace]:
    if len(document.plateau.indices) < 2:
        return []
    spectra = np.array([document.alpha2f[index] for index in document.plateau.indices])
    still = {"line": {"width": 0}, "hoverinfo": "skip", "legendgroup": "plateau"}
    low = curve("@x", spectra.min(axis=0).tolist(), "", "sky", showlegend=False, **still)
    high = curve("@x", spectra.max(axis=0).tolist(), "range over the plateau", "sky", **still)
    return [low, high | {"fill": "tonexty", "fillcolor": "@sky/0.45"}]


def _means(document: Alpha2FDocument, top: float) -> Iterator[Trace]:
    """Lines of the mean frequencies, with their values in the legend."""
    for name, value, dash in (
        ("ω<sub>log</sub>", document.chosen.omega_log_mev, "dash"),
        ("ω<sub>2</sub>", document.chosen.omega_2_mev, "dot"),
    ):
        if value is not None:
            text = f"{name} = {value:.3g} meV ({value / KELVIN_MEV:.0f} K)"
            yield curve([value, value], [0, top], text, "green", line={"width": 1.2, "dash": dash})


def smearing_figure(document: Alpha2FDocument) -> Figure:
    """Draw lambda against the smearing: recomputed, as printed, and as summed over the computed q points.

    Parameters
    ----------
    document
        The spectral function.
    """
    order = np.argsort(document.smearing_ev).tolist()
    widths = [document.smearing_ev[index] for index in order]
    moments = [document.moments[index] for index in order]
    recomputed = [entry.lambda_ for entry in moments]
    data = [curve(widths, recomputed, "recomputed from the clipped spectrum", "blue", mode="lines+markers")]
    for name, values, symbol, color in (
        ("as printed by the code", [entry.lambda_printed for entry in moments], "x-thin", "vermilion"),
        ("direct sum over q", [entry.lambda_q_sum for entry in moments], "square-open", "green"),
    ):
        if any(value is not None for value in values):
            data.append(
                points(widths, values, name, color, symbol, marker={"line": {"width": 2, "color": f"@{color}"}})
            )
    chosen = document.smearing_ev[document.chosen_smearing]
    name = f"chosen: λ = {document.chosen.lambda_:.3f} at {chosen:.3f} eV"
    ring = {"size": 14, "line": {"width": 2}}
    data.append(points([chosen], [document.chosen.lambda_], name, "orange", "circle-open", marker=ring))
    indices = document.plateau.indices
    trusted = [document.moments[index].lambda_ for index in indices] or recomputed[len(recomputed) // 2 :]
    top = HEADROOM * max(*trusted, document.chosen.lambda_, 1e-12)
    within = [document.smearing_ev[index] for index in indices]
    note = {"text": "no plateau: λ does not settle", "showarrow": False, "xref": "paper", "yref": "paper"}
    layout = {
        "xaxis": {"title": {"text": f"smearing {SIGMA} (eV)"}, "range": [0, 1.05 * widths[-1]]},
        "yaxis": {"title": {"text": "λ"}, "range": [min(0.0, *recomputed), top]},
        "shapes": [band(min(within), max(within), "sky")] if within else [],
        "annotations": [] if within else [{**note, "x": 0.5, "y": 0.97, "font": {"color": "@vermilion"}}],
    }
    return figure(data, layout)


def routes_figure(documents: Mapping[Route, Alpha2FDocument]) -> Figure:
    """Draw the spectra of both routes, and their running lambda dashed.

    Parameters
    ----------
    documents
        The spectra by route.
    """
    data: list[Trace] = []
    shared: dict[str, list[float]] = {}
    highest = 0.0
    for route, document in documents.items():
        spectrum, color = document_spectrum(document), COLORS[route]
        omega = [float(value) for value in spectrum.omega_mev]
        shared[route] = omega
        name = f"{ROUTES[route]}, {SIGMA} = {document.smearing_ev[document.chosen_smearing]:.3f} eV: λ = "
        name += coupling(spectrum.lam)
        values = np.asarray(spectrum.alpha2f)
        fill = {"fill": "tozeroy", "fillcolor": f"@{color}/0.15"}
        data.append(curve(f"@{route}", values.tolist(), name, color, **fill))
        running = curve(f"@{route}", spectrum.running_lambda().tolist(), f"λ(ω), {ROUTES[route]}", color, yaxis="y2")
        data.append(running | {"line": {"color": f"@{color}", "width": 1.2, "dash": "dash"}, "showlegend": False})
        highest = max(highest, max((w for w, value in zip(omega, values, strict=True) if value > 0), default=omega[-1]))
    right = {"title": {"text": "λ(ω), dashed"}, "overlaying": "y", "side": "right", "showgrid": False}
    layout = {
        "xaxis": {"title": {"text": OMEGA}, "range": [0, 1.03 * highest]},
        "yaxis": {"title": {"text": f"{ALPHA2F}(ω)"}, "rangemode": "tozero"},
        "yaxis2": {**right, "rangemode": "tozero", "tickmode": "auto"},
    }
    return figure(data, layout, shared)


def bands_figure(bands: PhononBandsDocument, dos: PhononDocument | None) -> Figure:
    """Draw phonon bands beside their density of states; what is imaginary lies below zero, shaded.

    Parameters
    ----------
    bands
        Frequencies along the standard path.
    dos
        The density of states; None leaves it out.
    """
    frequencies = np.array(bands.frequencies_mev)
    highest = float(frequencies.max())
    lowest = bands.lowest_frequency_mev if dos is None else min(bands.lowest_frequency_mev, dos.lowest_frequency_mev)
    bottom = 1.15 * lowest if lowest < -NOISE * highest else 0.0
    hover = {"hovertemplate": "%{y:.2f} meV", "showlegend": False}
    data = [
        curve("@q", broken(bands.segments, mode.tolist()), f"mode {number}", "blue", **hover, line={"width": 1.4})
        for number, mode in enumerate(frequencies.T, start=1)
    ]
    path = path_axis(bands.segments, bands.distance_per_angstrom)
    layout: dict[str, Any] = {
        "xaxis": {**path, "domain": [0, 1 if dos is None else 0.76]},
        "yaxis": {"title": {"text": OMEGA}, "range": [bottom, 1.04 * highest]},
        "shapes": [band(bottom, 0, "vermilion", across=True)] if bottom < 0 else [],
        "showlegend": False,
    }
    if dos is not None:
        name, axis = (
            "density of states",
            {"title": {"text": "F (1/meV)"}, "domain": [0.8, 1], "rangemode": "tozero", "nticks": 4},
        )
        fill = {"fill": "tozerox", "fillcolor": "@blue/0.2", "xaxis": "x2"}
        data.append(
            curve(dos.dos_per_mev, dos.omega_mev, name, "blue", **fill, hovertemplate="%{x:.3g} at %{y:.2f} meV")
        )
        layout["xaxis2"] = axis
    return figure(data, layout, {"q": broken(bands.segments, list(bands.distance_per_angstrom))})


def dos_figure(dos: PhononDocument) -> Figure:
    """Draw the phonon density of states; what is imaginary lies left of zero, shaded.

    Parameters
    ----------
    dos
        Interpolated phonons.
    """
    lowest = min(dos.lowest_frequency_mev, dos.omega_mev[0])
    left = 1.15 * lowest if lowest < -NOISE * dos.omega_mev[-1] else 0.0
    layout = {
        "xaxis": {"title": {"text": OMEGA}, "range": [left, dos.omega_mev[-1]]},
        "yaxis": {"title": {"text": "F(ω) (states/meV/cell)"}, "rangemode": "tozero"},
        "shapes": [band(left, 0, "vermilion")] if left < 0 else [],
        "showlegend": False,
    }
    fill = {"fill": "tozeroy", "fillcolor": "@blue/0.2"}
    return figure([curve(dos.omega_mev, dos.dos_per_mev, "density of states", "blue", **fill)], layout)
