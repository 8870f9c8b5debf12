"""Frequency and values in columns of plain text or CSV, with the unit that its header names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.units import HARTREE_EV, KELVIN_MEV, PER_CM_MEV, RYDBERG_MEV, THZ_MEV

UNITS_MEV: Final = MappingProxyType(
    {
        "meV": 1.0,
        "eV": 1e3,
        "THz": THZ_MEV,
        "cm-1": PER_CM_MEV,
        "Ry": RYDBERG_MEV,
        "Ha": HARTREE_EV * 1e3,
        "K": KELVIN_MEV,
    }
)
"""What one of each unit of frequency is in meV; a THz is h times 1e12 cycles a second, as phonon codes print it."""

ENDS_ABOVE_ZERO: Final = 0.01
"""Share of its maximum that a spectrum may have left in the last row before a cut is suspected."""

# A unit stands alone or after an underscore (omega_mev), and not under a stroke (states/eV, 1/THz). The letter K is too
# common to be found outside brackets.
_PATTERNS: Final = {
    "meV": r"(?<![a-z/])mev(?![a-z])",
    "eV": r"(?<![a-z/])ev(?![a-z])",
    "THz": r"(?<![a-z/])thz(?![a-z])",
    "cm-1": r"(?<![a-z])cm(?:\^?[{(]?\s?-\s?1|⁻¹|1(?!\d))|(?<![\w/])1/cm(?![a-z])",
    "Ry": r"(?<![a-z/])ry(?:dbergs?)?(?![a-z])",
    "Ha": r"(?<![a-z/])ha(?:rtrees?)?(?![a-z])",
    "K": r"[\[(]k[\])]|(?<![a-z/])kelvin(?![a-z])",
}
_COMMENT: Final = re.compile(r"#|%|!|@|&|//")
_NUMERIC: Final = re.compile(r"[-+]?[.\d*]|[-+]?(?:nan|inf)", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"[\[(]\s*([^\])]*[A-Za-z][^\])]*)[\])]")
_LONE_BRACKETS: Final = re.compile(rf"(?:^|(?<=\s)|(?=\[)){_BRACKETS.pattern}")  # not the argument of a2F(omega)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Numbers in rows, and where they stood.

    Attributes
    ----------
    values : ndarray (n_columns, n)
        The columns, the frequency first.
    lines : tuple of int
        Line number of each row, from 1.
    """

    values: NDArray[np.float64]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SpectraFound:
    """Everything that a reader found in a file.

    Attributes
    ----------
    rows : Rows
        Frequencies as they stand, and the values of each column.
    unit : str
        Unit of the frequencies, a key of :data:`UNITS_MEV`.
    n_columns : int
        How many of the columns after the frequency are spectra.
    smearing_mev, lambda_printed : tuple of float
        Phonon smearing and coupling of each spectrum; empty where the file does not say.
    notes : tuple of str
        What was assumed, for the reader.
    """

    rows: Rows
    unit: str
    n_columns: int
    smearing_mev: tuple[float, ...] = ()
    lambda_printed: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def units_in(text: str) -> list[str]:
    """Find the units of frequency that a text names.

    Parameters
    ----------
    text : str
        A header.

    Returns
    -------
    list of str
        Keys of :data:`UNITS_MEV`, each once.

    Examples
    --------
    >>> units_in("omega [THz], DOS [states/eV]")
    ['THz']
    """
    return [unit for unit, pattern in _PATTERNS.items() if re.search(pattern, text, re.IGNORECASE)]


def left_at_the_end(alpha2f: NDArray[np.float64]) -> float:
    """|a2F| of the last row over its maximum; 0 for a spectrum of zeros.

    Parameters
    ----------
    alpha2f : ndarray (n,)
        The spectrum.
    """
    highest = float(np.abs(alpha2f).max())
    return abs(float(alpha2f[-1])) / highest if highest > 0 else 0.0


def read_rows(file: FortranFile, stop: str | None = None) -> Rows:
    """Read rows of equal length, from where the cursor stands to the end or to a closing line.

    Parameters
    ----------
    file : FortranFile
        The file; afterwards the closing line is the one last read. Blank lines and comments are skipped.
    stop : str or None
        What the closing line begins with (leading blanks dropped); None for the end of the file.

    Raises
    ------
    ParseError
        If rows differ in length, have fewer than two columns or hold what is no number, or if the stop is missing.
    """
    rows: list[list[float]] = []
    lines: list[int] = []
    while stop is not None or not file.at_end:
        text = file.read_filled_line("a row of numbers" if stop is None else f"rows and then a line {stop!r}").strip()
        if stop is not None and text.startswith(stop):
            break
        fields = _fields(text)
        if fields:
            rows.append(file.numbers(fields, len(rows[0]) if rows else len(fields), "a frequency and its values"))
            lines.append(file.position)
        if len(fields) == 1:
            file.fail("at least 2 columns (a frequency and its value)", repr(text))
    if not rows:
        file.fail("rows of numbers", "none")
    return Rows(np.array(rows).T, tuple(lines))


def read_table(file: FortranFile, unit: str | None) -> tuple[Rows, str, bool]:
    """Read a header, if there is one, and the rows after it.

    Parameters
    ----------
    file : FortranFile
        The file. A line is a comment if it begins with ``#``, ``%``, ``!``, ``@``, ``&`` or ``//``; columns are parted
        by semicolons, commas or blanks.
    unit : str or None
        Unit of the first column, a key of :data:`UNITS_MEV`; None to take it from the header.

    Returns
    -------
    tuple
        The rows as they stand, the unit, and whether it is assumed because nothing names one.

    Raises
    ------
    ParseError
        As :func:`read_rows`, or if the header names no known unit for the first column, or several.
    """
    header: list[str] = []
    start = file.position
    for line in file.lines[start:]:
        text = line.strip().lstrip("\ufeff")
        if text and not _COMMENT.match(text) and _NUMERIC.match(text.strip("\"'")):
            break
        header.append(_COMMENT.sub("", text, count=1).strip() if _COMMENT.match(text) else text)
    file.position = start + len(header)
    if start == 0 and not header:
        file.lines[0] = file.lines[0].lstrip("\ufeff")
    if file.at_end:
        file.fail("rows of numbers", f"{len(header)} lines without any" if header else "none")
    rows = read_rows(file)
    if unit is not None:
        return rows, unit, False
    file.position = max(rows.lines[0] - 1, 1)
    found = _header_unit(file, [line for line in header if line], file.lines[rows.lines[0] - 1], len(rows.values))
    return rows, found or "meV", found is None


def _header_unit(file: FortranFile, header: list[str], row: str, n_columns: int) -> str | None:
    """Unit of the first column: from its name where every column has one, else from the whole header."""
    names = _split(header[-1], _delimiter(row)) if header else []
    first = names[0] if len(names) == n_columns else ""
    text = " ".join(header)
    found = units_in(first) or units_in(text)
    choice = ", ".join(UNITS_MEV)
    unknown = _BRACKETS.search(first) or _LONE_BRACKETS.search(text)
    if unknown and not units_in(first) and (not found or _BRACKETS.search(first)):
        file.fail(f"a unit of frequency among {choice}", repr(unknown[1]))
    if len(found) > 1:
        file.fail(f"one unit of frequency among {choice} in the header", " and ".join(found))
    return found[0] if found else None


def _fields(text: str) -> list[str]:
    """Split one row; empty fields are kept where a delimiter other than a blank is used."""
    text = "" if _COMMENT.match(text) else text.partition("#")[0].strip()
    return _split(text, _delimiter(text)) if text else []


def _delimiter(text: str) -> str | None:
    return next((mark for mark in ";," if mark in text), None)


def _split(text: str, delimiter: str | None) -> list[str]:
    return [field.strip(" \t\"'") for field in text.split(delimiter)]
