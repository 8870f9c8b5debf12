"""The LaunchPad with fewer trips stores what FireWorks' own stores."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from fakes.chosen_server import with_database
from fakes.tiny_jobs import answer, fail
from fireworks import Firework, FWAction, FWorker, LaunchPad, Workflow
from fireworks.core.firework import FiretaskBase
from fireworks.core.rocket_launcher import launch_rocket
from fireworks.utilities.fw_utilities import explicit_serialize
from jobflow import SETTINGS, Flow, Response, job
from jobflow.managers.fireworks import flow_to_workflow
from pymongo.errors import OperationFailure

from hightc.launch.brief_launchpad import MOST_LAUNCH_IDS
from hightc.launch.errors import DatabaseError
from hightc.launch.joined_writes import JoinedWrites
from hightc.launch.patience import Patience
from hightc.launch.store import Database

WORKER = FWorker(name="hightc@here:0")
NEW = re.compile(r"^-\d+$")
WHEN = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.+]+|\d{10,}")


@job
def replaced(value):
    """Be replaced by two jobs."""
    first = answer(value)
    return Response(replace=Flow([first, answer(first.output)]))


@job
def stopped(value):
    """Stop what follows."""
    return Response(output=value, stop_children=True)


@explicit_serialize
class Passes(FiretaskBase):
    """Gives its child a value, in two ways."""

    def run_task(self, _spec):
        return FWAction(stored_data={"kept": 1}, update_spec={"given": 2}, mod_spec=[{"_push": {"list": 3}}])


def workflows(folder: Path) -> list[Workflow]:
    """One of each kind of end."""
    made = []
    for number, make in enumerate((answer, replaced, stopped, fail)):
        jobs = [make(f"{number}"), answer("after")]
        for place, one in enumerate(jobs):
            one.update_config({"manager_config": {"_launch_dir": str(folder / f"{number}-{place}")}}, dynamic=False)
        made.append(flow_to_workflow(Flow(jobs, order="linear"), metadata={"number": number}))
    parent = Firework([Passes(), Passes()], name="parent", spec={"list": []})
    child = Firework([Passes()], name="child", parents=[parent])
    beside = Firework([Passes()], name="beside", spec={"_allow_fizzled_parents": True}, parents=[parent])
    return [*made, Workflow([parent, child, beside])]


def plain(value, ids):
    """A stored value without what differs from run to run: times, ids of documents, jobs and fireworks to be made."""
    if isinstance(value, dict):
        left_out = ("_id", "runtime_secs", "created_on", "updated_on", "time_start", "time_end")
        return {NEW.sub("new", key): plain(part, ids) for key, part in sorted(value.items()) if key not in left_out}
    if isinstance(value, (list, tuple)):
        return [plain(part, ids) for part in value]
    if isinstance(value, int) and value < 0:
        return "new"
    return WHEN.sub("WHEN", ids.sub("ID", value)) if isinstance(value, str) else value


def stored(launchpad: LaunchPad, folder: Path):
    ids = re.compile(rf"[0-9a-f]{{8}}-[0-9a-f-]{{27}}|{re.escape(str(folder))}|line \d+")
    return {
        name: [plain(entry, ids) for entry in getattr(launchpad, name).find({}).sort(key, 1)]
        for name, key in (("fireworks", "fw_id"), ("launches", "fw_id"), ("workflows", "nodes"))
    }


def without_ids(entry):
    """Ids of launches are taken several at a time, those that are not used are left out; nodes have no order."""
    return {
        name: len(value) if name in ("launches", "archived_launches") else sorted(value) if name == "nodes" else value
        for name, value in entry.items()
        if name != "launch_id"
    }


def run_all(launchpad: LaunchPad, database: Database, folder: Path):
    SETTINGS.JOB_STORE = database.job_store()
    folder.mkdir()
    launchpad.bulk_add_wfs(workflows(folder))
    while launchpad.run_exists(WORKER):
        launch_rocket(launchpad, WORKER, strm_lvl="ERROR")
    SETTINGS.JOB_STORE.close()
    return stored(launchpad, folder)


@pytest.fixture
def two(server, database, tmp_path, monkeypatch):
    """What FireWorks' own LaunchPad stores, in a second database."""
    monkeypatch.setattr(SETTINGS, "JOB_STORE", SETTINGS.JOB_STORE)
    monkeypatch.chdir(tmp_path)
    name = f"hightc_test_{uuid4().hex[:12]}"
    other = Database(uri=with_database(server, name), name=name, embedded=False)
    own = LaunchPad(host=other.uri, name=name, uri_mode=True, strm_lvl="ERROR")
    try:
        with closing(own.connection):
            other.prepare()
            yield run_all(own, other, tmp_path / "own")
    finally:
        other.client.drop_database(name)
        other.close()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("patient", [True, False])
def test_what_is_stored_is_what_fireworks_stores(two, database, tmp_path, together, patient):
    patience = Patience(5.0, print) if patient else None
    other = Database(uri=database.uri, name=database.name, embedded=together, patience=patience)
    with closing(other):
        found = run_all(other.launchpad, other, tmp_path / "brief")
    states = Counter(entry["state"] for entry in two["fireworks"])
    assert states == {"COMPLETED": 10, "FIZZLED": 1, "DEFUSED": 1, "WAITING": 1}
    for name, entries in two.items():
        for mine, theirs in zip(found[name], entries, strict=True):
            # ids of launches are taken several at a time, those that are not used are left out
            assert without_ids(mine) == without_ids(theirs)


def test_launch_ids_are_each_given_once_and_few_are_left_out(database, server):
    pads = [Database(uri=database.uri, name=database.name, embedded=False) for _ in range(2)]
    with closing(pads[0]), closing(pads[1]):
        given = [pad.launchpad.get_new_launch_id() for _ in range(50) for pad in pads]
    assert len(set(given)) == 100
    assert max(given) <= 100 + 2 * MOST_LAUNCH_IDS
    # one that takes a single id wastes none
    once = Database(uri=database.uri, name=database.name, embedded=False)
    with closing(once):
        first = once.launchpad.get_new_launch_id()
    assert database.launchpad.get_new_launch_id() == first + 1


def test_a_lock_of_somebody_who_is_gone_is_broken(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    launchpad = database.launchpad
    launchpad.stale_lock_seconds = 0.2
    (fw_id,) = launchpad.add_wf(Workflow([Firework([Passes()])])).values()
    _, launch_id = launchpad.checkout_fw(WORKER, str(tmp_path))
    launchpad.workflows.update_one({"nodes": fw_id}, {"$set": {"locked": True}})
    launchpad.complete_launch(launch_id, FWAction())
    workflow = launchpad.workflows.find_one({"nodes": fw_id})
    assert (workflow["state"], workflow.get("locked")) == ("COMPLETED", None)


def test_a_workflow_that_is_gone_is_said_at_once(database, tmp_path):
    launchpad = database.launchpad
    (fw_id,) = launchpad.add_wf(Workflow([Firework([Passes()])])).values()
    launchpad.workflows.delete_one({"nodes": fw_id})
    with pytest.raises(DatabaseError, match="expected a workflow that has it"):
        launchpad.checkout_fw(WORKER, str(tmp_path))


def test_a_server_without_the_command_is_asked_for_one_write_after_another(database):
    class Old:
        db = database.client[database.name]
        asked = 0

        def joined(self, _command):
            self.asked += 1
            raise OperationFailure("no such command: 'bulkWrite'", 59)

    writes = JoinedWrites()
    writes.replace("numbers", {"n": 1}, {"n": 1}, upsert=True)
    writes.update("numbers", {"n": 1}, {"$set": {"square": 1}})
    writes.update("numbers", {"n": 2}, {"$set": {"square": 4}})
    old = Old()
    assert writes.send(old) == [1, 1, 0]
    assert (writes.together, old.asked) == (False, 1)
    assert database.client[database.name]["numbers"].find_one({"n": 1}, {"_id": 0}) == {"n": 1, "square": 1}
