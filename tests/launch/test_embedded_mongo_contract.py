"""What the server takes from inside mongomock-ng, as version 7.11.1 has it.

When one of these fails, mongomock-ng has changed where ``mongomock_core`` reaches into it: read that module again.
"""

import inspect
from importlib.metadata import version

import mongomock_ng
import pytest
from mongomock_ng import aggregate, collection, filtering

CHANGED = "mongomock-ng has changed inside: check hightc.launch.embedded_mongo.mongomock_core against it"


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_mongomock_is_of_the_major_version_that_was_read():
    assert version("mongomock-ng").split(".")[0] == "7", CHANGED


def test_the_matcher_looks_its_operators_up_in_a_table_of_its_own():
    matcher = filtering._Filterer()
    assert {"$eq", "$in", "$size", "$gt", "$regex", "$elemMatch", "$exists", "$type"} <= set(matcher._operator_map), (
        CHANGED
    )
    seen = []
    matcher._operator_map["$eq"] = lambda found, wanted: seen.append((found, wanted)) or True
    assert matcher.apply({"a.b": {"$eq": 3}}, {"a": {"b": 5}}), CHANGED
    assert seen == [(5, 3)], CHANGED


def test_a_nested_filter_asks_the_same_matcher():
    matcher = filtering._Filterer()
    matcher._operator_map["$eq"] = lambda _found, _wanted: True
    for query in (
        {"$and": [{"a": {"$eq": 0}}, {"a": {"$eq": 0}}]},
        {"$or": [{"a": {"$eq": 0}}]},
        {"a": {"$elemMatch": {"b": {"$eq": 0}}}},
        {"a": {"$elemMatch": {"$eq": 0}}},
    ):
        assert matcher.apply(query, {"a": [{"b": 1}]}), CHANGED
    assert not matcher.apply({"$nor": [{"a": {"$eq": 0}}]}, {"a": 1}), CHANGED


def test_a_missing_value_is_the_marker_nothing():
    assert list(filtering.iter_key_candidates("a", {})) == [vars(filtering)["NOTHING"]], CHANGED
    assert list(filtering.iter_key_candidates("a.b", {"a": 1})) == [], CHANGED
    assert list(filtering.iter_key_candidates("a.b", {"a": [{"b": 1}, {"b": [2]}]})) == [1, [2]], CHANGED
    assert list(filtering.iter_key_candidates("a.1", {"a": [5, 6]})) == [6], CHANGED


def test_a_path_that_ends_in_a_scalar_does_not_exist():
    assert filtering._Filterer().apply({"a.b": {"$exists": False}}, {"a": 1}), CHANGED


def test_the_pattern_search_takes_the_value_first():
    assert parameters(filtering._regex)[:2] == ["doc_val", "regex"], CHANGED


def test_updates_are_applied_to_the_document_that_is_given():
    scratch = mongomock_ng.MongoClient()["d"]["c"]
    signature = ["existing_document", "spec", "document", "was_insert"]
    assert parameters(scratch._apply_update_document) == signature, CHANGED
    scratch._current_array_filters = [{"x.a": 1}]
    document = {"_id": 1, "l": [{"a": 1}, {"a": 2}], "n": 1}
    scratch._apply_update_document(document, {}, {"$set": {"l.$[x].b": 9}, "$inc": {"n": 2}}, False)
    assert document == {"_id": 1, "l": [{"a": 1, "b": 9}, {"a": 2}], "n": 3}, CHANGED
    assert scratch.count_documents({}) == 0, CHANGED


@pytest.mark.parametrize("operator", ["$set", "$unset", "$inc", "$min", "$max", "$pop", "$bit"])
def test_the_simple_update_operators_are_in_the_table_of_updaters(operator):
    assert operator in collection._updaters, CHANGED


def test_an_unknown_update_operator_is_an_error():
    scratch = mongomock_ng.MongoClient()["d"]["c"]
    for update in ({"$mul": {"a": 2}}, {"$set": {"a": 1}, "$mul": {"b": 2}}):
        with pytest.raises(ValueError, match=r"\$"):
            scratch._apply_update_document({"_id": 1}, {}, update, False)


def test_projection_makes_a_copy():
    scratch = mongomock_ng.MongoClient()["d"]["c"]
    assert parameters(scratch._copy_only_fields) == ["doc", "fields", "container", "filter"], CHANGED
    document = {"_id": 1, "a": {"b": [1]}, "c": 2}
    copy = scratch._copy_only_fields(document, {"a": 1}, dict, filter={})
    assert copy == {"_id": 1, "a": {"b": [1]}}, CHANGED
    assert copy["a"] is not document["a"], CHANGED


def test_a_stage_runs_on_a_plain_list():
    assert parameters(aggregate.process_pipeline)[:4] == ["collection", "database", "pipeline", "session"], CHANGED
    assert list(aggregate.process_pipeline([{"a": 1}], None, [{"$project": {"a": 1}}], None)) == [{"a": 1}], CHANGED
