"""The document of the Fermi surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.square_lattice import GATE, NUMBERS, PROVENANCE, TAG, square_bands, square_document

from hightc.analysis.documents import FermiDocument
from hightc.analysis.fermi_document import NestingNumbers, make_fermi_document
from hightc.analysis.metal_bands import metal_bands
from hightc.analysis.parsers.pw import read_pw_xml

QE = Path(__file__).parents[1] / "data" / "qe"


@pytest.fixture(scope="module")
def square():
    return square_document()


@pytest.fixture(scope="module")
def chromium():
    numbers = NestingNumbers(interpolation_factor=4, smearing_ev=0.07, temperature_k=300.0, stoner_ev=None)
    bands = metal_bands(read_pw_xml(QE / "cr_nesting" / "data-file-schema.xml"), reach_ev=numbers.reach_ev)
    return make_fermi_document(bands, numbers, TAG, gate=GATE, protocol="screen", provenance=PROVENANCE)


def test_chromium_peaks_near_its_spin_density_wave(chromium):
    # experiment 0.952 of Gamma-H (Fawcett, Rev. Mod. Phys. 60, 209 (1988)); a step of this mesh is 0.03
    for peaks in (chromium.nesting_peaks, chromium.chi0_peaks):
        assert peaks[0].path_label == "GAMMA-H"
        assert peaks[0].path_fraction == pytest.approx(0.952, abs=0.02)
        assert peaks[0].multiplicity == 6
    assert chromium.converged, chromium.convergence_reason


def test_chromium_orders_with_the_stoner_parameter_of_the_table(chromium):
    removed, found = chromium.stoner
    assert (found.stoner_ev, found.status) == (0.76, "ordered")
    assert removed.product_peak < found.product_peak
    assert found.product_uniform < 0.4
    # without the background of other bands little is left to pair with
    assert 0 < chromium.pairing[0].eigenvalue < 0.05
    assert chromium.pairing_reason is None


def test_transitions_between_bands_at_q_zero_are_told(chromium, square):
    assert any("constant matrix elements" in warning for warning in chromium.warnings)
    assert square.warnings == ()


def test_path_passes_through_the_peak(chromium):
    path = chromium.path
    assert (path.segments[0].start_label, path.segments[0].stop_label) == ("GAMMA", "H")
    part = slice(path.segments[0].start, path.segments[0].stop)
    assert max(path.chi0[part]) == pytest.approx(chromium.chi0_peaks[0].value, rel=0.01)
    at_gamma = chromium.chi0.to_array()[0, 0, 0]
    assert path.chi0[0] == pytest.approx(at_gamma)


def test_arrays_and_steps_belong_to_their_meshes(square):
    assert square.k_mesh == (12, 12, 6)
    assert square.fine_mesh == square.nesting.shape == square.chi0.shape == (24, 24, 12)
    assert square.energies_ev.shape == (12, 12, 6, 1)
    assert [(step.k_mesh, step.interpolated) for step in square.meshes] == [((12, 12, 6), False), ((24, 24, 12), True)]
    assert square.dos_per_ev_spin_cell == square.meshes[-1].dos_per_ev_spin_cell
    assert np.mod(np.abs(square.nesting_peaks[0].q_fractional), 1) == pytest.approx([0.5, 0.5, 0.5])
    assert square.nesting_peaks[0].path_label is not None
    assert square.caveat.startswith("nesting of the Fermi surface alone predicts little")


def test_paramagnet_has_an_enhancement_and_channels(square):
    assert square.stoner[0].status == "paramagnetic"
    assert square.pairing[0].symmetry.startswith("d (x2-y2")
    assert square.pairing_reason is None


def test_without_a_stoner_parameter_the_reason_is_told():
    bands = square_bands()
    structure = bands.structure.copy()
    structure.replace_species({"Pd": "Al"})
    document = square_document(replace(bands, structure=structure), replace(NUMBERS, stoner_ev=None))
    assert (document.stoner, document.pairing) == ((), ())
    assert document.pairing_reason == "no Stoner parameter is known for this material: give stoner_ev in [nesting]"


def test_one_mesh_has_not_converged():
    document = square_document(numbers=replace(NUMBERS, interpolation_factor=1))
    assert not document.converged
    assert document.fine_mesh == document.k_mesh


def test_metal_without_a_crossing_band_has_a_document_with_zeros():
    mesh = (6, 6, 6)
    bands = square_bands(energies_ev=np.empty((*mesh, 0)), numbers=(), on_mesh=lambda mesh: np.empty((*mesh, 0)))
    gate = GATE.model_copy(update={"passed": False})
    document = square_document(bands, gate=gate, warnings=("told",))
    assert not document.passed
    assert document.warnings == ("told",)
    assert (document.bands, document.meshes, document.nesting_peaks, document.stoner) == ((), (), (), ())
    assert document.dos_per_ev_spin_cell == 0
    assert not document.chi0.to_array().any()
    assert document.convergence_reason == document.pairing_reason == "no band crosses the Fermi energy"


def test_document_survives_the_database(square):
    again = FermiDocument.model_validate(square.model_dump())
    assert again == square


def test_pairing_on_a_coarser_mesh_than_the_sums_is_told():
    # 36 x 36 x 18 points are enough for the gap equation, 48 x 48 x 24 are too many
    document = square_document(numbers=replace(NUMBERS, interpolation_factor=4))
    assert document.fine_mesh == (48, 48, 24)
    assert document.pairing
    assert "pairing was solved on 36x36x18 k points, fewer than those of the sums" in document.warnings
