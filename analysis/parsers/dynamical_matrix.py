"""The dynamical matrix at Gamma, as ph.x writes it into the first file fildyn1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.bravais import read_cell
from hightc.analysis.parsers.fortran import FortranFile

_ADVICE = "the run was cut; run ph.x again from the first q point"


@dataclass(frozen=True, slots=True, eq=False)
class GammaMatrix:
    """Second derivatives of the energy at q = 0.

    Attributes
    ----------
    matrix_ry_per_bohr2 : ndarray (n_atoms, n_atoms, 3, 3)
        Without the masses; real at Gamma.
    masses_amu : ndarray (n_atoms,)
        Mass of each atom.
    """

    matrix_ry_per_bohr2: NDArray[np.float64]
    masses_amu: NDArray[np.float64]


def read_gamma_matrix(path: str | Path) -> GammaMatrix:
    """Read the dynamical matrix at Gamma.

    Parameters
    ----------
    path : str or Path
        The file fildyn1; ph.x computes Gamma first.

    Raises
    ------
    ParseError
        If the file is missing or cut, or its first matrix is not that of Gamma.
    """
    file = FortranFile(path, _ADVICE)
    file.read_match("Dynamical matrix file", "the title 'Dynamical matrix file'")
    file.read_line("the title of the run")
    cell = read_cell(file)
    file.skip_to(r"^\s*Dynamical\s+Matrix in cartesian axes\s*$", "'Dynamical Matrix in cartesian axes'")
    match = file.read_match(r"q = \((.*)\)$", "'q = ( ... )'")
    q = file.numbers(match[1].split(), 3, "q in 2 pi/alat")
    if max(abs(component) for component in q) > 1e-6:
        file.fail("q = 0 in the first file of the mesh", str(q))
    n = cell.n_atoms
    matrix = np.empty((n, n, 3, 3))
    for _ in range(n * n):
        fields = file.read_filled_line("two atoms").split()
        first, second = file.integers(fields, 2, "two atoms")
        for row in range(3):
            numbers = file.numbers(file.read_filled_line("a row of the matrix").split(), 6, "a row of the matrix")
            matrix[first - 1, second - 1, row] = numbers[::2]
    return GammaMatrix(matrix, np.array(cell.masses_amu))
