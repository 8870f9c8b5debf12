"""The coupling between Wannier functions, and alpha2F on finer and finer meshes, with epw.x."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobflow import Response, job

from hightc.analysis.documents import (
    Alpha2FDocument,
    CouplingDocument,
    FineMesh,
    Provenance,
    StructureDocument,
    VertexDocument,
    WannierDocument,
)
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.fine_meshes import compared, mesh_convergence
from hightc.analysis.parsers.alpha2f import Alpha2FFile, read_alpha2f
from hightc.analysis.parsers.epw_output import read_epw_output
from hightc.analysis.spectral_function import clipped_spectrum, finite_or_none
from hightc.analysis.wannier_spectrum import wannier_alpha2f_document
from hightc.eliashberg import critical_temperature
from hightc.makers.base import QEMaker, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.dynamic_jobs import replace_by, running_job, take_the_place_of
from hightc.makers.epw_staging import collect_phonons, drop_scratch, link, require_wavefunctions
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.gates import respond
from hightc.makers.matrix_elements import require_paired_elements
from hightc.makers.provenance import joined_provenance
from hightc.makers.qe.epw_inputs import (
    MATRIX_ELEMENTS,
    N_FREQUENCIES,
    ROTATIONS,
    SELECTED_Q,
    SPECTRUM,
    SPECTRUM_ISOTROPIC,
    VERTEX,
    WANNIER_FILES,
    Subspace,
    coarse_input,
    fine_input,
    phonon_smearing_mev,
)
from hightc.makers.qe.epw_restart import discard_matrix_elements
from hightc.makers.qe.handlers import epw_handlers
from hightc.makers.qe.inputs import OUTDIR, PREFIX
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe
from hightc.makers.staging import stage

SAVE = f"{OUTDIR}/{PREFIX}.save"


@dataclass
class VertexMaker(QEMaker):
    """The coupling of the one ph.x run, brought to Wannier functions with epw.x.

    Attributes
    ----------
    wannier
        Numbers of the Wannier route.
    """

    name: str = "epw.x coarse"
    wannier: WannierRecipe = field(kw_only=True)

    @job(output_schema=VertexDocument)
    def make(self, wannier: WannierDocument, coupling: CouplingDocument) -> VertexDocument:
        """Collect phonons, potentials and wavefunctions, and run epw.x on the coarse meshes.

        Parameters
        ----------
        wannier
            The Wannier functions; wavefunctions are read in its folder.
        coupling
            Phonons; potentials are read in the folder of its ph.x run.
        """
        subspace = Subspace(wannier.n_wannier, wannier.n_excluded)
        recipe, numbers = on_meshes(self.recipe, self.wannier, wannier, coupling.q_mesh)
        text = coarse_input(recipe, numbers, subspace)

        def compute() -> ProgramRun:
            require_wavefunctions(Path(wannier.provenance.directory))
            collect_phonons(Path(coupling.provenance.directory), len(coupling.q_points))
            stage(wannier.provenance.directory, [ROTATIONS])
            link(Path(wannier.provenance.directory), [SAVE])
            settings = self.settings()
            run = run_program("epw", input_text=text, handlers=epw_handlers("epw"), settings=settings)
            drop_scratch(Path.cwd())
            return run

        upstream = (wannier.provenance.content_sha256, coupling.provenance.content_sha256)
        run = self.run(Calculation("epw", text, (*WANNIER_FILES, VERTEX), upstream=upstream), compute)
        provenance = self.provenance("epw.x", run)
        return VertexDocument(
            **wannier.model_dump(include=IDENTITY),
            structure=wannier.structure,
            k_mesh=wannier.k_mesh,
            q_mesh=coupling.q_mesh,
            n_wannier=subspace.n_wannier,
            n_excluded=subspace.n_excluded,
            fermi_ev=wannier.fermi_ev,
            highest_frequency_mev=max(max(point.frequencies_mev) for point in coupling.q_points),
            protocol=self.recipe.protocol,
            warnings=correction_warnings([provenance]),
            provenance=provenance,
        )


@dataclass
class FineMeshMaker(QEMaker):
    """alpha2F on a pair of fine meshes with epw.x; a finer pair takes its place until lambda and Tc hold still.

    Attributes
    ----------
    wannier
        Numbers of the Wannier route.
    mu_star
        Coulomb pseudopotential of the Tc that must hold still.
    """

    name: str = "epw.x fine"
    wannier: WannierRecipe = field(kw_only=True)
    mu_star: float = 0.10

    @job(output_schema=Alpha2FDocument)
    def make(
        self,
        structure: StructureDocument,
        wannier: WannierDocument,
        vertex: VertexDocument,
        before: Sequence[FineMesh] = (),
        runs: Sequence[Provenance] = (),
    ) -> Response[Any]:
        """Sum alpha2F on the next pair of meshes.

        Parameters
        ----------
        structure
            The relaxed structure.
        wannier
            The Wannier functions.
        vertex
            The coupling between them.
        before
            The coarser meshes.
        runs
            Where their numbers come from.
        """
        step = len(before)
        run = self._run(wannier, vertex, step)
        spectrum = read_alpha2f(SPECTRUM, n_points=N_FREQUENCIES)
        mesh = compared(self._mesh(vertex, run, step, spectrum), before[-1] if before else None)
        convergence = mesh_convergence(
            [*before, mesh],
            lambda_tolerance=self.wannier.lambda_tolerance,
            tc_relative_tolerance=self.wannier.tc_relative_tolerance,
            tc_tolerance_kelvin=self.wannier.tc_tolerance_kelvin,
        )
        provenances = [*runs, self.provenance("epw.x", run)]
        document = wannier_alpha2f_document(
            structure,
            wannier,
            spectrum,
            convergence,
            q_mesh=vertex.q_mesh,
            provenance=joined_provenance([structure.provenance, wannier.provenance, vertex.provenance, *provenances]),
            inherited_warnings=list(
                dict.fromkeys(
                    (*structure.warnings, *wannier.warnings, *vertex.warnings, *correction_warnings(provenances))
                )
            ),
        )
        last = step + 1 == len(self.wannier.fine_q_meshes)
        # a Fermi energy that is off may be that of a mesh still too coarse
        if last or (convergence.status == "converged" and document.passed):
            return respond(document)
        this = running_job()
        finer = self.make(structure, wannier, vertex, convergence.meshes, provenances)
        take_the_place_of(finer, this.uuid, this.index + 1)
        return replace_by({f"fine-{step + 2}": finer}, self.name)

    def _run(self, wannier: WannierDocument, vertex: VertexDocument, step: int) -> ProgramRun:
        recipe, numbers = on_meshes(self.recipe, self.wannier, wannier, vertex.q_mesh)
        text = fine_input(
            recipe,
            numbers,
            step=step,
            highest_phonon_mev=vertex.highest_frequency_mev,
            subspace=Subspace(vertex.n_wannier, vertex.n_excluded),
        )

        def compute() -> ProgramRun:
            stage(vertex.provenance.directory, WANNIER_FILES)
            link(Path(vertex.provenance.directory), [VERTEX])
            discard_matrix_elements(Path.cwd())
            run = run_program("epw", input_text=text, handlers=epw_handlers("epw"), settings=self.settings())
            require_paired_elements(Path.cwd())
            return run

        outputs = ("crystal.fmt", SPECTRUM, SPECTRUM_ISOTROPIC)
        along = (MATRIX_ELEMENTS, SELECTED_Q)
        upstream = (vertex.provenance.content_sha256,)
        return self.run(Calculation("epw", text, outputs, along=along, upstream=upstream), compute)

    def _mesh(self, vertex: VertexDocument, run: ProgramRun, step: int, spectrum: Alpha2FFile) -> FineMesh:
        """What epw.x says of the meshes, and Tc of their spectrum."""
        output = read_epw_output("epw.out")
        if output.fermi_fine_ev is None or output.dos_per_ev_spin_cell is None:
            msg = f"{Path('epw.out').absolute()}: expected Fermi energy and density of states, found not both: rerun"
            raise ProgramFailedError(msg)
        own = clipped_spectrum(spectrum.omega_mev, spectrum.alpha2f)
        return FineMesh(
            k_mesh=self.wannier.fine_k_mesh(step),
            q_mesh=self.wannier.fine_q_meshes[step],
            electron_smearing_ev=self.wannier.electron_smearing_ev,
            phonon_smearing_mev=phonon_smearing_mev(vertex.highest_frequency_mev),
            lambda_=own.lam,
            omega_log_mev=finite_or_none(own.omega_log_mev),
            tc_kelvin=critical_temperature(own, self.mu_star, reference="omega_2").tc_kelvin,
            dos_per_ev_spin_cell=output.dos_per_ev_spin_cell,
            fermi_ev=output.fermi_fine_ev,
            lambda_change=None,
            tc_change_kelvin=None,
            wall_seconds=run.end.wall_seconds,
        )


def on_meshes(
    recipe: Recipe, wannier: WannierRecipe, document: WannierDocument, q_mesh: tuple[int, int, int]
) -> tuple[Recipe, WannierRecipe]:
    """Recipes with the coarse meshes that were used, which may be finer than asked for.

    Parameters
    ----------
    recipe, wannier
        Numbers asked for.
    document
        The Wannier functions.
    q_mesh
        q mesh of the phonons.
    """
    return recipe.model_copy(update={"q_mesh": q_mesh}), wannier.model_copy(update={"k_mesh": document.k_mesh})
