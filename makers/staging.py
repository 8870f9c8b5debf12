"""Files that one step takes over from an earlier one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from hightc.analysis.files import write_text
from hightc.makers.errors import StagingError

MARKER = "staged.txt"


def stage(previous_directory: str | Path, names: Iterable[str]) -> bool:
    """Copy files and folders of an earlier step into the current folder, once.

    A marker written last lists what was copied, so that a step which is run again after a kill keeps what it has
    computed since, and one whose earlier step was computed anew starts from the new files.

    Parameters
    ----------
    previous_directory
        Folder of the earlier step.
    names
        Files and folders in it; a pattern such as ``dyn*`` stands for all that match.

    Returns
    -------
    bool
        False if the folder had been staged before and nothing was copied.

    Raises
    ------
    StagingError
        If something is missing.
    """
    source, here = Path(previous_directory), Path.cwd()
    found = [match for name in names for match in _matches(source, name)]
    marker = here / MARKER
    content = _manifest(source, found)
    if marker.is_file() and marker.read_text(encoding="utf-8") == content:
        return False
    marker.unlink(missing_ok=True)
    for match in found:
        target = here / match.relative_to(source)
        if match.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(match, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(match, target)
    write_text(marker, content)
    return True


def _matches(source: Path, name: str) -> list[Path]:
    matches = sorted(source.glob(name))
    if not matches:
        msg = (
            f"{source}: expected {name} of the step before, found nothing: the folder was cleaned; "
            "run that step again: hightc lpad rerun_fws, then hightc run with HIGHTC_REUSE=false"
        )
        raise StagingError(msg)
    return matches


def _manifest(source: Path, found: Iterable[Path]) -> str:
    """Source and every file in it with size and time: a step that ran again makes another one."""
    paths = [path for match in found for path in ([match] if match.is_file() else sorted(match.rglob("*")))]
    files = [(path.relative_to(source), path.stat()) for path in paths if path.is_file()]
    return "\n".join((str(source), *(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files)))
