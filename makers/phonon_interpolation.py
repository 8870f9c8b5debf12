"""Phonons between the computed q points with q2r.x and matdyn.x; a finer q mesh where they do not decide."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from jobflow import Job, Response, job

from hightc.analysis.documents import (
    CouplingDocument,
    ForceConstantsDocument,
    PhononDocument,
    ScfDocument,
    StoredArray,
    StructureDocument,
)
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.documents.phonon import MeshPass
from hightc.analysis.parsers.matdyn import read_frequencies, read_phonon_dos
from hightc.analysis.parsers.q2r import read_force_constants
from hightc.analysis.stability import find_imaginary_modes
from hightc.makers.base import QEMaker, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.dynamic_jobs import replace_by, running_job, take_the_place_of
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.gates import respond, stability_gate
from hightc.makers.phonon import CouplingMaker
from hightc.makers.phonon_document import triple
from hightc.makers.qe.finer_mesh import finer_recipe
from hightc.makers.qe.handlers import matdyn_handlers, q2r_handlers
from hightc.makers.qe.phonon_inputs import (
    FILDYN,
    FORCE_CONSTANTS,
    FREQUENCIES,
    PHONON_DOS,
    matdyn_input,
    q2r_input,
)
from hightc.makers.scf import DenseScfMaker, ScfMaker
from hightc.makers.staging import stage

SPECTRA = (FREQUENCIES, PHONON_DOS, "a2F.dos*", "lambda")
"""What the spectral function is read from."""


@dataclass
class ForceConstantsMaker(QEMaker):
    """Real-space force constants with q2r.x."""

    name: str = "q2r.x"

    @job(data="blob", output_schema=ForceConstantsDocument)
    def make(self, coupling: CouplingDocument) -> ForceConstantsDocument:
        """Run q2r.x on the dynamical matrices and the coupling.

        Parameters
        ----------
        coupling
            Phonons and coupling on the q mesh.
        """
        upstream = (coupling.provenance.content_sha256,)
        calculation = Calculation("q2r", q2r_input(), outputs=(FORCE_CONSTANTS, "elph_dir"), upstream=upstream)

        def compute() -> ProgramRun:
            stage(coupling.provenance.directory, [f"{FILDYN}*", "elph_dir"])
            return run_program("q2r", input_text=q2r_input(), handlers=q2r_handlers("q2r"), settings=self.settings())

        run = self.run(calculation, compute, lambda: read_force_constants(FORCE_CONSTANTS))
        constants = read_force_constants(FORCE_CONSTANTS)
        provenance = self.provenance("q2r.x", run)
        return ForceConstantsDocument(
            **coupling.model_dump(include=IDENTITY),
            structure=coupling.structure,
            q_mesh=coupling.q_mesh,
            force_constants=StoredArray.from_array(constants.array_ry_per_bohr2),
            protocol=self.recipe.protocol,
            warnings=correction_warnings([provenance]),
            provenance=provenance,
        )


@dataclass
class InterpolationMaker(QEMaker):
    """Interpolated phonons and spectra with matdyn.x.

    Attributes
    ----------
    finer_q_passes
        How often a finer q mesh is tried where the interpolated modes are marginal.
    q_jobs
        Runs of ph.x that can go on side by side on the finer mesh.
    potentials
        Whether ph.x on the finer mesh must leave what the Wannier route reads.
    coarser_passes
        Verdicts of the coarser meshes before this one.
    """

    name: str = "matdyn.x"
    finer_q_passes: int = 1
    q_jobs: int = 1
    potentials: bool = False
    coarser_passes: list[MeshPass] = field(default_factory=list)

    @job(output_schema=PhononDocument)
    def make(
        self,
        force_constants: ForceConstantsDocument,
        structure: StructureDocument | None = None,
        scf: ScfDocument | None = None,
        steps: dict[str, str] | None = None,
    ) -> Response[Any]:
        """Run matdyn.x, look for imaginary modes off the computed mesh, and go to a finer one if they are marginal.

        Parameters
        ----------
        force_constants
            Real-space force constants.
        structure, scf, steps
            What a finer mesh starts from: the relaxed structure, the calculation on the k mesh of the linear response,
            and the uuids of the jobs ``dense``, ``scf``, ``coupling`` and ``force_constants``, whose place the finer
            ones take. Without them no finer mesh is tried.
        """
        text, upstream = matdyn_input(self.recipe), (force_constants.provenance.content_sha256,)

        def compute() -> ProgramRun:
            stage(force_constants.provenance.directory, [FORCE_CONSTANTS, "elph_dir"])
            return run_program("matdyn", input_text=text, handlers=matdyn_handlers("matdyn"), settings=self.settings())

        calculation = Calculation("matdyn", text, outputs=SPECTRA, upstream=upstream)
        run = self.run(calculation, compute, lambda: read_phonon_dos(PHONON_DOS, n_points=self.recipe.n_dos))
        dos = read_phonon_dos(PHONON_DOS, n_points=self.recipe.n_dos)
        verdict = find_imaginary_modes(read_frequencies(FREQUENCIES))
        provenance = self.provenance("matdyn.x", run)
        document = PhononDocument(
            **force_constants.model_dump(include=IDENTITY),
            structure=force_constants.structure,
            q_mesh=force_constants.q_mesh,
            interpolation_mesh=self.recipe.interpolation_mesh,
            omega_mev=tuple(dos.omega_mev.tolist()),
            dos_per_mev=tuple(dos.dos_per_mev.tolist()),
            lowest_frequency_mev=verdict.lowest_mev,
            lowest_frequency_q=triple(verdict.lowest_q),
            stability=verdict.status,
            coarser_passes=tuple(self.coarser_passes),
            protocol=self.recipe.protocol,
            gates=(stability_gate(verdict, note=self._history()),),
            warnings=(
                *correction_warnings([provenance]),
                *((verdict.message,) if verdict.status == "marginal" else ()),
            ),
            provenance=provenance,
        )
        if verdict.status != "marginal" or self.finer_q_passes < 1 or not (structure and scf and steps):
            return respond(document)
        return self._refine(document, structure, scf, steps)

    def _history(self) -> str | None:
        """What coarser meshes said, as a phrase."""
        meshes = ["x".join(str(n) for n in one.q_mesh) for one in self.coarser_passes]
        return f"marginal on the q mesh {' and '.join(meshes)} before" if meshes else None

    def _refine(
        self, document: PhononDocument, structure: StructureDocument, scf: ScfDocument, steps: dict[str, str]
    ) -> Response[Any]:
        """Store the marginal document, and compute every step from the meshes on anew in the place of the old one."""
        recipe, this = finer_recipe(self.recipe), running_job()
        said = MeshPass(
            q_mesh=document.q_mesh,
            k_mesh=self.recipe.k_mesh,
            stability=document.stability,
            lowest_frequency_mev=document.lowest_frequency_mev,
            message=document.gates[0].message,
        )
        jobs: dict[str, Job] = {}
        mesh = "x".join(str(n) for n in recipe.q_mesh)

        def add(step: str, new: Job) -> Any:
            # the coupling may have stored twice in this pass, once for its q list and once for all its groups
            take_the_place_of(new, {**steps, "phonon": this.uuid}[step], 2 * this.index + 1)
            new.name = f"{new.name} q {mesh}"
            jobs[f"q-{mesh}-{step.replace('_', '-')}"] = new
            return new.output

        start: Any = scf
        if recipe.meshes[1:] != self.recipe.meshes[1:]:
            dense = add("dense", DenseScfMaker(recipe=recipe).make(structure))
            start = add("scf", ScfMaker(recipe=recipe).make(structure, dense))
        linear_response = CouplingMaker(recipe=recipe, q_jobs=self.q_jobs, potentials=self.potentials)
        coupling = add("coupling", linear_response.make(start))
        constants = add("force_constants", ForceConstantsMaker(recipe=recipe).make(coupling))
        again = replace(
            self,
            name=InterpolationMaker.name,
            recipe=recipe,
            finer_q_passes=self.finer_q_passes - 1,
            coarser_passes=[*self.coarser_passes, said],
        )
        add("phonon", again.make(constants, structure, start, steps))
        return replace_by(jobs, InterpolationMaker.name, output=document)
