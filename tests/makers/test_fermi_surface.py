"""What a Fermi surface asks of the bands."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.flow_runner import FlowRunner
from fakes.square_lattice import PROVENANCE, STRUCTURE
from jobflow import Flow

from hightc.analysis.documents import FermiDocument, ScfDocument, WannierDocument
from hightc.analysis.metal_bands import metal_bands
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.errors import ProgramFailedError
from hightc.makers.fermi_surface import WannierFermiMaker, crossing_gate, n_bands
from hightc.makers.qe.epw_inputs import HAMILTONIAN
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.relax import XML

QE = Path(__file__).parents[1] / "data" / "qe"


def recorded(case):
    return read_pw_xml(QE / case / "data-file-schema.xml")


@pytest.mark.parametrize(
    ("n_electrons", "extra_bands", "spin_orbit", "expected"),
    [(14, 4, False, 11), (3, 4, False, 6), (100, 4, False, 60), (3, 1, False, 3), (14, 4, True, 22)],
)
def test_bands_are_the_filled_ones_and_a_share_of_empty_ones(n_electrons, extra_bands, spin_orbit, expected):
    assert n_bands(n_electrons, extra_bands, spin_orbit) == expected


@pytest.mark.parametrize(("case", "passed"), [("cr_nesting", True), ("si_smearing", False)])
def test_only_metals_pass(case, passed):
    run = recorded(case)
    gate = crossing_gate(run, metal_bands(run, reach_ev=0.5))
    assert (gate.name, gate.passed) == ("metal", passed)


def test_closed_gap_without_a_crossing_band_does_not_pass():
    silicon = recorded("si_smearing")
    # empty bands pulled down onto the filled ones: a gap below 0.1 eV on this mesh
    energies = silicon.eigenvalues_ev.copy()
    energies[..., 4:] -= energies[..., 4:].min() - energies[..., :4].max() - 0.05
    closed = replace(silicon, eigenvalues_ev=energies, fermi_ev=float(energies[..., :4].max()) + 0.02)
    gate = crossing_gate(closed, metal_bands(closed, reach_ev=0.5))
    assert not gate.passed
    assert gate.value == pytest.approx(0.05)
    assert gate.message.endswith("no band crosses the Fermi energy on (2, 2, 2) k points: no Fermi surface")


def hamiltonian_text(onsite_ev):
    """One function with hopping along x and y, as Wannier90 writes it."""
    vectors = [(-1, 0, 0), (0, -1, 0), (0, 0, 0), (0, 1, 0), (1, 0, 0)]
    rows = [f"{x} {y} {z} 1 1 {onsite_ev if (x, y) == (0, 0) else -0.5:.6f} 0.000000" for x, y, z in vectors]
    return "\n".join(["written by a test", "1", "5", "1 1 1 1 1", *rows]) + "\n"


@pytest.fixture
def wannier_inputs(tmp_path):
    """Documents of a Hamiltonian and of a dense run, that of chromium, whose Fermi energy is 19.546 eV."""
    functions, dense = tmp_path / "functions", tmp_path / "dense"
    (dense / XML).parent.mkdir(parents=True)
    shutil.copy(QE / "cr_nesting" / "data-file-schema.xml", dense / XML)
    functions.mkdir()
    (functions / HAMILTONIAN).write_text(hamiltonian_text(19.5))
    shared = {"campaign": "test", "material": "square", "formula": "Pd", "elements": ("Pd",), "protocol": "draft"}
    shared |= {"structure": STRUCTURE, "fermi_ev": 19.4}
    wannier = WannierDocument(
        **shared,
        k_mesh=(4, 4, 4),
        n_bands=8,
        n_excluded=6,
        n_wannier=1,
        n_check_points=8,
        trials=(),
        chosen=None,
        provenance=PROVENANCE.model_copy(update={"directory": str(functions)}),
    )
    scf = ScfDocument(
        **shared,
        purpose="dense",
        energy_ev=-1.0,
        band_gap_ev=0.0,
        total_magnetization_bohr_magneton=None,
        k_mesh=(16, 16, 16),
        provenance=PROVENANCE.model_copy(update={"directory": str(dense)}),
    )
    return wannier, scf


NESTING = NestingRecipe(k_mesh=(8, 8, 2), interpolation_factor=2, smearing_ev=0.2, temperature_k=600.0, extra_bands=4)


def test_wannier_functions_give_the_surface_without_a_run(wannier_inputs, recipe, tmp_path):
    runner = FlowRunner(tmp_path / "runs")
    job = WannierFermiMaker(recipe=recipe, nesting=NESTING).make(*wannier_inputs)
    assert runner.run(Flow([job]))
    document = FermiDocument.model_validate(runner.outputs("fermi")[0])
    assert (document.source, document.bands, document.fine_mesh) == ("wannier", (7,), (16, 16, 4))
    # of the electrons of the dense run by tetrahedra, not its smeared 19.496 eV
    assert document.fermi_ev == pytest.approx(19.546, abs=2e-3)
    assert document.nesting.blob != ""
    assert list(runner.folders["fermi surface wannier"].iterdir()) == []


def test_dense_run_without_its_electrons_is_told(wannier_inputs, recipe, tmp_path):
    wannier, dense = wannier_inputs
    path = Path(dense.provenance.directory) / XML
    path.write_text(path.read_text().replace("<nelec>", "<nelec>9"))
    job = WannierFermiMaker(recipe=recipe, nesting=NESTING).make(wannier, dense)
    with pytest.raises(ProgramFailedError, match=r"dense: expected fewer than .* compute more empty bands"):
        FlowRunner(tmp_path / "runs").run(Flow([job]))
