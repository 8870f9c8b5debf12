"""What epw.x finds in its folder: phonons and potentials under its own names, and large files without a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from hightc.makers.errors import StagingError
from hightc.makers.qe.epw_inputs import SAVE_DIRECTORY
from hightc.makers.qe.inputs import OUTDIR, PREFIX
from hightc.makers.qe.phonon_inputs import FILDVSCF, FILDYN, PHONONS, response_folder

WAVEFUNCTIONS = f"{OUTDIR}/{PREFIX}.save/wfc*"
ADVICE = "the folder was cleaned; run that step again (hightc lpad rerun_fws)"


def collect_phonons(phonons: Path, n_q: int) -> None:
    """Put dynamical matrices, potentials and patterns of ph.x under the names that epw.x reads.

    Parameters
    ----------
    phonons
        Folder of ph.x, or of its joined runs.
    n_q
        Irreducible q points.

    Raises
    ------
    StagingError
        If something is missing.
    """
    target = Path(SAVE_DIRECTORY)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for number in range(1, n_q + 1):
        folder = response_folder(phonons, number)
        _copy(phonons / f"{FILDYN}{number}", target / f"{PREFIX}.dyn_q{number}")
        _copy(folder / f"{PREFIX}.{FILDVSCF}1", target / f"{PREFIX}.dvscf_q{number}")
        augmentation = folder / f"{PREFIX}.{FILDVSCF}_paw1"
        if augmentation.is_file():
            _copy(augmentation, target / f"{PREFIX}.dvscf_paw_q{number}")
    _copy(phonons / PHONONS / f"{PREFIX}.phsave", target / f"{PREFIX}.phsave")


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        msg = f"{source}: expected what ph.x left, found nothing: {ADVICE}"
        raise StagingError(msg)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def link(previous: Path, names: Iterable[str]) -> None:
    """Let large files and folders of an earlier step appear in the current folder without a copy.

    Parameters
    ----------
    previous
        Folder of the earlier step.
    names
        Files and folders in it, which the next program only reads.

    Raises
    ------
    StagingError
        If something is missing.
    """
    for name in names:
        source, target = previous / name, Path(name)
        if not source.exists():
            msg = f"{source}: expected it of the step before, found nothing: {ADVICE}"
            raise StagingError(msg)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.is_dir():
            shutil.rmtree(target)
        target.symlink_to(source.absolute())


def drop_scratch(folder: Path) -> None:
    """Remove the copies of wavefunctions that epw.x spread over its processes, and their overlaps.

    Parameters
    ----------
    folder
        Folder of the run.
    """
    for path in ((folder / OUTDIR).glob(f"{PREFIX}.wfc*"), folder.glob(f"{PREFIX}.mmn")):
        for file in path:
            file.unlink()


def require_wavefunctions(folder: Path) -> None:
    """Refuse a folder whose wavefunctions are gone: epw.x would only say that it cannot open a file.

    Parameters
    ----------
    folder
        Folder of the Wannier functions.

    Raises
    ------
    StagingError
        If there is none.
    """
    if not any(folder.glob(WAVEFUNCTIONS)):
        msg = f"{folder / OUTDIR}: expected wavefunctions of the uniform mesh, found none: {ADVICE}"
        raise StagingError(msg)
