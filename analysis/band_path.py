"""The standard path through the Brillouin zone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import seekpath
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.documents.phonon import PathSegment
from hightc.analysis.reciprocal_symmetry import SYMMETRY_PRECISION_ANGSTROM

PATH_SPACING_PER_ANGSTROM = 0.03
"""Spacing of the q points with 2 pi: some forty on the side of a zone of an elemental metal, smooth to the eye."""


@dataclass(frozen=True, slots=True, eq=False)
class BandPath:
    """q points along lines of high symmetry.

    Attributes
    ----------
    q_fractional : ndarray (n, 3)
        In units of the reciprocal lattice vectors of the given cell.
    distance_per_angstrom : ndarray (n,)
        Length of the path up to each point, with 2 pi; a jump from one line to another has none.
    segments : tuple of PathSegment
        The lines in order. Where they meet they share a point; where the path jumps they do not.
    """

    q_fractional: NDArray[np.float64]
    distance_per_angstrom: NDArray[np.float64]
    segments: tuple[PathSegment, ...]


def band_path(structure: Structure, *, spacing_per_angstrom: float = PATH_SPACING_PER_ANGSTROM) -> BandPath:
    """Lay the standard path through the Brillouin zone of a cell as it stands.

    Parameters
    ----------
    structure
        Primitive cell in any orientation, Angstrom.
    spacing_per_angstrom
        Distance of neighbouring points in 1/Angstrom, with the factor 2 pi, up to what makes lines of whole steps.

    Returns
    -------
    BandPath
        After Hinuma, Pizzi, Kumagai, Oba and Tanaka, Comput. Mater. Sci. 128, 140 (2017), by seekpath.
    """
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    with warnings.catch_warnings():
        # of spglib, a switch that seekpath does not set; of seekpath, a lattice between two kinds, both paths are good
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", seekpath.hpkot.EdgeCaseWarning)
        found = seekpath.get_explicit_k_path_orig_cell(
            cell, reference_distance=spacing_per_angstrom, symprec=SYMMETRY_PRECISION_ANGSTROM
        )
    labels = found["explicit_kpoints_labels"]
    return BandPath(
        q_fractional=np.array(found["explicit_kpoints_rel"], dtype=float),
        distance_per_angstrom=np.array(found["explicit_kpoints_linearcoord"], dtype=float),
        segments=tuple(
            PathSegment(start=start, stop=stop, start_label=labels[start], stop_label=labels[stop - 1])
            for start, stop in found["explicit_segments"]
        ),
    )
