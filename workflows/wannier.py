"""From phonons to a critical temperature through Wannier functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Job, Maker

from hightc.makers.epw import FineMeshMaker, VertexMaker
from hightc.makers.fermi_surface import WannierFermiMaker
from hightc.makers.gap import GapMaker
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe
from hightc.makers.tc import TcMaker
from hightc.makers.wannier import WannierMaker


@dataclass
class WannierFlowMaker(Maker):
    """Wannier functions, the coupling between them, alpha2F on finer and finer meshes, Tc and gaps.

    Attributes
    ----------
    name
        Name of the flow.
    recipe, wannier
        Every number of the calculations.
    tc
        How Tc is computed from the spectrum.
    nesting
        Numbers of nesting and susceptibility, which the bands of the Wannier functions give too; None leaves them out.
    """

    name: str = "wannier"
    recipe: Recipe = field(kw_only=True)
    wannier: WannierRecipe = field(kw_only=True)
    tc: TcMaker = field(default_factory=TcMaker)
    nesting: NestingRecipe | None = None

    def make(self, structure: Any, dense: Any, scf: Any, coupling: Any, phonon: Any) -> Flow:
        """Join the jobs that follow the phonons of one material.

        Parameters
        ----------
        structure, dense, scf, coupling, phonon
            Outputs of the jobs that relax, compute the dense mesh, start the linear response, compute phonons and
            interpolate them.

        Returns
        -------
        Flow
            Its output is the TcDocument.
        """
        jobs: list[Flow | Job] = [*self.jobs(structure, dense, scf, coupling, phonon)]
        return Flow(jobs, output=jobs[-1].output, name=self.name)

    def jobs(self, structure: Any, dense: Any, scf: Any, coupling: Any, phonon: Any) -> list[Job]:
        """Jobs of :meth:`make` for a flow that holds the earlier ones; Tc is the last.

        Parameters
        ----------
        structure, dense, scf, coupling, phonon
            As for :meth:`make`.
        """
        recipe, wannier, mu_star = self.recipe, self.wannier, self.tc.mu_star[0]
        functions = WannierMaker(recipe=recipe, wannier=wannier).make(scf, dense, coupling, phonon)
        vertex = VertexMaker(recipe=recipe, wannier=wannier).make(functions.output, coupling)
        fine = FineMeshMaker(recipe=recipe, wannier=wannier, mu_star=mu_star)
        spectrum = fine.make(structure, functions.output, vertex.output)
        gap = GapMaker(recipe=recipe, wannier=wannier, mu_star=mu_star).make(
            spectrum.output, functions.output, vertex.output
        )
        tc = self.tc.make(spectrum.output)
        tc.name = f"{tc.name} wannier"
        jobs: list[Job] = [functions, vertex, spectrum, gap, tc]
        if self.nesting is not None:
            jobs.insert(1, WannierFermiMaker(recipe=recipe, nesting=self.nesting).make(functions.output, dense))
        return jobs
