from __future__ import annotations

import threading
import time

import pytest
from fakes.tiny_campaign import submit_jobs
from fakes.tiny_jobs import answer
from pydantic import SecretStr
from pymongo.errors import OperationFailure

from hightc.launch import embedded_mongo
from hightc.launch.errors import DatabaseError
from hightc.launch.store import OUTPUTS, Database, open_database


def with_uri(settings, uri: str):
    return settings.model_copy(update={"mongo_uri": SecretStr(uri)})


def test_embedded_server_is_started_where_no_uri_is_named(settings, tmp_path):
    try:
        database = open_database(settings)
        database.client.close()
        assert database.embedded
        assert database.address == "embedded server on this machine"
        assert embedded_mongo.status(tmp_path / "data" / "mongo").running
    finally:
        embedded_mongo.stop(tmp_path / "data" / "mongo")


def test_database_of_the_uri_is_used(settings, database):
    opened = open_database(with_uri(settings, database.uri))
    with opened.client:
        assert (opened.name, opened.uri, opened.embedded) == (database.name, database.uri, True)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("mongodb://me:hunter2@db.example.org/screening", "db.example.org:27017/screening"),
        ("mongodb://me:hunter2@one:1,two:2/x?replicaSet=r", "one:1,two:2/x"),
    ],
)
def test_address_names_hosts_and_database_but_no_secret(uri, address):
    database = Database(uri=uri, name=uri.rpartition("/")[2].partition("?")[0], embedded=False)
    assert database.address == address
    assert "hunter2" not in repr(database)


@pytest.mark.parametrize("database_name", ["hightc", "other"])
def test_login_that_is_refused_says_so_without_the_password(database_name, settings, server):
    # the embedded server knows no users, and refuses the command that would log one in
    uri = server.replace("mongodb://", "mongodb://me:hunter2@").replace("/hightc", f"/{database_name}")
    with pytest.raises(DatabaseError, match="refused the login") as refused:
        open_database(with_uri(settings, uri))
    assert "hunter2" not in str(refused.value)
    assert "check HIGHTC_MONGO_URI" in str(refused.value)


def test_preparing_twice_keeps_the_counters(database):
    first = database.launchpad.get_new_fw_id()
    database.prepare()
    assert database.launchpad.get_new_fw_id() == first + 1


def test_queries_have_their_indexes(database):
    fields = {key for index in database.collections[OUTPUTS].list_indexes() for key in index["key"]}
    assert {"uuid", "output.kind", "output.elements", "output.lambda_"} <= fields


def test_document_of_a_job_cannot_be_stored_twice(database):
    outputs = database.collections[OUTPUTS]
    outputs.insert_one({"uuid": "a", "index": 1})
    outputs.insert_one({"uuid": "a", "index": 2})
    with pytest.raises(OperationFailure, match="duplicate key"):
        outputs.insert_one({"uuid": "a", "index": 1})


def test_database_that_refuses_its_indexes_is_named_with_what_it_needs(server):
    database = Database(uri=f"{server.rpartition('/')[0]}/taken", name="taken", embedded=False)
    # documents of some other program, two of them with what must be unique here
    database.collections[OUTPUTS].insert_many([{"uuid": "a", "index": 1}, {"uuid": "a", "index": 1}])
    with database.client, pytest.raises(DatabaseError, match=r"refused .* \(11000\): .* readWrite on database taken"):
        database.prepare()
    database.launchpad.connection.close()


@pytest.fixture
def locked(database, tmp_path, settings):
    submission = submit_jobs("Al", [answer(1)], database, tmp_path, settings)
    database.launchpad.workflows.update_many({}, {"$set": {"locked": True}})
    return submission.fw_ids[0]


def test_lock_that_a_dead_worker_left_is_broken(database, locked):
    database.launchpad.stale_lock_seconds = 0.3
    start = time.monotonic()
    database.launchpad._refresh_wf(locked)
    assert 0.3 < time.monotonic() - start < 5
    assert database.launchpad.workflows.count_documents({"locked": {"$exists": True}}) == 0


def test_lock_of_a_living_worker_is_waited_for(database, locked):
    unlock = threading.Timer(0.3, database.launchpad.workflows.update_many, [{}, {"$unset": {"locked": True}}])
    unlock.start()
    start = time.monotonic()
    database.launchpad._refresh_wf(locked)
    unlock.join()
    assert 0.3 < time.monotonic() - start < database.launchpad.stale_lock_seconds / 2


def test_firework_without_a_workflow_is_missed_at_once(database, locked):
    database.launchpad.workflows.delete_many({})
    for touch in (database.launchpad._refresh_wf, database.launchpad.rerun_fw):
        with pytest.raises(DatabaseError, match=f"firework {locked}: expected a workflow that has it, found none"):
            touch(locked)


def test_password_with_a_slash_does_not_make_a_server_embedded(settings):
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:1/x") as raised:
        open_database(with_uri(settings, "mongodb://user:a%2Fb@127.0.0.1:1/x"))
    assert "a%2Fb" not in str(raised.value)
