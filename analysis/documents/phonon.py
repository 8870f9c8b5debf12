"""Phonons: on the computed mesh with their coupling, and interpolated off it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, JobArgument, Provenance, Record, StoredArray


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
    lambda_q_sum: tuple[float, ...] = Field(
        description="(n_smearing,) star-weighted sum of lambda over q and modes; empty where q points are missing."
    )
    omega_log_q_sum_mev: tuple[float | None, ...] = Field(
        description="(n_smearing,) logarithmic frequency of the same sum in meV; None where lambda is 0; empty where "
        "q points are missing."
    )
    n_irreducible_q: int | None = Field(
        default=None, description="Irreducible q points of the mesh; None in documents that hold them all."
    )
    unfinished_reason: str | None = Field(default=None, description="Why q points are missing; None if none is.")
    acoustic_gamma_mev: tuple[float, ...] | None = Field(
        default=None, description="(3,) acoustic frequencies at Gamma in meV as computed; None if not determined."
    )
    acoustic_gamma_corrected_mev: tuple[float, ...] | None = Field(
        default=None, description="(3,) the same with the acoustic sum rule; None if not determined."
    )
    lowest_frequency_mev: float = Field(description="Lowest frequency on the mesh in meV; negative if imaginary.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")


class MeshPass(JobArgument):
    """What the interpolation from one q mesh said of the stability."""

    q_mesh: tuple[int, int, int] = Field(description="q mesh, Gamma-centred.")
    k_mesh: tuple[int, int, int] = Field(description="k mesh of the linear response.")
    stability: Literal["stable", "marginal", "unstable"] = Field(description="Verdict.")
    lowest_frequency_mev: float = Field(description="Lowest interpolated frequency in meV; negative if imaginary.")
    message: str = Field(description="The verdict as a sentence.")


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
    coarser_passes: tuple[MeshPass, ...] = Field(
        default=(), description="Marginal verdicts of coarser q meshes that led to this one, in order."
    )
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")


class PathSegment(Record):
    """One line of a path through the Brillouin zone, between two points of high symmetry."""

    start: int = Field(description="Position of its first q point.")
    stop: int = Field(description="Position behind its last q point.")
    start_label: str = Field(description="Name of its first point, for example GAMMA or SIGMA_0.")
    stop_label: str = Field(description="Name of its last point.")


class PhononBandsDocument(Document):
    """Phonon bands along the standard path, interpolated from the force constants."""

    kind: Literal["phonon_bands"] = Field(default="phonon_bands", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    q_mesh: tuple[int, int, int] = Field(description="q mesh the force constants come from.")
    q_fractional: tuple[tuple[float, float, float], ...] = Field(
        description="(n, 3) q points in units of the reciprocal lattice vectors."
    )
    distance_per_angstrom: tuple[float, ...] = Field(
        description="(n,) length of the path up to each q point in 1/Angstrom, with 2 pi; a jump has none."
    )
    segments: tuple[PathSegment, ...] = Field(
        description="The lines of the path in order; lines that meet share a q point, at a jump they do not."
    )
    frequencies_mev: tuple[tuple[float, ...], ...] = Field(
        description="(n, n_modes) in meV, increasing at each q; negative means imaginary."
    )
    lowest_frequency_mev: float = Field(description="Lowest frequency on the path in meV; negative if imaginary.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")

    @model_validator(mode="after")
    def _check_shapes(self) -> Self:
        n = len(self.q_fractional)
        for name in ("distance_per_angstrom", "frequencies_mev"):
            if len(getattr(self, name)) != n:
                msg = f"{name}: expected one entry for each of {n} q points, found {len(getattr(self, name))}"
                raise ValueError(msg)
        if len({len(row) for row in self.frequencies_mev}) > 1:
            msg = "frequencies_mev: expected the same number of modes at each q point, found others"
            raise ValueError(msg)
        for segment in self.segments:
            if not 0 <= segment.start < segment.stop <= n:
                msg = f"segments: expected positions from 0 to {n}, found {segment.start} to {segment.stop}"
                raise ValueError(msg)
        return self


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
