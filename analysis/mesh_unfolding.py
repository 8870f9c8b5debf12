"""From the irreducible k points of a run to its whole mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Structure

from hightc.analysis.reciprocal_symmetry import band_rotations

Mesh = tuple[int, int, int]

GAMMA_CENTRED: Mesh = (0, 0, 0)
ON_MESH = 1e-5
"""Distance from a mesh point, in reciprocal lattice vectors, that the rounding of a printed k point explains."""

LARGEST_MESH = 256
"""Points along one reciprocal lattice vector beyond which a list of k points is taken for irregular."""

SAME_ENERGY_EV = 0.01
"""Difference between symmetric k points that diagonalisation explains: pw.x leaves empty bands 1e-5 Ry off."""


def irreducible_of_mesh(
    structure: Structure,
    k_points: NDArray[np.float64],
    mesh: Mesh,
    shift: Mesh = GAMMA_CENTRED,
    *,
    rotations: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Find the k point that symmetry puts onto each point of a Monkhorst-Pack mesh.

    Parameters
    ----------
    structure
        The structure, whose point group and time reversal relate the points.
    k_points
        (n_k, 3) points in units of the reciprocal lattice vectors.
    mesh
        Points along each reciprocal lattice vector.
    shift
        1 along vectors on which the mesh is off Gamma by half a step, else 0, as for pw.x.
    rotations
        (n, 3, 3) rotations to use instead, as of :func:`~hightc.analysis.reciprocal_symmetry.band_rotations`.

    Returns
    -------
    ndarray (n1, n2, n3)
        Positions in ``k_points``. A point of the list stands for itself.

    Raises
    ------
    ValueError
        If a k point is not on the mesh, or some point of the mesh is the image of none.

    Notes
    -----
    Sites that :func:`~hightc.analysis.reciprocal_symmetry.band_rotations` tells apart are first taken for different.
    Where this leaves points without one, the list was reduced by a program that took them for equal, and so does this
    function.
    """
    return _unfold(structure, np.asarray(k_points, dtype=np.float64), mesh, shift, rotations)[0]


def bands_on_mesh(
    energies_ev: ArrayLike,
    k_points: ArrayLike,
    structure: Structure,
    *,
    mesh: Mesh | None = None,
    rotations: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Unfold the bands of one spin onto the whole mesh.

    Parameters
    ----------
    energies_ev
        (n_k, bands) energies in eV.
    k_points
        (n_k, 3) points in units of the reciprocal lattice vectors.
    structure
        The structure; see :func:`~hightc.analysis.reciprocal_symmetry.band_rotations` for magnetic ones.
    mesh
        Points along each reciprocal lattice vector; None finds them by :func:`mesh_of_points`.
    rotations
        (n, 3, 3) rotations to use instead of those of the structure.

    Returns
    -------
    ndarray (n1, n2, n3, bands)
        In eV, point (i, j, k) at (i/n1, j/n2, k/n3).

    Raises
    ------
    ValueError
        If the shapes do not match, the points are not those of a Gamma-centred mesh, or energies of points that
        symmetry relates differ by more than :data:`SAME_ENERGY_EV`.
    """
    energies, points = np.asarray(energies_ev, dtype=np.float64), np.asarray(k_points, dtype=np.float64)
    if energies.ndim != 2 or points.shape != (len(energies), 3) or energies.size == 0:
        msg = (
            f"expected energies (n_k, bands) and k points (n_k, 3), found {energies.shape} and {points.shape}: give "
            "one spin at a time"
        )
        raise ValueError(msg)
    if mesh is None:
        mesh = mesh_of_points(structure, points, rotations=rotations)
    found, used = _unfold(structure, points, mesh, GAMMA_CENTRED, rotations)
    for rotation in used:
        on, image = _images(points, mesh, GAMMA_CENTRED, rotation)
        difference = np.abs(energies[found.ravel()[image[on]]] - energies[on]).max(initial=0.0)
        if difference > SAME_ENERGY_EV:
            msg = (
                f"expected equal energies at k points that symmetry relates, found {difference:.3f} eV between them: "
                "a magnetic order lowers the symmetry; give the sites their magmom, or the rotations"
            )
            raise ValueError(msg)
    return energies[found]


def mesh_of_points(
    structure: Structure, k_points: NDArray[np.float64], *, rotations: NDArray[np.int64] | None = None
) -> Mesh:
    """Infer the Gamma-centred mesh that a list of irreducible k points stands for.

    Parameters
    ----------
    structure
        The structure, whose point group and time reversal relate the points.
    k_points
        (n_k, 3) points in units of the reciprocal lattice vectors.
    rotations
        (n, 3, 3) rotations to use instead, as of :func:`~hightc.analysis.reciprocal_symmetry.band_rotations`.

    Returns
    -------
    tuple of 3 int
        Points along each reciprocal lattice vector.

    Raises
    ------
    ValueError
        If the points are no such mesh: shifted, along a path, incomplete, or finer than :data:`LARGEST_MESH`.
    """
    points = np.asarray(k_points, dtype=np.float64)
    group = _with_inversion(band_rotations(structure) if rotations is None else rotations)
    # one point may stand for its images along other axes; but a mesh of lower symmetry than the crystal has no images
    for candidates in (np.concatenate([points @ rotation for rotation in group]), points):
        sizes = [_denominator(candidates[:, axis]) for axis in range(3)]
        if None in sizes:
            continue
        mesh = (sizes[0] or 1, sizes[1] or 1, sizes[2] or 1)
        try:
            _unfold(structure, points, mesh, GAMMA_CENTRED, rotations)
        except ValueError:
            continue
        return mesh
    msg = (
        f"expected the irreducible k points of a uniform Gamma-centred mesh, found {len(points)} points of none: run "
        "pw.x with K_POINTS automatic and no shift, and read the whole run"
    )
    raise ValueError(msg)


def _unfold(
    structure: Structure,
    k_points: NDArray[np.float64],
    mesh: Mesh,
    shift: Mesh,
    rotations: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what irreducible_of_mesh does, and the rotations that it took, with their negatives."""
    size = np.array(mesh)
    if np.abs(k_points - _snap(k_points, mesh, shift)).max() > ON_MESH:
        msg = f"expected k points on the {mesh} mesh with shift {shift}, found others: the run is of another mesh"
        raise ValueError(msg)
    missing = 0
    for tell_apart in (True, False):
        group = _with_inversion(band_rotations(structure, tell_apart=tell_apart) if rotations is None else rotations)
        found = np.full(int(size.prod()), -1, dtype=np.int64)
        for rotation in group:
            on, image = _images(k_points, mesh, shift, rotation)
            new = np.flatnonzero(on & (found[image] < 0))
            found[image[new]] = new
            if (found >= 0).all():
                return found.reshape(mesh), group
        missing = int((found < 0).sum())
    msg = f"expected k points that fill the {mesh} mesh, found {missing} points without one: read the whole run"
    raise ValueError(msg)


def _images(
    k_points: NDArray[np.float64], mesh: Mesh, shift: Mesh, rotation: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether the image of each point is on the mesh, which need not have the crystal's symmetry, and its place."""
    # k turns with the inverse transpose; a group holds its inverses, so the transpose alone does
    steps = _snap(k_points, mesh, shift) @ rotation * np.array(mesh) - np.array(shift) / 2
    nearest = np.rint(steps)
    on = (np.abs(steps - nearest) < ON_MESH).all(axis=1)
    return on, np.ravel_multi_index(tuple(nearest.astype(np.int64).T), mesh, mode="wrap")


def _snap(k_points: NDArray[np.float64], mesh: Mesh, shift: Mesh) -> NDArray[np.float64]:
    """Nearest points of the mesh."""
    size, half = np.array(mesh), np.array(shift) / 2
    return np.asarray((np.rint(k_points * size - half) + half) / size, dtype=np.float64)


def _with_inversion(rotations: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add time reversal, which takes k to -k, and put the identity first."""
    matrices = np.asarray(rotations, dtype=np.int64).reshape(-1, 3, 3)
    identity = np.eye(3, dtype=np.int64)[None]
    return np.concatenate([identity, np.unique(np.concatenate([matrices, -matrices]), axis=0)])


def _denominator(coordinates: NDArray[np.float64]) -> int | None:
    """Smallest n for which all coordinates are multiples of 1/n."""
    distinct = np.unique(np.round(coordinates % 1, 7))
    for n in range(1, LARGEST_MESH + 1):
        if (np.abs(distinct * n - np.rint(distinct * n)) <= ON_MESH * n).all():
            return n
    return None
