"""Tables of compositions and their critical temperatures, in the style of SuperCon: ``name,Tc``."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.records import RefusedEntry, TcMeaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymatgen.core import Composition

COLUMNS: Final = ("name", "Tc")
LONGEST_FORMULA: Final = 200
LARGEST_AMOUNT: Final = 1e4


@dataclass(frozen=True)
class SuperconEntry:
    """One line of the table.

    Attributes
    ----------
    line
        Line of the file, its head being line 1.
    formula
        As written.
    composition
        The formula understood.
    tc_kelvin
        Reported Tc in K; None where there is none.
    tc_meaning
        measured; none_reported (the table has 0, which is no measured absence of superconductivity); or withheld (the
        table has a blank).
    """

    line: int
    formula: str
    composition: Composition
    tc_kelvin: float | None
    tc_meaning: TcMeaning


@dataclass(frozen=True)
class SuperconTable:
    """A table, every line of it.

    Attributes
    ----------
    entries
        Lines that were understood, in the order of the file.
    refused
        The others, each with its line, value and reason.
    """

    entries: tuple[SuperconEntry, ...]
    refused: tuple[RefusedEntry, ...]


class _RefusalError(ValueError):
    """A line that cannot be used."""


def supercon_entries(path: Path, *, shown: str | None = None) -> SuperconTable:
    """Read a table of compositions and critical temperatures.

    Parameters
    ----------
    path
        CSV in UTF-8 with the columns ``name`` and ``Tc`` in K; others are not read.
    shown
        How to name the file; its path by default.

    Raises
    ------
    SourceError
        If the file is missing, is no such table, or is empty.
    """
    where = shown or str(path)
    entries: list[SuperconEntry] = []
    refused: list[RefusedEntry] = []
    for line, row in read_table(path, COLUMNS, where=where):
        formula, tc = row["name"], row["Tc"]
        try:
            composition = parse_formula(formula)
        except ValueError as error:
            reason = f"not a formula ({error}): expected one such as Nb3Sn: correct it, or leave it out"
            refused.append(_refuse(where, line, formula, "unparseable_formula", reason))
            continue
        try:
            kelvin, meaning = _tc(tc)
        except _RefusalError as error:
            refused.append(_refuse(where, line, f"{formula}, Tc {tc}", "unusable_tc", str(error)))
            continue
        entries.append(SuperconEntry(line, formula, composition, kelvin, meaning))
    if not entries and not refused:
        msg = f"{where}: expected lines below the head, found none"
        raise SourceError(msg)
    return SuperconTable(tuple(entries), tuple(refused))


def _refuse(where: str, line: int, value: str, code: str, reason: str) -> RefusedEntry:
    return RefusedEntry.model_validate(
        {"kind": "supercon", "where": f"{where} line {line}", "value": value, "code": code, "reason": reason}
    )


def read_table(
    path: Path, columns: tuple[str, ...], *, where: str, optional: tuple[str, ...] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read columns of a CSV file by name.

    Parameters
    ----------
    path
        CSV in UTF-8, its first line the names of its columns.
    columns
        Names of the columns that are wanted; a missing cell is blank.
    where
        What to name in an error.
    optional
        Names of columns that may be missing, and then are blank.

    Yields
    ------
    tuple of int and dict
        Line of the file, the head being 1, and cells by column, blanks around them taken off.

    Raises
    ------
    SourceError
        If the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                found = ", ".join(map(repr, reader.fieldnames or ())) or "an empty file"
                msg = f"{where} line 1: expected the columns {', '.join(columns)}, found {found}"
                raise SourceError(msg)
            for row in reader:
                yield reader.line_num, {name: (row.get(name) or "").strip() for name in (*columns, *optional)}
    except FileNotFoundError:
        msg = f"{where}: no such file: expected a table with the columns {', '.join(columns)}"
        raise SourceError(msg) from None
    except (OSError, ValueError, csv.Error) as error:  # no UTF-8, or a name that no system takes
        msg = f"{where}: cannot be read ({error}): expected a CSV file in UTF-8"
        raise SourceError(msg) from None


def parse_formula(text: str) -> Composition:
    """Understand a formula with whole or broken amounts.

    Parameters
    ----------
    text
        A formula such as ``La1.85Sr0.15CuO4``.

    Raises
    ------
    ValueError
        If it is none, or an amount is negative, zero throughout or absurd.
    """
    from pymatgen.core import Composition as Formula  # noqa: PLC0415 - a help text must not wait for pymatgen

    if not 0 < len(text) <= LONGEST_FORMULA:
        msg = f"expected 1 to {LONGEST_FORMULA} characters, found {len(text)}"
        raise ValueError(msg)
    if not text.isascii():
        msg = "expected ASCII letters, digits, points and brackets"
        raise ValueError(msg)
    try:
        composition = Formula(text)
    except (KeyError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if not composition.valid:
        msg = "expected chemical elements"
        raise ValueError(msg)
    if not 0 < composition.num_atoms <= LARGEST_AMOUNT:
        msg = f"expected up to {LARGEST_AMOUNT:g} atoms, found {composition.num_atoms:g}"
        raise ValueError(msg)
    return composition


def _tc(text: str) -> tuple[float | None, TcMeaning]:
    if not text:
        return None, "withheld"
    try:
        kelvin = float(text)
    except ValueError:
        kelvin = math.nan
    if not (math.isfinite(kelvin) and kelvin >= 0):
        msg = "expected a temperature in K, 0 or blank: correct it"
        raise _RefusalError(msg)
    return (kelvin, "measured") if kelvin > 0 else (None, "none_reported")
