"""ph.x in several jobs side by side, each with a group of q points, and one job that joins their files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobflow import Response, job
from pydantic import Field

from hightc.analysis.documents import CouplingDocument, Provenance, ScfDocument
from hightc.analysis.documents.base import JobArgument
from hightc.analysis.files import write_text
from hightc.analysis.parsers.ph import read_finished_q
from hightc.makers.base import QEMaker
from hightc.makers.gates import respond
from hightc.makers.phonon_document import coupling_document
from hightc.makers.phonon_run import run_phonons, stage_scf
from hightc.makers.phonon_watch import is_unstable
from hightc.makers.provenance import joined_provenance
from hightc.makers.qe.inputs import PREFIX
from hightc.makers.qe.phonon_inputs import FILDYN, PHONONS

UNSTABLE = "unstable_q"
"""File in the folder of the q list that keeps groups from starting: it names the group that found an unstable q,
which alone may remove it."""

SCRATCH = ("*.wfc*", "*.dwf*", "*.bar*", "*.ebar*", "*.prd*", "*.mixd*", "*.recover*", "*.save")
"""Files of a q point that only the run which wrote them reads."""


class QGroup(JobArgument):
    """A group of q points and where it was computed."""

    first_q: int = Field(description="First q point, counted from 1.")
    last_q: int = Field(description="Last q point.")
    provenance: Provenance | None = Field(description="Of its run; None if it was not started.")


@dataclass
class QGroupMaker(QEMaker):
    """ph.x for a group of q points.

    Attributes
    ----------
    potentials
        Whether the response of the potential and the patterns are needed too, for the Wannier route.
    """

    name: str = "ph.x q"
    potentials: bool = False

    @job
    def make(self, scf: ScfDocument, first_q: int, last_q: int, board: str) -> QGroup:
        """Run ph.x unless another group has found the crystal unstable.

        What this group said before it was run anew keeps it from nothing, and is taken back where it is stable now.

        Parameters
        ----------
        scf
            The calculation on the k mesh of the linear response.
        first_q, last_q
            The group, counted from 1.
        board
            Folder in which groups say that they found an unstable q point.
        """
        found = Path(board) / UNSTABLE
        group = f"q {first_q} to {last_q} "
        said = _text(found)
        if said and not said.startswith(group) and not read_finished_q(Path.cwd(), FILDYN)[0]:
            return QGroup(first_q=first_q, last_q=last_q, provenance=None)
        run = run_phonons(self, scf, first_q=first_q, last_q=last_q, potentials=self.potentials)
        if is_unstable(Path.cwd()):
            write_text(found, f"{group}in {Path.cwd()}\n")
        elif _text(found).startswith(group):
            found.unlink(missing_ok=True)
        return QGroup(first_q=first_q, last_q=last_q, provenance=self.provenance("ph.x", run))


@dataclass
class QMergeMaker(QEMaker):
    """Files of all groups in one folder, as one run of ph.x leaves them."""

    name: str = "ph.x merge"

    @job(output_schema=CouplingDocument)
    def make(self, scf: ScfDocument, groups: list[QGroup]) -> Response[Any]:
        """Copy the files and judge the whole mesh.

        Parameters
        ----------
        scf
            The calculation on the k mesh of the linear response.
        groups
            The groups, in the order of their q points.
        """
        here = Path.cwd()
        stage_scf(scf)
        runs = [(group, group.provenance) for group in groups if group.provenance is not None]
        for group, provenance in runs:
            collect_q_points(Path(provenance.directory), range(group.first_q, group.last_q + 1), here)
        joined = joined_provenance([provenance for _, provenance in runs])
        return respond(coupling_document(self, scf, joined.model_copy(update={"directory": str(here)})))


def collect_q_points(source: Path, numbers: Sequence[int], target: Path) -> None:
    """Copy what ph.x wrote of some q points, unless they are unfinished.

    Parameters
    ----------
    source
        Folder of the run.
    numbers
        Numbers of the q points, counted from 1.
    target
        Folder that is to look like that of a run of them all: ``dyn0``, ``dynN``, ``elph_dir``, and in ``_ph0`` the
        potentials and ``phsave``.
    """
    finished, _ = read_finished_q(source, FILDYN)
    patterns = f"{PHONONS}/{PREFIX}.phsave"
    names = [f"{FILDYN}0", f"{patterns}/control_ph.xml", f"{patterns}/status_run.xml"]
    for number in numbers:
        if number in finished:
            names += [
                f"{FILDYN}{number}",
                f"elph_dir/*.{number}",
                f"{patterns}/*.{number}.xml",
                f"{patterns}/*.{number}.*.xml",
                f"{PHONONS}/{PREFIX}.dvscf*" if number == 1 else f"{PHONONS}/{PREFIX}.q_{number}",
            ]
    for name in names:
        for path in source.glob(name):
            _copy(path, target / path.relative_to(source))


def _text(path: Path) -> str:
    """Content of a file that another job may remove at any time; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*SCRATCH))
    else:
        shutil.copy2(path, target)
