"""What a run of epw.x on fine meshes must not find of an earlier one.

epw.x appends to the matrix elements that lie in its folder, without a number of the q point, and trusts ``restart.fmt``
for how far they go. A run that was killed between the two would count q points twice, and end without complaint.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hightc.makers.qe.epw_inputs import MATRIX_ELEMENTS

RESTART = "restart.fmt"
"""How far matrix elements were written: epw.x refuses it without them, and trusts it for other numbers."""


def discard_matrix_elements(directory: Path) -> bool:
    """Remove the matrix elements that an earlier run left, and how far it came; linked ones belong to another step.

    Parameters
    ----------
    directory
        Folder of the run.

    Returns
    -------
    bool
        Whether there was something to remove.
    """
    restart, elements = directory / RESTART, directory / MATRIX_ELEMENTS
    written = elements.is_dir() and not elements.is_symlink()
    found = restart.is_file() or written
    restart.unlink(missing_ok=True)
    if written:
        shutil.rmtree(elements)
    return found
