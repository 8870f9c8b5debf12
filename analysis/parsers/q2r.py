"""What q2r.x writes: real-space force constants."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.bravais import read_cell
from hightc.analysis.parsers.fortran import FortranFile

_ADVICE = "the run was cut; rerun q2r.x"


@dataclass(frozen=True, slots=True, eq=False)
class ForceConstants:
    """The file flfrc.

    Attributes
    ----------
    mesh : tuple of 3 int
        The q mesh, which is also the mesh of lattice vectors R.
    n_atoms : int
        Atoms in the cell.
    species : tuple of str
        Element label of each atom.
    masses_amu : tuple of float
        Mass of each atom in atomic mass units.
    lattice_alat : ndarray (3, 3)
        Lattice vectors in rows, in units of alat.
    alat_bohr : float
        The length unit alat.
    positions_alat : ndarray (n_atoms, 3)
        Cartesian positions in units of alat.
    dielectric : ndarray (3, 3) or None
        Dielectric tensor; None for a metal.
    born_charges : ndarray (n_atoms, 3, 3) or None
        Effective charges, [atom, field, displacement]; None for a metal.
    array_ry_per_bohr2 : ndarray (n1, n2, n3, n_atoms, n_atoms, 3, 3)
        C(R) in Ry/bohr^2, [R1, R2, R3, atom a, atom b, direction of a, direction of b].
    """

    mesh: tuple[int, int, int]
    n_atoms: int
    species: tuple[str, ...]
    masses_amu: tuple[float, ...]
    lattice_alat: NDArray[np.float64]
    alat_bohr: float
    positions_alat: NDArray[np.float64]
    dielectric: NDArray[np.float64] | None
    born_charges: NDArray[np.float64] | None
    array_ry_per_bohr2: NDArray[np.float64]


def read_force_constants(path: str | Path) -> ForceConstants:
    """Read q2r's force constants (flfrc).

    Parameters
    ----------
    path : str or Path
        The file, with or without dielectric tensor and effective charges.

    Returns
    -------
    ForceConstants
        In Ry/bohr^2, as written.

    Raises
    ------
    ParseError
        If a block is missing, out of order or cut.
    """
    file = FortranFile(path, _ADVICE)
    cell = read_cell(file)
    dielectric, charges = _read_electric_field(file, cell.n_atoms)
    n1, n2, n3 = file.integers(file.read_filled_line("the mesh").split(), 3, "mesh")
    array = np.empty((n1, n2, n3, cell.n_atoms, cell.n_atoms, 3, 3))
    atoms = range(cell.n_atoms)
    for i, j, a, b in product(range(3), range(3), atoms, atoms):
        _expect_integers(file, (i + 1, j + 1, a + 1, b + 1), "direction, direction, atom, atom")
        for r3, r2, r1 in product(range(n3), range(n2), range(n1)):
            array[r1, r2, r3, a, b, i, j] = _read_constant(file, (r1 + 1, r2 + 1, r3 + 1))
    if not file.at_end:
        file.read_filled_line("the end")
        file.fail("the end after the last block", "more lines")
    return ForceConstants(
        mesh=(n1, n2, n3),
        n_atoms=cell.n_atoms,
        species=cell.species,
        masses_amu=cell.masses_amu,
        lattice_alat=cell.lattice_alat,
        alat_bohr=cell.alat_bohr,
        positions_alat=cell.positions_alat,
        dielectric=dielectric,
        born_charges=charges,
        array_ry_per_bohr2=array,
    )


def _read_electric_field(
    file: FortranFile, n_atoms: int
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    flag = file.read_match("[TF]$", "T or F (dielectric tensor)")[0]
    if flag == "F":
        return None, None
    dielectric = _read_matrix(file, "dielectric tensor")
    charges = np.empty((n_atoms, 3, 3))
    for atom in range(n_atoms):
        _expect_integers(file, (atom + 1,), "atom of the effective charge")
        charges[atom] = _read_matrix(file, f"effective charge of atom {atom + 1}")
    return dielectric, charges


def _read_matrix(file: FortranFile, expected: str) -> NDArray[np.float64]:
    return np.array([file.numbers(file.read_filled_line(expected).split(), 3, expected) for _ in range(3)])


def _expect_integers(file: FortranFile, values: tuple[int, ...], expected: str) -> None:
    found = file.integers(file.read_filled_line(expected).split(), len(values), expected)
    if tuple(found) != values:
        file.fail(f"{values} ({expected})", str(tuple(found)))


def _read_constant(file: FortranFile, cell: tuple[int, int, int]) -> float:
    fields = file.read_filled_line("a force constant").split()
    if len(fields) != 4:
        file.fail("4 columns (lattice vector, force constant)", str(len(fields)))
    if tuple(file.integers(fields[:3], 3, "lattice vector")) != cell:
        file.fail(f"lattice vector {cell}", " ".join(fields[:3]))
    return file.number(fields[3], "force constant in Ry/bohr^2")
