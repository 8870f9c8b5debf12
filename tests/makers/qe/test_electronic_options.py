from __future__ import annotations

import pytest

from hightc.makers.errors import RecipeError
from hightc.makers.qe.electronic_options import STARTING_MAGNETIZATION, resolve_options

ELEMENTS = ("Fe", "Se")


def test_plain_metal_has_no_options():
    assert resolve_options(ELEMENTS, {}) == {}
    assert resolve_options(ELEMENTS, {"spin_orbit": True}) == {}
    assert resolve_options(ELEMENTS, {"hubbard_u_ev": {"Fe": 3.0}}) == {}


def test_polarised_structure_starts_magnetic_where_no_start_is_named():
    start = {"starting_magnetization": {"Fe": STARTING_MAGNETIZATION, "Se": STARTING_MAGNETIZATION}}
    assert resolve_options(ELEMENTS, {"spin_polarized": True}) == start


def test_named_start_is_kept():
    named = {"spin_polarized": True, "starting_magnetization": {"Fe": -0.3}}
    assert resolve_options(ELEMENTS, named) == {"starting_magnetization": {"Fe": -0.3}}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"spin_orbit": True, "spin_polarized": True}, "spin_orbit: expected without spin_polarized, found both"),
        ({"spin_orbit": True, "hubbard_u_ev": {"Fe": 3.0}}, "spin_orbit: expected without hubbard_u_ev, found both"),
        ({"hubbard_u_ev": {"Ni": 3.0}}, r"hubbard_u_ev: expected elements of the structure \(Fe, Se\), found 'Ni'"),
        ({"spin_polarized": True, "starting_magnetization": {"Ni": 0.5}}, "starting_magnetization: expected elements"),
        ({"starting_magnetization": {"Fe": 0.5}}, "starting_magnetization: expected spin_polarized = true beside it"),
        ({"spin_polarized": True, "starting_magnetization": {"Fe": 0.0}}, "expected one element that is not 0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(overrides, message):
    with pytest.raises(RecipeError, match=message):
        resolve_options(ELEMENTS, overrides)
