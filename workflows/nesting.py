"""From a structure to its Fermi surface, nesting and spin susceptibility."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow import Flow, Maker
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.makers.fermi_surface import FermiSurfaceMaker
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.qe.recipe import Recipe
from hightc.makers.relax import RelaxMaker
from hightc.makers.scf import DensityMaker


@dataclass
class NestingFlowMaker(Maker):
    """Relax, self-consistency, bands on a dense mesh.

    Attributes
    ----------
    name
        Name of the flow.
    recipe, nesting
        Every number of the calculations.
    """

    name: str = "nesting"
    recipe: Recipe = field(kw_only=True)
    nesting: NestingRecipe = field(kw_only=True)

    def make(self, structure: Structure, tag: MaterialTag) -> Flow:
        """Join the jobs of one material.

        Parameters
        ----------
        structure
            Primitive standard cell, Angstrom.
        tag
            Campaign and material.

        Returns
        -------
        Flow
            Its output is the FermiDocument.
        """
        relax = RelaxMaker(recipe=self.recipe).make(structure, tag)
        scf = DensityMaker(recipe=self.recipe).make(relax.output)
        fermi = FermiSurfaceMaker(recipe=self.recipe, nesting=self.nesting).make(relax.output, scf.output)
        return Flow([relax, scf, fermi], output=fermi.output, name=f"{tag.material} {self.name}")
