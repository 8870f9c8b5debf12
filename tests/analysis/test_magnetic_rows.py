from __future__ import annotations

import pytest
from fakes.magnetic_ladder import LandauMagnet, failed_row, ladder, orders, row

from hightc.analysis.magnetic_rows import converged_rows, number, row_moment, rung

_, FM, AFM = orders()
MAGNET = LandauMagnet(8.0)


def test_rungs_go_down_in_volume_and_up_in_pressure():
    volumes = ladder(FM, MAGNET)
    assert [rung(one) for one in volumes] == sorted(rung(one) for one in volumes)
    asked = [row(FM, 1.0, MAGNET, volume_ratio=None, target_pressure_gpa=pressure) for pressure in (0.0, 10.0)]
    assert [rung(one) for one in asked] == [0.0, 10.0]


def test_row_on_no_rung_is_refused():
    with pytest.raises(ValueError, match="FM: expected a volume ratio or a target pressure in each row"):
        rung(row(FM, 1.0, MAGNET, volume_ratio=None))


def test_failed_rows_and_other_orders_are_left_out_and_the_rest_sorted():
    rows = [*ladder(AFM, MAGNET), failed_row(FM, 1.05), *reversed(ladder(FM, MAGNET))][:-1]
    found = converged_rows(rows, "FM")
    assert [one.volume_ratio for one in found] == [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7]


def test_of_two_rows_on_a_rung_the_lower_enthalpy_counts():
    high = row(FM, 1.0, MAGNET)
    low = high.model_copy(update={"enthalpy_ev_per_atom": high.enthalpy_ev_per_atom - 0.001})
    for pair in ((high, low), (low, high)):
        assert converged_rows(pair, "FM") == [low]


@pytest.mark.parametrize(
    ("field", "name"), [("pressure_gpa", "pressure"), ("enthalpy_ev_per_atom", "enthalpy"), ("reached", "reached")]
)
def test_converged_row_without_a_number_is_refused(field, name):
    with pytest.raises(ValueError, match=f"FM on rung -1: expected a converged row to be complete, found no {name}"):
        converged_rows([row(FM, 1.0, MAGNET, **{field: None})], "FM")


def test_moment_is_the_total_of_a_ferromagnet_and_the_absolute_of_an_antiferromagnet():
    both = row(FM, 1.0, MAGNET, total_moment_bohr_magneton_per_atom=-0.5, absolute_moment_bohr_magneton_per_atom=0.7)
    assert row_moment(both, "ferromagnetic") == 0.5
    assert row_moment(both, "antiferromagnetic") == 0.7
    assert row_moment(both, "nonmagnetic") == 0.0


def test_missing_number_says_where_rows_come_from():
    assert number(0.0) == 0.0
    with pytest.raises(ValueError, match="take the rows from converged_rows"):
        number(None)
