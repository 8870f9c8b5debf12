"""From a structure to its magnetic softness: every order on a ladder of volumes or pressures."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow import Flow, Job, Maker
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.analysis.magnetic_orders import magnetic_orders
from hightc.makers.magnetism import MagnetismMaker
from hightc.makers.magnetism_checks import MagneticChecksMaker
from hightc.makers.magnetism_rung import MagneticRungMaker
from hightc.makers.qe.magnetic_recipe import MagneticRecipe
from hightc.makers.qe.recipe import Recipe


@dataclass
class MagneticSoftnessFlowMaker(Maker):
    """One job for each order and rung, one for what a rung tells beside, and one for the document.

    Orders run side by side. A magnetic order climbs its ladder rung by rung, each from the spins of the one before;
    without spins, and where the volume is given, rungs wait for nothing.

    Attributes
    ----------
    name
        Name of the flow.
    recipe, magnetism
        Every number of the calculations.
    """

    name: str = "magnetic softness"
    recipe: Recipe = field(kw_only=True)
    magnetism: MagneticRecipe = field(kw_only=True)

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
            Its output is the MagnetismDocument.
        """
        orders, left_out = magnetic_orders(
            structure,
            self.magnetism.magnetic_elements,
            max_primitive_cells=self.magnetism.max_primitive_cells,
            max_orders=self.magnetism.max_orders,
        )
        maker = MagneticRungMaker(recipe=self.recipe, magnetism=self.magnetism)
        ladders: list[list[Job]] = []
        for order in orders:
            waits = order.kind != "nonmagnetic" or bool(self.magnetism.pressures_gpa)
            ladder: list[Job] = []
            for rung in range(self.magnetism.n_rungs):
                neighbour = ladder[-1].output if ladder and waits else None
                ladder.append(maker.named(order, rung, neighbour))
            ladders.append(ladder)
        asked = [[ladder[rung].output for rung in self.magnetism.check_rungs] for ladder in ladders]
        checks = MagneticChecksMaker(recipe=self.recipe, magnetism=self.magnetism).make(list(orders), asked)
        rungs = [job for ladder in ladders for job in ladder]
        document = MagnetismMaker(recipe=self.recipe, magnetism=self.magnetism).make(
            structure, tag, list(orders), list(left_out), [job.output for job in rungs], checks.output
        )
        jobs: list[Flow | Job] = [*rungs, checks, document]
        return Flow(jobs, output=document.output, name=f"{tag.material} {self.name}")
