"""From a structure to its critical temperature by linear response, and from the same phonons by Wannier functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobflow import Flow, Job, Maker, OutputReference
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.analysis.documents.decision import Stage
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
        jobs = self.electrons(structure, tag)
        for stage in self.later_stages:
            jobs |= self.jobs_of(stage, {name: job.output for name, job in jobs.items()})
        made: list[Flow | Job] = list(jobs.values())
        return Flow(made, output=made[-1].output, name=f"{tag.material} {self.name}")

    @property
    def later_stages(self) -> tuple[Stage, ...]:
        """Stages that follow the electrons."""
        return ("phonons", "alpha2f") if self.wannier is None else ("phonons", "alpha2f", "wannier")

    def electrons(self, structure: Structure, tag: MaterialTag) -> dict[str, Job]:
        """Jobs of the cheap stage, by step.

        Parameters
        ----------
        structure
            Primitive standard cell, Angstrom.
        tag
            Campaign and material.
        """
        relax = RelaxMaker(recipe=self.recipe).make(structure, tag)
        return {"relax": relax, "dense": DenseScfMaker(recipe=self.recipe).make(relax.output)}

    def jobs_of(self, stage: Stage, done: Mapping[str, OutputReference]) -> dict[str, Job]:
        """Jobs of a later stage, by step.

        Parameters
        ----------
        stage
            phonons, alpha2f or wannier.
        done
            Outputs of every step of the stages before.
        """
        jobs = {"phonons": self._phonons, "alpha2f": self._spectrum, "wannier": self._wannier}
        return jobs[stage](done)

    def _phonons(self, done: Mapping[str, OutputReference]) -> dict[str, Job]:
        relax, dense, potentials = done["relax"], done["dense"], self.wannier is not None
        scf = ScfMaker(recipe=self.recipe).make(relax, dense)
        coupling = CouplingMaker(recipe=self.recipe, q_jobs=self.q_jobs, potentials=potentials).make(scf.output)
        force_constants = ForceConstantsMaker(recipe=self.recipe).make(coupling.output)
        made = {"scf": scf, "coupling": coupling, "force_constants": force_constants}
        steps = {"dense": dense.uuid, **{name: step.uuid for name, step in made.items()}}
        phonon = InterpolationMaker(
            recipe=self.recipe, q_jobs=self.q_jobs, potentials=potentials, finer_q_passes=self.finer_q_passes
        ).make(force_constants.output, relax, scf.output, steps)
        bands = PhononBandsMaker(recipe=self.recipe).make(force_constants.output, phonon.output)
        return {**made, "phonon": phonon, "bands": bands}

    def _spectrum(self, done: Mapping[str, OutputReference]) -> dict[str, Job]:
        steps = ("relax", "dense", "scf", "coupling", "force_constants", "phonon")
        alpha2f = Alpha2FMaker(recipe=self.recipe).make(*(done[step] for step in steps))
        return {"alpha2f": alpha2f, "tc": self.tc.make(alpha2f.output)}

    def _wannier(self, done: Mapping[str, OutputReference]) -> dict[str, Job]:
        if self.wannier is None:
            return {}
        route = WannierFlowMaker(recipe=self.recipe, wannier=self.wannier, tc=self.tc, nesting=self.nesting)
        jobs = route.jobs(*(done[step] for step in ("relax", "dense", "scf", "coupling", "phonon")))
        return {job.name: job for job in jobs}
