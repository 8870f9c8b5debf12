"""Headers of plain columns: which column is which, and in which unit."""

import pytest

from hightc.analysis.parsers.alpha2f import read_alpha2f
from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.spectrum_header import unit_named


@pytest.fixture
def read(tmp_path):
    def make(header, *rows, **options):
        path = tmp_path / "a2f.dat"
        path.write_text("\n".join([header, *rows, ""]))
        return read_alpha2f(path, **options)

    return make


COMMAS = ("1,5,0.1", "2,5,0.2", "3,0,0")
BLANKS = ("1 5 0.1", "2 5 0.2", "3 0 0")


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("omega (meV),phdos (1/meV),a2F", COMMAS),
        ("omega,phdos,a2F\nmeV,1/meV,", COMMAS),
        ("# omega (meV)  phdos (1/meV)  alpha^2F(w)", BLANKS),
        ("# omega[meV] a2F_tr a2F", BLANKS),
        ("# energy/meV a2F/w \u03b1\u00b2F", BLANKS),
        ("# omega (meV) lambda(omega) Alpha2F", BLANKS),
    ],
)
def test_column_called_a2f_is_taken(read, header, rows):
    spectrum = read(header, *rows)
    assert (spectrum.column, spectrum.unit, spectrum.alpha2f.tolist()) == (2, "meV", [0.1, 0.2, 0.0])
    assert "column 2 of 2 is used" in spectrum.notes
    assert read(header, *rows, column=1).alpha2f.tolist() == [5.0, 5.0, 0.0]


def test_first_column_is_taken_where_none_is_called_a2f(read):
    assert read("# omega (meV), our spectrum, another", *COMMAS).column == 1
    assert read("# phonons of lead", *BLANKS).column == 1


@pytest.mark.parametrize(
    ("header", "rows", "found"),
    [
        (",omega (meV),a2F", COMMAS, "the names '', 'omega"),
        ("index,omega (meV),a2F", COMMAS, "the names 'index'"),
        (",a2F", ("1,0.1", "2,0.2"), "the names '', 'a2F'"),
        ("a2F,omega (meV)", ("0.1,1", "0.2,2"), "the names 'a2F'"),
        ("# a2F  omega(meV)", ("0.1 1", "0.2 2"), "the names 'a2F'"),
        ("omega,a2F", ("1,0.1,1,1", "2,0.2,1,1"), "4 columns under 2 names"),
        ("# omega a2F", ("1 0.1 1 1", "2 0.2 1 1"), "4 columns under 2 names"),
        ("# omega (meV), phdos, a2F", ("1,0.1", "2,0.2"), "2 columns under 3 names"),
        ("omega (meV),a2F", ("1,5,0,1", "2,5,0,2"), "a decimal comma?"),
    ],
)
def test_names_that_do_not_fit_the_columns_are_refused(read, header, rows, found):
    with pytest.raises(ParseError) as caught:
        read(header, *rows)
    assert found in caught.value.found
    assert caught.value.line == 1


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("# Frequencies are given in THz\n# omega a2F", "THz"),
        ("# units: THz", "THz"),
        ("# frequency THz a2F", "THz"),
        ("# columns: omega_thz and a2F", "THz"),
        ("# broadening 5 meV, omega in THz", "THz"),
        ("# broadening (meV) 5\n# omega (THz) a2F", "THz"),
        ("omega (cm^(-1)) a2F", "cm-1"),
        ("# THz  a2F", "THz"),
    ],
)
def test_unit_is_that_of_the_frequency(read, header, unit):
    assert read(header, "1 0.1", "2 0").unit == unit


@pytest.mark.parametrize(
    "header", ["# broadening 5 meV", "# broadening 2 THz", "# a2F(omega) of our run", "# 10 K, 8 Ha"]
)
def test_unit_of_something_else_is_not_taken(read, header):
    spectrum = read(header, "1 0.1", "2 0")
    assert spectrum.notes[0] == "no unit is named above the first row: meV is assumed"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("# omega (2pi THz)  a2F", "'2pi THz'"),
        ("# angular frequency (rad THz)  a2F", "'rad THz'"),
        ("# angular frequency (THz)  a2F", "'angular frequency (THz)'"),
        ("# angular frequency, see rad THz of the paper", "an angular frequency"),
        ("# omega in mRy", "'mRy'"),
        ("# omega in GHz", "'GHz'"),
        ("omega_GHz a2F", "'GHz'"),
        ("# omega (rad/ps) a2F", "'rad/ps'"),
    ],
)
def test_angular_and_unknown_units_are_to_be_converted_or_named(read, header, found):
    with pytest.raises(ParseError, match="convert the frequencies, or give their unit with --unit") as caught:
        read(header, "1 0.1", "2 0")
    assert found in caught.value.found
    assert read(header, "1 0.1", "2 0", unit="meV").unit == "meV"


def test_unit_alone_is_read_as_codes_spell_it():
    for text in ("cm-1", "cm^-1", "cm^{-1}", "cm\u207b\u00b9", "1/cm", "CM1"):
        assert unit_named(text) == "cm-1"
    for text in ("MeV/hbar", "mRy", "GHz", "every", "10 cm", "states/eV", ""):
        assert unit_named(text) is None
