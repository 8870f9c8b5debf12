"""Bands between the k points of a run."""

import math
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.band_interpolation import BandInterpolation, interpolation_error
from hightc.analysis.mesh_unfolding import bands_on_mesh
from hightc.analysis.nesting import nesting_function
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.reciprocal_symmetry import band_rotations
from hightc.analysis.tetrahedra import fermi_energy, make_tetrahedra

CR = Path(__file__).parents[1] / "data" / "qe" / "cr_nesting"

CUBIC = Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]])
HEXAGONAL = Structure(Lattice.hexagonal(3.0, 4.7), ["Mg", "Mg"], [[1 / 3, 2 / 3, 1 / 4], [2 / 3, 1 / 3, 3 / 4]])
TRICLINIC = Structure(Lattice.from_parameters(3.1, 3.7, 4.9, 81, 97, 104), ["Po", "O"], [[0, 0, 0], [0.3, 0.1, 0.4]])


def mesh_points(mesh):
    return np.stack(np.meshgrid(*(np.arange(n) / n for n in mesh), indexing="ij"), axis=-1)


def neighbour_bands(k):
    """Nearest and second neighbours on a simple cubic lattice, hoppings 1 and 0.3 eV."""
    cosines = np.cos(2 * np.pi * np.asarray(k))
    x, y, z = np.moveaxis(cosines, -1, 0)
    return np.stack([-2 * (x + y + z), -2 * (x + y + z) + 1.2 * (x * y + y * z + z * x)], axis=-1)


def random_bands(structure, mesh, n_bands=3, seed=1):
    """Random energies with the symmetry of the crystal."""
    points, energies = mesh_points(mesh), np.random.default_rng(seed).normal(size=(*mesh, n_bands))
    rotations = band_rotations(structure)
    total = np.zeros_like(energies)
    for rotation in np.concatenate([rotations, -rotations]):
        images = np.rint(points @ rotation * mesh).astype(int) % mesh
        total += energies[tuple(np.moveaxis(images, -1, 0))]
    return total / math.sqrt(2 * len(rotations))


def shankland_koelling_wood(k_points, energies, vectors, rotations, lattice):
    """Series through the data by stars and Lagrange multipliers; star functions of one norm make the roughness that
    of all vectors."""
    members = {tuple(vector) for vector in vectors.tolist()}
    stars = []
    while members:
        star = {tuple((rotation @ np.array(next(iter(members)))).tolist()) for rotation in rotations}
        members -= star
        stars.append(np.array(sorted(star)))
    stars.sort(key=lambda star: float(np.linalg.norm(star[0] @ lattice.matrix)))
    lengths = np.array([np.linalg.norm(star[0] @ lattice.matrix) for star in stars])[1:]
    x = lengths / lengths.min()
    rho = (1 - 0.75 * x**2) ** 2 + 0.75 * x**6

    def functions(k):
        return np.stack([np.cos(2 * np.pi * k @ star.T).sum(axis=1) / math.sqrt(len(star)) for star in stars], axis=1)

    at_data = functions(k_points)
    differences = (at_data[:-1] - at_data[-1])[:, 1:]
    multipliers = np.linalg.solve((differences / rho) @ differences.T, energies[:-1] - energies[-1])
    rest = (differences / rho).T @ multipliers
    return lambda k: energies[-1] + (functions(k)[:, 1:] - at_data[-1, 1:]) @ rest


@pytest.fixture(scope="module")
def chromium():
    return read_pw_xml(CR / "data-file-schema.xml")


@pytest.fixture(scope="module")
def computed(chromium):
    """Bands 5 to 10 on 32x32x32 points."""
    with np.load(CR / "bands_32.npz") as data:
        return bands_on_mesh(data["energies_ev"], data["k_points"], chromium.structure)


@pytest.fixture(scope="module")
def interpolated(chromium):
    """The same bands from 16x16x16 points."""
    return BandInterpolation.fit(chromium.eigenvalues_ev[0][:, 4:], chromium.k_points, chromium.structure)


@pytest.mark.parametrize(
    ("structure", "mesh"),
    [(CUBIC, (6, 6, 6)), (CUBIC, (5, 5, 5)), (HEXAGONAL, (6, 6, 4)), (TRICLINIC, (4, 3, 5)), (HEXAGONAL, (24, 24, 1))],
)
def test_bands_pass_through_the_data(structure, mesh):
    energies = random_bands(structure, mesh)
    interpolation = BandInterpolation.fit_mesh(energies, structure.lattice)
    # at: some hundred coefficients of 1 eV at most, phases to 1e-14
    assert interpolation.on_mesh(mesh) == pytest.approx(energies, abs=1e-12)
    assert interpolation.at(mesh_points(mesh)) == pytest.approx(energies, abs=1e-11)


@pytest.mark.parametrize(("structure", "mesh"), [(CUBIC, (4, 4, 4)), (HEXAGONAL, (4, 4, 3)), (TRICLINIC, (4, 3, 3))])
def test_series_is_that_of_shankland_koelling_and_wood(structure, mesh):
    points, energies = mesh_points(mesh).reshape(-1, 3), random_bands(structure, mesh)
    rotations = band_rotations(structure)
    group = np.concatenate([rotations, -rotations])
    # one point of each set that symmetry joins
    images = np.stack([np.rint(points @ rotation * mesh).astype(int) % mesh @ [100, 10, 1] for rotation in group])
    irreducible = np.unique(images.min(axis=0), return_index=True)[1]
    k_points, data = points[irreducible], energies.reshape(-1, 3)[irreducible]
    interpolation = BandInterpolation.fit(data, k_points, structure, mesh=mesh)
    expected = shankland_koelling_wood(k_points, data, interpolation.vectors, group, structure.lattice)
    at = np.random.default_rng(2).random((50, 3))
    # the condition of the linear system, about 1e4, times rounding
    assert interpolation.at(at) == pytest.approx(expected(at), abs=1e-9)


@pytest.mark.parametrize(("structure", "mesh"), [(CUBIC, (6, 6, 6)), (HEXAGONAL, (6, 6, 4))])
def test_bands_have_the_symmetry_of_the_crystal(structure, mesh):
    interpolation = BandInterpolation.fit_mesh(random_bands(structure, mesh), structure.lattice)
    k = np.random.default_rng(3).random(3)
    for rotation in band_rotations(structure):
        assert interpolation.at(k @ rotation) == pytest.approx(interpolation.at(k), abs=1e-11)


def test_error_for_few_neighbours_falls_with_the_sixth_power_of_the_mesh():
    k = np.random.default_rng(4).random((200, 3))
    errors = []
    for n in (8, 16):
        interpolation = BandInterpolation.fit_mesh(neighbour_bands(mesh_points((n, n, n))), CUBIC.lattice)
        errors.append(interpolation.at(k) - neighbour_bands(k))
    # c(R) loses rho(R)/rho(R') to each alias R': (1, 0, 0) 9e-6 to (7, 0, 0) and 4e-6 to each of four like (1, 8, 0),
    # of 6 eV in all; (1, 1, 0) 7e-5 to each of two and 3e-5 to each of two, of 3.6 eV; lost here, found there
    assert np.abs(errors[0]).max() < 2 * (6 * 2.5e-5 + 3.6 * 2e-4)
    # the nearest alias of (1, 0, 0) is at n - 1: (15/7)^6 = 97; others are at n: 2^6 = 64
    assert 60 < np.sqrt((errors[0] ** 2).mean() / (errors[1] ** 2).mean()) < 100


@pytest.mark.parametrize("mesh", [(3, 3, 3), (5, 4, 7), (12, 12, 12)])
def test_any_mesh_has_the_energies_of_its_points(mesh):
    interpolation = BandInterpolation.fit_mesh(random_bands(HEXAGONAL, (6, 6, 4)), HEXAGONAL.lattice)
    assert interpolation.on_mesh(mesh) == pytest.approx(interpolation.at(mesh_points(mesh)), abs=1e-11)


def test_velocities_are_the_slopes_of_the_energies():
    interpolation = BandInterpolation.fit_mesh(random_bands(TRICLINIC, (4, 5, 6)), TRICLINIC.lattice)
    mesh, step = (3, 4, 5), 1e-4
    velocities = interpolation.velocities(mesh)
    # rows of the inverse turn Cartesian steps in 1/Angstrom into reciprocal units
    to_fractional = np.linalg.inv(TRICLINIC.lattice.reciprocal_lattice.matrix)
    for axis in range(3):
        shift = step * to_fractional[axis]
        slope = (interpolation.at(mesh_points(mesh) + shift) - interpolation.at(mesh_points(mesh) - shift)) / (2 * step)
        # third derivatives: 1 eV times (20 Angstrom)^3, times step^2 / 6
        assert velocities[..., axis] == pytest.approx(slope, abs=2e-5)


def test_velocity_of_neighbour_hopping_is_known():
    interpolation = BandInterpolation.fit_mesh(neighbour_bands(mesh_points((16, 16, 16))), CUBIC.lattice)
    expected = 2 * 3.0 * np.sin(2 * np.pi * mesh_points((8, 8, 8)))
    # 3 Angstrom times the error of the energies, times the 15 of the aliases' length: 5e-7 x 12 x 45
    assert interpolation.velocities((8, 8, 8))[..., 0, :] == pytest.approx(expected, abs=3e-4)


def test_magnetic_order_keeps_the_lower_symmetry():
    # a cube with spins up in one layer and down in the next: k along z differs from k along x
    layers = Structure(
        Lattice.cubic(3.6),
        ["Fe"] * 4,
        [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        site_properties={"magmom": [2.0, 2.0, -2.0, -2.0]},
    )
    points = mesh_points((4, 4, 4)).reshape(-1, 3)
    kept = (points <= 0.5).all(axis=1) & (points[:, 0] >= points[:, 1])
    cosines = np.cos(2 * np.pi * points[kept])
    energies = (cosines @ np.array([1.0, 1.0, 0.4]))[:, None]
    interpolation = BandInterpolation.fit(energies, points[kept], layers)
    along_x, along_z = interpolation.at([[0.5, 0, 0], [0, 0, 0.5]])[:, 0]
    assert (along_x, along_z) == pytest.approx((0.4, 1.6))
    bare = layers.copy()
    bare.remove_site_property("magmom")
    assert interpolation.at([0.1, 0.2, 0.3]) == pytest.approx(
        BandInterpolation.fit(energies, points[kept], bare, rotations=band_rotations(layers)).at([0.1, 0.2, 0.3])
    )
    with pytest.raises(ValueError, match="a magnetic order lowers the symmetry"):
        BandInterpolation.fit(energies, points[kept], bare)


@pytest.mark.parametrize(
    ("energies", "message"),
    [
        (np.zeros((4, 4, 4)), "expected finite energies"),
        (np.full((4, 4, 4, 1), np.nan), "expected finite energies"),
        (np.sin(2 * np.pi * mesh_points((4, 4, 4)))[..., :1], "at k and -k"),
    ],
)
def test_energies_that_are_no_bands_are_refused(energies, message):
    with pytest.raises(ValueError, match=message):
        BandInterpolation.fit_mesh(energies, CUBIC.lattice)


def test_fewer_vectors_than_points_are_refused():
    with pytest.raises(ValueError, match="vectors_per_k_point: expected 1 or more"):
        BandInterpolation.fit_mesh(np.zeros((4, 4, 4, 1)), CUBIC.lattice, vectors_per_k_point=0.5)


def test_left_out_points_tell_the_error():
    energies = neighbour_bands(mesh_points((16, 16, 16)))
    found = interpolation_error(energies, CUBIC.lattice, 0.0, window_ev=100.0)
    assert found.fitted_mesh == (8, 8, 8)
    assert found.n_levels == 2 * (16**3 - 8**3)
    coarse = BandInterpolation.fit_mesh(energies[::2, ::2, ::2], CUBIC.lattice)
    errors = coarse.on_mesh((16, 16, 16)) - energies
    assert found.max_ev == pytest.approx(np.abs(errors).max())
    assert found.rms_ev == pytest.approx(math.sqrt((errors**2).sum() / found.n_levels))


def test_odd_axis_is_kept_whole():
    energies = neighbour_bands(mesh_points((6, 5, 4)))
    assert interpolation_error(energies, CUBIC.lattice, 0.0).fitted_mesh == (3, 5, 2)
    with pytest.raises(ValueError, match="even number of k points"):
        interpolation_error(energies[::2, :, ::4], CUBIC.lattice, 0.0)


def test_error_without_levels_is_not_computed():
    found = interpolation_error(neighbour_bands(mesh_points((4, 4, 4))), CUBIC.lattice, 50.0)
    assert (found.rms_ev, found.max_ev, found.n_levels) == (None, None, 0)


def test_chromium_is_met_on_the_mesh_not_computed(computed, interpolated):
    near = np.abs(computed - 19.546) < 1
    near[::2, ::2, ::2] = False
    errors = (interpolated.on_mesh((32, 32, 32)) - computed)[near]
    # measured: 18.4 and 135 meV; bands have edges where they cross
    assert math.sqrt((errors**2).mean()) < 0.02
    assert np.abs(errors).max() < 0.15


def test_error_of_chromium_is_estimated_from_above(chromium, computed, interpolated):
    known = bands_on_mesh(chromium.eigenvalues_ev[0][:, 4:], chromium.k_points, chromium.structure)
    estimate = interpolation_error(known, chromium.structure.lattice, 19.546)
    truth = interpolation_error(computed, chromium.structure.lattice, 19.546)
    assert truth.fitted_mesh == interpolated.mesh
    assert truth.rms_ev < estimate.rms_ev < 5 * truth.rms_ev  # measured: 18.4 and 63 meV


def peak_towards_h(energies, fermi_ev):
    """Maximum of the nesting function on Gamma-H beyond 0.6, by a parabola, in 2 pi/a."""
    nesting = nesting_function(energies, fermi_ev, smearing_ev=0.05)
    n = len(energies)
    steps = np.arange(n // 2 + 2)
    values = nesting[steps, -steps % n, -steps % n]  # (1, 0, 0) 2 pi/a is (1/2, -1/2, -1/2) of pw.x's vectors
    first = int(0.3 * n)
    top = first + int(values[first : n // 2 + 1].argmax())
    below, here, above = values[top - 1 : top + 2]
    return (top + (below - above) / (2 * (below - 2 * here + above))) * 2 / n


def test_nesting_of_chromium_peaks_where_the_spin_density_wave_is(chromium, computed, interpolated):
    # 14 electrons less 8 in 3s and 3p fill three bands
    known = interpolated.on_mesh((16, 16, 16))
    fermi_ev = fermi_energy(make_tetrahedra(known, (18.5, 20.5)), 3)
    # that of the computed mesh, to the 1 meV of either mesh
    assert fermi_ev == pytest.approx(fermi_energy(make_tetrahedra(computed, (18.5, 20.5)), 3), abs=2e-3)
    # experiment: 0.952 of Gamma-H (Fawcett, Rev. Mod. Phys. 60, 209 (1988)); a mesh of n resolves 2/n
    assert peak_towards_h(computed, fermi_ev) == pytest.approx(0.952, abs=2 / 32)
    assert peak_towards_h(interpolated.on_mesh((96, 96, 96)), fermi_ev) == pytest.approx(0.952, abs=2 / 96)
