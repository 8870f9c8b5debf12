"""Error handlers of q2r.x and matdyn.x."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hightc.makers.qe.failures import ELPH_FILES, MATDYN_NAN
from hightc.makers.qe.handlers_base import FailureHandler, Run

ON_SITE = re.compile(r"^( *(\d+) +\2 +(\d+) +\3 *\n *1 +1 +1 +)(\S+)$", re.MULTILINE)
"""First line of a block of equal directions and equal atoms: the constant of an atom with itself."""

SHIFTS_RY_BOHR2 = (16.0, 64.0)
"""What the on-site constants are raised by: the spacing of floating-point numbers is 4e-15 or more there, 1e-17 among
the others. So what the sum rule sets is a multiple of the former, and the sum that it should cancel is not."""


class ElphFilesHandler(FailureHandler):
    """Nothing mends coupling that ph.x did not leave: say so at once."""

    failure = ELPH_FILES


class MatdynNanHandler(FailureHandler):
    """Other roundings at Gamma where matdyn.x divided by a frequency of exactly zero.

    Its tetrahedra weigh every vertex by 1/omega, Gamma included: a2F and the density of states of all frequencies are
    NaN if the sum rule cancels to the last bit there, as it can in a cubic crystal of one atom. With asr = 'simple' the
    diagonal on-site constants are set to minus the sum of the others, so their own values count only in the rounding.
    """

    failure = MATDYN_NAN

    def matches(self, run: Run) -> bool:
        """Whether the density of states of a run that ended well is NaN."""
        if not run.end.succeeded:
            return False
        name = run.namelists().get("input", {}).get("fldos")
        path = run.input.parent / str(name)
        return bool(name) and path.is_file() and "nan" in path.read_text(encoding="utf-8").lower()

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Raise the on-site constants; nothing can be done where another sum rule would keep the change."""
        run = Run(directory, self.stem)
        values, told = run.namelists()["input"], {"errors": [self.failure.code]}
        if values.get("asr") != "simple" or self.n_applied_corrections >= len(SHIFTS_RY_BOHR2):
            return {**told, "actions": None}
        shift = SHIFTS_RY_BOHR2[self.n_applied_corrections]
        name = str(values["flfrc"])
        raise_on_site_constants(run.input.parent / name, shift)
        return {**told, "actions": [f"{name}: on-site constants raised by {shift:g} Ry/bohr^2 before the sum rule"]}


def raise_on_site_constants(path: Path, shift_ry_bohr2: float) -> None:
    """Add a number to the diagonal force constant of each atom with itself.

    Parameters
    ----------
    path
        File of q2r.x (flfrc), rewritten.
    shift_ry_bohr2
        What is added.
    """
    text = path.read_text(encoding="utf-8")
    path.write_text(
        ON_SITE.sub(lambda found: f"{found[1]}{float(found[4]) + shift_ry_bohr2!r}", text), encoding="utf-8"
    )
