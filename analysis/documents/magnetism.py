"""Magnetic order against pressure: what each order's moment and enthalpy do on a ladder of volumes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, JobArgument, Provenance, Record

OrderKind = Literal["nonmagnetic", "ferromagnetic", "antiferromagnetic"]
SoftnessClass = Literal["rigid", "soft", "collapsing", "nonmagnetic", "undetermined"]


class MagneticOrder(JobArgument):
    """One arrangement of spins that the self-consistency starts from."""

    name: str = Field(description="NM, FM, or AFM1, AFM2, ... in the order of their cells.")
    kind: OrderKind = Field(description="What the spins of the start do.")
    spins: tuple[Literal[-1, 0, 1], ...] = Field(
        description="(n_sites,) direction of each site of the order's cell; 0 for ions without a moment."
    )
    structure: Structure = Field(description="The cell that holds the order, Angstrom; no smaller one does.")
    n_primitive_cells: int = Field(description="Primitive chemical cells in it.")
    propagation_vector: tuple[float, float, float] | None = Field(
        description="Wave vector of the order in units of the primitive cell's reciprocal lattice vectors; None if "
        "one vector does not say it."
    )
    magnetic_space_group: str | None = Field(
        default=None,
        description="Number of Belov, Neronova and Smirnova of the order's group, spins free of the lattice's "
        "directions, for example 140.550; None if it was not determined.",
    )


class MagneticState(Record):
    """One order on one rung of the ladder: a row, also where the calculation failed."""

    order: str = Field(description="Name of the order that it started from.")
    volume_ratio: float | None = Field(
        description="Volume over that of the given structure; None on a pressure ladder."
    )
    target_pressure_gpa: float | None = Field(description="Pressure asked for in GPa; None on a volume ladder.")
    status: Literal["converged", "failed"] = Field(description="Whether the calculation has a result.")
    reason: str | None = Field(description="Why there is none; None if there is.")
    started_from: Literal["atomic", "neighbour"] = Field(
        description="Whether the spins started from the atoms or from the moment of the neighbouring rung."
    )
    reached: OrderKind | None = Field(description="What the spins did at the end; None if it failed.")
    volume_angstrom3_per_atom: float | None = Field(description="Volume in Angstrom^3 per atom.")
    pressure_gpa: float | None = Field(description="Pressure from the stress in GPa.")
    energy_ev_per_atom: float | None = Field(description="Energy in eV per atom, with the smearing term -TS.")
    enthalpy_ev_per_atom: float | None = Field(description="Energy + pressure x volume in eV per atom.")
    total_moment_bohr_magneton_per_atom: float | None = Field(
        description="Integral of the magnetisation in Bohr magnetons per atom; 0 without spin."
    )
    absolute_moment_bohr_magneton_per_atom: float | None = Field(
        description="Integral of its absolute value in Bohr magnetons per atom; 0 without spin."
    )
    site_moments_bohr_magneton: tuple[float, ...] | None = Field(
        description="(n_sites,) moment in a sphere around each site; None if the program printed none."
    )
    dos_per_ev_spin_cell: float | None = Field(
        description="Density of states at the Fermi energy, mean of the two spins, per primitive cell."
    )
    structure: Structure | None = Field(description="The relaxed cell of the order, Angstrom; None if it failed.")
    provenance: Provenance | None = Field(description="Where the numbers come from; None if it failed.")


class MomentCurve(Record):
    """Moment of one order against pressure, and its logarithmic slope."""

    order: str = Field(description="Name of the order.")
    pressure_gpa: tuple[float, ...] = Field(description="(n,) pressures in GPa, increasing.")
    moment_bohr_magneton_per_atom: tuple[float, ...] = Field(
        description="(n,) Bohr magnetons per atom: total moment of a ferromagnet, absolute of an antiferromagnet."
    )
    noise_bohr_magneton: float | None = Field(
        description="Scatter of a moment by the k mesh and the smearing; None if it was not measured."
    )
    dlnm_dp_per_gpa: tuple[float | None, ...] = Field(
        description="(n,) d ln|m|/dP in 1/GPa; None where the moment is gone or too few points lie near."
    )
    dlnm_dp_error_per_gpa: tuple[float | None, ...] = Field(description="(n,) its standard error in 1/GPa.")
    collapse_bracket_gpa: tuple[float, float] | None = Field(
        description="Last pressure with a moment and first without, in GPa; None if it does not collapse on the ladder."
    )


class GroundState(Record):
    """The order of lowest enthalpy at one pressure."""

    pressure_gpa: float = Field(description="Pressure in GPa.")
    order: str = Field(description="Name of the order of lowest enthalpy.")
    margin_mev_per_atom: float | None = Field(
        description="How far the next order lies above in meV per atom; None if there is none."
    )
    moment_bohr_magneton_per_atom: float = Field(description="Moment of that order at that pressure.")


class MagneticTransition(Record):
    """Where another order takes over."""

    pressure_gpa: float = Field(description="Pressure in GPa at which both enthalpies are equal.")
    below: str = Field(description="Name of the order of lowest enthalpy at lower pressure.")
    above: str = Field(description="Name of that at higher pressure.")


class Softness(Record):
    """How fast pressure takes the moment away: s = -d ln|m|/dP of the ground state."""

    pressure_gpa: float = Field(description="Pressure in GPa at which it is asked for.")
    value_per_gpa: float | None = Field(description="s in 1/GPa; None if it is not determined.")
    error_per_gpa: float | None = Field(description="Its standard error, noise of mesh and smearing included.")
    reason: str | None = Field(description="Why it is not determined; None if it is.")


class MagnetismDocument(Document):
    """Magnetic softness of one material under pressure."""

    kind: Literal["magnetism"] = Field(default="magnetism", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(
        description="The given structure, whose volume has the ratio 1, primitive standard cell, Angstrom."
    )
    magnetic_elements: tuple[str, ...] = Field(description="Elements whose sites carry spins.")
    orders: tuple[MagneticOrder, ...] = Field(description="Orders tried.")
    orders_left_out: tuple[str, ...] = Field(description="Why further orders were not tried; empty if none was left.")
    states: tuple[MagneticState, ...] = Field(description="One row for each order and rung.")
    curves: tuple[MomentCurve, ...] = Field(description="Moment against pressure of each magnetic order.")
    ground_states: tuple[GroundState, ...] = Field(description="Order of lowest enthalpy against pressure.")
    transitions: tuple[MagneticTransition, ...] = Field(
        description="Where the enthalpies of two orders cross; a moment that fades away has its bracket instead."
    )
    softness: tuple[Softness, ...] = Field(description="At ambient and at the target pressure.")
    stoner_parameter_ev: float | None = Field(
        description="Stoner I of a magnetic atom in eV, from exchange splitting over moment or from fixed moments; "
        "None if neither is known."
    )
    stoner_parameter_source: str | None = Field(description="Where it comes from; None if it is not known.")
    stoner_product: float | None = Field(
        description="I N(E_F) of the nonmagnetic state nearest to ambient pressure; above 1 it is unstable."
    )
    softness_class: SoftnessClass = Field(description="Verdict.")
    softness_reason: str = Field(description="The numbers behind the verdict, as a sentence.")
    protocol: str = Field(description="Name of the protocol.")
    codes: dict[str, str] = Field(description="Version of each program that took part, by name.")

    @property
    def ambient_state(self) -> GroundState | None:
        """Order of lowest enthalpy at the first pressure that the softness was asked for; None if it is not known."""
        asked_gpa = self.softness[0].pressure_gpa if self.softness else 0.0
        return next((state for state in self.ground_states if state.pressure_gpa == asked_gpa), None)

    def state(self, order: str, rung: int) -> MagneticState:
        """Find the row of an order on a rung.

        Parameters
        ----------
        order
            Name of the order.
        rung
            Its number from the first, 0.

        Raises
        ------
        LookupError
            If the order was not tried on that rung.
        """
        rows = [state for state in self.states if state.order == order]
        if rung >= len(rows):
            msg = f"{self.material}: expected {order} on rung {rung}, found {len(rows)} rungs of it"
            raise LookupError(msg)
        return rows[rung]
