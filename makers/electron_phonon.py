"""Electron-phonon coupling by linear response: ph.x, q2r.x, matdyn.x, and the spectral function of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobflow import Response, job

from hightc.analysis.coupling import direct_q_sum
from hightc.analysis.documents import (
    Alpha2FDocument,
    CouplingDocument,
    ForceConstantsDocument,
    PhononDocument,
    Provenance,
    QPointRecord,
    ScfDocument,
    StoredArray,
    StructureDocument,
)
from hightc.analysis.files import write_text
from hightc.analysis.parsers.matdyn import read_a2f_dos, read_frequencies, read_lambda, read_phonon_dos
from hightc.analysis.parsers.ph import read_dynamical_matrices, read_elph
from hightc.analysis.parsers.q2r import read_force_constants
from hightc.analysis.spectral_function import alpha2f_document, finite_or_none
from hightc.analysis.stability import find_imaginary_modes
from hightc.makers.base import QEMaker, clean_stop_seconds, combined_digest, correction_warnings
from hightc.makers.execution import run_program
from hightc.makers.gates import respond, stability_gate
from hightc.makers.qe.handlers import matdyn_handlers, ph_handlers
from hightc.makers.qe.inputs import (
    FILDYN,
    FORCE_CONSTANTS,
    FREQUENCIES,
    N_SIGMA,
    OUTDIR,
    PHONON_DOS,
    PREFIX,
    matdyn_input,
    ph_input,
    q2r_input,
)
from hightc.makers.qe.phonon_restart import clear_unfinished_q, discard_phonons
from hightc.makers.qe.symmetry import irreducible_k_points
from hightc.makers.scf import DOUBLE_DELTA_WEIGHTS
from hightc.makers.staging import stage

IDENTITY = {"campaign", "material", "formula", "elements"}
INPUT_DIGEST = "ph.sha256"


@dataclass
class CouplingMaker(QEMaker):
    """Phonons and electron-phonon matrix elements on the q mesh with ph.x."""

    name: str = "ph.x electron-phonon"

    @job(output_schema=CouplingDocument)
    def make(self, scf: ScfDocument) -> Response[Any]:
        """Run ph.x, from the first unfinished q point of an interrupted run of the same input in this folder.

        Parameters
        ----------
        scf
            The calculation on the k mesh of the linear response.
        """
        settings = self.settings()
        stage(
            scf.provenance.directory,
            [f"{OUTDIR}/{PREFIX}.save", f"{OUTDIR}/{PREFIX}.xml", DOUBLE_DELTA_WEIGHTS],
        )
        first_q = _first_unfinished_q(self, scf)
        text = ph_input(self.recipe, first_q=first_q, max_seconds=clean_stop_seconds(settings))
        run = run_program(
            "ph",
            input_text=text,
            handlers=ph_handlers("ph"),
            settings=settings,
            n_k_points=irreducible_k_points(scf.structure, scf.k_mesh),
        )
        here = Path.cwd()
        mesh = read_dynamical_matrices(here, FILDYN)
        sums = direct_q_sum(mesh, read_elph(here))
        verdict = find_imaginary_modes(mesh)
        provenance = self.provenance("ph.x", run)
        document = CouplingDocument(
            **scf.model_dump(include=IDENTITY),
            structure=scf.structure,
            q_mesh=self.recipe.q_mesh,
            q_points=tuple(
                QPointRecord(
                    q_fractional=_triple(point.q_fractional),
                    weight=float(weight),
                    frequencies_mev=tuple(point.frequencies_mev.tolist()),
                )
                for point, weight in zip(mesh, sums.weights, strict=True)
            ),
            smearing_ev=tuple(sums.smearing_ev.tolist()),
            dos_per_ev_spin_cell=tuple(sums.dos_per_ev_spin_cell.tolist()),
            lambda_q_sum=tuple(sums.coupling.tolist()),
            omega_log_q_sum_mev=tuple(finite_or_none(value) for value in sums.omega_log_mev),
            lowest_frequency_mev=verdict.lowest_mev,
            protocol=self.recipe.protocol,
            gates=(stability_gate(verdict),),
            warnings=(*correction_warnings([provenance]), *sums.warnings),
            provenance=provenance,
        )
        return respond(document)


def _first_unfinished_q(maker: CouplingMaker, scf: ScfDocument) -> int:
    """First q point to compute: 1 unless an interrupted run of the same input lies here."""
    digest = combined_digest([ph_input(maker.recipe), scf.provenance.input_sha256])
    marker = Path(INPUT_DIGEST)
    if marker.is_file() and marker.read_text(encoding="utf-8") == digest:
        return clear_unfinished_q(Path.cwd())
    discard_phonons(Path.cwd())
    write_text(marker, digest)
    return 1


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
        stage(coupling.provenance.directory, [f"{FILDYN}*", "elph_dir"])
        run = run_program("q2r", input_text=q2r_input(), handlers=matdyn_handlers("q2r"), settings=self.settings())
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
    """Interpolated phonons and spectra with matdyn.x."""

    name: str = "matdyn.x"

    @job(output_schema=PhononDocument)
    def make(self, force_constants: ForceConstantsDocument) -> Response[Any]:
        """Run matdyn.x and look for imaginary modes off the computed mesh.

        Parameters
        ----------
        force_constants
            Real-space force constants.
        """
        stage(force_constants.provenance.directory, [FORCE_CONSTANTS, "elph_dir"])
        text = matdyn_input(self.recipe)
        run = run_program("matdyn", input_text=text, handlers=matdyn_handlers("matdyn"), settings=self.settings())
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
            lowest_frequency_q=_triple(verdict.lowest_q),
            stability=verdict.status,
            protocol=self.recipe.protocol,
            gates=(stability_gate(verdict),),
            warnings=(
                *correction_warnings([provenance]),
                *((verdict.message,) if verdict.status == "marginal" else ()),
            ),
            provenance=provenance,
        )
        return respond(document)


@dataclass
class Alpha2FMaker(QEMaker):
    """The spectral function of all smearings, joined and judged."""

    name: str = "alpha2F"

    @job(output_schema=Alpha2FDocument)
    def make(
        self,
        structure: StructureDocument,
        dense: ScfDocument,
        scf: ScfDocument,
        coupling: CouplingDocument,
        force_constants: ForceConstantsDocument,
        phonon: PhononDocument,
    ) -> Alpha2FDocument:
        """Read the spectra that matdyn.x wrote.

        Parameters
        ----------
        structure
            The relaxed structure.
        dense, scf
            The calculations on the dense mesh and on that of the linear response.
        coupling
            Phonons and coupling on the q mesh.
        force_constants
            Real-space force constants.
        phonon
            Interpolated phonons; the spectra lie in the folder of their run.
        """
        folder = Path(phonon.provenance.directory)
        files = [folder / f"a2F.dos{number}" for number in range(1, N_SIGMA + 1)]
        spectra = [read_a2f_dos(path) for path in files]
        table = read_lambda(folder / "lambda", n_smearing=N_SIGMA)
        parts = (structure, dense, scf, coupling, force_constants, phonon)
        return alpha2f_document(
            structure,
            coupling,
            spectra,
            table,
            k_mesh=self.recipe.k_mesh,
            k_mesh_dense=self.recipe.k_mesh_dense,
            provenance=joined_provenance([part.provenance for part in parts]),
            inherited_warnings=list(dict.fromkeys(note for part in parts for note in part.warnings)),
        )


def joined_provenance(runs: Sequence[Provenance]) -> Provenance:
    """Provenance of a result that several runs contributed to; its folder is that of the last.

    Parameters
    ----------
    runs
        In the order they ran.
    """
    seconds = [run.wall_seconds for run in runs if run.wall_seconds is not None]
    return runs[-1].model_copy(
        update={
            "input_sha256": combined_digest(run.input_sha256 for run in runs),
            "codes": {name: version for run in runs for name, version in run.codes.items()},
            "corrections": tuple(item for run in runs for item in run.corrections),
            "wall_seconds": sum(seconds) if len(seconds) == len(runs) else None,
        }
    )


def _triple(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
