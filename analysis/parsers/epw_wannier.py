"""What epw.x leaves of the Wannier representation: crystal.fmt and the spatial decay of its matrices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import IncompleteOutputError
from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.units import AMU_RYDBERG_MASS, BOHR_ANGSTROM, RYDBERG_EV

_ADVICE = "the run was cut; rerun epw.x"


@dataclass(frozen=True, slots=True, eq=False)
class EpwCrystal:
    """The file crystal.fmt of EPW 5.3.

    Attributes
    ----------
    lattice_angstrom : ndarray (3, 3)
        Lattice vectors in rows.
    positions_angstrom : ndarray (n_atoms, 3)
        Cartesian positions.
    species : tuple of int
        Number of the species of each atom, from 1.
    masses_amu : tuple of float
        Mass of each species.
    n_modes : int
        Three for each atom.
    n_electrons : float
        Valence electrons in the cell.
    volume_angstrom3 : float
        Volume of the cell.
    noncollinear : bool
        Whether the run was.
    wannier_centres_angstrom : ndarray (n_wannier, 3)
        Cartesian centres of the Wannier functions.
    """

    lattice_angstrom: NDArray[np.float64]
    positions_angstrom: NDArray[np.float64]
    species: tuple[int, ...]
    masses_amu: tuple[float, ...]
    n_modes: int
    n_electrons: float
    volume_angstrom3: float
    noncollinear: bool
    wannier_centres_angstrom: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SpatialDecay:
    """A file decay.H, decay.dynmat and so on: the largest element of a matrix against the length of its lattice vector.

    Attributes
    ----------
    distance_angstrom : ndarray (n_r,)
        Length of each lattice vector, in the order of EPW.
    magnitude : ndarray (n_r,)
        Largest element, in `unit`.
    unit : str or None
        "eV" for the Hamiltonian, else what the title of the file says; None for decay.P, which names none.
    """

    distance_angstrom: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    unit: str | None


def read_crystal(path: str | Path) -> EpwCrystal:
    """Read crystal.fmt.

    Parameters
    ----------
    path : str or Path
        The file, twelve records as EPW 5.3 writes them.

    Returns
    -------
    EpwCrystal
        In Angstrom and atomic mass units.

    Raises
    ------
    ParseError
        If a record is missing or has another length.
    """
    file = FortranFile(path, _ADVICE)
    (n_atoms,) = _integers(file, 1, "number of atoms")
    (n_modes,) = _integers(file, 1, "number of modes")
    if n_modes != 3 * n_atoms:
        file.fail(f"{3 * n_atoms} modes of {n_atoms} atoms", str(n_modes))
    (n_electrons,) = _numbers(file, 1, "number of electrons")
    lattice = _numbers(file, 9, "lattice vectors in alat")
    _numbers(file, 9, "reciprocal lattice vectors")
    (volume,) = _numbers(file, 1, "volume in bohr^3")
    (alat,) = _numbers(file, 1, "alat in bohr")
    positions = _numbers(file, 3 * n_atoms, "positions in alat")
    masses = _numbers(file, 10, "mass of each species, ten at most")
    species = _integers(file, n_atoms, "species of each atom")
    flag = file.read_match("[TF]$", "T or F (noncollinear)")[0]
    fields = file.read_line("centres of the Wannier functions in alat").split()
    if not fields or len(fields) % 3:
        file.fail("three coordinates of each Wannier function", f"{len(fields)} numbers", IncompleteOutputError)
    centres = file.numbers(fields, len(fields), "centres in alat")
    if not file.at_end:
        file.fail("the end after twelve records", "more lines")
    alat_angstrom = alat * BOHR_ANGSTROM
    return EpwCrystal(
        lattice_angstrom=np.array(lattice).reshape(3, 3) * alat_angstrom,
        positions_angstrom=np.array(positions).reshape(n_atoms, 3) * alat_angstrom,
        species=tuple(species),
        masses_amu=tuple(mass / AMU_RYDBERG_MASS for mass in masses[: max(species)]),
        n_modes=n_modes,
        n_electrons=n_electrons,
        volume_angstrom3=volume * BOHR_ANGSTROM**3,
        noncollinear=flag == "T",
        wannier_centres_angstrom=np.array(centres).reshape(-1, 3) * alat_angstrom,
    )


def _numbers(file: FortranFile, count: int, expected: str) -> list[float]:
    return file.numbers(file.read_line(expected).split(), count, expected)


def _integers(file: FortranFile, count: int, expected: str) -> list[int]:
    return file.integers(file.read_line(expected).split(), count, expected)


def read_decay(path: str | Path) -> SpatialDecay:
    """Read decay.H, decay.dynmat, decay.v, decay.P, decay.epmate or decay.epmatp.

    Parameters
    ----------
    path : str or Path
        The file. It has no end mark; but with each lattice vector stands its inverse, in the opposite order, so that
        the lengths read backwards as they do forwards, with zero in the middle.

    Returns
    -------
    SpatialDecay
        Lengths in Angstrom; the Hamiltonian in eV.

    Raises
    ------
    ParseError
        If a row is cut, or the lattice vectors are not in pairs.
    """
    file = FortranFile(path, _ADVICE)
    titles = [line for line in file.lines[:2] if line.startswith("#")]
    if not titles:
        file.read_line("a title")
        file.fail("a title that begins with '#'", repr(file.lines[0].strip()))
    file.position = len(titles)
    unit = re.search(r"\[Ang\].*\[([^]]+)\]\s*$", titles[-1])
    rows = []
    while not file.at_end:
        rows.append(
            file.numbers(file.read_filled_line("length, largest element").split(), 2, "length, largest element")
        )
    if not rows:
        file.position += 1
        file.fail("rows of lengths and elements", "the end of the file", IncompleteOutputError)
    distance, magnitude = np.array(rows).T
    if distance[len(rows) // 2] > 1e-6 or np.abs(distance - distance[::-1]).max() > 1e-6:
        file.position = len(file.lines)
        expected = "each lattice vector and its inverse, with zero between them"
        file.fail(expected, f"{len(rows)} rows that are not symmetric", IncompleteOutputError)
    if "Hamiltonian" in titles[0]:
        return SpatialDecay(distance, magnitude * RYDBERG_EV, "eV")
    return SpatialDecay(distance, magnitude, unit[1] if unit else None)
