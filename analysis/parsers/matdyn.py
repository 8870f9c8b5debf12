"""What matdyn.x writes: spectra, couplings, the phonon density of states and interpolated frequencies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import InconsistentOutputError, ParseError, UnreadableNumberError
from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.units import KELVIN_MEV, PER_CM_MEV, RYDBERG_EV, RYDBERG_MEV

_ADVICE = "the run was cut or its folder mixes two runs; rerun matdyn.x"


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumFile:
    """One file a2F.dosN: the spectral function of one smearing, exactly as written.

    Attributes
    ----------
    omega_mev : ndarray (n,)
        Frequencies, increasing; negative ones stand for imaginary modes.
    alpha2f : ndarray (n,)
        The dimensionless spectral function; negative values of the interpolation are kept.
    alpha2f_modes : ndarray (n_modes, n)
        Its share of each mode.
    lambda_printed : float
        The coupling in the last line.
    """

    omega_mev: NDArray[np.float64]
    alpha2f: NDArray[np.float64]
    alpha2f_modes: NDArray[np.float64]
    lambda_printed: float


@dataclass(frozen=True, slots=True, eq=False)
class CouplingTable:
    """The file ``lambda``: coupling against smearing, as interpolated by matdyn.x.

    Attributes
    ----------
    smearing_ev : ndarray (n_smearing,)
        Widths of the double delta.
    coupling : ndarray (n_smearing,)
        lambda.
    dos_per_ev_spin_cell : ndarray (n_smearing,)
        Density of states at the Fermi energy, of one spin.
    omega_log_mev : ndarray (n_smearing,)
        Logarithmic frequency, polluted where the interpolated spectrum is negative.
    """

    smearing_ev: NDArray[np.float64]
    coupling: NDArray[np.float64]
    dos_per_ev_spin_cell: NDArray[np.float64]
    omega_log_mev: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PhononDos:
    """The file fldos: phonon density of states.

    Attributes
    ----------
    omega_mev : ndarray (n,)
        Frequencies, evenly spaced.
    dos_per_mev : ndarray (n,)
        States per meV and cell; sums to three per atom.
    atom_dos_per_mev : ndarray (n_atoms, n)
        Its share of each atom.
    """

    omega_mev: NDArray[np.float64]
    dos_per_mev: NDArray[np.float64]
    atom_dos_per_mev: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PhononFrequencies:
    """The file flfrq: frequencies interpolated from the force constants.

    Attributes
    ----------
    q_cartesian : ndarray (nq, 3)
        q points in units of 2 pi/alat.
    frequencies_mev : ndarray (nq, n_modes)
        Frequencies; negative ones are imaginary.
    """

    q_cartesian: NDArray[np.float64]
    frequencies_mev: NDArray[np.float64]


def read_a2f_dos(path: str | Path) -> SpectrumFile:
    """Read one spectral function ``a2F.dosN``.

    Parameters
    ----------
    path : str or Path
        The file; N counts the smearings from 1 (matdyn.x 6.7 writes ten of them, no matter what).

    Returns
    -------
    SpectrumFile
        Frequencies in meV and the dimensionless spectrum, negative values kept.

    Raises
    ------
    ParseError
        If a line is cut, a number overflowed, or the closing line with lambda is missing.
    """
    file = FortranFile(path, _ADVICE)
    rows: list[list[float]] = []
    while True:
        line = file.read_filled_line("a row of a2F or the closing line with lambda")
        fields = line.split()
        if fields[0] == "#":
            continue
        if fields[0] == "lambda":
            break
        rows.append(file.numbers(fields, len(rows[0]) if rows else len(fields), "omega, a2F, a2F of each mode"))
        if len(fields) < 3:
            file.fail("at least 3 columns (omega, a2F, a2F of each mode)", str(len(fields)))
    coupling = closing_lambda(file, line)
    if not rows:
        file.fail("rows of a2F before the closing line", "none")
    table = np.array(rows).T
    return SpectrumFile(table[0] * RYDBERG_MEV, table[1], table[2:], coupling)


def closing_lambda(file: FortranFile, line: str) -> float:
    """Read lambda from the closing line of ``a2F.dosN``, just read from a file that must end there.

    Parameters
    ----------
    file : FortranFile
        The file, after the line.
    line : str
        The line.

    Raises
    ------
    ParseError
        If it is no such line or something follows.
    """
    closing = re.fullmatch(r"\s*lambda\s*=\s*(\S+)\s+Delta\s*=\s*(\S+)\s*", line)
    if closing is None or not file.at_end:
        file.fail("'lambda = ... Delta = ...' as the last line", repr(line.strip()))
    coupling = file.number(closing[1], "lambda")
    file.number(closing[2], "Delta")
    return coupling


def read_lambda(path: str | Path, *, n_smearing: int | None = 10) -> CouplingTable:
    """Read matdyn's ``lambda`` file.

    Parameters
    ----------
    path : str or Path
        The file.
    n_smearing : int or None
        How many smearings it must hold, because the format has no end mark. matdyn.x 6.7 always writes ten
        (the number is fixed in its source); None takes what is there.

    Returns
    -------
    CouplingTable
        Smearing in eV, lambda, states/eV/spin/cell and the logarithmic frequency in meV.

    Raises
    ------
    ParseError
        If lines are missing or cut.
    """
    file = FortranFile(path, _ADVICE)
    file.skip_to("Electron-phonon coupling constant", "the title 'Electron-phonon coupling constant, lambda'")
    pattern = r"Broadening\s+(\S+)\s+lambda\s+(\S+)\s+dos\(Ef\)\s*(\S+)\s+omega_ln \[K\]\s*(\S+)$"
    rows = []
    while not file.at_end:
        match = file.read_match(pattern, "'Broadening ... lambda ... dos(Ef) ... omega_ln [K] ...'")
        rows.append(file.numbers(match.groups(), 4, "broadening, lambda, dos(Ef), omega_ln"))
    if not rows or (n_smearing is not None and len(rows) != n_smearing):
        file.fail(f"{n_smearing or 'some'} smearings", str(len(rows)))
    smearing_ry, coupling, dos_per_ry, omega_log_k = np.array(rows).T
    return CouplingTable(smearing_ry * RYDBERG_EV, coupling, dos_per_ry / RYDBERG_EV, omega_log_k * KELVIN_MEV)


def read_phonon_dos(path: str | Path, *, n_points: int | None = None) -> PhononDos:
    """Read the phonon density of states (fldos).

    Parameters
    ----------
    path : str or Path
        The file.
    n_points : int or None
        Rows that the run was asked for (ndos). The format has no end mark: without this number, completeness
        is proved by the content. The last row is the highest frequency, where tetrahedra leave no states,
        and the sum over all rows is three states an atom; half a state may be lost to the spacing of the
        rows, since a cut inside a gap would lose a whole mode.

    Returns
    -------
    PhononDos
        Frequencies in meV and states/meV.

    Raises
    ------
    ParseError
        If a line is cut or rows are missing at the end.
    """
    file = FortranFile(path, _ADVICE)
    file.read_match(r"#\s*Frequency\[cm\^-1\]\s+DOS", "the title '# Frequency[cm^-1] DOS PDOS'")
    rows: list[list[float]] = []
    while not file.at_end:
        fields = file.read_filled_line("omega, DOS").split()
        rows.append(file.numbers(fields, len(rows[0]) if rows else len(fields), "omega, DOS, DOS of each atom"))
    if len(rows) < 2 or len(rows[0]) < 3:
        file.fail("at least 2 rows of omega, DOS and DOS of each atom", f"{len(rows)} rows")
    table = np.array(rows).T
    dos = PhononDos(table[0] * PER_CM_MEV, table[1] / PER_CM_MEV, table[2:] / PER_CM_MEV)
    if n_points is not None and len(rows) != n_points:
        file.fail(f"{n_points} rows", str(len(rows)))
    if n_points is None:
        _require_all_states(file, dos)
    return dos


def _require_all_states(file: FortranFile, dos: PhononDos) -> None:
    """Fail unless the density of states ends at its highest frequency and holds every mode."""
    n_modes = 3 * len(dos.atom_dos_per_mev)
    states = float(dos.dos_per_mev.sum() * (dos.omega_mev[1] - dos.omega_mev[0]))
    if abs(states - n_modes) > 0.5:
        file.fail(f"{n_modes} states in all", f"{states:.2f}", InconsistentOutputError)
    if dos.dos_per_mev[-1] > 1e-3 * dos.dos_per_mev.max():
        file.fail("no states left at the last, highest frequency", f"{dos.dos_per_mev[-1]:.3g} states/meV")


def read_frequencies(path: str | Path) -> PhononFrequencies:
    """Read interpolated frequencies (flfrq).

    Parameters
    ----------
    path : str or Path
        The file. Fields are found by their decimals, because wide numbers leave no blank between them.

    Returns
    -------
    PhononFrequencies
        q in 2 pi/alat and frequencies in meV.

    Raises
    ------
    ParseError
        If fewer q points or frequencies follow than the first line announces.
    """
    file = FortranFile(path, _ADVICE)
    header = file.read_match(r"&plot\s+nbnd=\s*(\d+),\s*nks=\s*(\d+)\s*/$", "'&plot nbnd=..., nks=... /'")
    n_modes, nq = int(header[1]), int(header[2])
    q_points = np.empty((nq, 3))
    frequencies = np.empty((nq, n_modes))
    for index in range(nq):
        q_points[index] = _read_fixed(file, 3, 6, f"q point {index + 1} of {nq}")
        row: list[float] = []
        while len(row) < n_modes:
            row += _read_fixed(file, min(6, n_modes - len(row)), 4, f"frequencies of q point {index + 1} of {nq}")
        frequencies[index] = row
    if not file.at_end:
        file.read_filled_line("the end")
        file.fail(f"the end after {nq} q points", "more lines")
    return PhononFrequencies(q_points, frequencies * PER_CM_MEV)


def _read_fixed(file: FortranFile, count: int, decimals: int, expected: str) -> list[float]:
    """Read a line of `count` numbers, each with the given number of decimals."""
    line = file.read_filled_line(expected)
    pattern = rf"-?\d*\.\d{{{decimals}}}"
    fields = re.findall(pattern, line)
    if re.sub(pattern, "", line).strip():
        error = UnreadableNumberError if "*" in line or "nan" in line.lower() else ParseError
        file.fail(f"{count} numbers ({expected})", repr(line.strip()), error)
    return file.numbers(fields, count, expected)
