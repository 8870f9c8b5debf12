"""Fermi surfaces for FermiSurfer and XCrySDen."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.square_lattice import STRUCTURE, energies, square_bands, square_document

from hightc.analysis.fermi_files import write_bxsf, write_frmsf

MESH = (12, 12, 6)


@pytest.fixture(scope="module")
def document():
    return square_document()


def test_frmsf_holds_mesh_vectors_energies_and_speeds(document, tmp_path):
    path = tmp_path / "square.frmsf"
    write_frmsf(document, path)
    lines = path.read_text().splitlines()
    assert [lines[0].split(), lines[1], lines[2]] == [["12", "12", "6"], "1", "1"]
    vectors = np.array([line.split() for line in lines[3:6]], dtype=float)
    assert vectors == pytest.approx(STRUCTURE.lattice.reciprocal_lattice.matrix, rel=1e-7)
    values = np.array(lines[6:], dtype=float).reshape(2, *MESH)
    assert values[0] == pytest.approx(energies(MESH)[..., 0], abs=1e-7)
    # central differences of -cos x: sin x sin(h)/h, of a lattice constant of 3 Angstrom
    step = 2 * np.pi / 12
    assert values[1][3, 0, 0] == pytest.approx(3 * np.sin(step) / step, rel=1e-6)
    assert values[1][0, 0, 0] == pytest.approx(0, abs=1e-7)


def test_bxsf_closes_the_mesh_and_numbers_the_bands(document, tmp_path):
    path = tmp_path / "square.bxsf"
    write_bxsf(document, path)
    text = path.read_text()
    assert "Fermi Energy: 5.00000000" in text
    head, body = text.split("  BAND: 1\n")
    assert head.splitlines()[-6:-3] == ["  1", "  13 13 7", "  0.0 0.0 0.0"]
    numbers = body.split("  END_BANDGRID_3D")[0].split()
    grid = np.array(numbers, dtype=float).reshape(13, 13, 7)
    assert grid[:12, :12, :6] == pytest.approx(energies(MESH)[..., 0] + 5.0, abs=1e-7)
    assert np.array_equal(grid[12], grid[0])
    assert np.array_equal(grid[:, :, 6], grid[:, :, 0])
    assert text.endswith("END_BLOCK_BANDGRID_3D\n")


@pytest.mark.parametrize("write", [write_frmsf, write_bxsf])
def test_files_are_whole_or_absent(document, tmp_path, write):
    write(document, tmp_path / "one")
    assert [entry.name for entry in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("write", [write_frmsf, write_bxsf])
def test_material_without_a_fermi_surface_has_no_file(tmp_path, write):
    nothing = np.empty((6, 6, 6, 0))
    document = square_document(square_bands(energies_ev=nothing, numbers=(), on_mesh=lambda mesh: nothing))
    with pytest.raises(ValueError, match="square: expected bands that cross the Fermi energy, found none"):
        write(document, tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


def test_arrays_in_the_blob_store_are_asked_for(document, tmp_path):
    stored = document.energies_ev.model_copy(update={"blob": {"blob_uuid": "1"}})
    with pytest.raises(ValueError, match="still in the blob store"):
        write_frmsf(document.model_copy(update={"energies_ev": stored}), tmp_path / "one")
