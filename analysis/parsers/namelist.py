"""Fortran namelists."""

from __future__ import annotations

import re
from typing import Final

from hightc.analysis.parsers.fortran import FortranFile, read_number

Value = bool | int | float | str

HEAD: Final = re.compile(r"\s*&([A-Za-z]\w*)\s*(.*)$")
"""The line that opens a namelist: its name, and what follows."""

_TOKEN: Final = re.compile(
    r"(?P<key>[A-Za-z][\w%]*(?:\s*\([^)]*\))?)\s*="
    r"|(?P<string>'(?:[^']|'')*'|\"[^\"]*\")"
    r"|(?P<end>/)|(?P<comment>!)|(?P<comma>,)"
    r"|(?P<word>[^\s,'\"/!=]+)|(?P<open>\S)"
)


def read_namelist(file: FortranFile, name: str, rest: str) -> dict[str, Value]:
    """Read a namelist from behind ``&name`` to its closing slash.

    Parameters
    ----------
    file : FortranFile
        The file, after the opening line.
    name : str
        Name of the namelist, for errors.
    rest : str
        What follows the name in the opening line.

    Returns
    -------
    dict
        Values by the keywords in lower case, indices included: ``celldm(1)``. Further values of a list get the next
        indices: ``nk = 1, 2`` gives ``nk`` and ``nk(2)``.

    Raises
    ------
    ParseError
        If the namelist does not end, a keyword stands twice, or a value is none.
    """
    values: dict[str, Value] = {}
    key = ""
    while True:
        for match in _TOKEN.finditer(rest):
            if match.lastgroup == "comment":
                break
            if match.lastgroup == "end":
                return values
            if match.lastgroup == "key":
                key = re.sub(r"\s", "", match["key"]).lower()
                if key in values:
                    file.fail(f"each keyword once in &{name}", f"{key} again")
            elif match.lastgroup == "open":
                file.fail(f"the end of a string in &{name}", repr(rest.strip()))
            elif match.lastgroup != "comma":
                if not key:
                    file.fail(f"'keyword = value' in &{name}", repr(match[0]))
                for value in _read_values(file, key, match[0]):
                    values[_free_key(values, key)] = value
        rest = file.read_line(f"'/' at the end of &{name}")
        if HEAD.match(rest):
            file.fail(f"'/' at the end of &{name}", repr(rest.strip()))


def _free_key(values: dict[str, Value], key: str) -> str:
    """Return the keyword, or the next index of an array that is given as a list."""
    if key not in values:
        return key
    match = re.fullmatch(r"(.+)\((\d+)\)", key)
    stem, count = (match[1], int(match[2]) + 1) if match else (key, 2)
    while f"{stem}({count})" in values:
        count += 1
    return f"{stem}({count})"


def _read_values(file: FortranFile, key: str, text: str) -> list[Value]:
    """Read a Fortran constant, or one with the times that it is repeated (``3*0.5``)."""
    if text[0] in "'\"":
        return [text[1:-1].replace("''", "'")]
    repeated = re.fullmatch(r"(\d+)\*(\S+)", text)
    times, text = (int(repeated[1]), repeated[2]) if repeated else (1, text)
    if re.fullmatch(r"\.?(t|true|f|false)\.?", text, re.IGNORECASE):
        return [text.strip(".").lower().startswith("t")] * times
    if re.fullmatch(r"[+-]?\d+", text):
        return [int(text)] * times
    number = read_number(text)
    return [file.fail(f"a value of {key}", repr(text)) if number is None else number] * times
