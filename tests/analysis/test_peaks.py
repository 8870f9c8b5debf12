"""Peaks of functions of the wave vector."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.nesting import nesting_function
from hightc.analysis.peaks import find_peaks
from hightc.analysis.reciprocal_symmetry import images, lengths, point_group, reciprocal_vectors
from hightc.analysis.susceptibility import bare_susceptibility

A = 2.88
BCC = Structure(Lattice(A / 2 * (np.ones((3, 3)) - 2 * np.eye(3))), ["Cr"], [[0, 0, 0]])
SQUARE = Structure(Lattice.tetragonal(3.0, 9.0), ["Cu"], [[0, 0, 0]])


def hills(structure, n, *places):
    """Gaussian hills at all images of places (cartesian q in 2 pi/a, height, width in 2 pi/a) above 0.1."""
    reciprocal, unit = reciprocal_vectors(structure), 2 * np.pi / A
    mesh = np.stack(np.meshgrid(*3 * [np.arange(n) / n], indexing="ij"), axis=-1)
    values = np.full((n, n, n), 0.1)
    for q, height, width in places:
        reduced = np.array(q) * unit @ np.linalg.inv(reciprocal)
        for image in np.unique(np.round(images(reduced, point_group(structure)), 9) % 1, axis=0):
            values += height * np.exp(-((lengths(mesh - image, reciprocal) / (width * unit)) ** 2) / 2)
    return values


def square_bands(n, mu=0.0, second=0.0):
    x, y = np.meshgrid(*2 * [2 * np.pi * np.arange(n) / n], indexing="ij")
    return (-2 * (np.cos(x) + np.cos(y)) + 4 * second * np.cos(x) * np.cos(y) - mu)[:, :, None, None]


def test_peak_between_mesh_points_is_found_on_its_line():
    found = find_peaks(hills(BCC, 24, ((0.71, 0, 0), 1.0, 0.12)), BCC)
    (peak,) = found.peaks
    # a step along Gamma-H is 1/12; third order in step over width (0.7): 0.08 of a step at worst
    assert peak.line is not None
    assert (peak.line.start, peak.line.end) == ("GAMMA", "H")
    assert peak.line.fraction == pytest.approx(0.71, abs=0.08 / 12)
    assert peak.q_per_angstrom == pytest.approx((peak.line.fraction * 2 * np.pi / A, 0, 0), abs=1e-9)
    assert peak.images == 6
    assert peak.refined


def test_peak_off_all_lines_has_all_images_and_no_line():
    found = find_peaks(hills(BCC, 24, ((0.5, 0.25, 0.0), 1.0, 0.1)), BCC)
    assert [peak.images for peak in found.peaks] == [24]
    assert found.peaks[0].line is None


def test_peaks_come_by_strength_and_weak_ones_are_left_out():
    values = hills(BCC, 20, ((0.5, 0.5, 0), 0.5, 0.08), ((1, 0, 0), 1.0, 0.08), ((0.5, 0.5, 0.5), 0.2, 0.08))
    strong = find_peaks(values, BCC, least_strength=1.0)
    assert [peak.line.end for peak in strong.peaks if peak.line] == ["H", "N", "P"]
    assert [peak.images for peak in strong.peaks] == [1, 6, 2]
    assert strong.peaks[0].strength == pytest.approx(values.max() / values.mean())
    threshold = (strong.peaks[1].strength + strong.peaks[2].strength) / 2
    assert len(find_peaks(values, BCC, least_strength=threshold).peaks) == 2
    assert len(find_peaks(values, BCC, most=1).peaks) == 1


def test_hill_at_gamma_is_left_out_however_wide_and_reported():
    values = hills(BCC, 20, ((0, 0, 0), 5.0, 0.3), ((1, 0, 0), 1.0, 0.1))
    found = find_peaks(values, BCC)
    assert [peak.line.end for peak in found.peaks if peak.line] == ["H"]
    assert found.gamma.excluded
    assert found.gamma.strength == pytest.approx(values[0, 0, 0] / values.mean())
    assert 0.3 * 2 * np.pi / A < found.gamma.radius_per_angstrom < 2 * np.pi / A
    assert 0.1 < found.gamma.share_of_zone < 1


def test_gamma_is_a_peak_where_asked_for():
    found = find_peaks(hills(BCC, 16, ((0, 0, 0), 1.0, 0.2)), BCC, include_gamma=True)
    (peak,) = found.peaks
    assert peak.at_gamma
    assert peak.images == 1
    assert not found.gamma.excluded
    assert found.gamma.is_maximum


def test_function_without_a_maximum_at_gamma_excludes_nothing():
    found = find_peaks(hills(BCC, 16, ((1, 0, 0), 1.0, 0.2)), BCC)
    assert not found.gamma.is_maximum
    assert not found.gamma.excluded
    assert found.gamma.share_of_zone == 0


def test_curvature_is_that_of_the_hill_in_cartesian_axes():
    width = 0.25
    found = find_peaks(hills(BCC, 32, ((1, 0, 0), 1.0, width)), BCC)
    # second differences err by h^2/4 of a Gaussian's curvature, h = 0.054 to 0.088 of the zone over 0.25
    expected = -np.eye(3) / (width * 2 * np.pi / A) ** 2
    assert found.peaks[0].curvature_angstrom2 == pytest.approx(expected, abs=0.04 * abs(expected[0, 0]))


def test_nesting_of_the_half_filled_square_lattice_is_at_its_corner():
    nesting = nesting_function(square_bands(32), 0.0, smearing_ev=0.2)
    found = find_peaks(nesting, SQUARE)
    assert found.gamma.excluded
    assert found.peaks[0].q_reduced == pytest.approx((0.5, 0.5, 0))
    # e(k+Q) = -e(k): with a symmetric delta as many pairs as at q = 0
    assert found.peaks[0].value == pytest.approx(nesting[0, 0, 0])


def test_doped_square_lattice_peaks_off_the_corner_with_all_images():
    chi0 = bare_susceptibility(square_bands(32, mu=-0.8), 0.0, temperature_k=600.0)
    peak = find_peaks(chi0, SQUARE, include_gamma=True).peaks[0]
    assert peak.images == 4
    # the Fermi surface without curvature joins (pi, pi - d), with d from 2 (cos 0 + cos k) = 0.8 near its corner
    assert max(peak.q_reduced) == pytest.approx(0.5)
    assert 0.3 < min(peak.q_reduced[:2]) < 0.5


def test_function_of_two_dimensions_keeps_its_third_component_zero():
    chi0 = bare_susceptibility(square_bands(16), 0.0, temperature_k=1000.0)
    (peak, *_) = find_peaks(chi0, SQUARE, include_gamma=True).peaks
    assert peak.q_reduced == pytest.approx((0.5, 0.5, 0.0))
    assert np.array(peak.curvature_angstrom2)[2] == pytest.approx(0, abs=1e-12)


def test_fewer_symmetries_leave_images_apart():
    values = hills(BCC, 16, ((0.5, 0.5, 0), 1.0, 0.1))
    identity = np.array([np.eye(3), -np.eye(3)], dtype=np.int64)
    assert len(find_peaks(values, BCC, rotations=identity).peaks) == 6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((4, 4)), r"expected an array \(n1, n2, n3\) .* found shape \(4, 4\)"),
        (np.full((2, 2, 2), np.nan), r"values\[0, 0, 0\]: expected finite numbers, found nan"),
        (np.zeros((2, 2, 2)), "positive mean, found 0: is the Fermi energy"),
    ],
)
def test_what_is_no_function_of_q_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        find_peaks(values, BCC)
