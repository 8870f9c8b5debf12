"""Plain numeric tables, with or without names of their columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.fortran import FortranFile

_ADVICE = "the file was cut or is no table; write it again"


@dataclass(frozen=True, slots=True, eq=False)
class NumericTable:
    """Numbers in rows of equal length.

    Attributes
    ----------
    names : tuple of str
        Names of the columns from the last comment before the first row; empty if they do not fit the columns.
    values : ndarray (n_rows, n_columns)
        The numbers.
    has_end : bool
        Whether their number was known beforehand. Without it rows may be missing at the end: the format has no end
        mark.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    has_end: bool


def read_numeric_table(path: str | Path, *, n_points: int | None) -> NumericTable:
    """Read a table whose fields are parted by blanks, tabs, commas or semicolons; comments begin with ``#``.

    Parameters
    ----------
    path : str or Path
        The file.
    n_points : int or None
        Rows that must be there; None takes those that are, and says so in `has_end`.

    Returns
    -------
    NumericTable
        As it stands.

    Raises
    ------
    ParseError
        If the last line has no end, a row differs in length, a field is no finite number, or the rows are more or
        fewer than they must be.
    """
    file = FortranFile(path, _ADVICE)
    names: list[str] = []
    rows: list[list[float]] = []
    for line in file.lines:
        file.position += 1
        text = line.strip()
        if text.startswith("#"):
            names = names if rows else _split(text.lstrip("# "))
        elif text:
            fields = _split(text)
            rows.append(file.numbers(fields, len(rows[0]) if rows else len(fields), "a row of the table"))
    if not rows or (n_points is not None and len(rows) != n_points):
        error = IncompleteOutputError if len(rows) < (n_points or 1) else ParseError
        file.fail(f"{n_points or 'some'} rows", str(len(rows)), error)
    values = np.array(rows)
    return NumericTable(tuple(names) if len(names) == values.shape[1] else (), values, n_points is not None)


def _split(text: str) -> list[str]:
    return [field for field in re.split(r"[\s,;]+", text) if field]
