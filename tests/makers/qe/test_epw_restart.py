from __future__ import annotations

import pytest

from hightc.makers.qe.epw_inputs import MATRIX_ELEMENTS, VERTEX
from hightc.makers.qe.epw_restart import RESTART, discard_matrix_elements


@pytest.fixture
def cut(tmp_path):
    """What a run on fine meshes leaves when it is killed."""
    (tmp_path / MATRIX_ELEMENTS).mkdir(parents=True)
    (tmp_path / MATRIX_ELEMENTS / "ephmat1").write_text("cut")
    (tmp_path / VERTEX).write_text("vertex")
    (tmp_path / RESTART).write_text("17")
    return tmp_path


def test_matrix_elements_are_removed_with_how_far_they_go_and_nothing_else(cut):
    assert discard_matrix_elements(cut)
    assert [path.name for path in cut.rglob("*") if path.is_file()] == ["hightc.epmatwp"]
    assert not (cut / MATRIX_ELEMENTS).exists()
    assert not discard_matrix_elements(cut)


def test_matrix_elements_of_another_step_are_left_alone(cut, tmp_path_factory):
    here = tmp_path_factory.mktemp("gap")
    (here / MATRIX_ELEMENTS).parent.mkdir()
    (here / MATRIX_ELEMENTS).symlink_to(cut / MATRIX_ELEMENTS)
    assert not discard_matrix_elements(here)
    (here / RESTART).write_text("17")
    assert discard_matrix_elements(here)
    assert (here / MATRIX_ELEMENTS / "ephmat1").read_text() == "cut"
    assert not (here / RESTART).exists()
