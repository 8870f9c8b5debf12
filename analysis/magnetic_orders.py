"""Collinear magnetic orders of a crystal in small supercells, each kind once."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import comb, prod
from typing import Final

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents.magnetism import MagneticOrder, OrderKind
from hightc.analysis.magnetic_supercells import (
    CrystalSymmetry,
    IntArray,
    cells,
    crystal_symmetry,
    distinct_sublattices,
    site_permutations,
)
from hightc.analysis.reciprocal_symmetry import SYMMETRY_PRECISION_ANGSTROM

LARGEST_SUPERCELL: Final = 4
MOST_ARRANGEMENTS: Final = 20_000
"""Arrangements of spins looked at in one supercell; 16 sites have 12,870, and larger cells are not computed anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class _Arrangement:
    """Spins of the magnetic sites in the cells of one supercell, (n_magnetic, n_cells)."""

    sublattice: IntArray
    spins: NDArray[np.int8]


def magnetic_orders(
    structure: Structure,
    magnetic_elements: Collection[str],
    *,
    max_primitive_cells: int = 2,
    max_orders: int = 8,
) -> tuple[tuple[MagneticOrder, ...], tuple[str, ...]]:
    """Find the nonmagnetic, the ferromagnetic and every compensated collinear order, none of them twice.

    Parameters
    ----------
    structure
        The primitive cell, Angstrom.
    magnetic_elements
        Elements whose sites carry a spin, each of them up or down.
    max_primitive_cells
        Primitive cells in the largest magnetic cell, 1 to 4.
    max_orders
        Most orders, the nonmagnetic and the ferromagnetic one included; at least 2.

    Returns
    -------
    orders : tuple of MagneticOrder
        NM, FM, then the antiferromagnetic ones as AFM1, AFM2, ... by the size of their cell, one wave vector before
        several, then by the length of the wave vector.
    left_out : tuple of str
        What was not tried, and why.

    Raises
    ------
    ValueError
        If the cell is not primitive, holds none of the elements, or a limit is out of its range.

    Notes
    -----
    An antiferromagnetic order has as many spins up as down on the sites of each orbit of the space group. Sites that
    no symmetry connects have moments of different size, so that orders which compensate only between them are
    ferrimagnetic; they are left out, as is whatever is not collinear.

    Supercells are all sublattices up to the given index (Hart and Forcade, Phys. Rev. B 77, 224115 (2008)), one of
    each kind under the point group. Arrangements of spins that an operation of the space group, a translation or the
    reversal of all spins maps onto each other are one order; one that a translation of its supercell leaves as it is
    belongs to a smaller cell.
    """
    _require_limits(max_primitive_cells, max_orders)
    symmetry = crystal_symmetry(structure)
    magnetic = np.flatnonzero([site.specie.symbol in magnetic_elements for site in structure])
    if not magnetic.size:
        msg = f"{structure.formula}: expected sites of {sorted(magnetic_elements)}, found none: name its elements"
        raise ValueError(msg)
    found: list[_Arrangement] = []
    left_out: list[str] = []
    for index in range(1, max_primitive_cells + 1):
        arrangements, reason = _compensated(symmetry, magnetic, index)
        found.extend(arrangements)
        left_out.extend(reason)
    found.sort(key=lambda one: _rank(one, structure.lattice))
    orders = [_order("NM", "nonmagnetic", _uniform(magnetic, 0), structure, magnetic)]
    orders.append(_order("FM", "ferromagnetic", _uniform(magnetic, 1), structure, magnetic))
    for number, one in enumerate(found[: max_orders - 2], 1):
        orders.append(_order(f"AFM{number}", "antiferromagnetic", one, structure, magnetic))
    if len(found) > max_orders - 2:
        left_out.append(
            f"{len(found) - max_orders + 2} of {len(found)} antiferromagnetic orders: at most {max_orders} orders, "
            "those in the smallest cells"
        )
    if len(set(symmetry.orbits[magnetic].tolist())) > 1:
        left_out.append("ferrimagnetic orders, in which different kinds of sites compensate each other")
    size = "its primitive cell" if max_primitive_cells == 1 else f"{max_primitive_cells} primitive cells"
    left_out.append(f"orders that need more than {size}, spirals and other orders that are not collinear")
    return tuple(orders), tuple(left_out)


def _require_limits(max_primitive_cells: int, max_orders: int) -> None:
    if not 1 <= max_primitive_cells <= LARGEST_SUPERCELL:
        msg = f"max_primitive_cells: expected 1 to {LARGEST_SUPERCELL}, found {max_primitive_cells}"
        raise ValueError(msg)
    if max_orders < 2:
        msg = f"max_orders: expected at least 2, the nonmagnetic and the ferromagnetic order, found {max_orders}"
        raise ValueError(msg)


def _uniform(magnetic: IntArray, spin: int) -> _Arrangement:
    return _Arrangement(np.eye(3, dtype=np.int64), np.full((len(magnetic), 1), spin, dtype=np.int8))


def _compensated(symmetry: CrystalSymmetry, magnetic: IntArray, index: int) -> tuple[list[_Arrangement], list[str]]:
    """One arrangement of each kind that needs supercells of an index, or the reason why none was looked for."""
    orbits = symmetry.orbits[magnetic]
    sizes = [int((orbits == orbit).sum()) * index for orbit in dict.fromkeys(orbits.tolist())]
    if any(size % 2 for size in sizes):
        return [], []
    if (count := prod(comb(size, size // 2) for size in sizes)) > MOST_ARRANGEMENTS:
        cell = "the primitive cell" if index == 1 else f"{index} primitive cells"
        return [], [f"orders in {cell}: {count} arrangements of {sum(sizes)} spins are too many"]
    found: list[_Arrangement] = []
    for sublattice, kept in distinct_sublattices(index, symmetry.rotations):
        permutations = site_permutations(symmetry, sublattice, kept, magnetic)
        # a spin that comes from a place is the spin at its image, so the inverse permutation gathers the image
        gather = np.argsort(permutations, axis=1)
        found.extend(
            _Arrangement(sublattice, spins.reshape(len(magnetic), index))
            for spins in _distinct(np.repeat(orbits, index), gather, index)
        )
    return found, []


def _distinct(orbits: IntArray, gather: IntArray, n_translations: int) -> Iterator[NDArray[np.int8]]:
    """One arrangement of each kind, without those that a translation leaves as they are."""
    weights = 1 << np.arange(len(orbits), dtype=np.int64)[::-1]
    seen: set[int] = set()
    for spins in _balanced(orbits):
        if int((spins > 0) @ weights) in seen:
            continue
        images = spins[gather]
        up = (images > 0) @ weights
        seen.update(up.tolist(), (int(weights.sum()) - up).tolist())
        if not (images[1:n_translations] == spins).all(axis=1).any():
            yield spins


def _balanced(orbits: IntArray) -> Iterator[NDArray[np.int8]]:
    """Arrangements with as many spins up as down on each orbit, the first spin up, the first ones up first."""
    members = [np.flatnonzero(orbits == orbit) for orbit in dict.fromkeys(orbits.tolist())]
    choices = [list(itertools.combinations(places.tolist(), len(places) // 2)) for places in members]
    choices[0] = [choice for choice in choices[0] if 0 in choice]
    for chosen in itertools.product(*choices):
        spins = np.full(len(orbits), -1, dtype=np.int8)
        spins[[place for one in chosen for place in one]] = 1
        yield spins


def _wave_vectors(one: _Arrangement) -> IntArray:
    """Wave vectors of an arrangement, (k, 3) numbers from 0 to n - 1 in n-ths of the reciprocal lattice vectors."""
    n = one.spins.shape[1]
    inverse = np.rint(np.linalg.inv(one.sublattice) * n).astype(np.int64)
    candidates = np.unique(np.array(list(itertools.product(range(n), repeat=3))) @ inverse.T % n, axis=0)
    amplitudes = one.spins @ np.exp(2j * np.pi * (cells(one.sublattice) @ candidates.T) / n)
    return np.asarray(candidates[np.abs(amplitudes).max(axis=0) > 1e-6], dtype=np.int64)


def propagation_vector(sublattice: IntArray, spins: NDArray[np.int8]) -> tuple[float, float, float] | None:
    """Wave vector of an arrangement of spins, if it has one alone.

    Parameters
    ----------
    sublattice : ndarray (3, 3)
        Hermite normal form of its supercell.
    spins : ndarray (n_sites, n_cells)
        Spin of each site in each primitive cell, cells as in :func:`hightc.analysis.magnetic_supercells.cells`.

    Returns
    -------
    tuple or None
        In units of the reciprocal lattice vectors, from 0 to below 1; of q and -q the smaller. None if it has several.
    """
    vectors = _wave_vectors(_Arrangement(sublattice, spins))
    n = spins.shape[1]
    if len(vectors) > 2 or (len(vectors) == 2 and ((vectors[0] + vectors[1]) % n).any()):
        return None
    x, y, z = (min(vectors.tolist()) if len(vectors) else [0, 0, 0])[:3]
    return x / n, y / n, z / n


def _rank(one: _Arrangement, lattice: Lattice) -> tuple[int, bool, float, tuple[int, ...]]:
    """Smaller cells first, one wave vector before several, long waves before short ones, then whatever is fixed."""
    n = one.spins.shape[1]
    q = propagation_vector(one.sublattice, one.spins)
    length = 0.0 if q is None else _shortest(np.array(q), lattice)
    return n, q is None, round(length, 6), (*one.sublattice.ravel().tolist(), *(-one.spins).ravel().tolist())


def _shortest(q: NDArray[np.float64], lattice: Lattice) -> float:
    """Length of the shortest vector equal to q up to a reciprocal lattice vector, in 1/Angstrom."""
    images = q + np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=3)))
    return float(np.linalg.norm(images @ lattice.reciprocal_lattice.matrix, axis=1).min())


def _order(name: str, kind: OrderKind, one: _Arrangement, structure: Structure, magnetic: IntArray) -> MagneticOrder:
    """Cell and spins of an arrangement; the basis is reduced, sites stay grouped as in the primitive cell."""
    places = cells(one.sublattice)
    n = len(places)
    spins = np.zeros((len(structure), n), dtype=np.int64)
    spins[magnetic] = one.spins
    coordinates = (structure.frac_coords[:, None] + places).reshape(-1, 3) @ structure.lattice.matrix
    lattice = Lattice(one.sublattice @ structure.lattice.matrix)
    # one cell keeps the basis it came in, which later meshes refer to
    lattice = lattice if n == 1 else lattice.get_lll_reduced_lattice()
    species = [site.specie for site in structure for _ in range(n)]
    flat = spins.ravel().tolist()
    cell = Structure(
        lattice,
        species,
        coordinates,
        coords_are_cartesian=True,
        to_unit_cell=n > 1,
        site_properties={"magmom": [float(spin) for spin in flat]},
    )
    return MagneticOrder(
        name=name,
        kind=kind,
        spins=tuple(flat),
        structure=cell,
        n_primitive_cells=n,
        propagation_vector=propagation_vector(one.sublattice, one.spins),
        magnetic_space_group=magnetic_space_group(cell, flat),
    )


def magnetic_space_group(structure: Structure, spins: Sequence[int]) -> str | None:
    """Number of the magnetic space group, for spins that do not know the directions of the lattice.

    Parameters
    ----------
    structure
        The magnetic cell.
    spins
        (n_sites,) -1, 0 or 1.

    Returns
    -------
    str or None
        In the setting of Belov, Neronova and Smirnova, for example 140.550; None if spglib finds none.
    """
    numbers = np.unique([site.specie.symbol for site in structure], return_inverse=True)[1].tolist()
    moments = [float(spin) for spin in spins]
    # spglib does not recognise the group of every crystal in a skewed cell
    reduced = structure.get_reduced_structure(reduction_algo="LLL")
    cell = (reduced.lattice.matrix.tolist(), reduced.frac_coords.tolist(), numbers, moments)
    with warnings.catch_warnings():
        # spglib warns of a switch that is the whole process's to set
        warnings.simplefilter("ignore", DeprecationWarning)
        dataset = spglib.get_magnetic_symmetry_dataset(cell, symprec=SYMMETRY_PRECISION_ANGSTROM)
        group = None if dataset is None else spglib.get_magnetic_spacegroup_type(dataset.uni_number)
    return None if group is None else str(group.bns_number)
