"""Errors of the calculations.

    CalculationError
    ├── RecipeError                a number or a mesh that cannot work
    ├── PseudopotentialError       missing, ambiguous, damaged or for another element
    ├── ProgramNotFoundError       a program that is not installed
    ├── ScratchError               no room to run in
    ├── StagingError               a file of an earlier step that is gone
    └── ProgramFailedError         a program ended without its result
        └── OutOfTimeError         it stopped cleanly because the job of the queue ends: another job goes on

Every message says what, where, expected, found and the next step.
"""

from __future__ import annotations

from collections.abc import Iterable

OUT_OF_TIME = "out_of_time"
"""Key under which FireWorks stores that a step only lacked time."""


class CalculationError(Exception):
    """A calculation that cannot start or did not succeed."""


class RecipeError(CalculationError):
    """A number of the recipe that cannot work."""


class PseudopotentialError(CalculationError):
    """A pseudopotential that is missing, ambiguous, damaged or for another element."""


class ProgramNotFoundError(CalculationError):
    """A program that is not installed where the settings say."""


class ScratchError(CalculationError):
    """A scratch file system without room for the run."""


class StagingError(CalculationError):
    """A file of an earlier step that is not where it was left."""


class ProgramFailedError(CalculationError):
    """A program that ended without its result.

    Attributes
    ----------
    codes
        Codes of the known failures that were seen; empty if none was.
    """

    def __init__(self, message: str, codes: Iterable[str] = ()) -> None:
        """Keep the message, and what is known of the reason.

        Parameters
        ----------
        message
            What, where, expected, found and the next step.
        codes
            Codes of the known failures that were seen.
        """
        super().__init__(message)
        self.codes = tuple(codes)


class OutOfTimeError(ProgramFailedError):
    """A program that stopped cleanly because the job of the queue it ran in ends: another job can go on from there."""

    def to_dict(self) -> dict[str, object]:
        """What FireWorks stores of it, by which the step is known to be unfinished and not failed."""
        return {OUT_OF_TIME: True}
