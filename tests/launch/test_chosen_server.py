"""Tests can be given a MongoDB, and what its URI says of login and TLS reaches pymongo."""

from __future__ import annotations

import pytest
from fakes.chosen_server import chosen_server, is_embedded, with_database
from pymongo.uri_parser import parse_uri

from hightc.launch.store import Database

PLAIN = "mongodb://db.example.org:27018/lab"
LOGIN = "mongodb://user:p%40ss@one.example.org,two.example.org:27018/lab?replicaSet=rs0&tls=true&tlsAllowInvalidHostnames=true"


def test_server_is_embedded_unless_one_is_named():
    assert chosen_server({}) is None
    assert chosen_server({"HIGHTC_TEST_MONGO_URI": " "}) is None
    assert chosen_server({"HIGHTC_TEST_MONGO_URI": PLAIN, "HIGHTC_MONGO_URI": "other"}) == PLAIN


def test_fixture_follows_the_choice(server, database):
    assert database.embedded is is_embedded(server)
    assert parse_uri(database.uri)["database"] == database.name
    assert database.name.startswith("hightc_test_")


def test_embedded_server_is_known_by_its_socket():
    assert is_embedded("mongodb://%2Ftmp%2Fmongo.sock/hightc")
    assert not is_embedded(PLAIN)


@pytest.mark.parametrize("uri", [PLAIN, LOGIN, "mongodb://%2Ftmp%2Fmongo.sock/hightc", "mongodb://db.example.org"])
def test_only_the_database_of_a_uri_is_replaced(uri):
    before, after = parse_uri(uri), parse_uri(with_database(uri, "hightc_test_1"))
    assert after["database"] == "hightc_test_1"
    for name in ("nodelist", "username", "password"):
        assert after[name] == before[name]
    kept = dict(after["options"])
    if before["username"]:
        assert kept.pop("authSource") == "lab"
    assert kept == dict(before["options"])


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("mongodb://u:p@h/lab", "lab"),
        ("mongodb://u:p@h/lab?authSource=users", "users"),
        ("mongodb://u:p@h/?authsource=users", "users"),
        ("mongodb://u:p@h", "admin"),
    ],
)
def test_login_stays_with_the_database_that_knows_the_user(uri, source):
    assert parse_uri(with_database(uri, "new"))["options"]["authSource"] == source


def test_login_and_tls_of_a_uri_reach_every_client():
    database = Database(with_database(LOGIN, "x") + "&connect=false", "x", embedded=False)
    launchpad = database.launchpad
    try:
        for client in (database.client, launchpad.connection):
            options = client.options
            assert options.replica_set_name == "rs0"
            assert options.pool_options._ssl_context is not None
            assert options.pool_options._credentials.username == "user"
            assert options.pool_options._credentials.password == "p@ss"  # noqa: S105
            assert options.pool_options._credentials.source == "lab"
    finally:
        database.close()
    store = database.job_store()
    assert store.docs_store.uri == store.additional_stores["data"].uri == database.uri
    assert "p%40ss" not in repr(database)
    assert database.address == "one.example.org:27017,two.example.org:27018/x"
