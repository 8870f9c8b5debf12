"""Indexes change how many documents are looked at, and nothing else."""

from datetime import datetime

import mongomock_ng
import pytest
from bson import Decimal128, Int64, ObjectId, Regex, decode
from hypothesis import given, settings
from hypothesis import strategies as st
from mongomock_ng import DuplicateKeyError

from hightc.launch.embedded_mongo import commands_admin, commands_explain, commands_query, commands_write
from hightc.launch.embedded_mongo.commands import run
from hightc.launch.embedded_mongo.cursors import Cursors
from hightc.launch.embedded_mongo.engine import Engine
from hightc.launch.embedded_mongo.ordering import key_of
from hightc.launch.embedded_mongo.wire import Request

COMMANDS = (commands_admin, commands_explain, commands_query, commands_write)
FIREWORKS_INDEXES = ("fw_id", "state", "spec._category", "created_on", "updated_on", "name", "launches")


class MemoryJournal:
    """A journal that keeps nothing: these tests are about answers."""

    bytes = 0
    last_ticket = 0

    def open(self):
        return iter(())

    def append(self, _record):
        return 0

    def wait(self, _ticket):
        pass


class Database:
    """The command table without sockets."""

    def __init__(self):
        self.engine = Engine(None, journal=MemoryJournal())
        self.cursors = Cursors()

    def __call__(self, **command):
        with self.engine.durable():
            return run(self.engine, self.cursors, Request(1, {**command, "$db": "d"}))

    def find(self, query, **options):
        reply = self(find="c", filter=query, batchSize=10**6, **options)
        assert reply["ok"] == 1.0, reply
        return [decode(raw.raw) for raw in reply["cursor"]["firstBatch"]]

    def index(self, path, **options):
        reply = self(createIndexes="c", indexes=[{"key": {path: 1}, "name": path, **options}])
        assert reply["ok"] == 1.0, reply

    def examined(self, work):
        collection = self.engine.collection("d.c")
        before = collection.examined
        work()
        return collection.examined - before


@pytest.fixture(scope="module")
def many():
    """20,000 fireworks, 20 of them ready."""
    database = Database()
    for path in FIREWORKS_INDEXES:
        database.index(path, **({"unique": True} if path == "fw_id" else {}))
    documents = [
        {
            "_id": ObjectId(),
            "fw_id": number,
            "state": "READY" if number % 1000 == 7 else "COMPLETED",
            "spec": {"_priority": number % 13, "_category": f"c{number % 3}"},
            "launches": [number, number + 100_000],
            "name": f"n{number}",
        }
        for number in range(20_000)
    ]
    assert database(insert="c", documents=documents)["n"] == 20_000
    return database


def test_inserting_looks_at_no_other_document(many):
    assert many.examined(lambda: many(insert="c", documents=[{"_id": "new", "fw_id": -1}])) == 0
    many(delete="c", deletes=[{"q": {"_id": "new"}, "limit": 1}])


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ({"fw_id": 12_345}, 1),
        ({"fw_id": 12_345.0}, 1),
        ({"fw_id": {"$in": [1, 2, 3, 99_999]}}, 3),
        ({"fw_id": {"$eq": 5}, "state": "COMPLETED"}, 1),
        ({"state": "READY"}, 20),
        ({"state": "READY", "fw_id": {"$in": list(range(2000))}}, 2),
        ({"$and": [{"state": "READY"}, {"name": "n7"}]}, 1),
        ({"launches": 112_000}, 1),
        ({"$or": [{"fw_id": 1}, {"launches": 3}]}, 2),
        ({"spec._category": "c1", "name": "n4"}, 1),
        ({"fw_id": "no such"}, 0),
    ],
)
def test_an_equality_on_an_index_looks_at_the_candidates_only(many, query, most):
    assert many.examined(lambda: many.find(query)) <= most


@pytest.mark.parametrize(
    "command",
    [
        {"update": "c", "updates": [{"q": {"fw_id": 500}, "u": {"$set": {"x": 1}}}]},
        {"update": "c", "updates": [{"q": {"fw_id": 500}, "u": {"fw_id": 500, "state": "COMPLETED"}}]},
        {"findAndModify": "c", "query": {"fw_id": 501}, "update": {"$set": {"x": 1}}},
        {"delete": "c", "deletes": [{"q": {"fw_id": 502}, "limit": 1}]},
        {"aggregate": "c", "pipeline": [{"$match": {"fw_id": 503}}, {"$project": {"state": 1}}], "cursor": {}},
    ],
)
def test_writing_by_an_index_looks_at_one_document(many, command):
    assert many.examined(lambda: many(**command)) == 1


def test_a_checkout_looks_at_the_ready_ones_and_takes_the_most_urgent(many):
    ready = sorted(many.find({"state": "READY"}), key=lambda found: -found["spec"]["_priority"])
    taken = []

    def check_out():
        reply = many(
            findAndModify="c",
            query={"state": "READY", "fw_id": {"$in": list(range(20_000))}},
            update={"$set": {"state": "RESERVED"}},
            sort={"spec._priority": -1},
        )
        taken.append(reply["value"])

    assert many.examined(check_out) == len(ready)
    assert taken[0] == ready[0]
    assert many.examined(check_out) == len(ready) - 1


def test_a_lookup_across_collections_uses_the_index(many):
    many(insert="w", documents=[{"_id": 1, "nodes": [10, 20, 30]}])
    stages = [{"$lookup": {"from": "c", "localField": "nodes", "foreignField": "fw_id", "as": "fws"}}]
    found = []
    assert many.examined(lambda: found.append(many(aggregate="w", pipeline=stages, cursor={}))) == 3
    (document,) = (decode(raw.raw) for raw in found[0]["cursor"]["firstBatch"])
    assert [fw["fw_id"] for fw in document["fws"]] == [10, 20, 30]


def test_what_the_index_decides_is_not_compared_with_each_value_again(many):
    # compared one by one, 15,000 documents with 15,000 values would take a minute
    found = many.find({"fw_id": {"$in": list(range(0, 30_000, 2))}})
    assert len(found) == len({document["fw_id"] for document in found}) > 5000
    assert all(document["fw_id"] % 2 == 0 for document in found)


def test_without_an_index_everything_is_looked_at(many):
    everything = len(many.engine.collection("d.c"))
    assert many.examined(lambda: many.find({"spec._priority": 3})) == everything
    assert many(explain={"find": "c", "filter": {"fw_id": 3}})["queryPlanner"]["winningPlan"]["stage"] == "IXSCAN"
    assert many(explain={"find": "c", "filter": {"x": 3}})["queryPlanner"]["winningPlan"]["stage"] == "COLLSCAN"


# Values on which mongomock-ng and MongoDB agree: no booleans beside numbers, no documents of several fields.
# Few of them, so that queries hit.
plain_scalars = st.sampled_from([0, 1, 2, 1.0, -0.0, 0.5, Int64(2), "x", "", ObjectId("0" * 24), datetime(2026, 1, 1)])
nullable = st.one_of(plain_scalars, st.none())
arrays = st.lists(nullable, max_size=3)
nested = st.one_of(
    plain_scalars.map(lambda value: {"d": value}),
    st.lists(plain_scalars.map(lambda value: {"d": value}), max_size=2),
)
bodies = st.fixed_dictionaries(
    {"n": st.integers(0, 3), "l": arrays},
    optional={"a": st.one_of(nullable, arrays), "b": nullable, "c": nested, "u": st.integers(0, 12)},
)
leaf_queries = st.one_of(
    st.builds(lambda path, value: {path: value}, st.sampled_from(["a", "b", "l"]), nullable),
    st.builds(lambda value: {"c.d": value}, plain_scalars),
    st.builds(lambda value: {"_id": value}, st.integers(0, 12)),
    st.builds(lambda value: {"u": value}, st.integers(0, 12)),
    st.builds(lambda path, values: {path: {"$in": values}}, st.sampled_from(["a", "b", "_id"]), st.lists(nullable)),
    st.builds(lambda values: {"c.d": {"$in": values}}, st.lists(plain_scalars)),
    st.builds(lambda path, value: {path: {"$ne": value}}, st.sampled_from(["a", "b"]), plain_scalars),
    st.builds(lambda value: {"b": {"$nin": value}}, st.lists(plain_scalars)),
    st.builds(lambda op, value: {"n": {op: value}}, st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.integers(0, 3)),
    st.builds(lambda path, there: {path: {"$exists": there}}, st.sampled_from(["a", "b", "c", "c.d"]), st.booleans()),
    st.builds(lambda value: {"b": value, "n": {"$gte": 1}}, nullable),
    st.just({"b": Regex("^x")}),
    st.just({}),
)
queries = st.recursive(
    leaf_queries,
    lambda inner: st.builds(
        lambda operator, branches: {operator: branches},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)
changes = st.one_of(
    st.builds(lambda value: {"$set": {"a": value}}, st.one_of(nullable, arrays)),
    st.builds(lambda value: {"$set": {"b": value, "e.f": value}}, nullable),
    st.just({"$unset": {"a": ""}}),
    st.just({"$inc": {"n": 1}}),
    st.builds(lambda value: {"$push": {"l": value}}, nullable),
    st.builds(lambda value: {"$set": {"c": value}}, nested),
)
orders = st.one_of(
    st.none(),
    st.builds(lambda path, way: {path: way}, st.sampled_from(["b", "n", "_id"]), st.sampled_from([1, -1])),
    st.just({"n": -1, "_id": 1}),
)
operations = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 12), bodies),
    st.tuples(st.just("update_one"), queries, changes),
    st.tuples(st.just("update_many"), queries, changes),
    st.tuples(st.just("replace"), st.integers(0, 12), bodies),
    st.tuples(st.just("delete_one"), queries, st.none()),
    st.tuples(st.just("delete_many"), queries, st.none()),
    st.tuples(st.just("modify"), queries, st.tuples(changes, orders)),
)
PATHS = ("a", "b", "l", "c.d")


def apply_to_mongomock(collection, operation):
    kind, first, second = operation
    try:
        match kind:
            case "insert":
                collection.insert_one({"_id": first, **second})
            case "update_one":
                collection.update_one(first, second)
            case "update_many":
                collection.update_many(first, second)
            case "replace":
                collection.replace_one({"_id": first}, second, upsert=True)
            case "delete_one":
                collection.delete_one(first)
            case "delete_many":
                collection.delete_many(first)
            case "modify":
                change, order = second
                sort = list(order.items()) if order else None
                return collection.find_one_and_update(first, change, sort=sort)
    except DuplicateKeyError:
        return 11000
    return None


def apply_to_ours(database, operation):
    kind, first, second = operation
    match kind:
        case "insert":
            reply = database(insert="c", documents=[{"_id": first, **second}])
        case "update_one" | "update_many":
            many = kind == "update_many"
            reply = database(update="c", updates=[{"q": first, "u": second, "multi": many}])
        case "replace":
            reply = database(update="c", updates=[{"q": {"_id": first}, "u": second, "upsert": True}])
        case "delete_one" | "delete_many":
            reply = database(delete="c", deletes=[{"q": first, "limit": int(kind == "delete_one")}])
        case "modify":
            change, order = second
            reply = database(findAndModify="c", query=first, update=change, **({"sort": order} if order else {}))
            return reply["value"]
    assert reply["ok"] == 1.0, reply
    return reply["writeErrors"][0]["code"] if "writeErrors" in reply else None


@settings(max_examples=250, deadline=None)
@given(
    st.sets(st.sampled_from(PATHS)),
    st.lists(bodies, min_size=2, max_size=8),
    st.lists(operations, max_size=8),
    st.lists(st.tuples(queries, orders), min_size=2, max_size=6),
)
def test_the_answers_are_those_of_a_full_scan_by_mongomock(indexed, first, sequence, asked):
    theirs = mongomock_ng.MongoClient()["d"]["c"]
    ours = Database()
    theirs.create_index("u", unique=True, sparse=True)
    ours.index("u", unique=True, sparse=True)
    for path in indexed:
        ours.index(path)
    for operation in [("insert", number, body) for number, body in enumerate(first)] + sequence:
        assert apply_to_ours(ours, operation) == apply_to_mongomock(theirs, operation), operation
    for query, order in [*asked, ({}, None)]:
        expected = theirs.find(query)
        if order:
            expected = expected.sort(list(order.items()))
        assert ours.find(query, **({"sort": order} if order else {})) == list(expected), (query, order)
        assert ours(count="c", query=query)["n"] == theirs.count_documents(query)


# Values on which they do not agree, or that an index must leave to the scan.
awkward = st.recursive(
    st.sampled_from(
        [None, True, False, 0, 1, 1.0, Int64(1), Decimal128("1"), Decimal128("1.0"), float("nan"), "1", b"1", [], {}]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["d", "e"]), inner, max_size=2)
    ),
    max_leaves=4,
)
awkward_queries = st.one_of(
    st.builds(lambda path, value: {path: value}, st.sampled_from(["a", "a.d", "a.0"]), awkward),
    st.builds(
        lambda path, values: {path: {"$in": values}}, st.sampled_from(["a", "a.d"]), st.lists(awkward, max_size=3)
    ),
    st.builds(lambda path, value: {path: {"$ne": value}}, st.sampled_from(["a", "a.d"]), awkward),
    st.builds(lambda value: {"a": {"$all": [value]}}, awkward),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(awkward, max_size=8), awkward_queries)
def test_an_index_finds_what_the_scan_finds_for_awkward_values_too(values, query):
    plain, indexed = Database(), Database()
    for path in ("a", "a.d", "a.0"):
        indexed.index(path)
    for database in (plain, indexed):
        for number, value in enumerate(values):
            database(insert="c", documents=[{"_id": number, **({} if value == "1" else {"a": value})}])
    assert [found["_id"] for found in plain.find(query)] == [found["_id"] for found in indexed.find(query)]


@settings(max_examples=200, deadline=None)
@given(awkward, awkward, awkward)
def test_the_order_of_values_is_total_and_transitive(one, two, three):
    first, second, third = sorted(map(key_of, (one, two, three)))
    assert first <= second <= third
    assert first <= third
    assert (key_of(one) == key_of(two)) == (not key_of(one) < key_of(two) and not key_of(two) < key_of(one))


def test_the_number_one_is_found_as_a_float_and_not_as_true():
    database = Database()
    database.index("a")
    database(insert="c", documents=[{"_id": 1, "a": 1}, {"_id": 2, "a": True}, {"_id": 3, "a": [1.0]}])
    assert [found["_id"] for found in database.find({"a": 1.0})] == [1, 3]
    assert [found["_id"] for found in database.find({"a": True})] == [2]


def test_a_dropped_index_leaves_the_answer_and_the_uniqueness_goes():
    database = Database()
    database.index("a", unique=True)
    database(insert="c", documents=[{"_id": 1, "a": 1}])
    assert database(insert="c", documents=[{"_id": 2, "a": 1}])["writeErrors"][0]["code"] == 11000
    assert database(dropIndexes="c", index="a")["ok"] == 1.0
    assert database(insert="c", documents=[{"_id": 2, "a": 1}])["n"] == 1
    assert len(database.find({"a": 1})) == 2


def test_cursors_expire_when_nobody_asks_for_long():
    now = [0.0]
    database = Database()
    database.cursors = Cursors(clock=lambda: now[0])
    database(insert="c", documents=[{"_id": number} for number in range(10)])
    kept = database(find="c", batchSize=2, noCursorTimeout=True)["cursor"]["id"]
    lost = database(find="c", batchSize=2)["cursor"]["id"]
    now[0] = 599.0
    assert len(database(getMore=lost, collection="c", batchSize=2)["cursor"]["nextBatch"]) == 2
    now[0] = 1300.0
    assert database(getMore=lost, collection="c")["code"] == 43
    assert len(database(getMore=kept, collection="c")["cursor"]["nextBatch"]) == 8
    assert len(database.cursors) == 0


def count_documents(database, query):
    """As pymongo counts."""
    pipeline = [{"$match": query}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]
    reply = database(aggregate="c", pipeline=pipeline, cursor={})
    assert reply["ok"] == 1.0, reply
    return sum(decode(raw.raw)["n"] if hasattr(raw, "raw") else raw["n"] for raw in reply["cursor"]["firstBatch"])


STATES = ("READY", "RUNNING", ["READY", "RUNNING"], None, 3, {"state": "READY"})


def test_counts_that_indexes_decide_read_no_document():
    database = Database()
    states, names = ("state", ("a", "b"))
    documents = [{"_id": n, states: STATES[n % 6], "name": names[n % 2]} for n in range(60)] + [
        {"_id": 60, "name": "a"}
    ]
    database(insert="c", documents=documents)
    queries = [
        {"state": "READY"},
        {"state": "READY", "name": "a"},
        {"state": {"$in": ["READY", "RUNNING"]}, "name": "b"},
        {"state": "GONE", "name": "a"},
        {"state": {"$in": []}},
        {"state": 3},
        {"state": {"$in": [3, "READY"]}},
    ]
    expected = [count_documents(database, query) for query in queries]
    assert expected[0] == 20
    database.index("state")
    database.index("name")
    assert [count_documents(database, query) for query in queries] == expected
    assert database.examined(lambda: [count_documents(database, query) for query in queries]) == 0


def test_counts_that_indexes_do_not_decide_read_what_they_must():
    database = Database()
    database(insert="c", documents=[{"_id": n, "state": STATES[n % 6], "size": n} for n in range(60)])
    queries = [{"state": None}, {"state": 3.5}, {"state": "READY", "size": {"$gt": 30}}, {"state": {"$ne": "READY"}}]
    expected = [count_documents(database, query) for query in queries]
    database.index("state")
    assert [count_documents(database, query) for query in queries] == expected
