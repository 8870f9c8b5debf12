"""Free energy, critical field and specific-heat jump: BCS limits, thermodynamic consistency, units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hightc.eliashberg import CoupledModes, ParameterError, TcStatus, critical_temperature
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.gap import GapStatus, solve_gap
from hightc.eliashberg.thermodynamics import (
    critical_field_millitesla,
    critical_field_per_root_density,
    energy_joule_per_mole,
    free_energy_difference,
    thermodynamics,
)

WEAK = CoupledModes([10.0], [0.25])
STRONG = CoupledModes([4.4, 8.5], [1.0, 0.55])  # the two peaks of lead

few = settings(max_examples=4, deadline=None)


def energy(modes, temperature, mu_star):
    return free_energy_difference(modes, solve_gap(modes, temperature, mu_star))


def test_jump_field_and_condensation_energy_are_bcs_in_weak_coupling():
    result = thermodynamics(WEAK, 0.0, np.array([0.7]))
    tc_mev = KB_MEV_PER_K * result.critical_temperature.tc_kelvin
    correction = (tc_mev / 10) ** 2 * np.log(10 / tc_mev)
    # Marsiglio and Carbotte 1986: 1.43 [1 + 53 x^2 ln(1/3x)], 0.168 [1 - 12.2 x^2 ln(1/3x)], x = Tc/w.
    assert result.specific_heat_jump == pytest.approx(12 / (7 * 1.2020569), rel=60 * correction)
    gap_over_tc = np.pi * np.exp(-np.euler_gamma)
    assert result.field_ratio == pytest.approx(np.pi / (6 * gap_over_tc**2), rel=20 * correction)
    # E_c = N(0) Delta^2/2 per Z: the quasi-particles of BCS are renormalised, N(0) (1 + lambda).
    bcs = (1 + WEAK.lam) * (gap_over_tc * tc_mev) ** 2 / 2
    assert result.condensation_energy == pytest.approx(bcs, rel=20 * correction)
    # Muehlschlegel 1959: D(t) is -0.037 at its lowest, near t^2 = 1/2.
    assert result.deviation[0] == pytest.approx(-0.037, abs=1e-3)


def test_lead_is_strongly_coupled():
    # Carbotte 1990: Delta C/gamma Tc = 2.77, gamma Tc^2/Hc^2 = 0.132, D(t) > 0; two modes stand for the spectrum.
    result = thermodynamics(STRONG, 0.1, np.array([0.5, 0.7]))
    assert result.specific_heat_jump == pytest.approx(2.77, rel=0.1)
    assert result.field_ratio == pytest.approx(0.132, rel=0.1)
    assert (result.deviation > 0).all()


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_entropy_vanishes_with_the_third_law(mu_star):
    # d(F_S - F_N)/dT -> gamma T with the phonon corrections of the normal state, of relative order (T/w)^2 below 1e-3.
    modes = CoupledModes([10.0], [1.0])
    tc = critical_temperature(modes, mu_star).tc_kelvin
    gamma = thermodynamics(modes, mu_star, np.array([])).gamma
    for t in (0.05, 0.1):
        low, high = (energy(modes, factor * t * tc, mu_star) for factor in (0.95, 1.05))
        slope = (high - low) / (0.1 * t * tc * KB_MEV_PER_K)
        assert slope == pytest.approx(gamma * t * tc * KB_MEV_PER_K, rel=2e-3)


@pytest.mark.parametrize("mu_star", [0.0, 0.1])
def test_free_energy_vanishes_quadratically_at_tc(mu_star):
    modes = CoupledModes([10.0], [1.0])
    tc = critical_temperature(modes, mu_star).tc_kelvin
    distance = np.array([1e-3, 4e-3])
    scaled = [energy(modes, (1 - d) * tc, mu_star) / d**2 for d in distance]
    # Corrections of relative order d, and an error of 1e-6 of Tc against d = 1e-3, doubled.
    assert scaled[1] / scaled[0] == pytest.approx(1, abs=3 * 4e-3 + 2e-3)


def test_jump_is_the_second_derivative_of_the_free_energy():
    modes = CoupledModes([10.0], [1.0])
    result = thermodynamics(modes, 0.1, np.array([]))
    tc = result.critical_temperature.tc_kelvin
    d = 4e-3
    curvature = -2 * energy(modes, (1 - d) * tc, 0.1) / (d * KB_MEV_PER_K * tc) ** 2
    assert curvature / result.gamma == pytest.approx(result.specific_heat_jump, rel=3 * d)


@few
@given(arrays(float, 3, elements=st.floats(5, 50)), arrays(float, 3, elements=st.floats(0.2, 1)), st.floats(0, 0.15))
def test_condensation_energy_falls_with_temperature(omega, lam, mu_star):
    result = thermodynamics(CoupledModes(omega, lam), mu_star, np.array([0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.1]))
    assert result.status is GapStatus.FOUND
    assert (np.diff(result.free_energy) > 0).all()
    assert result.free_energy[-1] == 0.0
    assert -result.condensation_energy < result.free_energy[0]
    assert result.specific_heat_jump > 1.42
    assert result.field_ratio < 0.169


@few
@given(arrays(float, 3, elements=st.floats(5, 50)), arrays(float, 3, elements=st.floats(0.2, 1)), st.floats(0.1, 10))
def test_ratios_do_not_depend_on_the_unit_of_energy(omega, lam, scale):
    one = thermodynamics(CoupledModes(omega, lam), 0.1, np.array([0.5]))
    other = thermodynamics(CoupledModes(scale * omega, lam), 0.1, np.array([0.5]))
    # Five points within 5 % of Tc, extrapolated by a spacing, magnify the errors of the solutions and of Tc, 1e-6.
    assert other.specific_heat_jump == pytest.approx(one.specific_heat_jump, rel=1e-4)
    assert other.field_ratio == pytest.approx(one.field_ratio, rel=1e-5)
    assert other.condensation_energy == pytest.approx(scale**2 * one.condensation_energy, rel=1e-5)


@pytest.mark.parametrize(
    ("omega", "lam"), [([10.0], [100.0]), ([0.1, 10.0], [2.0, 1.0]), ([0.001, 10.0], [0.5, 1.0]), ([10.0], [1.0])]
)
def test_condensation_energy_is_that_of_zero_temperature_with_slow_phonons_too(omega, lam):
    modes = CoupledModes(omega, lam)
    result = thermodynamics(modes, 0.1, [])
    tc = result.critical_temperature.tc_kelvin
    temperature = tc / 200
    colder = result.gamma * (KB_MEV_PER_K * temperature) ** 2 / 2 - energy(modes, temperature, 0.1)
    # Terms of T^2 and more: what is left is below a third of the change by the last halving; 1e-8 of the gaps.
    left = result.condensation_energy_error / 2 + 1e-7 * colder
    assert result.condensation_energy == pytest.approx(colder, abs=left)
    assert result.condensation_energy_error < 1e-3 * colder


def test_results_share_no_memory_and_are_read_only():
    for modes in (WEAK, CoupledModes([10.0], [0.01])):
        result = thermodynamics(modes, 0.0, [0.5, 0.6])
        arrays = (result.temperature_kelvin, result.free_energy, result.critical_field, result.deviation)
        assert not any(values.flags.writeable for values in arrays)
        assert not any(np.shares_memory(arrays[0], values) for values in arrays[1:])


def test_frequencies_beyond_those_kept_are_added(monkeypatch):
    modes = CoupledModes([10.0], [1.0])
    accurate = energy(modes, 4.0, 0.1)
    monkeypatch.setattr("hightc.eliashberg.gap.TRUNCATION_TOLERANCE", 1.0)
    monkeypatch.setattr("hightc.eliashberg.gap._FIRST_DENSITY", 5.0)
    coarse = solve_gap(modes, 4.0, 0.1)
    # F is stationary: of the second order in what is left out of the gap, which is of the order of `truncation`.
    assert free_energy_difference(modes, coarse) == pytest.approx(accurate, rel=20 * coarse.truncation)
    assert coarse.truncation > 1e-7


def test_normal_state_has_no_condensation_energy():
    assert energy(WEAK, 50.0, 0.1) == 0.0


def test_without_superconductivity_there_are_no_numbers():
    for lam, mu_star, status, tc in (
        (0.1, 0.13, GapStatus.NORMAL, TcStatus.NO_SUPERCONDUCTIVITY),
        (0.2, 0.1, GapStatus.NOT_CONVERGED, TcStatus.BELOW_RANGE),
        (1.0, 5.0, GapStatus.INVALID, TcStatus.INVALID),
    ):
        result = thermodynamics(CoupledModes([10.0], [lam]), mu_star, np.array([0.5]), reference=3.0)
        assert (result.status, result.critical_temperature.status) == (status, tc)
        assert np.isnan([result.free_energy[0], result.specific_heat_jump, result.condensation_energy]).all()


def test_a_gap_that_did_not_converge_spoils_the_numbers_that_need_it(monkeypatch):
    monkeypatch.setattr("hightc.eliashberg.gap._ITERATIONS", 3)
    result = thermodynamics(WEAK, 0.0, np.array([0.5]))
    assert result.status is GapStatus.NOT_CONVERGED
    assert np.isnan([result.free_energy[0], result.specific_heat_jump, result.condensation_energy]).all()


def test_lead_has_its_critical_field_in_millitesla():
    # 80.3 mT, Tc = 7.19 K, 30.3 cubic Angstrom; gamma = 3.06 mJ/mol K^2 is N(0) (1 + lambda) = 0.65 states/eV/spin.
    result = thermodynamics(STRONG, 0.1, np.array([0.1]))
    scale = (7.19 / result.critical_temperature.tc_kelvin) ** 2
    field = critical_field_millitesla(-result.condensation_energy * scale, 0.65 / (1 + STRONG.lam), 30.3)
    assert field == pytest.approx(80.3, rel=0.1)


def test_units_agree_with_each_other():
    free, density, volume = -2.0, 0.5, 20.0
    joule_per_cell = energy_joule_per_mole(free, density) / 6.02214076e23
    assert joule_per_cell == pytest.approx(-2.0 * 0.5e-3 * 1.602176634e-22, rel=1e-12)
    tesla = 1e-3 * critical_field_millitesla(free, density, volume)
    assert tesla**2 / (2 * 1.25663706e-6) == pytest.approx(-joule_per_cell / (volume * 1e-30), rel=1e-8)
    assert critical_field_per_root_density(free) ** 2 / (8 * np.pi) == pytest.approx(2.0)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan])
def test_a_density_or_volume_that_is_none_is_refused(wrong):
    with pytest.raises(ParameterError, match="density_of_states: expected a positive number of states/eV/spin/cell"):
        energy_joule_per_mole(-1.0, wrong)
    with pytest.raises(ParameterError, match="volume_cubic_angstrom: expected a positive number"):
        critical_field_millitesla(-1.0, 1.0, wrong)
