"""The table of Bravais lattices against the axes that pw.x prints."""

from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.bravais import read_cell, tabulate_lattice
from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.fortran import FortranFile

QE = Path(__file__).parents[2] / "data" / "qe"
AXES = [line.split() for line in (QE / "bravais/axes.txt").read_text().splitlines()[1:]]


@pytest.mark.parametrize("row", AXES, ids=lambda row: f"ibrav{row[0]}")
def test_lattice_is_the_one_pw_prints(row):
    numbers = [float(field) for field in row[1:]]
    # 5e-7: half a unit of the sixth decimal that pw.x prints
    np.testing.assert_allclose(tabulate_lattice(int(row[0]), numbers[:6]), np.reshape(numbers[6:], (3, 3)), atol=5.1e-7)


def test_every_ibrav_of_the_table_was_compared():
    assert len(AXES) == 20


def test_unknown_ibrav_is_an_error(tmp_path):
    path = tmp_path / "dyn"
    path.write_text(" 1 1 99 7.5 0 0 0 0 0\n")
    with pytest.raises(ParseError, match=r"an ibrav of pw\.x, found 99"):
        read_cell(FortranFile(path, "rerun"))


def test_species_out_of_range_is_an_error(tmp_path):
    path = tmp_path / "dyn"
    path.write_text(" 1 1 1 7.5 0 0 0 0 0\n 1 'Al ' 24590.7\n 1 2 0.0 0.0 0.0\n")
    with pytest.raises(ParseError, match="a species from 1 to 1, found 2"):
        read_cell(FortranFile(path, "rerun"))


def test_listed_and_tabulated_lattice_give_the_same_cell():
    cells = []
    for case in ("al_linear_response", "al_ibrav0"):
        file = FortranFile(QE / case / "al.dyn2", "rerun")
        file.read_line("title")
        file.read_line("title")
        cells.append(read_cell(file))
    np.testing.assert_allclose(cells[0].lattice_alat, cells[1].lattice_alat, atol=1e-9)
    assert cells[0].species == cells[1].species == ("Al",)
    assert cells[0].masses_amu == pytest.approx((26.98,), rel=1e-6)
