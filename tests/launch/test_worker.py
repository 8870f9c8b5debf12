from __future__ import annotations

import os

import pytest
from fakes.tiny_campaign import NAME
from fakes.tiny_jobs import answer, fail, fail_until, relax, solve
from fireworks import FWorker

from hightc.launch.crew import available_cores, worker_count
from hightc.launch.recovery import recover_interrupted
from hightc.launch.store import OUTPUTS
from hightc.launch.worker import share_of_cores


def outputs(database):
    return sorted(str(entry["output"]) for entry in database.collections[OUTPUTS].find({}))


def test_worker_runs_until_nothing_is_left_and_stores_each_output_once(run_worker, database):
    run_worker.submit("A", [answer("one"), answer("two")])
    run_worker.submit("B", [answer("three")])
    assert run_worker() == 3
    assert outputs(database) == ["one", "three", "two"]
    assert run_worker() == 0


def test_step_runs_in_its_own_folder(run_worker, tmp_path):
    submission = run_worker.submit("A", [answer("one")])
    run_worker()
    assert (tmp_path / submission.material.folder / "01-answer" / "ran").read_text() == "once\n"


def test_failed_step_stops_its_material_and_no_other(run_worker, database):
    run_worker.submit("A", [fail("no"), answer("never")])
    run_worker.submit("B", [answer("one")])
    assert run_worker() == 2
    assert outputs(database) == ["one"]


def test_step_that_failed_runs_again_in_the_same_folder_and_stores_one_document(run_worker, database, tmp_path):
    cause = tmp_path / "mended"
    submission = run_worker.submit("A", [answer("one"), fail_until(str(cause)), answer("three")])
    run_worker()
    cause.write_text("two")
    assert recover_interrupted([submission], database) == [submission.fw_ids[1]]
    assert run_worker() == 2
    assert outputs(database) == ["one", "three", "two"]
    # the step before was not run again
    assert (tmp_path / submission.material.folder / "01-answer" / "ran").read_text() == "once\n"


def test_step_after_a_gate_that_stopped_does_not_run(run_worker, database):
    submission = run_worker.submit("A", [relax(run_worker.tag("A"), 1.5), solve(run_worker.tag("A"))])
    assert run_worker() == 1
    states = [database.launchpad.fireworks.find_one({"fw_id": fw_id})["state"] for fw_id in submission.fw_ids]
    assert states == ["COMPLETED", "DEFUSED"]


def test_fireworks_of_another_campaign_are_left_alone(run_worker, database):
    submission = run_worker.submit("A", [answer("one")])
    ids = {"fw_id": submission.fw_ids[0]}
    database.launchpad.fireworks.update_one(ids, {"$set": {"spec.campaign": "another"}})
    assert run_worker() == 0
    assert database.launchpad.fireworks.find_one(ids)["state"] == "READY"


@pytest.mark.parametrize(
    ("cores", "processes", "workers", "n_materials", "expected"),
    [
        (1, 1, None, 5, 1),
        (2, 1, None, 5, 2),
        (2, 2, None, 5, 1),
        (2, 4, None, 5, 1),
        (2, 1, None, 1, 1),
        (1, 1, 3, 5, 3),
        (1, 1, 3, 2, 2),
    ],
)
def test_materials_side_by_side_fill_the_cores_unless_told(cores, processes, workers, n_materials, expected, settings):
    chosen = settings.model_copy(update={"cores": cores, "processes": processes, "workers": workers})
    if available_cores(chosen) < cores:
        pytest.skip(f"this machine gives less than {cores} cores")
    assert worker_count(chosen, n_materials) == expected


def test_cores_are_never_more_than_this_process_may_use(settings):
    allowed = len(os.sched_getaffinity(0))
    assert available_cores(settings.model_copy(update={"cores": 10**6})) == allowed
    assert available_cores(settings.model_copy(update={"cores": None})) == allowed


def test_last_material_gets_all_cores(run_worker, database, settings):
    chosen = settings.model_copy(update={"cores": 2})
    if available_cores(chosen) < 2:
        pytest.skip("this machine gives less than 2 cores")
    run_worker.submit("A", [answer(1)])
    assert share_of_cores(NAME, database, chosen) == 2
    run_worker.submit("B", [answer(1)])
    assert share_of_cores(NAME, database, chosen) == 1


def test_worker_does_not_wait_for_what_another_machine_runs(run_worker, database, tmp_path):
    run_worker.submit("A", [answer("one"), answer("two")])
    database.launchpad.checkout_fw(FWorker(name="hightc@another-node:0"), str(tmp_path))
    assert run_worker() == 0
