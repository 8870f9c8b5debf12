"""Where an interrupted ph.x goes on: at the start of its first unfinished q point.

ph.x can also take up a q point in the middle (``recover``), but its answer is then not to be trusted: Quantum ESPRESSO
6.7 takes bands for finished that a stop cut short, and ends without complaint with frequencies of fcc Al that are wrong
by 30 meV. Files that it was writing when it was killed stop it altogether.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hightc.analysis.parsers.ph import count_finished_q
from hightc.makers.qe.inputs import FILDYN, OUTDIR, PREFIX


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
    finished, total = count_finished_q(directory, FILDYN)
    first = max(1, min(finished + 1, total))
    if first == 1:
        discard_phonons(directory)
    for folder in (directory / OUTDIR / "_ph0").glob(f"{PREFIX}.q_*"):
        if int(folder.name.rpartition("_")[2]) >= first:
            shutil.rmtree(folder)
    return first


def discard_phonons(directory: Path) -> None:
    """Remove all that earlier runs left.

    Parameters
    ----------
    directory
        Folder of the run.
    """
    shutil.rmtree(directory / OUTDIR / "_ph0", ignore_errors=True)
    shutil.rmtree(directory / "elph_dir", ignore_errors=True)
    for path in directory.glob(f"{FILDYN}*"):
        path.unlink()
