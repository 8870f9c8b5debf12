"""What a calculation depends on, as one digest: equal keys mean that one run answers for both.

Counted are program and version, the numbers of the input however they are spelt, pseudopotentials by their content and
the keys of the steps whose files are taken over. Not counted are folders, time limits and processes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ase.io.espresso import read_fortran_namelist

from hightc.analysis.documents.base import Pseudopotential

SCHEME = 2
"""Raised when the meaning of keys changes, so that no run of the old meaning is taken over."""

MACHINE_DEPENDENT = frozenset({"pseudo_dir", "outdir", "wfcdir", "max_seconds"})
"""Names in namelists that say where and how long a program runs, not what it computes."""

CARD_DECIMALS = 8
"""Decimals of cells and positions, in Angstrom or fractions: the last bits of a symmetry operation do not count."""

NAMELIST_DIGITS = 12


@dataclass(frozen=True)
class Calculation:
    """One run of a program, as far as its result depends on it.

    Attributes
    ----------
    program
        Name of the program, for example pw.
    input_text
        Its input for a run from the beginning, whatever an interrupted run left.
    outputs
        Files and folders, or patterns, that whoever takes the run over needs; the text output is added.
    along
        Those that are taken over where they are still there.
    upstream
        Keys of the steps whose files it reads; None for one that is not known.
    name
        Stem of its input and output; the program's name if None.
    """

    program: str
    input_text: str
    outputs: tuple[str, ...]
    along: tuple[str, ...] = ()
    upstream: tuple[str | None, ...] = ()
    name: str | None = None

    @property
    def stem(self) -> str:
        """Stem of its input and output."""
        return self.name or self.program


def content_key(
    calculation: Calculation, pseudopotentials: Sequence[Pseudopotential], code_version: str | None
) -> str | None:
    """SHA-256 of everything the result depends on; None if some of it is not known.

    Parameters
    ----------
    calculation
        The calculation.
    pseudopotentials
        Files it uses, by content.
    code_version
        Version of the program as installed; None if it is not known.
    """
    if code_version is None or None in calculation.upstream:
        return None
    content = {
        "scheme": SCHEME,
        "program": calculation.program,
        "code_version": code_version,
        **canonical_input(calculation.input_text, pseudopotentials),
        "pseudopotentials": {item.element: item.sha256 for item in pseudopotentials},
        "upstream": calculation.upstream,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def canonical_input(text: str, pseudopotentials: Iterable[Pseudopotential] = ()) -> dict[str, Any]:
    """Namelists and cards of an input without what depends on the machine or on how numbers are spelt.

    Parameters
    ----------
    text
        Input of any program of Quantum ESPRESSO.
    pseudopotentials
        Files whose names stand in the cards; their digests are put in their place.

    Returns
    -------
    dict
        ``namelists`` and ``cards``, of JSON values.
    """
    digests = {item.filename: item.sha256 for item in pseudopotentials}
    namelists, cards = read_fortran_namelist(io.StringIO(text[text.index("&") :]))
    return {
        "namelists": {
            str(name).lower(): {
                str(key).lower(): _value(value) for key, value in values.items() if key not in MACHINE_DEPENDENT
            }
            for name, values in namelists.items()
        },
        "cards": [[_token(digests.get(token, token)) for token in line.split()] for line in cards if line.strip()],
    }


def _value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value:.{NAMELIST_DIGITS}g}"


def _token(token: str) -> str:
    try:
        number = float(token)
    except ValueError:
        return token
    return f"{round(number, CARD_DECIMALS) + 0.0:.{CARD_DECIMALS}f}"
