"""Where an interrupted ph.x goes on: at its first unfinished q point.

ph.x can also take up a q point in the middle (``recover``), but only after a stop of its own making: files that it was
writing when it was killed stop it, and a response that is taken up half-converged may diverge at the next q.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hightc.analysis.parsers.ph import count_finished_q
from hightc.makers.qe.inputs import FILDYN, OUTDIR


def first_unfinished_q(directory: Path) -> int:
    """Number of the q point to start from; the last one is done again where all are finished.

    Parameters
    ----------
    directory
        Folder of the run.
    """
    finished, total = count_finished_q(directory, FILDYN)
    return max(1, min(finished + 1, total))


def discard_phonons(directory: Path) -> None:
    """Remove what a run of another input left.

    Parameters
    ----------
    directory
        Folder of the run.
    """
    shutil.rmtree(directory / OUTDIR / "_ph0", ignore_errors=True)
    shutil.rmtree(directory / "elph_dir", ignore_errors=True)
    for path in directory.glob(f"{FILDYN}*"):
        path.unlink()
