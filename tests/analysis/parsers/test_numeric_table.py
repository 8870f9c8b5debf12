from pathlib import Path

import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError, UnreadableNumberError
from hightc.analysis.parsers.numeric_table import read_numeric_table

NEST = Path(__file__).parents[2] / "data" / "qe" / "cr_nesting" / "nest_100.dat"


def write(tmp_path, text):
    path = tmp_path / "table.tsv"
    path.write_text(text)
    return path


def test_table_of_numpy_is_read():
    table = read_numeric_table(NEST, n_points=33)
    assert table.values.shape == (33, 2)
    assert table.values[[0, -1], 0].tolist() == [0, 1]
    assert table.has_end
    assert table.names == ()


def test_unknown_length_is_told():
    assert not read_numeric_table(NEST, n_points=None).has_end


def test_names_come_from_the_last_comment(tmp_path):
    table = read_numeric_table(
        write(tmp_path, "# made by hand\n# P_GPa M_uB\n0.3 0.6\n# aside\n47;0.5\n"), n_points=None
    )
    assert table.names == ("P_GPa", "M_uB")
    assert table.values.tolist() == [[0.3, 0.6], [47, 0.5]]


def test_names_that_do_not_fit_are_left_out(tmp_path):
    assert read_numeric_table(write(tmp_path, "# made by hand\n1 2\n"), n_points=1).names == ()


@pytest.mark.parametrize(("n_points", "error"), [(34, IncompleteOutputError), (32, ParseError)])
def test_wrong_number_of_rows_is_refused(n_points, error):
    with pytest.raises(error, match=f"expected {n_points} rows, found 33"):
        read_numeric_table(NEST, n_points=n_points)


@pytest.mark.parametrize(
    ("text", "error"),
    [("1 2\n3\n", ParseError), ("1 2\n3 x\n", ParseError), ("1 2\n3 nan\n", UnreadableNumberError)],
)
def test_wrong_row_is_located(tmp_path, text, error):
    with pytest.raises(error, match="line 2"):
        read_numeric_table(write(tmp_path, text), n_points=None)


def test_empty_table_is_incomplete(tmp_path):
    with pytest.raises(IncompleteOutputError, match="some rows"):
        read_numeric_table(write(tmp_path, "# a b\n"), n_points=None)
