"""Relaxation of cell and atoms at a target pressure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jobflow import Response, job
from pymatgen.core import Structure

from hightc.analysis.documents import Gate, MaterialTag, StructureDocument
from hightc.analysis.documents.base import identity
from hightc.analysis.magnetic_rows import MOMENT_GONE_BOHR_MAGNETON
from hightc.analysis.parsers.pw import PwRun, band_gap_ev, read_pw_xml
from hightc.makers.base import QEMaker, clean_stop_seconds, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import run_program
from hightc.makers.gates import force_gate, metal_gate, pressure_gate, respond
from hightc.makers.qe.failures import BFGS_HISTORY
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import OUTDIR, PREFIX, pw_input
from hightc.makers.qe.pseudopotentials import read_upf_header
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.relativity import require_relativity
from hightc.makers.qe.symmetry import irreducible_k_points, primitive_cell, space_group_symbol

XML = Path(OUTDIR) / f"{PREFIX}.save" / "data-file-schema.xml"
OFTEN_MAGNETIC = frozenset(
    (
        *("Cr", "Mn", "Fe", "Co", "Ni"),
        *("Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb"),
        *("U", "Np", "Pu", "Am", "Cm"),
    )
)
"""Elements with open 3d, 4f or 5f shells that carry moments in many of their metals."""


@dataclass
class RelaxMaker(QEMaker):
    """Relax a structure with pw.x, and judge whether it is a metal."""

    name: str = "relax"

    @job(output_schema=StructureDocument)
    def make(self, structure: Structure, tag: MaterialTag) -> Response[Any]:
        """Relax cell and atoms, or only compute them where the recipe says so.

        Parameters
        ----------
        structure
            Primitive standard cell, Angstrom.
        tag
            Campaign and material.
        """
        settings = self.settings()
        pseudo_dir = self.pseudo_dir(settings)
        relativity = require_relativity(
            [read_upf_header(pseudo_dir / item.filename) for item in self.recipe.pseudopotentials],
            spin_orbit=self.recipe.spin_orbit,
        )
        text = pw_input(
            structure,
            self.recipe,
            calculation="vc-relax" if self.recipe.relax else "scf",
            dense=False,
            pseudo_dir=pseudo_dir,
            max_seconds=clean_stop_seconds(settings),
            for_stress=True,
        )
        run = self.run(
            Calculation("pw", text, outputs=(str(XML),)),
            lambda: run_program(
                "pw",
                input_text=text,
                handlers=pw_handlers("pw"),
                settings=settings,
                n_k_points=irreducible_k_points(
                    structure, self.recipe.k_mesh, spin_polarized=self.recipe.spin_polarized
                ),
            ),
            lambda: require_converged(read_pw_xml(XML)),
        )
        result = require_converged(read_pw_xml(XML))
        final = primitive_cell(result.structure) if self.recipe.relax else structure
        provenance = self.provenance("pw.x", run)
        gap, pressure, forces = band_gap_ev(result), result.pressure_gpa, result.forces_ev_per_angstrom
        if gap is None or pressure is None or forces is None or result.fermi_ev is None:
            msg = (
                f"{XML.absolute()}: expected Fermi energy, bands, forces and stress, found not all: pw.x was cut; rerun"
            )
            raise ProgramFailedError(msg)
        max_force = float(np.linalg.norm(forces, axis=1).max())
        document = StructureDocument(
            **identity(tag, final),
            structure=final,
            initial_structure=structure,
            relaxed=self.recipe.relax,
            energy_ev=result.energy_ev,
            fermi_ev=result.fermi_ev,
            band_gap_ev=gap,
            total_magnetization_bohr_magneton=result.total_magnetization_bohr_magneton,
            k_mesh=self.recipe.k_mesh,
            target_pressure_gpa=self.recipe.pressure_gpa,
            pressure_gpa=pressure,
            max_force_ev_per_angstrom=max_force,
            volume_change=final.volume / structure.volume - 1,
            space_group=space_group_symbol(final),
            protocol=self.recipe.protocol,
            gates=_gates(gap, pressure, max_force, self.recipe),
            warnings=(
                *correction_warnings([provenance]),
                *_stop_warnings(Path("pw.out")),
                *relativity,
                *_spin_warnings(final, result.total_magnetization_bohr_magneton),
            ),
            provenance=provenance,
        )
        return respond(document)


def require_converged(run: PwRun) -> PwRun:
    """Refuse a relaxation that did not end at a minimum.

    Parameters
    ----------
    run
        What pw.x wrote.

    Raises
    ------
    ProgramFailedError
        If its self-consistency or its geometry did not converge.
    """
    if run.converged:
        return run
    msg = (
        f"{XML.absolute()}: expected a converged {run.calculation}, found one that is not: run the campaign again, or "
        "start from a structure nearer to its minimum, or set relax = false"
    )
    raise ProgramFailedError(msg)


def _gates(gap_ev: float, pressure_gpa: float, max_force_ev_per_angstrom: float, recipe: Recipe) -> tuple[Gate, ...]:
    metal = metal_gate(gap_ev)
    if not recipe.relax:
        return (metal,)
    pressure = pressure_gate(pressure_gpa, recipe.pressure_gpa)
    return metal, pressure, force_gate(max_force_ev_per_angstrom, recipe.force_threshold_ry_bohr)


def _stop_warnings(output: Path) -> tuple[str, ...]:
    """Tell a relaxation that stopped on the noise of its forces, which the XML calls converged."""
    text = output.read_text(encoding="utf-8", errors="replace")
    if not any(re.search(pattern, text) for pattern in BFGS_HISTORY.printed):
        return ()
    return ("the relaxation stopped before its thresholds: no step lowered the energy; lower scf_threshold_ry",)


def _spin_warnings(structure: Structure, magnetization_bohr_magneton: float | None) -> tuple[str, ...]:
    """Tell magnetism that was not looked for, and magnetism that was found."""
    if magnetization_bohr_magneton is None:
        magnetic = sorted(OFTEN_MAGNETIC & {element.symbol for element in structure.composition.elements})
        if not magnetic:
            return ()
        return (f"computed without spin polarisation although {', '.join(magnetic)} is often magnetic",)
    if abs(magnetization_bohr_magneton) < MOMENT_GONE_BOHR_MAGNETON:
        return ()
    return (
        f"magnetic, {magnetization_bohr_magneton:.2f} Bohr magnetons a cell: alpha2F averages over two different "
        "spins, and singlet pairing is not expected",
    )
