"""Frequency and values in columns of plain text or CSV, with the unit that its header names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.spectrum_header import (
    HeaderLine,
    alpha2f_column,
    column_names,
    frequency_unit,
    split_fields,
)

ENDS_ABOVE_ZERO: Final = 0.01
"""Share of its maximum that a spectrum may have left in the last row before a cut is suspected."""

_COMMENT: Final = re.compile(r"#|%|!|@|&|//")
_NUMERIC: Final = re.compile(r"[-+]?[.\d*]|[-+]?(?:nan|inf)", re.IGNORECASE)
_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d*,\d+(?:[eEdD][-+]?\d+)?")
_NUMBER_LIKE: Final = re.compile(r"[-+]?[\d.]+(?:[eEdD][-+]?\d+)?")


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
        Unit of the frequencies, a key of ``UNITS_MEV``.
    n_columns : int
        How many of the columns after the frequency are spectra.
    default_column : int
        Which of them to take unless another is asked for, from 1.
    smearing_mev, lambda_printed : tuple of float
        Phonon smearing and coupling of each spectrum; empty where the file does not say.
    has_end : bool
        Whether the file shows that nothing is missing at its end.
    notes : tuple of str
        What was assumed, for the reader.
    """

    rows: Rows
    unit: str
    n_columns: int
    default_column: int = 1
    smearing_mev: tuple[float, ...] = ()
    lambda_printed: tuple[float, ...] = ()
    has_end: bool = True
    notes: tuple[str, ...] = ()


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
        if len(text.split()) > 1 and "," in text and all(map(_is_number, text.split())) and _delimiter(text) == ",":
            file.fail("points as decimal marks between blanks", f"a decimal comma, {text!r}")
        if fields:
            rows.append(file.numbers(fields, len(rows[0]) if rows else len(fields), "a frequency and its values"))
            lines.append(file.position)
        if len(fields) == 1:
            file.fail("at least 2 columns (a frequency and its value)", repr(text))
    if not rows:
        file.fail("rows of numbers", "none")
    return Rows(np.array(rows).T, tuple(lines))


def read_table(file: FortranFile, unit: str | None) -> SpectraFound:
    """Read a header, if there is one, and the rows after it.

    Parameters
    ----------
    file : FortranFile
        The file. A line is a comment if it begins with ``#``, ``%``, ``!``, ``@``, ``&`` or ``//``; columns are parted
        by semicolons, commas or blanks. A decimal comma is read where semicolons or tabs part the columns.
    unit : str or None
        Unit of the first column, a key of ``UNITS_MEV``; None to take it from the header.

    Returns
    -------
    SpectraFound
        The rows as they stand, and the first column that is called a2F as the default; in meV, with a note, if
        nothing names a unit.

    Raises
    ------
    ParseError
        As :func:`read_rows`, :func:`column_names` and :func:`frequency_unit`, or for decimal commas between commas or
        blanks.
    """
    header: list[HeaderLine] = []
    start = file.position
    for line in file.lines[start:]:
        text = line.strip()
        if text and not _COMMENT.match(text) and _NUMERIC.match(text.strip("\"'")):
            break
        header.append(HeaderLine(_COMMENT.sub("", text, count=1).strip(), bool(_COMMENT.match(text))))
    file.position = start + len(header)
    if file.at_end:
        file.fail("rows of numbers", f"{len(header)} lines without any" if header else "none")
    rows = read_rows(file)
    row = file.lines[rows.lines[0] - 1]
    _require_no_decimal_comma(file, rows)
    file.position = max(rows.lines[0] - 1, 1)
    filled = [line for line in header if line.text]
    names = column_names(file, filled, _delimiter(row), len(rows.values))
    found = unit or frequency_unit(file, filled, names)
    notes = () if found else ("no unit is named above the first row: meV is assumed",)
    return SpectraFound(
        rows, found or "meV", len(rows.values) - 1, alpha2f_column(names) or 1, has_end=False, notes=notes
    )


def _require_no_decimal_comma(file: FortranFile, rows: Rows) -> None:
    """Fail where every second field of rows parted by commas is the rest of a number: 1,5,0,0056."""
    texts = [file.lines[number - 1] for number in rows.lines]
    parted = _delimiter(texts[0]) == "," and len(rows.values) % 2 == 0 and not any("." in text for text in texts)
    if parted and any(re.search(r",0\d", text) for text in texts):
        file.fail("points as decimal marks between commas", f"a decimal comma, {texts[-1].strip()!r}")


def _fields(text: str) -> list[str]:
    """Split one row; empty fields are kept where a delimiter other than a blank is used."""
    text = "" if _COMMENT.match(text) else text.partition("#")[0].strip()
    if not text:
        return []
    delimiter = _delimiter(text)
    fields = split_fields(text, delimiter)
    return [field.replace(",", ".") for field in fields] if delimiter in (";", "\t") else fields


def _delimiter(text: str) -> str | None:
    """What parts the fields of a row: a semicolon, a tab between decimal commas, a comma, or blanks (None)."""
    for mark in (";", "\t"):
        if mark in text and all(map(_is_number, split_fields(text, mark))):
            return mark
    return next((mark for mark in ";," if mark in text), None)


def _is_number(text: str) -> bool:
    return bool(_DECIMAL_COMMA.fullmatch(text) or _NUMBER_LIKE.fullmatch(text))
