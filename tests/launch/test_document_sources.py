"""What documents say of where their material is from: asked for, exported, and counted by no key."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fakes.stored_documents import make_scf, make_tc, store
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign

from hightc.analysis.documents import MaterialTag
from hightc.launch import cli
from hightc.launch.campaign import _digest
from hightc.launch.dispatch import make_workflow
from hightc.launch.sources.records import SourceRecord
from hightc.launch.sources.references import LONGEST_TEXT, MOST_SOURCES, sourced_tag
from hightc.launch.store import Database

NIOBIUM = SourceRecord(
    kind="supercon",
    id="line 9",
    location="supercon.csv",
    composition="Nb1",
    tc_kelvin=9.2,
    tc_meaning="measured",
    structure_id="mp-75",
    choice="the crystal of the element",
)
ALLOY = NIOBIUM.model_copy(
    update={"id": "line 10", "composition": "Nb0.95Zr0.05", "tc_kelvin": 10.5, "doping_fraction": 0.05}
)
FILE = SourceRecord(kind="files", id="Nb.cif", location="cifs/Nb.cif", licence="CC0-1.0")
TAG = MaterialTag(campaign="screen", material="Nb")


@pytest.fixture(scope="module")
def stored(server):
    database = Database(uri=f"{server.rpartition('/')[0]}/places", name="places", embedded=True)
    database.prepare()
    known = sourced_tag(TAG, [NIOBIUM, ALLOY, FILE])
    places = {"sources": known.sources, "source_count": known.source_count}
    store(
        database,
        [
            make_tc("Nb", 9.0).model_copy(update=places),
            make_scf("Nb").model_copy(update=places),
            make_tc("unknown", 1.0),
        ],
    )
    yield database
    database.close()


@pytest.mark.parametrize(
    ("where", "materials"),
    [
        ("sources.identifier = mp-75", ["Nb"]),
        ("sources.identifier in mp-1,Nb.cif", ["Nb"]),
        ("sources.kind = files", ["Nb"]),
        ("sources.tc_kelvin > 10", ["Nb"]),
        ("sources.tc_kelvin > 11", []),
        ("sources.doping_fraction exists", ["Nb"]),
        ("sources.licence = CC0-1.0", ["Nb"]),
        ("source_count = 3", ["Nb"]),
        ("sources.identifier exists no", ["unknown"]),
    ],
)
def test_materials_are_found_by_where_they_are_from(stored, settings, monkeypatch, tmp_path, capsys, where, materials):
    monkeypatch.setenv("HIGHTC_MONGO_URI", stored.uri)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["query", "--kind", "tc", "--where", where, "--format", "json"]) == 0
    assert [row["material"] for row in json.loads(capsys.readouterr().out)] == materials


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_places_are_exported(stored, settings, monkeypatch, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    from hightc.launch.frozen_reading import read_frozen  # noqa: PLC0415

    monkeypatch.setenv("HIGHTC_MONGO_URI", stored.uri)
    monkeypatch.chdir(tmp_path)
    name = f"data.{ending}"
    assert cli.main(["export", "--kind", "tc", "--where", "material = Nb", "--output", name]) == 0
    (row,) = list(read_frozen(tmp_path / name).rows())
    assert [(place["identifier"], place["tc_kelvin"]) for place in row["sources"]] == [
        ("mp-75", 9.2),
        ("Nb.cif", None),
        ("mp-75", 10.5),
    ]


def test_first_place_of_each_structure_comes_first_and_then_the_nearest_compositions():
    far = ALLOY.model_copy(update={"id": "line 11", "doping_fraction": 0.09})
    tag = sourced_tag(TAG, [NIOBIUM, far, ALLOY, FILE])
    assert [place.entry for place in tag.sources] == ["line 9", None, "line 10", "line 11"]
    assert [place.identifier for place in tag.sources] == ["mp-75", "Nb.cif", "mp-75", "mp-75"]


def test_documents_carry_a_few_places_and_the_number_of_all():
    many = [ALLOY.model_copy(update={"id": f"line {number}"}) for number in range(600)]
    tag = sourced_tag(TAG, many)
    assert (len(tag.sources), tag.source_count) == (MOST_SOURCES, 600)


def test_name_without_end_or_without_utf8_is_kept_short_and_storable():
    (place,) = sourced_tag(TAG, [FILE.model_copy(update={"id": "a" * 9999, "location": "\udcff.cif"})]).sources
    assert len(place.identifier) == LONGEST_TEXT + 3
    assert place.database == "\\udcff.cif"
    json.dumps(place.model_dump()).encode("utf-8")


def test_key_of_a_material_does_not_count_where_it_is_from(tmp_path, settings):
    (material,) = tiny_campaign(tmp_path, settings).materials
    assert material.tag.sources
    elsewhere = replace(material, tag=sourced_tag(material.tag, [NIOBIUM]))
    nowhere = replace(material, tag=MaterialTag(campaign="tiny", material="Al"))
    assert _digest(elsewhere) == _digest(nowhere) == material.key


def test_every_job_of_a_material_begins_with_its_places(tmp_path, settings):
    text = ALUMINIUM + '\n[[sources]]\nkind = "prototype"\nprototypes = ["bcc Nb 3.3"]\ndoi = "10.1000/1"\n'
    niobium = tiny_campaign(tmp_path, settings, text, "Al", "Nb").materials[1]
    (tag,) = [
        argument
        for firework in make_workflow(niobium, tmp_path).to_dict()["fws"]
        for argument in firework["spec"]["_tasks"][0]["job"]["function_args"]
        if isinstance(argument, dict) and argument.get("@class") == "MaterialTag"
    ]
    assert tag["source_count"] == 1
    assert tag["sources"][0]["identifier"] == "bcc Nb 3.3"
    assert tag["sources"][0]["doi"] == "10.1000/1"
    assert niobium.folder == f"Nb_bcc-{niobium.key[:6]}"
