"""Gaps on the Fermi surface, state by state, from the anisotropic Eliashberg equations of EPW."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.fortran import FortranFile

_ADVICE = "the run was cut; rerun epw.x"


@dataclass(frozen=True, slots=True, eq=False)
class FermiSurfaceGaps:
    """The file ``prefix.imag_aniso_gap_FS_TTT.TT``: Delta at the lowest Matsubara frequency of each state.

    Attributes
    ----------
    k_fractional : ndarray (n, 3)
        k points of the whole fine mesh, in units of the reciprocal lattice vectors.
    band : ndarray of int (n,)
        Bands within the Fermi window, from 1.
    energy_from_fermi_ev : ndarray (n,)
        Energy of each state, within fsthick.
    gap_mev : ndarray (n,)
        Delta of each state.
    """

    k_fractional: NDArray[np.float64]
    band: NDArray[np.int64]
    energy_from_fermi_ev: NDArray[np.float64]
    gap_mev: NDArray[np.float64]

    @property
    def lowest_gap_mev(self) -> float:
        """The lowest Delta of a state within fsthick."""
        return float(self.gap_mev.min())

    @property
    def highest_gap_mev(self) -> float:
        """The highest Delta of a state within fsthick."""
        return float(self.gap_mev.max())


def read_fermi_surface_gaps(path: str | Path, *, n_points: int | None = None) -> FermiSurfaceGaps:
    """Read the gap of each state.

    Parameters
    ----------
    path : str or Path
        The file (EPW 5.3.1).
    n_points : int or None
        States that it must hold: the format has no end mark, but all temperatures of one run have the same.

    Raises
    ------
    ParseError
        If a row is cut, is no state, or rows are missing.
    """
    file = FortranFile(path, _ADVICE)
    file.read_match(
        r"#\s+k-point\s+Band Enk-Ef \[eV\]\s+delta\(0\) \[meV", "'# k-point Band Enk-Ef [eV] delta(0) [meV'"
    )
    rows: list[list[float]] = []
    bands: list[int] = []
    while not file.at_end:
        fields = file.read_filled_line("a state").split()
        if len(fields) != 6:
            file.fail("6 columns (k point, band, energy, gap)", str(len(fields)))
        bands += file.integers(fields[3:4], 1, "band")
        rows.append(file.numbers([*fields[:3], *fields[4:]], 5, "k point, energy in eV, gap in meV"))
    if not rows or (n_points is not None and len(rows) != n_points):
        error = IncompleteOutputError if len(rows) < (n_points or 1) else ParseError
        file.fail(f"{n_points or 'some'} states", str(len(rows)), error)
    table = np.array(rows)
    return FermiSurfaceGaps(table[:, :3], np.array(bands), table[:, 3], table[:, 4])
