"""What ph.x writes: dynamical matrices and electron-phonon coupling."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.bravais import read_cell
from hightc.analysis.parsers.errors import (
    InconsistentOutputError,
    MissingOutputError,
    ParseError,
)
from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.units import RYDBERG_EV, RYDBERG_MEV, THZ_MEV

_ADVICE = "the run was cut; run ph.x again from that q point (start_q)"


@dataclass(frozen=True, slots=True, eq=False)
class QPoint:
    """One irreducible q point of the mesh with its star.

    Attributes
    ----------
    index : int
        Number N of the file fildynN, from 1.
    q_mesh : tuple of 3 int
        The mesh it belongs to.
    q_cartesian : ndarray (3,)
        In units of 2 pi/alat.
    q_fractional : ndarray (3,)
        In units of the reciprocal lattice vectors.
    star_cartesian : ndarray (star_size, 3)
        All q points that symmetry and time reversal make from it, in units of 2 pi/alat.
    frequencies_mev : ndarray (n_modes,)
        Frequencies in increasing order; negative ones are imaginary.
    """

    index: int
    q_mesh: tuple[int, int, int]
    q_cartesian: NDArray[np.float64]
    q_fractional: NDArray[np.float64]
    star_cartesian: NDArray[np.float64]
    frequencies_mev: NDArray[np.float64]

    @property
    def star_size(self) -> int:
        """Points of the mesh in the star."""
        return len(self.star_cartesian)

    @property
    def weight(self) -> float:
        """Share of the mesh that the star covers."""
        return self.star_size / prod(self.q_mesh)

    @property
    def is_gamma(self) -> bool:
        """Whether q is zero."""
        return bool(np.abs(self.q_cartesian).max() < 1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class QPointCoupling:
    """Electron-phonon coupling at one irreducible q point, elph_dir/elph.inp_lambda.N.

    Attributes
    ----------
    index : int
        N, from 1, as in fildynN.
    q_cartesian : ndarray (3,)
        In units of 2 pi/alat.
    frequencies_mev : ndarray (n_modes,)
        Frequencies; negative ones are imaginary.
    smearing_ev : ndarray (n_smearing,)
        Widths of the double delta.
    dos_per_ev_spin_cell : ndarray (n_smearing,)
        Density of states at the Fermi energy, of one spin.
    fermi_ev : ndarray (n_smearing,)
        Fermi energy.
    coupling : ndarray (n_smearing, n_modes)
        lambda of each mode.
    gamma_ghz : ndarray (n_smearing, n_modes)
        Linewidth of each mode, to two decimals.
    """

    index: int
    q_cartesian: NDArray[np.float64]
    frequencies_mev: NDArray[np.float64]
    smearing_ev: NDArray[np.float64]
    dos_per_ev_spin_cell: NDArray[np.float64]
    fermi_ev: NDArray[np.float64]
    coupling: NDArray[np.float64]
    gamma_ghz: NDArray[np.float64]


def read_dynamical_matrices(directory: str | Path, fildyn: str) -> tuple[QPoint, ...]:
    """Read the q mesh and, for each irreducible q point, its star and frequencies.

    Parameters
    ----------
    directory : str or Path
        Where ph.x ran with ``ldisp=.true.``.
    fildyn : str
        Its keyword; fildyn0 holds the list, fildyn1 and so on the matrices.

    Returns
    -------
    tuple of QPoint
        In the order of ph.x, frequencies in meV.

    Raises
    ------
    ParseError
        If a file is missing or cut, or the stars do not add up to the mesh.
    """
    listing = FortranFile(Path(directory) / f"{fildyn}0", _ADVICE)
    (n1, n2, n3), listed = _read_listing(listing)
    q_points = []
    for index, q in enumerate(listed, start=1):
        file = FortranFile(Path(directory) / f"{fildyn}{index}", _ADVICE)
        point = _read_dynamical_matrix(file, index, (n1, n2, n3))
        if np.abs(point.q_cartesian - q).max() > 1e-6:
            file.fail(f"q = {q} as listed in {listing.path.name}", str(point.q_cartesian), InconsistentOutputError)
        q_points.append(point)
    covered = sum(point.star_size for point in q_points)
    if covered != n1 * n2 * n3:
        listing.fail(f"stars of {n1 * n2 * n3} points in all", str(covered), InconsistentOutputError)
    return tuple(q_points)


def read_q_list(path: str | Path) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Read the q mesh and its irreducible points, fildyn0.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    q_mesh : tuple of 3 int
        The mesh.
    q_cartesian : ndarray (nq, 3)
        In units of 2 pi/alat.

    Raises
    ------
    ParseError
        If a point is missing or cut.
    """
    mesh, listed = _read_listing(FortranFile(path, _ADVICE))
    return mesh, np.array(listed)


def read_dynamical_matrix(path: str | Path) -> QPoint:
    """Read one dynamical matrix, fildynN, for whose mesh fildyn0 must stand beside it.

    Parameters
    ----------
    path : str or Path
        The file; its name ends in N.

    Raises
    ------
    ParseError
        If it or fildyn0 is missing or cut, or the name has no number.
    """
    path = Path(path)
    stem = path.name.rstrip("0123456789")
    if stem == path.name:
        raise ParseError(path, None, "a name that ends in the number of the q point", repr(path.name), _ADVICE)
    file = FortranFile(path, _ADVICE)
    mesh, _ = read_q_list(path.with_name(f"{stem}0"))
    return _read_dynamical_matrix(file, int(path.name[len(stem) :]), mesh)


def read_coupling_file(path: str | Path) -> QPointCoupling:
    """Read the coupling of one q point, ``elph.inp_lambda.N``.

    Parameters
    ----------
    path : str or Path
        The file; its name ends in N.

    Raises
    ------
    ParseError
        If it is missing or cut, or the name has no number.
    """
    path = Path(path)
    if not path.suffix[1:].isdigit():
        raise ParseError(path, None, "a name that ends in the number of the q point", repr(path.name), _ADVICE)
    return _read_coupling(FortranFile(path, _ADVICE), int(path.suffix[1:]))


def _read_listing(listing: FortranFile) -> tuple[tuple[int, int, int], list[list[float]]]:
    """Read the mesh and the irreducible q points of fildyn0."""
    n1, n2, n3 = listing.integers(listing.read_filled_line("the q mesh").split(), 3, "q mesh")
    (n_q,) = listing.integers(listing.read_filled_line("number of q points").split(), 1, "number of q points")
    lines = [listing.read_filled_line(f"q point {index} of {n_q}") for index in range(1, n_q + 1)]
    return (n1, n2, n3), [listing.numbers(line.split(), 3, "q in 2 pi/alat") for line in lines]


def read_finished_q(directory: str | Path, fildyn: str) -> tuple[dict[int, QPoint], int]:
    """Read the q points that a run of ph.x, finished or not, has completed, coupling included.

    A q point is finished when its dynamical matrix, its coupling and the files that q2r.x reads are all complete;
    ph.x closes the dynamical matrix last.

    Parameters
    ----------
    directory : str or Path
        Where ph.x runs or ran with ``ldisp=.true.`` and ``electron_phonon='interpolated'``.
    fildyn : str
        Its keyword.

    Returns
    -------
    dict of int to QPoint, int
        The finished q points by their number from 1, and how many the mesh has; ({}, 0) if ph.x did not come as far
        as their list.
    """
    folder = Path(directory)
    try:
        mesh, listed = _read_listing(FortranFile(folder / f"{fildyn}0", _ADVICE))
    except ParseError:
        return {}, 0
    finished = {}
    for index in range(1, len(listed) + 1):
        try:
            point = _read_dynamical_matrix(FortranFile(folder / f"{fildyn}{index}", _ADVICE), index, mesh)
            coupling = folder / "elph_dir" / f"elph.inp_lambda.{index}"
            n_smearing = len(_read_coupling(FortranFile(coupling, _ADVICE), index).smearing_ev)
        except ParseError:
            continue
        sizes = [path.stat().st_size for path in (folder / "elph_dir").glob(f"a2Fq2r.*.{index}")]
        if len(sizes) == n_smearing and len(set(sizes)) == 1 and 0 not in sizes:
            finished[index] = point
    return finished, len(listed)


def count_finished_q(directory: str | Path, fildyn: str) -> tuple[int, int]:
    """Count the leading q points that an interrupted ph.x finished, coupling included.

    Parameters
    ----------
    directory : str or Path
        Where ph.x ran with ``ldisp=.true.`` and ``electron_phonon='interpolated'``.
    fildyn : str
        Its keyword.

    Returns
    -------
    tuple of int
        How many are finished, and how many there are; (0, 0) if ph.x did not come as far as their list.
    """
    finished, total = read_finished_q(directory, fildyn)
    leading = next((index for index in range(1, total + 1) if index not in finished), total + 1) - 1
    return leading, total


def read_coupling(directory: str | Path, index: int) -> QPointCoupling:
    """Read the coupling of one q point, elph_dir/elph.inp_lambda.N.

    Parameters
    ----------
    directory : str or Path
        Where ph.x ran with ``electron_phonon='interpolated'``.
    index : int
        N, from 1.

    Raises
    ------
    ParseError
        If the file is missing or cut.
    """
    return _read_coupling(FortranFile(Path(directory) / "elph_dir" / f"elph.inp_lambda.{index}", _ADVICE), index)


def _read_dynamical_matrix(file: FortranFile, index: int, q_mesh: tuple[int, int, int]) -> QPoint:
    file.read_match("Dynamical matrix file", "the title 'Dynamical matrix file'")
    file.read_line("the title of the run")
    cell = read_cell(file)
    star: list[list[float]] = []
    pattern = r"^\s*(?:Dynamical\s+Matrix in cartesian axes|(Diagonalizing the dynamical matrix))\s*$"
    while file.skip_to(pattern, "'Dynamical Matrix' or 'Diagonalizing the dynamical matrix'")[1] is None:
        star.append(_read_q(file))
    q = _read_q(file)
    file.skip_to(r"^\s*\*{70,}\s*$", "a line of asterisks before the frequencies")
    frequencies = []
    for mode in range(1, 3 * cell.n_atoms + 1):
        expected = f"freq ({mode}) of {3 * cell.n_atoms}"
        match = file.read_match(r"freq \(\s*(\d+)\)\s*=\s*(\S+)\s*\[THz\]\s*=", expected)
        if int(match[1]) != mode:
            file.fail(expected, f"freq ({match[1]})")
        frequencies.append(file.number(match[2], "frequency in THz") * THZ_MEV)
        for _ in range(cell.n_atoms):
            file.read_match(r"\(.*\)$", "a displacement")
    file.read_match(r"\*{70,}$", "a line of asterisks after the frequencies")
    if not star:
        file.fail("a dynamical matrix before its frequencies", "none")
    return QPoint(
        index=index,
        q_mesh=q_mesh,
        q_cartesian=np.array(q),
        q_fractional=cell.lattice_alat @ np.array(q),
        star_cartesian=np.array(star),
        frequencies_mev=np.array(frequencies),
    )


def _read_q(file: FortranFile) -> list[float]:
    match = file.read_match(r"q = \((.*)\)$", "'q = ( ... )'")
    return file.numbers(match[1].split(), 3, "q in 2 pi/alat")


def read_elph(directory: str | Path) -> tuple[QPointCoupling, ...]:
    """Read the coupling of every irreducible q point, elph_dir/elph.inp_lambda.1, 2 and so on.

    Parameters
    ----------
    directory : str or Path
        Where ph.x ran with ``electron_phonon='interpolated'``; it holds ``elph_dir``.

    Returns
    -------
    tuple of QPointCoupling
        As many as there are files. Compare with `read_dynamical_matrices` to know that none is missing;
        `hightc.analysis.coupling.direct_q_sum` does.

    Raises
    ------
    ParseError
        If there is no file, one is cut, or the numbers of the files have a gap.
    """
    folder = Path(directory) / "elph_dir"
    numbered = sorted(int(path.suffix[1:]) for path in folder.glob("elph.inp_lambda.*") if path.suffix[1:].isdigit())
    for index in range(1, max(numbered, default=1) + 1):
        if index not in numbered:
            path = folder / f"elph.inp_lambda.{index}"
            raise MissingOutputError(path, None, "a file", "none", "run ph.x with electron_phonon='interpolated'")
    return tuple(_read_coupling(FortranFile(folder / f"elph.inp_lambda.{index}", _ADVICE), index) for index in numbered)


def _read_coupling(file: FortranFile, index: int) -> QPointCoupling:
    fields = file.read_filled_line("q, number of smearings, number of modes").split()
    q = file.numbers(fields[:3], 3, "q in 2 pi/alat")
    n_smearing, n_modes = file.integers(fields[3:], 2, "number of smearings, number of modes")
    squares: list[float] = []
    while len(squares) < n_modes:
        fields = file.read_filled_line(f"{n_modes} squared frequencies").split()
        squares += file.numbers(fields, min(6, n_modes - len(squares)), "squared frequencies in Ry^2")
    heads, coupling, gamma = [], np.empty((n_smearing, n_modes)), np.empty((n_smearing, n_modes))
    for row in range(n_smearing):
        match = file.read_match(r"Gaussian Broadening:\s*(\S+) Ry, ngauss=", f"broadening {row + 1} of {n_smearing}")
        smearing = file.number(match[1], "broadening in Ry")
        match = file.read_match(r"DOS =\s*(\S+) states/spin/Ry/Unit Cell at Ef=\s*(\S+) eV$", "'DOS = ... at Ef= ...'")
        heads.append((smearing, *file.numbers(match.groups(), 2, "density of states, Fermi energy")))
        for mode in range(n_modes):
            pattern = rf"lambda\(\s*{mode + 1}\)=\s*(\S+)\s+gamma=\s*(\S+) GHz$"
            match = file.read_match(pattern, f"'lambda({mode + 1})= ... gamma= ... GHz'")
            coupling[row, mode], gamma[row, mode] = file.numbers(match.groups(), 2, "lambda, gamma")
    if not file.at_end:
        file.fail(f"the end after {n_smearing} smearings", "more lines")
    smearing_ry, dos_per_ry, fermi_ev = np.array(heads).T
    omega = np.sign(squares) * np.sqrt(np.abs(squares)) * RYDBERG_MEV
    return QPointCoupling(
        index=index,
        q_cartesian=np.array(q),
        frequencies_mev=omega,
        smearing_ev=smearing_ry * RYDBERG_EV,
        dos_per_ev_spin_cell=dos_per_ry / RYDBERG_EV,
        fermi_ev=fermi_ev,
        coupling=coupling,
        gamma_ghz=gamma,
    )
