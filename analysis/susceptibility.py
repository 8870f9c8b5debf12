"""The bare susceptibility of bands at all wave vectors of a mesh, with constant or given matrix elements.

N log N operations instead of N^2: in imaginary time the sum over pairs of states is a correlation of functions of k.
All transforms are scipy's: ``with scipy.fft.set_workers(2):`` around a call uses two cores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from hightc.analysis.fermi_bands import MESH_AXES, require_bands
from hightc.analysis.thermal_states import ThermalStates

_ROUNDING = 1e-9
"""How far outside of 0..1 a projection may be."""


def bare_susceptibility(energies_ev: ArrayLike, fermi_ev: float, *, temperature_k: float) -> NDArray[np.float64]:
    """Compute the static bare susceptibility with constant matrix elements, all bands together.

    Parameters
    ----------
    energies_ev
        (nk1, nk2, nk3, bands) energies of one spin on the full mesh in eV, point (i, j, k) at (i/nk1, j/nk2, k/nk3).
        Bands away from the Fermi energy add a smooth background: see `bands_at_fermi_level`.
    fermi_ev
        Fermi energy in eV.
    temperature_k
        Temperature in K. kT should not be far below the spacing of energies on the mesh.

    Returns
    -------
    ndarray (nk1, nk2, nk3)
        chi0(q) in states/eV/spin/cell for q on the same mesh; positive, and even in q.

    Raises
    ------
    ValueError
        If the energies are not bands on a mesh, the temperature is not positive, or all bands are on one side of E_F.

    Notes
    -----
    chi0(q) = (1/N_k) sum_{k,n,m} [f(e_nk) - f(e_mk+q)] / (e_mk+q - e_nk), and -f' for equal energies: the number that
    the formula has on this mesh, to 1e-11 of each pair and rounding of the transforms (1e-14 of the largest value).

    chi0(-q) = chi0(q) whatever the crystal: rename n and m, and k and k - q; the pair's kernel does not change. So the
    halves 0..beta/2 and beta/2..beta of imaginary time, which are the sums at q and at -q (see `imaginary_times`), are
    equal, the sum over times has a real transform, and no symmetry of the bands is assumed.
    """
    states = _states(require_bands(energies_ev, fermi_ev), fermi_ev, temperature_k)
    (chi,) = _pair_susceptibilities(states, np.ones((1, len(states.reduced), 1, 1, 1)), [(0, 0)])
    return chi


def band_susceptibilities(energies_ev: ArrayLike, fermi_ev: float, *, temperature_k: float) -> NDArray[np.float64]:
    """Compute the bare susceptibility of each pair of bands.

    Parameters
    ----------
    energies_ev, fermi_ev, temperature_k
        As for `bare_susceptibility`; index the last axis to choose bands.

    Returns
    -------
    ndarray (nk1, nk2, nk3, bands, bands)
        chi_nm(q), n at k and m at k + q, in states/eV/spin/cell; chi_nm(-q) = chi_mn(q), and the sum over both is chi0.

    Raises
    ------
    ValueError
        As `bare_susceptibility`.
    """
    states = _states(require_bands(energies_ev, fermi_ev), fermi_ev, temperature_k)
    return _matrix(states, np.eye(len(states.reduced))[..., None, None, None])


def projected_susceptibility(
    energies_ev: ArrayLike, projections: ArrayLike, fermi_ev: float, *, temperature_k: float
) -> NDArray[np.float64]:
    """Compute the bare susceptibility weighted by orbital characters of the bands.

    Parameters
    ----------
    energies_ev, fermi_ev, temperature_k
        As for `bare_susceptibility`.
    projections
        (nk1, nk2, nk3, bands, orbitals) shares w_a(nk) of an orbital in a state, 0 to 1.

    Returns
    -------
    ndarray (nk1, nk2, nk3, orbitals, orbitals)
        chi_ab(q) = (1/N_k) sum_{k,n,m} w_a(nk) w_b(mk+q) [f(e_nk) - f(e_mk+q)] / (e_mk+q - e_nk) in
        states/eV/spin/cell; chi_ab(-q) = chi_ba(q). Where the shares of each state sum to 1 its sum is chi0.

    Raises
    ------
    ValueError
        As `bare_susceptibility`, or if the projections do not fit the energies or are outside of 0 to 1.

    Notes
    -----
    Shares have lost the phases of the states: with a Hamiltonian use `density_susceptibility`.
    """
    energies = require_bands(energies_ev, fermi_ev)
    shares = np.asarray(projections, dtype=np.float64)
    if shares.shape[:-1] != energies.shape or shares.size == 0:
        msg = (
            f"projections: expected shape (nk1, nk2, nk3, bands, orbitals) with the energies' {energies.shape}, found "
            f"{shares.shape}: unfold both on one mesh"
        )
        raise ValueError(msg)
    if not (shares.min() >= -_ROUNDING and shares.max() <= 1 + _ROUNDING):
        msg = f"projections: expected shares of 0 to 1, found {shares.min()} to {shares.max()}: normalise the states"
        raise ValueError(msg)
    weights = np.ascontiguousarray(np.moveaxis(shares, (-1, -2), (0, 1)))
    return _matrix(_states(energies, fermi_ev, temperature_k), weights)


def _states(energies_ev: NDArray[np.float64], fermi_ev: float, temperature_k: float) -> ThermalStates:
    """The states with bands as the first axis."""
    return ThermalStates.of(np.moveaxis(energies_ev, -1, 0), fermi_ev, temperature_k)


def _matrix(states: ThermalStates, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """All pairs of channels as the last two axes; those below the diagonal are those above it at -q."""
    n_channels, mesh = len(weights), states.reduced.shape[1:]
    upper = [(a, b) for a in range(n_channels) for b in range(a, n_channels)]
    chi = np.empty((n_channels, n_channels, *mesh))
    for (a, b), values in zip(upper, _pair_susceptibilities(states, weights, upper), strict=True):
        chi[b, a] = np.roll(np.flip(values), 1, axis=(0, 1, 2))
        chi[a, b] = values
    return np.moveaxis(chi, (0, 1), (MESH_AXES, MESH_AXES + 1))


def _pair_susceptibilities(
    states: ThermalStates, weights: NDArray[np.float64], pairs: Sequence[tuple[int, int]]
) -> list[NDArray[np.float64]]:
    """chi_ab(q) of pairs of channels, each a sum over bands with its weights.

    Parameters
    ----------
    states
        Of reduced energies (bands, nk1, nk2, nk3).
    weights
        (channels, bands, nk1, nk2, nk3), or 1 in place of the mesh.
    pairs
        Channels at k and at k + q.

    Returns
    -------
    list of ndarray (nk1, nk2, nk3)
        For each pair in 1/eV.
    """
    mesh = states.reduced.shape[1:]
    sums = np.zeros((len(pairs), *mesh[:-1], mesh[-1] // 2 + 1), dtype=np.complex128)
    for weight, filled, empty in states.propagate():
        filled_of_r = [fft.rfftn(np.einsum("n...,n...->...", channel, filled)) for channel in weights]
        empty_of_r = [fft.rfftn(np.einsum("n...,n...->...", channel, empty)) for channel in weights]
        for i, (a, b) in enumerate(pairs):
            product = filled_of_r[a].conj() * empty_of_r[b]
            product += empty_of_r[a].conj() * filled_of_r[b]
            product *= weight
            sums[i] += product
    # sum_k X(k) Y(k+q) is the transform back of conj(X(R)) Y(R)
    return [fft.irfftn(total, s=mesh, overwrite_x=True) / math.prod(mesh) for total in sums]
