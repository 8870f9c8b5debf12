from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hightc.analysis.parsers.ph import read_finished_q
from hightc.makers.phonon_watch import STOP_FILE, UnstableMonitor, is_unstable, judge

QE = Path(__file__).parents[1] / "data" / "qe"


def put(folder, case, number, *, coupling=True):
    """Write a q point of a recorded run under our names, with the coupling of another crystal."""
    elph = folder / "elph_dir"
    elph.mkdir(exist_ok=True)
    for name in (0, number):
        shutil.copy(QE / case / f"al.dyn{name}", folder / f"dyn{name}")
    if coupling:
        shutil.copy(QE / "al_linear_response" / "elph_dir" / f"elph.inp_lambda.{number}", elph)
        for width in range(51, 61):
            (elph / f"a2Fq2r.{width}.{number}").write_text("coupling\n")


def test_crystal_is_unstable_as_soon_as_the_unstable_q_point_is_finished(tmp_path):
    put(tmp_path, "al_bcc", 1)
    assert not is_unstable(tmp_path)
    put(tmp_path, "al_bcc", 2, coupling=False)
    assert not is_unstable(tmp_path)
    put(tmp_path, "al_bcc", 2)
    assert is_unstable(tmp_path)


def test_folder_without_q_points_is_not_unstable(tmp_path):
    assert not is_unstable(tmp_path)


def test_gamma_is_judged_with_the_sum_rule(tmp_path):
    put(tmp_path, "al_bcc", 1)
    verdict = judge(tmp_path, read_finished_q(tmp_path, "dyn")[0])
    assert verdict.decisive_mev == pytest.approx(0, abs=1e-5)
    assert verdict.gamma_lowest_mev == pytest.approx(0.63962, abs=1e-4)


def test_stop_is_asked_for_at_the_unstable_q_point_and_again_after_a_new_start(tmp_path):
    stop, monitor = tmp_path / STOP_FILE, UnstableMonitor()
    put(tmp_path, "al_bcc", 1)
    assert not monitor.check(str(tmp_path))
    assert not stop.exists()
    put(tmp_path, "al_bcc", 2)
    for _ in range(2):
        assert not monitor.check(str(tmp_path))
        assert stop.exists()
        stop.unlink()


def test_stable_crystal_is_left_alone(tmp_path):
    monitor = UnstableMonitor()
    for number in (1, 2, 3):
        put(tmp_path, "al_linear_response", number)
        assert not monitor.check(str(tmp_path))
        assert not (tmp_path / STOP_FILE).exists()
