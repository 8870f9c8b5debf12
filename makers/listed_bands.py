"""Bands of a converged density at listed k points, with pw.x."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.documents import ScfDocument
from hightc.analysis.files import write_text
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.base import QEMaker, clean_stop_seconds
from hightc.makers.content_key import Calculation
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import OUTDIR, PREFIX, pw_input
from hightc.makers.qe.meshes import Mesh
from hightc.makers.relax import XML
from hightc.makers.reuse import finished_run
from hightc.makers.staging import stage

DENSITY = (str(XML), f"{OUTDIR}/{PREFIX}.save/charge-density*")
DENSITY_OF_SOME = (f"{OUTDIR}/{PREFIX}.save/paw.txt", f"{OUTDIR}/{PREFIX}.save/occup.txt")
"""What belongs to the density with augmented waves, and with a Hubbard U."""

WAVEFUNCTIONS = (f"{OUTDIR}/{PREFIX}.save/wfc*", str(XML))
BAND_THRESHOLD_RY = 1e-7
"""Self-consistency threshold from which pw.x takes that of its bands: they then hold to 1e-9 Ry."""


@dataclass(frozen=True)
class ListedBands:
    """Bands at listed k points, computed in the current folder.

    Several share it. Each keeps its energies; the wavefunctions are those of the last.

    Attributes
    ----------
    maker
        Runs pw.x.
    scf
        The calculation of the density.
    k_list
        A mesh, every point of it, or points (n, 3) in units of the reciprocal lattice vectors.
    n_bands
        Bands to compute.
    stem
        Stem of the files.
    """

    maker: QEMaker
    scf: ScfDocument
    k_list: Mesh | NDArray[np.float64]
    n_bands: int
    stem: str

    def run(self) -> ProgramRun:
        """Compute the bands, or take them over."""
        return self._run((), WAVEFUNCTIONS)

    def fetch_wavefunctions(self) -> bool:
        """Compute the bands once more, or take them over, if the wavefunctions in the folder are those of others.

        Returns
        -------
        bool
            Whether the wavefunctions are now of another run than the gauge named before: nothing that was made from
            the old ones goes with them.
        """
        before = self.gauge()
        here = Path.cwd()
        finished = finished_run(here, self.stem)
        if finished is None or not all(finished.holds(here, pattern) for pattern in WAVEFUNCTIONS):
            self._run(WAVEFUNCTIONS, ())
        return self.gauge() != before

    def gauge(self) -> str:
        """Name of the run that the bands are of.

        Phases of wavefunctions, and their mixture where energies are equal, differ from run to run, with the number
        of processes for one. Rotations into Wannier functions hold for the wavefunctions of a single run.
        """
        return Path(self._gauge_file).read_text(encoding="utf-8").strip()

    def energies_ev(self) -> NDArray[np.float64]:
        """(n_k, n_bands) energies in eV of bands that have been computed."""
        energies: NDArray[np.float64] = read_pw_xml(Path(self._summary)).eigenvalues_ev[0]
        return energies

    @property
    def _summary(self) -> str:
        return f"{self.stem}.xml"

    @property
    def _gauge_file(self) -> str:
        return f"{self.stem}.gauge"

    def _run(self, files: tuple[str, ...], along: tuple[str, ...]) -> ProgramRun:
        settings = self.maker.settings()
        text = pw_input(
            self.scf.structure,
            self.maker.recipe.model_copy(update={"scf_threshold_ry": BAND_THRESHOLD_RY}),
            calculation="nscf",
            dense=False,
            pseudo_dir=self.maker.pseudo_dir(settings),
            max_seconds=clean_stop_seconds(settings),
            k_list=self.k_list,
            n_bands=self.n_bands,
        )
        n_k = int(np.prod(self.k_list)) if isinstance(self.k_list, tuple) else len(self.k_list)

        def compute() -> ProgramRun:
            source = Path(self.scf.provenance.directory)
            stage(source, [*DENSITY, *(name for name in DENSITY_OF_SOME if (source / name).is_file())])
            run = run_program(
                "pw",
                input_text=text,
                handlers=pw_handlers(self.stem),
                settings=settings,
                name=self.stem,
                n_k_points=n_k,
            )
            shutil.copy2(XML, self._summary)
            write_text(Path(self._gauge_file), f"{uuid4().hex}\n")
            return run

        upstream = (self.scf.provenance.content_sha256,)
        outputs = (self._summary, self._gauge_file, *files)
        calculation = Calculation("pw", text, outputs, along, upstream, self.stem)
        return self.maker.run(calculation, compute)
