from __future__ import annotations

import json
import logging

import pytest
from fakes.source_data import DATA, pack_cifs
from fakes.web_server import Asked, Told, serving

from hightc.launch.sources.errors import SourceAwayError, SourceError, SourceKeyError, SourceLimitError
from hightc.launch.sources.materials_project import materials_project_structures
from hightc.launch.sources.materials_project_client import MaterialsProject
from hightc.launch.sources.resolve import resolve_sources
from hightc.launch.sources.table import MaterialsProjectSource, parse_sources
from hightc.launch.sources.web import Patience

pytest.importorskip("mp_api", reason="needs the extra mp")

KEY = "a1b2c3d4" * 4
PATIENCE = Patience(tries=2, backoff_seconds=0.01, longest_wait_seconds=1, timeout_seconds=5)
HEARTBEAT = {"status": "OK", "version": "0.87.3", "db_version": "2025.09.25", "access_controlled_batch_ids": []}
SUMMARY = json.loads((DATA / "summary.json").read_text())
RETIRED = "mp-11111"
MOVED = "mp-22222"


def database(asked: Asked) -> Told:
    """Four materials, one that was withdrawn, and a calculation that belongs to NbC."""
    if asked.path == "/heartbeat":
        return Told(HEARTBEAT)
    if asked.path == "/materials/core/":
        found = [{"material_id": "mp-910"}] if asked.query["task_ids"] == MOVED else []
    elif asked.query["deprecated"] == "True":
        found = [SUMMARY[0] | {"material_id": RETIRED}] if RETIRED in asked.query["material_ids"].split(",") else []
    elif "material_ids" in asked.query:
        found = [item for item in SUMMARY if item["material_id"] in asked.query["material_ids"].split(",")]
    else:
        found = SUMMARY
    most = int(asked.query.get("_limit", 1000))
    return Told({"data": found[:most], "meta": {"total_doc": len(found)}})


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("MP_API_KEY", KEY)


def structures(answer, tmp_path, patience=PATIENCE, **fields):
    """What the source gives, and the requests that were made."""
    with serving(answer) as server:
        (entry,) = parse_sources([{"kind": "materials_project", "endpoint": server.url, **fields}], where="here")
        assert isinstance(entry, MaterialsProjectSource)

        def connect(endpoint, key_file, folder):
            return MaterialsProject.connect(endpoint, key_file, folder, patience)

        return materials_project_structures(entry, tmp_path, connect), server.asked


def failing(status: int, content=None, **headers: str):
    def answer(asked: Asked) -> Told:
        if asked.path == "/heartbeat":
            return Told(HEARTBEAT)
        return Told(content or {"detail": "no"}, status, headers)

    return answer


def test_materials_come_in_the_order_of_their_identifiers_with_where_they_are_from(tmp_path):
    sourced, _ = structures(database, tmp_path, ids=["mp-1352", "mp-910", "mp-1352"], pressures_gpa=[0, 20])
    assert [candidate.name for candidate in sourced.candidates] == ["ZrN_mp-1352", "NbC_mp-910"]
    record = sourced.candidates[0].sources[0]
    assert (record.kind, record.id, record.tc_kelvin, record.tc_meaning) == (
        "materials_project",
        "mp-1352",
        None,
        "not_given",
    )
    assert sourced.candidates[0].pressures_gpa == (0, 20)
    assert KEY not in repr(sourced)


def test_second_spelling_of_an_identifier_is_the_same_material(tmp_path):
    (candidate,) = structures(database, tmp_path, ids=["mp-aaaaabja"])[0].candidates
    assert candidate.sources[0].id == "mp-910"


def test_retired_moved_unknown_and_misspelt_identifiers_have_their_reasons(tmp_path):
    sourced, _ = structures(database, tmp_path, ids=["mp-910", RETIRED, MOVED, "mp-99999", "../x", "mp-1;rm"])
    reasons = {item.value: (item.code, item.reason) for item in sourced.refused}
    assert len(sourced.candidates) == 1
    assert reasons[RETIRED][0] == "retired_id"
    assert reasons[MOVED] == ("retired_id", "retired: the calculation now belongs to mp-910: write mp-910")
    assert reasons["mp-99999"][0] == "unknown_id"
    assert "expected an identifier such as mp-75" in reasons["../x"][1]
    assert reasons["mp-1;rm"][0] == "unknown_id"


def test_filters_are_those_of_the_client(tmp_path):
    filters = {
        "chemical_systems": ["Nb-*", "Zr-N"],
        "exclude_elements": ["O"],
        "max_energy_above_hull_ev": 0.05,
        "metals_only": True,
        "num_elements": [2, 3],
    }
    sourced, asked = structures(database, tmp_path, **filters)
    query = asked[-1].query
    assert len(sourced.candidates) == len(SUMMARY)
    assert query["chemsys"] == "Nb-*,Zr-N"
    assert query["exclude_elements"] == "O"
    assert (query["energy_above_hull_max"], query["nelements_min"], query["nelements_max"]) == ("0.05", "2", "3")
    assert (query["is_metal"], query["deprecated"]) == ("True", "False")


def test_more_materials_than_the_limit_are_an_error_and_not_cut(tmp_path):
    with pytest.raises(SourceError, match="expected at most 2 materials, found more: narrow the filters"):
        structures(database, tmp_path, elements=["N"], limit=2)


def test_phases_of_a_formula_are_in_the_order_of_their_stability(tmp_path):
    def answer(asked: Asked) -> Told:
        if asked.path == "/heartbeat":
            return Told(HEARTBEAT)
        nbc = next(item for item in SUMMARY if item["material_id"] == "mp-910")
        phases = [nbc | {"material_id": "mp-1", "energy_above_hull": None}, nbc | {"energy_above_hull": 0.2}]
        return Told({"data": [*phases, nbc | {"material_id": "mp-999"}], "meta": {"total_doc": 3}})

    with serving(answer) as server:
        found = MaterialsProject.connect(server.url, None, tmp_path, PATIENCE).phases(["NbC"])
    assert [identifier for identifier, _ in found["NbC"]] == ["mp-999", "mp-910", "mp-1"]


def test_compositions_without_a_structure_are_looked_up_by_formula(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("name,Tc\nNb2.9Ti0.1Sn,17.5\nZr0.7Ti0.3N,\n")
    with serving(database) as server:
        entry = {"kind": "supercon", "file": "table.csv", "materials_project": True, "endpoint": server.url}
        resolved = resolve_sources(parse_sources([entry], where="here"), tmp_path)
    (material,) = resolved.materials
    assert material.label == "Nb3Sn_mp-1326"
    assert material.sources[0].tc_kelvin == 17.5
    assert material.sources[0].doping_fraction == pytest.approx(1 / 30, abs=1e-4)
    assert [item.value for item in resolved.refused] == ["Zr0.7Ti0.3N"]


def test_phases_of_a_table_are_ordered_by_the_energies_of_the_materials_project(tmp_path):
    """Its SnTe has two phases here; the one with the lower energy has the higher identifier."""
    table = tmp_path / "supercon.csv"
    table.write_text("name,Tc\nSnTe,0.1\n")
    structures_table = tmp_path / "3dsc.csv"
    rows = ["Sn1Te1,mp-1481,Sn1Te1-MP-mp-1481.cif", "Sn1Te1,mp-1883,C1Nb1-MP-mp-910.cif", "Sn1Te1,x-1,none.cif"]
    structures_table.write_text("\n".join(["formula_sc,material_id,cif", *rows]) + "\n")
    cif = (DATA / "cifs" / "C1Nb1-MP-mp-910.cif").read_text()
    (tmp_path / "C1Nb1-MP-mp-910.cif").write_text(cif.replace("Nb", "Sn").replace(" C", " Te"))
    archive = pack_cifs(tmp_path, [DATA / "cifs" / "Sn1Te1-MP-mp-1481.cif", tmp_path / "C1Nb1-MP-mp-910.cif"])

    def answer(asked: Asked) -> Told:
        if asked.path == "/heartbeat":
            return Told(HEARTBEAT)
        wanted = asked.query.get("material_ids", "").split(",")
        energies = {"mp-1481": 0.14, "mp-1883": 0.0}
        found = [SUMMARY[0] | {"material_id": i, "energy_above_hull": energies[i]} for i in wanted if i in energies]
        return Told({"data": found, "meta": {"total_doc": len(found)}})

    entry = {"kind": "supercon", "file": "supercon.csv", "structures": "3dsc.csv", "archive": archive.name}
    with serving(answer) as server:
        asking = {**entry, "materials_project": True, "endpoint": server.url}
        (asked,) = resolve_sources(parse_sources([asking], where="here"), tmp_path).materials
    (alone,) = resolve_sources(parse_sources([entry], where="here"), tmp_path).materials
    assert alone.sources[0].structure_id == "mp-1481"
    assert asked.sources[0].structure_id == "mp-1883"
    assert asked.sources[0].choice == "number 1 of 2 structures that fit: 0 eV/atom above the hull"


def test_busy_server_is_waited_for_and_the_wait_is_told(tmp_path, caplog):
    refusals = iter([Told({}, 429, {"Retry-After": "1"}), Told({}, 429)])

    def answer(asked: Asked) -> Told:
        return next(refusals, database(asked)) if asked.path == "/materials/summary/" else database(asked)

    with caplog.at_level(logging.WARNING, logger="hightc"):
        sourced, _ = structures(answer, tmp_path, ids=["mp-910"])
    assert len(sourced.candidates) == 1
    assert "server answers 429: waiting 1 s" in caplog.text


def test_server_that_stays_busy_is_an_error_that_says_so(tmp_path):
    with pytest.raises(SourceLimitError, match=r"still too many requests \(429\) after 2 waits: try again in some min"):
        structures(failing(429), tmp_path, ids=["mp-910"])


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_is_an_error_without_the_key(tmp_path, status):
    with pytest.raises(SourceKeyError, match=f"the API key is refused .status {status}.") as error:
        structures(failing(status, {"detail": f"bad key {KEY}"}), tmp_path, ids=["mp-910"])
    assert KEY not in str(error.value)


def test_refused_request_shows_the_servers_words_without_the_key(tmp_path):
    with pytest.raises(SourceError, match=r"the request is refused: .*wrong formula") as error:
        structures(failing(422, {"detail": f"wrong formula {KEY}"}), tmp_path, formulas=["Qq"])
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    "answer",
    [
        failing(500),
        failing(200, b"<html>please log in</html>"),
        failing(200, {"data": [{"material_id": "mp-1"}], "meta": {"total_doc": 1}}),
        lambda _: Told(b"<html>", 200),
        lambda _: Told({}, 404),
    ],
    ids=["fails", "no JSON", "no structure", "no heartbeat", "not found"],
)
def test_server_that_does_not_answer_as_it_should_is_away(tmp_path, answer):
    with pytest.raises(SourceAwayError, match=r"expected .*, found"):
        structures(answer, tmp_path, ids=["mp-910"])


def test_server_that_is_not_there_is_away(tmp_path):
    with serving(database) as server:
        url = server.url
    with pytest.raises(SourceAwayError, match=r"expected an answer, found ConnectionError: it may be down"):
        MaterialsProject.connect(url, None, tmp_path, Patience(tries=0))


def test_key_is_not_sent_in_plain_text_over_a_network(tmp_path):
    with pytest.raises(SourceError, match="expected https, since an API key is sent there"):
        MaterialsProject.connect("http://example.org", None, tmp_path)


def test_key_does_not_follow_a_redirect_to_another_host(tmp_path):
    with serving(lambda _: Told({"data": [], "meta": {"total_doc": 0}})) as other:

        def answer(asked: Asked) -> Told:
            if asked.path == "/heartbeat":
                return Told(HEARTBEAT)
            return Told(status=307, headers={"Location": f"{other.url}{asked.path}"})

        structures(answer, tmp_path, elements=["Nb"])
        assert other.asked
        assert not any("x-api-key" in asked.headers for asked in other.asked)


def test_missing_key_is_told_before_anything_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("MP_API_KEY")
    monkeypatch.setenv("HIGHTC_SETTINGS_FILE", str(tmp_path / "settings.toml"))
    with serving(database) as server:
        with pytest.raises(SourceKeyError, match="no API key"):
            MaterialsProject.connect(server.url, None, tmp_path)
        assert not server.asked
