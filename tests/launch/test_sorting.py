from __future__ import annotations

import pytest
from fakes.stored_documents import make_scf, make_tc, store, temperature

from hightc.analysis.documents import ScfDocument, TcDocument
from hightc.launch.errors import LaunchError
from hightc.launch.queries import documents
from hightc.launch.store import Database

STORED = (
    make_tc("a", 3.0, coupling=2.0),
    make_tc("b", None, coupling=1.0),
    make_tc("c", 9.0, temperature("allen_dynes", 0.10, 9.0, None), temperature("mcmillan", 0.10, 1.0, None)),
    make_scf("x", 1.0, (8, 8, 4)),
    make_scf("y", None, (6, 6, 6)),
    make_scf("z", 0.5, (4, 4, 9)),
)


@pytest.fixture(scope="module")
def stored(server):
    database = Database(uri=f"{server.rpartition('/')[0]}/sorting", name="sorting", embedded=True)
    database.prepare()
    store(database, STORED)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("kind", "sort", "filters", "materials"),
    [
        (TcDocument, "lambda", {}, "bca"),
        (TcDocument, "lambda", {"descending": True}, "abc"),
        (TcDocument, "tc_kelvin", {}, "acb"),
        (TcDocument, "tc_kelvin", {"descending": True}, "cab"),
        (TcDocument, "tc_kelvin", {"method": "mcmillan"}, "cab"),
        (TcDocument, "material", {"descending": True}, "cba"),
        (ScfDocument, "total_magnetization_bohr_magneton", {}, "zxy"),
        (ScfDocument, "k_mesh.2", {}, "xyz"),
        (ScfDocument, "k_mesh.7", {}, "xyz"),
        (ScfDocument, "provenance.wall_seconds", {"descending": True}, "xyz"),
    ],
)
def test_documents_come_by_value_and_those_without_one_last(stored, kind, sort, filters, materials):
    assert "".join(document.material for document in documents(stored, kind, sort=sort, **filters)) == materials


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"sort": "lamda"}, "has no such field: nearest are lambda_"),
        ({"sort": "critical_temperatures.tc_kelvin"}, "it is in a list of records"),
        ({"sort": "elements"}, "it is a list of text"),
        ({"descending": True}, "expected a field to sort by"),
    ],
)
def test_order_without_a_meaning_is_refused(stored, filters, message):
    with pytest.raises(LaunchError, match=message):
        documents(stored, TcDocument, **filters)
