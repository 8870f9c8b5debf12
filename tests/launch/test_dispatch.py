from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from fakes.tiny_campaign import ALUMINIUM, submit_jobs, tiny_campaign
from fakes.tiny_jobs import answer
from fireworks import FWAction, FWorker

from hightc.launch.dispatch import hold_campaign, in_order, submit, worker_lock, worker_name
from hightc.launch.errors import LaunchError
from hightc.launch.recovery import fail_step, lost_steps, recover_interrupted, set_aside
from hightc.launch.stored_words import error_message

STEPS = [
    "relax",
    "scf dense",
    "scf",
    "ph.x electron-phonon",
    "q2r.x",
    "matdyn.x",
    "matdyn.x bands",
    "alpha2F",
    "Tc",
]
ELSEWHERE = "hightc@another-node:0"


@pytest.fixture
def campaign(tmp_path, settings):
    return tiny_campaign(tmp_path, settings, ALUMINIUM + '\n[materials.Pb]\nprototype = "fcc Pb 4.95"\n', "Al", "Pb")


def fireworks(database, submission):
    query = {"fw_id": {"$in": list(submission.fw_ids)}}
    return in_order(database.launchpad.fireworks.find(query))


def states(database, submission):
    return [firework["state"] for firework in fireworks(database, submission)]


def is_locked(database):
    return database.launchpad.workflows.count_documents({"locked": {"$exists": True}}) > 0


# --- what is submitted


def test_campaign_is_added_once_and_then_reused(campaign, database, tmp_path):
    first = submit(campaign, database, tmp_path)
    again = submit(campaign, database, tmp_path)
    assert [entry.reused for entry in first] == [False, False]
    assert [entry.reused for entry in again] == [True, True]
    assert [entry.fw_ids for entry in first] == [entry.fw_ids for entry in again]
    assert database.launchpad.workflows.count_documents({}) == 2


def test_only_the_changed_material_is_added_anew(campaign, database, tmp_path, settings):
    submit(campaign, database, tmp_path)
    text = ALUMINIUM.replace("4.05", "4.06") + '\n[materials.Pb]\nprototype = "fcc Pb 4.95"\n'
    changed = submit(tiny_campaign(tmp_path, settings, text, "Al", "Pb"), database, tmp_path)
    assert [(entry.material.tag.material, entry.reused) for entry in changed] == [("Al", False), ("Pb", True)]


def test_numbers_that_were_changed_set_the_old_calculation_aside_until_they_return(
    campaign, database, tmp_path, settings
):
    old = submit(campaign, database, tmp_path)
    assert set_aside("tiny", old, database) == 0
    text = ALUMINIUM.replace("4.05", "4.06") + '\n[materials.Pb]\nprototype = "fcc Pb 4.95"\n'
    changed = submit(tiny_campaign(tmp_path, settings, text, "Al", "Pb"), database, tmp_path)
    assert set_aside("tiny", changed, database) == 1
    assert states(database, old[0]) == ["PAUSED", *["WAITING"] * 8]
    assert states(database, changed[0])[0] == states(database, changed[1])[0] == "READY"
    again = submit(campaign, database, tmp_path)
    assert set_aside("tiny", again, database) == 1
    assert states(database, again[0]) == ["READY", *["WAITING"] * 8]
    assert states(database, changed[0])[0] == "PAUSED"


def test_interrupted_step_that_nobody_asks_for_any_more_keeps_no_worker_waiting(campaign, database, tmp_path):
    old = submit(campaign, database, tmp_path)
    database.launchpad.checkout_fw(FWorker(name=worker_name(0)), str(tmp_path), fw_id=old[0].fw_ids[0])
    assert set_aside("tiny", old[1:], database) == 1
    assert states(database, old[0])[0] == "FIZZLED"
    assert set_aside("tiny", old[1:], database) == 0


def test_fireworks_are_named_by_label_and_step_and_stand_in_order_on_fireworks_page(campaign, database, tmp_path):
    # the page sorts by falling id
    for submission in submit(campaign, database, tmp_path):
        found = fireworks(database, submission)
        label = submission.material.tag.material
        assert [firework["name"] for firework in found] == [f"{label} {step}" for step in STEPS]
        assert states(database, submission) == ["READY", *["WAITING"] * 8]
        workflow = database.launchpad.workflows.find_one({"nodes": submission.fw_ids[0]})
        links = {int(parent): children for parent, children in workflow["links"].items()}
        assert all(child < parent for parent, children in links.items() for child in children)
        assert workflow["name"] == f"{label} (tiny)"
        assert workflow["metadata"]["key"] == submission.material.key


def test_later_steps_go_first_and_each_has_its_folder(campaign, database, tmp_path):
    submission = submit(campaign, database, tmp_path)[0]
    specs = [firework["spec"] for firework in fireworks(database, submission)]
    assert [spec["_priority"] for spec in specs] == list(range(1, len(STEPS) + 1))
    folder = tmp_path / submission.material.folder
    assert [spec["_launch_dir"] for spec in specs] == [
        str(folder / name)
        for name in (
            "01-relax",
            "02-scf-dense",
            "03-scf",
            "04-ph-electron-phonon",
            "05-q2r",
            "06-matdyn",
            "07-matdyn-bands",
            "08-alpha2f",
            "09-tc",
        )
    ]
    assert {(spec["campaign"], spec["material"]) for spec in specs} == {("tiny", "Al")}


def test_workers_take_a_material_that_is_under_way_before_the_next(database, tmp_path, settings, run_worker):
    run_worker.submit("A", [answer(1), answer(2)])
    run_worker.submit("B", [answer(3), answer(4)])
    assert run_worker() == 4
    launches = database.launchpad.launches.find({}).sort("launch_id", 1)
    names = {firework["fw_id"]: firework["name"] for firework in database.launchpad.fireworks.find({})}
    order = [names[launch["fw_id"]] for launch in launches]
    assert [name.split()[0] for name in order] in (["A", "A", "B", "B"], ["B", "B", "A", "A"])


def test_nothing_stored_names_the_database_or_a_secret(campaign, database, tmp_path, run_worker):
    submit(campaign, database, tmp_path)
    run_worker.submit("C", [answer(1)])
    run_worker()
    socket = database.uri.removeprefix("mongodb://").rpartition("/")[0]
    for name in database.collections.list_collection_names():
        text = json.dumps(list(database.collections[name].find({})), default=str)
        assert "mongodb" not in text, name
        assert socket not in text, name


# --- who may work


def test_campaign_folder_is_held_by_one_run(tmp_path):
    with (
        hold_campaign(tmp_path / "runs"),
        pytest.raises(LaunchError, match="another hightc run works on this campaign"),
        hold_campaign(tmp_path / "runs"),
    ):
        pass
    with hold_campaign(tmp_path / "runs"):
        pass


def test_worker_of_a_number_is_alive_once(tmp_path):
    lock = worker_lock(tmp_path, "worker-0")
    assert lock is not None
    with lock:
        assert worker_lock(tmp_path, "worker-0") is None
        other = worker_lock(tmp_path, "worker-1")
        assert other is not None
        other.close()
    again = worker_lock(tmp_path, "worker-0")
    assert again is not None
    again.close()


def test_second_worker_of_a_number_is_refused(tmp_path, database, settings, monkeypatch):
    monkeypatch.setenv("HIGHTC_MONGO_URI", database.uri)
    lock = worker_lock(tmp_path, "worker-3")
    assert lock is not None
    with lock:
        command = [sys.executable, "-m", "hightc.launch.worker", "tiny", "--directory", str(tmp_path), "--number", "3"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == f"hightc worker: worker 3 of {tmp_path} is alive already\n"


# --- what was interrupted


@pytest.fixture
def running(database, tmp_path, settings):
    """Two steps, the first of which a worker has begun."""
    submission = submit_jobs("Al", [answer(1), answer(2)], database, tmp_path, settings)

    def begin(worker: str):
        found, _ = database.launchpad.checkout_fw(FWorker(name=worker), str(tmp_path))
        assert found.fw_id == submission.fw_ids[0]
        return submission

    return begin


@pytest.mark.parametrize("named", [False, True])
def test_step_of_a_dead_worker_is_taken_up(named, running, database):
    submission = running(worker_name(0))
    assert states(database, submission) == ["RUNNING", "WAITING"]
    dead_worker = worker_name(0) if named else None
    assert recover_interrupted([submission], database, dead_worker=dead_worker) == [submission.fw_ids[0]]
    assert states(database, submission) == ["READY", "WAITING"]


@pytest.mark.parametrize(
    ("worker", "dead_worker"), [(ELSEWHERE, None), (ELSEWHERE, worker_name(0)), (worker_name(1), worker_name(0))]
)
def test_step_of_a_worker_that_may_live_is_left_alone(worker, dead_worker, running, database):
    submission = running(worker)
    assert recover_interrupted([submission], database, dead_worker=dead_worker) == []
    assert states(database, submission) == ["RUNNING", "WAITING"]


def test_step_reserved_without_a_launch_is_taken_up(running, database, tmp_path, settings):
    submission = submit_jobs("B", [answer(1)], database, tmp_path, settings)
    # FireWorks reserves a firework, and only then makes its launch
    database.launchpad.fireworks.update_one({"fw_id": submission.fw_ids[0]}, {"$set": {"state": "RESERVED"}})
    assert recover_interrupted([submission], database) == [submission.fw_ids[0]]
    assert states(database, submission) == ["READY"]


def test_failed_step_is_tried_again_only_when_no_worker_is_named(running, database):
    submission = running(worker_name(0))
    fail_step(submission.fw_ids[0], database, "it failed")
    assert states(database, submission) == ["FIZZLED", "WAITING"]
    assert recover_interrupted([submission], database, dead_worker=worker_name(0)) == []
    assert states(database, submission) == ["FIZZLED", "WAITING"]
    assert recover_interrupted([submission], database) == [submission.fw_ids[0]]
    assert states(database, submission) == ["READY", "WAITING"]


def test_step_that_was_finished_but_not_yet_told_is_not_run_again(running, database):
    submission = running(worker_name(0))
    step = fireworks(database, submission)[0]
    # the worker died between writing the launch and refreshing the workflow
    database.launchpad.launches.update_one(
        {"launch_id": step["launches"][-1]},
        {"$set": {"state": "COMPLETED", "action": FWAction().to_dict()}},
    )
    assert recover_interrupted([submission], database) == []
    assert states(database, submission) == ["COMPLETED", "READY"]


def test_lock_of_a_workflow_left_by_a_dead_worker_is_removed(running, database):
    submission = running(worker_name(0))
    database.launchpad.workflows.update_many({}, {"$set": {"locked": True}})
    recover_interrupted([submission], database, dead_worker=worker_name(0))
    assert not is_locked(database)


def test_lock_is_left_while_another_worker_may_hold_it(running, database):
    submission = running(worker_name(1))
    database.launchpad.workflows.update_many({}, {"$set": {"locked": True}})
    recover_interrupted([submission], database, dead_worker=worker_name(0))
    assert is_locked(database)
    recover_interrupted([submission], database)
    assert not is_locked(database)


def test_steps_that_a_dead_worker_was_running_are_known(running, database):
    submission = running(worker_name(2))
    assert lost_steps([submission], database, dead_worker=worker_name(2)) == [submission.fw_ids[0]]
    assert lost_steps([submission], database, dead_worker=worker_name(1)) == []


def test_step_that_is_made_to_fail_keeps_the_reason(running, database):
    submission = running(worker_name(0))
    database.launchpad.workflows.update_many({}, {"$set": {"locked": True}})
    fail_step(submission.fw_ids[0], database, "worker 0 was killed: no memory")
    step = fireworks(database, submission)[0]
    launch = database.launchpad.launches.find_one({"launch_id": step["launches"][-1]})
    assert launch["state"] == step["state"] == "FIZZLED"
    stored = launch["action"]["stored_data"]["_exception"]["_stacktrace"]
    assert error_message(stored) == "worker 0 was killed: no memory"


def test_step_that_ran_in_the_held_folder_is_taken_up_whatever_machine_ran_it(running, database, tmp_path):
    # the node of a batch job that has ended: nobody else can work in a folder that this process holds
    submission = running(ELSEWHERE)
    assert recover_interrupted([submission], database, held=tmp_path / "other") == []
    assert recover_interrupted([submission], database, held=tmp_path) == [submission.fw_ids[0]]
    assert states(database, submission) == ["READY", "WAITING"]


def test_step_that_a_living_worker_is_just_taking_is_left_to_it(database, tmp_path, settings):
    submission = submit_jobs("B", [answer(1)], database, tmp_path, settings)
    taken = {"state": "RESERVED", "updated_on": datetime.now(UTC)}
    database.launchpad.fireworks.update_one({"fw_id": submission.fw_ids[0]}, {"$set": taken})
    assert recover_interrupted([submission], database, dead_worker=worker_name(0)) == []
    taken["updated_on"] -= timedelta(seconds=2)
    database.launchpad.fireworks.update_one({"fw_id": submission.fw_ids[0]}, {"$set": taken})
    assert recover_interrupted([submission], database, dead_worker=worker_name(0)) == [submission.fw_ids[0]]


def test_step_that_the_user_paused_stays_paused(campaign, database, tmp_path):
    submission = submit(campaign, database, tmp_path)[0]
    database.launchpad.pause_fw(submission.fw_ids[0])
    submit(campaign, database, tmp_path)
    assert states(database, submission)[0] == "PAUSED"
