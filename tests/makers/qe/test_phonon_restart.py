from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hightc.makers.qe.inputs import OUTDIR
from hightc.makers.qe.phonon_restart import clear_unfinished_q, discard_phonons, q_range, write_q_range

RECORDED = Path(__file__).parents[2] / "data" / "qe" / "al_linear_response"


@pytest.fixture
def run(tmp_path):
    """A finished run of three q points, under our names."""
    for number in range(4):
        shutil.copy(RECORDED / f"al.dyn{number}", tmp_path / f"dyn{number}")
    shutil.copytree(RECORDED / "elph_dir", tmp_path / "elph_dir")
    for q in (1, 2, 3):
        for width in range(51, 61):
            (tmp_path / "elph_dir" / f"a2Fq2r.{width}.{q}").write_text("coupling\n")
    for q in (2, 3):
        (tmp_path / OUTDIR / "_ph0" / f"hightc.q_{q}").mkdir(parents=True)
    return tmp_path


def left(folder):
    return sorted(path.name for path in (folder / OUTDIR / "_ph0").glob("*"))


def cut(path):
    path.write_text(path.read_text()[:-20])


def test_last_q_point_is_done_again_where_all_are_finished(run):
    assert clear_unfinished_q(run) == 3
    assert left(run) == ["hightc.q_2"]


@pytest.mark.parametrize("damaged", ["dyn2", "elph_dir/elph.inp_lambda.2"])
def test_first_unfinished_q_is_cleared_with_all_behind_it(run, damaged):
    cut(run / damaged)
    assert clear_unfinished_q(run) == 2
    assert left(run) == []
    assert (run / "dyn1").is_file()


@pytest.mark.parametrize("damaged", ["a2Fq2r.55.2"])
def test_q_point_without_all_its_couplings_is_unfinished(run, damaged):
    (run / "elph_dir" / damaged).unlink()
    assert clear_unfinished_q(run) == 2


def test_run_that_finished_nothing_starts_with_an_empty_folder(run):
    cut(run / "dyn1")
    assert clear_unfinished_q(run) == 1
    assert not (run / OUTDIR / "_ph0").exists()
    assert not list(run.glob("dyn*"))


def test_folder_without_a_run_starts_at_the_first_q(tmp_path):
    assert clear_unfinished_q(tmp_path) == 1


def test_discard_leaves_what_ph_starts_from(run):
    (run / OUTDIR / "hightc.save").mkdir()
    discard_phonons(run)
    assert [path.name for path in (run / OUTDIR).iterdir()] == ["hightc.save"]
    assert not (run / "elph_dir").exists()


def test_run_of_some_q_points_goes_on_within_its_own_range(run):
    write_q_range(run, 2, 3)
    (run / "dyn1").unlink()
    cut(run / "dyn3")
    assert clear_unfinished_q(run) == 3
    assert left(run) == ["hightc.q_2"]


def test_run_of_some_q_points_that_finished_none_starts_at_its_first(run):
    write_q_range(run, 2, 3)
    cut(run / "dyn2")
    assert clear_unfinished_q(run) == 2
    assert left(run) == []
    assert not list(run.glob("dyn*"))


def test_run_of_some_q_points_without_their_list_starts_at_its_first(tmp_path):
    write_q_range(tmp_path, 2, 3)
    assert clear_unfinished_q(tmp_path) == 2
    assert q_range(tmp_path) == (2, 3)
