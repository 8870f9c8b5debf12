from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hightc.makers.qe.clean_stop import renew_time_limit, write_input
from hightc.makers.qe.inputs import edit_namelists, read_namelists

DATA = Path(__file__).parents[2] / "data" / "qe"


@pytest.fixture
def stopped(tmp_path):
    """A folder in which pw.x stopped itself, and its input."""
    for name in ("scf.in", "scf.out"):
        shutil.copy(DATA / "pw_max_seconds" / name, tmp_path / name)
    return tmp_path / "scf.in"


def continues(path, text, processes=1, pools=1):
    answer = write_input(path, text, processes=processes, pools=pools)
    assert (read_namelists(path)["control"].get("restart_mode") == "restart") == answer
    return answer


def test_run_that_stopped_itself_is_continued(stopped):
    text = stopped.read_text()
    assert continues(stopped, text)
    # the output is still that of the run that stopped: the program has not begun
    assert continues(stopped, text)


def test_time_limit_and_folders_do_not_make_another_run(stopped):
    text = stopped.read_text().replace("max_seconds=0.01", "max_seconds=3600").replace("./tmp/", "./out/")
    assert continues(stopped, text)


def test_other_numbers_begin_anew(stopped):
    assert not continues(stopped, stopped.read_text().replace("ecutwfc=16", "ecutwfc=20"))


def test_what_a_handler_changed_begins_anew(stopped):
    text = stopped.read_text()
    edit_namelists(stopped, {"electrons": {"mixing_beta": 0.3}})
    assert not continues(stopped, text)


@pytest.mark.parametrize(("processes", "pools"), [(2, 2), (2, 1)])
def test_other_processes_begin_anew(stopped, processes, pools):
    assert not continues(stopped, stopped.read_text(), processes, pools)


def test_run_in_pools_is_continued_in_as_many(stopped):
    output = stopped.with_suffix(".out")
    shutil.copy(DATA / "al_two_processes" / "scf.out", output)
    with output.open("a") as stream:
        stream.write("     Maximum CPU time exceeded\n")
    text = stopped.read_text()
    assert continues(stopped, text, 2, 2)
    assert not continues(stopped, text, 2, 1)
    assert not continues(stopped, text, 1, 1)


@pytest.mark.parametrize("case", ["cut", "finished", "gone", "ph"])
def test_runs_that_did_not_stop_themselves_begin_anew(stopped, case):
    output = stopped.with_suffix(".out")
    if case == "cut":
        output.write_text(output.read_text().replace("JOB DONE", ""))
    elif case == "finished":
        shutil.copy(DATA / "al_scf" / "scf.out", output)
    elif case == "gone":
        output.unlink()
    else:
        shutil.copy(DATA / "ph_max_seconds" / "ph.out", output)
    assert not continues(stopped, stopped.read_text())


def test_first_run_in_a_folder_begins(tmp_path):
    assert not continues(tmp_path / "scf.in", (DATA / "pw_max_seconds" / "scf.in").read_text())


@pytest.mark.parametrize(("limit", "left", "expected"), [(3600, 900, 900), (600, 900, 600), (None, 900, None)])
def test_time_limit_is_lowered_to_what_is_left_and_never_raised(stopped, limit, left, expected):
    text = stopped.read_text()
    stopped.write_text(text.replace("max_seconds=0.01", f"max_seconds={limit}" if limit else ""))
    renew_time_limit(stopped, left)
    assert read_namelists(stopped)["control"].get("max_seconds") == expected
