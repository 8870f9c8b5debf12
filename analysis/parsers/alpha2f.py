"""Spectral functions a2F(w) as codes and people write them: matdyn.x, EPW, Elk, plain text and CSV."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers import epw
from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError, ParseError
from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.matdyn import read_a2f_dos
from hightc.analysis.parsers.spectrum_table import (
    ENDS_ABOVE_ZERO,
    UNITS_MEV,
    Rows,
    SpectraFound,
    left_at_the_end,
    read_rows,
    read_table,
)
from hightc.analysis.parsers.units import RYDBERG_MEV

Layout = Literal["matdyn", "epw", "epw_projected", "epw_isotropic", "elk", "table"]

LAYOUTS: Final[dict[Layout, str]] = {
    "matdyn": "a2F.dosN of matdyn.x",
    "epw": "prefix.a2f of EPW",
    "epw_projected": "prefix.a2f_proj of EPW",
    "epw_isotropic": "prefix.a2f_iso of EPW",
    "elk": "ALPHA2F.OUT of Elk",
    "table": "plain columns",
}
"""Name of each layout."""

ROUNDING: Final = 0.005
"""Share of the highest frequency below which a negative one is rounding of the acoustic modes at Gamma."""

_ADVICE: Final[dict[Layout, str]] = {
    "matdyn": "the run was cut or its folder mixes two runs; rerun matdyn.x",
    "epw": "the run was cut or is still writing; rerun epw.x",
    "epw_projected": "the run was cut or is still writing; rerun epw.x",
    "epw_isotropic": "the run was cut or is still writing; rerun epw.x",
    "elk": "the run was cut; rerun Elk",
    "table": "give rows of increasing frequency, a2F and nothing else, and name the unit in a line above them, such "
    "as '# omega (meV)  a2F'",
}


@dataclass(frozen=True, slots=True, eq=False)
class Alpha2FFile:
    """One spectral function, the positive frequencies of a file.

    Attributes
    ----------
    layout : str
        Kind of file, a key of :data:`LAYOUTS`.
    omega_mev : ndarray (n,)
        Positive frequencies, increasing.
    alpha2f : ndarray (n,)
        The dimensionless spectral function; negative values of an interpolation are kept.
    column, n_columns : int
        Which spectrum of the file it is, from 1, and how many there are.
    unit : str
        The file's unit of frequency, a key of ``UNITS_MEV``.
    smearing_mev : float or None
        Phonon smearing of this column; None where the file does not say.
    lambda_printed : float or None
        Coupling of this column as the code printed it; None where the file does not say.
    notes : tuple of str
        What was assumed or left out, for the reader.
    """

    layout: Layout
    omega_mev: NDArray[np.float64]
    alpha2f: NDArray[np.float64]
    column: int
    n_columns: int
    unit: str
    smearing_mev: float | None
    lambda_printed: float | None
    notes: tuple[str, ...]


def read_alpha2f(path: str | Path, *, column: int = 1, unit: str | None = None) -> Alpha2FFile:
    """Read a spectral function, whatever wrote it.

    Recognised by their first line are ``a2F.dosN`` of matdyn.x (Ry), and ``prefix.a2f`` (header, a column for each
    phonon smearing, their running lambda, a closing block), ``prefix.a2f_proj`` and ``prefix.a2f_iso`` of EPW (meV);
    by its closing block or its name ``prefix.a2f.NN`` or ``prefix.a2f.NN.T`` of EPW, which has no header; by its name
    ``ALPHA2F.OUT`` of Elk (Ha). All else is read as columns, frequency first, in the unit that the lines above the
    first row name; if they name none, in meV, and a note says so.

    Parameters
    ----------
    path : str or Path
        The file.
    column : int
        Which spectrum to take, counted from 1 after the frequency. The default is the first: the narrowest smearing of
        EPW, the one that EPW itself goes on with, and the total of files that also hold the shares of modes.
    unit : str or None
        Unit of the frequencies of plain columns, a key of ``UNITS_MEV``, instead of what their header says.

    Returns
    -------
    Alpha2FFile
        Frequencies in meV and the dimensionless spectrum. Rows at negative frequencies, which stand for imaginary
        modes, are left out of files of matdyn.x and Elk, with a note.

    Raises
    ------
    ParseError
        If the file is not text, empty or cut, a number is missing or not finite, frequencies do not increase, plain
        columns have negative ones, or there is no such column or unit. Plain columns and ``prefix.a2f_iso`` have no
        end mark: of them, a cut that falls between two lines is noticed only if it leaves a spectrum that does not
        end near zero, an error for ``prefix.a2f_iso`` and a note for plain columns.
    """
    path = Path(path)
    layout = _layout(path, _text(path))
    file = FortranFile(path, _ADVICE[layout])
    if unit is not None and (layout != "table" or unit not in UNITS_MEV):
        expected = f"one of {', '.join(UNITS_MEV)}" if layout == "table" else f"no unit: {LAYOUTS[layout]} has its own"
        raise ParseError(path, None, expected, repr(unit), "leave the unit out, or give the one of the first column")
    content = _table(file, unit) if layout == "table" else _READERS[layout](file)
    if not 1 <= column <= content.n_columns:
        advice = "count the spectra of the file from 1; the shares of modes in its further columns are none"
        raise ParseError(path, None, f"a column from 1 to {content.n_columns}", str(column), advice)
    return _chosen(file, layout, content, column)


def _text(path: Path) -> str:
    """Content of a text file, or an error that says what it is instead."""
    try:
        content = path.read_bytes()
    except OSError as error:
        found = "none" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
        raise MissingOutputError(path, None, "a file", found, "check the path") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ParseError(path, None, "text", "binary data", "give the text file that the code wrote beside it")
    return text


def _layout(path: Path, text: str) -> Layout:
    """Kind of a file, by its first line, its closing block or its name."""
    if re.search(r"\.a2f_tr(\.|$)", path.name):
        advice = f"give {path.name.replace('a2f_tr', 'a2f')}, the spectral function of pairing"
        raise ParseError(path, None, "a2F of pairing", "the transport spectral function of EPW", advice)
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    for pattern, layout in _FIRST_LINES.items():
        if re.match(pattern, first, re.IGNORECASE):
            return layout
    if "Integrated el-ph coupling" in text or re.search(r"\.a2f\.\d\d(\.\d+\.\d+)?$", path.name):
        return "epw"
    return "elk" if path.name == "ALPHA2F.OUT" else "table"


_FIRST_LINES: Final[dict[str, Layout]] = {
    r"#\s*Eliashberg function a2F": "matdyn",
    r"#?\s*w\[meV\]\s+a2f\s+and\s+integrated": "epw",
    r"#?\s*w\[meV\]\s+a2f\s+a2f_modeproj": "epw_projected",
    r"#?\s*w\[meV\]\s+a2f$": "epw_isotropic",
}


def _matdyn(file: FortranFile) -> SpectraFound:
    spectrum = read_a2f_dos(file.path)
    values = np.vstack([spectrum.omega_mev / RYDBERG_MEV, spectrum.alpha2f])
    filled = [number for number, line in enumerate(file.lines, start=1) if line.strip() and line.split()[0] != "#"]
    return SpectraFound(Rows(values, tuple(filled[:-1])), "Ry", 1, lambda_printed=(spectrum.lambda_printed,))


def _elk(file: FortranFile) -> SpectraFound:
    rows = read_rows(file)
    if len(rows.values) != 2:
        file.fail("2 columns (omega, a2F)", str(len(rows.values)))
    return SpectraFound(rows, "Ha", 1, notes=("ALPHA2F.OUT names no unit: Elk's, Ha, is taken",))


_READERS: Final[dict[Layout, Callable[[FortranFile], SpectraFound]]] = {
    "matdyn": _matdyn,
    "epw": epw.read_smearings,
    "epw_projected": epw.read_projected,
    "epw_isotropic": epw.read_isotropic,
    "elk": _elk,
}


def _table(file: FortranFile, unit: str | None) -> SpectraFound:
    rows, found, assumed = read_table(file, unit)
    notes = ["no unit is named above the first row: meV is assumed"] if assumed else []
    if rows.values[0].min() < 0:
        file.position = rows.lines[int(np.argmin(rows.values[0] >= 0))]
        file.fail("frequencies that are not negative", f"{rows.values[0].min():g}")
    return SpectraFound(rows, found, len(rows.values) - 1, notes=tuple(notes))


def _chosen(file: FortranFile, layout: Layout, content: SpectraFound, column: int) -> Alpha2FFile:
    """One column of what was found, in meV, at positive frequencies that increase."""
    omega, alpha2f = content.rows.values[0] * UNITS_MEV[content.unit], content.rows.values[column]
    falling = np.flatnonzero(np.diff(omega) <= 0)
    if falling.size:
        file.position = content.rows.lines[int(falling[0]) + 1]
        before, after = content.rows.values[0, falling[0] : falling[0] + 2]
        file.fail("frequencies that increase", f"{after:g} after {before:g}")
    positive = omega > 0
    if np.sum(positive) < 2:
        file.position = content.rows.lines[-1]
        file.fail("at least 2 rows at positive frequencies", str(np.sum(positive)), IncompleteOutputError)
    return Alpha2FFile(
        layout=layout,
        omega_mev=omega[positive],
        alpha2f=alpha2f[positive],
        column=column,
        n_columns=content.n_columns,
        unit=content.unit,
        smearing_mev=content.smearing_mev[column - 1] if content.smearing_mev else None,
        lambda_printed=content.lambda_printed[column - 1] if content.lambda_printed else None,
        notes=(*content.notes, *_notes(layout, omega, alpha2f, column, content.n_columns)),
    )


def _notes(
    layout: Layout, omega_mev: NDArray[np.float64], alpha2f: NDArray[np.float64], column: int, n_columns: int
) -> list[str]:
    notes = []
    if n_columns > 1:
        notes.append(f"column {column} of {n_columns} is used")
    if omega_mev[0] < -ROUNDING * omega_mev[-1]:
        notes.append(
            f"{int(np.sum(omega_mev < 0))} rows at negative frequencies, down to {omega_mev[0]:.3g} meV, are left out: "
            "imaginary modes, so the structure may be unstable"
        )
    left = left_at_the_end(alpha2f)
    if layout in ("table", "elk") and left > ENDS_ABOVE_ZERO:
        notes.append(
            f"a2F in the last row, at {omega_mev[-1]:.4g} meV, is {100 * left:.0f} % of its maximum: was the file cut?"
        )
    return notes
