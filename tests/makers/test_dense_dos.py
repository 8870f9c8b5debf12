"""The density of states of a run's folder."""

import shutil
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Provenance, ScfDocument
from hightc.analysis.parsers.units import RYDBERG_EV
from hightc.makers.dense_dos import tetrahedron_dos_of
from hightc.makers.relax import XML

QE = Path(__file__).parents[1] / "data" / "qe"


@pytest.fixture
def dense(tmp_path):
    return ScfDocument(
        campaign="test",
        material="Al",
        formula="Al",
        elements=("Al",),
        structure=Structure(Lattice.cubic(4), ["Al"], [[0, 0, 0]]),
        purpose="dense",
        energy_ev=-57.0,
        fermi_ev=8.2,
        band_gap_ev=0.0,
        total_magnetization_bohr_magneton=None,
        k_mesh=(16, 16, 16),
        protocol="draft",
        provenance=Provenance(
            input_sha256="0" * 64,
            codes={"pw.x": "6.7MaX"},
            pseudopotentials=(),
            corrections=(),
            directory=str(tmp_path),
            wall_seconds=1.0,
        ),
    )


def record(case, folder):
    (folder / XML).parent.mkdir(parents=True)
    shutil.copy(QE / case / "data-file-schema.xml", folder / XML)


def test_bands_of_the_folder_give_the_density_of_states(dense, tmp_path):
    record("al_dense", tmp_path)
    value, reason = tetrahedron_dos_of(dense)
    # 2.723 states/Ry/spin on a mesh eight times finer; 16x16x16 is 2 % off
    assert value == pytest.approx(2.723 / RYDBERG_EV, rel=0.03)
    assert reason is None


def test_folder_that_was_cleaned_leaves_no_value_and_a_reason(dense):
    value, reason = tetrahedron_dos_of(dense)
    assert value is None
    assert reason.startswith("N(E_F) by tetrahedra is not known: data-file-schema.xml: expected")
