"""Where an interrupted ph.x goes on: at the start of its first unfinished q point.

ph.x can also take up a q point in the middle (``recover``), but its answer is then not to be trusted: Quantum ESPRESSO
6.7 takes bands for finished that a stop cut short, and ends without complaint with frequencies of fcc Al that are wrong
by 30 meV. Files that it was writing when it was killed stop it altogether.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hightc.analysis.files import write_text
from hightc.analysis.parsers.ph import read_finished_q
from hightc.makers.qe.inputs import PREFIX
from hightc.makers.qe.phonon_inputs import FILDYN, PHONONS

Q_RANGE = "ph.q_range"
"""File with the first and last q point of a run that has only a part of them."""


def clear_unfinished_q(directory: Path) -> int:
    """Remove what unfinished q points left, and say from which q point to start.

    Files of finished q points stay. ph.x would read the density of an unfinished one even if it was cut.

    Parameters
    ----------
    directory
        Folder of the run.

    Returns
    -------
    int
        Number of the q point, counted from 1; the last one is done again where all are finished.
    """
    finished, total = read_finished_q(directory, FILDYN)
    first, last = q_range(directory)
    last = min(last or total, total)
    start = next((q for q in range(first, last + 1) if q not in finished), max(first, last))
    if start == first:
        discard_phonons(directory)
    for folder in (directory / PHONONS).glob(f"{PREFIX}.q_*"):
        if int(folder.name.rpartition("_")[2]) >= start:
            shutil.rmtree(folder)
    return start


def q_range(directory: Path) -> tuple[int, int | None]:
    """First and last q point of a run; (1, None) where it has them all.

    Parameters
    ----------
    directory
        Folder of the run.
    """
    path = directory / Q_RANGE
    if not path.is_file():
        return 1, None
    first, last = path.read_text(encoding="utf-8").split()
    return int(first), int(last)


def write_q_range(directory: Path, first: int, last: int) -> None:
    """Say which q points a run has, for whoever continues it.

    Parameters
    ----------
    directory
        Folder of the run.
    first, last
        Numbers of the q points, counted from 1.
    """
    write_text(directory / Q_RANGE, f"{first} {last}\n")


def discard_phonons(directory: Path) -> None:
    """Remove all that earlier runs left.

    Parameters
    ----------
    directory
        Folder of the run.
    """
    shutil.rmtree(directory / PHONONS, ignore_errors=True)
    shutil.rmtree(directory / "elph_dir", ignore_errors=True)
    for path in directory.glob(f"{FILDYN}*"):
        path.unlink()
