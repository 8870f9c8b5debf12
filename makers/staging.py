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

    A marker written last says that the copy is complete, so that a step which is run again after a kill keeps what
    it has computed since.

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
    marker = here / MARKER
    if marker.is_file() and marker.read_text(encoding="utf-8") == str(source):
        return False
    for name in names:
        matches = sorted(source.glob(name))
        if not matches:
            msg = (
                f"{source}: expected {name} of the step before, found nothing: the folder was cleaned; "
                "run that step again (lpad rerun_fws)"
            )
            raise StagingError(msg)
        for match in matches:
            target = here / match.relative_to(source)
            if match.is_dir():
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(match, target)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(match, target)
    write_text(marker, str(source))
    return True
