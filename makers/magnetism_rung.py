"""One magnetic order on one rung of the ladder: started from the neighbour's spins, then from the atoms'."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jobflow import Job, job
from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents import MagneticOrder, MagneticState
from hightc.analysis.documents.base import JobArgument
from hightc.analysis.equation_of_state import EV_PER_ANGSTROM3_GPA
from hightc.analysis.exchange_splitting import exchange_splitting_ev
from hightc.analysis.moment_curve import reached_kind
from hightc.analysis.parsers.pw import PwRun
from hightc.analysis.parsers.pw_output import read_pw_output
from hightc.analysis.tetrahedra import fermi_dos
from hightc.makers.base import QEMaker
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun
from hightc.makers.magnetism_run import SpinCalculation, is_of_the_order
from hightc.makers.qe.inputs import Freedom, Spins
from hightc.makers.qe.magnetic_recipe import MagneticRecipe
from hightc.makers.qe.order_symmetry import is_fixed_by_symmetry
from hightc.makers.qe.recipe import Recipe

Start = Literal["atomic", "neighbour"]

START_DECIMALS = 3
"""Decimals of a start: printed moments have four, and the last depends on the number of processes."""


class MagneticRung(JobArgument):
    """What a rung hands on: its row, and what the next rung starts from."""

    state: MagneticState = Field(description="The row.")
    structure: Structure | None = Field(
        description="Cell that the next rung starts from, Angstrom: of this rung, or of the last one that succeeded."
    )
    polarization: tuple[float, ...] | None = Field(
        description="(n_sites,) spin polarisation that the next rung starts from; None where the moment is gone."
    )
    exchange_splitting_ev: float | None = Field(
        description="Mean distance of minority from majority bands near the Fermi energy; None without a net moment."
    )


@dataclass
class MagneticRungMaker(QEMaker):
    """One magnetic order at one volume or pressure.

    Attributes
    ----------
    magnetism
        Numbers of the ladder.
    """

    name: str = "magnetic order"
    magnetism: MagneticRecipe = field(kw_only=True)

    def named(self, order: MagneticOrder, rung: int, neighbour: object = None) -> Job:
        """Job of :meth:`make` that is called by its order and rung.

        Parameters
        ----------
        order, rung, neighbour
            As for :meth:`make`.
        """
        made: Job = self.make(order, rung, neighbour)
        made.name = f"{order.name} {self.magnetism.rung_name(rung)}"
        return made

    @job
    def make(self, order: MagneticOrder, rung: int, neighbour: MagneticRung | None = None) -> MagneticRung:
        """Compute the order; a moment that was lost on the way from the neighbour is looked for once more.

        A program's own failure makes a row of it, so that the ladder goes on; a failure of the machine does not.

        Parameters
        ----------
        order
            The order.
        rung
            Number of the rung, from 0.
        neighbour
            The rung before; None for the first.
        """
        attempts: list[tuple[Start, Spins | None]] = [("atomic", self._atomic_start(order))]
        if order.kind != "nonmagnetic" and neighbour is not None and neighbour.polarization is not None:
            attempts.insert(0, ("neighbour", Spins(neighbour.polarization)))
        best: MagneticRung | None = None
        reasons = []
        for number, (start, spins) in enumerate(attempts):
            calculation = self._calculation(order, rung, neighbour, spins, "pw" if number == 0 else f"pw-{start}")
            try:
                run, result = calculation.run(self)
            except ProgramFailedError as error:
                if not is_of_the_order(error):
                    raise
                reasons.append(f"{start} start: {error}")
                continue
            best = self._rung(order, rung, start, calculation, run, result)
            if best.polarization is not None:
                break
        if best is not None:
            return best
        return MagneticRung(
            state=self._failed(order, rung, attempts[-1][0], "; ".join(reasons)),
            structure=neighbour.structure if neighbour else None,
            polarization=neighbour.polarization if neighbour else None,
            exchange_splitting_ev=None,
        )

    def _atomic_start(self, order: MagneticOrder) -> Spins | None:
        if order.kind == "nonmagnetic":
            return None
        named, default = self.recipe.starting_magnetization, self.magnetism.starting_polarization
        sites = zip(order.structure, order.spins, strict=True)
        return Spins(tuple(spin * abs(named.get(site.specie.symbol, default)) for site, spin in sites))

    def _calculation(
        self, order: MagneticOrder, rung: int, neighbour: MagneticRung | None, spins: Spins | None, stem: str
    ) -> SpinCalculation:
        volumes = self.magnetism.volume_ratios
        start = neighbour.structure if neighbour and neighbour.structure else order.structure
        # without the spins that the order's sites carry: symmetry is that of the crystal
        structure = Structure(start.lattice, [site.specie for site in start], start.frac_coords)
        if volumes:
            structure.scale_lattice(order.structure.volume * volumes[rung])
        recipe, shift = recipe_of(self.recipe, self.magnetism, order)
        freedom: Freedom = "shape" if volumes else "all"
        if not recipe.relax or (volumes and is_fixed_by_symmetry(structure, order.spins)):
            freedom = "none"
        if not volumes:
            recipe = recipe.model_copy(update={"pressure_gpa": self.magnetism.pressures_gpa[rung]})
        return SpinCalculation(structure, recipe, shift, spins, freedom, stem)

    def _failed(self, order: MagneticOrder, rung: int, start: Start, reason: str | None) -> MagneticState:
        """A row without numbers."""
        volumes, pressures = self.magnetism.volume_ratios, self.magnetism.pressures_gpa
        values = dict.fromkeys(MagneticState.model_fields)
        return MagneticState.model_validate(
            {
                **values,
                "order": order.name,
                "volume_ratio": volumes[rung] if volumes else None,
                "target_pressure_gpa": pressures[rung] if pressures else None,
                "status": "failed",
                "reason": reason,
                "started_from": start,
            }
        )

    def _rung(
        self,
        order: MagneticOrder,
        rung: int,
        start: Start,
        calculation: SpinCalculation,
        run: ProgramRun,
        result: PwRun,
    ) -> MagneticRung:
        structure = _final_structure(calculation, result)
        n_atoms, pressure, energy = len(structure), result.pressure_gpa, result.energy_ev
        if pressure is None or energy is None:
            msg = f"{Path(f'{calculation.stem}.xml').absolute()}: expected energy and stress, found not both: rerun"
            raise ProgramFailedError(msg)
        total = (result.total_magnetization_bohr_magneton or 0.0) / n_atoms
        absolute = (result.absolute_magnetization_bohr_magneton or 0.0) / n_atoms
        reached = reached_kind(total, absolute)
        sites, polarization = _read_sites(calculation, order)
        volume = structure.volume / n_atoms
        state = self._failed(order, rung, start, None).model_copy(
            update={
                "status": "converged",
                "reached": reached,
                "volume_angstrom3_per_atom": volume,
                "pressure_gpa": pressure,
                "energy_ev_per_atom": energy / n_atoms,
                "enthalpy_ev_per_atom": energy / n_atoms + pressure * volume / EV_PER_ANGSTROM3_GPA,
                "total_moment_bohr_magneton_per_atom": total,
                "absolute_moment_bohr_magneton_per_atom": absolute,
                "site_moments_bohr_magneton": sites,
                "dos_per_ev_spin_cell": _dos(result, order.n_primitive_cells),
                "structure": structure,
                "provenance": self.provenance("pw.x", run),
            }
        )
        return MagneticRung(
            state=state,
            structure=structure,
            polarization=polarization if reached == order.kind and reached != "nonmagnetic" else None,
            exchange_splitting_ev=_splitting(result) if reached == "ferromagnetic" else None,
        )


def recipe_of(
    recipe: Recipe, magnetism: MagneticRecipe, order: MagneticOrder, factor: float = 1.0
) -> tuple[Recipe, tuple[int, int, int]]:
    """Recipe with the mesh and the threshold of an order's cell, and the shift of the mesh.

    Parameters
    ----------
    recipe
        Of the primitive cell.
    magnetism
        Numbers of the ladder.
    order
        The order.
    factor
        How much denser the mesh is than on the ladder.
    """
    mesh, shift = magnetism.k_points_of(order, factor)
    changes = {"k_mesh": mesh, "scf_threshold_ry": recipe.scf_threshold_ry * order.n_primitive_cells}
    return recipe.model_copy(update=changes), shift


def _final_structure(calculation: SpinCalculation, result: PwRun) -> Structure:
    """The relaxed cell with the sites of the order, whose spins pw.x tells apart by labels."""
    if calculation.freedom == "none":
        return calculation.structure
    final = result.structure
    species = [site.specie for site in calculation.structure]
    return Structure(final.lattice, species, final.frac_coords)


def _read_sites(
    calculation: SpinCalculation, order: MagneticOrder
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Moments of the sites and their polarisation, from the spheres around them; None if they were not printed.

    The polarisation is that of a start: sites of one element and spin share it, as they share a species.
    """
    if calculation.spins is None:
        return None, None
    printed = read_pw_output(calculation.output)
    charges, moments = printed.site_charges, printed.site_moments_bohr_magneton
    if charges is None or moments is None:
        return None, None
    groups = [(site.specie.symbol, spin) for site, spin in zip(order.structure, order.spins, strict=True)]
    polarization = np.zeros(len(groups))
    for group in set(groups):
        own = np.array([each == group for each in groups])
        if group[1] and charges[own].sum() > 0:
            polarization[own] = round(float(moments[own].sum() / charges[own].sum()), START_DECIMALS)
    return tuple(moments.tolist()), tuple(polarization.clip(-1, 1).tolist())


def _dos(result: PwRun, n_primitive_cells: int) -> float | None:
    """N(E_F) of a primitive cell; None for an insulator or a mesh that lost its symmetry, which stop no ladder."""
    try:
        return fermi_dos(result).dos_per_ev_spin_cell / n_primitive_cells
    except ValueError:
        return None


def _splitting(result: PwRun) -> float | None:
    """Splitting of the bands of a ferromagnet; None for an insulator."""
    if result.fermi_ev is None:
        return None
    try:
        return exchange_splitting_ev(result.eigenvalues_ev, result.k_weights, result.fermi_ev)
    except ValueError:
        return None
