import numpy as np
import pytest
from fakes.double_sums import exact_kernel

from hightc.analysis.thermal_states import ThermalStates
from hightc.eliashberg.constants import KB_MEV_PER_K


def test_far_states_are_filled_or_empty_without_overflow():
    states = ThermalStates.of(np.array([-30.0, 0.0, 30.0]), 0.0, 1.0)
    assert np.exp(states.log_filled) == pytest.approx([1, 0.5, 0], abs=1e-15)
    assert np.exp(states.log_empty) == pytest.approx([0, 0.5, 1], abs=1e-15)
    for _, filled, empty in states.propagate():
        assert filled.max() <= 1
        assert empty.max() <= 1


def test_sum_over_times_is_the_kernel_of_each_pair():
    energies, kt = np.linspace(-0.4, 0.9, 14), 0.05
    states = ThermalStates.of(energies + 2, 2.0, kt / (KB_MEV_PER_K / 1e3))
    found = 0
    for weight, filled, empty in states.propagate():
        found = found + weight * (np.multiply.outer(filled, empty) + np.multiply.outer(empty, filled))
    exact = exact_kernel(energies[:, None] / kt, energies / kt) / kt
    assert np.abs(found / exact - 1).max() < 2e-11  # the rule's 1e-11, and rounding of energies of 2 eV


def test_times_reach_over_all_energies():
    states = ThermalStates.of(np.array([-1.0, 3.0]), 0.0, 100.0)
    assert states.times.reach >= 4 / states.kt_ev


@pytest.mark.parametrize("fermi_ev", [-1.1, 1.1])
def test_fermi_energy_within_forty_kt_of_the_bands_is_enough(fermi_ev):
    energies = np.array([-1.0, 1.0])
    assert ThermalStates.of(energies, fermi_ev, 300.0).reduced.shape == (2,)
    with pytest.raises(ValueError, match="40 kT"):
        ThermalStates.of(energies, fermi_ev, 10.0)
