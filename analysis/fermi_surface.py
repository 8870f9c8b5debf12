"""The Fermi surface as triangles in the first Brillouin zone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice

from hightc.analysis.brillouin_zone import BrillouinZone, move_into_zone

WELD = 1e-6
"""Distance, in units of the zone's width, within which vertices of neighbouring triangles are one."""


@dataclass(frozen=True, slots=True, eq=False)
class FermiSheet:
    """The Fermi surface of one band.

    Attributes
    ----------
    band : int
        Number of the band, counted from 1.
    vertices_per_angstrom : ndarray (n, 3)
        Cartesian, in the first Brillouin zone, in 1/Angstrom with 2 pi.
    triangles : ndarray (m, 3)
        Positions of their corners among the vertices; seen from the empty states they turn to the left.
    speed_ev_angstrom : ndarray (n,)
        Length of the gradient of the energy, hbar times the velocity, in eV Angstrom.
    area_per_angstrom2 : float
        Area in 1/Angstrom^2.
    dos_per_ev_spin_cell : float
        Density of states at the Fermi energy, the integral of dS/|gradient| over the zone's volume.
    """

    band: int
    vertices_per_angstrom: NDArray[np.float64]
    triangles: NDArray[np.int64]
    speed_ev_angstrom: NDArray[np.float64]
    area_per_angstrom2: float
    dos_per_ev_spin_cell: float


def fermi_surface(
    energies_ev: NDArray[np.float64], lattice: Lattice, zone: BrillouinZone, bands: Sequence[int]
) -> tuple[FermiSheet, ...]:
    """Cut the mesh into tetrahedra and find where the linear energy in each is the Fermi energy.

    Parameters
    ----------
    energies_ev
        (n1, n2, n3, n_bands) energies less the Fermi energy on a Gamma-centred mesh of the whole zone, in eV.
    lattice
        Direct lattice in Angstrom.
    zone
        Its first Brillouin zone.
    bands
        Number of each band, counted from 1.

    Returns
    -------
    tuple of FermiSheet
        One for each band that crosses the Fermi energy.

    Raises
    ------
    ValueError
        If there is not one number for each band, or an energy is not finite.

    Notes
    -----
    Six tetrahedra a cell around its shortest diagonal: Bloechl, Jepsen and Andersen, Phys. Rev. B 49, 16223 (1994),
    figure 5. Area and density of states are exact for the linear energies. Speeds at the vertices are those of
    central differences on the mesh, which are smooth from triangle to triangle.
    """
    if energies_ev.ndim != 4 or energies_ev.shape[3] != len(bands):
        msg = f"expected energies (n1, n2, n3, {len(bands)}) of bands {tuple(bands)}, found shape {energies_ev.shape}"
        raise ValueError(msg)
    if not np.isfinite(energies_ev).all():
        msg = "expected finite energies, found some that are not: the bands were not computed on the whole mesh"
        raise ValueError(msg)
    sheets = []
    for number, energies in zip(bands, np.moveaxis(energies_ev, 3, 0), strict=True):
        cut = _cut_band(energies, lattice.reciprocal_lattice.matrix)
        if len(cut.triangles):
            sheets.append(_sheet(cut, number, zone))
    return tuple(sheets)


@dataclass(frozen=True, slots=True, eq=False)
class _CutBand:
    """Triangles of one band: (m, 3, 6), corners in 1/Angstrom and gradients there in eV Angstrom."""

    triangles: NDArray[np.float64]
    slope_ev_angstrom: NDArray[np.float64]
    """(m,) length of the gradient in the tetrahedron of each triangle."""


def _sheet(cut: _CutBand, band: int, zone: BrillouinZone) -> FermiSheet:
    areas = triangle_areas(cut.triangles[..., :3])
    moved = move_into_zone(cut.triangles, zone)
    vertices, triangles = _weld(moved, WELD * float(zone.distance_per_angstrom.min()))
    return FermiSheet(
        band=band,
        vertices_per_angstrom=vertices[:, :3],
        triangles=triangles,
        speed_ev_angstrom=np.linalg.norm(vertices[:, 3:], axis=1),
        area_per_angstrom2=float(areas.sum()),
        dos_per_ev_spin_cell=float((areas / cut.slope_ev_angstrom).sum() / zone.volume_per_angstrom3),
    )


def triangle_areas(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas of triangles.

    Parameters
    ----------
    triangles
        (n, 3, 3) corners.
    """
    first, second, third = triangles.transpose(1, 0, 2)
    areas: NDArray[np.float64] = np.linalg.norm(np.cross(second - first, third - first), axis=1) / 2
    return areas


def _cut_band(energies_ev: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> _CutBand:
    mesh = np.array(energies_ev.shape)
    gradients = band_gradients(energies_ev, reciprocal)
    flat, flat_gradients = energies_ev.ravel(), gradients.reshape(-1, 3)
    points = np.stack(np.unravel_index(np.arange(flat.size), energies_ev.shape), axis=1)
    triangles, slopes = [], []
    for order in itertools.permutations(range(3)):
        steps = (np.eye(3, dtype=np.int64) * _diagonal(reciprocal / mesh[:, None]))[list(order)]
        path = np.cumsum([np.zeros(3, dtype=np.int64), *steps], axis=0)
        at_corners = np.stack([np.roll(energies_ev, tuple(-corner), axis=(0, 1, 2)).ravel() for corner in path], axis=1)
        crossed = (at_corners.min(axis=1) < 0) & (at_corners.max(axis=1) >= 0)
        corners = points[crossed, None, :] + path
        e = at_corners[crossed]
        g = flat_gradients[np.ravel_multi_index(tuple((corners % mesh).transpose(2, 0, 1)), energies_ev.shape)]
        # along its path a tetrahedron has the partial derivatives one after the other
        partial = np.zeros((len(e), 3))
        partial[:, list(order)] = np.diff(e, axis=1) * mesh[list(order)] * steps.sum(axis=1)
        slope = partial @ np.linalg.inv(reciprocal).T
        cut, tetrahedron = _cut_tetrahedra(np.concatenate([corners / mesh @ reciprocal, g], axis=2), e)
        triangles.append(_oriented(cut, slope[tetrahedron]))
        slopes.append(np.linalg.norm(slope[tetrahedron], axis=1))
    return _CutBand(np.concatenate(triangles), np.concatenate(slopes))


def _diagonal(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Signs of the three steps whose sum is the shortest diagonal of a cell."""
    signs = np.array([(1, *others) for others in itertools.product((1, -1), repeat=2)], dtype=np.int64)
    shortest: NDArray[np.int64] = signs[np.linalg.norm(signs @ steps, axis=1).argmin()]
    return shortest


def band_gradients(energies_ev: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gradients of one band by central differences.

    Parameters
    ----------
    energies_ev
        (n1, n2, n3) energies on a periodic mesh in eV.
    reciprocal
        (3, 3) reciprocal lattice vectors as rows in 1/Angstrom, with 2 pi.

    Returns
    -------
    ndarray (n1, n2, n3, 3)
        Cartesian, in eV Angstrom.
    """
    partial = [
        (np.roll(energies_ev, -1, axis) - np.roll(energies_ev, 1, axis)) * n / 2
        for axis, n in enumerate(energies_ev.shape)
    ]
    gradients: NDArray[np.float64] = np.stack(partial, axis=-1) @ np.linalg.inv(reciprocal).T
    return gradients


def _cut_tetrahedra(
    corners: NDArray[np.float64], energies_ev: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Triangles (m, 3, d) where tetrahedra (n, 4, d) have the energy 0, and the tetrahedron of each."""
    order = energies_ev.argsort(axis=1)
    e = np.take_along_axis(energies_ev, order, axis=1)
    corners = np.take_along_axis(corners, order[..., None], axis=1)

    def crossing(of: NDArray[np.int64], low: int, high: int) -> NDArray[np.float64]:
        share = (e[of, low] / (e[of, low] - e[of, high]))[:, None]
        between: NDArray[np.float64] = (1 - share) * corners[of, low] + share * corners[of, high]
        return between

    n_below = (e < 0).sum(axis=1)
    triangles, tetrahedra = [], []
    for n, edges in _EDGES:
        of = np.flatnonzero(n_below == n)
        triangles.append(np.stack([crossing(of, low, high) for low, high in edges], axis=1))
        tetrahedra.append(of)
    return np.concatenate(triangles), np.concatenate(tetrahedra)


_EDGES = (
    (1, ((0, 1), (0, 2), (0, 3))),
    (2, ((0, 2), (0, 3), (1, 3))),
    (2, ((0, 2), (1, 3), (1, 2))),
    (3, ((0, 3), (1, 3), (2, 3))),
)
"""Corners below the energy, in increasing order, and the edges on which the corners of a triangle lie."""


def _oriented(triangles: NDArray[np.float64], slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn triangles so that their normals point to higher energies."""
    first, second, third = triangles[..., :3].transpose(1, 0, 2)
    wrong = np.einsum("ij,ij->i", np.cross(second - first, third - first), slope) < 0
    triangles[wrong] = triangles[wrong][:, ::-1]
    return triangles


def _weld(triangles: NDArray[np.float64], distance: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make corners at one place one vertex; triangles that lose a corner so are left out."""
    corners = triangles.reshape(-1, triangles.shape[2])
    places = np.round(corners[:, :3] / distance).astype(np.int64)
    _, first, which = np.unique(places, axis=0, return_index=True, return_inverse=True)
    indices = which.reshape(-1, 3)
    first_index, second_index, third_index = indices.T
    whole = (first_index != second_index) & (second_index != third_index) & (third_index != first_index)
    return corners[first], indices[whole].astype(np.int64)
