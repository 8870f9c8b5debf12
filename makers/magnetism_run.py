"""One run of pw.x for one magnetic order: its input, its results by a name of their own, and what a failure means."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Structure

from hightc.analysis.parsers.pw import PwRun, read_pw_xml
from hightc.makers.base import QEMaker, clean_stop_seconds
from hightc.makers.content_key import Calculation
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.qe.failures import (
    BROKEN_FILE,
    CRASHED,
    DISK_FULL,
    KILLED,
    OUT_OF_MEMORY,
    PSEUDOPOTENTIAL,
    RETURN_CODE,
    WALLTIME,
)
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import Freedom, Spins, magnetic_input
from hightc.makers.qe.order_symmetry import Shift
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.symmetry import irreducible_k_points
from hightc.makers.relax import XML, require_converged

OF_THE_MACHINE = frozenset(
    failure.code
    for failure in (
        *(WALLTIME, KILLED, CRASHED, OUT_OF_MEMORY, DISK_FULL),
        *(BROKEN_FILE, PSEUDOPOTENTIAL, RETURN_CODE),
    )
)
"""Failures that say nothing of the magnetic order: the same run may succeed once the machine is mended."""


@dataclass(frozen=True)
class SpinCalculation:
    """One calculation of a magnetic order in the current folder.

    Attributes
    ----------
    structure
        The cell that holds the order, Angstrom.
    recipe
        Numbers of the calculation, with the mesh and the threshold of this cell.
    k_shift
        Shift of the mesh.
    spins
        How the spins start; None for a calculation without spin.
    freedom
        What is relaxed.
    stem
        Stem of its files: several share a folder.
    """

    structure: Structure
    recipe: Recipe
    k_shift: Shift
    spins: Spins | None
    freedom: Freedom
    stem: str

    @property
    def output(self) -> Path:
        """What pw.x printed."""
        return Path(f"{self.stem}.out")

    def run(self, maker: QEMaker) -> tuple[ProgramRun, PwRun]:
        """Run pw.x, or take over a run of the same content.

        Parameters
        ----------
        maker
            The Maker of the job that runs.

        Returns
        -------
        ProgramRun
            How it went.
        PwRun
            What it found.

        Raises
        ------
        ProgramFailedError
            If pw.x ended without its result; :func:`is_of_the_order` tells why.
        """
        settings = maker.settings()
        text = magnetic_input(
            self.structure,
            self.recipe,
            self.spins,
            freedom=self.freedom,
            k_shift=self.k_shift,
            pseudo_dir=maker.pseudo_dir(settings),
            max_seconds=clean_stop_seconds(settings),
        )
        summary = Path(f"{self.stem}.xml")

        def compute() -> ProgramRun:
            run = run_program(
                "pw",
                input_text=text,
                handlers=pw_handlers(self.stem),
                settings=settings,
                name=self.stem,
                n_k_points=irreducible_k_points(
                    self.structure, self.recipe.k_mesh, spin_polarized=self.spins is not None
                ),
            )
            shutil.copy2(XML, summary)
            return run

        run = maker.run(
            Calculation("pw", text, outputs=(str(summary),), name=self.stem),
            compute,
            lambda: require_converged(read_pw_xml(summary)),
        )
        return run, require_converged(read_pw_xml(summary))


def is_of_the_order(error: ProgramFailedError) -> bool:
    """Whether a program failed by what it computed, so that its next try would fail too.

    Parameters
    ----------
    error
        How it failed.

    Returns
    -------
    bool
        False where the machine had a part in it.
    """
    return OF_THE_MACHINE.isdisjoint(error.codes)
