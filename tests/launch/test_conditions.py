from __future__ import annotations

import pytest
from fakes.stored_documents import make_magnetism, make_scf, make_tc, store, temperature
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from hightc.analysis.documents import DOCUMENTS, MagnetismDocument, ScfDocument, TcDocument
from hightc.launch.conditions import where_conditions
from hightc.launch.errors import LaunchError
from hightc.launch.queries import documents
from hightc.launch.store import Database

STORED = (
    make_magnetism("rigid", "rigid", 0.5),
    make_magnetism("soft", "soft", 1.5),
    make_magnetism("unknown", "soft", None),
    make_scf("a", 0.0, (8, 8, 4)),
    make_scf("b", None, (6, 6, 6)),
    make_tc("cold", None, coupling=0.2),
    make_tc("warm", 7.5, temperature("mcmillan", 0.10, 9.0, None), temperature("allen_dynes", 0.13, 7.5, 8.0)),
)


@pytest.fixture(scope="module")
def stored(server):
    database = Database(uri=f"{server.rpartition('/')[0]}/conditions", name="conditions", embedded=True)
    database.prepare()
    store(database, STORED)
    yield database
    database.close()


def found(database, kind, *where, **filters) -> list[str]:
    return [document.material for document in documents(database, DOCUMENTS[kind], where=list(where), **filters)]


@pytest.mark.parametrize(
    ("kind", "where", "materials"),
    [
        ("magnetism", ["softness_class = soft"], ["soft", "unknown"]),
        ("magnetism", ["softness_class=soft", "stoner_product>1"], ["soft"]),
        ("magnetism", ["softness_class != soft"], ["rigid"]),
        ("magnetism", ["stoner_product < 1"], ["rigid"]),
        ("magnetism", ["stoner_product <= 1.5"], ["rigid", "soft"]),
        ("magnetism", ["stoner_product != 1.5"], ["rigid", "unknown"]),
        ("magnetism", ["stoner_product != 1.5", "stoner_product exists"], ["rigid"]),
        ("magnetism", ["stoner_product exists no"], ["unknown"]),
        ("magnetism", ["material in rigid, unknown"], ["rigid", "unknown"]),
        ("magnetism", ['material in "rigid"'], ["rigid"]),
        ("magnetism", ["material = 'soft'"], ["soft"]),
        ("magnetism", [("stoner_product", "in", [0.5, 1.5])], ["rigid", "soft"]),
        ("magnetism", ["schema_version = 1", "orders.spins = -1"], ["rigid", "soft", "unknown"]),
        ("magnetism", ["structure.lattice.volume > 1e6"], []),
        ("scf", ["structure.lattice.volume >= 63.9", "structure.lattice.a < 4.1"], ["a", "b"]),
        ("scf", ["k_mesh = 4"], ["a"]),
        ("scf", ["k_mesh.0 >= 8"], ["a"]),
        ("scf", ["total_magnetization_bohr_magneton exists"], ["a"]),
        ("scf", ["provenance.pseudopotentials exists no", "provenance.wall_seconds < 2"], ["a", "b"]),
        ("scf", ["gates.passed = yes"], []),
        ("tc", ["lambda > 0.5"], ["warm"]),
        ("tc", ["critical_temperatures.tc_kelvin > 8.5"], ["warm"]),
        ("tc", ["critical_temperatures.tc_kelvin exists"], ["warm"]),
        ("tc", ["critical_temperatures.tc_kelvin exists no"], ["cold"]),
        ("tc", ["critical_temperatures.1.tc_kelvin > 8.5"], []),
        ("tc", ["plateau_smearing_ev exists"], ["cold", "warm"]),
    ],
)
def test_condition_takes_the_documents_that_meet_it(stored, kind, where, materials):
    assert found(stored, kind, *where) == materials


def test_two_conditions_may_be_met_by_two_entries_of_a_list(stored):
    """The documented limit: no Allen-Dynes Tc is above 8.5 K."""
    two = ["critical_temperatures.method = allen_dynes", "critical_temperatures.tc_kelvin > 8.5"]
    assert found(stored, "tc", *two) == ["warm"]
    assert found(stored, "tc", tc_range=(8.5, None), mu_star=0.13) == []


def test_conditions_join_the_other_filters(stored):
    assert found(stored, "magnetism", "softness_class = soft", campaign="screen") == []
    assert found(stored, "magnetism", "softness_class = soft", material="soft") == ["soft"]


def test_condition_on_a_spectrum_or_a_magnet_is_not_asked_of_its_tc(stored):
    assert found(stored, "scf", "k_mesh.0 = 8", lambda_range=(0.1, None)) == []


class Listener(CommandListener):
    """Keeps the filters that a client sends."""

    def __init__(self) -> None:
        self.filters = []

    def started(self, event) -> None:
        if event.command_name == "find":
            self.filters.append(event.command["filter"])

    def succeeded(self, event) -> None:
        pass

    def failed(self, event) -> None:
        pass


def test_indexed_fields_are_asked_for_before_any_condition(stored):
    listener = Listener()
    watched = Database(uri=stored.uri, name=stored.name, embedded=True)
    watched.__dict__["client"] = MongoClient(stored.uri, event_listeners=[listener])
    assert found(watched, "tc", "lambda > 0.5", campaign="screen", elements=["Pb"]) == ["warm"]
    watched.close()
    asked = listener.filters[0]
    assert list(asked) == ["output.kind", "output.campaign", "output.elements", "$and"]
    assert asked["$and"] == [{"output.lambda_": {"$gt": 0.5}}]


def test_kind_is_chosen_by_the_class_alone():
    with pytest.raises(LaunchError, match="where kind: expected one of tc, found 'scf'"):
        where_conditions(TcDocument, ["kind = scf"])


@pytest.mark.parametrize(
    ("kind", "condition", "message"),
    [
        (MagnetismDocument, "softness_clas = soft", "has no such field: nearest are softness_class"),
        (MagnetismDocument, "softness_class = mushy", "expected one of rigid, soft, .* found 'mushy'"),
        (MagnetismDocument, "softness_class > soft", "compares numbers, and it is a text"),
        (MagnetismDocument, "stoner_product = high", "expected a number, found 'high'"),
        (MagnetismDocument, "stoner_parameter_ev = ", "expected a number in eV, found ''"),
        (MagnetismDocument, "stoner_product < nan", "expected a number"),
        (MagnetismDocument, "stoner_product < 1e999", "expected a number"),
        (MagnetismDocument, ("stoner_product", "=", True), "expected a number, found True"),
        (MagnetismDocument, ("material", "=", 3), "expected text, found 3"),
        (MagnetismDocument, ("material", "in", []), "expected values after in"),
        (MagnetismDocument, "stoner_product exists maybe", "expected yes or no, found 'maybe'"),
        (MagnetismDocument, "softness = 1", "list of record: only 'exists'"),
        (MagnetismDocument, "structure = Fe", "structure: only 'exists'"),
        (MagnetismDocument, "orders.spins.0.0 = 1", "has no such field"),
        (DOCUMENTS["alpha2f"], "alpha2f > 1", r"choose a list by its position, as in alpha2f\.0"),
        (ScfDocument, "gates.passed = perhaps", "expected yes or no"),
        (ScfDocument, "material", "expected 'field operator value'"),
        (ScfDocument, "", "expected 'field operator value'"),
        (ScfDocument, ("material", "$where", "1"), r"expected \(field, operator, value\)"),
        (ScfDocument, ("material", "="), r"expected \(field, operator, value\)"),
    ],
)
def test_condition_without_a_meaning_is_refused_with_one_line(kind, condition, message):
    with pytest.raises(LaunchError, match=message) as refused:
        where_conditions(kind, [condition])
    assert "\n" not in str(refused.value)


HOSTILE = (
    "$where = sleep(10000)",
    "$expr = 1",
    "material.$where = 1",
    "material\x00 = 1",
    "output.material = a",
    "__class__ = 1",
    "material[$ne] = 1",
    ("material", "=", {"$ne": None}),
    ("material", "in", [{"$gt": ""}]),
    ("material", "=", {"$where": "1"}),
    ("stoner_product", "=", {"$gt": 0}),
    ("stoner_product", "=", 10**400),
    ({"$where": "1"}, "=", "1"),
    "material = \ud800",
    "material in " + "x," * 100_000,
    "a" * 1_000_000 + " = 1",
    " " * 9_000 + "=" + " " * 900,
)


@pytest.mark.parametrize("condition", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_field_or_no_value_never_reaches_the_database(condition):
    with pytest.raises(LaunchError) as refused:
        where_conditions(MagnetismDocument, [condition])
    assert len(str(refused.value)) < 800


@pytest.mark.parametrize(
    "text", ["$where", "{$gt: ''}", "'; drop table", "a\x00b", "$(touch x)", "`id`", "../..", "a = b", "å€"]
)
def test_hostile_text_is_a_value_like_any_other(stored, text):
    assert where_conditions(MagnetismDocument, [f"material = {text}"]) == [{"output.material": {"$eq": text}}]
    assert found(stored, "magnetism", f"material = {text}") == []
