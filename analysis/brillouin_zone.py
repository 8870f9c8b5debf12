"""The first Brillouin zone: its faces and edges, and triangles moved into it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice
from scipy.spatial import HalfspaceIntersection

TOLERANCE = 1e-9
"""Distance, in units of the longest edge of the reciprocal cell, that rounding explains."""

REACH = 2
"""Multiples of reduced reciprocal lattice vectors among which every neighbour of the zone is."""


@dataclass(frozen=True, slots=True, eq=False)
class BrillouinZone:
    """The points nearer to the origin than to any other reciprocal lattice vector.

    Attributes
    ----------
    normals : ndarray (n_faces, 3)
        Unit vectors that point outwards.
    distance_per_angstrom : ndarray (n_faces,)
        Distance of each face from the origin in 1/Angstrom, with 2 pi.
    corners_per_angstrom : ndarray (n_corners, 3)
        Corners in 1/Angstrom.
    edges : ndarray (n_edges, 2)
        Positions of the two corners of each edge.
    neighbours_per_angstrom : ndarray (n, 3)
        The origin, and the reciprocal lattice vectors whose own zones touch this one, corners included.
    volume_per_angstrom3 : float
        Volume in 1/Angstrom^3.
    """

    normals: NDArray[np.float64]
    distance_per_angstrom: NDArray[np.float64]
    corners_per_angstrom: NDArray[np.float64]
    edges: NDArray[np.int64]
    neighbours_per_angstrom: NDArray[np.float64]
    volume_per_angstrom3: float


def brillouin_zone(lattice: Lattice) -> BrillouinZone:
    """Construct the first Brillouin zone.

    Parameters
    ----------
    lattice
        Direct lattice in Angstrom.

    Returns
    -------
    BrillouinZone
        In the Cartesian axes of the lattice.
    """
    reciprocal = lattice.reciprocal_lattice
    steps = np.array(list(itertools.product(range(-REACH, REACH + 1), repeat=3)))
    vectors = steps @ reciprocal.get_lll_reduced_lattice().matrix
    lengths = np.linalg.norm(vectors, axis=1)
    others = lengths > 0
    normals, heights = vectors[others] / lengths[others, None], lengths[others] / 2
    tolerance = TOLERANCE * max(reciprocal.abc)
    found = HalfspaceIntersection(np.column_stack([normals, -heights]), np.zeros(3)).intersections
    # where more than three faces meet the same corner is found several times
    corners = found[np.unique(np.round(found / (1e3 * tolerance)), axis=0, return_index=True)[1]]
    on_face = np.abs(corners @ normals.T - heights) < 1e3 * tolerance
    faces = on_face.sum(axis=0) >= 3
    shared = on_face[:, faces].astype(np.int64)
    edges = np.argwhere(np.triu(shared @ shared.T >= 2, k=1))
    touching = vectors[lengths <= 2 * np.linalg.norm(corners, axis=1).max() + tolerance]
    return BrillouinZone(
        normals=normals[faces],
        distance_per_angstrom=heights[faces],
        corners_per_angstrom=corners,
        edges=edges,
        neighbours_per_angstrom=touching,
        volume_per_angstrom3=float(reciprocal.volume),
    )


def move_into_zone(triangles: NDArray[np.float64], zone: BrillouinZone) -> NDArray[np.float64]:
    """Move triangles by reciprocal lattice vectors into the zone, and cut those that its faces cross.

    Parameters
    ----------
    triangles
        (n, 3, 3 + m) corners of triangles in 1/Angstrom, small beside the zone, each followed by m further numbers,
        which are interpolated where a triangle is cut.
    zone
        The zone.

    Returns
    -------
    ndarray (n_moved, 3, 3 + m)
        Triangles of the same total area, each inside the zone, with the same sense of rotation.
    """
    tolerance = TOLERANCE * float(zone.distance_per_angstrom.max())
    centred = _add(triangles, -_nearest(triangles[..., :3].mean(axis=1), zone))
    crossing = np.any(_heights(centred, zone) > tolerance, axis=(1, 2))
    pieces = [centred[~crossing]]
    for vector in zone.neighbours_per_angstrom:
        moved = _add(centred[crossing], vector)
        beyond = np.all(_heights(moved, zone) >= -tolerance, axis=1)
        moved = moved[~np.any(beyond, axis=1)]
        for normal, distance in zip(zone.normals, zone.distance_per_angstrom, strict=True):
            moved = _cut(moved, normal, float(distance), tolerance)
        pieces.append(moved)
    return np.concatenate(pieces)


def _nearest(points: NDArray[np.float64], zone: BrillouinZone) -> NDArray[np.float64]:
    """Reciprocal lattice vector nearest to each point, reached by steps to neighbouring zones."""
    vectors = np.zeros_like(points)
    towards = zone.neighbours_per_angstrom
    squares = np.einsum("ij,ij->i", towards, towards)
    while True:
        step = towards[(squares - 2 * (points - vectors) @ towards.T).round(12).argmin(axis=1)]
        if not step.any():
            return vectors
        vectors += step


def _add(triangles: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = triangles.copy()
    moved[..., :3] += vector.reshape(-1, 1, 3)
    return moved


def _heights(triangles: NDArray[np.float64], zone: BrillouinZone) -> NDArray[np.float64]:
    """(n, 3, n_faces) heights of corners above the faces."""
    heights: NDArray[np.float64] = triangles[..., :3] @ zone.normals.T - zone.distance_per_angstrom
    return heights


def _cut(
    triangles: NDArray[np.float64], normal: NDArray[np.float64], distance: float, tolerance: float
) -> NDArray[np.float64]:
    """What lies below a plane."""
    heights = triangles[..., :3] @ normal - distance
    inside = heights <= tolerance
    n_inside = inside.sum(axis=1)
    kept = [triangles[n_inside == 3]]
    for n, corner in ((1, inside), (2, ~inside)):
        # the corner that stands alone comes first
        chosen = n_inside == n
        order = (corner[chosen].argmax(axis=1)[:, None] + np.arange(3)) % 3
        alone, second, third = np.take_along_axis(triangles[chosen], order[..., None], axis=1).transpose(1, 0, 2)
        h0, h1, h2 = np.take_along_axis(heights[chosen], order, axis=1).T[..., None]
        towards_second = alone + (second - alone) * h0 / (h0 - h1)
        towards_third = alone + (third - alone) * h0 / (h0 - h2)
        if n == 1:
            kept.append(np.stack([alone, towards_second, towards_third], axis=1))
        else:
            kept.append(np.stack([towards_second, second, third], axis=1))
            kept.append(np.stack([towards_second, third, towards_third], axis=1))
    return np.concatenate(kept)
