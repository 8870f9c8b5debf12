"""Bands of a Wannier Hamiltonian at the Fermi energy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes.square_lattice import NUMBERS, STRUCTURE, energies, square_document

from hightc.analysis.parsers.wannier import WannierHamiltonian, read_hr
from hightc.analysis.wannier_metal_bands import POINTS_AT_ONCE, wannier_metal_bands

HR = Path(__file__).parents[1] / "data" / "epw" / "pb_wannier" / "pb_hr.dat"


def square_hamiltonian():
    """The band of the square lattice, and a full one 10 eV below it."""
    r = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    h = np.zeros((7, 2, 2), dtype=complex)
    h[0, 0, 0], h[0, 1, 1] = -5.0, 5.0
    h[1:, 1, 1] = [-0.5] * 4 + [-0.05] * 2
    return WannierHamiltonian(degeneracies=np.ones(7, dtype=int), r=r, h_ev=h)


@pytest.mark.parametrize("mesh", [(12, 12, 6), (20, 20, 16)])
def test_bands_that_cross_are_those_of_the_hamiltonian(mesh):
    bands = wannier_metal_bands(square_hamiltonian(), STRUCTURE, (6, 6, 4), fermi_ev=5.0, n_excluded=3)
    assert (bands.numbers, bands.k_mesh, bands.source) == ((5,), (6, 6, 4), "wannier")
    # sums of seven terms of order one; the larger mesh takes more than one batch
    assert bands.on_mesh(mesh) == pytest.approx(energies(mesh), abs=1e-13)
    assert POINTS_AT_ONCE < 20 * 20 * 16


def test_document_is_that_of_the_same_bands():
    bands = wannier_metal_bands(square_hamiltonian(), STRUCTURE, (12, 12, 6), fermi_ev=5.0, n_excluded=0)
    document, other = square_document(bands, NUMBERS), square_document()
    assert document.source == "wannier"
    assert document.interpolation_error_mev is None
    assert document.chi0.to_array() == pytest.approx(other.chi0.to_array(), rel=1e-9)
    assert document.converged == other.converged


def test_lead_has_two_bands_at_its_fermi_energy():
    # two of its four sp bands are filled: 12.446 eV holds their electrons on these small meshes
    bands = wannier_metal_bands(read_hr(HR), STRUCTURE, (12, 12, 12), fermi_ev=12.446, n_excluded=5)
    assert bands.numbers == (7, 8)
    backwards = np.roll(bands.energies_ev[::-1, ::-1, ::-1], 1, axis=(0, 1, 2))
    assert bands.energies_ev == pytest.approx(backwards, abs=1e-12)


def test_fermi_energy_in_a_gap_has_no_band():
    bands = wannier_metal_bands(square_hamiltonian(), STRUCTURE, (6, 6, 4), fermi_ev=0.0, n_excluded=0)
    assert bands.numbers == ()
    assert bands.on_mesh((4, 4, 4)).shape == (4, 4, 4, 0)
