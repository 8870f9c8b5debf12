"""The magnetic moment of a relaxed structure, from one self-consistency that starts with parallel spins."""

from __future__ import annotations

from dataclasses import dataclass

from jobflow import job

from hightc.analysis.documents import MomentDocument, StructureDocument
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.base import QEMaker, clean_stop_seconds, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.errors import OutOfTimeError, ProgramFailedError
from hightc.makers.execution import run_program
from hightc.makers.magnetism_run import is_of_the_order
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import pw_input
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.symmetry import irreducible_k_points
from hightc.makers.relax import XML, require_converged

NO_SPIN_ORBIT = "spin-orbit coupling was left out"
"""Warning where the recipe has the coupling."""

STARTING_POLARIZATION = 0.5
"""Spin polarisation that elements start from which the recipe does not name; forgotten where there is no moment."""


@dataclass
class MomentMaker(QEMaker):
    """The moment of a relaxed structure on the k mesh of the linear response."""

    name: str = "scf moment"

    @job(output_schema=MomentDocument)
    def make(self, structure: StructureDocument) -> MomentDocument:
        """Run pw.x with two spins and without spin-orbit coupling.

        Where pw.x fails by what it computes, the document says why there is no moment; a failure of the machine is one
        of the job.

        Parameters
        ----------
        structure
            The relaxed structure.
        """
        recipe = _spin_polarized(self.recipe, structure)
        left_out = (NO_SPIN_ORBIT,) if self.recipe.spin_orbit else ()
        settings = self.settings()
        text = pw_input(
            structure.structure,
            recipe,
            calculation="scf",
            dense=False,
            pseudo_dir=self.pseudo_dir(settings),
            max_seconds=clean_stop_seconds(settings),
        )
        shared = {
            **structure.model_dump(include=IDENTITY),
            "structure": structure.structure,
            "starting_magnetization": recipe.starting_magnetization,
            "k_mesh": recipe.k_mesh,
            "protocol": recipe.protocol,
        }
        try:
            run = self.run(
                Calculation("pw", text, outputs=(str(XML),)),
                lambda: run_program(
                    "pw",
                    input_text=text,
                    handlers=pw_handlers("pw"),
                    settings=settings,
                    n_k_points=irreducible_k_points(structure.structure, recipe.k_mesh, spin_polarized=True),
                ),
                lambda: require_converged(read_pw_xml(XML)),
            )
        except ProgramFailedError as error:
            if isinstance(error, OutOfTimeError) or not is_of_the_order(error):
                raise
            nothing = dict.fromkeys(
                ("total_magnetization_bohr_magneton", "absolute_magnetization_bohr_magneton", "energy_ev", "provenance")
            )
            return MomentDocument(**shared, **nothing, reason=f"the moment was not found: {error}", warnings=left_out)
        result = read_pw_xml(XML)
        provenance = self.provenance("pw.x", run)
        total = result.total_magnetization_bohr_magneton
        return MomentDocument(
            **shared,
            total_magnetization_bohr_magneton=total,
            absolute_magnetization_bohr_magneton=result.absolute_magnetization_bohr_magneton,
            energy_ev=result.energy_ev,
            reason="pw.x wrote no magnetisation" if total is None else None,
            warnings=(*correction_warnings([provenance]), *left_out),
            provenance=provenance,
        )


def _spin_polarized(recipe: Recipe, structure: StructureDocument) -> Recipe:
    """The recipe with two collinear spins, every element started from some polarisation."""
    elements = sorted({site.specie.symbol for site in structure.structure})
    start = {element: recipe.starting_magnetization.get(element, STARTING_POLARIZATION) for element in elements}
    return recipe.model_copy(update={"spin_orbit": False, "spin_polarized": True, "starting_magnetization": start})
