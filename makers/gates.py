"""Verdicts that let a material pass or stop it, each with the number behind it."""

from __future__ import annotations

from typing import Any

from jobflow import Response

from hightc.analysis.documents.base import Document, Gate
from hightc.analysis.parsers.units import HARTREE_PER_BOHR_EV_PER_ANGSTROM
from hightc.analysis.stability import StabilityVerdict

METAL_GAP_EV = 0.1
"""Gap below which a material counts as a metal: semilocal gaps of this size close or are noise of the mesh."""

PRESSURE_ERROR_GPA = 2.0
"""Error of the pressure above which a relaxed volume is wrong by percents (bulk moduli of metals: 40 to 400 GPa)."""

FORCE_TOLERANCE = 10.0
"""Largest force over the threshold of the relaxation. pw.x holds components against the threshold, of which the norm is
up to sqrt(3), and computes the final cell in another basis set; ten times means that it stopped elsewhere."""

RY_PER_BOHR_EV_PER_ANGSTROM = HARTREE_PER_BOHR_EV_PER_ANGSTROM / 2


def metal_gate(band_gap_ev: float) -> Gate:
    """Only metals go on.

    Parameters
    ----------
    band_gap_ev
        Gap at the Fermi energy in eV.
    """
    passed = band_gap_ev < METAL_GAP_EV
    message = (
        f"metal: gap {band_gap_ev:.3f} eV"
        if passed
        else f"insulator: gap {band_gap_ev:.3f} eV, expected below {METAL_GAP_EV} eV for a metal"
    )
    return Gate(name="metal", passed=passed, value=band_gap_ev, threshold=METAL_GAP_EV, unit="eV", message=message)


def pressure_gate(pressure_gpa: float, target_gpa: float) -> Gate:
    """A relaxed cell must keep its pressure in the basis set of its own size.

    pw.x relaxes at a fixed number of plane waves and computes the final cell anew; a pressure that comes back then
    is that of the basis set (Pulay stress), and the volume means nothing.

    Parameters
    ----------
    pressure_gpa
        Pressure of the final cell in GPa.
    target_gpa
        Pressure asked for in GPa.
    """
    error = abs(pressure_gpa - target_gpa)
    passed = error < PRESSURE_ERROR_GPA
    message = f"pressure {pressure_gpa:.2f} GPa, asked for {target_gpa:.2f} GPa"
    if not passed:
        message += ": the basis set is too small for the stress; raise relax_ecutwfc_ry, or set relax = false"
    return Gate(name="pressure", passed=passed, value=error, threshold=PRESSURE_ERROR_GPA, unit="GPa", message=message)


def force_gate(max_force_ev_per_angstrom: float, threshold_ry_bohr: float) -> Gate:
    """A relaxed structure must be at rest in the basis set of its own cell.

    Parameters
    ----------
    max_force_ev_per_angstrom
        Largest force on an atom of the final structure in eV/Angstrom.
    threshold_ry_bohr
        Force below which the relaxation was to end, Ry/bohr.
    """
    threshold = FORCE_TOLERANCE * threshold_ry_bohr * RY_PER_BOHR_EV_PER_ANGSTROM
    passed = max_force_ev_per_angstrom < threshold
    message = f"largest force {max_force_ev_per_angstrom:.2g} eV/Angstrom, expected below {threshold:.2g} eV/Angstrom"
    if not passed:
        message += ": the atoms are not at rest; lower scf_threshold_ry, raise relax_ecutwfc_ry, or set relax = false"
    return Gate(
        name="forces",
        passed=passed,
        value=max_force_ev_per_angstrom,
        threshold=threshold,
        unit="eV/Angstrom",
        message=message,
    )


def stability_gate(verdict: StabilityVerdict, *, note: str | None = None) -> Gate:
    """Unstable structures stop; marginal ones go on with a warning in the message.

    Parameters
    ----------
    verdict
        Frequencies held against their thresholds.
    note
        What a reader of the message should know besides; None if nothing.
    """
    return Gate(
        name="stable",
        passed=verdict.status != "unstable",
        value=verdict.decisive_mev,
        threshold=verdict.threshold_mev,
        unit="meV",
        message="; ".join((verdict.message, note)) if note else verdict.message,
    )


def respond(document: Document) -> Response[Any]:
    """Store a document, and stop what depends on it unless every gate passed.

    Parameters
    ----------
    document
        The result of a job.
    """
    return Response(output=document, stop_children=not document.passed)
