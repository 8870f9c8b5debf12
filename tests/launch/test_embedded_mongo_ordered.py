"""Indexes with an order find the first few, and what lies in a range, without reading the rest; no answer changes."""

from __future__ import annotations

import pytest
from fakes.memory_database import MemoryDatabase
from hypothesis import given, settings
from hypothesis import strategies as st

values = st.one_of(
    st.integers(-3, 3), st.sampled_from([0.5, 2.0, -0.0]), st.sampled_from(["a", "b"]), st.none(), st.booleans()
)
fields = st.one_of(values, st.lists(values, max_size=2))
members = st.lists(st.fixed_dictionaries({"x": values, "y": st.one_of(values, fields)}), max_size=3)
bodies = st.fixed_dictionaries(
    {"s": st.sampled_from(["R", "C", None, ["R", "C"]])}, optional={"p": fields, "m": members}
)
ranges = st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.integers(-3, 3), min_size=1, max_size=2)
queries = st.one_of(
    st.just({}),
    st.just({"s": "R"}),
    st.builds(lambda bounds: {"s": "R", "p": bounds}, ranges),
    st.builds(lambda bounds: {"p": bounds}, ranges),
    st.builds(lambda bounds: {"m.y": bounds}, ranges),
    st.builds(lambda bounds, value: {"m": {"$elemMatch": {"y": bounds, "x": value}}}, ranges, values),
    st.builds(lambda bounds: {"m": {"$elemMatch": {"y": bounds}}}, ranges),
)
sorts = st.sampled_from([{"p": 1}, {"p": -1}, {"p": -1, "s": 1}, {"s": 1, "p": -1}, {"s": 1}])
changes = st.builds(lambda number, value: (number, value), st.integers(0, 11), fields)


def asked(database, query, sort, limit, skip):
    return database.find(query, sort=sort, limit=limit, skip=skip)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(bodies, max_size=12), st.lists(changes, max_size=4), queries, sorts, st.integers(1, 4), st.integers(0, 2)
)
def test_an_index_changes_no_answer_of_a_sorted_or_bounded_query(documents, edits, query, sort, limit, skip):
    plain, indexed = MemoryDatabase(), MemoryDatabase()
    indexed.index(s=1, p=-1)
    indexed.index(p=1)
    indexed.index(**{"m.y": 1})
    for database in (plain, indexed):
        for number, body in enumerate(documents):
            database(insert="c", documents=[{"_id": number, **body}])
        asked(database, query, sort, limit, skip)  # groups and orders are made, and kept from here on
        for number, value in edits:
            database(update="c", updates=[{"q": {"_id": number}, "u": {"$set": {"p": value}}}])
        database(delete="c", deletes=[{"q": {"_id": 0}, "limit": 1}])
        database(update="c", updates=[{"q": {"_id": 1}, "u": {"$set": {"s": "C"}}}])
    assert asked(indexed, query, sort, limit, skip) == asked(plain, query, sort, limit, skip)
    assert indexed.find(query) == plain.find(query)
    one, other = (
        database(findAndModify="c", query=query, sort=sort, update={"$set": {"s": "C"}})
        for database in (indexed, plain)
    )
    assert one == other


@pytest.fixture(scope="module")
def ready():
    """2,000 steps in two campaigns, half of them ready."""
    database = MemoryDatabase()
    database.index(campaign=1, state=1, priority=-1)
    documents = [
        {"_id": n, "campaign": f"c{n % 2}", "state": ("READY", "DONE")[n // 2 % 2], "priority": n % 100, "size": n / 10}
        for n in range(2000)
    ]
    database(insert="c", documents=documents)
    return database


def test_the_most_urgent_of_many_is_found_by_reading_one(ready):
    taken = []
    query, sort = {"campaign": "c1", "state": "READY"}, {"priority": -1}

    def check_out():
        reply = ready(findAndModify="c", query=query, sort=sort, update={"$set": {"state": "TAKEN"}})
        taken.append(reply["value"])

    assert ready.examined(check_out) == 1
    assert ready.examined(check_out) == 1
    # equal ones in natural order
    assert [(one["_id"], one["priority"]) for one in taken] == [(97, 97), (197, 97)]


def test_explain_tells_what_was_read_and_by_which_way(ready):
    def explained(**command):
        reply = ready(explain=command)
        stats = reply["executionStats"]
        return reply["queryPlanner"]["winningPlan"]["stage"], stats["nReturned"], stats["totalDocsExamined"]

    urgent = {"filter": {"campaign": "c0", "state": "READY"}, "sort": {"priority": -1}}
    assert explained(find="c", **urgent, limit=3) == ("IXSCAN", 3, 3)
    assert explained(find="c", filter={"size": 1.0}) == ("COLLSCAN", 1, 2000)
    assert explained(find="c", filter={"_id": {"$gte": 1990}}) == ("IXSCAN", 10, 10)
    assert explained(count="c", query={"_id": {"$in": [1, 2, -1]}}) == ("IXSCAN", 2, 0)
    assert explained(aggregate="c", pipeline=[{"$match": {"_id": 3}}, {"$project": {"state": 1}}]) == ("IXSCAN", 1, 1)
    assert explained(distinct="c", key="campaign") == ("COLLSCAN", 2, 2)
    assert explained(update="c", updates=[{"q": {"_id": 7}, "u": {"$set": {"size": 0}}}]) == ("IXSCAN", 1, 1)
    assert explained(delete="c", deletes=[{"q": {"size": 3.0}, "limit": 1}])[1] == 1
    assert explained(findAndModify="c", query={"_id": 5}, remove=True) == ("IXSCAN", 1, 1)


def test_explaining_what_would_write_writes_nothing(ready):
    before = ready.find({})
    ready(explain={"update": "c", "updates": [{"q": {}, "u": {"$set": {"size": -1}}, "multi": True}]})
    ready(explain={"delete": "c", "deletes": [{"q": {}, "limit": 0}]})
    ready(explain={"findAndModify": "c", "query": {}, "remove": True})
    assert ready.find({}) == before


def test_explain_of_another_command_is_refused(ready):
    assert "explain of drop" in ready(explain={"drop": "c"})["errmsg"]


def test_different_values_of_an_index_are_read_from_one_document_each():
    database = MemoryDatabase()
    database.index(name=1)
    database.index(kind=1)
    database(insert="c", documents=[{"name": f"n{n % 4}", "kind": "ab"[n % 2]} for n in range(100)])
    assert database.examined(lambda: database(distinct="c", key="name")) == 4
    assert sorted(database(distinct="c", key="name", query={"kind": "a"})["values"]) == ["n0", "n2"]
    # a list is opened, which the index does not do: all are read
    database(insert="c", documents=[{"name": ["n5", "n6"]}, {"name": None}, {}])
    assert {str(one) for one in database(distinct="c", key="name")["values"]} == {
        *(f"n{n}" for n in (0, 1, 2, 3, 5, 6)),
        "None",
    }


def test_a_value_that_only_some_documents_without_one_spell_out_is_found():
    database = MemoryDatabase()
    database.index(name=1)
    database(insert="c", documents=[{"_id": 1}, {"_id": 2, "name": None}, {"_id": 3, "name": "n"}])
    assert sorted(map(str, database(distinct="c", key="name")["values"])) == ["None", "n"]


def test_groups_that_nobody_asks_for_any_more_are_forgotten(ready):
    for number in range(50):
        ready.find({"campaign": f"c{number}", "state": "READY"}, sort={"priority": -1}, limit=1)
    assert ready.examined(lambda: ready.find({"campaign": "c1", "state": "READY"}, sort={"priority": 1}, limit=2)) == 2


def test_a_dropped_index_orders_nothing():
    database = MemoryDatabase()
    database.index(state=1, priority=1)
    database(insert="c", documents=[{"state": "READY", "priority": n} for n in range(50)])
    query = {"filter": {"state": "READY"}, "sort": {"priority": 1}, "limit": 1}
    assert database.examined(lambda: database(find="c", **query)) == 1
    database(dropIndexes="c", index="state_priority")
    assert database.examined(lambda: database(find="c", **query)) == 50
