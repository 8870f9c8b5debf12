"""The first Brillouin zone and triangles in it."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice
from scipy.spatial import ConvexHull

from hightc.analysis.brillouin_zone import brillouin_zone, move_into_zone
from hightc.analysis.fermi_surface import triangle_areas

BCC = Lattice([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
FCC = Lattice([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
SKEW = Lattice(np.array([[1, 0, 0], [3, 1, 0], [-2, 5, 1]]) @ FCC.matrix)
LATTICES = {
    "sc": Lattice.cubic(2.0),
    "bcc": BCC,
    "fcc": FCC,
    "hexagonal": Lattice.hexagonal(2.5, 4.1),
    "triclinic": Lattice.from_parameters(3, 4, 5, 80, 95, 110),
    "skew cell of fcc": SKEW,
}


@pytest.fixture(params=LATTICES.values(), ids=LATTICES)
def lattice(request):
    return request.param


@pytest.mark.parametrize(
    ("name", "faces", "corners", "edges"),
    [
        ("sc", 6, 8, 12),
        ("bcc", 12, 14, 24),  # rhombic dodecahedron
        ("fcc", 14, 24, 36),  # truncated octahedron
        ("hexagonal", 8, 12, 18),
        ("triclinic", 14, 24, 36),
        ("skew cell of fcc", 14, 24, 36),
    ],
)
def test_zone_has_the_polyhedron_of_its_lattice(name, faces, corners, edges):
    zone = brillouin_zone(LATTICES[name])
    assert (len(zone.normals), len(zone.corners_per_angstrom), len(zone.edges)) == (faces, corners, edges)


def test_zone_has_the_volume_of_the_reciprocal_cell(lattice):
    zone = brillouin_zone(lattice)
    assert ConvexHull(zone.corners_per_angstrom).volume == pytest.approx(lattice.reciprocal_lattice.volume)
    assert zone.volume_per_angstrom3 == pytest.approx(lattice.reciprocal_lattice.volume)


def small_triangles(lattice, n):
    """Triangles of a tenth of the zone, up to three cells away from Gamma."""
    rng = np.random.default_rng(7)
    places = rng.uniform(-3, 3, (n, 1, 3)) @ lattice.reciprocal_lattice.matrix
    return places + 0.1 * lattice.reciprocal_lattice.volume ** (1 / 3) * rng.uniform(-0.5, 0.5, (n, 3, 3))


def test_moved_triangles_keep_their_area_and_lie_inside(lattice):
    zone, triangles = brillouin_zone(lattice), small_triangles(lattice, 400)
    moved = move_into_zone(triangles, zone)
    # rounding of a few hundred cuts
    assert triangle_areas(moved).sum() == pytest.approx(triangle_areas(triangles).sum(), rel=1e-9)
    assert len(moved) > len(triangles)
    height = moved @ zone.normals.T - zone.distance_per_angstrom
    assert height.max() < 1e-8 * zone.distance_per_angstrom.max()


def test_numbers_of_corners_are_interpolated_where_a_triangle_is_cut():
    zone = brillouin_zone(Lattice.cubic(2 * np.pi))
    # x itself as the number, of a triangle across the face x = 1/2
    corners = np.array([[0.4, 0.0, 0.0], [0.7, 0.0, 0.0], [0.4, 0.1, 0.0]])
    moved = move_into_zone(np.concatenate([corners, corners[:, :1]], axis=1)[None], zone)
    inside = moved[moved[:, :, 0].min(axis=1) > 0]
    beyond = moved[moved[:, :, 0].max(axis=1) < 0]
    assert inside[..., 3] == pytest.approx(inside[..., 0])
    assert beyond[..., 3] == pytest.approx(beyond[..., 0] + 1)
    assert triangle_areas(beyond[..., :3]).sum() == pytest.approx(0.2 * 0.1 * (2 / 3) / 2)


def test_moved_triangles_turn_the_same_way():
    zone = brillouin_zone(FCC)
    triangle = np.array([[[0.9, 0.0, 0.0], [1.2, 0.0, 0.0], [0.9, 0.3, 0.0]]]) @ FCC.reciprocal_lattice.matrix
    normal = np.cross(triangle[0, 1] - triangle[0, 0], triangle[0, 2] - triangle[0, 0])
    for a, b, c in move_into_zone(triangle, zone):
        assert np.cross(b - a, c - a) @ normal > 0
