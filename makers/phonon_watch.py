"""Stops ph.x at the first unstable q point: what it would compute after that changes no verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from custodian.custodian import ErrorHandler

from hightc.analysis.acoustic_sum_rule import apply_sum_rule
from hightc.analysis.parsers.dynamical_matrix import read_gamma_matrix
from hightc.analysis.parsers.ph import QPoint, read_finished_q
from hightc.analysis.stability import StabilityVerdict, find_imaginary_modes
from hightc.makers.qe.inputs import PREFIX
from hightc.makers.qe.phonon_inputs import FILDYN

STOP_FILE = f"{PREFIX}.EXIT"
"""Quantum ESPRESSO 6.7 stops where it finds this file in the folder it was started in, removes it, and returns 1."""

WATCH_SECONDS = 1.0
"""How often to look for a new q point."""


def judge(directory: Path, q_points: Mapping[int, QPoint]) -> StabilityVerdict:
    """Verdict on computed q points, Gamma with the acoustic sum rule.

    Parameters
    ----------
    directory
        Folder of their files.
    q_points
        By their number, at least one; ph.x gives Gamma the number 1.

    Raises
    ------
    ParseError
        If the matrix at Gamma cannot be read.
    """
    gamma = apply_sum_rule(read_gamma_matrix(directory / f"{FILDYN}1")) if 1 in q_points else None
    return find_imaginary_modes(list(q_points.values()), gamma=gamma)


def is_unstable(directory: Path) -> bool:
    """Whether a finished q point in a folder has an imaginary mode beyond its threshold.

    Parameters
    ----------
    directory
        Folder in which ph.x runs or ran.
    """
    finished, _ = read_finished_q(directory, FILDYN)
    return bool(finished) and judge(directory, finished).status == "unstable"


class UnstableMonitor(ErrorHandler):
    """Asks a running ph.x to stop as soon as a finished q point is unstable.

    ph.x looks for the request between iterations; it is made again if ph.x was started anew. This is no error:
    custodian is told of none.
    """

    is_monitor = True
    is_terminating = False

    def __init__(self) -> None:
        """Start without having seen any q point."""
        self._seen: set[tuple[str, int]] = set()
        self._unstable = False

    def check(self, directory: str = "./") -> bool:
        """Look at the q points, and make the request where one is unstable; never an error."""
        folder = Path(directory)
        sizes = {(path.name, path.stat().st_size) for path in folder.glob(f"{FILDYN}*")}
        if sizes != self._seen:
            self._seen, self._unstable = sizes, is_unstable(folder)
        if self._unstable:
            (folder / STOP_FILE).touch()
        return False

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Nothing: there is never an error."""
        return {"errors": [], "actions": None}
