import shutil
from pathlib import Path

import pytest

from hightc.analysis.parsers.epw_elements import count_matrix_elements
from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError

RECORDED = Path(__file__).parents[2] / "data" / "epw" / "pb_elements"
N_ELEMENTS = (13456 + 10192) // 16 - 2  # two files of records of 16 bytes, the first of each without an element


@pytest.fixture
def elements(tmp_path):
    return Path(shutil.copytree(RECORDED, tmp_path / "hightc.ephmat"))


def test_elements_of_a_sound_run_are_those_of_pairs_of_states():
    count = count_matrix_elements(RECORDED)
    assert (count.written, count.paired) == (N_ELEMENTS, N_ELEMENTS)


def test_elements_of_no_pair_are_seen(elements):
    # write_ephmat of EPW 5.3.1 writes zeros for points outside the window
    data = (elements / "ephmat2").read_bytes()
    zero = data[16:20] + bytes(8) + data[16:20]
    (elements / "ephmat2").write_bytes(data[:160] + 3 * zero + data[160:])
    count = count_matrix_elements(elements)
    assert (count.written, count.paired) == (N_ELEMENTS + 3, N_ELEMENTS)


@pytest.mark.parametrize("name", ["egnv", "ikmap", "freq"])
def test_missing_file_is_named(elements, name):
    (elements / name).unlink()
    with pytest.raises(MissingOutputError, match=name):
        count_matrix_elements(elements)


@pytest.mark.parametrize("name", ["egnv", "ikmap", "ephmat1"])
def test_cut_file_is_refused(elements, name):
    data = (elements / name).read_bytes()
    (elements / name).write_bytes(data[: len(data) // 2 + 3])
    with pytest.raises(IncompleteOutputError, match=name):
        count_matrix_elements(elements)


def test_no_file_of_elements_is_refused(elements):
    for file in elements.glob("ephmat*"):
        file.unlink()
    with pytest.raises(MissingOutputError, match="matrix elements"):
        count_matrix_elements(elements)
