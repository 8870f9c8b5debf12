from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from fakes.stored_documents import ARRAY, LEAD, make_force_constants, make_magnetism, make_scf, make_tc, store
from pymongo import MongoClient

from hightc.analysis.documents import DOCUMENTS, TcDocument
from hightc.launch import embedded_mongo
from hightc.launch.document_fields import stored_fields
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.frozen import write_frozen
from hightc.launch.frozen_reading import FrozenAbout, about_path, read_frozen
from hightc.launch.store import Database

TC = (make_tc("b", 3.0, coupling=0.8), make_tc("a", 2.0, coupling=0.6), make_tc("c", None, coupling=0.1))
STORED = (*TC, make_scf("x"), make_force_constants("x"), make_magnetism("m", "soft", 1.5))


@pytest.fixture(scope="module")
def stored(server):
    database = Database(uri=f"{server.rpartition('/')[0]}/frozen", name="frozen", embedded=True)
    database.prepare()
    store(database, STORED)
    yield database
    database.close()


def test_file_holds_the_documents_in_order_and_what_stands_beside_it_says_what_they_are(stored, tmp_path):
    path = tmp_path / "data.jsonl"
    about = write_frozen(stored, "tc", {"where": ["lambda > 0.5"]}, path)
    assert [document.material for document in read_frozen(path).documents()] == ["a", "b"]
    assert list(read_frozen(path).documents())[1] == TC[0]
    assert json.loads(path.read_text().splitlines()[0])["material"] == "a"
    beside = json.loads(about_path(path).read_text())
    assert FrozenAbout.model_validate(beside) == about
    assert (beside["count"], beside["kind"], beside["file"]) == (2, "tc", "data.jsonl")
    assert (beside["query"], beside["hightc"]) == ({"where": ["lambda > 0.5"]}, "0.1.0")
    assert set(beside["fields"]) == set(stored_fields(TcDocument))
    assert beside["fields"]["omega_log_mev"]["unit"] == "meV"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data.jsonl", "data.jsonl.json"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_same_documents_give_the_same_checksum_whatever_order_they_were_stored_in(server, stored, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    other = Database(uri=f"{server.rpartition('/')[0]}/again", name="again", embedded=True)
    other.prepare()
    store(other, reversed(STORED))
    first = write_frozen(stored, "tc", {}, tmp_path / f"first.{ending}")
    second = write_frozen(other, "tc", {}, tmp_path / f"second.{ending}")
    other.client.drop_database("again")
    other.close()
    assert first.sha256 == second.sha256
    limited = write_frozen(stored, "tc", {"sort": "lambda"}, tmp_path / f"third.{ending}", limit=1)
    assert (limited.count, limited.sha256 != first.sha256) == (1, True)


@pytest.mark.parametrize("kind", ["tc", "scf", "force_constants", "magnetism"])
def test_documents_of_every_layout_are_read_back_equal(stored, tmp_path, kind):
    write_frozen(stored, kind, {"sort": "material"}, tmp_path / "data.jsonl")
    expected = sorted((one for one in STORED if one.kind == kind), key=lambda one: one.material)
    found = list(read_frozen(tmp_path / "data.jsonl").documents())
    if kind != "force_constants":
        assert [one.model_dump(exclude={"structure"}) for one in found] == [
            one.model_dump(exclude={"structure"}) for one in expected
        ]
    assert all(one.structure == other.structure for one, other in zip(found, expected, strict=True) if kind != "tc")


def test_arrays_come_by_reference_unless_asked_for(stored, tmp_path):
    write_frozen(stored, "force_constants", {}, tmp_path / "by.jsonl")
    write_frozen(stored, "force_constants", {}, tmp_path / "whole.jsonl", load_arrays=True)
    (reference,) = read_frozen(tmp_path / "by.jsonl").documents()
    (whole,) = read_frozen(tmp_path / "whole.jsonl").documents()
    assert isinstance(reference.force_constants.blob, dict)
    np.testing.assert_array_equal(whole.force_constants.to_array(), ARRAY)


def test_parquet_has_a_column_a_field_with_its_type_and_unit(stored, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "scf.parquet"
    about = write_frozen(stored, "scf", {}, path)
    schema = parquet.read_schema(path)
    assert {name: str(schema.field(name).type) for name in ("energy_ev", "k_mesh", "material", "schema_version")} == {
        "energy_ev": "double",
        "k_mesh": "list<element: int64>",
        "material": "string",
        "schema_version": "int64",
    }
    assert schema.field("energy_ev").metadata[b"unit"] == b"eV"
    (row,) = read_frozen(path).rows()
    assert (row["provenance.wall_seconds"], row["k_mesh"], row["total_magnetization_bohr_magneton"]) == (
        1.0,
        [8, 8, 4],
        None,
    )
    assert json.loads(row["structure"])["lattice"]["volume"] == pytest.approx(LEAD.volume)
    assert json.loads(row["provenance.codes"]) == {"ph.x": "6.7MaX"}
    assert about.count == 1


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_every_kind_has_columns_even_without_documents(stored, tmp_path, kind):
    pytest.importorskip("pyarrow")
    about = write_frozen(stored, kind, {"material": "nobody"}, tmp_path / "none.parquet")
    assert about.count == 0
    assert list(read_frozen(tmp_path / "none.parquet").rows()) == []


def test_records_in_lists_stay_records(stored, tmp_path):
    pytest.importorskip("pyarrow")
    write_frozen(stored, "tc", {"material": "b"}, tmp_path / "tc.parquet")
    write_frozen(stored, "magnetism", {}, tmp_path / "magnetism.parquet")
    (row,) = read_frozen(tmp_path / "tc.parquet").rows()
    assert row["critical_temperatures"][0]["tc_kelvin"] == 3.0
    (row,) = read_frozen(tmp_path / "magnetism.parquet").rows()
    assert row["softness_class"] == "soft"
    assert json.loads(row["orders"][0]["structure"])["lattice"]["a"] > 0


def test_parquet_without_pyarrow_says_what_to_install(stored, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LaunchError, match=r"pip install 'hightc\[export\]', or write \.jsonl"):
        write_frozen(stored, "tc", {}, tmp_path / "data.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", ["data.jsonl", "data.jsonl.json"])
def test_nothing_is_written_over(stored, tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(LaunchError, match="exists, and a frozen data set is not written over"):
        write_frozen(stored, "tc", {}, tmp_path / "data.jsonl")
    assert (tmp_path / taken).read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "filters", "message"),
    [
        ("data.csv", {}, r"expected a name that ends with \.jsonl or \.parquet"),
        ("gone/data.jsonl", {}, "cannot be written"),
        ("gone/data.parquet", {}, "cannot be written"),
        ("data.jsonl", {"where": ["lamda > 1"]}, "nearest are lambda_"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(stored, tmp_path, name, filters, message):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(LaunchError, match=message):
        write_frozen(stored, "tc", filters, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_database_that_stops_answering_leaves_nothing(tmp_path):
    directory = tmp_path / "mongo"
    gone = Database(uri=embedded_mongo.start(directory), name="hightc", embedded=True)
    embedded_mongo.stop(directory)
    gone.__dict__["client"] = MongoClient(gone.uri, serverSelectionTimeoutMS=200)
    with pytest.raises(DatabaseError, match="stopped answering"):
        write_frozen(gone, "tc", {}, tmp_path / "data.jsonl")
    gone.client.close()
    assert not any("data.jsonl" in entry.name for entry in tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_more_documents_than_a_batch_are_all_written_in_order(stored, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    many = Database(uri=f"{stored.uri.rpartition('/')[0]}/many", name="many", embedded=True)
    outputs = many.collections["outputs"]
    template = stored.collections["outputs"].find_one({"output.kind": "tc"})
    template.pop("_id")
    outputs.insert_many(
        {**template, "uuid": str(number), "output": {**template["output"], "material": f"m{number:04}"}}
        for number in range(450)
    )
    about = write_frozen(many, "tc", {}, tmp_path / f"many.{ending}")
    rows = [row["material"] for row in read_frozen(tmp_path / f"many.{ending}").rows()]
    many.client.drop_database("many")
    many.close()
    assert about.count == 450  # more than two batches of rows
    assert rows == [f"m{number:04}" for number in range(450)]
