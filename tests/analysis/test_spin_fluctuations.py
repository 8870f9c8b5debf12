"""Critical temperatures with fluctuations of the spin beside the phonons."""

import math
from dataclasses import replace

import pytest

from hightc.analysis.paramagnon_coupling import ParamagnonCoupling, coupling_of_electron_gas
from hightc.analysis.spectral_function import document_spectrum
from hightc.analysis.spin_fluctuations import tc_with_spin_fluctuations
from hightc.eliashberg import (
    CoupledModes,
    TcStatus,
    critical_temperature,
    critical_temperature_with_spin_fluctuations,
    paramagnon_modes,
)

# three modes made to have lambda 1.19 and w_log 245 K = 21.1 meV, as quoted for bcc vanadium from Savrasov and
# Savrasov, Phys. Rev. B 54, 16487 (1996), not compared with the paper
VANADIUM = CoupledModes([16.0, 22.0, 27.5], [0.35, 0.54, 0.30])


def interval(low, high, width_low=100.0, width_high=200.0):
    return ParamagnonCoupling(low, high, width_low, width_high, (), None)


def test_vanadium_like_spectrum_has_the_quoted_moments():
    assert VANADIUM.lam == pytest.approx(1.19)
    assert VANADIUM.omega_log_mev == pytest.approx(21.1, abs=0.2)


@pytest.fixture(scope="module")
def vanadium():
    # N(E_F) between 0.8 and 1 state/eV/spin/atom of band theory, I = 0.70 eV. The cutoff k_F alone: with 2 k_F, the
    # other default, the high end is the same and the low end is below the range searched, after ten seconds
    return tc_with_spin_fluctuations(VANADIUM, coupling_of_electron_gas(0.9, 0.70, cutoffs=(1.0,)), 0.13)


def test_vanadium_phonons_alone_give_three_times_the_measured_tc(vanadium):
    assert 15 < vanadium.without.tc_kelvin < 22


def test_vanadium_like_interval_up_to_the_fermi_wave_vector_holds_the_measured_tc(vanadium):
    assert 0 < vanadium.low.tc_kelvin < 5.4 < vanadium.high.tc_kelvin
    assert vanadium.high.tc_kelvin < 0.6 * vanadium.without.tc_kelvin


def test_ends_of_the_interval_are_solutions_at_the_ends_of_the_coupling():
    found = tc_with_spin_fluctuations(VANADIUM, interval(0.05, 0.2), 0.13)
    tc = {
        (lam, width): critical_temperature_with_spin_fluctuations(
            VANADIUM, paramagnon_modes(lam, width), 0.13
        ).tc_kelvin
        for lam in (0.05, 0.2)
        for width in (100.0, 200.0)
    }
    assert found.low.tc_kelvin == min(tc.values())
    assert found.high.tc_kelvin == max(tc.values())
    assert (found.low.lambda_sf, found.high.lambda_sf) == (0.2, 0.05)
    assert found.low.status is found.high.status is TcStatus.FOUND
    assert found.high.tc_kelvin < found.without.tc_kelvin


def test_without_coupling_the_phonons_remain():
    found = tc_with_spin_fluctuations(VANADIUM, interval(0.0, 0.0, None, None), 0.13)
    alone = critical_temperature(VANADIUM, 0.13)
    assert found.low.tc_kelvin == found.high.tc_kelvin == found.without.tc_kelvin == alone.tc_kelvin


def test_strong_fluctuations_end_superconductivity():
    weak = CoupledModes([20.0], [0.4])
    found = tc_with_spin_fluctuations(weak, interval(0.0, 0.6), 0.13)
    assert found.low.tc_kelvin == 0.0
    assert found.low.status is TcStatus.NO_SUPERCONDUCTIVITY
    assert found.high.tc_kelvin == found.without.tc_kelvin > 0


def test_temperature_below_the_range_has_a_reason_and_no_number():
    # a coupling just strong enough: Tc under w_max/20000 kB
    found = tc_with_spin_fluctuations(CoupledModes([20.0], [0.4]), interval(0.09, 0.09, 100.0, 100.0), 0.13)
    assert found.low.status is TcStatus.BELOW_RANGE
    assert found.low.tc_kelvin is None
    assert "lowest temperature searched" in (found.low.reason or "")


def test_metal_that_orders_has_no_low_end():
    ordered = replace(interval(0.1, None), reason="the metal orders")
    found = tc_with_spin_fluctuations(VANADIUM, ordered, 0.13)
    assert found.low.tc_kelvin is None
    assert found.low.status is None
    assert found.low.reason == "the metal orders"
    assert found.high.status is TcStatus.FOUND


def test_repulsion_without_a_value_at_the_fluctuations_is_invalid():
    # 1/mu* = ln(w_sf/w_2) somewhere below: mu* diverges on the way up
    found = tc_with_spin_fluctuations(VANADIUM, interval(0.1, 0.1, 1e5, 1e5), 0.2)
    assert math.log(1e5 / VANADIUM.omega_2_mev) > 5
    assert found.low.status is TcStatus.INVALID
    assert "mu* has no value" in (found.low.reason or "")


def test_stored_spectrum_is_solved_as_its_modes(make_alpha2f):
    spectrum = document_spectrum(make_alpha2f((1.0,)))
    found = tc_with_spin_fluctuations(spectrum, interval(0.1, 0.1, 100.0, 100.0), 0.1)
    assert found.low.tc_kelvin == found.high.tc_kelvin
    assert 0 < found.low.tc_kelvin < found.without.tc_kelvin
