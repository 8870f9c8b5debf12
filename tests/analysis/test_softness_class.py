from __future__ import annotations

import pytest

from hightc.analysis.documents.magnetism import GroundState, MagneticTransition, MomentCurve, Softness
from hightc.analysis.softness_class import RIGID_PER_GPA, softness_class


def ground(pressure: float, moment: float, order: str = "FM") -> GroundState:
    return GroundState(
        pressure_gpa=pressure, order=order, margin_mev_per_atom=5.0, moment_bohr_magneton_per_atom=moment
    )


def slope(value: float | None, error: float | None, pressure: float = 0.0) -> Softness:
    reason = None if value is not None else "too few rows"
    return Softness(pressure_gpa=pressure, value_per_gpa=value, error_per_gpa=error, reason=reason)


MAGNETIC = (ground(0.0, 0.6), ground(20.0, 0.5))


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.001, 0.0019, "rigid"),
        (0.001, 0.0021, "undetermined"),
        (0.006, 0.0004, "soft"),
        (0.006, 0.0006, "undetermined"),
        (0.006, None, "undetermined"),
        (None, None, "undetermined"),
        (-0.002, 0.001, "rigid"),
    ],
)
def test_slope_must_be_two_standard_errors_from_the_threshold(value, error, expected):
    found, reason = softness_class(MAGNETIC, (), (), (slope(value, error),), ())
    assert found == expected
    assert f"the threshold is {RIGID_PER_GPA:g}/GPa" in reason


@pytest.mark.parametrize(
    ("ambient", "target", "expected"),
    [
        (slope(0.001, 0.0), slope(0.001, 0.0, 20.0), "rigid"),
        (slope(0.001, 0.0), slope(0.01, 0.0, 20.0), "soft"),
        (slope(0.01, 0.0), slope(None, None, 20.0), "soft"),
        (slope(0.001, 0.0), slope(None, None, 20.0), "undetermined"),
    ],
)
def test_soft_at_one_pressure_is_soft_and_rigid_needs_all(ambient, target, expected):
    assert softness_class(MAGNETIC, (), (), (ambient, target), ())[0] == expected


def test_pressure_without_a_moment_is_not_asked_for_its_slope():
    grounds = (ground(0.0, 0.0, "NM"), ground(20.0, 0.5))
    found, reason = softness_class(grounds, (), (), (slope(None, None), slope(0.001, 0.0, 20.0)), ())
    assert found == "rigid"
    assert "at 0 GPa" not in reason


def test_moment_only_away_from_the_pressures_asked_for_is_undetermined():
    grounds = (ground(0.0, 0.0, "NM"), ground(40.0, 0.5))
    assert softness_class(grounds, (), (), (slope(None, None),), ())[0] == "undetermined"


@pytest.mark.parametrize("bracket", [(25.0, 35.0), None])
def test_collapse_names_the_bracket_of_its_order_or_the_ground_states_around(bracket):
    curve = MomentCurve(
        order="FM",
        pressure_gpa=(),
        moment_bohr_magneton_per_atom=(),
        noise_bohr_magneton=None,
        dlnm_dp_per_gpa=(),
        dlnm_dp_error_per_gpa=(),
        collapse_bracket_gpa=bracket,
    )
    found, reason = softness_class((*MAGNETIC, ground(40.0, 0.0, "NM")), (), (curve,), (slope(0.001, 0.0),), ())
    assert found == "collapsing"
    low, high = bracket or (20.0, 40.0)
    assert reason == (
        "FM has 0.600 Bohr magnetons per atom at 0.0 GPa; FM has 0.500 Bohr magnetons per atom at 20.0 GPa, and loses "
        f"it between {low:.1f} and {high:.1f} GPa"
    )


def test_crossing_with_the_nonmagnetic_state_is_named():
    crossing = MagneticTransition(pressure_gpa=30.0, below="FM", above="NM")
    _, reason = softness_class((MAGNETIC[0], ground(40.0, 0.0, "NM")), (crossing,), (), (), ())
    assert reason == "FM has 0.600 Bohr magnetons per atom at 0.0 GPa, but above 30.0 GPa NM is lower"


def test_nonmagnetic_needs_every_order_heard():
    grounds = (ground(0.0, 0.0, "NM"), ground(20.0, 0.0, "NM"))
    assert softness_class(grounds, (), (), (slope(None, None),), ())[0] == "nonmagnetic"
    found, reason = softness_class(grounds, (), (), (slope(None, None),), ("AFM1",))
    assert found == "undetermined"
    assert "no result of AFM1" in reason


def test_nothing_known_is_undetermined():
    assert softness_class((), (), (), (), ()) == ("undetermined", "no ground state is known at any pressure")
