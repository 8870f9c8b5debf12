"""From a structure to its critical temperature by linear response."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow import Flow, Job, Maker
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.makers.electron_phonon import Alpha2FMaker, CouplingMaker, ForceConstantsMaker, InterpolationMaker
from hightc.makers.qe.recipe import Recipe
from hightc.makers.relax import RelaxMaker
from hightc.makers.scf import DenseScfMaker, ScfMaker
from hightc.makers.tc import TcMaker


@dataclass
class ElectronPhononFlowMaker(Maker):
    """Relax, self-consistency on two meshes, ph.x, q2r.x, matdyn.x, alpha2F and Tc.

    Attributes
    ----------
    name
        Name of the flow.
    recipe
        Every number of the calculations.
    tc
        How Tc is computed from the spectrum.
    """

    name: str = "electron-phonon"
    recipe: Recipe = field(kw_only=True)
    tc: TcMaker = field(default_factory=TcMaker)

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
            Its output is the TcDocument.
        """
        relax = RelaxMaker(recipe=self.recipe).make(structure, tag)
        dense = DenseScfMaker(recipe=self.recipe).make(relax.output)
        scf = ScfMaker(recipe=self.recipe).make(relax.output, dense.output)
        coupling = CouplingMaker(recipe=self.recipe).make(scf.output)
        force_constants = ForceConstantsMaker(recipe=self.recipe).make(coupling.output)
        phonon = InterpolationMaker(recipe=self.recipe).make(force_constants.output)
        alpha2f = Alpha2FMaker(recipe=self.recipe).make(
            relax.output, dense.output, scf.output, coupling.output, force_constants.output, phonon.output
        )
        tc = self.tc.make(alpha2f.output)
        jobs: list[Flow | Job] = [relax, dense, scf, coupling, force_constants, phonon, alpha2f, tc]
        return Flow(jobs, output=tc.output, name=f"{tag.material} {self.name}")
