"""Places on lines of high symmetry."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.reciprocal_symmetry import point_group, reciprocal_vectors
from hightc.analysis.symmetry_lines import LinePosition, position_on_line, symmetry_lines

BCC = Structure(Lattice(1.44 * (np.ones((3, 3)) - 2 * np.eye(3))), ["Cr"], [[0, 0, 0]])


def place(cartesian):
    reciprocal = reciprocal_vectors(BCC)
    q = np.array(cartesian) * 2 * np.pi / 2.88 @ np.linalg.inv(reciprocal)
    return position_on_line(q, symmetry_lines(BCC), point_group(BCC), reciprocal, 1e-6)


@pytest.mark.parametrize("q", [(0.952, 0, 0), (0, -0.952, 0), (1.048, 0, 0), (1, 1, 0.952)])
def test_chromium_vector_lies_at_its_fraction_of_gamma_to_h(q):
    assert place(q) == LinePosition("GAMMA", "H", pytest.approx(0.952, abs=1e-9))


def test_point_of_high_symmetry_ends_a_line_from_gamma():
    assert place((0.5, 0.5, 0)) == LinePosition("GAMMA", "N", pytest.approx(1.0))


def test_line_away_from_gamma_is_known_too():
    found = place((0.8, 0.2, 0.2))
    assert found is not None
    assert {found.start, found.end} == {"P", "H"}


def test_point_off_all_lines_has_none():
    assert place((0.41, 0.23, 0.07)) is None
