from pathlib import Path

import numpy as np
import pytest
from fakes.double_sums import pair_susceptibilities
from scipy import fft

from hightc.analysis.fermi_bands import bands_at_fermi_level
from hightc.analysis.mesh_unfolding import irreducible_of_mesh
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.susceptibility import (
    band_susceptibilities,
    bare_susceptibility,
    projected_susceptibility,
)
from hightc.eliashberg.constants import KB_MEV_PER_K

CR = Path(__file__).parents[1] / "data" / "qe" / "cr_nesting"

FERMI_EV = 5.3
# the rule's error of each pair, all of one sign, is 1e-11; transforms and exponents add 1e-14 of the largest value
AGREEMENT = 2e-11


def kt_ev(temperature_k):
    return temperature_k * KB_MEV_PER_K / 1e3


def random_bands(mesh=(4, 3, 5), bands=3, seed=0, width_ev=4.0):
    return FERMI_EV + width_ev * np.random.default_rng(seed).uniform(-0.5, 0.5, (*mesh, bands))


def chain(n, hopping_ev=1.0):
    k = 2 * np.pi * np.arange(n) / n
    return (-2 * hopping_ev * np.cos(k)).reshape(n, 1, 1, 1)


def square(n, hopping_ev=1.0):
    k = 2 * np.pi * np.arange(n) / n
    return (-2 * hopping_ev * (np.cos(k)[:, None] + np.cos(k))).reshape(n, n, 1, 1)


def at_minus_q(values):
    return np.roll(np.flip(values, (0, 1, 2)), 1, (0, 1, 2))


@pytest.mark.parametrize("temperature_k", [3.0, 40.0, 300.0, 1e4, 1e6])
@pytest.mark.parametrize("mesh", [(4, 3, 5), (6, 4, 1), (1, 1, 9), (2, 2, 2)])
def test_all_q_agree_with_the_double_sum(mesh, temperature_k):
    bands = random_bands(mesh)
    bands[..., 1] = bands[..., 0]  # degenerate everywhere
    bands[0, 0, :, 2] = FERMI_EV  # and at the Fermi energy
    exact = pair_susceptibilities(bands - FERMI_EV, bands - FERMI_EV, kt_ev(temperature_k)).sum(axis=(-1, -2))
    found = bare_susceptibility(bands, FERMI_EV, temperature_k=temperature_k)
    assert found.shape == mesh
    assert found.dtype == np.float64
    assert np.abs(found - exact).max() < AGREEMENT * exact.max()


def test_insulator_with_a_gap_agrees_with_the_double_sum():
    bands = random_bands(width_ev=1.0) + np.array([-2, 2, 3])
    exact = pair_susceptibilities(bands - FERMI_EV, bands - FERMI_EV, kt_ev(300)).sum(axis=(-1, -2))
    assert np.abs(bare_susceptibility(bands, FERMI_EV, temperature_k=300) - exact).max() < AGREEMENT * exact.max()


def test_each_pair_of_bands_agrees_with_the_double_sum_and_their_sum_is_the_whole():
    bands = random_bands()
    exact = pair_susceptibilities(bands - FERMI_EV, bands - FERMI_EV, kt_ev(900))
    found = band_susceptibilities(bands, FERMI_EV, temperature_k=900)
    assert found.shape == (4, 3, 5, 3, 3)
    assert np.abs(found - exact).max() < AGREEMENT * exact.max()
    whole = bare_susceptibility(bands, FERMI_EV, temperature_k=900)
    assert found.sum(axis=(-1, -2)) == pytest.approx(whole, rel=1e-12)
    # rename n and m, k and k+q
    assert at_minus_q(found) == pytest.approx(np.swapaxes(found, -1, -2), rel=1e-12)


def test_projections_weigh_both_states_of_a_pair():
    bands = random_bands()
    shares = np.random.default_rng(2).dirichlet(np.ones(4), bands.shape)
    found = projected_susceptibility(bands, shares, FERMI_EV, temperature_k=700)
    scaled, kt = (bands - FERMI_EV)[..., None, :], kt_ev(700)
    exact = np.empty_like(found)
    for q in np.ndindex(bands.shape[:3]):
        back = tuple(-step for step in q)
        there, weights_there = (np.roll(values, back, (0, 1, 2)) for values in (scaled, shares))
        pairs = [
            pair_susceptibilities(here.reshape(1, 1, 1, -1), other.reshape(1, 1, 1, -1), kt)[0, 0, 0]
            for here, other in zip(scaled.reshape(-1, 3), there.reshape(-1, 3), strict=True)
        ]
        weights = shares.reshape(-1, 3, 4), weights_there.reshape(-1, 3, 4)
        exact[q] = np.einsum("kna,kmb,knm->ab", *weights, np.array(pairs)) / len(pairs)
    assert np.abs(found - exact).max() < AGREEMENT * exact.max()
    # shares of each state add up to 1
    whole = bare_susceptibility(bands, FERMI_EV, temperature_k=700)
    assert found.sum(axis=(-1, -2)) == pytest.approx(whole, rel=1e-12)


def test_projections_of_one_leave_the_bare_susceptibility():
    bands = random_bands()
    found = projected_susceptibility(bands, np.ones((*bands.shape, 2)), FERMI_EV, temperature_k=200)
    whole = bare_susceptibility(bands, FERMI_EV, temperature_k=200)
    assert found == pytest.approx(np.broadcast_to(whole[..., None, None], found.shape), rel=1e-12)


def test_susceptibility_is_positive_and_even_without_any_symmetry_of_the_bands():
    found = bare_susceptibility(random_bands((6, 5, 4)), FERMI_EV, temperature_k=100)
    assert found.min() > 0
    assert found == pytest.approx(at_minus_q(found), rel=1e-12)


def test_long_waves_at_low_temperature_count_the_states_at_the_fermi_energy():
    # a chain filled to k_F has 1/(2 pi t sin k_F) states/eV/spin; kT = 0.02 t with a mesh spacing below it. Sommerfeld:
    # (pi kT)^2/6 N''/N = (pi kT)^2/6 (1/4 + 3 cos^2/(4 sin^2))/sin^2 < 5e-4 for k_F = 1
    temperature, momentum = 0.02 / kt_ev(1), 1.0
    found = bare_susceptibility(chain(4096), -2 * np.cos(momentum), temperature_k=temperature)[:2, 0, 0]
    assert found == pytest.approx(1 / (2 * np.pi * np.sin(momentum)), rel=1e-3)


@pytest.mark.parametrize("momentum", [0.6, 1.3, np.pi / 2])
def test_chain_has_its_analytic_susceptibility_and_peaks_at_twice_the_fermi_momentum(momentum):
    n, kt = 8192, 0.005
    found = bare_susceptibility(chain(n), -2 * np.cos(momentum), temperature_k=kt / kt_ev(1))[:, 0, 0]
    q = 2 * np.pi * np.arange(1, n // 2) / n
    # e_k+q - e_k = 4 t sin(q/2) sin(k + q/2), and the integral of 1/sin(x) is ln tan(x/2); zero temperature
    logarithm = np.log(np.abs(np.tan((q / 2 + momentum) / 2) / np.tan((q / 2 - momentum) / 2 + 1e-300)))
    exact = logarithm / (4 * np.pi * np.sin(q / 2))
    away = np.abs(q - 2 * momentum) > 0.3
    # temperature shifts the logarithm by (pi kT/(v dq))^2/6 with v dq > 2 sin(0.6) 0.3/2 t: 1.4e-3 of about 1
    assert found[1 : n // 2][away] == pytest.approx(exact[away], rel=3e-3)
    peak = 2 * np.pi * found[: n // 2 + 1].argmax() / n
    # rounded over kT/v
    assert peak == pytest.approx(2 * momentum, abs=2 * kt / np.sin(momentum))


def test_chain_peak_grows_with_the_logarithm_of_the_temperature():
    peaks = [bare_susceptibility(chain(8192), 0, temperature_k=kt / kt_ev(1))[4096, 0, 0] for kt in (0.04, 0.02, 0.01)]
    # perfect nesting: chi(pi) = int dN(e) tanh(e/2kT)/(2e), so N(0) ln(2) more for each halving; corrections (kT/t)^2
    assert np.diff(peaks) == pytest.approx(np.log(2) / (2 * np.pi), rel=1e-3)


def test_half_filled_square_lattice_peaks_at_the_zone_corner():
    found = bare_susceptibility(square(64), 0, temperature_k=300)[..., 0]
    assert np.unravel_index(found.argmax(), found.shape) == (32, 32)
    assert found[32, 32] > 1.05 * np.sort(found, axis=None)[-2]
    # the square's symmetries
    assert found == pytest.approx(found.T, rel=1e-12)
    assert found == pytest.approx(at_minus_q(found[..., None])[..., 0], rel=1e-12)


def test_perfect_nesting_is_the_pair_susceptibility_of_the_density_of_states():
    bands, temperature = square(32), 2000.0
    # e_k+Q = -e_k at the corner: [f(e) - f(-e)]/(-2e) = tanh(e/2kT)/(2e)
    e, kt = bands.ravel(), kt_ev(temperature)
    e = np.where(np.abs(e) < 1e-9, 1e-9, e)
    exact = np.mean(np.tanh(e / (2 * kt)) / (2 * e))
    assert bare_susceptibility(bands, 0, temperature_k=temperature)[16, 16, 0] == pytest.approx(exact, rel=1e-10)


def test_mean_over_q_is_the_sum_over_unrelated_pairs():
    bands = random_bands()
    found = bare_susceptibility(bands, FERMI_EV, temperature_k=600)
    anywhere = (bands - FERMI_EV).reshape(1, 1, 1, -1)
    exact = pair_susceptibilities(anywhere, anywhere, kt_ev(600)).sum() / found.size**2
    assert found.mean() == pytest.approx(exact, rel=AGREEMENT)


def test_hot_electrons_forget_their_bands():
    # f (1-f)/kT = 1/(4 kT) a pair of bands, to (width/kT)^2 = (4/1000)^2
    temperature = 1000 / kt_ev(1)
    found = bare_susceptibility(random_bands(), FERMI_EV, temperature_k=temperature)
    assert found == pytest.approx(9 / 4000, rel=2e-5)


def test_shifts_of_energy_and_of_the_mesh_change_nothing():
    bands = random_bands()
    reference = bare_susceptibility(bands, FERMI_EV, temperature_k=250)
    moved = bare_susceptibility(bands + 7, FERMI_EV + 7, temperature_k=250)
    # energies of 10 eV round to 1e-15 eV, 1e-13 kT, in exponents
    assert moved == pytest.approx(reference, rel=1e-11)
    rolled = bare_susceptibility(np.roll(bands, (1, 2, 3), (0, 1, 2)), FERMI_EV, temperature_k=250)
    assert rolled == pytest.approx(reference, rel=1e-11)


def test_scaled_energies_and_temperature_scale_the_susceptibility():
    bands = random_bands()
    reference = bare_susceptibility(bands - FERMI_EV, 0, temperature_k=250)
    assert bare_susceptibility(2 * (bands - FERMI_EV), 0, temperature_k=500) == pytest.approx(reference / 2, rel=1e-12)


def test_chromium_peaks_beside_the_zone_boundary_at_its_measured_wave_vector():
    run, stored = read_pw_xml(CR / "data-file-schema.xml"), np.load(CR / "bands_32.npz")
    bands = stored["energies_ev"][irreducible_of_mesh(run.structure, stored["k_points"], (32, 32, 32))]
    crossing = bands_at_fermi_level(bands, run.fermi_ev, window_ev=0.3)
    found = bare_susceptibility(bands[..., crossing], run.fermi_ev, temperature_k=600)
    # 2 pi/a (h, 0, 0) has the components a_i q/(2 pi) = +-h/2: a step of the mesh is h = 1/16
    step = np.sign(run.structure.lattice.matrix[:, 0]).astype(int)
    along_100 = np.array([found[tuple(n * step % 32)] for n in range(17)])
    # measured 0.952 (Fawcett, Rev. Mod. Phys. 60, 209 (1988)), 15.2 steps; the next point of the mesh
    assert along_100.argmax() == 15
    assert along_100[15] == pytest.approx(found.max())


def test_two_threads_give_the_numbers_of_one():
    bands = random_bands((8, 8, 8))
    with fft.set_workers(2):
        found = bare_susceptibility(bands, FERMI_EV, temperature_k=100)
    assert found == pytest.approx(bare_susceptibility(bands, FERMI_EV, temperature_k=100), rel=1e-13)


def test_energies_given_are_not_changed():
    bands = random_bands()
    kept = bands.copy()
    bare_susceptibility(bands, FERMI_EV, temperature_k=100)
    assert (bands == kept).all()


@pytest.mark.parametrize("temperature_k", [0, -1, np.nan, np.inf])
def test_temperature_that_is_none_is_refused(temperature_k):
    with pytest.raises(ValueError, match="temperature_k: expected more than 0 K, found"):
        bare_susceptibility(random_bands(), FERMI_EV, temperature_k=temperature_k)


@pytest.mark.parametrize("fermi_ev", [-20.0, 20.0])
def test_fermi_energy_outside_of_all_bands_is_refused(fermi_ev):
    with pytest.raises(ValueError, match="no state there; check E_F"):
        bare_susceptibility(random_bands(), fermi_ev, temperature_k=300)


@pytest.mark.parametrize(
    ("shares", "claim"),
    [
        (np.ones((4, 3, 5, 3)), "unfold both"),
        (np.ones((4, 3, 5, 2, 6)), "unfold both"),
        (np.ones((4, 3, 5, 3, 0)), "unfold both"),
        (np.full((4, 3, 5, 3, 2), 1.2), "normalise"),
        (np.full((4, 3, 5, 3, 2), np.nan), "normalise"),
    ],
)
def test_projections_that_do_not_fit_are_refused(shares, claim):
    with pytest.raises(ValueError, match=claim):
        projected_susceptibility(random_bands(), shares, FERMI_EV, temperature_k=300)
