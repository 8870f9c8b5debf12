"""Wannier functions, the fine meshes they carry the coupling to, and the gaps that EPW computes there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, Provenance, Record


class WindowTrial(Record):
    """One attempt at Wannier functions."""

    projections: tuple[str, ...] = Field(description="What the functions start from, in the notation of Wannier90.")
    n_wannier: int = Field(description="Wannier functions in the cell.")
    frozen_max_ev: float = Field(description="States below this energy in eV are kept as they are.")
    outer_max_ev: float = Field(description="States above this energy in eV take no part.")
    eta_mev: float | None = Field(
        description="Distance in meV of interpolated from computed bands at points off the mesh, root mean square over "
        "the states up to 1 eV above the Fermi energy; a state that no function carries counts with its distance below "
        "that edge. None if the attempt failed."
    )
    near_fermi_mev: float | None = Field(
        description="The same over the states within 1 eV of the Fermi energy; None if the attempt failed."
    )
    largest_mev: float | None = Field(description="Largest distance in meV of those states; None if it failed.")
    spread_angstrom2: float | None = Field(description="Sum of the spreads in Angstrom^2; None if it failed.")
    reason: str | None = Field(description="Why the attempt failed; None if it did not.")


class WannierDocument(Document):
    """Wannier functions of the bands around the Fermi energy, and how well they carry them."""

    kind: Literal["wannier"] = Field(default="wannier", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    k_mesh: tuple[int, int, int] = Field(description="Uniform k mesh of the Wannier functions.")
    n_bands: int = Field(description="Bands computed.")
    n_excluded: int = Field(description="Lowest bands that were left out.")
    n_wannier: int = Field(description="Wannier functions in the cell.")
    n_check_points: int = Field(description="k points off the mesh at which bands were computed to compare with.")
    fermi_ev: float = Field(description="Fermi energy in eV of the self-consistency on the dense mesh.")
    trials: tuple[WindowTrial, ...] = Field(description="Attempts in order; empty if no window could be tried.")
    chosen: int | None = Field(description="Position in trials of the best; None if none succeeded.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")

    @property
    def best(self) -> WindowTrial | None:
        """The attempt that is used; None if none succeeded."""
        return None if self.chosen is None else self.trials[self.chosen]


class VertexDocument(Document):
    """The electron-phonon coupling between Wannier functions, from which it follows on any mesh."""

    kind: Literal["vertex"] = Field(default="vertex", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    k_mesh: tuple[int, int, int] = Field(description="Uniform k mesh of the Wannier functions.")
    q_mesh: tuple[int, int, int] = Field(description="q mesh of the phonons.")
    n_wannier: int = Field(description="Wannier functions in the cell.")
    n_excluded: int = Field(description="Lowest bands that were left out.")
    fermi_ev: float = Field(description="Fermi energy in eV of the self-consistency on the dense mesh.")
    highest_frequency_mev: float = Field(description="Highest phonon energy on the q mesh in meV.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")


class FineMesh(Record):
    """The coupling on one pair of fine meshes."""

    k_mesh: tuple[int, int, int] = Field(description="Fine k mesh.")
    q_mesh: tuple[int, int, int] = Field(description="Fine q mesh.")
    electron_smearing_ev: float = Field(description="Width of the double delta in eV (degaussw).")
    phonon_smearing_mev: float = Field(description="Width of the phonon energies in meV (degaussq).")
    lambda_: float = Field(description="Electron-phonon coupling, recomputed from the spectrum.")
    omega_log_mev: float | None = Field(description="Logarithmic frequency in meV; None if lambda is 0.")
    tc_kelvin: float | None = Field(
        description="Tc in K of the Eliashberg equations at the first mu* of the campaign; None where it has none."
    )
    dos_per_ev_spin_cell: float = Field(description="Density of states at the Fermi energy, states/eV/spin/cell.")
    fermi_ev: float = Field(description="Fermi energy in eV on this mesh.")
    lambda_change: float | None = Field(description="Relative change of lambda from the mesh before; None at first.")
    tc_change_kelvin: float | None = Field(description="Change of Tc in K from the mesh before; None at first.")
    dos_change: float | None = Field(
        default=None,
        description="Relative change of N(E_F) from the mesh before; None at first, and in older documents.",
    )
    wall_seconds: float | None = Field(description="Wall time in s; None if the program did not say.")


class FineMeshConvergence(Record):
    """The coupling on finer and finer meshes."""

    status: Literal["converged", "not_converged"] = Field(
        description="converged: lambda, Tc and N(E_F) held still over the last two steps."
    )
    lambda_tolerance: float = Field(description="Relative change of lambda, and of N(E_F), that counts as still.")
    tc_relative_tolerance: float = Field(description="Relative change of Tc that counts as still, ...")
    tc_tolerance_kelvin: float = Field(description="... or the change in K, whichever is larger.")
    meshes: tuple[FineMesh, ...] = Field(description="In the order they were computed; the last is the result.")


class TemperatureGap(Record):
    """The superconducting gap at one temperature, at the lowest Matsubara frequency."""

    temperature_kelvin: float = Field(description="Temperature in K.")
    gap_mev: float = Field(description="Gap in meV; of anisotropic equations the mean over the Fermi surface.")
    renormalization: float = Field(description="Z, in the same sense.")
    lowest_mev: float | None = Field(description="Lowest gap on the Fermi surface in meV; None if it was not printed.")
    highest_mev: float | None = Field(description="Highest gap in meV; None if it was not printed.")
    own_gap_mev: float | None = Field(
        description="Gap in meV of the same isotropic equations solved by hightc; None for anisotropic ones, and at "
        "temperatures whose Matsubara sums are too long."
    )
    converged: bool = Field(description="Whether the iterations of the gap equation ended.")


class GapDocument(Document):
    """Gaps of EPW on the imaginary axis, beside hightc's own solution of the same equations."""

    kind: Literal["gap"] = Field(default="gap", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    mu_star: float = Field(description="Coulomb pseudopotential, as the value at cutoff_ev.")
    cutoff_ev: float = Field(description="Cutoff in eV of the Matsubara sums (wscut), to which mu* belongs.")
    convention: str = Field(description="What mu* belongs to and where the sums end, in words.")
    lambda_: float = Field(description="Electron-phonon coupling as EPW printed it.")
    isotropic: tuple[TemperatureGap, ...] = Field(description="Isotropic gaps; empty if there is none.")
    anisotropic: tuple[TemperatureGap, ...] = Field(description="Gaps on the Fermi surface; empty if not computed.")
    anisotropic_reason: str | None = Field(description="Why there is no anisotropic gap; None if there is.")
    tc_kelvin: float | None = Field(
        description="Tc in K at which EPW's isotropic equations lose their gap, by hightc; None below its range."
    )
    tc_status: str = Field(description="found, no_superconductivity or below_range.")
    largest_difference: float | None = Field(
        description="Largest relative difference between EPW's isotropic gaps and hightc's solution of its equations; "
        "None without gaps."
    )
    provenance: Provenance = Field(description="Where the numbers come from.")
