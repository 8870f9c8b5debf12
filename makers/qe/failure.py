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
    errors
        Regular expressions, upper and lower case alike, one for each error message of the program itself.
    routine
        Regular expression of the routines whose error message it must be; None if any.
    printed
        Regular expressions of what the program prints without calling it an error.
    system
        Regular expressions, upper and lower case alike, of what the system says on standard error or in the error
        message.
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
    errors: tuple[str, ...] = ()
    routine: str | None = None
    printed: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    ladder: tuple[Mapping[str, Mapping[str, Any]], ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """Every text it is recognised by; empty where only the state of the run tells."""
        return (*self.errors, *self.printed, *self.system)
