"""The crystal at the top of ph.x and q2r.x files, and the Bravais lattices of pw.x."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.units import AMU_RYDBERG_MASS


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Crystal as ph.x and q2r.x write it.

    Attributes
    ----------
    alat_bohr : float
        The length unit alat.
    lattice_alat : ndarray (3, 3)
        Lattice vectors in rows, in units of alat.
    species : tuple of str
        Element label of each atom.
    masses_amu : tuple of float
        Mass of each atom in atomic mass units.
    positions_alat : ndarray (n_atoms, 3)
        Cartesian positions in units of alat.
    """

    alat_bohr: float
    lattice_alat: NDArray[np.float64]
    species: tuple[str, ...]
    masses_amu: tuple[float, ...]
    positions_alat: NDArray[np.float64]

    @property
    def n_atoms(self) -> int:
        """Atoms in the cell."""
        return len(self.species)


def read_cell(file: FortranFile) -> Cell:
    """Read the crystal, from the line ``ntyp nat ibrav celldm(1:6)`` to the last position.

    Parameters
    ----------
    file : FortranFile
        Standing before that line.

    Raises
    ------
    ParseError
        If lines are missing or cut.
    """
    expected = "ntyp, nat, ibrav, celldm(1:6)"
    fields = file.read_filled_line(expected).split()
    if len(fields) != 9:
        file.fail(f"9 columns ({expected})", str(len(fields)))
    n_types, n_atoms, ibrav = file.integers(fields[:3], 3, "ntyp, nat, ibrav")
    celldm = file.numbers(fields[3:], 6, "celldm(1:6)")
    lattice = _read_vectors(file) if ibrav == 0 else _tabulated(file, ibrav, celldm)
    labels: list[tuple[str, float]] = []
    for index in range(n_types):
        match = file.read_match(r"(\d+)\s+'\s*(\S+)\s*'\s+(\S+)$", f"species {index + 1} of {n_types}")
        labels.append((match[2], file.number(match[3], "mass") / AMU_RYDBERG_MASS))
    types, positions = [], np.empty((n_atoms, 3))
    for index in range(n_atoms):
        fields = file.read_filled_line(f"atom {index + 1} of {n_atoms}").split()
        kind = file.integers(fields[:2], 2, "atom, species")[1]
        if not 1 <= kind <= n_types:
            file.fail(f"a species from 1 to {n_types}", str(kind))
        types.append(kind - 1)
        positions[index] = file.numbers(fields[2:], 3, "position in alat")
    return Cell(
        alat_bohr=celldm[0],
        lattice_alat=lattice,
        species=tuple(labels[kind][0] for kind in types),
        masses_amu=tuple(labels[kind][1] for kind in types),
        positions_alat=positions,
    )


def _read_vectors(file: FortranFile) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    while len(rows) < 3:
        line = file.read_filled_line("a lattice vector")
        if line.split() == ["Basis", "vectors"]:
            continue
        rows.append(file.numbers(line.split(), 3, "lattice vector in alat"))
    return np.array(rows)


def _tabulated(file: FortranFile, ibrav: int, celldm: Sequence[float]) -> NDArray[np.float64]:
    try:
        return tabulate_lattice(ibrav, celldm)
    except KeyError:
        file.fail("an ibrav of pw.x", str(ibrav))


def tabulate_lattice(ibrav: int, celldm: Sequence[float]) -> NDArray[np.float64]:
    """Lattice vectors of pw.x for a Bravais-lattice index.

    Parameters
    ----------
    ibrav : int
        Bravais-lattice index of pw.x, not 0.
    celldm : sequence of 6 float
        alat in bohr, b/a, c/a and three cosines, as ph.x prints them.

    Returns
    -------
    ndarray (3, 3)
        Vectors in rows, in units of alat.

    Raises
    ------
    KeyError
        If pw.x has no such index.

    Notes
    -----
    The table of INPUT_PW (Quantum ESPRESSO 6.7), ``ibrav``; a test compares it with what pw.x prints.
    """
    _, b, c, cos4, cos5, cos6 = celldm
    builders = {**_cubic_to_tetragonal(c, cos4), **_orthorhombic(b, c), **_oblique(b, c, (cos4, cos5, cos6))}
    return np.array(builders[ibrav])


_Vectors = list[list[float]]


def _cubic_to_tetragonal(c: float, cosine: float) -> dict[int, _Vectors]:
    x, y = sqrt(max(0.0, (1 - cosine) / 2)), sqrt(max(0.0, (1 - cosine) / 6))
    z = sqrt(max(0.0, (1 + 2 * cosine) / 3))
    u, v = (z - 2 * sqrt(2) * y) / sqrt(3), (z + sqrt(2) * y) / sqrt(3)
    h = 0.5
    return {
        1: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        2: [[-h, 0, h], [0, h, h], [-h, h, 0]],
        3: [[h, h, h], [-h, h, h], [-h, -h, h]],
        -3: [[-h, h, h], [h, -h, h], [h, h, -h]],
        4: [[1, 0, 0], [-h, sqrt(3) / 2, 0], [0, 0, c]],
        5: [[x, -y, z], [0, 2 * y, z], [-x, -y, z]],
        -5: [[u, v, v], [v, u, v], [v, v, u]],
        6: [[1, 0, 0], [0, 1, 0], [0, 0, c]],
        7: [[h, -h, c / 2], [h, h, c / 2], [-h, -h, c / 2]],
    }


def _orthorhombic(b: float, c: float) -> dict[int, _Vectors]:
    h, b2, c2 = 0.5, b / 2, c / 2
    return {
        8: [[1, 0, 0], [0, b, 0], [0, 0, c]],
        9: [[h, b2, 0], [-h, b2, 0], [0, 0, c]],
        -9: [[h, -b2, 0], [h, b2, 0], [0, 0, c]],
        91: [[1, 0, 0], [0, b2, -c2], [0, b2, c2]],
        10: [[h, 0, c2], [h, b2, 0], [0, b2, c2]],
        11: [[h, b2, c2], [-h, b2, c2], [-h, -b2, c2]],
    }


def _oblique(b: float, c: float, cosines: tuple[float, float, float]) -> dict[int, _Vectors]:
    cos4, cos5, cos6 = cosines
    sin4, sin5, sin6 = (sqrt(max(0.0, 1 - cosine**2)) for cosine in cosines)
    h = 0.5
    height = sqrt(max(0.0, 1 + 2 * cos4 * cos5 * cos6 - cos4**2 - cos5**2 - cos6**2))
    return {
        12: [[1, 0, 0], [b * cos4, b * sin4, 0], [0, 0, c]],
        -12: [[1, 0, 0], [0, b, 0], [c * cos5, 0, c * sin5]],
        13: [[h, 0, -c / 2], [b * cos4, b * sin4, 0], [h, 0, c / 2]],
        -13: [[h, b / 2, 0], [-h, b / 2, 0], [c * cos5, 0, c * sin5]],
        14: [
            [1, 0, 0],
            [b * cos6, b * sin6, 0],
            [c * cos5, c * (cos4 - cos5 * cos6) / sin6 if sin6 else 0.0, c * height / sin6 if sin6 else 0.0],
        ],
    }
