"""Which MongoDB the tests of store and launch use: one that is named, each test in a database of its own."""

from __future__ import annotations

from collections.abc import Mapping

from pymongo.uri_parser import parse_uri

VARIABLE = "HIGHTC_TEST_MONGO_URI"


def chosen_server(environment: Mapping[str, str]) -> str | None:
    """URI of the server to test against; None for an embedded one."""
    return environment.get(VARIABLE, "").strip() or None


def with_database(uri: str, name: str) -> str:
    """A URI with another database; the login stays with the database that it was with."""
    scheme, _, rest = uri.partition("://")
    address, _, given = rest.partition("?")
    hosts, _, named = address.partition("/")
    options = given.split("&") if given else []
    # unless a URI says authSource, its user is looked up in the database that it names
    if "@" in hosts and not any(option.lower().startswith("authsource=") for option in options):
        options.append(f"authSource={named or 'admin'}")
    return f"{scheme}://{hosts}/{name}" + (f"?{'&'.join(options)}" if options else "")


def is_embedded(uri: str) -> bool:
    """Whether a URI leads to the socket of an embedded server."""
    return any(str(host).endswith(".sock") for host, _ in parse_uri(uri)["nodelist"])
