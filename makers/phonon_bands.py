"""Phonon bands along the standard path, from the force constants of a run."""

from __future__ import annotations

from dataclasses import dataclass

from jobflow import job

from hightc.analysis.band_path import PATH_SPACING_PER_ANGSTROM, band_path
from hightc.analysis.documents import ForceConstantsDocument, PhononBandsDocument, PhononDocument
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.parsers.matdyn import PhononFrequencies, read_frequencies
from hightc.analysis.stability import find_imaginary_modes
from hightc.makers.base import QEMaker, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.errors import CalculationError, ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.qe.band_path import bands_input
from hightc.makers.qe.handlers import matdyn_handlers
from hightc.makers.qe.phonon_inputs import FORCE_CONSTANTS, FREQUENCIES
from hightc.makers.staging import stage


@dataclass
class PhononBandsMaker(QEMaker):
    """Phonon bands with matdyn.x.

    Attributes
    ----------
    spacing_per_angstrom
        Distance of neighbouring q points in 1/Angstrom, with the factor 2 pi.
    """

    name: str = "matdyn.x bands"
    spacing_per_angstrom: float = PATH_SPACING_PER_ANGSTROM

    @job(output_schema=PhononBandsDocument)
    def make(self, force_constants: ForceConstantsDocument, phonon: PhononDocument) -> PhononBandsDocument:
        """Run matdyn.x along the standard path of the cell as it stands.

        Parameters
        ----------
        force_constants
            Real-space force constants.
        phonon
            The density of states of the same force constants, which are final once it stands.
        """
        if phonon.q_mesh != force_constants.q_mesh:
            msg = (
                f"expected force constants of the q mesh {phonon.q_mesh} as the density of states, found "
                f"{force_constants.q_mesh}: run q2r.x and matdyn.x again"
            )
            raise CalculationError(msg)
        path = band_path(force_constants.structure, spacing_per_angstrom=self.spacing_per_angstrom)
        text, upstream = bands_input(path), (force_constants.provenance.content_sha256,)

        def compute() -> ProgramRun:
            stage(force_constants.provenance.directory, [FORCE_CONSTANTS])
            return run_program("matdyn", input_text=text, handlers=matdyn_handlers("matdyn"), settings=self.settings())

        calculation = Calculation("matdyn", text, outputs=(FREQUENCIES,), upstream=upstream)
        run = self.run(calculation, compute, lambda: _read_bands(len(path.q_fractional)))
        found = _read_bands(len(path.q_fractional))
        verdict = find_imaginary_modes(found)
        provenance = self.provenance("matdyn.x", run)
        return PhononBandsDocument(
            **force_constants.model_dump(include=IDENTITY),
            structure=force_constants.structure,
            q_mesh=force_constants.q_mesh,
            q_fractional=tuple((x, y, z) for x, y, z in path.q_fractional.tolist()),
            distance_per_angstrom=tuple(path.distance_per_angstrom.tolist()),
            segments=path.segments,
            frequencies_mev=tuple(tuple(row) for row in found.frequencies_mev.tolist()),
            lowest_frequency_mev=verdict.lowest_mev,
            protocol=self.recipe.protocol,
            warnings=(
                *correction_warnings([provenance]),
                *((f"phonon bands: {verdict.message}",) if verdict.status != "stable" else ()),
            ),
            provenance=provenance,
        )


def _read_bands(expected: int) -> PhononFrequencies:
    """Read the frequencies of all q points of the path."""
    found = read_frequencies(FREQUENCIES)
    if len(found.frequencies_mev) != expected:
        seen = len(found.frequencies_mev)
        msg = f"{FREQUENCIES}: expected {expected} q points, found {seen}: matdyn.x was cut; run it again"
        raise ProgramFailedError(msg)
    return found
