from __future__ import annotations

from pathlib import Path

import pytest

from hightc.makers.epw_staging import collect_phonons, drop_scratch, link, require_wavefunctions
from hightc.makers.errors import StagingError


@pytest.fixture
def phonons(tmp_path):
    """What ph.x leaves of two irreducible q points, one with augmentation charges."""
    folder = tmp_path / "phonons"
    scratch = folder / "out" / "_ph0"
    (scratch / "hightc.q_2").mkdir(parents=True)
    (scratch / "hightc.phsave").mkdir()
    (scratch / "hightc.phsave" / "patterns.1.xml").write_text("patterns")
    (folder / "dyn1").write_text("first")
    (folder / "dyn2").write_text("second")
    (scratch / "hightc.dvscf1").write_text("potential 1")
    (scratch / "hightc.q_2" / "hightc.dvscf1").write_text("potential 2")
    (scratch / "hightc.dvscf_paw1").write_text("augmentation 1")
    return folder


def test_phonons_get_the_names_that_epw_reads(phonons):
    collect_phonons(phonons, 2)
    found = {path.name: path.read_text() for path in Path("save").iterdir() if path.is_file()}
    assert found == {
        "hightc.dyn_q1": "first",
        "hightc.dyn_q2": "second",
        "hightc.dvscf_q1": "potential 1",
        "hightc.dvscf_q2": "potential 2",
        "hightc.dvscf_paw_q1": "augmentation 1",
    }
    assert Path("save/hightc.phsave/patterns.1.xml").read_text() == "patterns"


def test_phonons_of_an_earlier_run_do_not_stay(phonons):
    Path("save").mkdir()
    Path("save/hightc.dvscf_q3").write_text("of another q mesh")
    collect_phonons(phonons, 2)
    assert not Path("save/hightc.dvscf_q3").exists()


@pytest.mark.parametrize("name", ["dyn2", "out/_ph0/hightc.q_2/hightc.dvscf1"])
def test_missing_phonons_are_named_with_the_way_out(phonons, name):
    (phonons / name).unlink()
    with pytest.raises(StagingError, match=f"{Path(name).name}: expected what ph.x left, found nothing: .*rerun_fws"):
        collect_phonons(phonons, 2)


def test_large_files_are_linked_and_an_earlier_copy_gives_way(tmp_path):
    source = tmp_path / "source"
    (source / "out").mkdir(parents=True)
    (source / "out" / "large").write_text("new")
    (source / "folder").mkdir()
    for earlier in ("file", "folder", "link"):
        target = Path("out/large")
        target.parent.mkdir(exist_ok=True)
        if target.is_symlink():
            target.unlink()
        if earlier == "file":
            target.write_text("old")
        elif earlier == "folder":
            target.unlink(missing_ok=True)
            target.mkdir()
        else:
            target.symlink_to(tmp_path / "gone")
        link(source, ["out/large"])
        assert target.is_symlink()
        assert target.read_text() == "new"
    with pytest.raises(StagingError, match=r"other: expected it of the step before, found nothing: .*rerun_fws"):
        link(source, ["other"])


def test_copies_of_wavefunctions_go_and_those_of_the_step_before_stay(tmp_path):
    source = tmp_path / "source"
    (source / "out" / "hightc.save").mkdir(parents=True)
    (source / "out" / "hightc.save" / "wfc1.dat").write_text("wavefunction")
    link(source, ["out/hightc.save"])
    Path("out/hightc.wfc1").write_text("copy")
    Path("hightc.mmn").write_text("overlaps")
    drop_scratch(Path.cwd())
    assert not Path("out/hightc.wfc1").exists()
    assert not Path("hightc.mmn").exists()
    require_wavefunctions(Path.cwd())


def test_folder_without_wavefunctions_is_refused(tmp_path):
    with pytest.raises(StagingError, match="expected wavefunctions of the uniform mesh, found none"):
        require_wavefunctions(tmp_path)
