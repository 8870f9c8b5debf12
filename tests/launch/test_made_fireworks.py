"""A rerun job makes its jobs anew, and none of those of before is left, on the embedded server."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.stepping_jobs import groups, number
from fakes.tiny_campaign import NAME, TinyRun
from fireworks import FWorker, LaunchPad

from hightc.launch.errors import LaunchError
from hightc.launch.lpad import write_launchpad_file
from hightc.launch.redo import redo
from hightc.launch.store import Database


@pytest.fixture
def finished(run_worker: TinyRun, tmp_path: Path):
    """A material whose second step made jobs, and a third step that takes their result."""

    def run(count: int) -> dict[str, int]:
        first, second = number(1), groups()
        third = number(second.output)
        first.name, second.name, third.name = "first", "groups", "third"
        submission = run_worker.submit("Al", [first, second, third])
        (tmp_path / submission.material.folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / submission.material.folder / "count").write_text(str(count))
        run_worker()
        return submission

    return run


def state(database: Database) -> tuple[int, set[str], int]:
    """How many fireworks there are, their states, and the number that the third step stored."""
    fireworks = list(database.launchpad.fireworks.find({}, {"fw_id": 1, "state": 1}))
    (workflow,) = database.launchpad.workflows.find({})
    assert sorted(workflow["nodes"]) == sorted(entry["fw_id"] for entry in fireworks)
    (third,) = database.collections["outputs"].find({"name": "Al third"})
    return len(fireworks), {entry["state"] for entry in fireworks} | {workflow["state"]}, third["output"]


def rerun(database: Database, name: str, tmp_path: Path, *, by: str) -> None:
    (firework,) = database.launchpad.fireworks.find({"name": f"Al {name}"}, {"fw_id": 1})
    launchpad = database.launchpad
    if by == "lpad":
        write_launchpad_file(database, tmp_path / "launchpad.yaml")
        launchpad = LaunchPad.from_file(str(tmp_path / "launchpad.yaml"))
    launchpad.rerun_fw(firework["fw_id"])
    if by == "lpad":
        launchpad.connection.close()


@pytest.mark.parametrize("by", ["hightc", "lpad"])
@pytest.mark.parametrize("name", ["groups", "first"])
def test_rerun_leaves_one_of_each_job_and_their_documents(finished, run_worker, database, tmp_path, name, by):
    finished(2)
    before = state(database)
    assert before == (7, {"COMPLETED"}, 20)
    documents = database.collections["outputs"].count_documents({})
    rerun(database, name, tmp_path, by=by)
    run_worker()
    assert state(database) == before
    assert database.collections["outputs"].count_documents({}) == documents


def test_finished_material_that_is_to_be_redone_runs_from_its_first_step(finished, run_worker, database):
    finished(2)
    before = state(database)
    launches = database.launchpad.launches.count_documents({})
    assert redo(NAME, "Al", database) == 1
    run_worker()
    assert state(database) == before
    # what the first run had made is gone with its launches: two of five are left
    assert database.launchpad.launches.count_documents({}) == launches + 3


def test_what_runs_or_is_not_there_is_not_redone(finished, database, tmp_path):
    with pytest.raises(LaunchError, match="material 'Al': expected one of campaign tiny, found none"):
        redo(NAME, "Al", database)
    finished(2)
    redo(NAME, "Al", database)
    database.launchpad.checkout_fw(FWorker(), str(tmp_path))
    with pytest.raises(LaunchError, match="a step of it runs"):
        redo(NAME, "Al", database)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_rerun_that_makes_other_jobs_is_followed_by_those_alone(finished, run_worker, database, tmp_path, count):
    submission = finished(2)
    (tmp_path / submission.material.folder / "count").write_text(str(count))
    rerun(database, "groups", tmp_path, by="lpad")
    run_worker()
    assert state(database) == (5 + count if count else 3, {"COMPLETED"}, 10 * count)


def test_rerun_of_a_job_that_was_made_keeps_those_beside_it(finished, run_worker, database, tmp_path):
    finished(2)
    before = state(database)
    rerun(database, "nested", tmp_path, by="hightc")
    run_worker()
    assert state(database) == before
