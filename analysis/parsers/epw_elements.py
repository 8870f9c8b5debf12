"""How many matrix elements EPW left on its fine meshes, and how many of them belong to pairs of states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.io import FortranFile

from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError

T = TypeVar("T")

_ADVICE = "the run was cut; rerun epw.x"
_HEADER = np.dtype([("n_bands", "<i4"), ("energies_ry", "<f8", (5,))])
"""Bands; two names of the Fermi energy, N(E_F), the electron smearing, the window."""

_ELEMENT_BYTES = 16
"""An element and the marks before and after its record; the record at the start, two integers, is as long."""


@dataclass(frozen=True, slots=True)
class MatrixElementCount:
    """Matrix elements of a run on fine meshes.

    Attributes
    ----------
    written : int
        Elements in the files.
    paired : int
        Elements that pairs of states within the window have.
    """

    written: int
    paired: int


def count_matrix_elements(directory: str | Path) -> MatrixElementCount:
    """Count matrix elements, and those that belong to pairs of states within the window.

    The files have no labels: after one element too many, all that follow are taken for those of other pairs. EPW 5.3.1
    can write too many (write_ephmat in io_eliashberg.f90): where a point is outside the window it compares the window
    with the memory before an array, and what lies there changes from run to run. lambda of fcc Al was 0.44 and 0.41
    instead of 0.457 with 19 % and more elements too many.

    Parameters
    ----------
    directory : str or Path
        The folder ``prefix.ephmat`` of EPW 5.3.1: ``egnv``, ``ikmap``, ``freq`` and one file of elements a process.

    Returns
    -------
    MatrixElementCount
        Both numbers.

    Raises
    ------
    MissingOutputError
        If a file is missing.
    IncompleteOutputError
        If a file ends too early.
    """
    folder = Path(directory)
    k_mesh, points, states = _read(folder / "egnv", _states)
    q_mesh, n_modes = _read(folder / "freq", _phonons)
    state_of = _read(folder / "ikmap", lambda file: file.read_ints("<i4"))
    # points outside the window have number 0
    states_at = np.concatenate([[0], states])[state_of].reshape(k_mesh)
    stride = k_mesh // q_mesh
    pairs = 0
    for point, n_states in zip(points % stride, states, strict=True):
        # k + q for all q: every so many points of the k mesh
        reached = states_at[tuple(np.s_[first::step] for first, step in zip(point, stride, strict=True))]
        pairs += int(n_states) * int(reached.sum())
    return MatrixElementCount(sum(_elements_in(file) for file in _element_files(folder)), n_modes * pairs)


def _states(file: FortranFile) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Fine k mesh, its points in the window as integers (n, 3), and how many of their states are in it."""
    _, n1, n2, n3, n_points = file.read_ints("<i4")
    k_mesh = np.array([n1, n2, n3], dtype=np.int64)
    (header,) = file.read_record(_HEADER)
    _, fermi_ry, _, _, window_ry = header["energies_ry"]
    points, states = np.empty((n_points, 3), dtype=np.int64), np.empty(n_points, dtype=np.int64)
    for number in range(n_points):
        points[number] = np.rint(file.read_reals("<f8")[1:] * k_mesh)
        energies_ry = np.array([file.read_reals("<f8")[0] for _ in range(header["n_bands"])])
        states[number] = np.count_nonzero(np.abs(energies_ry - fermi_ry) < window_ry)
    return k_mesh, points, states


def _phonons(file: FortranFile) -> tuple[NDArray[np.int64], int]:
    """Fine q mesh and the number of modes."""
    _, n1, n2, n3, n_modes = file.read_ints("<i4")
    return np.array([n1, n2, n3], dtype=np.int64), int(n_modes)


def _read(path: Path, content: Callable[[FortranFile], T]) -> T:
    try:
        with FortranFile(path, "r") as file:
            return content(file)
    except FileNotFoundError:
        raise MissingOutputError(path, None, "a file of epw.x", "nothing", _ADVICE) from None
    except (TypeError, ValueError, OSError) as error:
        # scipy's errors of records that end too early, or have another length
        raise IncompleteOutputError(path, None, "whole records of epw.x", str(error), _ADVICE) from error


def _element_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("ephmat*"))
    if not files:
        raise MissingOutputError(folder / "ephmat1", None, "matrix elements of epw.x", "nothing", _ADVICE)
    return files


def _elements_in(path: Path) -> int:
    size = path.stat().st_size
    n_records, rest = divmod(size, _ELEMENT_BYTES)
    if rest or not n_records:
        expected = f"records of {_ELEMENT_BYTES} bytes"
        raise IncompleteOutputError(path, None, expected, f"{size} bytes", _ADVICE)
    return n_records - 1
