"""Relaxed structures and single self-consistent calculations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, Provenance


class ElectronicState(Document):
    """What a self-consistent calculation says of a structure."""

    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    energy_ev: float = Field(description="Total energy in eV per cell; with smearing, the free energy -TS.")
    fermi_ev: float = Field(description="Fermi energy in eV.")
    band_gap_ev: float = Field(description="Gap at the Fermi energy in eV on the k mesh; 0 for a metal.")
    total_magnetization_bohr_magneton: float | None = Field(
        description="Total spin moment in Bohr magnetons per cell; None if spin was not computed."
    )
    k_mesh: tuple[int, int, int] = Field(description="k mesh, Gamma-centred.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")


class StructureDocument(ElectronicState):
    """A structure relaxed at its target pressure."""

    kind: Literal["structure"] = Field(default="structure", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    initial_structure: Structure = Field(description="The structure as given, primitive standard cell, Angstrom.")
    relaxed: bool = Field(description="False if the campaign asked to keep the structure as given.")
    target_pressure_gpa: float = Field(description="Pressure asked for in GPa.")
    pressure_gpa: float = Field(description="Pressure reached in GPa.")
    max_force_ev_per_angstrom: float = Field(description="Largest force on an atom in eV/Angstrom.")
    volume_change: float = Field(description="Relative change of the volume by the relaxation.")
    space_group: str = Field(description="Hermann-Mauguin symbol of the final structure.")


class ScfDocument(ElectronicState):
    """A self-consistent calculation at fixed structure."""

    kind: Literal["scf"] = Field(default="scf", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    purpose: Literal["dense", "coarse"] = Field(
        description="dense: saves the double-delta weights of the electron-phonon sum; coarse: ph.x starts from it."
    )
