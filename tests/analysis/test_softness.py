from __future__ import annotations

import numpy as np
import pytest
from fakes.magnetic_ladder import FCC, PARAMAGNET, RATIOS, LandauMagnet, failed_row, ladder, orders, row

from hightc.analysis.documents import MagnetismDocument, MaterialTag
from hightc.analysis.documents.magnetism import MagneticState
from hightc.analysis.softness import magnetism_document
from hightc.analysis.stoner import StonerParameter

NM, FM, AFM = ORDERS = orders()
TAG = MaterialTag(campaign="test", material="Ni")
RIGID = LandauMagnet(-20.0, gain_ev=0.02)
SOFT = LandauMagnet(7.5, gain_ev=0.01)
COLLAPSING = LandauMagnet(8.6, gain_ev=0.02)
HIGHER = LandauMagnet(9.2, gain_ev=0.001, moment=0.3)


def document(states: list[MagneticState], **changes) -> MagnetismDocument:
    arguments = {
        "target_pressure_gpa": 20.0,
        "noise_bohr_magneton": 0.002,
        "stoner": None,
        "protocol": "draft",
    }
    return magnetism_document(TAG, FCC, ORDERS, ("larger cells",), states, **{**arguments, **changes})


def rows(ferro: LandauMagnet, antiferro: LandauMagnet = HIGHER) -> list[MagneticState]:
    return [*ladder(NM, PARAMAGNET), *ladder(FM, ferro), *ladder(AFM, antiferro)]


@pytest.mark.parametrize(("magnet", "expected"), [(RIGID, "rigid"), (SOFT, "soft"), (COLLAPSING, "collapsing")])
def test_class_is_that_of_the_magnet(magnet, expected):
    found = document(rows(magnet))
    assert found.softness_class == expected
    assert [one.pressure_gpa for one in found.softness] == [0.0, 20.0]
    assert all(one.value_per_gpa > 0 and one.error_per_gpa > 0 and one.reason is None for one in found.softness)


def test_rigid_and_soft_say_their_numbers():
    for magnet, word in ((RIGID, "rigid"), (SOFT, "soft")):
        found = document(rows(magnet))
        ambient = found.softness[0]
        assert found.softness_class == word
        assert f"s = {ambient.value_per_gpa:.2g} +/- {ambient.error_per_gpa:.2g} per GPa" in found.softness_reason
        assert "FM has 0.6" in found.softness_reason
        assert found.softness_reason.endswith("the threshold is 0.005/GPa")


def test_collapse_says_between_which_pressures():
    found = document(rows(COLLAPSING))
    low, high = found.curves[0].collapse_bracket_gpa
    assert found.softness_reason.endswith(f"and loses it between {low:.1f} and {high:.1f} GPa")


def test_moment_that_is_still_there_when_another_state_is_lower_collapses_at_the_crossing():
    # shifted up by 12 meV the ferromagnet falls behind long before its moment is gone
    found = document(rows(LandauMagnet(5.0, gain_ev=0.02, shift_ev=0.012), PARAMAGNET))
    assert found.softness_class == "collapsing"
    (crossing,) = [one for one in found.transitions if one.above == "NM"]
    assert f"but above {crossing.pressure_gpa:.1f} GPa NM is lower" in found.softness_reason


def test_material_without_any_moment_is_nonmagnetic():
    found = document(rows(PARAMAGNET, PARAMAGNET))
    assert found.softness_class == "nonmagnetic"
    assert found.softness_reason.endswith("every start lost its own")
    assert {one.reason for one in found.softness} == {"the ground state NM has no moment"}
    (gate,) = found.gates
    assert (gate.name, gate.passed, gate.value, gate.threshold) == ("nonmagnetic", True, 0.0, 0.05)


def test_moment_above_the_nonmagnetic_state_leaves_it_nonmagnetic():
    found = document(rows(LandauMagnet(5.0, gain_ev=0.001, shift_ev=0.05), PARAMAGNET))
    assert found.softness_class == "nonmagnetic"
    assert "orders with one lie at least" in found.softness_reason


def test_order_that_never_converged_forbids_to_call_it_nonmagnetic():
    silent = [failed_row(AFM, ratio) for ratio in RATIOS]
    found = document([*ladder(NM, PARAMAGNET), *ladder(FM, PARAMAGNET), *silent])
    assert found.softness_class == "undetermined"
    assert "there is no result of AFM1" in found.softness_reason
    assert "AFM1 at V/V0 = 1.05 failed: not converged in 100 steps" in found.warnings


def test_noise_that_hides_the_slope_leaves_it_undetermined():
    quiet, noisy = document(rows(SOFT)), document(rows(SOFT), noise_bohr_magneton=0.2)
    assert quiet.softness[0].value_per_gpa == noisy.softness[0].value_per_gpa
    assert (quiet.softness_class, noisy.softness_class) == ("soft", "undetermined")
    assert noisy.curves[0].noise_bohr_magneton == 0.2
    assert any("lost in its error" in warning for warning in noisy.warnings)
    assert not any("lost in its error" in warning for warning in quiet.warnings)


def test_two_rows_without_known_noise_leave_it_undetermined():
    found = document([row for row in rows(SOFT) if row.volume_ratio in (1.05, 0.8)], noise_bohr_magneton=None)
    assert found.softness_class == "undetermined"
    assert "of unknown error" in found.softness_reason
    assert any("was not measured" in warning for warning in found.warnings)


@pytest.mark.parametrize("states", [[], [failed_row(FM, 1.0)], [row(FM, 1.0, SOFT)]], ids=["none", "failed", "one"])
def test_ladder_without_two_rungs_is_undetermined_and_does_not_pass_the_gate(states):
    found = document(states)
    assert found.softness_class == "undetermined"
    assert all("is not known" in one.reason for one in found.softness)
    assert (found.gates[0].passed, found.gates[0].value) == (False, None)
    assert found.gates[0].message == "the ground state at 20 GPa is not known"


def test_pressure_outside_the_ladder_is_not_guessed():
    found = document(rows(RIGID), target_pressure_gpa=2000.0)
    assert found.softness[1].value_per_gpa is None
    assert "the ladder does not reach there" in found.softness[1].reason
    assert found.softness_class == "undetermined"


def test_magnetic_material_does_not_pass_the_gate_and_says_its_moment():
    gate = document(rows(RIGID)).gates[0]
    assert not gate.passed
    assert gate.message == f"magnetic at 20 GPa: FM with {gate.value:.3f} Bohr magnetons per atom"


def test_ambient_target_is_asked_once():
    for target in (0.0, 1e-4):
        assert [one.pressure_gpa for one in document(rows(RIGID), target_pressure_gpa=target).softness] == [0.0]


@pytest.mark.parametrize(("dos", "near"), [(0.85, False), (0.95, True), (1.0, True), (1.05, True), (1.15, False)])
def test_stoner_product_near_one_warns_that_the_moment_is_an_upper_bound(dos, near):
    states = [
        one.model_copy(update={"dos_per_ev_spin_cell": dos if one.volume_ratio == 1.0 else 5.0})
        if one.order == "NM"
        else one
        for one in rows(RIGID)
    ]
    found = document(states, stoner=StonerParameter(1.0, "a table"))
    assert found.stoner_product == pytest.approx(dos)
    assert (found.stoner_parameter_ev, found.stoner_parameter_source) == (1.0, "a table")
    assert any("overestimate" in warning for warning in found.warnings) is near


def test_without_stoner_parameter_or_density_of_states_there_is_no_product():
    assert document(rows(RIGID)).stoner_product is None
    dark = [one.model_copy(update={"dos_per_ev_spin_cell": None}) for one in rows(RIGID)]
    assert document(dark, stoner=StonerParameter(1.0, "a table")).stoner_product is None


def test_document_keeps_what_it_was_given():
    states = [*rows(RIGID), failed_row(FM, 0.6)]
    found = document(states)
    assert found.states == tuple(states)
    assert found.orders == ORDERS
    assert found.orders_left_out == ("larger cells",)
    assert found.magnetic_elements == ("Ni",)
    assert found.codes == {"pw.x": "6.7MaX"}
    assert [curve.order for curve in found.curves] == ["FM", "AFM1"]
    assert found.state("AFM1", 1).volume_ratio == 1.0


def test_orders_without_spins_are_refused():
    with pytest.raises(ValueError, match=r"Ni: expected an order with spins, found \['NM'\]: add FM"):
        magnetism_document(
            TAG, FCC, (NM,), (), [], target_pressure_gpa=0, noise_bohr_magneton=None, stoner=None, protocol="draft"
        )


def test_recorded_nickel_is_a_rigid_ferromagnet():
    # pw.x 6.7, Ni.pbe-nd-rrkjus.UPF, 30/300 Ry, k 8x8x8 shifted, Marzari-Vanderbilt 0.02 Ry
    recorded = np.array([
        [1.05, 11.449579, -7.8815271, 0.64414541, 0.75686614, -85.894856],
        [1.00, 10.904359, 0.33582944, 0.62911494, 0.73489222, -85.895868],
        [0.95, 10.359139, 11.613574, 0.61830729, 0.71683605, -85.894453],
        [0.85, 9.2687034, 46.925114, 0.60847606, 0.69185896, -85.880735],
        [0.75, 8.1782686, 111.04863, 0.60855436, 0.67582627, -85.842893],
        [0.60, 6.5426148, 331.65122, 0.5630235, 0.60489975, -85.690536],
    ])  # fmt: skip
    states = [
        row(
            FM,
            ratio,
            RIGID,
            volume_angstrom3_per_atom=volume,
            pressure_gpa=pressure,
            energy_ev_per_atom=energy * 13.605693,
            enthalpy_ev_per_atom=energy * 13.605693 + pressure * volume / 160.21766,
            total_moment_bohr_magneton_per_atom=total,
            absolute_moment_bohr_magneton_per_atom=absolute,
        )
        for ratio, volume, pressure, total, absolute, energy in recorded.tolist()
    ]
    found = document(states, target_pressure_gpa=100.0, noise_bohr_magneton=0.006)
    assert found.softness_class == "rigid"
    # the moment is 0.60 to 0.65 and falls by 1.5 to 3 thousandths per GPa
    assert found.ground_states[1].pressure_gpa == 0.0
    assert 0.60 < found.ground_states[1].moment_bohr_magneton_per_atom < 0.65
    assert 1.5e-3 < found.softness[0].value_per_gpa < 3.0e-3
    # nobody computed an antiferromagnet or the nonmagnetic state, so nothing lies above
    assert found.ground_states[1].margin_mev_per_atom is None
    # nothing of the pressures: stress and energies agree to 1.4 GPa at 332 GPa, less than 2 %
    assert found.warnings == ("no result of NM, AFM1: the ground state is the lowest of the others",)


def test_order_that_failed_around_a_pressure_does_not_make_it_nonmagnetic_there():
    # the ferromagnet is heard, without a moment, at the highest pressures alone
    part = [failed_row(FM, ratio) if ratio > 0.8 else row(FM, ratio, PARAMAGNET) for ratio in RATIOS]
    found = document([*ladder(NM, PARAMAGNET), *part, *ladder(AFM, PARAMAGNET)])
    assert found.softness_class == "undetermined"
    assert "there is no result of FM around 0 and 20 GPa" in found.softness_reason
    assert (found.gates[0].passed, found.gates[0].value) == (False, 0.0)
    assert found.gates[0].message == "no result of FM around 20 GPa: it may have a moment there"
    inside = [failed_row(FM, ratio) if ratio in (1.05, 0.9) else row(FM, ratio, PARAMAGNET) for ratio in RATIOS]
    found = document([*ladder(NM, PARAMAGNET), *inside, *ladder(AFM, PARAMAGNET)])
    assert (found.softness_class, found.gates[0].passed) == ("nonmagnetic", True)
