"""Tc with a density of states: the limit of a constant, conservation of electrons, peaks and dips, and bad input."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from hightc.eliashberg import (
    ConvergenceError,
    CoupledModes,
    ParameterError,
    SpectrumError,
    TcStatus,
    critical_temperature,
)
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.critical_temperature_dense import critical_temperature_dense
from hightc.eliashberg.density_of_states import DensityOfStates
from hightc.eliashberg.full_bandwidth import critical_temperature_full_bandwidth
from hightc.eliashberg.kernel import phonon_kernel
from hightc.eliashberg.normal_state import normal_state

# Its module, where an attribute of the package may some day hide it.
MODULE = importlib.import_module("hightc.eliashberg.normal_state")

PHONONS = CoupledModes([5.0, 10.0], [0.4, 0.8])
ENERGY = np.linspace(-300, 300, 61)
PEAK = 1 + np.exp(-((ENERGY / 40) ** 2))
DIP = 1 - 0.5 * np.exp(-((ENERGY / 40) ** 2))
# Narrow and lopsided: everything that could shift the chemical potential.
LOPSIDED = np.interp(ENERGY, [-300, -20, 40, 60, 300], [0.2, 0.6, 2.0, 0.5, 0.3])
few = settings(max_examples=5, deadline=None)


def tc_kelvin(energy, dos, mu_star=0.1, modes=PHONONS, **options):
    solution = critical_temperature_full_bandwidth(modes, energy, dos, mu_star, **options)
    assert solution.status is TcStatus.FOUND
    return solution.tc_kelvin


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
@pytest.mark.parametrize("cutoff", [None, 20.0, 400.0])
def test_a_constant_density_of_states_gives_the_constant_tc(mu_star, cutoff):
    expected = critical_temperature_dense(PHONONS, mu_star)
    tc = tc_kelvin([-1.0, 1.0], [3.0, 3.0], mu_star, cutoff_mev=cutoff)
    # Tolerance of the dense search; few frequencies leave (a/128)^4 here.
    assert tc == pytest.approx(expected.tc_kelvin, rel=2e-7)


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_a_flat_band_approaches_the_constant_as_its_inverse_width(mu_star):
    expected = critical_temperature_dense(PHONONS, mu_star).tc_kelvin
    missing = [tc_kelvin([-w, w], [1.0, 1.0], mu_star, tail="zero") / expected - 1 for w in (1e4, 1e5)]
    assert abs(missing[0]) < 3e-3
    # The next order is w_c/W = 1e-2 of the first.
    assert missing[1] == pytest.approx(missing[0] / 10, rel=0.03)


@pytest.mark.parametrize("tail", ["constant", "zero"])
@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_the_unit_of_the_density_of_states_drops_out(tail, mu_star):
    one, other = (tc_kelvin(ENERGY, scale * LOPSIDED, mu_star, tail=tail) for scale in (1.0, 8.0))
    assert one == other  # a power of two: exact in floating point
    assert tc_kelvin(ENERGY, 0.37 * LOPSIDED, mu_star, tail=tail) == pytest.approx(one, rel=1e-8)


@few
@given(st.floats(1e-2, 1e2))
def test_tc_scales_with_all_energies(scale):
    modes = CoupledModes(scale * PHONONS.omega_mev, PHONONS.lam_per_mode)
    tc = tc_kelvin(ENERGY, LOPSIDED, tail="zero")
    # Tolerances of the normal state and of the root.
    assert tc_kelvin(scale * ENERGY, LOPSIDED, modes=modes, tail="zero") == pytest.approx(scale * tc, rel=1e-7)


@pytest.mark.parametrize("tail", ["constant", "zero"])
@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_a_mirror_image_of_the_density_of_states_has_the_same_tc(tail, mu_star):
    here = critical_temperature_full_bandwidth(PHONONS, ENERGY, LOPSIDED, mu_star, tail=tail)
    there = critical_temperature_full_bandwidth(PHONONS, -ENERGY[::-1], LOPSIDED[::-1], mu_star, tail=tail)
    assert there.tc_kelvin == pytest.approx(here.tc_kelvin, rel=1e-8)
    assert there.chemical_potential_mev == pytest.approx(-here.chemical_potential_mev, rel=1e-6)


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_a_peak_at_the_fermi_energy_gives_less_than_its_height_and_a_dip_more(mu_star):
    constant = critical_temperature(PHONONS, mu_star).tc_kelvin
    # Same coupling at the Fermi energy: other states couple less beside a peak and more beside a dip.
    assert tc_kelvin(ENERGY, PEAK, mu_star) < constant < tc_kelvin(ENERGY, DIP, mu_star)
    # Same coupling of the background: lambda goes with N(0), and a peak gains.
    for dos, sign in ((PEAK, 1), (DIP, -1)):
        modes = CoupledModes(PHONONS.omega_mev, PHONONS.lam_per_mode * dos[ENERGY == 0])
        assert sign * (tc_kelvin(ENERGY, dos, mu_star, modes) - constant) > 0


def test_normal_state_solves_its_equations_at_fixed_filling():
    density = DensityOfStates(ENERGY, LOPSIDED, "zero")
    state = normal_state(PHONONS, density, 40.0, cutoff_mev=4000.0)
    temperature, n, half = 40.0 * KB_MEV_PER_K, 20, state.omega_n_mev.size
    frequencies = np.concatenate([-state.omega_n_mev[::-1], state.omega_n_mev])
    y = frequencies * np.concatenate([state.renormalisation[::-1], state.renormalisation])
    x = state.chemical_potential_mev - np.concatenate([state.energy_shift_mev[::-1], state.energy_shift_mev])
    resolvent = density.resolvent(x + 1j * np.abs(y))
    kernel = phonon_kernel(PHONONS, temperature, 2 * half)
    for row in range(half, half + n):
        lam = kernel[np.abs(row - np.arange(2 * half))]
        dressed = frequencies[row] + temperature * (lam * np.sign(y) * resolvent.imag).sum()
        shift = -temperature * (lam * resolvent.real).sum()
        # Frequencies beyond the cutoff: (w_ph/w_c)^2 of the sums for y, and w_ph/w_c for the shift of about 1 meV.
        assert dressed == pytest.approx(y[row], rel=1e-5)
        assert state.energy_shift_mev[row - half] == pytest.approx(shift, abs=1e-2)
    # N_total/2 + T sum_m Re G, the terms beyond the cutoff being int dE N (x - E)/w^2 each.
    total = np.trapezoid(density.dos, ENERGY)
    fine = np.linspace(-300, 300, 60_001)
    moment = np.trapezoid(density(fine) * (x[-1] - fine), fine)
    beyond = 2 * temperature * moment / ((2 * np.pi * temperature) ** 2 * half)
    electrons = total / 2 - temperature * resolvent.real.sum() + beyond
    at_zero = np.trapezoid(density.dos[ENERGY <= 0], ENERGY[ENERGY <= 0])
    assert electrons == pytest.approx(at_zero, rel=1e-5)
    assert abs(state.added_electrons) < 1e-6 * at_zero


@pytest.mark.parametrize("tail", ["constant", "zero"])
def test_normal_state_does_not_depend_on_the_cutoff(tail):
    density = DensityOfStates(ENERGY, LOPSIDED / LOPSIDED[[0, -1]].mean(), tail)
    low, high = (normal_state(PHONONS, density, 40.0, cutoff_mev=cutoff) for cutoff in (500.0, 2000.0))
    few_points = slice(0, 10)
    np.testing.assert_allclose(low.renormalisation[few_points], high.renormalisation[few_points], rtol=1e-4)
    # mu - chi, what the electrons see, in meV.
    x = [state.chemical_potential_mev - state.energy_shift_mev[few_points] for state in (low, high)]
    np.testing.assert_allclose(x[0], x[1], atol=0.02)


def test_without_coupling_the_chemical_potential_is_sommerfelds():
    # mu = -(pi^2/6) T^2 N'/N, next order (T/1000)^4 of the width.
    density = DensityOfStates(np.array([-1000.0, 1000.0]), np.array([0.5, 1.5]), "zero")
    temperature = 100 * KB_MEV_PER_K
    state = normal_state(CoupledModes([10.0], [1e-9]), density, 100.0)
    slope = 0.5 / 1000
    assert state.chemical_potential_mev == pytest.approx(-(np.pi**2) / 6 * temperature**2 * slope, rel=1e-3)


@pytest.mark.parametrize("zeta", [0.3 + 0.1j, -40 + 2j, 250 + 30j, 500 + 1j, 900j])
def test_resolvent_is_the_integral(zeta):
    density = DensityOfStates(ENERGY, LOPSIDED, "zero")
    value = density.resolvent(np.array([zeta]))[0]
    points = [*ENERGY[1:-1]]
    for part, component in ((value.real, np.real), (value.imag, np.imag)):
        pieces = [
            quad(lambda e, c=component: c(density(np.array([e]))[0] / (e - zeta)), a, b)[0]
            for a, b in zip([ENERGY[0], *points], [*points, ENERGY[-1]], strict=True)
        ]
        assert part == pytest.approx(sum(pieces), abs=1e-7)  # 60 integrals of 1.5e-8, the default of quad


def test_constant_tails_go_on_for_ever():
    density, wide = (
        DensityOfStates(np.array([-w, 0.0, w]), np.array([1.0, 1.0, 1.0]), tail)
        for w, tail in ((1.0, "constant"), (1e9, "zero"))
    )
    zeta = np.array([3.0 + 2j, 100j])
    np.testing.assert_allclose(density.resolvent(zeta), np.full(2, 1j * np.pi), atol=1e-14)
    np.testing.assert_allclose(wide.resolvent(zeta), np.full(2, 1j * np.pi), atol=1e-6)


@pytest.mark.parametrize(
    ("modes", "mu_star", "status"),
    [
        (CoupledModes([10.0], [0.1]), 0.13, TcStatus.NO_SUPERCONDUCTIVITY),
        (CoupledModes([10.0], [0.12]), 0.0, TcStatus.BELOW_RANGE),
        (CoupledModes([10.0], [0.0]), 0.1, TcStatus.NO_SUPERCONDUCTIVITY),
        (CoupledModes([5.0, 10.0], [1.0, 1.0]), 5.0, TcStatus.INVALID),
    ],
)
def test_where_there_is_no_tc_the_status_says_why(modes, mu_star, status):
    solution = critical_temperature_full_bandwidth(modes, [-1.0, 1.0], [1.0, 1.0], mu_star)
    assert solution.status is status
    assert solution.tc_kelvin == (0.0 if status is TcStatus.NO_SUPERCONDUCTIVITY else None)


def test_solution_says_what_was_solved():
    solution = critical_temperature_full_bandwidth(PHONONS, ENERGY, PEAK, 0.1, cutoff_mev=60.0)
    assert (solution.cutoff_mev, solution.constant) == (60.0, critical_temperature(PHONONS, 0.1))
    assert solution.chemical_potential_mev == pytest.approx(0.0, abs=1e-9)
    low, high = solution.bracket_kelvin
    assert low < solution.tc_kelvin < high


@pytest.mark.parametrize(
    ("energy", "dos", "message"),
    [
        ([1.0, 2.0], [1.0, 1.0], "energy_mev: expected increasing energies around 0"),
        ([-1.0, -1.0, 1.0], [1.0, 1.0, 1.0], "energy_mev: expected increasing energies around 0"),
        ([-1.0, 1.0], [1.0, -1.0], "dos: expected values >= 0"),
        ([-1.0, 0.0, 1.0], [1.0, 0.0, 1.0], "dos: expected values >= 0, and > 0 at the Fermi energy"),
        ([-1.0, 1.0], [1.0], "dos: expected 2 values"),
    ],
)
def test_a_density_of_states_that_is_none_is_refused(energy, dos, message):
    with pytest.raises(SpectrumError, match=message):
        critical_temperature_full_bandwidth(PHONONS, energy, dos, 0.1)


def test_options_outside_their_domain_are_refused():
    with pytest.raises(ParameterError, match="tail: expected one of"):
        critical_temperature_full_bandwidth(PHONONS, ENERGY, PEAK, 0.1, tail="linear")
    with pytest.raises(ParameterError, match="cutoff_mev: expected at least 20 meV"):
        critical_temperature_full_bandwidth(PHONONS, ENERGY, PEAK, 0.1, cutoff_mev=10.0)
    with pytest.raises(ParameterError, match="temperature_kelvin: expected a positive number"):
        normal_state(PHONONS, DensityOfStates(ENERGY, PEAK), 0.0)


@pytest.mark.parametrize(
    ("energy", "dos", "tail"),
    [
        ([-5.0, 1e4], [1.0, 1.0], "zero"),
        ([-1e3, -5.0, 0.0, 5.0, 1e3], [10.0, 10.0, 1.0, 10.0, 10.0], "constant"),
        ([-1e3, -5.0, 0.0, 5.0, 1e3], [10.0, 10.0, 1.0, 10.0, 10.0], "zero"),
    ],
)
def test_steep_densities_of_states_settle(energy, dos, tail):
    modes = CoupledModes([10.0], [1.5])
    temperature = tc_kelvin(energy, dos, 0.1, modes, tail=tail)
    state = normal_state(modes, DensityOfStates(np.array(energy), np.array(dos), tail), temperature)
    # A plain iteration has not settled after 500.
    assert state.iterations < 250
    assert state.residual <= MODULE.TOLERANCE
    assert (state.renormalisation > 1).all()


@pytest.mark.parametrize("tiny", [5e-324, np.float64(1e-310)])
def test_a_mu_star_whose_inverse_is_no_number_is_none(tiny):
    assert tc_kelvin([-1.0, 1.0], [1.0, 1.0], tiny) == pytest.approx(tc_kelvin([-1.0, 1.0], [1.0, 1.0], 0.0), rel=1e-9)


def test_a_normal_state_that_does_not_settle_is_an_error(monkeypatch):
    monkeypatch.setattr(MODULE, "MOST_ITERATIONS", 2)
    with pytest.raises(ConvergenceError, match=r"expected a change below 1e-10, found .* after 2 iterations"):
        critical_temperature_full_bandwidth(PHONONS, ENERGY, LOPSIDED, 0.1)
