"""The bare susceptibility of a tight-binding or Wannier Hamiltonian, resolved by orbitals, at all q of a mesh."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from hightc.analysis.fermi_bands import MESH_AXES, require_bands
from hightc.analysis.thermal_states import ThermalStates

_HERMITIAN = 1e-8
"""Largest |H - H+| over the largest |H|."""


def density_susceptibility(
    hamiltonian_ev: ArrayLike, fermi_ev: float, *, temperature_k: float
) -> NDArray[np.complex128]:
    """Compute the part of `orbital_susceptibility` that couples densities of orbitals, chi_aabb.

    Parameters
    ----------
    hamiltonian_ev
        (nk1, nk2, nk3, orbitals, orbitals) Hermitian, of one spin, in eV, point (i, j, k) at (i/nk1, j/nk2, k/nk3).
    fermi_ev
        Fermi energy in eV.
    temperature_k
        Temperature in K.

    Returns
    -------
    ndarray (nk1, nk2, nk3, orbitals, orbitals)
        chi_ab(q) = chi_aabb(q), Hermitian in a and b, in states/eV/spin/cell. Its sum over a and b is the bare
        susceptibility with the matrix elements |<nk|mk+q>|^2 in place of 1.

    Raises
    ------
    ValueError
        If the Hamiltonian is not Hermitian on a mesh, the temperature is not positive, or all its bands are on one side
        of E_F.

    Notes
    -----
    Needs 1/orbitals^2 of the memory of the whole tensor. Phases are those of the Hamiltonian: H(k) = sum_R H(R) e^{ikR}
    puts all orbitals at the cell's origin. For orbitals at r_a multiply by exp[i q (r_a - r_b)].
    """
    states, vectors = _diagonalise(_require_hamiltonian(hamiltonian_ev, fermi_ev), fermi_ev, temperature_k)
    n_orbitals, mesh = len(vectors), vectors.shape[2:]
    chi = np.zeros((n_orbitals, n_orbitals, *mesh), dtype=np.complex128)
    upper = [(a, b) for a in range(n_orbitals) for b in range(a, n_orbitals)]
    for weight, *functions in states.propagate():
        for a, b in upper:
            filled, empty = (fft.fftn(_element(vectors, values, a, b)) for values in functions)
            # both halves of imaginary time add up to twice the real part
            chi[a, b] += 2 * weight * (filled.real * empty.real + filled.imag * empty.imag)
    return _transform_back(chi)


def orbital_susceptibility(
    hamiltonian_ev: ArrayLike, fermi_ev: float, *, temperature_k: float
) -> NDArray[np.complex128]:
    """Compute the bare susceptibility of four orbitals.

    Parameters
    ----------
    hamiltonian_ev, fermi_ev, temperature_k
        As for `density_susceptibility`.

    Returns
    -------
    ndarray (nk1, nk2, nk3, orbitals, orbitals, orbitals, orbitals)
        chi_{l1 l2 l3 l4}(q) in states/eV/spin/cell, 16 bytes x N_k x orbitals^4. As a matrix of the pairs l1 l2 and
        l3 l4 it is Hermitian. The sum over a, b of chi_{abab} is the bare susceptibility with matrix elements 1, that
        of chi_{aabb} the one with |<nk|mk+q>|^2.

    Raises
    ------
    ValueError
        As `density_susceptibility`.

    Notes
    -----
    Graser, Maier, Hirschfeld and Scalapino, New J. Phys. 11, 025016 (2009), at zero frequency:
    chi_{l1 l2 l3 l4}(q) = (1/N_k) sum_{k, mu, nu} a_mu^l4(k) a_mu^l2(k)* a_nu^l1(k+q) a_nu^l3(k+q)*
    [f(E_mu(k)) - f(E_nu(k+q))] / [E_nu(k+q) - E_mu(k)]. The sums over mu and nu are the elements l4 l2 of
    f(H) exp(u H) and l1 l3 of [1 - f(H)] exp(-u H): no choice of phases or of degenerate eigenvectors matters.
    """
    states, vectors = _diagonalise(_require_hamiltonian(hamiltonian_ev, fermi_ev), fermi_ev, temperature_k)
    mesh = vectors.shape[2:]
    pairs = list(np.ndindex(len(vectors), len(vectors)))
    chi = np.zeros((len(pairs), len(pairs), *mesh), dtype=np.complex128)
    for weight, *functions in states.propagate():
        filled, empty = ({ab: fft.fftn(_element(vectors, values, *ab)) for ab in pairs} for values in functions)
        for row, (l1, l2) in enumerate(pairs):
            for column, (l3, l4) in enumerate(pairs[row:], row):
                # sum_k X_{l4 l2}(k) Y(k+q) is the transform back of conj(X_{l2 l4}(R)) Y(R)
                product = filled[l2, l4].conj() * empty[l1, l3]
                product += empty[l2, l4].conj() * filled[l1, l3]
                product *= weight
                chi[row, column] += product
    tensor = _transform_back(chi)
    return tensor.reshape(*mesh, *(len(vectors),) * 4)


def _diagonalise(
    hamiltonian: NDArray[np.complex128], fermi_ev: float, temperature_k: float
) -> tuple[ThermalStates, NDArray[np.complex128]]:
    """Bands first, and eigenvectors (orbitals, bands, nk1, nk2, nk3)."""
    energies, vectors = np.linalg.eigh(hamiltonian)
    require_bands(energies, fermi_ev)
    states = ThermalStates.of(np.moveaxis(energies, -1, 0), fermi_ev, temperature_k)
    return states, np.ascontiguousarray(np.moveaxis(vectors, (-2, -1), (0, 1)))


def _element(
    vectors: NDArray[np.complex128], values: NDArray[np.float64], row: int, column: int
) -> NDArray[np.complex128]:
    """Element of the function of H(k) that has these values at the bands."""
    return np.asarray(np.einsum("n...,n...,n...->...", vectors[row], values, vectors[column].conj()))


def _transform_back(upper: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """From sums over times, the upper triangle of (n, n, nk1, nk2, nk3), to chi(q), (nk1, nk2, nk3, n, n)."""
    n_points = math.prod(upper.shape[2:])
    for row in range(len(upper)):
        for column in range(row, len(upper)):
            upper[row, column] = fft.ifftn(upper[row, column]) / n_points
            upper[column, row] = upper[row, column].conj()
        upper[row, row].imag = 0
    return np.moveaxis(upper, (0, 1), (MESH_AXES, MESH_AXES + 1))


def _require_hamiltonian(hamiltonian_ev: ArrayLike, fermi_ev: float) -> NDArray[np.complex128]:
    found = np.asarray(hamiltonian_ev)
    if found.ndim != MESH_AXES + 2 or found.size == 0 or found.shape[-1] != found.shape[-2]:
        msg = (
            "hamiltonian_ev: expected shape (nk1, nk2, nk3, orbitals, orbitals) with at least one orbital, found "
            f"{found.shape}: transform H(R) to the full mesh first"
        )
        raise ValueError(msg)
    hamiltonian = found.astype(np.complex128)
    if not np.isfinite(hamiltonian).all():
        where = tuple(np.argwhere(~np.isfinite(hamiltonian))[0].tolist())
        msg = f"hamiltonian_ev: expected finite elements, found {hamiltonian[where]} at {where}: fill the whole mesh"
        raise ValueError(msg)
    deviation = np.abs(hamiltonian - np.swapaxes(hamiltonian, -1, -2).conj())
    largest, allowed = float(deviation.max()), _HERMITIAN * float(np.abs(hamiltonian).max())
    if not largest <= allowed:
        where = tuple(int(index) for index in np.unravel_index(deviation.argmax(), deviation.shape))
        msg = (
            f"hamiltonian_ev: expected a Hermitian matrix at each k, found |H - H+| = {largest:.1e} eV at {where}, "
            f"above {allowed:.1e}: sum H(R) over R and -R alike, and check the order of the axes"
        )
        raise ValueError(msg)
    return hamiltonian
