"""One line of the table of materials: what is sorted, filtered and shown, where the campaign knows it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from markupsafe import Markup
from pymatgen.core import Structure

from hightc.analysis.documents import CouplingDocument, GateDecisionDocument, StructureDocument, TcDocument
from hightc.analysis.documents.tc import Method
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.analysis.plots.wording import ROUTES, coupling_range, tc_text
from hightc.launch.report import DASH, symbols
from hightc.launch.report_studies import softness_text
from hightc.launch.results import MaterialResult
from hightc.launch.stored_words import redact

Cell = str | list[Any] | None
"""A text; or a number with its text and, where there is an interval, its ends; None where nothing is known."""

Kind = Literal["text", "number"]

LONGEST_REASON: Final = 300
MINUS: Final = "−"  # noqa: RUF001 - a minus sign


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Attributes
    ----------
    key
        Its name in files that the page writes, with the unit.
    heading
        What stands above it.
    unit
        What stands below that, in small letters.
    kind
        How it is sorted and written.
    title
        What it is, in a few words.
    """

    key: str
    heading: Markup
    unit: str
    kind: Kind
    title: str


_TC: Final = "<i>T</i><sub>c</sub>"
_DENSITY: Final = "<i>N</i>(<i>E</i><sub>F</sub>)"

_LISTED: Final[tuple[tuple[str, str, str, Kind, str], ...]] = (
    ("material", "Material", "", "text", "label in the campaign"),
    ("campaign", "Campaign", "", "text", "name of the campaign"),
    ("outcome", "Outcome", "", "text", "answered, gated, failed or unfinished"),
    ("formula", "Formula", "", "text", "reduced formula"),
    ("space_group", "Space group", "", "text", "Hermann-Mauguin symbol"),
    ("pressure_gpa", "<i>P</i>", "GPa", "number", "pressure of the relaxed structure"),
    ("tc_eliashberg_kelvin", f"{_TC} Eliashberg", "K", "number", "at the first mu*, with its range on the plateau"),
    ("tc_allen_dynes_kelvin", f"{_TC} Allen-Dynes", "K", "number", "at the first mu*, with its range on the plateau"),
    ("mu_star", "μ*", "of both", "number", "Coulomb pseudopotential of both Tc"),
    ("lambda", "λ", "", "number", "electron-phonon coupling, with its range on the plateau"),
    ("omega_log_kelvin", "ω<sub>log</sub>", "K", "number", "logarithmic frequency"),
    ("dos_per_ev_spin_cell", _DENSITY, "1/eV/spin/cell", "number", "states/eV/spin/cell"),
    ("route", "Route", "", "text", "how the coupling was summed"),
    ("stability", "Phonons", "", "text", "stable, marginal or unstable"),
    ("lowest_frequency_mev", "Lowest ω", "meV", "number", "negative means imaginary"),
    ("softness_class", "Magnetism", "", "text", "class of the magnetic softness"),
    ("softness_per_gpa", "Softness", "1/GPa", "number", "-d ln|m|/dP of the order of lowest enthalpy"),
    ("stoner_product", f"<i>I</i> {_DENSITY}", "", "number", "Stoner product without moments"),
    ("nesting_over_mean", "Nesting", "peak/mean", "number", "height of the strongest nesting peak over the mean"),
    ("reason", "Why not", "", "text", "why there is no answer, or what it lacks"),
)

COLUMNS: Final = tuple(
    Column(key, Markup(heading), unit, kind, title)  # noqa: S704 - our own
    for key, heading, unit, kind, title in _LISTED
)


def row_of(result: MaterialResult, address: str) -> dict[str, Any]:
    """Make the line of a material.

    Parameters
    ----------
    result
        The material.
    address
        Its page, relative to the table.

    Returns
    -------
    dict
        ``cells``, a :data:`Cell` for each of :data:`COLUMNS`, ``elements`` and ``address``.
    """
    cells = {**_identity(result), **_superconductivity(result), **_lattice(result), **_studies(result)}
    composition = _structure(result).composition
    return {
        "cells": [cells.get(column.key) for column in COLUMNS],
        "elements": sorted(element.symbol for element in composition.elements),
        "address": address,
    }


def _relaxed(result: MaterialResult) -> StructureDocument | None:
    found = result.documents.get("structure", ())
    return found[-1] if found and isinstance(found[-1], StructureDocument) else None


def _structure(result: MaterialResult) -> Structure:
    relaxed = _relaxed(result)
    return relaxed.structure if relaxed else result.submission.material.structure


def _identity(result: MaterialResult) -> dict[str, Cell]:
    relaxed = _relaxed(result)
    pressure = None if relaxed is None else round(relaxed.pressure_gpa, 2) + 0.0
    reason = redact(result.reason or "")[:LONGEST_REASON]
    return {
        "material": result.label,
        "campaign": result.submission.material.tag.campaign,
        "outcome": result.outcome.value,
        "formula": _structure(result).composition.reduced_formula,
        "space_group": relaxed.space_group if relaxed else _space_group(_structure(result)),
        "pressure_gpa": _number(pressure, "%.2f"),
        "reason": symbols(reason) or None,
    }


def _space_group(structure: Structure) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return str(structure.get_space_group_info()[0])


def _superconductivity(result: MaterialResult) -> dict[str, Cell]:
    tc = result.tc
    if tc is None:
        return {"dos_per_ev_spin_cell": _density(result)}
    mu_star = result.submission.material.mu_star[0]
    interval = [tc.lambda_low, tc.lambda_high] if tc.plateau_smearing_ev and tc.route != "wannier" else []
    kelvin = None if tc.omega_log_mev is None else tc.omega_log_mev / KELVIN_MEV
    return {
        "tc_eliashberg_kelvin": _temperature(tc, "eliashberg", mu_star),
        "tc_allen_dynes_kelvin": _temperature(tc, "allen_dynes", mu_star),
        "mu_star": _number(mu_star, "%.2f"),
        "lambda": [tc.lambda_, coupling_range(tc, DASH), *interval],
        "omega_log_kelvin": _number(kelvin, "%.0f"),
        "dos_per_ev_spin_cell": _density(result),
        "route": ROUTES[tc.route or "linear_response"],
    }


def _temperature(document: TcDocument, method: Method, mu_star: float) -> Cell:
    entry = document.find(method, mu_star)
    if entry is None:
        return None
    ends = [] if entry.low_kelvin is None or entry.high_kelvin is None else [entry.low_kelvin, entry.high_kelvin]
    return [entry.tc_kelvin, tc_text(entry, DASH, route=document.route), *ends]


def _density(result: MaterialResult) -> Cell:
    """N(E_F) of the spectrum at its chosen smearing, of the Fermi surface, or of the last gate that asked for it."""
    if result.alpha2f is not None:
        return _number(result.alpha2f.dos_per_ev_spin_cell[result.alpha2f.chosen_smearing], "%.3f")
    if result.fermi is not None:
        return _number(result.fermi.dos_per_ev_spin_cell, "%.3f")
    # a gate of the funnel may have stopped it before it had more
    decisions = [found for found in result.documents.get("decision", ()) if isinstance(found, GateDecisionDocument)]
    known = (found.feature("dos_per_ev_spin_cell") for found in reversed(decisions))
    return _number(next((value for value in known if value is not None), None), "%.3f")


def _lattice(result: MaterialResult) -> dict[str, Cell]:
    if result.phonon is not None:
        lowest = round(result.phonon.lowest_frequency_mev, 2) + 0.0
        return {"stability": result.phonon.stability, "lowest_frequency_mev": _number(lowest, "%.2f")}
    found = result.documents.get("coupling", ())
    if not found or not isinstance(found[-1], CouplingDocument):
        return {}
    unstable = any(gate.name == "stable" and not gate.passed for gate in found[-1].gates)
    lowest = round(found[-1].lowest_frequency_mev, 2) + 0.0
    return {"stability": "unstable" if unstable else None, "lowest_frequency_mev": _number(lowest, "%.2f")}


def _studies(result: MaterialResult) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    if result.magnetism is not None:
        first = result.magnetism.softness[0] if result.magnetism.softness else None
        cells["softness_class"] = result.magnetism.softness_class
        if first is not None and first.value_per_gpa is not None:
            text = symbols(softness_text(first)).removesuffix(" per GPa")
            cells["softness_per_gpa"] = [first.value_per_gpa, text, *_ends(first.value_per_gpa, first.error_per_gpa)]
        cells["stoner_product"] = _number(result.magnetism.stoner_product, "%.2f")
    if result.fermi is not None and result.fermi.nesting_peaks:
        cells["nesting_over_mean"] = _number(result.fermi.nesting_peaks[0].over_mean, "%.2f")
    return cells


def _ends(value: float, error: float | None) -> Sequence[float]:
    return () if error is None else (value - error, value + error)


def _number(value: float | None, layout: str) -> Cell:
    return None if value is None else [value, (layout % value).replace("-", MINUS)]
