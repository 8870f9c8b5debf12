from __future__ import annotations

import pytest
from fakes.magnetic_ladder import PARAMAGNET, RATIOS, LandauMagnet, failed_row, ladder, orders, row

from hightc.analysis.documents.magnetism import Softness
from hightc.analysis.magnetic_warnings import magnetic_warnings

NM, FM, AFM = ORDERS = orders()
MAGNET = LandauMagnet(5.0, gain_ev=0.02)


def test_complete_ladder_with_known_noise_has_no_warning():
    states = [*ladder(NM, PARAMAGNET), *ladder(FM, MAGNET), *ladder(AFM, LandauMagnet(8.6))]
    assert magnetic_warnings(states, ORDERS, (), 0.01, None) == ()


def test_failed_row_is_named_with_its_rung_and_reason():
    asked = failed_row(AFM, 1.0, "out of memory").model_copy(update={"volume_ratio": None, "target_pressure_gpa": 30.0})
    found = magnetic_warnings([failed_row(FM, 0.95, "killed"), asked], ORDERS, (), 0.01, None)
    assert found == (
        "FM at V/V0 = 0.95 failed: killed",
        "AFM1 at 30 GPa failed: out of memory",
        "no result of NM, FM, AFM1: the ground state is the lowest of the others",
    )


def test_row_that_ended_as_another_order_is_named():
    states = [row(AFM, 1.0, MAGNET, reached="ferromagnetic"), row(NM, 0.9, PARAMAGNET, reached="ferromagnetic")]
    found = magnetic_warnings(states, (NM, AFM), (), 0.01, None)
    assert set(found) == {
        "AFM1 at V/V0 = 1 ended ferromagnetic: it is no row of AFM1",
        "NM at V/V0 = 0.9 ended ferromagnetic: it is no row of NM",
    }


def test_pressure_that_does_not_rise_with_compression_is_said():
    states = ladder(FM, MAGNET)
    states[3] = states[3].model_copy(update={"pressure_gpa": states[2].pressure_gpa - 1.0})
    (found,) = magnetic_warnings(states, (FM,), (), 0.01, None)
    assert found.startswith("FM: the pressure does not rise with compression up to V/V0 = 0.9")


@pytest.mark.parametrize(("shift_gpa", "said"), [(2.0, False), (5.0, True), (-5.0, True)])
def test_stress_that_is_not_the_derivative_of_the_energy_is_said(shift_gpa, said):
    states = [
        one.model_copy(update={"pressure_gpa": one.pressure_gpa + shift_gpa})
        for one in ladder(NM, PARAMAGNET, RATIOS[:5])
    ]
    assert any("higher cutoff" in warning for warning in magnetic_warnings(states, ORDERS, (), 0.01, None)) is said


@pytest.mark.parametrize(("noise", "said"), [(None, True), (0.01, False)])
def test_noise_that_was_not_measured_is_said(noise, said):
    assert any("was not measured" in warning for warning in magnetic_warnings([], ORDERS, (), noise, None)) is said


@pytest.mark.parametrize(("value", "error", "said"), [(0.01, 0.006, True), (0.01, 0.004, False), (None, None, False)])
def test_slope_lost_in_its_error_is_said(value, error, said):
    softness = Softness(pressure_gpa=0.0, value_per_gpa=value, error_per_gpa=error, reason=None)
    assert (
        any("lost in its error" in warning for warning in magnetic_warnings([], ORDERS, (softness,), 0.0, None)) is said
    )
