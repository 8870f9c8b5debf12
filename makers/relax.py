"""Relaxation of cell and atoms at a target pressure."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jobflow import Response, job
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from hightc.analysis.documents import Gate, MaterialTag, StructureDocument
from hightc.analysis.documents.base import identity
from hightc.analysis.parsers.pw import band_gap_ev, read_pw_xml
from hightc.makers.base import QEMaker, clean_stop_seconds, correction_warnings
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import run_program
from hightc.makers.gates import metal_gate, pressure_gate, respond
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import OUTDIR, PREFIX, SYMMETRY_PRECISION_ANGSTROM, primitive_cell, pw_input
from hightc.makers.qe.meshes import irreducible_k_points
from hightc.makers.qe.recipe import Recipe

XML = Path(OUTDIR) / f"{PREFIX}.save" / "data-file-schema.xml"
OFTEN_MAGNETIC = frozenset(("Cr", "Mn", "Fe", "Co", "Ni", "Ce", "Nd", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "U"))


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
        text = pw_input(
            structure,
            self.recipe,
            calculation="vc-relax" if self.recipe.relax else "scf",
            dense=False,
            pseudo_dir=self.pseudo_dir(settings),
            max_seconds=clean_stop_seconds(settings),
            for_stress=True,
        )
        run = run_program(
            "pw",
            input_text=text,
            handlers=pw_handlers("pw"),
            settings=settings,
            n_k_points=irreducible_k_points(structure, self.recipe.k_mesh),
        )
        result = read_pw_xml(XML)
        final = primitive_cell(result.structure) if self.recipe.relax else structure
        provenance = self.provenance("pw.x", run)
        gap, pressure, forces = band_gap_ev(result), result.pressure_gpa, result.forces_ev_per_angstrom
        if gap is None or pressure is None or forces is None or result.fermi_ev is None:
            msg = (
                f"{XML.absolute()}: expected Fermi energy, bands, forces and stress, found not all: pw.x was cut; rerun"
            )
            raise ProgramFailedError(msg)
        document = StructureDocument(
            **identity(tag, final),
            structure=final,
            initial_structure=structure,
            relaxed=self.recipe.relax,
            energy_ev=result.energy_ev,
            fermi_ev=result.fermi_ev,
            band_gap_ev=gap,
            total_magnetization_bohr_magneton=None,
            k_mesh=self.recipe.k_mesh,
            target_pressure_gpa=self.recipe.pressure_gpa,
            pressure_gpa=pressure,
            max_force_ev_per_angstrom=float(np.abs(forces).max()),
            volume_change=final.volume / structure.volume - 1,
            space_group=_space_group(final),
            protocol=self.recipe.protocol,
            gates=_gates(gap, pressure, self.recipe),
            warnings=(*correction_warnings([provenance]), *_spin_warnings(final)),
            provenance=provenance,
        )
        return respond(document)


def _gates(gap_ev: float, pressure_gpa: float, recipe: Recipe) -> tuple[Gate, ...]:
    metal = metal_gate(gap_ev)
    return (metal, pressure_gate(pressure_gpa, recipe.pressure_gpa)) if recipe.relax else (metal,)


def _space_group(structure: Structure) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return str(SpacegroupAnalyzer(structure, symprec=SYMMETRY_PRECISION_ANGSTROM).get_space_group_symbol())


def _spin_warnings(structure: Structure) -> tuple[str, ...]:
    magnetic = sorted(OFTEN_MAGNETIC & {element.symbol for element in structure.composition.elements})
    if not magnetic:
        return ()
    return (f"computed without spin polarisation although {', '.join(magnetic)} is often magnetic",)
