"""What the lines above columns of numbers say: the unit of the frequencies, and which column is a2F."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final, NamedTuple, NoReturn

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

_SPELLINGS: Final = {
    "meV": "mev",
    "eV": "ev",
    "THz": "thz",
    "cm-1": r"cm\s?(?:\^?\s?[{(]?\s?[-\u2212]\s?1\s?[)}]?|⁻¹|1)|1/cm",
    "Ry": "ry|rydbergs?",
    "Ha": "ha|hartrees?",
    "K": "k|kelvin",
}
# Greek letters are written as escapes: several look like Latin ones.
_LIKE_A_UNIT: Final = re.compile(r".?hz|.?ev|.?ry|.?ha|.?rad.*|cm.*|.?k|[fp]s|1/.*", re.IGNORECASE)
_ANGULAR: Final = re.compile(r"angular|\brad\b|2\s*\*?\s*(?:pi|\u03c0)", re.IGNORECASE)
_BRACKETS: Final = r"[\[(]\s*([^\])]*[A-Za-z][^\])]*)[\])]"
_IN: Final = r"\bin\s+(?:units?\s+of\s+)?((?:[A-Za-z\u00b5\u03bc]|\d+\S*[a-z\u03c0/])[^\s,;]*)"
_WORDS: Final = r"(?:omega\w?|freq\w*|energ\w*|wavenumbers?|\bnu|\u03c9|\u03a9|\u03bd|\b[we])(?![A-Za-z])"
_FREQUENCY: Final = re.compile(rf"{_WORDS}|(?:omega|freq|energy|\b[we])_", re.IGNORECASE)
_ATTACHED: Final = re.compile(
    rf"(?:{_WORDS}|\bunits?:?)(?:\s*{_BRACKETS}|[^,;()\[\]]{{0,40}}?{_IN}|[\s_]+([^\s,;]+))", re.IGNORECASE
)
_ALPHA2F: Final = re.compile(
    r"\W*(?:a|alpha|\u03b1)[\s^_{(*]*[2²][\s})]*[\s_*]*f(?!.*(?:/\s*[w\u03c9o]|_?tr\b))", re.IGNORECASE
)
_OTHER: Final = re.compile(r"\W*(?:(?:ph|e)?_?(?:p?dos|g)\b|lam|\u03bb|int|cum|mode|err)", re.IGNORECASE)


class HeaderLine(NamedTuple):
    """A filled line above the first row: its text without a mark of comments, and whether it had one."""

    text: str
    comment: bool


def unit_named(text: str) -> str | None:
    """Read a unit of frequency.

    Parameters
    ----------
    text : str
        The unit alone.

    Returns
    -------
    str or None
        A key of :data:`UNITS_MEV`; None if it is none of them.

    Examples
    --------
    >>> unit_named("cm^-1"), unit_named("mRy")
    ('cm-1', None)
    """
    plain = text.strip(" \t\"'.:#[]")
    return next((unit for unit, spelling in _SPELLINGS.items() if re.fullmatch(spelling, plain, re.IGNORECASE)), None)


def split_fields(text: str, delimiter: str | None) -> list[str]:
    """Split a line at a delimiter, None for blanks; blanks and quotes around the fields are dropped.

    Parameters
    ----------
    text : str
        The line.
    delimiter : str or None
        A character.
    """
    return [field.strip(" \t\r\"'") for field in text.split(delimiter)]


def column_names(
    file: FortranFile, header: list[HeaderLine], delimiter: str | None, n_columns: int
) -> list[list[str] | None]:
    """Read each line of a header as names of columns, as far as it holds them.

    Parameters
    ----------
    file : FortranFile
        The file, to locate errors in.
    header : list of HeaderLine
        The lines.
    delimiter : str or None
        What parts the columns of a row; None for blanks.
    n_columns : int
        How many numbers a row has.

    Returns
    -------
    list of (list of str or None)
        The names; None for a line of prose.

    Raises
    ------
    ParseError
        If the last line holds names, but not one for each column, or the first name is no frequency.
    """
    lines = [_names(line, delimiter, n_columns) for line in header]
    if lines and lines[-1] is None:
        _require_prose(file, header[-1], delimiter, n_columns)
    for line, names in zip(header, lines, strict=True):
        if names:
            _require_frequency_first(file, names, comment=line.comment)
    return lines


def _names(line: HeaderLine, delimiter: str | None, n_columns: int) -> list[str] | None:
    text = line.text
    marks = [mark for mark in dict.fromkeys((delimiter, ",", ";", "\t")) if mark and mark in text]
    splits = [*(split_fields(text, mark) for mark in marks), re.split(r"\s{2,}", text), _words(text)]
    for names in splits:
        known = [_is_name(name) for name in names]
        # a comment of as many words as there are columns is still a comment
        if line.comment and not known[0]:
            known = [bool(_ALPHA2F.match(name)) for name in names]
        if len(names) == n_columns and (any(known) or unit_named(names[0])):
            return names
    return None


def _is_name(text: str) -> bool:
    return bool(_ALPHA2F.match(text) or _FREQUENCY.match(text) or _OTHER.match(text))


def _words(text: str) -> list[str]:
    """Words, each with what follows in brackets."""
    return re.findall(r"[^\s,;]+(?:\s*[\[(][^\])]*[\])])?", text)


def _require_prose(file: FortranFile, line: HeaderLine, delimiter: str | None, n_columns: int) -> None:
    """Fail where a line holds names, too few or too many."""
    parted = bool(delimiter and delimiter in line.text)
    names = split_fields(line.text, delimiter) if parted else _words(line.text)
    if len(names) == n_columns and (not line.comment and names[0]):
        return
    known = [_is_name(name) for name in names]
    if (parted and (not line.comment or known[0])) or (len(names) > 1 and all(known)):
        found = f"{n_columns} columns under {len(names)} names"
        if n_columns == 2 * len(names) and delimiter == ",":
            found += " (a decimal comma? part the columns by semicolons then)"
        file.fail("a name for each column", found)


def _require_frequency_first(file: FortranFile, names: list[str], *, comment: bool) -> None:
    is_frequency = [bool(_FREQUENCY.search(_bare(name)) and not _ALPHA2F.match(name)) for name in names]
    swapped = not is_frequency[0] and any(is_frequency[1:]) and unit_named(names[0]) is None
    if swapped or (not comment and (not names[0] or _ALPHA2F.match(names[0]))):
        file.fail("the frequency in the first column", f"the names {', '.join(map(repr, names))}")


def _bare(name: str) -> str:
    return re.sub(_BRACKETS, "", name)


def alpha2f_column(names: list[list[str] | None]) -> int | None:
    """Find the first column that is called a2F, counted from 1 after the frequency; None if none is.

    Parameters
    ----------
    names : list of (list of str or None)
        From :func:`column_names`.
    """
    every = (index for line in names if line for index, name in enumerate(line) if index and _ALPHA2F.match(name))
    return next(every, None)


def frequency_unit(file: FortranFile, header: list[HeaderLine], names: list[list[str] | None]) -> str | None:
    """Read the unit that a header gives to the first column: by the column's name, else in prose about frequencies.

    Parameters
    ----------
    file : FortranFile
        The file, to locate errors in.
    header : list of HeaderLine
        The lines.
    names : list of (list of str or None)
        From :func:`column_names`.

    Returns
    -------
    str or None
        A key of :data:`UNITS_MEV`; None if nothing is said.

    Raises
    ------
    ParseError
        If the unit is unknown or angular, or there are several.
    """
    found = {_known(file, one, line[0]) for line in names if line for one in _stated_in_name(line[0])}
    if not found:
        prose = [line.text for line, those in zip(header, names, strict=True) if not those]
        found = {_known(file, one, text) for text in prose for one in _stated_in_prose(text)}
    if not found and any(_ANGULAR.search(line.text) for line in header):
        _fail_to_convert(file, "an angular frequency without one of them")
    if len(found) > 1:
        file.fail(f"one unit of frequency among {', '.join(UNITS_MEV)} in the header", " and ".join(sorted(found)))
    return found.pop() if found else None


def _known(file: FortranFile, stated: str, text: str) -> str:
    unit = unit_named(stated)
    if unit is None or (unit == "THz" and _ANGULAR.search(text)):
        _fail_to_convert(file, repr(text.strip() if unit else stated))
    return unit


def _fail_to_convert(file: FortranFile, found: str) -> NoReturn:
    file.advice = "convert the frequencies, or give their unit with --unit"
    file.fail(f"a unit of frequency among {', '.join(UNITS_MEV)} (THz of cycles, not of radians)", found)


def _stated_in_name(name: str) -> list[str]:
    """What a name has in brackets or after 'in'; else its last part, after an underscore or a blank."""
    if unit_named(name):
        return [name]
    stated = [match[1] or match[2] for match in re.finditer(f"{_BRACKETS}|{_IN}", name)]
    return stated or [part for part in re.split(r"[\s_]+|(?<!1)/", name)[1:] if _LIKE_A_UNIT.fullmatch(part)]


def _stated_in_prose(text: str) -> list[str]:
    if unit_named(text.strip("()")):
        return [text.strip("()")]
    found = []
    for brackets, after_in, word in _ATTACHED.findall(text):
        # of the words that only follow a frequency, K and Ha are too common to be taken for units
        found += [brackets or after_in] if not word else [word] if unit_named(word) not in (None, "K", "Ha") else []
    return found
