"""What ph.x prints: which q points it had and which it finished."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError
from hightc.analysis.parsers.printed_text import PrintedText

_ADVICE = "the run was cut; run ph.x again from that q point (start_q)"


@dataclass(frozen=True, slots=True, eq=False)
class PhononRun:
    """What the text output of ph.x says about the q points.

    Attributes
    ----------
    code_version : str
        For example ``6.7MaX``.
    q_cartesian : ndarray (nq, 3)
        The q points of the run, in units of 2 pi/alat. A recovered run prints no list: those that
        it reached.
    finished : tuple of bool
        Whether this output diagonalised the dynamical matrix of each. A recovered run leaves out
        what an earlier one finished, so only the union over the outputs of a case counts.
    coupled : tuple of bool
        Whether this output also printed the electron-phonon coupling of each.
    job_done : bool
        Whether "JOB DONE" stands at the end.
    """

    code_version: str
    q_cartesian: NDArray[np.float64]
    finished: tuple[bool, ...]
    coupled: tuple[bool, ...]
    job_done: bool


def read_ph_out(path: str | Path) -> PhononRun:
    """Read which q points a run of ph.x had and which it finished; a cut output is a legitimate one.

    Parameters
    ----------
    path : str or Path
        The text output of ph.x.

    Returns
    -------
    PhononRun
        Flags in the order of the q list.

    Raises
    ------
    ParseError
        If the output ends before ph.x named a q point.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise MissingOutputError(path, None, "a file", "none", "ph.x never started") from None
    banner = re.search(r"Program PHONON v\.(\S+) starts", text)
    sections = [(_section_q(section), section) for section in text.split("Calculation of q =")[1:]]
    visited = [(q, section) for q, section in sections if q is not None]
    announced, listed = _listed_q(text)
    q_points = listed or [q for q, _ in visited]
    if banner is None or not q_points or len(listed) != announced:
        line = text.count("\n") + 1
        expected, found = f"the list of {announced or 'all'} q points", f"{len(listed)} q points"
        raise IncompleteOutputError(path, line, expected, found, _ADVICE)
    finished, coupled = [False] * len(q_points), [False] * len(q_points)
    for q, section in visited:
        index = int(np.abs(np.array(q_points) - q).max(axis=1).argmin())
        finished[index] |= re.search(r"freq \(.*\n\s*\*{70,}\s*\n", section) is not None
        coupled[index] |= re.search(r"Gaussian Broadening[\s\S]*gamma=.*GHz\n\s*\n", section) is not None
    return PhononRun(banner[1], np.array(q_points), tuple(finished), tuple(coupled), "JOB DONE." in text)


def read_ph_output(path: str | Path) -> PhononRun:
    """Read the text output of a run of ph.x that came to its end; `read_ph_out` also takes one that did not.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    ParseError
        If the file is missing, no output of ph.x, cut before "JOB DONE", or the run stopped itself with an error.
    """
    file = PrintedText(path, "the run was cut; go on at its first unfinished q point, or read it with read_ph_out")
    file.require_banner("PHONON")
    file.require_job_done()
    return read_ph_out(path)


def _listed_q(text: str) -> tuple[int, list[list[float]]]:
    """Return how many q points the list at the top announces, and those that stand there."""
    row = r"\s*\d+((?:[ \t]+-?\d+\.\d{9}){3})[ \t]*\n"
    head = re.search(rf"\(\s*(\d+) q-points\):[ \t]*\n.*xq\(1\).*\n((?:{row})*)", text)
    if head is None:
        return 0, []
    return int(head[1]), [[float(part) for part in numbers.split()] for numbers in re.findall(row, head[2])]


def _section_q(section: str) -> list[float] | None:
    """Return the q point at the start of a section; None if the output was cut there."""
    match = re.match(r"((?:[ \t]+-?\d+\.\d{7}){3})[ \t]*\n", section)
    return [float(part) for part in match[1].split()] if match else None
