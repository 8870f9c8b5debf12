from __future__ import annotations

import numpy as np
import pytest

from hightc.analysis.parsers.wannier import WannierHamiltonian
from hightc.analysis.wannier_bands import band_distance, check_points, interpolate_bands

HOPPING_EV = -0.7
ONSITE_EV = 1.5
FERMI_EV = 0.0


def chain(dimensions):
    """One orbital with hopping to each neighbour along the first axes."""
    axes = np.eye(3, dtype=int)[:dimensions]
    r = np.concatenate([np.zeros((1, 3), dtype=int), axes, -axes])
    h = np.full((len(r), 1, 1), HOPPING_EV, dtype=complex)
    h[0] = ONSITE_EV
    return WannierHamiltonian(degeneracies=np.ones(len(r), dtype=int), r=r, h_ev=h)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_hopping_to_neighbours_gives_cosine_bands(dimensions):
    k = check_points(50)
    exact = ONSITE_EV + 2 * HOPPING_EV * np.cos(2 * np.pi * k[:, :dimensions]).sum(axis=1)
    # sums of at most seven terms of order one
    np.testing.assert_allclose(interpolate_bands(chain(dimensions), k)[:, 0], exact, atol=1e-14 * 7)


def test_vector_shared_by_two_cells_counts_half_at_each():
    shared = chain(1)
    doubled = WannierHamiltonian(
        degeneracies=np.array([1, 2, 2]), r=shared.r, h_ev=shared.h_ev * np.array([1, 2, 2])[:, None, None]
    )
    k = check_points(20)
    np.testing.assert_allclose(interpolate_bands(doubled, k), interpolate_bands(shared, k), atol=1e-14)


def test_two_orbitals_of_a_dimerised_chain_split_by_the_difference_of_their_hoppings():
    # Su, Schrieffer and Heeger 1979: E = -+ |v + w exp(i k)|
    v, w = 1.0, 0.4
    h = np.zeros((3, 2, 2), dtype=complex)
    h[0] = [[0, v], [v, 0]]
    h[1, 1, 0] = h[2, 0, 1] = w
    hamiltonian = WannierHamiltonian(np.ones(3, dtype=int), np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0]]), h)
    k = check_points(30)
    exact = np.abs(v + w * np.exp(2j * np.pi * k[:, 0]))
    np.testing.assert_allclose(interpolate_bands(hamiltonian, k), np.stack([-exact, exact], axis=1), atol=1e-14 * 4)


def bands():
    return np.sort(np.random.default_rng(5).uniform(-6.0, 4.0, (40, 5)), axis=1)


def test_equal_bands_are_at_no_distance():
    result = band_distance(bands(), bands(), FERMI_EV)
    assert (result.eta_mev, result.near_fermi_mev, result.largest_mev) == (0.0, 0.0, 0.0)
    assert result.n_states == (bands() < FERMI_EV + 1.0).sum()


def test_distance_of_shifted_bands_is_the_shift():
    result = band_distance(bands(), bands() + 0.012, FERMI_EV)
    for value in (result.eta_mev, result.near_fermi_mev, result.largest_mev):
        # differences of numbers of order 1 eV
        assert value == pytest.approx(12.0, abs=1e-10)


def test_states_far_above_the_fermi_energy_do_not_count():
    wrong = bands()
    wrong[bands() > FERMI_EV + 3.0] += 1.0
    # a Fermi function of 0.1 eV at 2 eV above its edge: exp(-20) of 1 eV^2, of at most 200 states over some tens
    assert band_distance(bands(), wrong, FERMI_EV).eta_mev < 1e3 * np.sqrt(200 * np.exp(-20))
    assert band_distance(bands(), wrong, FERMI_EV).largest_mev == 0.0
    assert band_distance(bands(), wrong, FERMI_EV, edge_ev=4.0).eta_mev > 100


def test_functions_beyond_the_computed_bands_are_left_out():
    assert band_distance(bands()[:, :3], bands(), FERMI_EV).eta_mev == 0.0


def test_state_near_the_fermi_energy_that_no_function_carries_counts_with_its_distance_below_the_edge():
    # one band at -3 eV, carried; one at 0.5 eV above E_F, not
    computed = np.tile([-3.0, 0.5], (4, 1))
    result = band_distance(computed, computed[:, :1], FERMI_EV)
    assert (result.largest_mev, result.near_fermi_mev, result.n_states) == (500.0, 500.0, 8)
    # of two bands one is 500 meV off; weights 1 and 1 - exp(-5)
    assert result.eta_mev == pytest.approx(500 / np.sqrt(2), rel=np.exp(-5))


def test_states_above_the_edge_that_no_function_carries_do_not_count():
    computed = np.tile([-3.0, 0.5, 1.01], (4, 1))
    wrong = computed[:, :2] + 0.012
    both = [band_distance(bands, wrong, FERMI_EV) for bands in (computed, computed[:, :2])]
    assert both[0] == both[1]


def test_no_state_near_the_fermi_energy_is_not_a_distance_of_zero():
    deep = np.full((4, 2), -8.0)
    assert band_distance(deep, deep, FERMI_EV).near_fermi_mev is None


def test_bands_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="expected energies at 40 k points, found"):
        band_distance(bands(), bands()[:3], FERMI_EV)
    with pytest.raises(ValueError, match="expected energies at 40 k points, found"):
        band_distance(bands()[:, :0], bands(), FERMI_EV)
    with pytest.raises(
        ValueError, match=r"expected states below 1.00 eV, found none: the excluded bands hold them all"
    ):
        band_distance(bands() + 20, bands() + 20, FERMI_EV)


@pytest.mark.parametrize("mesh", range(1, 17))
def test_check_points_lie_on_no_mesh_and_on_no_symmetry_plane(mesh):
    points = check_points(64)
    assert points.shape == (64, 3)
    assert ((points >= 0) & (points < 1)).all()
    off = np.abs(points * mesh - np.round(points * mesh)).max(axis=1)
    assert off.min() > 0.02
    assert np.abs(points[:, 0] - points[:, 1]).min() > 1e-3


def test_check_points_fill_the_cell_more_evenly_than_chance():
    points = check_points(64)
    counts = np.histogramdd(points, bins=(2, 2, 2), range=((0, 1),) * 3)[0]
    # 8 in each octant; the deviation of random points is sqrt(8 7/8) = 2.6
    assert np.abs(counts - 8).max() <= 2
