"""Sublattices of a crystal, and how its space group permutes the sites of a supercell."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.reciprocal_symmetry import SYMMETRY_PRECISION_ANGSTROM

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CrystalSymmetry:
    """Space group of a primitive cell, spins not looked at.

    Attributes
    ----------
    rotations : ndarray (n, 3, 3)
        Matrices W that act on fractional coordinates as columns.
    images : ndarray (n, n_sites)
        Site on which each operation puts each site.
    shifts : ndarray (n, n_sites, 3)
        Lattice vector between that site in the first cell and the image.
    orbits : ndarray (n_sites,)
        The same number for sites that symmetry makes equal.
    """

    rotations: IntArray
    images: IntArray
    shifts: IntArray
    orbits: IntArray


def crystal_symmetry(structure: Structure) -> CrystalSymmetry:
    """Space group of a primitive cell as it acts on the sites.

    Parameters
    ----------
    structure
        The primitive cell, Angstrom.

    Raises
    ------
    ValueError
        If the cell is not primitive.
    """
    numbers = np.unique([site.species_string for site in structure], return_inverse=True)[1]
    cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), numbers.tolist())
    with warnings.catch_warnings():
        # spglib warns of a switch that is the whole process's to set
        warnings.simplefilter("ignore", DeprecationWarning)
        dataset = spglib.get_symmetry_dataset(cell, symprec=SYMMETRY_PRECISION_ANGSTROM)
    if dataset is None:
        msg = f"{structure.formula}: spglib finds no space group at {SYMMETRY_PRECISION_ANGSTROM} Angstrom"
        raise ValueError(msg)
    if len(set(dataset.mapping_to_primitive.tolist())) < len(structure):
        smaller = len(set(dataset.mapping_to_primitive.tolist()))
        msg = (
            f"{structure.formula}: expected a primitive cell, found {len(structure)} sites where {smaller} are enough: "
            "give the primitive standard cell"
        )
        raise ValueError(msg)
    rotations = np.asarray(dataset.rotations, dtype=np.int64)
    coordinates = structure.frac_coords
    moved = np.einsum("gab,sb->gsa", rotations, coordinates) + np.asarray(dataset.translations)[:, None]
    # (operation, site, candidate, 3): an integer vector for the right candidate
    distance = moved[:, :, None] - coordinates
    misfit = np.linalg.norm((distance - np.rint(distance)) @ structure.lattice.matrix, axis=-1)
    misfit[:, numbers[:, None] != numbers] = np.inf
    images = misfit.argmin(axis=2)
    shifts = np.rint(moved - coordinates[images]).astype(np.int64)
    return CrystalSymmetry(rotations, images, shifts, np.asarray(dataset.equivalent_atoms, dtype=np.int64))


def sublattices(index: int) -> list[IntArray]:
    """All sublattices of an index, as Hermite normal forms.

    Parameters
    ----------
    index
        Primitive cells in the supercell.

    Returns
    -------
    list of ndarray (3, 3)
        Basis vectors in rows, in units of the primitive ones; upper triangular, each entry above a diagonal one less
        than it.
    """
    diagonals = [d for d in itertools.product(range(1, index + 1), repeat=3) if np.prod(d) == index]
    return [
        np.array([[a, b, c], [0, d, e], [0, 0, f]], dtype=np.int64)
        for a, d, f in diagonals
        for b, c, e in itertools.product(range(d), range(f), range(f))
    ]


def cell_number(vectors: IntArray, sublattice: IntArray) -> IntArray:
    """Number lattice vectors so that those a sublattice vector apart get the same number.

    Parameters
    ----------
    vectors : ndarray (..., 3)
        Lattice vectors in units of the primitive ones.
    sublattice : ndarray (3, 3)
        Hermite normal form.

    Returns
    -------
    ndarray (...)
        From 0 to one less than the index; 0 for vectors of the sublattice.
    """
    rest, number = np.array(vectors, dtype=np.int64), np.zeros(np.shape(vectors)[:-1], dtype=np.int64)
    for axis in range(3):
        rest = rest - (rest[..., axis] // sublattice[axis, axis])[..., None] * sublattice[axis]
        number = number * sublattice[axis, axis] + rest[..., axis]
    return number


def cells(sublattice: IntArray) -> IntArray:
    """Lattice vectors of the primitive cells in a supercell, ordered as :func:`cell_number` counts them.

    Parameters
    ----------
    sublattice : ndarray (3, 3)
        Hermite normal form.

    Returns
    -------
    ndarray (n, 3)
        In units of the primitive lattice vectors.
    """
    return np.array(list(itertools.product(*(range(size) for size in np.diag(sublattice)))), dtype=np.int64)


def distinct_sublattices(index: int, rotations: IntArray) -> list[tuple[IntArray, IntArray]]:
    """One sublattice of each kind, with the rotations that keep it.

    Parameters
    ----------
    index
        Primitive cells in the supercell.
    rotations : ndarray (n, 3, 3)
        Of the space group.

    Returns
    -------
    list of (ndarray (3, 3), ndarray (m,))
        Hermite normal form, and the numbers of the rotations that map it onto itself.
    """
    remaining, found = sublattices(index), []
    while remaining:
        first = remaining[0]
        turned = np.einsum("gab,vb->gva", rotations, first)
        # an image has the same index, so it is the sublattice in which all its basis vectors lie
        hits = [~cell_number(turned, other).any(axis=1) for other in remaining]
        found.append((first, np.flatnonzero(hits[0])))
        remaining = [other for other, hit in zip(remaining, hits, strict=True) if not hit.any()]
    return found


def site_permutations(symmetry: CrystalSymmetry, sublattice: IntArray, kept: IntArray, sites: IntArray) -> IntArray:
    """How the space group of a supercell permutes some of its sites.

    Parameters
    ----------
    symmetry
        Space group of the primitive cell.
    sublattice : ndarray (3, 3)
        Hermite normal form.
    kept : ndarray (m,)
        Operations that keep the sublattice; the first must be the identity.
    sites : ndarray (k,)
        Sites of the primitive cell, a union of orbits.

    Returns
    -------
    ndarray (m * n, k * n)
        For each operation followed by each of the n translations, the place that each (site, cell) goes to; places
        are counted site by site. The first n rows are the pure translations.
    """
    places, n = cells(sublattice), len(cells(sublattice))
    position = np.full(len(symmetry.orbits), -1)
    position[sites] = np.arange(len(sites))
    turned = np.einsum("gab,cb->gca", symmetry.rotations[kept], places)
    # (operation, translation, site, cell, 3)
    vectors = turned[:, None, None] + symmetry.shifts[kept][:, sites][:, None, :, None] + places[None, :, None, None]
    targets = position[symmetry.images[kept][:, sites]][:, None, :, None] * n + cell_number(vectors, sublattice)
    return np.asarray(targets.reshape(len(kept) * n, len(sites) * n), dtype=np.int64)
