"""Rotations of a crystal, and how they move the points of its reciprocal space."""

from __future__ import annotations

import itertools
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.core import Structure

SYMMETRY_PRECISION_ANGSTROM = 1e-3
"""Distance between sites that the rounding of their coordinates explains."""

MOMENT_PRECISION_BOHR_MAGNETON = 0.05
"""Difference of magnetic moments that the convergence of a run explains."""

ON_MESH = 1e-9
"""Distance from a mesh point, in steps of the mesh, that rounding explains."""

_NEAR_CELLS = np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=3)))
_SAME_LENGTH = 1e-9  # relative: points on a face of the zone have several equivalents of one length


def point_group(structure: Structure) -> NDArray[np.int64]:
    """Rotations of a crystal and, for time reversal, their products with the inversion.

    Parameters
    ----------
    structure
        The crystal; magnetic moments and labels are not looked at.

    Returns
    -------
    ndarray (n, 3, 3)
        Matrices W that act on fractional coordinates as columns, x' = W x. A row q of reduced reciprocal coordinates
        goes to q W under the inverse rotation, so that the images of q are ``q @ W`` over all W.
    """
    rotations = band_rotations(structure, tell_apart=False)
    return np.asarray(np.unique(np.concatenate([rotations, -rotations]), axis=0), dtype=np.int64)


def band_rotations(structure: Structure, *, tell_apart: bool = True) -> NDArray[np.int64]:
    """Rotations that leave the bands of each spin as they are.

    Parameters
    ----------
    structure
        Collinear moments in the site property ``magmom`` are looked at; a rotation that turns them over exchanges the
        spins, so it is none of these. Sites with different labels are different, as they are for pw.x.
    tell_apart
        Look at moments and labels; else at the elements alone.

    Returns
    -------
    ndarray (n, 3, 3)
        Matrices W that act on fractional coordinates as columns, x' = W x; the images of a row k of reciprocal
        coordinates are ``k @ W``. Time reversal, which adds their negatives for bands without spin-orbit coupling,
        is left to the caller.

    Raises
    ------
    ValueError
        If spglib finds no symmetry, or moments are vectors.
    """
    moments = np.zeros(len(structure))
    names = [site.species_string for site in structure]
    if tell_apart:
        names = [f"{site.species_string} {site.label}" for site in structure]
        moments = np.array([_collinear(value) for value in structure.site_properties.get("magmom", moments)])
    numbers = np.unique(names, return_inverse=True)[1]
    arrays = (structure.lattice.matrix, structure.frac_coords, moments)
    lattice, positions, spins = (np.ascontiguousarray(array, dtype=np.float64).tobytes() for array in arrays)
    rotations = _found_rotations(lattice, positions, tuple(numbers.tolist()), spins)
    if rotations is None:
        msg = f"{structure.formula}: spglib finds no symmetry at {SYMMETRY_PRECISION_ANGSTROM} Angstrom: look for sites"
        raise ValueError(f"{msg} on top of each other")
    return rotations.copy()


@lru_cache(maxsize=8)
def _found_rotations(
    lattice: bytes, positions: bytes, numbers: tuple[int, ...], moments: bytes
) -> NDArray[np.int64] | None:
    """Rotations of a cell given by its numbers; those of the last cells are kept, as a recipe asks several times."""
    cell = (
        np.frombuffer(lattice).reshape(3, 3).tolist(),
        np.frombuffer(positions).reshape(-1, 3).tolist(),
        numbers,
        np.frombuffer(moments).tolist(),
    )
    with warnings.catch_warnings():
        # spglib warns of a switch that is the whole process's to set
        warnings.simplefilter("ignore", DeprecationWarning)
        symmetry = spglib.get_magnetic_symmetry(
            cell,
            symprec=SYMMETRY_PRECISION_ANGSTROM,
            mag_symprec=MOMENT_PRECISION_BOHR_MAGNETON,
            is_axial=False,
            with_time_reversal=False,
        )
    return None if symmetry is None else np.asarray(np.unique(symmetry["rotations"], axis=0), dtype=np.int64)


def _collinear(moment: Any) -> float:
    value = getattr(moment, "moment", moment)  # of pymatgen's Magmom
    if np.ndim(value):
        msg = f"magmom: expected one number a site, found {moment!r}: noncollinear bands have no spin of their own"
        raise ValueError(msg)
    return 0.0 if value is None else float(value)


def reciprocal_vectors(structure: Structure) -> NDArray[np.float64]:
    """Reciprocal lattice vectors in 1/Angstrom with their 2 pi, one a row.

    Parameters
    ----------
    structure
        The crystal.
    """
    return np.array(structure.lattice.reciprocal_lattice.matrix, dtype=np.float64)


def cartesian_rotations(structure: Structure, rotations: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same rotations in Cartesian coordinates.

    Parameters
    ----------
    structure
        The crystal.
    rotations
        (n, 3, 3) as of :func:`point_group`.

    Returns
    -------
    ndarray (n, 3, 3)
        Orthogonal matrices that act on columns.
    """
    to_cartesian = structure.lattice.matrix.T
    return np.asarray(to_cartesian @ rotations @ np.linalg.inv(to_cartesian), dtype=np.float64)


def images(q: NDArray[np.float64], rotations: NDArray[np.int64]) -> NDArray[np.float64]:
    """Images of one point under the point group.

    Parameters
    ----------
    q
        (3,) reduced coordinates.
    rotations
        (n, 3, 3) as of :func:`point_group`.

    Returns
    -------
    ndarray (n, 3)
        One image a rotation, not folded back into one cell.
    """
    return np.asarray(q @ rotations, dtype=np.float64)


def fold(q: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move points into the first Brillouin zone: the shortest of all equivalents.

    Parameters
    ----------
    q
        (..., 3) reduced coordinates.
    reciprocal
        (3, 3) reciprocal lattice vectors as rows.

    Returns
    -------
    ndarray (..., 3)
        Of several shortest ones the one with the largest Cartesian coordinates, x before y before z.
    """
    wrapped = q - np.rint(q)
    candidates = wrapped[..., None, :] + _NEAR_CELLS
    cartesian = candidates @ reciprocal
    length = np.linalg.norm(cartesian, axis=-1)
    scale = float(np.linalg.norm(reciprocal, axis=1).max())
    shortest = length <= length.min(axis=-1, keepdims=True) + _SAME_LENGTH * scale
    preference = cartesian @ np.array([1.0, 1e-3, 1e-6])
    best = np.where(shortest, preference, -np.inf).argmax(axis=-1)
    return np.asarray(np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :], dtype=np.float64)


def lengths(q: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of points from the nearest reciprocal lattice vector in 1/Angstrom.

    Parameters
    ----------
    q
        (..., 3) reduced coordinates.
    reciprocal
        (3, 3) reciprocal lattice vectors as rows, 1/Angstrom.

    Returns
    -------
    ndarray (...)
        Lengths of what :func:`fold` returns, without its memory for all equivalents at once.
    """
    wrapped = q - np.rint(q)
    shortest = np.full(q.shape[:-1], np.inf)
    for cell in _NEAR_CELLS:
        shortest = np.minimum(shortest, np.linalg.norm((wrapped + cell) @ reciprocal, axis=-1))
    return shortest


def distance(first: NDArray[np.float64], second: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> float:
    """Shortest distance of two points of reciprocal space, up to reciprocal lattice vectors, in 1/Angstrom.

    Parameters
    ----------
    first, second
        (3,) reduced coordinates.
    reciprocal
        (3, 3) reciprocal lattice vectors as rows, 1/Angstrom.
    """
    return float(lengths(first - second, reciprocal))


def mesh_is_symmetric(mesh: tuple[int, int, int], rotations: NDArray[np.int64]) -> bool:
    """Whether every rotation maps a Gamma-centred mesh onto itself.

    Parameters
    ----------
    mesh
        Points along each reciprocal lattice vector.
    rotations
        (n, 3, 3) as of :func:`point_group`.

    Notes
    -----
    Vectors of one length in a direct cell need not have reciprocal vectors of one length: those of a body-centred
    tetragonal crystal differ and are mixed by its fourfold axis, so that meshes of one spacing break its symmetry.
    """
    size = np.array(mesh)
    steps = rotations * size / size[:, None]
    return bool(np.abs(steps - np.rint(steps)).max() < ON_MESH * size.max())


def mesh_permutations(mesh: tuple[int, int, int], rotations: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each rotation takes the points of a Gamma-centred mesh.

    Parameters
    ----------
    mesh
        Points along each reciprocal lattice vector.
    rotations
        (n, 3, 3) as of :func:`point_group`.

    Returns
    -------
    ndarray (n, n_points)
        For each rotation R and point k the position of the point R^-1 k, so that ``f.ravel()[permutations[r]]`` is
        the rotated function (R f)(k) = f(R^-1 k).

    Raises
    ------
    ValueError
        If a rotation leads off the mesh.
    """
    size = np.array(mesh)
    points = np.stack(np.meshgrid(*(np.arange(n) for n in mesh), indexing="ij"), axis=-1).reshape(-1, 3)
    turned = (points / size) @ rotations * size
    rounded = np.rint(turned)
    if np.abs(turned - rounded).max() > ON_MESH * size.max():
        msg = (
            f"mesh: expected one that the rotations of the crystal map onto itself, found {mesh}: use the same number "
            "of points along reciprocal lattice vectors that a rotation exchanges"
        )
        raise ValueError(msg)
    return np.asarray(np.ravel_multi_index(np.moveaxis(rounded.astype(np.int64) % size, -1, 0), mesh), dtype=np.int64)
