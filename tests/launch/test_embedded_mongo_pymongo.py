"""What pymongo sees. All of it holds for a real MongoDB as well: give its URI in HIGHTC_TEST_MONGO_URI."""

import os
import uuid
from datetime import UTC, datetime

import pytest
from bson import DBRef, Decimal128, Int64, ObjectId, Regex, encode
from bson.binary import Binary
from pymongo import ASCENDING, DESCENDING, DeleteMany, InsertOne, MongoClient, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DocumentTooLarge, DuplicateKeyError, OperationFailure, WriteError

from hightc.launch import embedded_mongo

REAL = os.environ.get("HIGHTC_TEST_MONGO_URI")
embedded_only = pytest.mark.skipif(REAL is not None, reason="about the embedded server's own limits")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pymongo") / "db"
    with MongoClient(REAL or embedded_mongo.start(directory)) as connected:
        yield connected
    embedded_mongo.stop(directory)


@pytest.fixture
def database(client):
    name = f"hightc_test_{uuid.uuid4().hex[:10]}"
    yield client[name]
    client.drop_database(name)


@pytest.fixture
def c(database):
    return database.c


def ids(cursor):
    return [document["_id"] for document in cursor]


def test_every_bson_type_comes_back_as_it_was_sent(c):
    document = {
        "_id": ObjectId(),
        "int": 1,
        "long": Int64(2),
        "large": 2**40,
        "float": 0.1,
        "decimal": Decimal128("1.10"),
        "text": "Nb₃Sn λ",
        "none": None,
        "yes": True,
        "date": datetime(2026, 1, 2, 3, 4, 5, 678000),
        "bytes": b"\0\xff",
        "binary": Binary(b"x", 5),
        "pattern": Regex("a.b", "i"),
        "reference": DBRef("d", 1),
        "nested": {"z": 1, "a": [{}, [], [[None]]]},
    }
    c.insert_one(document)
    found = c.find_one({"_id": document["_id"]})
    assert encode(found) == encode(document)
    assert isinstance(found["long"], Int64)


def test_aware_dates_are_stored_as_utc_milliseconds(c):
    c.insert_one({"_id": 1, "t": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)})
    assert c.find_one({"t": {"$lte": datetime(2026, 1, 2, 3, 4, 5, 678000)}})["t"].microsecond == 678000


def test_a_duplicate_identifier_is_error_11000_and_changes_nothing(c):
    c.insert_one({"_id": 1, "a": 1})
    with pytest.raises(DuplicateKeyError) as raised:
        c.insert_one({"_id": 1.0, "a": 2})
    assert raised.value.code == 11000
    assert raised.value.details["keyPattern"] == {"_id": 1}
    assert list(c.find()) == [{"_id": 1, "a": 1}]


def test_a_unique_index_holds_for_inserts_updates_and_arrays(c):
    c.create_index("a", unique=True)
    c.insert_many([{"_id": 1, "a": 1}, {"_id": 2, "a": [2, 3]}, {"_id": 3}])
    for bad in ({"a": 1.0}, {"a": 3}, {"a": None}, {}):
        with pytest.raises(DuplicateKeyError):
            c.insert_one(bad)
    with pytest.raises(DuplicateKeyError):
        c.update_one({"_id": 1}, {"$set": {"a": 2}})
    c.insert_one({"_id": 4, "a": True})
    c.update_one({"_id": 1}, {"$set": {"a": 5, "b": 1}})
    c.insert_one({"_id": 5, "a": 1})
    assert c.count_documents({}) == 5


def test_sparse_partial_and_compound_uniqueness_exempt_what_mongodb_exempts(database):
    database.s.create_index("a", unique=True, sparse=True)
    database.s.insert_many([{}, {}, {"a": 1}])
    database.p.create_index("a", unique=True, partialFilterExpression={"live": True})
    database.p.insert_many([{"a": 1, "live": True}, {"a": 1, "live": False}, {"a": 1}])
    database.k.create_index([("a", 1), ("b", 1)], unique=True)
    database.k.insert_many([{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1}])
    for name, bad in (("s", {"a": 1}), ("p", {"a": 1, "live": True}), ("k", {"a": 1, "b": 2})):
        with pytest.raises(DuplicateKeyError):
            database[name].insert_one(bad)


def test_a_unique_index_over_duplicates_is_refused_and_not_declared(c):
    c.insert_many([{"a": 1}, {"a": 1}])
    with pytest.raises(DuplicateKeyError):
        c.create_index("a", unique=True)
    assert set(c.index_information()) == {"_id_"}


def test_index_information_is_what_was_declared(c):
    assert c.create_index([("a", ASCENDING), ("b.c", DESCENDING)], background=True) == "a_1_b.c_-1"
    c.create_index([("a", ASCENDING), ("b.c", DESCENDING)])
    c.create_index("u", unique=True, name="mine")
    information = c.index_information()
    assert information["a_1_b.c_-1"]["key"] == [("a", 1), ("b.c", -1)]
    assert information["mine"]["unique"] is True
    with pytest.raises(OperationFailure) as raised:
        c.create_index("other", name="mine")
    assert raised.value.code == 86
    c.drop_index("mine")
    with pytest.raises(OperationFailure) as raised:
        c.drop_index("mine")
    assert raised.value.code == 27


def test_ordered_bulk_writes_stop_at_the_first_error_and_unordered_go_on(c):
    requests = [InsertOne({"_id": 1}), InsertOne({"_id": 1}), InsertOne({"_id": 2})]
    with pytest.raises(BulkWriteError) as raised:
        c.bulk_write(requests)
    assert [error["index"] for error in raised.value.details["writeErrors"]] == [1]
    assert ids(c.find()) == [1]
    with pytest.raises(BulkWriteError):
        c.bulk_write(requests, ordered=False)
    assert ids(c.find()) == [1, 2]
    result = c.bulk_write(
        [
            UpdateOne({"_id": 9}, {"$set": {"a": 1}}, upsert=True),
            ReplaceOne({"_id": 1}, {"a": 2}),
            DeleteMany({"_id": 2}),
        ]
    )
    assert (result.upserted_ids, result.modified_count, result.deleted_count) == ({0: 9}, 1, 1)


def test_an_upsert_takes_the_equalities_of_its_filter(c):
    result = c.update_one(
        {"$and": [{"a.b": 1}, {"k": {"$eq": "x"}}], "n": {"$gt": 5}},
        {"$set": {"v": 1}, "$setOnInsert": {"w": 2}, "$inc": {"count": 3}},
        upsert=True,
    )
    found = c.find_one({"_id": result.upserted_id})
    assert found == {"_id": result.upserted_id, "a": {"b": 1}, "k": "x", "v": 1, "w": 2, "count": 3}
    result = c.update_one({"a.b": 1}, {"$setOnInsert": {"w": 9}, "$set": {"v": 2}}, upsert=True)
    assert (result.matched_count, result.modified_count, result.upserted_id) == (1, 1, None)
    assert c.find_one()["w"] == 2


def test_replacing_keeps_the_identifier_and_the_place(c):
    c.insert_many([{"_id": number} for number in range(3)])
    result = c.replace_one({"_id": 1}, {"a": 1})
    assert (result.matched_count, result.modified_count) == (1, 1)
    assert list(c.find()) == [{"_id": 0}, {"_id": 1, "a": 1}, {"_id": 2}]
    assert c.replace_one({"_id": 1}, {"a": 1}).modified_count == 0
    with pytest.raises(WriteError) as raised:
        c.replace_one({"_id": 1}, {"_id": 7})
    assert raised.value.code == 66


@pytest.mark.parametrize(
    ("before", "update", "after"),
    [
        ({"a": 1}, {"$set": {"b.c": 2}}, {"a": 1, "b": {"c": 2}}),
        ({"a": [1, 2]}, {"$set": {"a.1": 9}}, {"a": [1, 9]}),
        ({"a": {"1": 1}}, {"$set": {"a.2": 2}}, {"a": {"1": 1, "2": 2}}),
        ({"a": 1, "b": 2}, {"$unset": {"a": "", "x.y": ""}}, {"b": 2}),
        ({"a": {"1": 1, "2": 2}}, {"$unset": {"a.1": ""}}, {"a": {"2": 2}}),
        ({"a": 1}, {"$inc": {"a": 2, "b": -1}}, {"a": 3, "b": -1}),
        ({"a": [1]}, {"$push": {"a": 2, "b": 1}}, {"a": [1, 2], "b": [1]}),
        ({"a": [3]}, {"$push": {"a": {"$each": [1, 2], "$sort": 1, "$slice": -2}}}, {"a": [2, 3]}),
        ({"a": [1]}, {"$addToSet": {"a": {"$each": [1, 2]}}}, {"a": [1, 2]}),
        ({"a": [1, 2, 1]}, {"$pull": {"a": 1}}, {"a": [2]}),
        ({"a": [{"b": 1}, {"b": 2}]}, {"$pull": {"a": {"b": {"$gt": 1}}}}, {"a": [{"b": 1}]}),
        ({"a": [1, 2, 3]}, {"$pullAll": {"a": [1, 3]}}, {"a": [2]}),
        ({"a": [1, 2]}, {"$pop": {"a": 1}}, {"a": [1]}),
        ({"a": 5}, {"$min": {"a": 3}, "$max": {"b": 4}}, {"a": 3, "b": 4}),
        ({"a": None, "b": "x"}, {"$max": {"a": 3}, "$min": {"b": 3}}, {"a": 3, "b": 3}),
        ({"a": [1, True]}, {"$pull": {"a": True}}, {"a": [1]}),
        ({"a": [1, 2]}, {"$pull": {"a": {"$gte": 2}, "none": 1}}, {"a": [1]}),
        ({"a": [1]}, {"$addToSet": {"a": 1.0}}, {"a": [1]}),
        ({"a": [1]}, {"$addToSet": {"a": True, "b": {"x": 1}}}, {"a": [1, True], "b": [{"x": 1}]}),
        ({"a": [True, 1]}, {"$pullAll": {"a": [1]}}, {"a": [True]}),
        ({"a": [1]}, {"$pull": {"a": 7}}, {"a": [1]}),
        ({"a": 1}, {"$rename": {"a": "b"}}, {"b": 1}),
        ({"a": 1}, [{"$set": {"b": {"$add": ["$a", 1]}}}, {"$unset": "a"}], {"b": 2}),
    ],
)
def test_update_operators_make_what_mongodb_makes(c, before, update, after):
    c.insert_one({"_id": 1, **before})
    assert c.update_one({"_id": 1}, update).matched_count == 1
    found = c.find_one()
    assert encode(found) == encode({"_id": 1, **after})


def test_the_positional_operators_change_the_elements_that_match(c):
    c.insert_one({"_id": 1, "h": [{"s": "A", "n": 1}, {"s": "B", "n": 2}]})
    c.update_one({"_id": 1, "h": {"$elemMatch": {"s": "B"}}}, {"$set": {"h.$.n": 9}})
    c.update_one({"_id": 1}, {"$inc": {"h.$[x].n": 10}}, array_filters=[{"x.s": "A"}])
    c.update_one({"_id": 1}, {"$set": {"h.$[].m": 0}})
    assert c.find_one()["h"] == [{"s": "A", "n": 11, "m": 0}, {"s": "B", "n": 9, "m": 0}]


@pytest.mark.parametrize(
    ("update", "code"),
    [
        ({"$set": {"a.b": 1}}, 28),
        ({"$set": {"none.b": 1}}, 28),
        ({"$set": {"x": 1}, "$inc": {"x": 1}}, 40),
        ({"$set": {"x": 1, "x.y": 2}}, 40),
        ({"$push": {"a": 1}}, 2),
        ({"$pull": {"a": 1}}, 2),
        ({"$addToSet": {"s": 1}}, 2),
        ({"$inc": {"s": 1}}, 14),
        ({"$set": {"_id": 2}}, 66),
        ({"$bogus": {"a": 1}}, 9),
    ],
)
def test_an_update_that_does_not_fit_is_an_error_and_changes_nothing(c, update, code):
    before = {"_id": 1, "a": 1, "s": "text", "none": None}
    c.insert_one(before)
    with pytest.raises(WriteError) as raised:
        c.update_one({"_id": 1}, update)
    assert raised.value.code == code
    assert c.find_one() == before


def test_find_and_modify_returns_the_document_before_or_after(c):
    c.insert_many([{"_id": number, "p": number % 3, "s": "READY"} for number in range(6)])
    taken = c.find_one_and_update({"s": "READY"}, {"$set": {"s": "RUN"}}, sort=[("p", -1), ("_id", -1)])
    assert taken == {"_id": 5, "p": 2, "s": "READY"}
    after = c.find_one_and_update(
        {"_id": 0}, {"$inc": {"p": 1}}, return_document=ReturnDocument.AFTER, projection={"p": 1, "_id": 0}
    )
    assert after == {"p": 1}
    assert c.find_one_and_delete({"_id": 1})["_id"] == 1
    assert c.find_one_and_replace({"_id": 77}, {"x": 1}, upsert=True) is None
    assert c.find_one({"_id": 77}) == {"_id": 77, "x": 1}
    assert c.find_one_and_update({"_id": "none"}, {"$set": {"a": 1}}) is None
    assert c.find_one_and_delete({"_id": "none"}) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"a": None}, [3, 4]),
        ({"a": {"$exists": False}}, [4]),
        ({"a": {"$ne": 1}}, [2, 3, 4, 5]),
        ({"a": {"$gt": 1, "$lt": 3}}, [5]),
        ({"a": True}, [2]),
        ({"a": {"$in": [1, None]}}, [1, 3, 4]),
        ({"a": {"$not": {"$gte": 1}}}, [2, 3, 4]),
        ({"a": {"$size": 2}}, [5]),
        ({"a": {"$all": [2, 5]}}, [5]),
        ({"a": [2, 5]}, [5]),
        ({"d": {"x": 1, "y": 2}}, [1]),
        ({"d": {"y": 2, "x": 1}}, []),
        ({"d.x": 1}, [1]),
        ({"d.x": None}, [2, 3, 4, 5]),
        ({"t": {"$regex": "^n", "$options": "i"}}, [1]),
        ({"t": {"$type": "string"}}, [1]),
        ({"h": {"$elemMatch": {"s": "A", "n": {"$gt": 1}}}}, [2]),
        ({"h.s": "A"}, [2]),
        ({"$or": [{"a": 1}, {"t": "Nb"}, {"_id": 3}]}, [1, 3]),
        ({"$nor": [{"a": 1}, {"_id": {"$gt": 2}}]}, [2]),
        ({"$expr": {"$eq": ["$_id", "$a"]}}, [1]),
    ],
)
def test_filters_select_what_mongodb_selects(c, query, expected):
    c.insert_many(
        [
            {"_id": 1, "a": 1, "d": {"x": 1, "y": 2}, "t": "Nb"},
            {"_id": 2, "a": True, "h": [{"s": "A", "n": 2}, {"s": "B", "n": 1}]},
            {"_id": 3, "a": None, "d": 5},
            {"_id": 4},
            {"_id": 5, "a": [2, 5]},
        ]
    )
    assert ids(c.find(query)) == expected
    assert c.count_documents(query) == len(expected)


def test_values_of_different_types_sort_in_mongodbs_order(c):
    values = [None, -1, 0.5, Int64(2), "a", "b", {"x": 1}, b"x", ObjectId(), False, True, datetime(2026, 1, 1)]
    c.insert_many([{"_id": number, "v": value} for number, value in enumerate(values)])
    assert ids(c.find().sort("v", 1)) == list(range(len(values)))
    assert ids(c.find().sort("v", -1)) == list(reversed(range(len(values))))


def test_arrays_sort_by_their_smallest_or_largest_member(c):
    c.insert_many([{"_id": 1, "v": [1, 9]}, {"_id": 2, "v": [4, 5]}, {"_id": 3, "v": []}, {"_id": 4}])
    assert ids(c.find().sort("v", 1)) == [3, 4, 1, 2]
    assert ids(c.find().sort("v", -1)) == [1, 2, 4, 3]


def test_sort_skip_limit_and_projection_work_together(c):
    c.insert_many([{"_id": number, "a": {"b": -number, "c": 0}, "x": 1} for number in range(10)])
    cursor = c.find({"_id": {"$gte": 2}}, {"a.b": 1}).sort("a.b", 1).skip(1).limit(2)
    assert list(cursor) == [{"_id": 8, "a": {"b": -8}}, {"_id": 7, "a": {"b": -7}}]
    assert c.find_one({}, {"a": 0, "x": False}) == {"_id": 0}
    assert c.find_one({}, {"_id": 0, "x": 1}) == {"x": 1}
    assert c.find_one({}, ["x"]) == {"_id": 0, "x": 1}


def test_a_long_answer_comes_in_batches_and_a_closed_cursor_is_gone(c):
    c.insert_many([{"_id": number} for number in range(1000)])
    assert ids(c.find()) == list(range(1000))
    assert ids(c.find(batch_size=7)) == list(range(1000))
    cursor = c.find(batch_size=5)
    next(cursor)
    number, collection = cursor.cursor_id, c.name
    cursor.close()
    with pytest.raises(OperationFailure) as raised:
        c.database.command("getMore", Int64(number), collection=collection)
    assert raised.value.code == 43


def test_documents_up_to_the_limit_of_16_mib_go_in_and_out(c):
    large = "x" * (16 * 1024 * 1024 - 100)
    c.insert_many([{"_id": number, "s": large} for number in range(4)])
    assert [len(found["s"]) for found in c.find()] == [len(large)] * 4
    assert c.find_one_and_update({"_id": 1}, {"$set": {"n": 1}})["_id"] == 1
    with pytest.raises(DocumentTooLarge):
        c.insert_one({"s": "x" * (17 * 1024 * 1024)})
    with pytest.raises(WriteError):
        c.update_one({"_id": 0}, {"$set": {"t": "x" * 200}})
    assert "t" not in c.find_one({"_id": 0})


def test_aggregation_groups_sorts_unwinds_and_joins(database):
    database.a.insert_many([{"_id": number, "k": number % 2, "l": [number, -number]} for number in range(6)])
    database.b.insert_many([{"_id": number, "name": f"n{number}"} for number in range(6)])
    grouped = list(
        database.a.aggregate(
            [
                {"$match": {"_id": {"$gt": 0}}},
                {"$group": {"_id": "$k", "n": {"$sum": 1}, "m": {"$max": "$_id"}}},
                {"$sort": {"_id": 1}},
            ]
        )
    )
    assert grouped == [{"_id": 0, "n": 2, "m": 4}, {"_id": 1, "n": 3, "m": 5}]
    unwound = list(
        database.a.aggregate([{"$unwind": "$l"}, {"$sort": {"l": 1}}, {"$limit": 2}, {"$project": {"l": 1}}])
    )
    assert unwound == [{"_id": 5, "l": -5}, {"_id": 4, "l": -4}]
    joined = list(
        database.a.aggregate(
            [
                {"$match": {"_id": 3}},
                {"$lookup": {"from": "b", "localField": "l", "foreignField": "_id", "as": "found"}},
                {"$project": {"found.name": 1, "_id": 0}},
            ]
        )
    )
    assert joined == [{"found": [{"name": "n3"}]}]
    assert list(database.a.aggregate([{"$match": {"_id": 99}}, {"$group": {"_id": None, "n": {"$sum": 1}}}])) == []
    assert list(database.a.aggregate([{"$match": {"_id": 99}}, {"$count": "n"}])) == []
    facets = list(
        database.a.aggregate([{"$facet": {"n": [{"$count": "n"}], "top": [{"$sort": {"_id": -1}}, {"$limit": 1}]}}])
    )
    assert facets[0]["n"] == [{"n": 6}]
    assert ids(facets[0]["top"]) == [5]


def test_distinct_opens_arrays_and_tells_true_from_one(c):
    c.insert_many([{"a": 1}, {"a": [1.0, 2]}, {"a": True}, {"a": {"b": 1}}, {}])
    values = c.distinct("a")
    assert len(values) == 4
    assert any(value is True for value in values)


def test_collections_and_databases_are_listed_renamed_and_dropped(client, database):
    database.one.insert_one({})
    database.create_collection("two")
    assert sorted(database.list_collection_names()) == ["one", "two"]
    assert database.list_collection_names(filter={"name": "two"}) == ["two"]
    assert database.name in client.list_database_names()
    database.one.rename("three")
    assert database.three.count_documents({}) == 1
    with pytest.raises(OperationFailure) as raised:
        database.three.rename("two")
    assert raised.value.code == 48
    database.three.rename("two", dropTarget=True)
    assert database.two.estimated_document_count() == 1
    database.drop_collection("two")
    assert database.list_collection_names() == []


def test_a_malformed_filter_is_an_error_even_on_an_empty_collection(c):
    for bad in ({"$bogus": 1}, {"a": {"$bogus": 1}}, {"a": {"$in": 1}}, {"$or": []}):
        with pytest.raises(OperationFailure):
            c.find_one(bad)


@embedded_only
@pytest.mark.parametrize(
    "work",
    [
        lambda c: c.find_one({"$where": "this.a == 1"}),
        lambda c: c.find_one({"a": {"$mod": [2, 0]}}),
        lambda c: c.find_one({"$text": {"$search": "x"}}),
        lambda c: c.update_one({}, {"$mul": {"a": 2}}),
        lambda c: c.find_one({}, {"a": {"$add": ["$b", 1]}}),
        lambda c: c.find_one({}, collation={"locale": "en"}),
        lambda c: list(c.aggregate([{"$out": "other"}])),
        lambda c: c.create_index("t", expireAfterSeconds=10),
        lambda c: c.create_index([("t", "text")]),
        lambda c: c.database.create_collection("k", capped=True, size=1000),
    ],
)
def test_what_the_embedded_server_cannot_do_it_refuses_in_words(c, work):
    c.insert_one({"a": 1})
    with pytest.raises(OperationFailure) as raised:
        work(c)
    assert raised.value.code in {238, 40415}
    assert "unsupported" in str(raised.value) or "does not support" in str(raised.value)
