"""Phonons: on the computed mesh with their coupling, and interpolated off it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, Provenance, Record, StoredArray


class QPointRecord(Record):
    """One irreducible q point of the mesh."""

    q_fractional: tuple[float, float, float] = Field(description="q in units of the reciprocal lattice vectors.")
    weight: float = Field(description="Share of the mesh that its star covers; the weights sum to 1.")
    frequencies_mev: tuple[float, ...] = Field(description="(n_modes,) in meV; negative means imaginary.")


class CouplingDocument(Document):
    """Phonons and electron-phonon coupling on the computed q mesh, without any interpolation."""

    kind: Literal["coupling"] = Field(default="coupling", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    q_mesh: tuple[int, int, int] = Field(description="q mesh, Gamma-centred.")
    q_points: tuple[QPointRecord, ...] = Field(description="Irreducible q points.")
    smearing_ev: tuple[float, ...] = Field(description="(n_smearing,) widths of the double delta in eV.")
    dos_per_ev_spin_cell: tuple[float, ...] = Field(
        description="(n_smearing,) density of states at the Fermi energy in states/eV/spin/cell."
    )
    lambda_q_sum: tuple[float, ...] = Field(description="(n_smearing,) star-weighted sum of lambda over q and modes.")
    omega_log_q_sum_mev: tuple[float | None, ...] = Field(
        description="(n_smearing,) logarithmic frequency of the same sum in meV; None where lambda is 0."
    )
    lowest_frequency_mev: float = Field(description="Lowest frequency on the mesh in meV; negative if imaginary.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")


class PhononDocument(Document):
    """Phonons interpolated from the force constants."""

    kind: Literal["phonon"] = Field(default="phonon", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    q_mesh: tuple[int, int, int] = Field(description="q mesh the force constants come from.")
    interpolation_mesh: tuple[int, int, int] = Field(description="Mesh the density of states was summed on.")
    omega_mev: tuple[float, ...] = Field(description="(n,) frequencies of the density of states in meV.")
    dos_per_mev: tuple[float, ...] = Field(description="(n,) phonon density of states in states/meV; sums to 3 atoms.")
    lowest_frequency_mev: float = Field(
        description="Lowest frequency on the interpolation mesh in meV; negative if imaginary."
    )
    lowest_frequency_q: tuple[float, float, float] = Field(
        description="q of the lowest frequency, Cartesian, in units of 2 pi/alat as matdyn.x prints it."
    )
    stability: Literal["stable", "marginal", "unstable"] = Field(description="Verdict over both meshes.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")


class ForceConstantsDocument(Document):
    """Real-space force constants: phonons anywhere follow from them."""

    kind: Literal["force_constants"] = Field(default="force_constants", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    q_mesh: tuple[int, int, int] = Field(description="q mesh they come from.")
    force_constants: StoredArray = Field(
        description="(n1, n2, n3, n_atoms, n_atoms, 3, 3) force constants in Ry/bohr^2."
    )
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")
