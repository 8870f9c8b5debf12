"""How well Wannier functions carry the bands: interpolated energies held against computed ones off the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import qmc

from hightc.analysis.parsers.wannier import WannierHamiltonian

CHECK_WIDTH_EV = 0.1
"""Width of the upper edge of the weights, as Vitale et al. (2020)."""

SHIFT = np.sqrt([2.0, 3.0, 5.0]) % 1
"""Moves the points of Halton, whose coordinates are fractions of 2^n, 3^n and 5^n, off every mesh."""


@dataclass(frozen=True, slots=True)
class BandDistance:
    """Distance of Wannier-interpolated bands from computed ones.

    A state below the upper edge that no function carries counts with its distance below the edge.

    Attributes
    ----------
    eta_mev : float
        Root mean square over the states below the upper edge, weighted by a Fermi function: eta of Prandini et al.
    near_fermi_mev : float or None
        Root mean square over the states within the edge of the Fermi energy; None if there is none.
    largest_mev : float
        Largest distance of a state below the upper edge.
    n_states : int
        States below the upper edge.
    """

    eta_mev: float
    near_fermi_mev: float | None
    largest_mev: float
    n_states: int


def interpolate_bands(hamiltonian: WannierHamiltonian, k_fractional: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies of the Wannier Hamiltonian.

    Parameters
    ----------
    hamiltonian : WannierHamiltonian
        H(R).
    k_fractional : ndarray (n_k, 3)
        In units of the reciprocal lattice vectors.

    Returns
    -------
    ndarray (n_k, n_wannier)
        Energies in eV, increasing at each k.

    Notes
    -----
    H(k) = sum_R exp(2 pi i k.R) H(R)/degeneracy(R): Marzari et al., Rev. Mod. Phys. 84, 1419 (2012), section VI.
    """
    phases = np.exp(2j * np.pi * k_fractional @ hamiltonian.r.T) / hamiltonian.degeneracies
    at_k = np.tensordot(phases, hamiltonian.h_ev, axes=1)
    return np.asarray(np.linalg.eigvalsh((at_k + at_k.conj().transpose(0, 2, 1)) / 2))


def band_distance(
    computed_ev: NDArray[np.float64],
    interpolated_ev: NDArray[np.float64],
    fermi_ev: float,
    *,
    edge_ev: float = 1.0,
) -> BandDistance:
    """Distance between computed and interpolated bands, as far up as the coupling sees them.

    Computed bands beyond the number of functions have none to compare with. Their states below the edge count as if
    the interpolated band lay at the edge: functions that leave out a band near the Fermi energy are no good.

    Parameters
    ----------
    computed_ev : ndarray (n_k, n_bands)
        Energies without the excluded bands, increasing at each k.
    interpolated_ev : ndarray (n_k, n_wannier)
        As :func:`interpolate_bands` gives them; the lowest belongs to the lowest computed band.
    fermi_ev : float
        Fermi energy.
    edge_ev : float
        How far above the Fermi energy bands count.

    Returns
    -------
    BandDistance
        Frozen.

    Raises
    ------
    ValueError
        If the arrays do not belong together or no state lies below the edge.

    Notes
    -----
    eta = [sum w (e_computed - e_interpolated)^2 / sum w]^(1/2) with w a Fermi function at fermi_ev + edge_ev:
    Prandini et al., npj Comput. Mater. 4, 72 (2018); Vitale et al., npj Comput. Mater. 6, 66 (2020).
    """
    n_k, n_bands = computed_ev.shape
    if interpolated_ev.shape[0] != n_k or n_bands == 0:
        msg = f"expected energies at {n_k} k points, found {interpolated_ev.shape}"
        raise ValueError(msg)
    n = min(n_bands, interpolated_ev.shape[1])
    top_ev = fermi_ev + edge_ev
    below = computed_ev < top_ev
    if not below.any():
        msg = f"expected states below {top_ev:.2f} eV, found none: the excluded bands hold them all"
        raise ValueError(msg)
    carried = np.arange(n_bands) < n
    distance = np.maximum(top_ev - computed_ev, 0.0)
    distance[:, :n] = interpolated_ev[:, :n] - computed_ev[:, :n]
    weights = np.where(carried | below, expit((top_ev - computed_ev) / CHECK_WIDTH_EV), 0.0)
    near = np.abs(computed_ev - fermi_ev) < edge_ev
    return BandDistance(
        eta_mev=1e3 * float(np.sqrt((weights * distance**2).sum() / weights.sum())),
        near_fermi_mev=1e3 * float(np.sqrt((distance[near] ** 2).mean())) if near.any() else None,
        largest_mev=1e3 * float(np.abs(distance[below]).max()),
        n_states=int(below.sum()),
    )


def check_points(n: int) -> NDArray[np.float64]:
    """Points that fill the reciprocal cell evenly and that no mesh knows.

    Parameters
    ----------
    n : int
        How many.

    Returns
    -------
    ndarray (n, 3)
        In units of the reciprocal lattice vectors, in [0, 1).
    """
    return np.asarray((qmc.Halton(d=3, scramble=False).random(n) + SHIFT) % 1)
