"""Bands on a full mesh of k points: what sums over the Fermi surface ask of them, and which of them cross it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

MESH_AXES = 3


def bands_at_fermi_level(energies_ev: ArrayLike, fermi_ev: float, *, window_ev: float) -> tuple[int, ...]:
    """Choose the bands that come near the Fermi energy.

    Parameters
    ----------
    energies_ev
        (nk1, nk2, nk3, bands) in eV.
    fermi_ev
        Fermi energy in eV.
    window_ev
        A band is chosen if it has a state within this distance of E_F, or states on both sides of it.

    Returns
    -------
    tuple of int
        Numbers of bands from 0, ascending, ready as an index of the last axis; empty for an insulator.

    Raises
    ------
    ValueError
        If the energies are not bands on a mesh, or the window is negative or not finite.

    Notes
    -----
    Other bands add a smooth background to the bare susceptibility that can bury its peaks: of chromium's 14 bands four
    make its structure.
    """
    energies = require_bands(energies_ev, fermi_ev)
    if not (math.isfinite(window_ev) and window_ev >= 0):
        msg = f"window_ev: expected 0 eV or more, found {window_ev}: give some kT, or 0 for crossing bands only"
        raise ValueError(msg)
    lowest, highest = energies.min(axis=(0, 1, 2)), energies.max(axis=(0, 1, 2))
    near = (lowest <= fermi_ev + window_ev) & (highest >= fermi_ev - window_ev)
    return tuple(np.flatnonzero(near).tolist())


def require_bands(energies_ev: ArrayLike, fermi_ev: float) -> NDArray[np.float64]:
    """Check the energies of bands on a full mesh.

    Parameters
    ----------
    energies_ev
        (nk1, nk2, nk3, bands) in eV; a direction of one point is a lower dimension.
    fermi_ev
        Fermi energy in eV.

    Returns
    -------
    ndarray (nk1, nk2, nk3, bands)
        The energies as 64-bit numbers.

    Raises
    ------
    ValueError
        If the array is complex, empty, not of four axes or not finite, or the Fermi energy is not finite.
    """
    energies = np.asarray(energies_ev)
    if energies.ndim != MESH_AXES + 1 or energies.size == 0 or energies.dtype.kind not in "fiu":
        msg = (
            "energies_ev: expected real energies of shape (nk1, nk2, nk3, bands) with at least one band, found shape "
            f"{energies.shape} of {energies.dtype}: unfold irreducible points on the full mesh first"
        )
        raise ValueError(msg)
    if not np.isfinite(energies).all():
        where = tuple(np.argwhere(~np.isfinite(energies))[0].tolist())
        msg = f"energies_ev: expected finite energies, found {energies[where]} at {where}: fill the whole mesh"
        raise ValueError(msg)
    if not math.isfinite(fermi_ev):
        msg = f"fermi_ev: expected a finite energy in eV, found {fermi_ev}: read it from the run that made the bands"
        raise ValueError(msg)
    return energies.astype(np.float64, copy=False)


def require_near(energies_ev: NDArray[np.float64], fermi_ev: float, *, distance_ev: float, width: str) -> None:
    """Check that the bands do not all lie far on one side of the Fermi energy.

    Parameters
    ----------
    energies_ev
        Energies of states in eV, any shape.
    fermi_ev
        Fermi energy in eV.
    distance_ev
        How far outside of all bands it may be.
    width
        What this distance is, for the error.

    Raises
    ------
    ValueError
        If it is farther outside.
    """
    lowest, highest = float(energies_ev.min()), float(energies_ev.max())
    if not lowest - distance_ev <= fermi_ev <= highest + distance_ev:
        msg = (
            f"fermi_ev: expected within {distance_ev:.3g} eV ({width}) of the bands at {lowest:.4f} to {highest:.4f} "
            f"eV, found {fermi_ev:.4f} eV: no state there; check E_F, and whether it was subtracted twice"
        )
        raise ValueError(msg)
