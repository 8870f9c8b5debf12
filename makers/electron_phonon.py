"""The spectral function of the linear response, joined from the files of matdyn.x."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobflow import job

from hightc.analysis.documents import (
    Alpha2FDocument,
    CouplingDocument,
    ForceConstantsDocument,
    PhononDocument,
    ScfDocument,
    StructureDocument,
)
from hightc.analysis.parsers.matdyn import read_a2f_dos, read_lambda
from hightc.analysis.spectral_function import alpha2f_document
from hightc.makers.base import QEMaker
from hightc.makers.dense_dos import tetrahedron_dos_of
from hightc.makers.phonon import CouplingMaker
from hightc.makers.phonon_interpolation import ForceConstantsMaker, InterpolationMaker
from hightc.makers.provenance import joined_provenance
from hightc.makers.qe.phonon_inputs import N_SIGMA

__all__ = [
    "Alpha2FMaker",
    "CouplingMaker",
    "ForceConstantsMaker",
    "InterpolationMaker",
    "joined_provenance",
]
# Jobs that wait in a database since version 0.1 look for all these Makers here.


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
        dos, no_dos_reason = tetrahedron_dos_of(dense)
        notes = [note for part in parts for note in part.warnings]
        return alpha2f_document(
            structure,
            coupling,
            spectra,
            table,
            k_mesh=scf.k_mesh,
            k_mesh_dense=dense.k_mesh,
            provenance=joined_provenance([part.provenance for part in parts]),
            inherited_warnings=list(dict.fromkeys([*notes, *([no_dos_reason] if no_dos_reason else [])])),
            dos_tetrahedra_per_ev_spin_cell=dos,
        )
