"""From a structure to its critical temperature by linear response, and from the same phonons by Wannier functions."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow import Flow, Job, Maker
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.makers.electron_phonon import Alpha2FMaker
from hightc.makers.phonon import CouplingMaker
from hightc.makers.phonon_bands import PhononBandsMaker
from hightc.makers.phonon_interpolation import ForceConstantsMaker, InterpolationMaker
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe
from hightc.makers.relax import RelaxMaker
from hightc.makers.scf import DenseScfMaker, ScfMaker
from hightc.makers.tc import TcMaker
from hightc.workflows.wannier import WannierFlowMaker


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
    q_jobs
        Runs of ph.x that can go on side by side; with more than one, each has a group of q points.
    finer_q_passes
        How often a finer q mesh is tried where interpolated modes are marginal.
    wannier
        Numbers of the Wannier route, which goes on from the same phonons; None leaves it out.
    nesting
        Numbers of nesting from the Wannier functions; without that route they are not used.
    """

    name: str = "electron-phonon"
    recipe: Recipe = field(kw_only=True)
    tc: TcMaker = field(default_factory=TcMaker)
    q_jobs: int = 1
    finer_q_passes: int = 1
    wannier: WannierRecipe | None = None
    nesting: NestingRecipe | None = None

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
            Its output is the TcDocument of the last route.
        """
        relax = RelaxMaker(recipe=self.recipe).make(structure, tag)
        dense = DenseScfMaker(recipe=self.recipe).make(relax.output)
        scf = ScfMaker(recipe=self.recipe).make(relax.output, dense.output)
        potentials = self.wannier is not None
        coupling = CouplingMaker(recipe=self.recipe, q_jobs=self.q_jobs, potentials=potentials).make(scf.output)
        force_constants = ForceConstantsMaker(recipe=self.recipe).make(coupling.output)
        steps = {"dense": dense, "scf": scf, "coupling": coupling, "force_constants": force_constants}
        phonon = InterpolationMaker(
            recipe=self.recipe, q_jobs=self.q_jobs, potentials=potentials, finer_q_passes=self.finer_q_passes
        ).make(force_constants.output, relax.output, scf.output, {name: step.uuid for name, step in steps.items()})
        bands = PhononBandsMaker(recipe=self.recipe).make(force_constants.output, phonon.output)
        alpha2f = Alpha2FMaker(recipe=self.recipe).make(
            relax.output, dense.output, scf.output, coupling.output, force_constants.output, phonon.output
        )
        tc = self.tc.make(alpha2f.output)
        jobs: list[Flow | Job] = [relax, dense, scf, coupling, force_constants, phonon, bands, alpha2f, tc]
        if self.wannier is not None:
            route = WannierFlowMaker(recipe=self.recipe, wannier=self.wannier, tc=self.tc, nesting=self.nesting)
            jobs += route.jobs(relax.output, dense.output, scf.output, coupling.output, phonon.output)
        return Flow(jobs, output=jobs[-1].output, name=f"{tag.material} {self.name}")
