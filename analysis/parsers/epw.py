"""Spectral functions that EPW writes: of each phonon smearing, shared out among modes, and of one smearing alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.spectrum_table import (
    ENDS_ABOVE_ZERO,
    Rows,
    SpectraFound,
    left_at_the_end,
    read_rows,
)

ROUNDED_MEV: Final = 1e-6
"""Difference between two frequencies that EPW prints with seven decimals and means to be equal."""


def read_smearings(file: FortranFile) -> SpectraFound:
    """Read ``prefix.a2f``, or ``prefix.a2f.NN.T`` without header and running lambda.

    The closing block tells the number of smearings: newer versions write one under a header that promises ten.

    Parameters
    ----------
    file : FortranFile
        The file.

    Raises
    ------
    ParseError
        If rows or the closing block are cut, or do not fit each other.
    """
    if re.match(r"\s*#?\s*w\[meV\]", file.lines[0]):
        file.read_line("the header")
        sets = 2
    else:
        sets = 1
    rows = read_rows(file, "Integrated el-ph coupling")
    number = (len(rows.values) - 1) // sets
    if number < 1 or len(rows.values) != 1 + sets * number:
        expected = "omega, a2F and running lambda of each smearing" if sets == 2 else "omega and a2F of each smearing"
        file.position = rows.lines[0]
        file.fail(f"columns of {expected}", str(len(rows.values)))
    couplings = _closing_row(file, number, "integrated coupling of each smearing")
    file.read_match(r"Phonon smearing \(meV\)", "'Phonon smearing (meV)'")
    smearings = _closing_row(file, number, "phonon smearings")
    closing = file.skip_to(r"^\s*Summed el-ph coupling\s+(\S+)\s*$", "'Summed el-ph coupling' and a number")
    file.number(closing[1], "summed coupling")
    if not file.at_end:
        file.fail("the end after 'Summed el-ph coupling'", "more lines")
    return SpectraFound(rows, "meV", number, smearing_mev=smearings, lambda_printed=couplings)


def _closing_row(file: FortranFile, number: int, expected: str) -> tuple[float, ...]:
    fields = file.read_match(r"#\s+(.*)$", f"'#' and the {expected}")[1].split()
    return tuple(file.numbers(fields, number, expected))


def read_projected(file: FortranFile) -> SpectraFound:
    """Read ``prefix.a2f_proj``: the total, and the shares of modes.

    Parameters
    ----------
    file : FortranFile
        The file.

    Raises
    ------
    ParseError
        If rows or the closing line are cut.
    """
    file.read_line("the header")
    rows = read_rows(file, "lambda_int")
    closing = re.fullmatch(r"\s*lambda_int =\s*(\S+)\s+lambda_sum =\s*(\S+)\s*", file.lines[file.position - 1])
    if closing is None or not file.at_end:
        file.fail("'lambda_int = ... lambda_sum = ...' as the last line", repr(file.lines[file.position - 1].strip()))
    return SpectraFound(rows, "meV", 1, lambda_printed=(file.number(closing[1], "lambda_int"),))


def read_isotropic(file: FortranFile) -> SpectraFound:
    """Read ``prefix.a2f_iso``, which has no end mark but the rows of ``prefix.a2f`` beside it.

    Parameters
    ----------
    file : FortranFile
        The file.

    Raises
    ------
    ParseError
        If a row is cut, a2F vanishes in all rows or does not in the last one, or ``prefix.a2f`` goes on to other
        frequencies.
    """
    file.read_line("the header")
    rows = read_rows(file)
    if len(rows.values) != 2:
        file.fail("2 columns (omega, a2F)", str(len(rows.values)))
    if not rows.values[1].any():
        file.fail("a2F above zero in some row", "zeros only", IncompleteOutputError)
    if (left := left_at_the_end(rows.values[1])) > ENDS_ABOVE_ZERO:
        # EPW's frequencies go a tenth beyond the highest phonon
        expected = "a2F to vanish in the last rows"
        file.fail(expected, f"{100 * left:.0f} % of its maximum", IncompleteOutputError)
    return SpectraFound(rows, "meV", 1, has_end=_ends_with_sibling(file, rows))


def _ends_with_sibling(file: FortranFile, rows: Rows) -> bool:
    """Whether ``prefix.a2f`` of the same run ends at the same frequency; an error if it goes on in the same steps."""
    sibling = file.path.with_name(file.path.name.removesuffix("_iso"))
    highest = _last_frequency(sibling) if sibling != file.path else None
    if highest is None:
        return False
    last = float(rows.values[0, -1])
    steps = highest * rows.values.shape[1] / last
    if steps > rows.values.shape[1] + 0.5 and abs(steps - round(steps)) < steps * ROUNDED_MEV / last:
        expected = f"frequencies up to {highest:g} meV, as in {sibling.name}"
        file.fail(expected, f"the last at {last:g} meV", IncompleteOutputError)
    return abs(highest - last) < ROUNDED_MEV


def _last_frequency(path: Path) -> float | None:
    """Last frequency in meV of a whole ``prefix.a2f``; None if there is none."""
    try:
        return float(read_smearings(FortranFile(path, "")).rows.values[0, -1])
    except (ParseError, OSError):
        return None
