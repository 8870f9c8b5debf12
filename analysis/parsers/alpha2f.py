"""Spectral functions a2F(w) as codes and people write them: matdyn.x, EPW, Elk, plain text and CSV."""

from __future__ import annotations

import codecs
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
from hightc.analysis.parsers.matdyn import closing_lambda
from hightc.analysis.parsers.spectrum_header import UNITS_MEV
from hightc.analysis.parsers.spectrum_table import (
    ENDS_ABOVE_ZERO,
    SpectraFound,
    left_at_the_end,
    read_rows,
    read_table,
)

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


def read_alpha2f(
    path: str | Path,
    *,
    column: int | None = None,
    unit: str | None = None,
    symbol: str = "a2F",
    n_points: int | None = None,
) -> Alpha2FFile:
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
    column : int or None
        Which spectrum to take, counted from 1 after the frequency. None takes the one that a header of plain columns
        calls a2F, else the first: the narrowest smearing of EPW, the one that EPW itself goes on with, and the total
        of files that also hold the shares of modes.
    unit : str or None
        Unit of the frequencies of plain columns, a key of ``UNITS_MEV`` in any case, instead of what their header says.
    symbol : str
        Name of the spectrum in notes.
    n_points : int or None
        Rows that the file must have (nqstep of EPW), for the layouts that have no end mark.

    Returns
    -------
    Alpha2FFile
        Frequencies in meV and the dimensionless spectrum. Rows at negative frequencies, which stand for imaginary
        modes, are left out of files of matdyn.x and Elk, with a note.

    Raises
    ------
    ParseError
        If the file is not text, empty or cut, a number is missing or not finite, frequencies do not increase, plain
        columns have negative ones, names and columns do not fit, the spectrum is nowhere positive but somewhere
        negative, or there is no such column or unit. Plain columns, ``ALPHA2F.OUT`` and a lone ``prefix.a2f_iso`` have
        no end mark: a note says how far they go.
    """
    path = Path(path)
    text = _text(path)
    layout = _layout(path, text)
    if layout == "table" and text and not text.endswith("\n"):
        text += "\n"
    file = FortranFile(path, _ADVICE[layout], text)
    known = None if unit is None else {name.lower(): name for name in UNITS_MEV}.get(unit.lower())
    if unit is not None and (layout != "table" or known is None):
        expected = f"one of {', '.join(UNITS_MEV)}" if layout == "table" else f"no unit: {LAYOUTS[layout]} has its own"
        raise ParseError(path, None, expected, repr(unit), "leave the unit out, or give the one of the first column")
    content = _table(file, known) if layout == "table" else _READERS[layout](file)
    if n_points is not None and len(content.rows.lines) != n_points:
        file.position = content.rows.lines[-1]
        error = IncompleteOutputError if len(content.rows.lines) < n_points else ParseError
        file.fail(f"{n_points} rows", str(len(content.rows.lines)), error)
    chosen = content.default_column if column is None else column
    if not 1 <= chosen <= content.n_columns:
        advice = "count the spectra of the file from 1; the shares of modes in its further columns are none"
        raise ParseError(path, None, f"a column from 1 to {content.n_columns}", str(chosen), advice)
    return _chosen(file, layout, content, chosen, symbol)


def _text(path: Path) -> str:
    """Content of a text file, or an error that says what it is instead."""
    try:
        content = path.read_bytes()
    except OSError as error:
        found = _NOT_READ.get(type(error)) or str(error.strerror).lower()
        raise MissingOutputError(path, None, "a file", found, "check the path") from None
    encodings = (
        ("utf-16",) if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ("utf-8-sig", "latin-1")
    )
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise ParseError(path, None, "text", "binary data", "give the text file that the code wrote beside it")


_NOT_READ: Final[dict[type[OSError], str]] = {
    FileNotFoundError: "none",
    IsADirectoryError: "a directory",
    PermissionError: "one that may not be read",
}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f]")


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
    """As ``matdyn.read_a2f_dos``, which keeps the shares of modes."""
    rows = read_rows(file, "lambda")
    coupling = closing_lambda(file, file.lines[file.position - 1])
    return SpectraFound(rows, "Ry", 1, lambda_printed=(coupling,))


def _elk(file: FortranFile) -> SpectraFound:
    rows = read_rows(file)
    if len(rows.values) != 2:
        file.fail("2 columns (omega, a2F)", str(len(rows.values)))
    return SpectraFound(rows, "Ha", 1, has_end=False, notes=("ALPHA2F.OUT names no unit: Elk's, Ha, is taken",))


_READERS: Final[dict[Layout, Callable[[FortranFile], SpectraFound]]] = {
    "matdyn": _matdyn,
    "epw": epw.read_smearings,
    "epw_projected": epw.read_projected,
    "epw_isotropic": epw.read_isotropic,
    "elk": _elk,
}


def _table(file: FortranFile, unit: str | None) -> SpectraFound:
    content = read_table(file, unit)
    lowest = float(content.rows.values[0].min())
    if lowest < 0:
        file.position = content.rows.lines[int(np.argmin(content.rows.values[0] >= 0))]
        file.fail("frequencies that are not negative", f"{lowest:g}")
    return content


def _chosen(file: FortranFile, layout: Layout, content: SpectraFound, column: int, symbol: str) -> Alpha2FFile:
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
    if alpha2f[positive].max() <= 0 and alpha2f[positive].min() < 0:
        file.position = content.rows.lines[int(np.argmin(alpha2f))]
        file.advice = "is the sign wrong, or the column?"
        file.fail(f"{symbol} >= 0", f"nothing positive and {alpha2f[positive].min():g} at the least")
    notes = [*content.notes, *_notes(omega, alpha2f, symbol)]
    if content.n_columns > 1:
        notes.append(f"column {column} of {content.n_columns} is used")
    if not content.has_end:
        notes.append(f"this format has no end mark: {omega.size} rows, the last at {omega[-1]:.4g} meV")
        if (left := left_at_the_end(alpha2f)) > ENDS_ABOVE_ZERO:
            notes[-1] += f", where {symbol} is {100 * left:.0f} % of its maximum: was the file cut?"
    return Alpha2FFile(
        layout=layout,
        omega_mev=omega[positive],
        alpha2f=alpha2f[positive],
        column=column,
        n_columns=content.n_columns,
        unit=content.unit,
        smearing_mev=content.smearing_mev[column - 1] if content.smearing_mev else None,
        lambda_printed=content.lambda_printed[column - 1] if content.lambda_printed else None,
        notes=tuple(notes),
    )


def _notes(omega_mev: NDArray[np.float64], alpha2f: NDArray[np.float64], symbol: str) -> list[str]:
    """What is left out of a spectrum or stands at frequencies that no phonon has."""
    notes = []
    if omega_mev[0] < -ROUNDING * omega_mev[-1]:
        notes.append(
            f"{int(np.sum(omega_mev < 0))} rows at negative frequencies, down to {omega_mev[0]:.3g} meV, are left out: "
            "imaginary modes, so the structure may be unstable"
        )
    at_zero = alpha2f[omega_mev == 0]
    if at_zero.any():
        notes.append(f"{symbol} = {at_zero[0]:.3g} at zero frequency is left out: it should vanish there")
    return notes
