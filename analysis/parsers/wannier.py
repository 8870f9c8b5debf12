"""What Wannier90 writes: the Hamiltonian between Wannier functions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import IncompleteOutputError
from hightc.analysis.parsers.fortran import FortranFile

_ADVICE = "the run was cut; rerun epw.x or wannier90.x with write_hr = .true."
_PER_LINE = 15


@dataclass(frozen=True, slots=True, eq=False)
class WannierHamiltonian:
    """The file ``seed_hr.dat``: H(R) = <0m|H|Rn>.

    H(k) = sum over R of exp(2 pi i k.R) H(R) / degeneracies(R), with k and R in units of the lattice vectors.

    Attributes
    ----------
    degeneracies : ndarray of int (n_r,)
        In how many Wigner-Seitz cells each lattice vector is shared.
    r : ndarray of int (n_r, 3)
        Lattice vectors R, in units of the lattice vectors of the cell.
    h_ev : ndarray of complex (n_r, n_wannier, n_wannier)
        H(R) in eV, [R, m, n], printed with six decimals; not divided by the degeneracies.
    """

    degeneracies: NDArray[np.int64]
    r: NDArray[np.int64]
    h_ev: NDArray[np.complex128]

    @property
    def n_wannier(self) -> int:
        """Wannier functions in the cell."""
        return int(self.h_ev.shape[1])


def read_hr(path: str | Path) -> WannierHamiltonian:
    """Read the Hamiltonian that Wannier90 writes with ``write_hr = .true.``.

    Parameters
    ----------
    path : str or Path
        The file ``seed_hr.dat`` (Wannier90 3, ``hamiltonian_write_hr``).

    Returns
    -------
    WannierHamiltonian
        As written, in eV.

    Raises
    ------
    ParseError
        If rows are missing, cut or out of order.
    """
    file = FortranFile(path, _ADVICE)
    file.read_line("the date")
    (n_wannier,) = file.integers(file.read_line("number of Wannier functions").split(), 1, "number of functions")
    (n_r,) = file.integers(file.read_line("number of lattice vectors").split(), 1, "number of lattice vectors")
    if n_wannier < 1 or n_r < 1:
        file.fail("at least one Wannier function and one lattice vector", f"{n_wannier} and {n_r}")
    degeneracies: list[int] = []
    while len(degeneracies) < n_r:
        count = min(_PER_LINE, n_r - len(degeneracies))
        degeneracies += file.integers(file.read_line("degeneracies").split(), count, "degeneracies")
    table = _read_rows(file, n_r * n_wannier**2)
    if not file.at_end:
        file.read_filled_line("the end")
        file.fail(f"the end after {len(table)} matrix elements", "more lines")
    blocks = table.reshape(n_r, n_wannier, n_wannier, 7)
    return WannierHamiltonian(
        degeneracies=np.array(degeneracies),
        r=_lattice_vectors(file, blocks),
        h_ev=(blocks[..., 5] + 1j * blocks[..., 6]).transpose(0, 2, 1),
    )


def _read_rows(file: FortranFile, count: int) -> NDArray[np.float64]:
    """Read `count` rows of seven numbers: R, m, n, real part, imaginary part."""
    expected = "lattice vector, two functions, real and imaginary part in eV"
    start = file.position
    fields = [line.split() for line in file.lines[start : start + count]]
    if len(fields) < count:
        file.position = len(file.lines) + 1
        file.fail(f"{count} matrix elements", f"the end of the file after {len(fields)}", IncompleteOutputError)
    try:
        table = np.array(fields, dtype=float)
    except ValueError:
        table = np.empty((0, 0))
    if table.shape != (count, 7) or not np.isfinite(table).all():
        for offset, row in enumerate(fields, start=1):
            file.position = start + offset
            file.integers(row[:5], 5, expected)
            file.numbers(row[5:], 2, expected)
    file.position = start + count
    return table


def _lattice_vectors(file: FortranFile, blocks: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return R of each block, after a look at the order: one R a block, n in the outer loop, m in the inner."""
    count = np.arange(1, blocks.shape[1] + 1)
    wrong = (blocks[..., :3] != blocks[:, :1, :1, :3]).any(axis=-1)
    wrong |= (blocks[..., 3] != count) | (blocks[..., 4] != count[:, None])
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        file.position += index + 1 - wrong.size
        cell, n, m = np.unravel_index(index, wrong.shape)
        vector = " ".join(f"{part:.0f}" for part in blocks[cell, 0, 0, :3])
        file.fail(f"the row {vector} {m + 1} {n + 1}", repr(file.lines[file.position - 1].strip()))
    vectors: NDArray[np.int64] = blocks[:, 0, 0, :3].astype(np.int64)
    return vectors
