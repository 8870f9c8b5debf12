"""Matrix elements that EPW can assign to pairs of states again, or none at all."""

from __future__ import annotations

from pathlib import Path

from hightc.analysis.parsers.epw_elements import count_matrix_elements
from hightc.makers.errors import ProgramFailedError
from hightc.makers.qe.epw_inputs import MATRIX_ELEMENTS


def require_paired_elements(directory: Path) -> None:
    """Refuse alpha2F and matrix elements of a run that wrote elements of no pair of states.

    Parameters
    ----------
    directory
        Folder of a run of epw.x on fine meshes.

    Raises
    ------
    ProgramFailedError
        If there are other elements than pairs: all that follow the first one too many belong to other pairs.
    """
    folder = directory / MATRIX_ELEMENTS
    count = count_matrix_elements(folder)
    if count.written != count.paired:
        msg = (
            f"{folder}: expected {count.paired} matrix elements, one for each pair of states in the window, found "
            f"{count.written}: epw.x took memory outside an array for energies (write_ephmat of EPW 5.3.1) and alpha2F "
            "is wrong: choose other fine_q_meshes in [wannier], or a fermi_window_ev that leaves no k point outside, "
            "such as the width of the occupied bands"
        )
        raise ProgramFailedError(msg)
