"""Self-consistent calculations that ph.x, and bands at other k points, start from."""

from __future__ import annotations

from dataclasses import dataclass

from jobflow import job

from hightc.analysis.documents import ScfDocument, StructureDocument
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.parsers.pw import PwRun, band_gap_ev, read_pw_xml
from hightc.makers.base import QEMaker, clean_stop_seconds, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import OUTDIR, PREFIX, pw_input
from hightc.makers.qe.symmetry import irreducible_k_points
from hightc.makers.relax import XML
from hightc.makers.staging import stage

DOUBLE_DELTA_WEIGHTS = f"{OUTDIR}/{PREFIX}.a2Fsave"
DENSE_OUTPUTS = (str(XML), DOUBLE_DELTA_WEIGHTS)
DENSITY_OUTPUTS = (f"{OUTDIR}/{PREFIX}.save", f"{OUTDIR}/{PREFIX}.xml")
OUTPUTS = (*DENSITY_OUTPUTS, DOUBLE_DELTA_WEIGHTS)
"""What ph.x starts from, and whoever takes over the run must therefore find."""


@dataclass
class DenseScfMaker(QEMaker):
    """Self-consistency on the dense mesh: saves energies for the double delta of the electron-phonon sum."""

    name: str = "scf dense"

    @job(output_schema=ScfDocument)
    def make(self, structure: StructureDocument) -> ScfDocument:
        """Run pw.x with ``la2F`` on the dense mesh.

        Parameters
        ----------
        structure
            The relaxed structure.
        """
        return _run_scf(self, structure, dense=True, outputs=DENSE_OUTPUTS)


@dataclass
class DensityMaker(QEMaker):
    """Self-consistency on the k mesh of the linear response, for bands of its density elsewhere."""

    name: str = "scf density"

    @job(output_schema=ScfDocument)
    def make(self, structure: StructureDocument) -> ScfDocument:
        """Run pw.x.

        Parameters
        ----------
        structure
            The relaxed structure.
        """
        return _run_scf(self, structure, dense=False, outputs=DENSITY_OUTPUTS)


@dataclass
class ScfMaker(QEMaker):
    """Self-consistency on the k mesh of the linear response, beside the dense mesh's energies."""

    name: str = "scf"

    @job(output_schema=ScfDocument)
    def make(self, structure: StructureDocument, dense: ScfDocument) -> ScfDocument:
        """Run pw.x where the energies of the dense mesh lie.

        Parameters
        ----------
        structure
            The relaxed structure.
        dense
            The calculation on the dense mesh.
        """
        stage(dense.provenance.directory, [DOUBLE_DELTA_WEIGHTS])
        return _run_scf(self, structure, dense=False, outputs=OUTPUTS, upstream=(dense.provenance.content_sha256,))


def _run_scf(
    maker: QEMaker,
    structure: StructureDocument,
    *,
    dense: bool,
    outputs: tuple[str, ...],
    upstream: tuple[str | None, ...] = (),
) -> ScfDocument:
    settings = maker.settings()
    mesh = maker.recipe.k_mesh_dense if dense else maker.recipe.k_mesh
    text = pw_input(
        structure.structure,
        maker.recipe,
        calculation="scf",
        dense=dense,
        pseudo_dir=maker.pseudo_dir(settings),
        max_seconds=clean_stop_seconds(settings),
    )
    run = maker.run(
        Calculation("pw", text, outputs=outputs, upstream=upstream),
        lambda: run_program(
            "pw",
            input_text=text,
            handlers=pw_handlers("pw"),
            settings=settings,
            n_k_points=irreducible_k_points(structure.structure, mesh, spin_polarized=maker.recipe.spin_polarized),
        ),
        lambda: read_pw_xml(XML),
    )
    return _document(maker, structure, run, read_pw_xml(XML), dense=dense)


def _document(
    maker: QEMaker, structure: StructureDocument, run: ProgramRun, result: PwRun, *, dense: bool
) -> ScfDocument:
    provenance = maker.provenance("pw.x", run)
    gap = band_gap_ev(result)
    if gap is None or result.fermi_ev is None:
        msg = f"{XML.absolute()}: expected a Fermi energy and bands, found none: pw.x was cut; rerun"
        raise ProgramFailedError(msg)
    return ScfDocument(
        **structure.model_dump(include=IDENTITY),
        structure=structure.structure,
        purpose="dense" if dense else "coarse",
        energy_ev=result.energy_ev,
        fermi_ev=result.fermi_ev,
        band_gap_ev=gap,
        total_magnetization_bohr_magneton=result.total_magnetization_bohr_magneton,
        k_mesh=maker.recipe.k_mesh_dense if dense else maker.recipe.k_mesh,
        protocol=maker.recipe.protocol,
        warnings=correction_warnings([provenance]),
        provenance=provenance,
    )
