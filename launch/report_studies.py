"""What terminal and page say of magnetic softness, nesting and spin susceptibility."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from hightc.analysis.documents import (
    FermiDocument,
    MagnetismDocument,
    PairingChannel,
    Softness,
    StonerEstimate,
    SusceptibilityPeak,
    TcDocument,
)
from hightc.analysis.magnetic_rows import MOMENT_GONE_BOHR_MAGNETON
from hightc.analysis.plots.wording import interval, kelvin, mesh_text
from hightc.analysis.spin_fluctuations import LOWEST_KELVIN

Lines = list[tuple[str, str]]

MOST_ESTIMATES: Final = 3
"""Stoner parameters and pairing channels that are written out."""

INTERBAND: Final = {"removed": "without interband background", "constant": "constant matrix elements"}
"""What the bare susceptibility of an estimate holds."""

SMALLEST_ERROR: Final = 1e-6
"""Errors of a softness below it, in 1/GPa, are written like it."""


def softness_text(softness: Softness | None) -> str:
    """Write -d ln|m|/dP with its error.

    Parameters
    ----------
    softness
        At one pressure; None if the document has none.
    """
    if softness is None or softness.value_per_gpa is None:
        return "not determined"
    if softness.error_per_gpa is None:
        return f"{softness.value_per_gpa:.2g} per GPa"
    decimals = max(0, 1 - math.floor(math.log10(max(softness.error_per_gpa, SMALLEST_ERROR))))
    return f"{softness.value_per_gpa:.{decimals}f} +/- {softness.error_per_gpa:.{decimals}f} per GPa"


def softness_lines(document: MagnetismDocument) -> Lines:
    """Facts of a MagnetismDocument by name.

    Parameters
    ----------
    document
        The document.
    """
    lines = [("verdict", f"{document.softness_class}: {document.softness_reason}")]
    lines += [
        (f"softness at {item.pressure_gpa:.3g} GPa", softness_text(item) + (f": {item.reason}" if item.reason else ""))
        for item in document.softness
    ]
    lines += [
        (f"{curve.order} collapses", _collapse(curve.collapse_bracket_gpa))
        for curve in document.curves
        if any(moment > MOMENT_GONE_BOHR_MAGNETON for moment in curve.moment_bohr_magneton_per_atom)
    ]
    if document.ground_states:
        lines.append(("lowest enthalpy", "; ".join(_ground_states(document))))
    if document.stoner_product is not None:
        source = f"I = {document.stoner_parameter_ev:.3g} eV, {document.stoner_parameter_source}"
        lines.append(("Stoner product", f"I N(E_F) = {document.stoner_product:.2f} ({source}); 1 is the instability"))
    lines.append(("rungs", _rungs(document)))
    return lines


def _collapse(bracket_gpa: tuple[float, float] | None) -> str:
    if bracket_gpa is None:
        return "not on the ladder"
    return f"between {bracket_gpa[0]:.3g} and {bracket_gpa[1]:.3g} GPa"


def _ground_states(document: MagnetismDocument) -> Iterator[str]:
    """Each order with the pressures over which it is lowest."""
    states = document.ground_states
    first = 0
    for index, state in enumerate(states):
        if index + 1 == len(states) or states[index + 1].order != state.order:
            span = interval(f"{states[first].pressure_gpa:.3g}", f"{state.pressure_gpa:.3g}", " to ")
            yield f"{state.order} at {span} GPa"
            first = index + 1


def _rungs(document: MagnetismDocument) -> str:
    counts = Counter(state.status for state in document.states)
    text = f"{counts['converged']} of {len(document.states)} calculations converged"
    failed = [f"{state.order}: {state.reason}" for state in document.states if state.status == "failed"]
    return "; ".join((text, *failed))


def nesting_lines(document: FermiDocument) -> Lines:
    """Facts of a FermiDocument by name.

    Parameters
    ----------
    document
        The document.
    """
    mesh = mesh_text(document.fine_mesh)
    if document.fine_mesh != document.k_mesh:
        mesh += f", interpolated from {mesh_text(document.k_mesh)}"
        if document.interpolation_error_mev is not None:
            mesh += f" (bands left out are met within {document.interpolation_error_mev:.2g} meV)"
    lines = [
        ("nesting peak", peak_text(document.nesting_peaks[0]) if document.nesting_peaks else "none but q = 0"),
        ("susceptibility peak", peak_text(document.chi0_peaks[0]) if document.chi0_peaks else "none"),
        ("N(E_F)", f"{document.dos_per_ev_spin_cell:.3g} states/eV/spin/cell"),
        ("k mesh", mesh),
        ("meshes", document.convergence_reason),
    ]
    lines += [
        (f"RPA, I = {estimate.stoner_ev:.3g} eV, {INTERBAND[estimate.interband]}", stoner_text(estimate))
        for estimate in document.stoner[:MOST_ESTIMATES]
    ]
    pairing = "; ".join(channel_text(channel) for channel in document.pairing[:MOST_ESTIMATES])
    if pairing or document.pairing_reason:
        lines.append(("spin-fluctuation pairing", pairing or str(document.pairing_reason)))
    return [*lines, ("caveat", document.caveat)]


def peak_text(peak: SusceptibilityPeak) -> str:
    """Write where a peak is and how high it stands.

    Parameters
    ----------
    peak
        The peak.
    """
    q = ", ".join(f"{value:.3f}" for value in peak.q_fractional)
    line = f" ({peak.path_label} at {peak.path_fraction:.3f})" if peak.path_fraction is not None else ""
    return f"q = ({q}){line}, {peak.over_mean:.2f} times the mean"


def stoner_text(estimate: StonerEstimate) -> str:
    """Write what RPA gives with one Stoner parameter.

    Parameters
    ----------
    estimate
        The estimate.
    """
    products = f"I N(E_F) = {estimate.product_uniform:.2f}, I chi0 = {estimate.product_peak:.2f} at its peak"
    if estimate.enhancement_uniform is None or estimate.enhancement_peak is None:
        return f"{products}: ordered, RPA has no paramagnet here ({estimate.source})"
    parts = [products, f"enhanced {estimate.enhancement_uniform:.2f} and {estimate.enhancement_peak:.2f} times"]
    if estimate.correlation_length_angstrom is not None:
        parts.append(f"correlation length {estimate.correlation_length_angstrom:.2g} Angstrom")
    if estimate.lambda_sf_low is not None and estimate.lambda_sf_high is not None:
        parts.append(f"lambda_sf {estimate.lambda_sf_low:.2f}-{estimate.lambda_sf_high:.2f}")
    return "; ".join(parts) + f" ({estimate.source})"


def channel_text(channel: PairingChannel) -> str:
    """Write one pairing channel.

    Parameters
    ----------
    channel
        The channel.
    """
    times = f", {channel.degeneracy}-fold" if channel.degeneracy > 1 else ""
    return f"{channel.spin} {channel.symmetry} {channel.eigenvalue:.3g}{times}"


def verdict_text(magnetism: MagnetismDocument | None, fermi: FermiDocument | None) -> str:
    """Write what the studies beside Tc found, in one line; empty if there is none.

    Parameters
    ----------
    magnetism, fermi
        The documents.
    """
    parts = []
    if magnetism is not None:
        parts.append(
            f"{magnetism.softness_class} magnet" if magnetism.softness_class != "nonmagnetic" else "nonmagnetic"
        )
    if fermi is not None and fermi.nesting_peaks:
        parts.append(f"nesting {peak_text(fermi.nesting_peaks[0])}")
    return "; ".join(parts)


def fluctuation_lines(document: TcDocument | None) -> Lines:
    """Facts of what fluctuations of the spin may do to a Tc; empty for materials without open d shells.

    Parameters
    ----------
    document
        Critical temperatures; None if there are none.
    """
    found = document.spin_fluctuations if document else None
    if found is None:
        return []
    if found.stoner_product is None:
        return [("spin fluctuations", f"may lower Tc: {found.reason}")]
    parts = [f"I N(E_F) = {found.stoner_product:.2f}"]
    if found.lambda_sf_low is not None and found.lambda_sf_high is not None:
        parts.append(f"lambda_sf {found.lambda_sf_low:.2f}-{found.lambda_sf_high:.2f}")
    if found.reason:
        parts.append(found.reason)
    text = f"Tc {fluctuation_range(document)} at mu* {found.mu_star:.2f} with them ({'; '.join(parts)})"
    return [("spin fluctuations", text)]


def fluctuation_range(document: TcDocument | None) -> str:
    """Write the interval of Tc with fluctuations of the spin; empty where it was not estimated.

    Parameters
    ----------
    document
        Critical temperatures; None if there are none.
    """
    found = document.spin_fluctuations if document else None
    if found is None or found.stoner_product is None:
        return ""
    ends = [
        _end(status, value)
        for status, value in ((found.low_status, found.tc_low_kelvin), (found.high_status, found.tc_high_kelvin))
    ]
    return "unknown" if None in ends else f"{interval(str(ends[0]), str(ends[1]), '-')} K"


def _end(status: str | None, tc_kelvin: float | None) -> str | None:
    if status == "below_range":
        return f"<{LOWEST_KELVIN:g}"
    return None if tc_kelvin is None else kelvin(tc_kelvin)


def softness_row(document: MagnetismDocument) -> Sequence[str]:
    """One line of the ranking: class, order and moment at ambient pressure, softness there and at the target.

    Parameters
    ----------
    document
        The document.
    """
    ground = document.ambient_state
    state = f"{ground.order}, {ground.moment_bohr_magneton_per_atom:.3f}" if ground else "unknown"
    at = [softness_text(item) for item in document.softness]
    collapse = next((curve.collapse_bracket_gpa for curve in document.curves if curve.collapse_bracket_gpa), None)
    product = "" if document.stoner_product is None else f"{document.stoner_product:.2f}"
    return (
        document.softness_class,
        state,
        at[0] if at else "",
        at[-1] if len(at) > 1 else "",
        _collapse(collapse),
        product,
    )


def nesting_row(document: FermiDocument) -> Sequence[str]:
    """One line of the ranking: where nesting and chi0 peak, N(E_F), product and spin-fluctuation coupling.

    Parameters
    ----------
    document
        The document.
    """
    peaks = [
        peak_text(found[0]) if found else "none but q = 0" for found in (document.nesting_peaks, document.chi0_peaks)
    ]
    first = document.stoner[0] if document.stoner else None
    product = f"{first.product_peak:.2f}" if first else ""
    known = first is not None and first.lambda_sf_low is not None
    coupling = f"{first.lambda_sf_low:.2f}-{first.lambda_sf_high:.2f}" if first and known else ""
    return *peaks, f"{document.dos_per_ev_spin_cell:.3g}", product, coupling


def softness_key(document: MagnetismDocument | None) -> tuple[bool, float]:
    """Sort the softest first; what is not determined comes last.

    Parameters
    ----------
    document
        The document; None if there is none.
    """
    found = [item.value_per_gpa for item in document.softness if item.value_per_gpa is not None] if document else []
    return not found, -found[0] if found else 0.0
