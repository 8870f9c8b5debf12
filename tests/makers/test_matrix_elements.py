import shutil
from pathlib import Path

import pytest

from hightc.makers.errors import ProgramFailedError
from hightc.makers.matrix_elements import require_paired_elements
from hightc.makers.qe.epw_inputs import MATRIX_ELEMENTS

RECORDED = Path(__file__).parents[1] / "data" / "epw" / "pb_elements"


@pytest.fixture
def elements(tmp_path):
    return Path(shutil.copytree(RECORDED, tmp_path / MATRIX_ELEMENTS))


def test_one_element_for_each_pair_of_states_is_accepted(elements, tmp_path):
    require_paired_elements(tmp_path)


def test_elements_of_no_pair_are_refused_with_both_numbers(elements, tmp_path):
    data = (elements / "ephmat1").read_bytes()
    (elements / "ephmat1").write_bytes(data + data[-16:])
    with pytest.raises(
        ProgramFailedError,
        match=r"expected 1476 matrix elements, .* found 1477: .* choose other fine_q_meshes .* fermi_window_ev",
    ):
        require_paired_elements(tmp_path)
