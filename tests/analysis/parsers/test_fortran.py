"""Numbers and records as Fortran writes them."""

import pickle

import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError, ParseError, UnreadableNumberError
from hightc.analysis.parsers.fortran import FortranFile, read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("7", 7.0),
        ("2.", 2.0),
        ("0.3D-02", 0.003),
        ("0.3E+02", 30.0),
        ("1.0d5", 1e5),
        ("0.1234-103", 1.234e-104),
        ("-0.1234+103", -1.234e102),
    ],
)
def test_fortran_number_is_read(text, value):
    assert read_number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["", "******", "NaN", "Infinity", "1_0", "0x1", "1.5.2", "1e", "0.1+999", "lambda"])
def test_what_is_no_finite_number_is_none(text):
    assert read_number(text) is None


def test_error_names_place_expectation_finding_and_next_step(tmp_path):
    path = tmp_path / "pb.a2f"
    path.write_text("1 2\n3 4\n5\n")
    file = FortranFile(path, "the run was cut; rerun epw.x")
    for _ in range(2):
        file.numbers(file.read_line("a row").split(), 2, "row")
    with pytest.raises(ParseError) as caught:
        file.numbers(file.read_line("a row").split(), 2, "row")
    error = caught.value
    assert str(error) == "pb.a2f line 3: expected 2 columns (row), found 1: the run was cut; rerun epw.x"
    assert (error.path, error.line, error.found) == (path, 3, "1")


def test_error_survives_pickling():
    error = IncompleteOutputError("a", 3, "b", "c", "d")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is IncompleteOutputError
    assert str(copy) == str(error)


def test_missing_file_is_an_error_of_its_own(tmp_path):
    with pytest.raises(MissingOutputError, match="expected a file, found none: rerun"):
        FortranFile(tmp_path / "none", "rerun")


@pytest.mark.parametrize("content", ["", "1 2\n3 4"])
def test_file_without_last_newline_was_cut(tmp_path, content):
    path = tmp_path / "cut"
    path.write_text(content)
    with pytest.raises(IncompleteOutputError):
        FortranFile(path, "rerun")


def test_asterisks_and_nan_are_overflows_and_words_are_not(tmp_path):
    path = tmp_path / "file"
    path.write_text("*** NaN word\n")
    file = FortranFile(path, "rerun")
    fields = file.read_line("a row").split()
    for field in fields[:2]:
        with pytest.raises(UnreadableNumberError):
            file.number(field, "a number")
    with pytest.raises(ParseError) as caught:
        file.number(fields[2], "a number")
    assert type(caught.value) is ParseError


def test_reading_past_the_end_is_located_behind_the_last_line(tmp_path):
    path = tmp_path / "file"
    path.write_text("1\n")
    file = FortranFile(path, "rerun")
    file.read_line("one")
    with pytest.raises(IncompleteOutputError) as caught:
        file.read_line("another")
    assert caught.value.line == 2


def test_integers_refuse_reals(tmp_path):
    path = tmp_path / "file"
    path.write_text("1 2.5\n")
    file = FortranFile(path, "rerun")
    with pytest.raises(ParseError, match="2 integers"):
        file.integers(file.read_line("row").split(), 2, "row")
