"""One way a program of Quantum ESPRESSO fails, as the table of failures tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Failure:
    """One way a program fails.

    Attributes
    ----------
    code
        Short name, stored with every correction.
    programs
        Programs that fail so.
    symptom
        How it shows in the output.
    remedy
        What the handler changes, in the order it tries; "none" if nothing can be mended.
    tries
        How often it tries; 0 if nothing can be mended.
    physics
        What the remedy changes in the result; empty if nothing.
    advice
        What the user can do when the remedy is spent.
    error
        Regular expression, upper and lower case alike, of the program's own error message; None where the failure
        shows otherwise.
    ladder
        Values of the input's namelists that each try sets; empty where they depend on the run.
    """

    code: str
    programs: tuple[str, ...]
    symptom: str
    remedy: str
    tries: int
    advice: str
    physics: str = ""
    error: str | None = None
    ladder: tuple[Mapping[str, Mapping[str, Any]], ...] = ()
