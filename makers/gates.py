"""Verdicts that let a material pass or stop it, each with the number behind it."""

from __future__ import annotations

from typing import Any

from jobflow import Response

from hightc.analysis.documents.base import Document, Gate
from hightc.analysis.stability import StabilityVerdict

METAL_GAP_EV = 0.1
"""Gap below which a material counts as a metal: semilocal gaps of this size close or are noise of the mesh."""


PRESSURE_ERROR_GPA = 2.0
"""Error of the pressure above which a relaxed volume is wrong by percents (bulk moduli of metals: 40 to 400 GPa)."""


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


def stability_gate(verdict: StabilityVerdict) -> Gate:
    """Unstable structures stop; marginal ones go on with a warning in the message.

    Parameters
    ----------
    verdict
        Frequencies held against their thresholds.
    """
    return Gate(
        name="stable",
        passed=verdict.status != "unstable",
        value=verdict.decisive_mev,
        threshold=verdict.threshold_mev,
        unit="meV",
        message=verdict.message,
    )


def respond(document: Document) -> Response[Any]:
    """Store a document, and stop what depends on it unless every gate passed.

    Parameters
    ----------
    document
        The result of a job.
    """
    return Response(output=document, stop_children=not document.passed)
