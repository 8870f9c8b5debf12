"""The command bulkWrite, as MongoDB 8.0 answers it."""

from __future__ import annotations

import pytest
from bson import decode
from fakes.memory_database import MemoryDatabase


@pytest.fixture
def database():
    database = MemoryDatabase()
    database(insert="c", documents=[{"_id": 1, "n": 1}, {"_id": 2, "n": 2}])
    return database


def bulk(database, ops, **options):
    reply = database(bulkWrite=1, ops=ops, nsInfo=[{"ns": "d.c"}, {"ns": "d.other"}], **options)
    if not reply["ok"]:
        return reply, []
    return reply, [decode(one.raw) for one in reply["cursor"]["firstBatch"]]


def test_writes_to_two_collections_are_done_in_their_order(database):
    reply, results = bulk(
        database,
        [
            {"update": 0, "filter": {"_id": 1}, "updateMods": {"n": 10}},
            {"update": 1, "filter": {"_id": 1}, "updateMods": {"$set": {"n": 5}}, "upsert": True},
            {"update": 0, "filter": {"n": {"$gte": 2}}, "updateMods": {"$inc": {"n": 1}}, "multi": True},
            {"update": 0, "filter": {"_id": 9}, "updateMods": {"$set": {"n": 1}}},
            {"insert": 1, "document": {"_id": 2}},
            {"delete": 0, "filter": {"_id": 2}},
        ],
        ordered=True,
    )
    assert database.find({}) == [{"_id": 1, "n": 11}]
    assert [result["n"] for result in results] == [1, 1, 2, 0, 1, 1]
    assert results[1]["upserted"] == {"_id": 1}
    names = ("nErrors", "nInserted", "nUpserted", "nMatched", "nModified", "nDeleted")
    assert [reply[name] for name in names] == [0, 1, 1, 3, 3, 1]


@pytest.mark.parametrize(("ordered", "n_results", "left"), [(True, 1, [1, 2]), (False, 2, [1])])
def test_an_error_ends_ordered_writes_and_no_others(database, ordered, n_results, left):
    ops = [{"insert": 0, "document": {"_id": 1}}, {"delete": 0, "filter": {"_id": 2}}]
    reply, results = bulk(database, ops, ordered=ordered)
    assert (reply["nErrors"], len(results)) == (1, n_results)
    assert (results[0]["ok"], results[0]["code"]) == (0.0, 11000)
    assert [one["_id"] for one in database.find({})] == left
    assert len(bulk(database, ops[:1], errorsOnly=True)[1]) == 1
    assert bulk(database, [{"delete": 0, "filter": {}}], errorsOnly=True)[1] == []


@pytest.mark.parametrize(
    "op",
    [
        {"update": 7, "filter": {}, "updateMods": {"$set": {"n": 1}}},
        {"drop": 0},
        {"update": 0, "filter": {}, "updateMods": {}, "let": {}},
    ],
)
def test_what_is_not_understood_is_refused(database, op):
    reply, _ = bulk(database, [op])
    assert reply["ok"] == 0.0
    assert database.find({}) == [{"_id": 1, "n": 1}, {"_id": 2, "n": 2}]
