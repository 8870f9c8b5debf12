import numpy as np
import pytest
from fakes.double_sums import at_shifted_points

from hightc.analysis.nesting import band_nesting_functions, nesting_function

FERMI_EV = 5.3
ROUNDING = 1e-13  # of sums of positive numbers, and of transforms relative to the largest value


def random_bands(mesh=(4, 3, 5), bands=3):
    return FERMI_EV + np.random.default_rng(0).uniform(-1, 1, (*mesh, bands))


def deltas(energies, smearing):
    return np.exp(-(((energies - FERMI_EV) / smearing) ** 2) / 2) / (smearing * np.sqrt(2 * np.pi))


@pytest.mark.parametrize("smearing", [0.03, 0.3])
@pytest.mark.parametrize("mesh", [(4, 3, 5), (6, 4, 1), (1, 1, 7)])
def test_all_q_agree_with_the_sum_over_pairs_of_states(mesh, smearing):
    bands = random_bands(mesh)
    weights = deltas(bands, smearing)
    exact = np.empty((*mesh, 3, 3))
    for q in np.ndindex(mesh):
        exact[q] = np.einsum("xyzn,xyzm->nm", weights, at_shifted_points(weights, q)) / np.prod(mesh)
    found = band_nesting_functions(bands, FERMI_EV, smearing_ev=smearing)
    assert np.abs(found - exact).max() < ROUNDING * exact.max()
    whole = nesting_function(bands, FERMI_EV, smearing_ev=smearing)
    assert whole.shape == mesh
    assert np.abs(whole - exact.sum(axis=(-1, -2))).max() < ROUNDING * whole.max()


def test_mean_over_q_is_the_square_of_the_density_of_states():
    bands = random_bands()
    density = deltas(bands, 0.2).sum(axis=-1).mean()
    assert nesting_function(bands, FERMI_EV, smearing_ev=0.2).mean() == pytest.approx(density**2, rel=ROUNDING)


def test_no_vector_nests_better_than_none_and_minus_q_is_as_good_as_q():
    found = nesting_function(random_bands((6, 5, 4)), FERMI_EV, smearing_ev=0.1)
    assert found.argmax() == 0
    assert np.roll(np.flip(found), 1, (0, 1, 2)) == pytest.approx(found, rel=1e-10)


def test_bands_change_places_at_minus_q():
    found = band_nesting_functions(random_bands(), FERMI_EV, smearing_ev=0.2)
    there = np.roll(np.flip(found, (0, 1, 2)), 1, (0, 1, 2))
    assert there == pytest.approx(np.swapaxes(found, -1, -2), rel=1e-10)


def test_chain_nests_at_twice_its_fermi_momentum():
    n, momentum = 2048, 2 * np.pi * 350 / 2048
    bands = (FERMI_EV + 2 * (np.cos(momentum) - np.cos(2 * np.pi * np.arange(n) / n))).reshape(1, n, 1, 1)
    found = nesting_function(bands, FERMI_EV, smearing_ev=0.02)[0, :, 0]
    assert 200 + found[200 : n // 2].argmax() == pytest.approx(700, abs=1)
    # the points k_F and -k_F: 2k_F joins one pair of two, q = 0 both; of width v dk = smearing the rest is empty
    assert found[700] == pytest.approx(found[0] / 2, rel=0.01)
    assert found[400:650].max() < 1e-6 * found[0]


def test_half_filled_square_lattice_nests_at_the_zone_corner_as_at_the_origin():
    k = 2 * np.pi * np.arange(32) / 32
    bands = (-2 * (np.cos(k)[:, None] + np.cos(k))).reshape(32, 32, 1, 1)
    found = nesting_function(bands, 0, smearing_ev=0.1)[..., 0]
    # e_k+Q = -e_k, and the Gaussian is even
    assert found[16, 16] == pytest.approx(found[0, 0], rel=1e-10)


def test_energies_and_smearing_in_other_units_scale_the_function():
    bands = random_bands()
    reference = nesting_function(bands - FERMI_EV, 0, smearing_ev=0.2)
    assert nesting_function(3 * (bands - FERMI_EV), 0, smearing_ev=0.6) == pytest.approx(reference / 9, rel=1e-12)


def test_energies_given_are_not_changed():
    bands = random_bands()
    kept = bands.copy()
    nesting_function(bands, FERMI_EV, smearing_ev=0.1)
    assert (bands == kept).all()


@pytest.mark.parametrize("smearing_ev", [0, -0.1, np.nan, np.inf])
def test_smearing_that_is_none_is_refused(smearing_ev):
    with pytest.raises(ValueError, match="smearing_ev: expected more than 0 eV, found"):
        nesting_function(random_bands(), FERMI_EV, smearing_ev=smearing_ev)


@pytest.mark.parametrize("fermi_ev", [FERMI_EV - 3, FERMI_EV, FERMI_EV + 3])
def test_insulator_has_no_nesting_function(fermi_ev):
    bands = random_bands() * 0.1 + 0.9 * FERMI_EV + np.array([-1, 1, 2])
    with pytest.raises(ValueError, match="insulator or a wrong E_F"):
        nesting_function(bands, fermi_ev, smearing_ev=0.05)


def test_mesh_without_bands_is_refused():
    with pytest.raises(ValueError, match="unfold irreducible points"):
        nesting_function(np.zeros((4, 4, 4)), FERMI_EV, smearing_ev=0.1)
