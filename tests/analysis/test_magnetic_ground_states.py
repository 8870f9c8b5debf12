from __future__ import annotations

import pytest
from fakes.magnetic_ladder import PARAMAGNET, RATIOS, V0, LandauMagnet, bisect, failed_row, ladder, orders

from hightc.analysis.documents.magnetism import MagneticState
from hightc.analysis.equation_of_state import EV_PER_ANGSTROM3_GPA
from hightc.analysis.magnetic_enthalpy import enthalpy_curves
from hightc.analysis.magnetic_ground_states import ground_state, ground_states, transitions
from hightc.analysis.moment_curve import moment_curve

NM, FM, AFM = ORDERS = orders()
FERRO = LandauMagnet(5.0, gain_ev=0.02)
ANTIFERRO = LandauMagnet(7.0, moment=0.9, gain_ev=0.022)
WEAK = LandauMagnet(8.6, gain_ev=0.01)


def judged(states: list[MagneticState]):
    return enthalpy_curves(states, ORDERS), [moment_curve(states, order, None) for order in (FM, AFM)]


def rows(ferro: LandauMagnet = FERRO, antiferro: LandauMagnet = ANTIFERRO) -> list[MagneticState]:
    return [*ladder(NM, PARAMAGNET), *ladder(FM, ferro), *ladder(AFM, antiferro)]


def enthalpy(magnet: LandauMagnet, pressure: float) -> float:
    volume = bisect(lambda v: magnet.pressure_at(v) - pressure, 6.0, 13.0)
    return magnet.energy_at(volume) + pressure * volume / EV_PER_ANGSTROM3_GPA


def test_transition_is_where_the_exact_enthalpies_cross():
    curves, moments = judged(rows())
    found = transitions(curves, ground_states(curves, moments, (0.0,)))
    exact = bisect(lambda p: enthalpy(ANTIFERRO, p) - enthalpy(FERRO, p), 0.0, 60.0)
    assert [(one.below, one.above) for one in found] == [("AFM1", "FM")]
    # 20 micro-eV of the interpolation over the difference of the slopes, 0.3 meV/GPa
    assert found[0].pressure_gpa == pytest.approx(exact, abs=0.1)


def test_margin_is_the_distance_to_the_next_order():
    curves, moments = judged(rows())
    found = ground_state(curves, moments, 60.0)
    assert found.order == "FM"
    assert found.margin_mev_per_atom == pytest.approx(1e3 * (enthalpy(ANTIFERRO, 60) - enthalpy(FERRO, 60)), abs=0.05)


def test_only_order_has_no_margin():
    states = ladder(FM, FERRO)
    curves, moments = judged(states)
    assert ground_state(curves, moments, 10.0).margin_mev_per_atom is None


def test_pressures_asked_for_stand_among_those_of_the_ladder():
    curves, moments = judged(rows())
    found = [one.pressure_gpa for one in ground_states(curves, moments, (0.0, 12.5))]
    assert found == sorted(found)
    assert {0.0, 12.5} <= set(found)
    # the nonmagnetic rung at V0 is at 0 GPa to rounding, and stands there once
    assert sum(abs(one) < 1e-3 for one in found) == 1


def test_ground_state_is_unknown_where_a_moment_collapses_and_nonmagnetic_beyond():
    states = rows(WEAK, LandauMagnet(10.0, gain_ev=0.001))
    curves, moments = judged(states)
    low, high = moments[0].collapse_bracket_gpa
    assert ground_state(curves, moments, low - 0.1).order == "FM"
    assert ground_state(curves, moments, (low + high) / 2) is None
    beyond = ground_state(curves, moments, high + 0.1)
    assert (beyond.order, beyond.moment_bohr_magneton_per_atom) == ("NM", 0.0)
    # the moment fades: there is no crossing to be had
    assert [one.below for one in transitions(curves, ground_states(curves, moments, ()))] == []


@pytest.mark.parametrize("lost", ["FM", "AFM1"])
def test_order_without_results_hides_the_ground_state_only_if_it_was_lowest(lost):
    far = [ratio for ratio in RATIOS if ratio < 0.85]
    states = [
        failed_row(FM if one.order == "FM" else AFM, one.volume_ratio)
        if one.order == lost and one.volume_ratio in far
        else one
        for one in rows()
    ]
    curves, moments = judged(states)
    found = ground_state(curves, moments, FERRO.pressure_at(0.75 * V0))
    assert found is None if lost == "FM" else found.order == "FM"


@pytest.mark.parametrize("dropped", [(), (1.05,)], ids=["two rows", "one row"])
@pytest.mark.parametrize(("shift_ev", "hidden"), [(0.0, False), (-0.1, True)])
def test_collapse_of_an_order_hides_the_ground_state_only_if_it_was_lowest(dropped, shift_ev, hidden):
    fading = LandauMagnet(10.7, gain_ev=0.001, shift_ev=shift_ev)
    states = [one for one in rows(FERRO, fading) if one.order != "AFM1" or one.volume_ratio not in dropped]
    curves, moments = judged(states)
    assert len(curves["AFM1"].pressure_gpa) == 2 - len(dropped)
    found = ground_state(curves, moments, sum(moments[1].collapse_bracket_gpa) / 2)
    assert found is None if hidden else found.order == "FM"


def test_nothing_computed_has_no_ground_state():
    curves, moments = judged([])
    assert ground_states(curves, moments, (0.0,)) == ()
    assert transitions(curves, ()) == ()
