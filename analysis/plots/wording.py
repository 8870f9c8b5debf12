"""Numbers of the documents in words, the same in figures, tables and pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from hightc.analysis.documents import CriticalTemperature, TcDocument
from hightc.analysis.documents.alpha2f import Route
from hightc.analysis.documents.tc import Method
from hightc.analysis.parsers.units import KELVIN_MEV

TcKind = Literal["number", "zero", "below-range", "undefined", "missing"]

METHODS: Final[dict[Method, str]] = {
    "mcmillan": "McMillan",
    "allen_dynes": "Allen-Dynes",
    "xie_2019": "Xie 2019",
    "xie_2022": "Xie 2022",
    "eliashberg": "Eliashberg",
}
"""Name of each method, in the order shown."""

MEANINGS: Final[dict[TcKind, tuple[str, str]]] = {
    "zero": ("none (0 K)", "the method finds no superconductivity at any temperature"),
    "below-range": ("below range", "a Tc exists, under the lowest temperature searched"),
    "undefined": ("undefined", "the method has no meaning for this spectrum and mu*"),
    "missing": ("not computed", "nobody asked this method"),
}
"""Words for what is not a positive number, and what they mean."""

ROUTES: Final[dict[Route, str]] = {"linear_response": "linear response", "wannier": "Wannier"}
"""Name of each route, in the order they are computed."""

SMALLEST_KELVIN: Final = 1e-3
"""Smaller temperatures are written as a bound: no experiment reaches them, and rounded they would read as zero."""


def kelvin(value: float) -> str:
    """Write a temperature in K so that a small one never reads as zero.

    Parameters
    ----------
    value
        Temperature in K, not negative.
    """
    if value == 0:
        return "0"
    if value < SMALLEST_KELVIN:
        return f"<{SMALLEST_KELVIN:g}"
    decimals = next((count for limit, count in ((100, 0), (10, 1), (0.1, 2)) if value >= limit), 3)
    return f"{value:.{decimals}f}"


def numerical_error(entry: CriticalTemperature | None) -> str | None:
    """Write the numerical error of Tc in K where it reaches the last digit shown; else None.

    Parameters
    ----------
    entry
        The entry; None if it was not computed.
    """
    if entry is None or not entry.tc_kelvin or entry.error_estimate_kelvin is None:
        return None
    digits = kelvin(entry.tc_kelvin).partition(".")[2]
    shown = entry.tc_kelvin >= SMALLEST_KELVIN and entry.error_estimate_kelvin >= 0.5 * 10.0 ** -len(digits)
    return f"{entry.error_estimate_kelvin:.1g}" if shown else None


def interval(low: str, high: str, dash: str) -> str:
    """Write an interval, or one number if both ends read the same.

    Parameters
    ----------
    low, high
        Its ends.
    dash
        What stands between them.
    """
    return low if low == high else f"{low}{dash}{high}"


def tc_kind(entry: CriticalTemperature | None) -> TcKind:
    """What kind of answer an entry is.

    Parameters
    ----------
    entry
        The entry; None if it was not computed.
    """
    if entry is None:
        return "missing"
    kinds: dict[str, TcKind] = {"no_superconductivity": "zero", "below_range": "below-range", "found": "number"}
    return kinds.get(entry.status, "undefined")


def tc_text(entry: CriticalTemperature | None, dash: str = "-", *, route: Route | None = None) -> str:
    """Write Tc in K with its interval over the smearing plateau, or why there is no number.

    Parameters
    ----------
    entry
        The entry; None if it was not computed.
    dash
        What stands between the ends of an interval.
    route
        Route of its document: by Wannier functions there is one smearing, and no interval is missed.
    """
    kind = tc_kind(entry)
    if entry is None or entry.tc_kelvin is None or kind not in ("number", "zero"):
        return MEANINGS.get(kind, MEANINGS["undefined"])[0]
    text = kelvin(entry.tc_kelvin) if kind == "number" else MEANINGS["zero"][0]
    if entry.low_kelvin is None or entry.high_kelvin is None:
        return f"{text} (no interval)" if kind == "number" and route != "wannier" else text
    if kind == "zero" and entry.high_kelvin == 0:
        return text
    return f"{text} ({interval(kelvin(entry.low_kelvin), kelvin(entry.high_kelvin), dash)})"


def tc_range(document: TcDocument | None, method: Method, dash: str = "-") -> str:
    """Write the range of Tc in K by one method over every mu* and the plateau.

    Parameters
    ----------
    document
        Critical temperatures; None if there are none.
    method
        Formula or theory.
    dash
        What stands between the ends.
    """
    entries = [entry for entry in document.critical_temperatures if entry.method == method] if document else []
    if not entries:
        return MEANINGS["missing"][0]
    candidates = [value for entry in entries for value in (entry.tc_kelvin, entry.low_kelvin, entry.high_kelvin)]
    values = [value for value in candidates if value is not None]
    silent = list(dict.fromkeys(tc_text(entry) for entry in entries if entry.tc_kelvin is None))
    if not values or not any(values):
        return " / ".join([*silent, *([MEANINGS["zero"][0]] if values else [])])
    text = f"{interval(kelvin(min(values)), kelvin(max(values)), dash)} K"
    return f"{text}, else {' / '.join(silent)}" if silent else text


def coupling(value: float) -> str:
    """Write lambda.

    Parameters
    ----------
    value
        Electron-phonon coupling.
    """
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def coupling_range(document: TcDocument, dash: str = "-") -> str:
    """Write lambda with its spread over the plateau; by Wannier functions there is one smearing.

    Parameters
    ----------
    document
        Critical temperatures.
    dash
        What stands between the ends.
    """
    if document.route == "wannier":
        return coupling(document.lambda_)
    if not document.plateau_smearing_ev:
        return f"{coupling(document.lambda_)} (no plateau)"
    return f"{coupling(document.lambda_)} ({coupling(document.lambda_low)}{dash}{coupling(document.lambda_high)})"


def frequency(value_mev: float | None) -> str:
    """Write a frequency in K and meV.

    Parameters
    ----------
    value_mev
        Frequency in meV; None if it does not exist.
    """
    return "undefined" if value_mev is None else f"{value_mev / KELVIN_MEV:.0f} K ({value_mev:.3g} meV)"


def plateau_text(document: TcDocument, relative_spread: float | None, dash: str = "-") -> str:
    """Write which smearing was used, and how far lambda holds still around it.

    Parameters
    ----------
    document
        Critical temperatures.
    relative_spread
        (highest - lowest)/mean of lambda over the plateau; None if unknown.
    dash
        What stands between the ends of an interval.
    """
    chosen, widths = f"{document.smearing_ev:.3f} eV", document.plateau_smearing_ev
    if document.route == "wannier":
        return f"{chosen}, on fine meshes"
    if not widths:
        return f"{chosen}, no plateau: lambda does not settle"
    varies = "" if relative_spread is None else f", lambda varies by {100 * relative_spread:.0f} %"
    return f"{chosen}, plateau {min(widths):.3f}{dash}{max(widths):.3f} eV ({len(widths)} smearings{varies})"


def mesh_text(mesh: Sequence[int], times: str = "x") -> str:
    """Write a mesh of points.

    Parameters
    ----------
    mesh
        Points along each reciprocal lattice vector.
    times
        What stands between the numbers.
    """
    return times.join(str(number) for number in mesh)
