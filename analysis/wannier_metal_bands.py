"""Bands that cross the Fermi energy, from a Wannier Hamiltonian: exact between the points of any mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.fermi_bands import bands_at_fermi_level
from hightc.analysis.mesh_unfolding import Mesh
from hightc.analysis.metal_bands import MetalBands
from hightc.analysis.parsers.wannier import WannierHamiltonian
from hightc.analysis.wannier_bands import interpolate_bands

POINTS_AT_ONCE = 4096
"""k points whose Hamiltonians are held in memory."""


def wannier_metal_bands(
    hamiltonian: WannierHamiltonian, structure: Structure, mesh: Mesh, *, fermi_ev: float, n_excluded: int
) -> MetalBands:
    """Choose the Wannier bands that cross the Fermi energy.

    Parameters
    ----------
    hamiltonian
        H(R), without spin-orbit coupling.
    structure
        The crystal in the cell of the Hamiltonian.
    mesh
        Mesh that stands for the computed one.
    fermi_ev
        Fermi energy in eV.
    n_excluded
        Bands below the Wannier functions.

    Returns
    -------
    MetalBands
        With no error of the interpolation: how well the functions carry all bands up to 1 eV above the Fermi energy,
        their own document says.
    """

    def on_mesh(mesh: Mesh) -> NDArray[np.float64]:
        return _energies(hamiltonian, mesh) - fermi_ev

    every = on_mesh(mesh)
    crossing = bands_at_fermi_level(every, 0.0, window_ev=0.0)
    return MetalBands(
        structure=structure,
        fermi_ev=fermi_ev,
        numbers=tuple(n_excluded + band + 1 for band in crossing),
        energies_ev=every[..., crossing],
        on_mesh=lambda mesh: on_mesh(mesh)[..., crossing],
        interpolation_error_mev=None,
        source="wannier",
        warnings=(),
    )


def _energies(hamiltonian: WannierHamiltonian, mesh: Mesh) -> NDArray[np.float64]:
    """(n1, n2, n3, n_wannier) energies in eV."""
    size = int(np.prod(mesh))
    energies = np.empty((size, hamiltonian.n_wannier))
    for start in range(0, size, POINTS_AT_ONCE):
        chosen = np.arange(start, min(start + POINTS_AT_ONCE, size))
        points = np.stack(np.unravel_index(chosen, mesh), axis=1) / np.array(mesh)
        energies[chosen] = interpolate_bands(hamiltonian, points)
    return energies.reshape(*mesh, -1)
