"""A database that is away for a while: nothing is lost, nothing is done twice, and it is said once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.fault_jobs import chain
from fakes.tiny_campaign import NAME, submit_jobs
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from hightc.launch import embedded_mongo
from hightc.launch.claims import Claims
from hightc.launch.crew import Crew
from hightc.launch.errors import DatabaseAwayError, DatabaseError
from hightc.launch.patience import CLAIMED_BY, Patience, PatientCollection, is_signed, sign_of
from hightc.launch.settings import Settings
from hightc.launch.store import OUTPUTS, Database, open_database

PATIENCE_SECONDS = 120.0


class Flaky:
    """A collection whose answers, or whose questions too, are lost as often as told."""

    def __init__(self, collection, losses: int, *, arrives: bool) -> None:
        self.collection, self.losses, self.arrives, self.asked = collection, losses, arrives, 0

    def __getattr__(self, name):
        method = getattr(self.collection, name)

        def ask(*arguments, **options):
            self.asked += 1
            if self.losses:
                self.losses -= 1
                if self.arrives:
                    method(*arguments, **options)
                raise AutoReconnect("connection closed")
            return method(*arguments, **options)

        return ask


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def patience(said) -> Patience:
    return Patience(PATIENCE_SECONDS, said.append)


def test_what_fails_for_a_lost_connection_is_done_again_and_said_once(patience, said):
    fails = iter([AutoReconnect("lost"), ServerSelectionTimeoutError("away"), DatabaseAwayError("still away")])

    def act() -> str:
        for error in fails:
            raise error
        return "done"

    assert patience(act) == "done"
    assert len(said) == 2
    assert said[0].startswith("database is away since ")
    assert said[0].endswith(" UTC, waiting up to 120 s")
    assert said[1].startswith("database is back after ")


def test_other_errors_are_raised_at_once(patience, said):
    def act() -> None:
        raise KeyError("fault")

    with pytest.raises(KeyError):
        patience(act)
    assert said == []


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_patience_ends(seconds, said):
    calls = []

    def act() -> None:
        calls.append(1)
        raise AutoReconnect("lost")

    with pytest.raises(AutoReconnect):
        Patience(seconds, said.append)(act)
    assert (len(calls), len(said)) == ((1, 0) if seconds == 0 else (len(calls), 1))
    assert len(calls) > bool(seconds)


def test_server_is_started_again_by_whoever_may(said):
    alive = []

    def act() -> bool:
        if not alive:
            raise AutoReconnect("lost")
        return alive[0]

    assert Patience(PATIENCE_SECONDS, said.append, lambda: alive.append(True))(act)


@pytest.mark.parametrize("arrives", [False, True])
def test_lock_whose_answer_was_lost_is_taken_once(database, patience, arrives):
    collection = database.collections["locks"]
    collection.insert_one({"nodes": [1]})
    free, lock = {"nodes": 1, "locked": {"$exists": False}}, {"$set": {"locked": True}}
    patient = PatientCollection(Flaky(collection, 1, arrives=arrives), patience)
    assert patient.find_one_and_update(free, lock) is not None
    assert PatientCollection(collection, patience).find_one_and_update(free, lock) is None
    collection.update_one({"nodes": 1}, {"$unset": {"locked": True}})
    assert PatientCollection(collection, patience).find_one_and_update(free, lock) is not None


@pytest.mark.parametrize("arrives", [False, True])
def test_documents_whose_insertion_was_not_answered_are_there_once(database, patience, arrives):
    collection = database.collections["inserted"]
    PatientCollection(Flaky(collection, 1, arrives=arrives), patience).insert_one({"a": 1})
    PatientCollection(Flaky(collection, 1, arrives=arrives), patience).insert_many({"a": a} for a in (2, 3))
    assert sorted(entry["a"] for entry in collection.find({})) == [1, 2, 3]


def test_cursor_reads_again_from_the_first_document(database, patience):
    collection = database.collections["read"]
    collection.insert_many([{"a": a} for a in (3, 1, 2)])
    patient = PatientCollection(collection, patience)
    cursor = patient.find({}).sort("a", -1).limit(2)
    assert [entry["a"] for entry in cursor] == [entry["a"] for entry in cursor] == [3, 2]


@pytest.mark.parametrize("arrives", [False, True])
def test_step_whose_claim_was_not_answered_is_taken_once_and_no_other_with_it(database, patience, arrives):
    collection = database.collections["claimed"]
    collection.insert_many([{"n": n, "state": "READY"} for n in (1, 2)])
    ready, take = {"state": "READY"}, {"$set": {"state": "RESERVED"}}
    patient = PatientCollection(Flaky(collection, 1, arrives=arrives), patience)
    assert patient.find_one_and_update(ready, take, sort=[("n", -1)])["n"] == 2
    (taken,) = collection.find({"state": "RESERVED"})
    assert taken["n"] == 2
    assert is_signed(taken[CLAIMED_BY], sign_of(os.getpid()))


def test_lock_tells_who_holds_it(database, patience):
    collection = database.collections["signed"]
    collection.insert_one({"nodes": [1]})
    free, lock = {"nodes": 1, "locked": {"$exists": False}}, {"$set": {"locked": True}}
    PatientCollection(collection, patience).find_one_and_update(free, lock)
    mark = collection.find_one({})["locked"]
    assert is_signed(mark, sign_of(os.getpid()))
    assert not is_signed(mark, sign_of(os.getpid())[:-1])
    assert not is_signed(True, sign_of(os.getpid()))


def test_claim_that_was_never_begun_is_undone_after_a_while(run_worker, database):
    submission = run_worker.submit("A", chain("A", 1))
    fireworks = database.launchpad.fireworks
    # what a worker sends first when it takes a step; its answer was lost
    fireworks.update_one({"fw_id": submission.fw_ids[0]}, {"$set": {"state": "RESERVED"}})
    claims = Claims(patience_seconds=0.2)
    assert claims.release(NAME, database) == []
    time.sleep(0.1)
    assert claims.release(NAME, database) == []
    time.sleep(0.3)
    assert claims.release(NAME, database) == list(submission.fw_ids)
    assert run_worker() == 1


def test_step_that_was_begun_is_no_open_claim(run_worker, database, tmp_path):
    run_worker.submit("A", chain("A", 1))
    database.launchpad.checkout_fw(run_worker.fworker, str(tmp_path))
    claims = Claims(patience_seconds=0.0)
    assert claims.release(NAME, database) == claims.release(NAME, database) == []


@pytest.fixture
def own_server(settings, tmp_path, monkeypatch) -> Iterator[Path]:
    """A server that a test may kill, and workers that can import the jobs."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    data = tmp_path / "mongo"
    embedded_mongo.start(data)
    yield data
    embedded_mongo.stop(data)


@pytest.mark.parametrize(
    ("how", "away_seconds"),
    [
        ("kill", 9.0),  # longer than an operation looks for a server
        ("stop", 4.0),
        pytest.param("kill", 60.0, marks=pytest.mark.slow),
        pytest.param("stop", 60.0, marks=pytest.mark.slow),
    ],
)
def test_campaign_goes_on_when_its_database_is_back(how, away_seconds, own_server, settings, said, tmp_path):
    """Programs run on meanwhile; each step runs once, and its result is stored when the server is back."""
    database = Database(
        embedded_mongo.uri(own_server), "hightc", embedded=True, patience=Patience(PATIENCE_SECONDS, said.append)
    )
    database.prepare()
    chosen = settings.model_copy(update={"workers": 2})
    (tmp_path / "workers").mkdir()
    # the programs of the first links end while the server is away
    submissions = [submit_jobs(label, chain(label, 2, 2.0), database, tmp_path, chosen) for label in ("A", "B")]
    crew = Crew(NAME, submissions, database, tmp_path, chosen, settle_seconds=0.1)
    back = threading.Timer(away_seconds, embedded_mongo.start, [own_server])
    pid = embedded_mongo.status(own_server).pid
    if how == "stop":
        back = threading.Timer(away_seconds, os.kill, [pid, signal.SIGCONT])
    try:
        crew.start()
        end = time.monotonic() + PATIENCE_SECONDS
        while len(list(tmp_path.glob("*/01-link/ran"))) < 2:
            assert crew.tend()
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        back.start()
        while crew.tend():
            # hightc run reads how far its materials are
            assert database.launchpad.fireworks.count_documents({}) == 4
            assert time.monotonic() < end
            time.sleep(0.05)
        assert crew.fault is None
        chains = [entry["output"]["chain"] for entry in database.collections[OUTPUTS].find({})]
        assert sorted(chains) == [[0], [0], [0, 1], [0, 1]]
        assert all(path.read_text() == "once\n" for path in tmp_path.glob("*/*/ran"))
        assert len(list(tmp_path.glob("*/*/ran"))) == 4
        logs = "".join(path.read_text() for path in (tmp_path / "workers").glob("*.log"))
        if how == "kill":
            assert sum("away" in line for line in said) == 1
            assert logs.count("hightc worker: database is away since ") == 2
            assert logs.count("hightc worker: database is back after ") == 2
        assert "Traceback" not in logs
    finally:
        crew.dismiss()
        back.join()
        database.close()


def test_server_that_does_not_answer_is_away_and_a_wrong_uri_is_not(settings):
    with pytest.raises(DatabaseAwayError, match="does not answer within 5 s"):
        open_database(Settings(mongo_uri="mongodb://127.0.0.1:1/x"))
    with pytest.raises(DatabaseError, match="is not a MongoDB URI") as wrong:
        open_database(Settings(mongo_uri="127.0.0.1"))
    assert not isinstance(wrong.value, DatabaseAwayError)


def test_patience_is_ten_minutes_unless_told(settings, monkeypatch):
    assert settings.database_patience_seconds == 600
    monkeypatch.setenv("HIGHTC_DATABASE_PATIENCE_SECONDS", "5")
    assert Settings().database_patience_seconds == 5
