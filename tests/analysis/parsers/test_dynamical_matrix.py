"""The dynamical matrix at Gamma."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.dynamical_matrix import read_gamma_matrix
from hightc.analysis.parsers.errors import ParseError

MGB2 = Path(__file__).parents[2] / "data" / "qe" / "mgb2"


def test_blocks_stand_where_the_file_says():
    gamma = read_gamma_matrix(MGB2 / "mgb2.dyn1")
    assert gamma.matrix_ry_per_bohr2.shape == (3, 3, 3, 3)
    assert gamma.matrix_ry_per_bohr2[0, 0, 2, 2] == 0.14327713
    assert gamma.matrix_ry_per_bohr2[2, 0, 0, 0] == gamma.matrix_ry_per_bohr2[0, 2, 0, 0] == -0.04799178
    np.testing.assert_allclose(gamma.masses_amu, [24.305, 10.811, 10.811], rtol=1e-4)


def test_another_q_point_is_refused():
    with pytest.raises(ParseError, match="expected q = 0 in the first file"):
        read_gamma_matrix(MGB2 / "mgb2.dyn2")


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_cut_file_is_an_error(tmp_path, share):
    path = tmp_path / "dyn1"
    shutil.copy(MGB2 / "mgb2.dyn1", path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: int(share * 60)]))
    with pytest.raises(ParseError, match="the run was cut"):
        read_gamma_matrix(path)
