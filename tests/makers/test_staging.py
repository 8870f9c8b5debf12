from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hightc.makers.errors import StagingError
from hightc.makers.staging import MARKER, stage


@pytest.fixture
def previous(tmp_path):
    """Folder of an earlier step."""
    folder = tmp_path / "previous"
    (folder / "out" / "hightc.save").mkdir(parents=True)
    (folder / "out" / "hightc.save" / "charge-density.dat").write_text("density")
    (folder / "out" / "hightc.a2Fsave").write_text("weights")
    for number in range(3):
        (folder / f"dyn{number}").write_text(f"matrix {number}")
    return folder


def test_files_and_folders_are_copied_to_their_own_places(previous):
    assert stage(previous, ["out/hightc.save", "out/hightc.a2Fsave"])
    assert Path("out/hightc.save/charge-density.dat").read_text() == "density"
    assert Path("out/hightc.a2Fsave").read_text() == "weights"
    assert not Path("dyn0").exists()


def test_pattern_stands_for_all_that_match(previous):
    stage(previous, ["dyn*"])
    assert sorted(path.name for path in Path().glob("dyn*")) == ["dyn0", "dyn1", "dyn2"]


def test_staged_folder_keeps_what_it_has_computed_since(previous):
    assert stage(previous, ["dyn*"])
    Path("dyn1").write_text("computed since")
    assert not stage(previous, ["dyn*"])
    assert Path("dyn1").read_text() == "computed since"


def test_interrupted_copy_is_repeated(previous):
    stage(previous, ["out/hightc.save", "dyn*"])
    Path(MARKER).unlink()
    Path("out/hightc.save/charge-density.dat").write_text("den")
    Path("out/hightc.save/half_written.dat").write_text("")
    Path("dyn1").write_text("mat")
    assert stage(previous, ["out/hightc.save", "dyn*"])
    assert [path.name for path in Path("out/hightc.save").iterdir()] == ["charge-density.dat"]
    assert Path("out/hightc.save/charge-density.dat").read_text() == "density"
    assert Path("dyn1").read_text() == "matrix 1"


def test_another_earlier_step_is_copied_over_the_first(previous, tmp_path):
    stage(previous, ["dyn*"])
    other = tmp_path / "other"
    shutil.copytree(previous, other)
    (other / "dyn1").write_text("of the other")
    assert stage(other, ["dyn*"])
    assert Path("dyn1").read_text() == "of the other"


def test_missing_file_is_named_with_its_folder_and_the_next_step(previous):
    (previous / "out" / "hightc.a2Fsave").unlink()
    with pytest.raises(StagingError, match=rf"{previous}: expected out/hightc\.a2Fsave .*run that step again"):
        stage(previous, ["dyn*", "out/hightc.a2Fsave"])
    assert not Path(MARKER).exists()


def test_missing_folder_of_the_earlier_step_is_named(tmp_path):
    with pytest.raises(StagingError, match=r"gone: expected dyn\* of the step before"):
        stage(tmp_path / "gone", ["dyn*"])


def test_step_before_that_was_computed_anew_is_staged_anew(previous):
    stage(previous, ["out/hightc.save"])
    (previous / "out" / "hightc.save" / "charge-density.dat").write_text("of another structure")
    assert stage(previous, ["out/hightc.save"])
    assert Path("out/hightc.save/charge-density.dat").read_text() == "of another structure"
