"""Which q points a run of ph.x has finished, in whatever order."""

import shutil
from pathlib import Path

import pytest

from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.ph import count_finished_q, read_coupling, read_finished_q

RECORDED = Path(__file__).parents[2] / "data" / "qe" / "al_linear_response"


@pytest.fixture
def run(tmp_path):
    """A finished run of three q points; what q2r.x reads is not recorded."""
    shutil.copytree(RECORDED, tmp_path / "run")
    for q in (1, 2, 3):
        for width in range(51, 61):
            (tmp_path / "run" / "elph_dir" / f"a2Fq2r.{width}.{q}").write_text("coupling\n")
    return tmp_path / "run"


def test_q_points_behind_a_gap_are_read_but_not_counted_as_leading(run):
    (run / "al.dyn2").unlink()
    finished, total = read_finished_q(run, "al.dyn")
    assert (list(finished), total) == ([1, 3], 3)
    assert finished[3].index == 3
    assert count_finished_q(run, "al.dyn") == (1, 3)


@pytest.mark.parametrize("name", ["al.dyn2", "elph_dir/elph.inp_lambda.2", "elph_dir/a2Fq2r.55.2"])
def test_q_point_with_a_cut_file_is_not_finished(run, name):
    (run / name).write_text((run / name).read_text()[:-5])
    assert list(read_finished_q(run, "al.dyn")[0]) == [1, 3]


def test_folder_without_the_list_has_none(tmp_path):
    assert read_finished_q(tmp_path, "al.dyn") == ({}, 0)


def test_coupling_of_one_q_point_is_read_alone(run):
    assert read_coupling(run, 2).coupling.shape == (10, 3)
    with pytest.raises(ParseError, match=r"elph.inp_lambda\.4"):
        read_coupling(run, 4)
