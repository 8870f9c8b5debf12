"""From the irreducible k points of a run to its whole mesh."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

SYMMETRY_PRECISION_ANGSTROM = 1e-3
ON_MESH = 1e-5
"""Distance from a mesh point, in reciprocal lattice vectors, that the rounding of a printed k point explains."""


def irreducible_of_mesh(
    structure: Structure, k_points: NDArray[np.float64], mesh: tuple[int, int, int]
) -> NDArray[np.int64]:
    """Find the k point that symmetry puts onto each point of a Gamma-centred mesh.

    Parameters
    ----------
    structure
        The structure, whose point group and time reversal relate the points.
    k_points
        (n_k, 3) points in units of the reciprocal lattice vectors.
    mesh
        Points along each reciprocal lattice vector.

    Returns
    -------
    ndarray (n1, n2, n3)
        Positions in ``k_points``.

    Raises
    ------
    ValueError
        If a k point is not on the mesh, or some point of the mesh is the image of none.
    """
    size = np.array(mesh)
    if np.abs(k_points - np.rint(k_points * size) / size).max() > ON_MESH:
        msg = f"expected k points on a Gamma-centred {mesh} mesh, found others: the run is of another mesh"
        raise ValueError(msg)
    found = np.full(mesh, -1, dtype=np.int64)
    for rotation in _rotations(structure):
        # k turns with the inverse transpose; a group holds its inverses, so the transpose alone does
        for sign in (1, -1):
            images = np.rint(sign * k_points @ rotation * size).astype(np.int64) % size
            found[tuple(images.T)] = np.arange(len(k_points))
    missing = int((found < 0).sum())
    if missing:
        msg = f"expected k points that fill the {mesh} mesh, found {missing} points without one: read the whole run"
        raise ValueError(msg)
    return found


def _rotations(structure: Structure) -> NDArray[np.int64]:
    with warnings.catch_warnings():
        # spglib warns of a switch that pymatgen does not set
        warnings.simplefilter("ignore", DeprecationWarning)
        analyzer = SpacegroupAnalyzer(structure, symprec=SYMMETRY_PRECISION_ANGSTROM)
        operations = analyzer.get_symmetry_operations(cartesian=False)
    return np.unique([np.rint(operation.rotation_matrix).astype(np.int64) for operation in operations], axis=0)
