"""Unpatched FireWorks and maggma over the server; with HIGHTC_TEST_MONGO_URI over a real MongoDB."""

import os
import subprocess
import sys
import uuid
from collections import Counter
from datetime import datetime

import pytest
from fireworks import Firework, LaunchPad, Workflow
from fireworks.user_objects.firetasks.script_task import PyTask, ScriptTask
from maggma.stores import MongoURIStore
from maggma.stores.gridfs import GridFSURIStore
from pymongo import MongoClient

from hightc.launch import embedded_mongo

REAL = os.environ.get("HIGHTC_TEST_MONGO_URI")
N_JOBS = 60

# What FireWorks, monty and maggma do that pytest would take for our faults.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    directory = tmp_path_factory.mktemp("clients") / "db"
    yield REAL or embedded_mongo.start(directory)
    embedded_mongo.stop(directory)


@pytest.fixture
def name(uri):
    chosen = f"hightc_test_{uuid.uuid4().hex[:10]}"
    yield chosen
    with MongoClient(uri) as client:
        client.drop_database(chosen)


@pytest.fixture
def launchpad(uri, name):
    made = LaunchPad(host=uri, name=name, uri_mode=True, strm_lvl="ERROR")
    made.reset("", require_password=False)
    yield made
    made.connection.close()


@pytest.fixture
def started(launchpad, tmp_path):
    """A way to start FireWorks' own commands on the launchpad, each in a place of its own.

    They run outside pytest: to find a task by its name FireWorks imports all its modules, its own tests among them,
    whose marks pytest refuses.
    """
    settings = tmp_path / "launchpad.yaml"
    launchpad.to_file(str(settings))

    def start(place, program, *arguments):
        (tmp_path / place).mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            f"from fireworks.scripts.{program} import {program[:-4]} as run",
        ]
        command[-1] += "; run()"
        with (tmp_path / place / "log").open("ab") as log:
            return subprocess.Popen(
                [*command, "-l", str(settings), *arguments], cwd=tmp_path / place, stdout=log, stderr=log
            )

    return start


def test_two_workers_run_each_of_many_jobs_once(launchpad, started, tmp_path):
    ledger = tmp_path / "ledger"
    launchpad.bulk_add_wfs(
        [
            Workflow([Firework(ScriptTask.from_str(f"echo {number} >> {ledger}"), name=str(number))])
            for number in range(N_JOBS)
        ]
    )
    workers = [started(f"worker{number}", "rlaunch_run", "rapidfire") for number in range(2)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    assert Counter(map(int, ledger.read_text().split())) == dict.fromkeys(range(N_JOBS), 1)
    assert launchpad.fireworks.count_documents({"state": "COMPLETED"}) == N_JOBS
    assert launchpad.launches.count_documents({}) == N_JOBS
    share = [len(list((tmp_path / f"worker{number}").glob("launcher_*"))) for number in range(2)]
    assert min(share) > 0, "one worker did everything"


def test_a_flow_runs_in_order_and_a_failure_is_rerun(launchpad, started, tmp_path):
    flag = tmp_path / "flag"
    first = Firework(ScriptTask.from_str(f"test -e {flag}"), name="first")
    second = Firework(PyTask(func="os.getcwd", outputs=["where"]), name="second", parents=[first])
    launchpad.add_wf(Workflow([first, second], name="flow"))
    assert started("worker", "rlaunch_run", "rapidfire").wait(60) == 0
    assert sorted(launchpad.fireworks.distinct("state")) == ["FIZZLED", "WAITING"]
    assert launchpad.get_wf_ids({"name": "flow"}, count_only=True) == 1
    flag.touch()
    (failed,) = launchpad.get_fw_ids({"state": "FIZZLED"})
    assert started("worker", "lpad_run", "rerun_fws", "-i", str(failed)).wait(60) == 0
    assert started("worker", "rlaunch_run", "rapidfire").wait(60) == 0
    assert launchpad.get_wf_summary_dict(failed, mode="more")["state"] == "COMPLETED"
    assert len(launchpad.get_fw_ids(sort=[("created_on", -1)], limit=1)) == 1
    assert launchpad.get_fw_ids_in_wfs({"name": "flow"}, {"state": "COMPLETED"}, count_only=True) == 2


def test_fireworks_keeps_what_no_document_holds_in_gridfs(launchpad):
    fallback = launchpad.gridfs_fallback
    content = os.urandom(700_000)
    identifier = fallback.put(content, metadata={"launch_id": 99})
    assert fallback.get(identifier).read() == content
    assert [found._id for found in fallback.find({"metadata.launch_id": 99})] == [identifier]
    fallback.delete(identifier)
    assert not fallback.exists(identifier)


def test_a_maggma_store_updates_queries_groups_and_removes(uri, name):
    now = datetime(2026, 1, 1)
    with MongoURIStore(uri, "results", database=name, key="task_id") as store:
        store.ensure_index("task_id", unique=True)
        store.update(
            [
                {"task_id": number, "formula": f"Nb{number % 3}", "tc": number / 2, "last_updated": now}
                for number in range(30)
            ]
        )
        store.update([{"task_id": 3, "formula": "Nb3Sn", "tc": 9.3, "last_updated": now}])
        assert store.count() == 30
        assert store.count({"formula": "Nb0"}) == 9
        assert store.query_one({"task_id": 3})["tc"] == 9.3
        assert store.query_one({"task_id": 3}, properties=["tc"]).keys() == {"_id", "tc"}
        assert [found["task_id"] for found in store.query({}, sort={"tc": -1}, limit=2)] == [29, 28]
        assert sorted(store.distinct("formula")) == ["Nb0", "Nb1", "Nb2", "Nb3Sn"]
        groups = {key["formula"]: len(found) for key, found in store.groupby("formula")}
        assert groups == {"Nb0": 9, "Nb1": 10, "Nb2": 10, "Nb3Sn": 1}
        store.remove_docs({"formula": "Nb1"})
        assert store.count() == 20


def test_a_maggma_gridfs_store_keeps_large_results(uri, name):
    rows = [[float(number + row) for number in range(1000)] for row in range(300)]
    with GridFSURIStore(uri, "blobs", database=name, key="blob_uuid", compression=True) as store:
        store.update([{"blob_uuid": "one", "data": rows}, {"blob_uuid": "two", "data": [1]}])
        assert store.count() == 2
        assert store.query_one({"blob_uuid": "one"})["data"] == rows
        store.update([{"blob_uuid": "one", "data": [2]}])
        assert store.query_one({"blob_uuid": "one"})["data"] == [2]
        store.remove_docs({"blob_uuid": "two"})
        assert [found["blob_uuid"] for found in store.query()] == ["one"]
