from __future__ import annotations

import pytest
from fakes.source_data import SUPERCON

from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.supercon import parse_formula, supercon_entries


def entries_of(tmp_path, text: str):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return supercon_entries(path)


def test_every_line_is_an_entry_or_refused_with_its_line_value_and_reason():
    table = supercon_entries(SUPERCON)
    lines = SUPERCON.read_text().splitlines()
    assert len(table.entries) + len(table.refused) == len(lines) - 1
    assert len(table.refused) == 8
    for item in table.refused:
        number = int(item.where.rpartition(" ")[2])
        assert lines[number - 1].split(",")[0] == item.value
        assert item.code == "unparseable_formula"
        assert "expected one such as Nb3Sn" in item.reason


def test_zero_is_none_reported_and_blank_is_withheld_and_neither_is_a_number():
    found = {entry.formula: (entry.tc_kelvin, entry.tc_meaning) for entry in supercon_entries(SUPERCON).entries}
    assert found["V3Si1"] == (None, "none_reported")
    assert found["Nb1N"] == (None, "withheld")
    assert found["Nb1"] == (8.9976875, "measured")


@pytest.mark.parametrize("tc", ["-3", "nan", "inf", "9 K", "1e400"])
def test_tc_that_is_no_temperature_is_refused(tmp_path, tc):
    (item,) = entries_of(tmp_path, f"name,Tc\nNb,{tc}\n").refused
    assert item.code == "unusable_tc"
    assert tc in item.value


@pytest.mark.parametrize(
    "text",
    ["", "$(rm -rf)", "../../x", "Nb₃Sn", "((((((((((Nb2)9)9)9)9)9)9)9)9)9)9", "Nb0", "X", "Nb1e9", "Nb" * 101, "123"],
)
def test_hostile_or_meaningless_formula_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|formula"):
        parse_formula(text)


def test_amounts_and_brackets_are_understood():
    assert parse_formula("La1.85Sr0.15(CuO2)2").as_dict() == {"La": 1.85, "Sr": 0.15, "Cu": 2, "O": 4}


@pytest.mark.parametrize("text", ["", "formula,Tc\nNb,9\n", "name\nNb\n"])
def test_table_without_the_columns_is_an_error_that_names_them(tmp_path, text):
    with pytest.raises(SourceError, match=r"line 1: expected the columns name, Tc, found"):
        entries_of(tmp_path, text)


def test_table_without_a_line_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="expected lines below the head"):
        entries_of(tmp_path, "name,Tc\n")


def test_missing_and_binary_files_are_errors(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        supercon_entries(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"name,Tc\n\xff\xfe\n")
    with pytest.raises(SourceError, match="expected a CSV file in UTF-8"):
        supercon_entries(tmp_path / "binary.csv")
