"""The input of matdyn.x along a path through the Brillouin zone."""

from __future__ import annotations

from hightc.analysis.band_path import BandPath
from hightc.makers.qe.inputs import namelist_text
from hightc.makers.qe.phonon_inputs import FORCE_CONSTANTS, FREQUENCIES


def bands_input(path: BandPath) -> str:
    """Text of an input of matdyn.x: interpolated frequencies at the points of a path.

    Parameters
    ----------
    path
        The path, in units of the reciprocal lattice vectors of the force constants' cell.
    """
    namelist = namelist_text(
        {"input": {"asr": "simple", "flfrc": FORCE_CONSTANTS, "flfrq": FREQUENCIES, "q_in_cryst_coord": True}}
    )
    points = "".join(" ".join(f"{value:.12f}" for value in point) + "\n" for point in path.q_fractional)
    return f"{namelist}{len(path.q_fractional)}\n{points}"
