"""Phonons and electron-phonon matrix elements on the q mesh with ph.x, in one job or in several side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobflow import Job, Response, job

from hightc.analysis.documents import CouplingDocument, ScfDocument
from hightc.analysis.parsers.ph import read_finished_q
from hightc.makers.base import QEMaker
from hightc.makers.dynamic_jobs import groups, replace_by, running_job, take_the_place_of
from hightc.makers.gates import respond
from hightc.makers.phonon_document import coupling_document
from hightc.makers.phonon_groups import UNSTABLE, QGroup, QGroupMaker, QMergeMaker
from hightc.makers.phonon_run import run_phonons
from hightc.makers.phonon_watch import is_unstable
from hightc.makers.qe.phonon_inputs import FILDYN

WAVES = 2
"""Groups of q points for each job that can run at a time: the second wave is spared where the first is unstable."""


@dataclass
class CouplingMaker(QEMaker):
    """Phonons and electron-phonon matrix elements on the q mesh with ph.x.

    Attributes
    ----------
    q_jobs
        Runs of ph.x that can go on side by side; 1 computes all q points in one job.
    potentials
        Whether the response of the potential and the patterns are needed too, for the Wannier route.
    """

    name: str = "ph.x electron-phonon"
    q_jobs: int = 1
    potentials: bool = False

    @job(output_schema=CouplingDocument)
    def make(self, scf: ScfDocument) -> Response[Any]:
        """Run ph.x until all q points are done or one is unstable, from where an interrupted run left off.

        With several jobs, this one computes Gamma and finds the other q points, and others take its place: one a
        group, and one that joins their files and stores the document.

        Parameters
        ----------
        scf
            The calculation on the k mesh of the linear response.
        """
        run = run_phonons(self, scf, last_q=1 if self.q_jobs > 1 else None, potentials=self.potentials)
        provenance = self.provenance("ph.x", run)
        n_q = read_finished_q(Path.cwd(), FILDYN)[1]
        if self.q_jobs <= 1 or n_q == 1 or is_unstable(Path.cwd()):
            return respond(coupling_document(self, scf, provenance))
        return self._share(scf, QGroup(first_q=1, last_q=1, provenance=provenance), n_q)

    def _share(self, scf: ScfDocument, gamma: QGroup, n_q: int) -> Response[Any]:
        here, this = Path.cwd(), running_job()
        (here / UNSTABLE).unlink(missing_ok=True)
        jobs: dict[str, Job] = {}
        for first, last in groups(2, n_q, WAVES * self.q_jobs):
            name = f"ph.x q {first}-{last} of {n_q}"
            maker = QGroupMaker(recipe=self.recipe, name=name, potentials=self.potentials)
            jobs[f"q-{first:03d}-{last:03d}"] = maker.make(scf, first, last, str(here))
        merge = QMergeMaker(recipe=self.recipe).make(scf, [gamma, *(one.output for one in jobs.values())])
        take_the_place_of(merge, this.uuid, this.index + 1)
        return replace_by({**jobs, "merged": merge}, CouplingMaker.name)
