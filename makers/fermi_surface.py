"""Fermi surface, nesting and bare susceptibility of a metal: from bands of pw.x, or from Wannier functions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobflow import Response, job

from hightc.analysis.documents import FermiDocument, Gate, ScfDocument, StructureDocument, WannierDocument
from hightc.analysis.fermi_document import NestingNumbers, make_fermi_document
from hightc.analysis.metal_bands import MetalBands, metal_bands
from hightc.analysis.parsers.pw import PwRun, band_gap_ev, read_pw_xml
from hightc.analysis.parsers.wannier import read_hr
from hightc.analysis.tetrahedra import fermi_dos
from hightc.analysis.wannier_metal_bands import wannier_metal_bands
from hightc.makers.base import QEMaker, clean_stop_seconds, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.gates import metal_gate, respond
from hightc.makers.listed_bands import BAND_THRESHOLD_RY, DENSITY, DENSITY_OF_SOME
from hightc.makers.qe.epw_inputs import HAMILTONIAN
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import pw_input
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.qe.symmetry import irreducible_k_points
from hightc.makers.relax import XML
from hightc.makers.staging import stage

STEM = "nscf"
EMPTY_SHARE = 0.2
"""Empty bands over filled ones: what pw.x takes for a metal."""


@dataclass
class FermiSurfaceMaker(QEMaker):
    """Bands on a dense mesh, and what their Fermi surface nests and screens.

    Attributes
    ----------
    nesting
        Meshes, widths and the Stoner parameter.
    """

    name: str = "fermi surface"
    nesting: NestingRecipe = field(kw_only=True)

    @job(data="blob", output_schema=FermiDocument)
    def make(self, structure: StructureDocument, scf: ScfDocument) -> Response[Any]:
        """Run pw.x at fixed density, and sum over the bands that cross the Fermi energy.

        Parameters
        ----------
        structure
            The relaxed structure.
        scf
            The calculation of its density.
        """
        source = Path(scf.provenance.directory)
        n_electrons = read_pw_xml(source / XML).n_electrons
        run = self._run_bands(structure, scf, n_bands(n_electrons, self.nesting.extra_bands, self.recipe.spin_orbit))
        result = read_pw_xml(XML)
        numbers = _numbers(self.nesting)
        try:
            bands = metal_bands(result, reach_ev=numbers.reach_ev)
        except ValueError as error:
            msg = f"{XML.absolute()}: {error}"
            raise ProgramFailedError(msg) from error
        provenance = self.provenance("pw.x", run)
        document = make_fermi_document(
            bands,
            numbers,
            structure.tag,
            gate=crossing_gate(result, bands),
            protocol=self.recipe.protocol,
            provenance=provenance,
            warnings=correction_warnings([provenance]),
        )
        return respond(document)

    def _run_bands(self, structure: StructureDocument, scf: ScfDocument, number: int) -> ProgramRun:
        settings = self.settings()
        changes = {"k_mesh": self.nesting.k_mesh, "scf_threshold_ry": BAND_THRESHOLD_RY}
        text = pw_input(
            structure.structure,
            self.recipe.model_copy(update=changes),
            calculation="nscf",
            dense=False,
            pseudo_dir=self.pseudo_dir(settings),
            max_seconds=clean_stop_seconds(settings),
            n_bands=number,
        )

        def compute() -> ProgramRun:
            source = Path(scf.provenance.directory)
            stage(source, [*DENSITY, *(name for name in DENSITY_OF_SOME if (source / name).is_file())])
            return run_program(
                "pw",
                input_text=text,
                handlers=pw_handlers(STEM),
                settings=settings,
                name=STEM,
                n_k_points=irreducible_k_points(structure.structure, self.nesting.k_mesh),
            )

        upstream = (scf.provenance.content_sha256,)
        calculation = Calculation("pw", text, outputs=(str(XML),), upstream=upstream, name=STEM)
        return self.run(calculation, compute, lambda: read_pw_xml(XML))


@dataclass
class WannierFermiMaker(QEMaker):
    """Nesting and susceptibility from Wannier functions that are there already: no program is run.

    Attributes
    ----------
    nesting
        Meshes, widths and the Stoner parameter.
    """

    name: str = "fermi surface wannier"
    nesting: NestingRecipe = field(kw_only=True)

    @job(data="blob", output_schema=FermiDocument)
    def make(self, wannier: WannierDocument, dense: ScfDocument) -> Response[Any]:
        """Sum over the bands of the Wannier Hamiltonian that cross the Fermi energy.

        Parameters
        ----------
        wannier
            The Wannier functions; their folder holds the Hamiltonian.
        dense
            The calculation on the dense mesh, whose electrons give the Fermi energy.
        """
        hamiltonian = read_hr(Path(wannier.provenance.directory) / HAMILTONIAN)
        run = read_pw_xml(Path(dense.provenance.directory) / XML)
        try:
            fermi_ev = fermi_dos(run).fermi_ev
        except ValueError as error:
            msg = f"{dense.provenance.directory}: {error}"
            raise ProgramFailedError(msg) from error
        bands = wannier_metal_bands(
            hamiltonian, wannier.structure, self.nesting.k_mesh, fermi_ev=fermi_ev, n_excluded=wannier.n_excluded
        )
        document = make_fermi_document(
            bands,
            _numbers(self.nesting),
            wannier.tag,
            gate=crossing_gate(run, bands),
            protocol=self.recipe.protocol,
            provenance=wannier.provenance,
            warnings=wannier.warnings,
        )
        return respond(document)


def _numbers(nesting: NestingRecipe) -> NestingNumbers:
    return NestingNumbers(
        interpolation_factor=nesting.interpolation_factor,
        smearing_ev=nesting.smearing_ev,
        temperature_k=nesting.temperature_k,
        stoner_ev=nesting.stoner_ev,
    )


def n_bands(n_electrons: float, extra_bands: int, spin_orbit: bool) -> int:
    """Bands to compute: the filled ones, and some that are empty.

    Parameters
    ----------
    n_electrons
        Valence electrons of the cell.
    extra_bands
        Fewest empty bands, each of two spins.
    spin_orbit
        Whether a band holds one electron.
    """
    filled = math.ceil(n_electrons / 2 - 1e-6)
    bands = filled + max(extra_bands, math.ceil(EMPTY_SHARE * filled))
    return 2 * bands if spin_orbit else bands


def crossing_gate(run: PwRun, bands: MetalBands) -> Gate:
    """Only metals whose bands cross the Fermi energy have a Fermi surface.

    Parameters
    ----------
    run
        The bands of the whole run.
    bands
        Those that cross.
    """
    gap_ev = band_gap_ev(run)
    gate = metal_gate(math.inf if gap_ev is None else gap_ev)
    if not gate.passed or bands.numbers:
        return gate
    message = f"{gate.message}, but no band crosses the Fermi energy on {bands.k_mesh} k points: no Fermi surface"
    return gate.model_copy(update={"passed": False, "message": message})
