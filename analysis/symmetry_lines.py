"""Lines of high symmetry, and where on them a point of reciprocal space lies."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import seekpath
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.reciprocal_symmetry import SYMMETRY_PRECISION_ANGSTROM, fold, images

GAMMA = "GAMMA"


@dataclass(frozen=True, slots=True)
class SymmetryLine:
    """A straight line between two points of high symmetry.

    Attributes
    ----------
    start, end : str
        Names of the points, as seekpath spells them.
    start_reduced, end_reduced : tuple of 3 float
        The points in units of the reciprocal lattice vectors.
    """

    start: str
    end: str
    start_reduced: tuple[float, float, float]
    end_reduced: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class LinePosition:
    """A place on a line of high symmetry.

    Attributes
    ----------
    start, end : str
        The ends of the line.
    fraction : float
        0 at the start, 1 at the end.
    """

    start: str
    end: str
    fraction: float


def symmetry_lines(structure: Structure) -> tuple[SymmetryLine, ...]:
    """Lines of high symmetry of a crystal in its own reciprocal lattice vectors.

    Parameters
    ----------
    structure
        The crystal, in any cell.

    Returns
    -------
    tuple of SymmetryLine
        After Hinuma, Pizzi, Kumagai, Oba and Tanaka, Comput. Mater. Sci. 128, 140 (2017), by seekpath.
    """
    with warnings.catch_warnings():
        # of spglib, a switch that seekpath does not set; of seekpath, a lattice between two kinds, both paths are good
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", seekpath.hpkot.EdgeCaseWarning)
        found = seekpath.get_path_orig_cell(
            (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers),
            symprec=SYMMETRY_PRECISION_ANGSTROM,
        )
    points: dict[str, Sequence[float]] = found["point_coords"]
    return tuple(SymmetryLine(start, end, _triple(points[start]), _triple(points[end])) for start, end in found["path"])


def position_on_line(
    q: NDArray[np.float64],
    lines: Sequence[SymmetryLine],
    rotations: NDArray[np.int64],
    reciprocal: NDArray[np.float64],
    tolerance_per_angstrom: float,
) -> LinePosition | None:
    """The line of high symmetry through a point or one of its images.

    Parameters
    ----------
    q
        (3,) reduced coordinates.
    lines
        Candidates, as of :func:`symmetry_lines`; those from Gamma come first, then the nearer ones.
    rotations
        (n, 3, 3) as of ``point_group``.
    reciprocal
        (3, 3) reciprocal lattice vectors as rows, 1/Angstrom.
    tolerance_per_angstrom
        Distance from the line that still counts as on it.

    Returns
    -------
    LinePosition or None
        None off all lines.
    """
    stars = images(q, rotations)
    found = []
    for line in lines:
        start, end = np.array(line.start_reduced), np.array(line.end_reduced)
        ends = (line.start, line.end)
        if line.end == GAMMA:
            start, end, ends = end, start, (line.end, line.start)
        along = (end - start) @ reciprocal
        # equivalents near the middle of the line are the ones that can lie on it
        middle = (start + end) / 2
        offset = (fold(stars - middle, reciprocal) + middle - start) @ reciprocal
        fraction = np.clip(offset @ along / (along @ along), 0, 1)
        off = np.linalg.norm(offset - fraction[:, None] * along, axis=1)
        best = int(off.argmin())
        if off[best] <= tolerance_per_angstrom:
            found.append((ends[0] != GAMMA, float(off[best]), LinePosition(*ends, float(fraction[best]))))
    return min(found, key=lambda entry: entry[:2])[2] if found else None


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
