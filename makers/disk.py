"""What stays on disk of a step whose material has its answer.

Every run leaves a marker that names the files later steps or other campaigns may take over. Of the rest only the
scratch folder of the programs is large, and copies of potentials that epw.x reads in ``save/``:

===========  ==============================================================================================
keep         dropped in ``out/`` and ``save/`` of each step, once nothing of the material is left to do
===========  ==============================================================================================
results      everything but pw.x's summary: wavefunctions, densities, weights of the dense mesh, dvscf and its
             copies, the coupling of Wannier functions (epmatwp), matrix elements of fine meshes (ephmat)
restart      what no later step starts from: wavefunctions of the relaxation, of the dense mesh and of each q,
             the copy that ph.x worked on, recover files, copies of dvscf; kept are the self-consistent run, dvscf,
             wavefunctions of the uniform mesh, epmatwp and ephmat
everything   nothing
===========  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hightc.makers.qe.epw_inputs import SAVE_DIRECTORY
from hightc.makers.qe.inputs import OUTDIR, PREFIX
from hightc.makers.reuse import finished_runs
from hightc.makers.staging import MARKER

Keep = Literal["results", "restart", "everything"]
SUMMARY = "data-file-schema.xml"
PHONONS = "_ph0"
OF_PHONONS = ("*dvscf*", "*.phsave/[!e]*")
"""What later steps read of ph.x: the response of the potential and the patterns, not the matrix elements it summed."""

POTENTIAL_COPIES = f"{SAVE_DIRECTORY}/{PREFIX}.dvscf_*"
"""What epw.x reads under names of its own; a step that runs again copies them anew."""


def drop_scratch(folder: Path, keep: Keep) -> int:
    """Remove scratch files of a material that has finished, in its folder and those below.

    Parameters
    ----------
    folder
        Folder of the material; nothing in it may run any more.
    keep
        What stays.

    Returns
    -------
    int
        Bytes that were freed.
    """
    if keep == "everything":
        return 0
    copies = [path for path in folder.rglob(POTENTIAL_COPIES) if path.is_file() and not path.is_symlink()]
    return sum(_drop(scratch, keep) for scratch in _scratch_folders(folder)) + sum(map(_unlink, copies))


def _scratch_folders(folder: Path) -> list[Path]:
    found = sorted(folder.rglob(Path(OUTDIR).name))
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _drop(scratch: Path, keep: Keep) -> int:
    step = scratch.parent
    named = {step / name for run in finished_runs(step) for files in run.files.values() for name in files}
    if not named and (scratch / PHONONS).is_dir():
        # files of several runs, joined: no run of their own left a marker
        named = {path for pattern in OF_PHONONS for path in (scratch / PHONONS).rglob(pattern)}
    if not named:
        return 0
    freed = 0
    for path in _files(scratch):
        summary = path.name == SUMMARY
        if path in named and (summary or keep == "restart"):
            continue
        freed += _unlink(path)
    if freed:
        # copies of the step before may be among them: a step that runs again stages them anew
        (step / MARKER).unlink(missing_ok=True)
    return freed


def _unlink(path: Path) -> int:
    """Remove a file; the bytes that frees."""
    stat = path.stat()
    path.unlink()
    return stat.st_size if stat.st_nlink == 1 else 0


def held_bytes(folder: Path) -> int:
    """Bytes of all files in a folder; 0 if there is none.

    Parameters
    ----------
    folder
        Any folder.
    """
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
