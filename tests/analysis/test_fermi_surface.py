"""Fermi surfaces of bands that are known on paper, and their sums."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice

from hightc.analysis.brillouin_zone import brillouin_zone
from hightc.analysis.fermi_surface import fermi_surface, triangle_areas
from hightc.analysis.metal_bands import metal_bands
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.tetrahedra import Tetrahedra, tetrahedron_dos

QE = Path(__file__).parents[1] / "data" / "qe"
FCC = Lattice([[0, 2, 2], [2, 0, 2], [2, 2, 0]])
LATTICES = [FCC, Lattice.hexagonal(2.5, 4.1), Lattice.from_parameters(3, 4, 5, 80, 95, 110)]


def mesh_points(lattice, n):
    fractional = np.stack(np.meshgrid(*[np.arange(n) / n] * 3, indexing="ij"), axis=-1)
    return fractional @ lattice.reciprocal_lattice.matrix


def free_electrons(lattice, n, radius):
    """k^2 - radius^2 to the nearest reciprocal lattice vector."""
    vectors = np.array(list(itertools.product(range(-2, 4), repeat=3))) @ lattice.reciprocal_lattice.matrix
    k = mesh_points(lattice, n)
    squares = np.min([((k - vector) ** 2).sum(axis=-1) for vector in vectors], axis=0)
    return (squares - radius**2)[..., None]


def volume_inside(sheet):
    corners = sheet.vertices_per_angstrom[sheet.triangles]
    return np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6


@pytest.mark.parametrize("lattice", LATTICES)
def test_free_electrons_have_a_sphere(lattice):
    zone = brillouin_zone(lattice)
    radius = 0.8 * zone.distance_per_angstrom.min()
    (sheet,) = fermi_surface(free_electrons(lattice, 24, radius), lattice, zone, [1])
    # edges reach twice the step h: a parabola lies below its chord by h^2 at most, so that vertices lie inside the
    # sphere by h^2/2r at most; area and volume fall short by two and three times that
    step = np.linalg.norm(lattice.reciprocal_lattice.matrix, axis=1).max() / 24 / radius
    assert sheet.area_per_angstrom2 == pytest.approx(4 * np.pi * radius**2, rel=1.0 * step**2)
    # Luttinger: the volume counts the electrons; its sign says that the normals point to the empty states
    assert volume_inside(sheet) == pytest.approx(4 / 3 * np.pi * radius**3, rel=1.5 * step**2)
    assert np.linalg.norm(sheet.vertices_per_angstrom, axis=1) == pytest.approx(radius, rel=0.5 * step**2)
    # central differences are exact for a parabola; linear interpolation to the vertices is not
    assert sheet.speed_ev_angstrom == pytest.approx(2 * radius, rel=0.5 * step**2)


@pytest.mark.parametrize("radius", [0.8, 1.05])
def test_density_of_states_is_that_of_linear_tetrahedra(radius):
    zone = brillouin_zone(Lattice.cubic(3.0))
    energies = free_electrons(Lattice.cubic(3.0), 12, radius * zone.distance_per_angstrom.min())
    sheets = fermi_surface(energies, Lattice.cubic(3.0), zone, [4])
    corners = []
    for path in itertools.permutations(np.eye(3, dtype=int)):
        offsets = np.cumsum([np.zeros(3, dtype=int), *path], axis=0)
        corners.append(np.sort([np.roll(energies, tuple(-o), axis=(0, 1, 2)).ravel() for o in offsets], axis=0))
    tetrahedra = Tetrahedra(np.concatenate(corners, axis=1), 0, 6 * 12**3)
    # the same integral of the same linear energies: rounding only
    assert sheets[0].dos_per_ev_spin_cell == pytest.approx(tetrahedron_dos(tetrahedra, 0.0), rel=1e-9)


def test_integral_of_inverse_speed_is_the_density_of_states():
    zone = brillouin_zone(FCC)
    radius = 0.7 * zone.distance_per_angstrom.min()
    (sheet,) = fermi_surface(free_electrons(FCC, 24, radius), FCC, zone, [1])
    corners = sheet.vertices_per_angstrom[sheet.triangles]
    inverse = (1 / sheet.speed_ev_angstrom)[sheet.triangles].mean(axis=1)
    found = (triangle_areas(corners) * inverse).sum() / zone.volume_per_angstrom3
    # of the sphere: 4 pi r^2/(2 r) over the zone; both sums fall short by some (h/r)^2/10 = 1 %
    assert found == pytest.approx(2 * np.pi * radius / zone.volume_per_angstrom3, rel=0.02)
    assert sheet.dos_per_ev_spin_cell == pytest.approx(found, rel=0.02)


def test_sheet_across_the_face_of_the_zone_is_closed_in_no_corner_twice():
    """A band around X and its images: cut by the faces, and all of it there."""
    lattice = Lattice.cubic(3.0)
    zone = brillouin_zone(lattice)
    energies = -np.cos(mesh_points(lattice, 20) @ np.array([3.0, 0, 0]))[..., None] - 0.5
    (sheet,) = fermi_surface(energies, lattice, zone, [2])
    # two planes at cos(3 k) = -1/2, from edge to edge of the cubic zone
    side = 2 * np.pi / 3
    assert sheet.area_per_angstrom2 == pytest.approx(2 * side**2)
    assert triangle_areas(sheet.vertices_per_angstrom[sheet.triangles]).sum() == pytest.approx(2 * side**2)
    assert np.abs(sheet.vertices_per_angstrom[:, 0]) == pytest.approx(2 * np.pi / 9, rel=0.01)


def test_full_and_empty_bands_have_no_sheet():
    zone = brillouin_zone(FCC)
    crossing = free_electrons(FCC, 8, 0.5)
    energies = np.concatenate([crossing - 10, crossing, crossing + 10], axis=3)
    assert [sheet.band for sheet in fermi_surface(energies, FCC, zone, [3, 4, 5])] == [4]


def test_energy_on_mesh_points_gives_no_triangle_without_area():
    lattice = Lattice.cubic(2 * np.pi)
    zone = brillouin_zone(lattice)
    k = mesh_points(lattice, 12)
    energies = np.rint(12 * (np.abs((k + 0.5) % 1 - 0.5).sum(axis=-1) - 0.25))[..., None]
    (sheet,) = fermi_surface(energies, lattice, zone, [1])
    # an octahedron through mesh points, |x| + |y| + |z| = 1/4
    assert sheet.area_per_angstrom2 == pytest.approx(8 * np.sqrt(3) / 4 * (np.sqrt(2) / 4) ** 2)
    assert triangle_areas(sheet.vertices_per_angstrom[sheet.triangles]).min() > 0


@pytest.mark.parametrize(
    ("energies", "bands", "message"),
    [
        (np.zeros((4, 4, 4, 2)), [1], r"expected energies \(n1, n2, n3, 1\) of bands \(1,\), found shape"),
        (np.zeros((4, 4, 4)), [1], "expected energies"),
        (np.full((4, 4, 4, 1), np.nan), [1], "expected finite energies"),
    ],
)
def test_arrays_that_are_no_bands_are_refused(energies, bands, message):
    with pytest.raises(ValueError, match=message):
        fermi_surface(energies, FCC, brillouin_zone(FCC), bands)


def test_sheets_of_chromium_hold_its_density_of_states():
    bands = metal_bands(read_pw_xml(QE / "cr_nesting" / "data-file-schema.xml"), reach_ev=0.5)
    lattice = bands.structure.lattice
    sheets = fermi_surface(bands.on_mesh((48, 48, 48)), lattice, brillouin_zone(lattice), bands.numbers)
    assert [sheet.band for sheet in sheets] == [7, 8, 9]
    # 0.3365 by fitted tetrahedra on 32^3 computed points; interpolation from 16^3 is 15 meV off in bands 3 eV wide
    assert sum(sheet.dos_per_ev_spin_cell for sheet in sheets) == pytest.approx(0.3365, rel=0.02)
    # speeds of d bands, 0.2 to 1 10^6 m/s
    speeds = np.concatenate([sheet.speed_ev_angstrom for sheet in sheets])
    assert 1.0 < speeds.min() < speeds.max() < 8.0
