from __future__ import annotations

import numpy as np
import pytest
from fakes.magnetic_ladder import PARAMAGNET, RATIOS, LandauMagnet, bisect, failed_row, ladder, orders, row

from hightc.analysis.equation_of_state import EV_PER_ANGSTROM3_GPA
from hightc.analysis.magnetic_enthalpy import enthalpy_curves

NM, FM, AFM = ORDERS = orders()
STRONG = LandauMagnet(5.0, gain_ev=0.02)


def exact_enthalpy(magnet: LandauMagnet, pressure: float) -> float:
    volume = bisect(lambda v: magnet.pressure_at(v) - pressure, 6.0, 13.0)
    return magnet.energy_at(volume) + pressure * volume / EV_PER_ANGSTROM3_GPA


@pytest.mark.parametrize(
    ("ratios", "tolerance_ev"), [(RATIOS, 5e-6), (RATIOS[::2], 16 * 5e-6)], ids=["every rung", "every second rung"]
)
def test_difference_of_two_orders_is_exact_between_the_rungs(ratios, tolerance_ev):
    curves = enthalpy_curves([*ladder(NM, PARAMAGNET, ratios), *ladder(FM, STRONG, ratios)], ORDERS)
    for pressure in np.linspace(0, 90, 19):
        found = curves["FM"].enthalpy_ev(pressure) - curves["NM"].enthalpy_ev(pressure)
        # cubic pieces with exact derivatives miss a share of the fourth power of the step: 16 times as much for 2
        assert found == pytest.approx(
            exact_enthalpy(STRONG, pressure) - exact_enthalpy(PARAMAGNET, pressure), abs=tolerance_ev
        )


def test_enthalpy_and_moment_are_those_of_the_rows():
    rows = ladder(FM, STRONG)
    curve = enthalpy_curves(rows, ORDERS)["FM"]
    for one in rows:
        assert curve.enthalpy_ev(one.pressure_gpa) == pytest.approx(one.enthalpy_ev_per_atom, abs=1e-9)
        assert curve.moment(one.pressure_gpa) == pytest.approx(one.total_moment_bohr_magneton_per_atom)
    assert curve.moment(1e4) == pytest.approx(rows[-1].total_moment_bohr_magneton_per_atom)


def test_curve_reaches_half_a_step_beyond_the_ladder_and_no_further():
    curve = enthalpy_curves(ladder(FM, STRONG), ORDERS)["FM"]
    first, second = curve.pressure_gpa[:2]
    assert curve.defined(first - 0.49 * (second - first))
    assert curve.enthalpy_ev(first - 0.51 * (second - first)) is None
    assert curve.known_gpa[0] == pytest.approx(first - 0.5 * (second - first))


def test_rows_that_ended_otherwise_leave_a_gap():
    rows = ladder(AFM, STRONG)
    rows[3] = row(AFM, RATIOS[3], STRONG, reached="ferromagnetic")
    curve = enthalpy_curves(rows, ORDERS)["AFM1"]
    pressures = [one.pressure_gpa for one in rows]
    assert not curve.defined(pressures[3])
    assert not curve.defined((pressures[2] + pressures[3]) / 2)
    assert curve.defined(pressures[0], pressures[2])
    assert not curve.defined(pressures[2], pressures[4])
    assert curve.nearest_gpa(pressures[3] - 0.1) == pressures[2]
    low, high = curve.known_gpa
    assert low < pressures[3] < high


def test_failed_row_leaves_no_gap():
    rows = ladder(FM, STRONG)
    missing = rows[3].pressure_gpa
    rows[3] = failed_row(FM, RATIOS[3])
    assert enthalpy_curves(rows, ORDERS)["FM"].defined(missing)


def test_order_stops_at_its_last_row_with_a_moment():
    magnet = LandauMagnet(8.6)
    rows = ladder(FM, magnet)
    curve = enthalpy_curves(rows, ORDERS)["FM"]
    last = max(one.pressure_gpa for one in rows if one.reached == "ferromagnetic")
    assert curve.defined(last)
    assert not curve.defined(last + 0.1)


def test_row_whose_pressure_does_not_rise_is_no_point_of_the_curve():
    rows = ladder(FM, STRONG)
    rows[2] = rows[2].model_copy(update={"pressure_gpa": rows[1].pressure_gpa - 1})
    assert len(enthalpy_curves(rows, ORDERS)["FM"].pressure_gpa) == len(rows) - 1


def test_pressures_that_no_equation_of_state_joins_are_interpolated_directly():
    rows = [
        row(FM, ratio, STRONG, pressure_gpa=pressure)
        for ratio, pressure in zip((1.0, 0.999, 0.5), (0, 500, 501), strict=True)
    ]
    curve = enthalpy_curves(rows, ORDERS)["FM"]
    for one in rows:
        assert curve.enthalpy_ev(one.pressure_gpa) == pytest.approx(one.enthalpy_ev_per_atom)


@pytest.mark.parametrize("states", [[], [failed_row(FM, 1.0)]], ids=["none", "failed"])
def test_order_without_a_result_has_no_curve(states):
    assert enthalpy_curves(states, ORDERS) == {}


def test_single_row_is_known_at_its_pressure_alone():
    one = row(FM, 1.0, STRONG)
    curve = enthalpy_curves([one], ORDERS)["FM"]
    assert curve.enthalpy_ev(one.pressure_gpa) == pytest.approx(one.enthalpy_ev_per_atom)
    assert curve.moment(one.pressure_gpa) == pytest.approx(0.6)
    assert not curve.defined(one.pressure_gpa + 1e-6)
    assert curve.known_gpa == (one.pressure_gpa, one.pressure_gpa)
