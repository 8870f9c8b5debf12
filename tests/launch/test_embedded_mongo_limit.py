"""The server says how much it takes, warns before, and refuses inserts after."""

import pytest
from pymongo import MongoClient
from pymongo.errors import BulkWriteError, OperationFailure

from hightc.launch import embedded_mongo
from hightc.launch.embedded_mongo.engine import Engine, Limit
from hightc.launch.embedded_mongo.errors import CommandError


def test_past_the_limit_inserts_are_refused_and_work_can_finish(tmp_path):
    directory = tmp_path / "db"
    uri = embedded_mongo.start(directory, arguments=("--limit-documents", "10"))
    try:
        with MongoClient(uri) as client:
            c = client.hightc.c
            with pytest.raises(BulkWriteError, match="HIGHTC_MONGO_URI"):
                c.insert_many([{"_id": number} for number in range(11)])
            assert c.count_documents({}) == 10
            with pytest.raises(OperationFailure, match="10 documents of 10"):
                c.update_one({"_id": 99}, {"$set": {"a": 1}}, upsert=True)
            assert c.update_many({}, {"$set": {"state": "COMPLETED"}}).modified_count == 10
            c.delete_one({"_id": 0})
            c.insert_one({"_id": 99})
    finally:
        embedded_mongo.stop(directory)
    log = (directory / "server.log").read_text()
    assert "80 % full (8 documents" in log
    assert log.count("% full") == 1


def test_the_limit_counts_bytes_as_well(tmp_path, caplog):
    engine = Engine(tmp_path, Limit(documents=1000, data_bytes=10_000))
    engine.insert("d.c", {"_id": 1, "s": "x" * 7_900})
    assert not caplog.records
    engine.insert("d.c", {"_id": 2, "s": "x" * 1_000})
    assert "% full" in caplog.text
    with pytest.raises(CommandError, match="bytes of 10000"):
        engine.insert("d.c", {"_id": 3, "s": "x" * 2_000})
    engine.close()


def test_data_past_a_lowered_limit_are_still_served(tmp_path):
    engine = Engine(tmp_path)
    with engine.durable():
        for number in range(5):
            engine.insert("d.c", {"_id": number})
    engine.close()
    engine = Engine(tmp_path, Limit(documents=2))
    assert engine.n_documents == 5
    with pytest.raises(CommandError):
        engine.insert("d.c", {"_id": 9})
    engine.remove("d.c", 0)
    engine.close()
