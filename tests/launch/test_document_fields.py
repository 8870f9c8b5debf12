from __future__ import annotations

import pytest

from hightc.analysis.documents import DOCUMENTS, Alpha2FDocument, MagnetismDocument, ScfDocument, TcDocument
from hightc.launch.document_fields import find_field, stored_fields, unit_of
from hightc.launch.errors import LaunchError


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_every_field_of_every_kind_is_known_with_type_and_meaning(kind):
    fields = stored_fields(DOCUMENTS[kind])
    assert set(DOCUMENTS[kind].model_fields) <= set(fields)
    assert all(field.description for field in fields.values())
    # what a blob holds depends on where it was read; everything else has one type
    assert {path.rpartition(".")[2] for path, field in fields.items() if field.value == "any"} <= {"blob"}


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("omega_log_mev", "meV"),
        ("dos_per_ev_spin_cell", "states/eV/spin/cell"),
        ("moment_bohr_magneton_per_atom", "Bohr magneton/atom"),
        ("dtc_dalpha2f_kelvin_per_mev", "K/meV"),
        ("temperature_k", "K"),
        ("lambda_", None),
        ("k_mesh", None),
    ],
)
def test_unit_is_that_of_the_name(name, unit):
    assert unit_of(name) == unit


@pytest.mark.parametrize(
    ("kind", "asked", "path", "type_name"),
    [
        (TcDocument, "lambda", "lambda_", "number"),
        (TcDocument, "critical_temperatures.tc_kelvin", "critical_temperatures.tc_kelvin", "number"),
        (TcDocument, "critical_temperatures.0.tc_kelvin", "critical_temperatures.0.tc_kelvin", "number"),
        (Alpha2FDocument, "alpha2f", "alpha2f", "list of list of number"),
        (Alpha2FDocument, "alpha2f.0.3", "alpha2f.0.3", "number"),
        (ScfDocument, "provenance.wall_seconds", "provenance.wall_seconds", "number"),
        (ScfDocument, "structure.lattice.volume", "structure.lattice.volume", "number"),
        (MagnetismDocument, "softness_class", "softness_class", "text"),
        (MagnetismDocument, "codes", "codes", "map"),
    ],
)
def test_field_is_found_by_its_path(kind, asked, path, type_name):
    place = find_field(kind, asked)
    assert (place.path, place.field.type_name) == (path, type_name)


def test_lists_of_records_on_the_way_are_known_unless_an_entry_is_chosen():
    assert find_field(TcDocument, "critical_temperatures.tc_kelvin").lists == ("critical_temperatures",)
    assert find_field(TcDocument, "critical_temperatures.1.tc_kelvin").lists == ()


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("softnes_class", "softness_class"),
        ("stoner", "stoner_product"),
        ("moment_bohr_magneton", "moment_bohr_magneton"),
        ("softness.0.0", "softness"),
        ("codes.pw.x", "codes"),
        ("structure.lattice", "structure.lattice.a"),
        ("structure.sites", "structure"),
        ("", "hightc query --kind magnetism --fields"),
        ("..", "has no such field"),
        ("k" * 100_000, r"k\.\.\.': a magnetism document"),
    ],
)
def test_unknown_field_is_one_line_with_the_nearest(asked, nearest):
    with pytest.raises(LaunchError, match=nearest) as refused:
        find_field(MagnetismDocument, asked)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 800
