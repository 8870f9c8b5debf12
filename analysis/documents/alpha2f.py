"""The Eliashberg spectral function: the contract of the whole project."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, Provenance, Record
from hightc.analysis.documents.wannier import FineMeshConvergence

Route = Literal["linear_response", "wannier"]


class Plateau(Record):
    """The stretch of smearings over which lambda holds still."""

    status: Literal["plateau", "no_plateau"] = Field(description="Whether lambda holds still anywhere.")
    indices: tuple[int, ...] = Field(description="Positions of the plateau in smearing_ev; empty without one.")
    relative_spread: float | None = Field(description="(highest - lowest)/mean of lambda over it; None without one.")


class SmearingMoments(Record):
    """Moments of one spectrum, as recomputed here, as the code printed them, and without interpolation."""

    lambda_: float = Field(description="2 int a2F/w dw, recomputed from the clipped spectrum.")
    omega_log_mev: float | None = Field(description="Logarithmic frequency in meV, recomputed; None if lambda is 0.")
    omega_2_mev: float | None = Field(description="sqrt((2/lambda) int a2F w dw) in meV; None if lambda is 0.")
    lambda_printed: float | None = Field(description="lambda as the code printed it; None if it did not.")
    omega_log_printed_mev: float | None = Field(description="Logarithmic frequency as printed, in meV.")
    lambda_q_sum: float | None = Field(description="lambda as the direct sum over the computed q points.")
    lambda_clipped: float = Field(description="lambda of the negative part of a2F that was set to zero; <= 0.")


class Alpha2FDocument(Document):
    """alpha^2 F(omega) of one material for every smearing, with what is needed to trust it."""

    kind: Literal["alpha2f"] = Field(default="alpha2f", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    pressure_gpa: float = Field(description="Pressure of the structure in GPa.")
    protocol: str = Field(description="Name of the protocol.")
    route: Route = Field(description="How the coupling was summed.")
    omega_mev: tuple[float, ...] = Field(description="(n,) frequencies in meV, increasing, positive.")
    alpha2f: tuple[tuple[float, ...], ...] = Field(
        description="(n_smearing, n) spectral function as the code wrote it; negative values are kept here."
    )
    smearing_ev: tuple[float, ...] = Field(description="(n_smearing,) widths of the double delta in eV.")
    moments: tuple[SmearingMoments, ...] = Field(description="(n_smearing,) moments of each spectrum.")
    plateau: Plateau = Field(description="Where lambda holds still against the smearing.")
    chosen_smearing: int = Field(description="Position in smearing_ev of the spectrum to use.")
    dos_per_ev_spin_cell: tuple[float, ...] = Field(
        description="(n_smearing,) density of states at the Fermi energy in states/eV/spin/cell."
    )
    dos_tetrahedra_per_ev_spin_cell: float | None = Field(
        default=None,
        description="Density of states at the Fermi energy of the dense k mesh by tetrahedra, without smearing, in "
        "states/eV/spin/cell; None if it was not computed.",
    )
    lambda_rescaled: tuple[float | None, ...] | None = Field(
        default=None,
        description="(n_smearing,) lambda of moments times dos_tetrahedra_per_ev_spin_cell/dos_per_ev_spin_cell, for "
        "information: no Tc is made of it; an entry is None where the latter is 0, all are None without the former.",
    )
    k_mesh: tuple[int, int, int] = Field(description="k mesh of the linear response.")
    k_mesh_dense: tuple[int, int, int] = Field(description="k mesh of the double-delta sum.")
    q_mesh: tuple[int, int, int] = Field(description="q mesh of the phonons.")
    q_mesh_fine: tuple[int, int, int] | None = Field(
        default=None, description="q mesh that the coupling was interpolated to; None by linear response."
    )
    convergence: FineMeshConvergence | None = Field(
        default=None, description="The coupling on all fine meshes of the Wannier route; None by linear response."
    )
    band_distance_mev: float | None = Field(
        default=None, description="Distance eta in meV of the Wannier bands; None by linear response."
    )
    provenance: Provenance = Field(description="Where the numbers come from.")

    @model_validator(mode="after")
    def _check_shapes(self) -> Self:
        n_smearing, n = len(self.smearing_ev), len(self.omega_mev)
        lengths = {
            "alpha2f": len(self.alpha2f),
            "moments": len(self.moments),
            "dos_per_ev_spin_cell": len(self.dos_per_ev_spin_cell),
            **({} if self.lambda_rescaled is None else {"lambda_rescaled": len(self.lambda_rescaled)}),
        }
        for name, length in lengths.items():
            if length != n_smearing:
                msg = f"{name}: expected one entry for each of {n_smearing} smearings, found {length}"
                raise ValueError(msg)
        for index, spectrum in enumerate(self.alpha2f):
            if len(spectrum) != n:
                msg = f"alpha2f[{index}]: expected {n} points as in omega_mev, found {len(spectrum)}"
                raise ValueError(msg)
        if not 0 <= self.chosen_smearing < n_smearing:
            msg = f"chosen_smearing: expected 0 to {n_smearing - 1}, found {self.chosen_smearing}"
            raise ValueError(msg)
        return self

    @property
    def chosen(self) -> SmearingMoments:
        """Moments at the chosen smearing."""
        return self.moments[self.chosen_smearing]
