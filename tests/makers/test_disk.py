from __future__ import annotations

import pytest

from hightc.makers.disk import drop_scratch

POTENTIALS = {"_ph0/x.dvscf1", "_ph0/x.q_2/x.dvscf1", "_ph0/x.phsave/patterns.1.xml"}
OTHERS = {"x.save/wfc1.dat", "_ph0/x.phsave/elph.1.1.xml", "_ph0/x.q_2/x.wfc1"}


@pytest.fixture
def merged(tmp_path):
    """Folder of a material in which the files of several runs of ph.x were joined."""
    for name in POTENTIALS | OTHERS:
        path = tmp_path / "material" / "04-ph" / "merged" / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
    return tmp_path / "material"


@pytest.mark.parametrize(
    ("keep", "left"), [("everything", POTENTIALS | OTHERS), ("restart", POTENTIALS), ("results", set())]
)
def test_joined_phonons_keep_the_potentials_where_later_steps_may_start(merged, keep, left):
    drop_scratch(merged, keep)
    scratch = merged / "04-ph" / "merged" / "out"
    assert {str(path.relative_to(scratch)) for path in scratch.rglob("*") if path.is_file()} == left


def test_files_behind_a_link_stay(merged, tmp_path):
    target = tmp_path / "other" / "out"
    target.mkdir(parents=True)
    (target / "x.wfc1").write_text("of another material")
    step = merged / "05-epw"
    step.mkdir()
    (step / "out").symlink_to(target)
    (merged / "04-ph" / "merged" / "out" / "x.link").symlink_to(target / "x.wfc1")
    drop_scratch(merged, "results")
    assert (target / "x.wfc1").is_file()


@pytest.mark.parametrize(("keep", "left"), [("everything", True), ("restart", False), ("results", False)])
def test_copies_of_potentials_go_and_texts_beside_them_stay(tmp_path, keep, left):
    save = tmp_path / "material" / "09-epw" / "save"
    (save / "hightc.phsave").mkdir(parents=True)
    for name in ("hightc.dvscf_q1", "hightc.dyn_q1", "hightc.phsave/patterns.1.xml"):
        (save / name).write_text("content")
    freed = drop_scratch(tmp_path / "material", keep)
    assert (save / "hightc.dvscf_q1").is_file() is left
    assert freed == (0 if left else len("content"))
    assert (save / "hightc.dyn_q1").is_file()
