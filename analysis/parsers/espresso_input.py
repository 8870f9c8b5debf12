"""Input files of pw.x, ph.x, q2r.x, matdyn.x and epw.x: namelists, and the cards or rows after them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.namelist import HEAD, Value, read_namelist

_ADVICE = "the file was cut, or never ended its last line; write it again"
_CARDS: Final = frozenset(
    {
        "ATOMIC_SPECIES",
        "ATOMIC_POSITIONS",
        "K_POINTS",
        "CELL_PARAMETERS",
        "OCCUPATIONS",
        "CONSTRAINTS",
        "ATOMIC_FORCES",
        "ATOMIC_VELOCITIES",
        "ADDITIONAL_K_POINTS",
        "SOLVENTS",
        "HUBBARD",
    }
)
_PROGRAMS: Final[Mapping[str, str]] = {"control": "pw", "inputph": "ph", "inputepw": "epw", "inputpp": "pp"}


@dataclass(frozen=True, slots=True)
class Card:
    """One card of an input of pw.x, or the bare rows after the namelist of another program.

    Attributes
    ----------
    name : str
        In capitals; empty for bare rows.
    option : str
        What follows the name, without braces; empty if nothing does.
    rows : tuple of str
        The lines, without comments and blank ones.
    lines : tuple of int
        Where each stands, from 1.
    """

    name: str
    option: str
    rows: tuple[str, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EspressoInput:
    """An input file.

    Attributes
    ----------
    program : str
        "pw", "ph", "epw", "pp", or "q2r or matdyn", which share the name of their namelist.
    title : str
        The lines before the first namelist.
    namelists : dict of dict
        Values by the keywords in lower case, indices included: ``celldm(1)``.
    cards : dict of Card
        By name; bare rows under "".
    """

    program: str
    title: str
    namelists: dict[str, dict[str, Value]]
    cards: dict[str, Card]


def read_espresso_input(path: str | Path) -> EspressoInput:
    """Read an input file and see that it is whole.

    Parameters
    ----------
    path : str or Path
        The file. Comments begin with ``!`` (in cards also with ``#``).

    Returns
    -------
    EspressoInput
        Strings without quotes, numbers and logicals as such; rows as text.

    Raises
    ------
    ParseError
        If there is no namelist or one does not end, a value is none, or a card that the namelists call for is
        missing or has fewer rows than they or its own first row announce.
    """
    file = FortranFile(path, _ADVICE)
    title: list[str] = []
    namelists: dict[str, dict[str, Value]] = {}
    while not file.at_end and (not namelists or HEAD.match(_next_filled(file))):
        line = file.read_filled_line("a namelist")
        head = HEAD.match(line)
        if head is None:
            title.append(line.strip())
        else:
            namelists[head[1].lower()] = read_namelist(file, head[1].lower(), head[2])
    if not namelists:
        file.position = len(file.lines)
        file.fail("a namelist, '&...'", "none", IncompleteOutputError)
    program = next((_PROGRAMS[name] for name in namelists if name in _PROGRAMS), "q2r or matdyn")
    content = EspressoInput(program, "\n".join(title), namelists, _read_cards(file, has_names=program == "pw"))
    _CHECKS.get(program, _check_rows)(file, content)
    return content


def _next_filled(file: FortranFile) -> str:
    """Return the next line that is neither blank nor a comment, and stay before it."""
    while file.position < len(file.lines) and re.match(r"\s*(!|$)", file.lines[file.position]):
        file.position += 1
    return file.lines[file.position] if file.position < len(file.lines) else ""


def _read_cards(file: FortranFile, *, has_names: bool) -> dict[str, Card]:
    """Read what follows the namelists."""
    cards: dict[str, Card] = {}
    name, option, rows, lines = "", "", list[str](), list[int]()
    while not file.at_end:
        text = re.split(r"[!#]", file.read_filled_line("a card"), maxsplit=1)[0].strip()
        if not text:
            continue
        word = text.split()[0].upper()
        if has_names and re.match(r"\w+", word) and re.split(r"\W", word)[0] in _CARDS:
            if name or rows:
                cards[name] = Card(name, option, tuple(rows), tuple(lines))
            name = re.split(r"\W", word)[0]
            option = text[len(name) :].strip(" {}()\t").lower()
            rows, lines = [], []
        else:
            rows.append(text)
            lines.append(file.position)
    if name or rows:
        cards[name] = Card(name, option, tuple(rows), tuple(lines))
    return cards


def _require_rows(file: FortranFile, card: Card, count: int, fields: int, what: str) -> None:
    """Fail unless a card has a number of rows with at least so many fields each."""
    if len(card.rows) != count:
        file.position = card.lines[-1] if card.lines else len(file.lines)
        error = IncompleteOutputError if len(card.rows) < count else ParseError
        file.fail(f"{count} {what} in {card.name or 'the rows'}", str(len(card.rows)), error)
    for row, line in zip(card.rows, card.lines, strict=True):
        if len(row.split()) < fields:
            file.position = line
            file.fail(f"{fields} fields ({what})", repr(row))


def _check_pw(file: FortranFile, content: EspressoInput) -> None:
    """Look for what pw.x will: three namelists or more, species, positions, k points and, for ibrav = 0, the cell."""
    calculation = content.namelists["control"].get("calculation", "scf")
    moving = ["ions"] if calculation in {"relax", "md", "vc-relax", "vc-md"} else []
    moving += ["cell"] if calculation in {"vc-relax", "vc-md"} else []
    system = content.namelists.get("system", {})
    needed = ["ATOMIC_SPECIES", "ATOMIC_POSITIONS", "K_POINTS"]
    needed += ["CELL_PARAMETERS"] if system.get("ibrav") == 0 else []
    needed += ["OCCUPATIONS"] if system.get("occupations") == "from_input" else []
    found = [*content.namelists, *content.cards]
    for name in ["system", "electrons", *moving, *needed]:
        if name not in found:
            file.position = len(file.lines)
            file.fail(name if name.isupper() else f"&{name}", f"only {', '.join(found)}", IncompleteOutputError)
    _require_rows(file, content.cards["ATOMIC_SPECIES"], _declared(file, system, "ntyp"), 3, "species")
    _require_rows(file, content.cards["ATOMIC_POSITIONS"], _declared(file, system, "nat"), 4, "atoms")
    if "CELL_PARAMETERS" in content.cards:
        _require_rows(file, content.cards["CELL_PARAMETERS"], 3, 3, "lattice vectors")
    _check_k_points(file, content.cards["K_POINTS"])


def _declared(file: FortranFile, system: dict[str, Value], key: str) -> int:
    value = system.get(key)
    return value if isinstance(value, int) else file.fail(f"{key} in &system", repr(value))


def _check_k_points(file: FortranFile, card: Card) -> None:
    if card.option == "gamma":
        _require_rows(file, card, 0, 0, "rows")
    elif card.option == "automatic":
        _require_rows(file, card, 1, 6, "mesh")
    else:
        _check_list(file, card)


def _check_list(file: FortranFile, card: Card) -> None:
    """A row with the number of points, then each point with its weight."""
    if not card.rows or not card.rows[0].isdigit():
        file.position = card.lines[0] if card.lines else len(file.lines)
        file.fail("the number of points", repr(card.rows[0]) if card.rows else "the end", IncompleteOutputError)
    points = Card(card.name, card.option, card.rows[1:], card.lines[1:])
    _require_rows(file, points, int(card.rows[0]), 3 if card.name == "" else 4, "points")


def _check_rows(file: FortranFile, content: EspressoInput) -> None:
    """matdyn.x reads a list of q points unless it makes a density of states; q2r.x without fildyn one of files."""
    values = content.namelists.get("input", {})
    card = content.cards.get("", Card("", "", (), ()))
    if "flfrc" in values and "fildyn" not in values and not values.get("dos", False):
        _check_list(file, card)


def _check_ph(file: FortranFile, content: EspressoInput) -> None:
    """ph.x reads one q point, or a list of them (qplot), unless it makes a mesh."""
    values = content.namelists["inputph"]
    card = content.cards.get("", Card("", "", (), ()))
    if values.get("qplot", False):
        _check_list(file, card)
    elif not values.get("ldisp", False) and values.get("trans", True):
        _require_rows(file, card, 1, 3, "q point")


def _check_nothing(file: FortranFile, content: EspressoInput) -> None:
    """epw.x 5 and pp.x read no rows after their namelist."""


_CHECKS: Final = {"pw": _check_pw, "ph": _check_ph, "epw": _check_nothing, "pp": _check_nothing}
