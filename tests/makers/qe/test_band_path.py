"""The input of matdyn.x along the standard path."""

from __future__ import annotations

import numpy as np
import pytest

from hightc.analysis.band_path import band_path
from hightc.makers.qe.band_path import bands_input


def test_input_lists_every_point_in_units_of_the_reciprocal_lattice(aluminium):
    path = band_path(aluminium, spacing_per_angstrom=0.5)
    text = bands_input(path)
    head, points = text.split("/\n", maxsplit=1)
    assert "q_in_cryst_coord = .true." in head
    lines = points.splitlines()
    assert int(lines[0]) == len(lines) - 1 == len(path.q_fractional)
    assert np.array([line.split() for line in lines[1:]], dtype=float) == pytest.approx(path.q_fractional)
