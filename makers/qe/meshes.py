"""Commensurate k and q meshes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice

from hightc.analysis.reciprocal_symmetry import mesh_is_symmetric
from hightc.makers.errors import RecipeError

Mesh = tuple[int, int, int]


class Meshes(NamedTuple):
    """Meshes of one calculation: ``q`` divides ``k``, and ``k`` divides ``k_dense``."""

    q: Mesh
    k: Mesh
    k_dense: Mesh


def mesh_from_spacing(lattice: Lattice, spacing_per_angstrom: float) -> Mesh:
    """Smallest Gamma-centred mesh whose points lie no farther apart than the spacing.

    Parameters
    ----------
    lattice
        Direct lattice in Angstrom.
    spacing_per_angstrom
        Largest distance of neighbouring points in 1/Angstrom, with the factor 2 pi.
    """
    lengths = lattice.reciprocal_lattice.abc
    counts = [max(1, math.ceil(length / spacing_per_angstrom - 1e-6)) for length in lengths]
    return counts[0], counts[1], counts[2]


def symmetric_mesh(mesh: Mesh, rotations: NDArray[np.int64]) -> Mesh:
    """The mesh, or the smallest as dense one with equal numbers that the crystal's rotations map onto itself.

    One spacing alone gives a body-centred tetragonal or orthorhombic cell unequal numbers along vectors that rotations
    mix: ph.x refuses such a mesh ("This q-mesh breaks symmetry!").

    Parameters
    ----------
    mesh
        Points along each reciprocal lattice vector.
    rotations
        (n, 3, 3) as of :func:`~hightc.analysis.reciprocal_symmetry.point_group`.
    """
    candidates: list[Mesh] = [mesh]
    for joined in ((0, 1), (0, 2), (1, 2), (0, 1, 2)):
        largest = max(mesh[axis] for axis in joined)
        n1, n2, n3 = (largest if axis in joined else n for axis, n in enumerate(mesh))
        candidates.append((n1, n2, n3))
    return min((one for one in candidates if mesh_is_symmetric(one, rotations)), key=math.prod)


def uniform_points(mesh: Mesh) -> NDArray[np.float64]:
    """Every point of a Gamma-centred mesh, in the order of Wannier90's kmesh.pl: the third index runs fastest.

    Parameters
    ----------
    mesh
        Numbers of points along the reciprocal lattice vectors.

    Returns
    -------
    ndarray (n1 n2 n3, 3)
        In units of the reciprocal lattice vectors, in [0, 1).
    """
    points: NDArray[np.float64] = np.stack(np.unravel_index(np.arange(math.prod(mesh)), mesh), axis=1) / np.array(mesh)
    return points


def commensurate_meshes(
    lattice: Lattice,
    *,
    k_spacing_per_angstrom: float,
    q_spacing_per_angstrom: float,
    dense_factor: int,
    rotations: NDArray[np.int64] | None = None,
) -> Meshes:
    """Meshes with q dividing k, so that k+q stays on the k mesh, and an even k mesh wherever q allows.

    Parameters
    ----------
    lattice
        Direct lattice in Angstrom.
    k_spacing_per_angstrom, q_spacing_per_angstrom
        Largest distances of neighbouring points in 1/Angstrom, with the factor 2 pi.
    dense_factor
        Ratio of the mesh of the double-delta sum to the k mesh.
    rotations
        (n, 3, 3) of the crystal, which the meshes then keep, as of :func:`symmetric_mesh`; None looks at none.
    """
    q = mesh_from_spacing(lattice, q_spacing_per_angstrom)
    wanted = mesh_from_spacing(lattice, k_spacing_per_angstrom)
    if rotations is not None:
        q, wanted = symmetric_mesh(q, rotations), symmetric_mesh(wanted, rotations)
    ratios = [max(1, math.ceil(k / n)) for k, n in zip(wanted, q, strict=True)]
    k = [
        n * ratio if (n * ratio) % 2 == 0 or n * ratio == 1 else n * (ratio + 1)
        for n, ratio in zip(q, ratios, strict=True)
    ]
    if rotations is not None and not mesh_is_symmetric((k[0], k[1], k[2]), rotations):
        # one multiple of a symmetric mesh is as symmetric
        largest = max(points // n for points, n in zip(k, q, strict=True))
        k = [n * largest for n in q]
    dense = [dense_factor * n for n in k]
    return Meshes(q=q, k=(k[0], k[1], k[2]), k_dense=(dense[0], dense[1], dense[2]))


def require_commensurate(meshes: Meshes) -> None:
    """Refuse meshes that do not divide each other.

    Raises
    ------
    RecipeError
        If a mesh is not positive, q does not divide k, or k does not divide the dense mesh.
    """
    for name, mesh in meshes._asdict().items():
        if any(n < 1 for n in mesh):
            msg = f"{name}_mesh: expected three positive integers, found {list(mesh)}"
            raise RecipeError(msg)
    for small_name, small, large_name, large in (
        ("q_mesh", meshes.q, "k_mesh", meshes.k),
        ("k_mesh", meshes.k, "k_mesh_dense", meshes.k_dense),
    ):
        if np.any(np.mod(large, small)):
            msg = (
                f"{large_name} {list(large)} is not a multiple of {small_name} {list(small)}: "
                f"choose {large_name} as an integer multiple in each direction"
            )
            raise RecipeError(msg)
