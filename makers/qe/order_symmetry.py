"""What the symmetry of a magnetic order leaves: operations that keep each spin, freedom of the cell, shift of k points.

pw.x keeps the operations that map each species onto itself, and each spin of an element has a species of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.reciprocal_symmetry import SYMMETRY_PRECISION_ANGSTROM
from hightc.makers.qe.meshes import Mesh

ROUNDING = 1e-3
"""Characters are integers and mesh points multiples of one; this far off them counts as on them."""

Shift = tuple[int, int, int]


def is_fixed_by_symmetry(structure: Structure, spins: Sequence[float]) -> bool:
    """Whether the volume alone fixes the cell: no axis ratio, angle or position is free.

    Parameters
    ----------
    structure
        The cell of the order.
    spins
        (n_sites,) spin of each site.

    Notes
    -----
    The free parameters are counted by characters: the mean over the operations of ``(tr(R)^2 + tr(R^2))/2`` is the
    number of invariant strains, the volume among them; that of ``tr(R)`` times the number of atoms that stay in place
    is the number of invariant displacements, and that of ``tr(R)`` the number of those that move the whole crystal.
    """
    rotations, translations = _operations(structure, spins)
    traces = np.trace(rotations, axis1=1, axis2=2)
    displacements = np.mean(traces * (_fixed_atoms(structure, rotations, translations) - 1))
    return _is_cubic(rotations) and bool(displacements < ROUNDING)


def shift_off_gamma(structure: Structure, spins: Sequence[float], mesh: Mesh) -> Shift:
    """Half steps that take a k mesh off Gamma along as many vectors as its symmetry allows.

    Points of high symmetry are few and moments converge faster without them: fcc Ni has 0.71, 0.72 and 0.68 Bohr
    magnetons on 8^3, 10^3 and 12^3 points around Gamma, and 0.65, 0.63 and 0.65 on 6^3, 8^3 and 10^3 points off it.

    Parameters
    ----------
    structure
        The cell of the order.
    spins
        (n_sites,) spin of each site.
    mesh
        Points along the reciprocal lattice vectors.

    Returns
    -------
    tuple of 3 int
        1 along the vectors that are shifted, as pw.x counts it. A cubic mesh is shifted along all: where that is not
        as symmetric as the crystal (fcc), pw.x takes the images too, which samples twice as densely.
    """
    rotations, _ = _operations(structure, spins)
    halves: list[Shift] = [(i, j, k) for i in (1, 0) for j in (1, 0) for k in (1, 0)]
    halves.sort(key=sum, reverse=True)
    allowed = [shift for shift in halves if all(n > 1 for n, moved in zip(mesh, shift, strict=True) if moved)]
    if _is_cubic(rotations):
        return allowed[0]
    return next(shift for shift in allowed if not any(shift) or _keeps(rotations, mesh, shift))


def _is_cubic(rotations: NDArray[np.int64]) -> bool:
    """Whether the volume is the only strain that keeps the symmetry."""
    traces = np.trace(rotations, axis1=1, axis2=2)
    strains = np.mean((traces**2 + np.trace(rotations @ rotations, axis1=1, axis2=2)) / 2)
    return bool(strains < 1 + ROUNDING)


def _keeps(rotations: NDArray[np.int64], mesh: Mesh, shift: Shift) -> bool:
    """Whether every rotation maps a shifted mesh onto itself: its corner and the steps from it must stay on it."""
    size, offset = np.array(mesh), np.array(shift) / 2
    points = (np.concatenate([np.zeros((1, 3)), np.eye(3)]) + offset) / size
    images = points @ rotations * size - offset
    return bool(np.abs(images - np.rint(images)).max() < ROUNDING)


def _operations(structure: Structure, spins: Sequence[float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rotations (n, 3, 3) and translations (n, 3) in fractions of the cell that keep elements and spins."""
    species = [(site.specie.symbol, spin) for site, spin in zip(structure, spins, strict=True)]
    numbers = [list(dict.fromkeys(species)).index(each) for each in species]
    cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry(cell, symprec=SYMMETRY_PRECISION_ANGSTROM)
    if found is None:
        msg = f"expected a crystal whose symmetry can be found, found none of {structure.formula}: look for close atoms"
        raise ValueError(msg)
    return np.asarray(found["rotations"], dtype=np.int64), np.asarray(found["translations"])


def _fixed_atoms(
    structure: Structure, rotations: NDArray[np.int64], translations: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(n,) atoms that each operation leaves where they are, up to lattice vectors."""
    images = np.einsum("nij,aj->nai", rotations, structure.frac_coords) + translations[:, None]
    moved = images - structure.frac_coords
    distances = np.linalg.norm((moved - np.rint(moved)) @ structure.lattice.matrix, axis=-1)
    fixed: NDArray[np.int64] = (distances < 10 * SYMMETRY_PRECISION_ANGSTROM).sum(axis=1)
    return fixed
