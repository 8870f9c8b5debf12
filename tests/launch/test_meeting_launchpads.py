"""What two programs do to one workflow at one moment: no job runs twice, and nothing that was asked is forgotten."""

from __future__ import annotations

import io
from contextlib import ExitStack, closing, redirect_stderr
from dataclasses import replace

import pytest
from fireworks import Firework, FWAction, FWorker, Workflow
from fireworks.core.firework import FiretaskBase
from fireworks.utilities.fw_utilities import explicit_serialize
from pymongo.errors import AutoReconnect

from hightc.launch.claims import Claims
from hightc.launch.patience import Patience, PatientCollection
from hightc.launch.unfit_workflows import find_unfit, mend

CAMPAIGN = "meeting"
WORKER = FWorker(name="hightc@here:0", query={"spec.campaign": CAMPAIGN})


@explicit_serialize
class Nothing(FiretaskBase):
    """Is never run here."""


def step(name, parents=None):
    return Firework([Nothing()], name=name, spec={"campaign": CAMPAIGN}, parents=parents)


def chain(*names):
    steps = []
    for name in names:
        steps.append(step(name, steps[-1:]))
    return Workflow(steps, metadata={"campaign": CAMPAIGN})


@pytest.fixture(params=[True, False], ids=["joined", "separate"])
def pair(database, request):
    """The same database twice, whose writes are joined or, as with an older MongoDB, separate."""
    patience = Patience(5, lambda _: None)
    with ExitStack() as opened:
        yield [
            opened.enter_context(closing(replace(database, embedded=request.param, patience=patience)))
            for _ in range(2)
        ]


def ids_of(launchpad):
    return {entry["name"]: entry["fw_id"] for entry in launchpad.fireworks.find({}, {"name": 1, "fw_id": 1})}


def test_job_whose_claim_was_undone_is_run_by_one_worker(pair, tmp_path):
    first, second = (one.launchpad for one in pair)
    first.add_wf(chain("one"))
    taken = []
    next_launch_id = first.get_new_launch_id

    def cut_off():
        # the first worker does not hear of the database for so long that its claim is undone
        Claims(patience_seconds=0.0).release(CAMPAIGN, pair[1])
        taken.append(second.checkout_fw(WORKER, str(tmp_path)))
        return next_launch_id()

    first.get_new_launch_id = cut_off
    assert first.checkout_fw(WORKER, str(tmp_path)) == (None, None)
    (launch,) = first.launches.find({})
    assert taken[0][1] == launch["launch_id"]
    assert first.fireworks.find_one({})["launches"] == [launch["launch_id"]]


@pytest.mark.parametrize("ask", ["pause_fw", "defuse_fw"])
def test_pause_of_a_later_step_holds_while_an_earlier_one_begins(pair, tmp_path, ask):
    first, second = (one.launchpad for one in pair)
    first.add_wf(chain("one", "two", "three"))
    three = ids_of(first)["three"]
    is_next = first._is_next

    def meanwhile(*arguments):
        getattr(second, ask)(three)
        return is_next(*arguments)

    first._is_next = meanwhile
    first.checkout_fw(WORKER, str(tmp_path))
    told = first.workflows.find_one({})["fw_states"][str(three)]
    assert told == first.fireworks.find_one({"fw_id": three})["state"] == {"p": "PAUSED", "d": "DEFUSED"}[ask[0]]


def test_child_that_is_paused_while_its_parent_ends_has_what_it_was_told(pair, tmp_path):
    first, second = (one.launchpad for one in pair)
    first.add_wf(chain("one", "two"))
    two = ids_of(first)["two"]
    _, launch = first.checkout_fw(WORKER, str(tmp_path))
    store = first._store_workflow

    def meanwhile(*arguments):
        second.fireworks.update_one({"fw_id": two}, {"$set": {"state": "PAUSED"}})
        return store(*arguments)

    first._store_workflow = meanwhile
    first.complete_launch(launch, FWAction(update_spec={"input": 42}), "COMPLETED")
    second._refresh_wf(two)
    second.resume_fw(two)
    found = first.fireworks.find_one({"fw_id": two})
    assert (found["state"], found["spec"]["input"]) == ("READY", 42)


class Failing:
    """A collection, or a database that has it, one write of which fails: before it arrived, or after."""

    def __init__(self, real, method, before=None, name=None, left=None):
        self.real, self.method, self.before, self.name = real, method, before, name
        self.left = [1] if left is None else left

    def __getattr__(self, name):
        found = getattr(self.real, name)
        if name != self.method or self.name is not None:
            return found

        def write(*arguments, **options):
            if not self.left:
                return found(*arguments, **options)
            self.left.pop()
            if self.before is not None:
                found(*arguments, **options)
                self.before()
            raise AutoReconnect

        return write

    def __getitem__(self, name):
        found = self.real[name]
        return Failing(found, self.method, self.before, left=self.left) if name == self.name else found


def test_detour_is_added_though_the_write_of_its_workflow_fails(database, tmp_path):
    with closing(replace(database, embedded=False, patience=None)) as plain:
        launchpad = plain.launchpad
        launchpad.add_wf(chain("one", "two"))
        _, launch = launchpad.checkout_fw(WORKER, str(tmp_path))
        launchpad.db = Failing(launchpad.db, "replace_one", name="workflows")
        launchpad.complete_launch(launch, FWAction(detours=[chain("detour")]), "COMPLETED")
        assert launchpad.db.left == []
        mend(find_unfit(CAMPAIGN, plain, whole=True), plain)
        ids = ids_of(launchpad)
        assert set(launchpad.workflows.find_one({})["nodes"]) == set(ids.values())
        states = {name: launchpad.fireworks.find_one({"fw_id": fw_id})["state"] for name, fw_id in ids.items()}
        assert states == {"one": "COMPLETED", "detour": "READY", "two": "WAITING"}


def test_step_that_was_taken_before_the_answer_of_its_submission_was_lost_runs_once(pair, tmp_path):
    first, second = (one.launchpad for one in pair)
    taken = []
    failing = Failing(
        first.fireworks._collection, "insert_many", lambda: taken.append(second.checkout_fw(WORKER, str(tmp_path))[1])
    )
    first.fireworks = PatientCollection(failing, pair[0].patience)
    with redirect_stderr(io.StringIO()):
        first.bulk_add_wfs([chain("one")])
    assert failing.left == []
    assert second.checkout_fw(WORKER, str(tmp_path)) == (None, None)
    assert first.fireworks.find_one({})["launches"] == taken


def test_result_of_a_node_without_database_that_is_half_taken_over_is_left_to_that(pair, tmp_path):
    database = pair[0]
    launchpad = database.launchpad
    launchpad.add_wf(chain("one", "two"))
    _, launch = launchpad.checkout_fw(WORKER, str(tmp_path))
    launchpad.launches.update_one({"launch_id": launch}, {"$set": {"state": "COMPLETED"}})
    assert mend(find_unfit(CAMPAIGN, database), database) == 0
    assert launchpad.fireworks.find_one({"name": "one"})["state"] == "RUNNING"
