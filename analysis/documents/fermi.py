"""The Fermi surface: its nesting, its bare susceptibility, and what follows for spin fluctuations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, Provenance, Record, StoredArray
from hightc.analysis.documents.phonon import PathSegment

NESTING_CAVEAT = (
    "nesting of the Fermi surface alone predicts little: a density wave appears where the real part of the "
    "susceptibility with its matrix elements is large (Johannes and Mazin, Phys. Rev. B 77, 165135)"
)


class SusceptibilityPeak(Record):
    """One maximum over q, all its symmetric images merged."""

    q_fractional: tuple[float, float, float] = Field(description="q in units of the reciprocal lattice vectors.")
    q_per_angstrom: tuple[float, float, float] = Field(description="Cartesian q in 1/Angstrom, with 2 pi.")
    path_label: str | None = Field(
        description="Line of high symmetry it lies on, for example GAMMA-H; None if on none of the standard path."
    )
    path_fraction: float | None = Field(description="Where on that line, 0 to 1; None if on none.")
    value: float = Field(description="Height, interpolated between mesh points, in the unit of the function.")
    over_mean: float = Field(description="Height over the mean of all q.")
    multiplicity: int = Field(description="Images of the peak under the point group.")


class PathCurve(Record):
    """A function of q along the standard path."""

    q_fractional: tuple[tuple[float, float, float], ...] = Field(description="(n, 3) in reciprocal lattice vectors.")
    distance_per_angstrom: tuple[float, ...] = Field(description="(n,) length of the path in 1/Angstrom, with 2 pi.")
    segments: tuple[PathSegment, ...] = Field(description="The lines of the path in order.")
    nesting: tuple[float, ...] = Field(description="(n,) nesting function in (states/eV/spin/cell)^2.")
    chi0: tuple[float, ...] = Field(description="(n,) bare susceptibility in states/eV/spin/cell.")


class MeshStep(Record):
    """What one k mesh said, computed or interpolated."""

    k_mesh: tuple[int, int, int] = Field(description="Mesh of the sums.")
    interpolated: bool = Field(description="Whether its energies come from a coarser mesh.")
    dos_per_ev_spin_cell: float = Field(description="Density of states at the Fermi energy.")
    nesting_peak: tuple[float, float, float] | None = Field(description="q of the strongest nesting peak.")
    nesting_over_mean: float | None = Field(description="Its height over the mean.")
    chi0_peak: tuple[float, float, float] | None = Field(description="q of the highest susceptibility.")
    chi0_max: float = Field(description="Its height in states/eV/spin/cell.")


class StonerEstimate(Record):
    """RPA with one Stoner parameter."""

    stoner_ev: float = Field(description="Stoner parameter I in eV.")
    source: str = Field(description="Where it comes from.")
    interband: Literal["constant", "removed"] = Field(
        description="constant: chi0 with constant matrix elements, which overstate transitions between bands; removed: "
        "less what these add at q = 0, at every q, which understates them. The truth lies between."
    )
    product_uniform: float = Field(
        description="I N(E_F), the product at q = 0, where transitions between bands vanish; N(E_F) at temperature_k."
    )
    product_peak: float = Field(description="I chi0 at its highest q; 1 is the instability.")
    status: Literal["paramagnetic", "ordered"] = Field(description="ordered: the product reaches 1, RPA has no answer.")
    enhancement_uniform: float | None = Field(description="1/(1 - product_uniform); None if ordered.")
    enhancement_peak: float | None = Field(description="chi/chi0 at the peak; None if ordered.")
    peak_q: tuple[float, float, float] | None = Field(description="q of the highest chi; None if ordered.")
    correlation_length_angstrom: float | None = Field(description="From the curvature at the peak; None if unknown.")
    lambda_sf_low: float | None = Field(
        description="Lower end of the coupling to spin fluctuations; None if ordered, or if less than nothing is left "
        "of chi0 at some q without its transitions between bands."
    )
    lambda_sf_high: float | None = Field(description="Upper end; None as the lower one.")


class PairingChannel(Record):
    """One solution of the linearised gap equation with spin fluctuations."""

    spin: Literal["singlet", "triplet"] = Field(description="Spin state of the pair.")
    symmetry: str = Field(description="s, s+-, p, d or f, with the name of the representation where it is known.")
    eigenvalue: float = Field(
        description="Dimensionless strength; constant matrix elements overstate it. The largest channel wins."
    )
    degeneracy: int = Field(description="Solutions of the same strength.")


class FermiDocument(Document):
    """Fermi surface of one metal, its nesting and susceptibility."""

    kind: Literal["fermi"] = Field(default="fermi", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    source: Literal["nscf", "wannier"] = Field(description="Where the energies come from.")
    k_mesh: tuple[int, int, int] = Field(description="Mesh whose energies were computed.")
    fine_mesh: tuple[int, int, int] = Field(
        description="Mesh of the sums; equal to k_mesh if nothing was interpolated."
    )
    interpolation_error_mev: float | None = Field(
        description="Root mean square error near the Fermi energy of energies left out and interpolated, from every "
        "second point: some four times that from all points; None if it was not determined."
    )
    fermi_ev: float = Field(description="Fermi energy in eV.")
    smearing_ev: float = Field(description="Gaussian width of the nesting function in eV.")
    temperature_k: float = Field(description="Temperature of the susceptibility in K.")
    bands: tuple[int, ...] = Field(description="Bands that cross the Fermi energy, counted from 1.")
    dos_per_ev_spin_cell: float = Field(description="Density of states at the Fermi energy in states/eV/spin/cell.")
    energies_ev: StoredArray = Field(
        description="(nk1, nk2, nk3, n_bands) energies of those bands on k_mesh in eV, less the Fermi energy."
    )
    nesting: StoredArray = Field(description="(n1, n2, n3) nesting function in (states/eV/spin/cell)^2 on fine_mesh.")
    chi0: StoredArray = Field(description="(n1, n2, n3) bare susceptibility in states/eV/spin/cell on fine_mesh.")
    nesting_peaks: tuple[SusceptibilityPeak, ...] = Field(description="Strongest first; the one at q = 0 is left out.")
    chi0_peaks: tuple[SusceptibilityPeak, ...] = Field(description="Highest first.")
    path: PathCurve = Field(description="Both functions along the standard path.")
    meshes: tuple[MeshStep, ...] = Field(description="Coarser to finer.")
    converged: bool = Field(description="Whether peak and height hold still between the last two meshes.")
    convergence_reason: str = Field(description="The numbers behind that, as a sentence.")
    stoner: tuple[StonerEstimate, ...] = Field(
        description="One for each Stoner parameter tried; empty if none is known."
    )
    pairing: tuple[PairingChannel, ...] = Field(description="Leading channels; empty if not computed.")
    pairing_reason: str | None = Field(description="Why no channel was computed; None if it was.")
    caveat: str = Field(default=NESTING_CAVEAT, description="What nesting does not say.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance = Field(description="Where the numbers come from.")

    @property
    def has_arrays(self) -> bool:
        """Whether the arrays are here; a document read without them has where the blob store keeps them."""
        return all(isinstance(array.blob, str) for array in (self.energies_ev, self.nesting, self.chi0))
