from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fakes.chosen_server import is_embedded, with_database
from fakes.magnetic_ladder import magnetic_document
from fakes.report_results import MU_STAR, make_alpha2f, make_decision, make_result, make_structure
from fakes.stored_campaign import material_of, store_document, store_material
from pymatgen.core import Structure

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import Gate
from hightc.launch.dispatch import MOST_SOURCES
from hightc.launch.errors import LaunchError
from hightc.launch.report_site.materials import campaign_names, stored_materials, stored_submissions
from hightc.launch.report_site.row import COLUMNS, row_of
from hightc.launch.report_site.script_data import script_json
from hightc.launch.report_site.site import CHOICES, POINTS, RANGES, write_site
from hightc.launch.report_site.state import STATE, SiteState, page_name
from hightc.launch.results import Outcome
from hightc.launch.store import Database
from hightc.makers.gates import metal_gate

PASSWORD = "hunter2"  # noqa: S105 - what must not be shown
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> ' \" javascript:alert(3) \u2028"
TRACE = f"Traceback (most recent call last):\nRuntimeError: {EVIL} at mongodb://user:{PASSWORD}@host/db"
AT = {column.key: index for index, column in enumerate(COLUMNS)}


class Elements(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def of_source(identifier: str) -> dict[str, Any]:
    return {"kind": "materials_project", "database": "https://example.org", "identifier": identifier}


@pytest.fixture(scope="module")
def filled(server: str) -> Iterator[Database]:
    """Two campaigns: one material with a Tc, an insulator, one that failed, one that was never begun, and a magnet."""
    name = f"hightc_test_{uuid4().hex[:12]}"
    database = Database(uri=with_database(server, name), name=name, embedded=is_embedded(server))
    try:
        database.prepare()
        spectrum = make_alpha2f("Po")
        tc = tc_document(spectrum, mu_star=MU_STAR, reference="omega_2")
        sources = {"sources": (of_source("mp-1"), of_source(EVIL)), "source_count": MOST_SOURCES}
        answered = {"relax": make_structure("Po"), "alpha2F": spectrum, "Tc": tc}
        store_material(database, material_of("Po", tag=sources), answered)
        warned = make_structure("Si", gap_ev=0.52, warnings=(EVIL,), gates=(metal_gate(0.52),))
        store_material(database, material_of("Si"), {"relax": warned})
        store_material(database, material_of("bad"), {"relax": make_structure("bad")}, failed="scf dense", reason=TRACE)
        store_material(database, material_of("late"), {})
        store_material(database, material_of(f"x{EVIL}", "other"), {"relax": make_structure("x", space_group=EVIL)})
        magnet = material_of("Ni", "other")
        store_material(database, magnet, {"relax": make_structure("Ni")})
        uuid = database.launchpad.fireworks.find_one({"name": "Ni Tc"})["spec"]["_tasks"][0]["job"]["uuid"]
        store_document(database, uuid, magnetic_document(), magnet)
        yield database
    finally:
        database.client.drop_database(name)
        database.close()


@pytest.fixture(scope="module")
def site(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    summary = write_site(filled, ["test"], directory, name="test", campaign_file="test.toml")
    assert (summary.written, summary.kept, summary.removed, summary.left_out) == (4, 0, 0, ())
    return directory


@pytest.fixture(scope="module")
def both(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("both")
    write_site(filled, ["other", "test"], directory, name="campaigns")
    return directory


def table(site: Path) -> dict[str, dict[str, Any]]:
    """Lines of the table by label."""
    text = (site / "assets" / "materials.js").read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("window.hightcSite = ").strip().removesuffix(";"))
    return {row["cells"][0]: row for row in data["rows"]}


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def page(site: Path, label: str) -> str:
    return (site / "materials" / f"{label}.html").read_text(encoding="utf-8")


def test_material_that_a_gate_stopped_shows_the_density_of_states_it_was_judged_by() -> None:
    decision = make_decision("Po", "stopped", dos_per_ev_spin_cell=0.12)
    cells = row_of(make_result("Po", Outcome.GATED, make_structure("Po"), decision), "materials/Po.html")["cells"]
    assert cells[[column.key for column in COLUMNS].index("dos_per_ev_spin_cell")][0] == 0.12


def test_database_alone_gives_the_campaign_back(filled: Database) -> None:
    assert campaign_names(filled) == ["other", "test"]
    found = stored_materials(filled, "test")
    assert [entry.label for entry in found] == ["Po", "Si", "bad", "late"]
    (first, *_) = stored_submissions(found, filled)
    expected = material_of("Po")
    assert first.material.recipe == expected.recipe
    assert first.material.structure == expected.structure
    assert first.material.mu_star == MU_STAR
    assert first.material.studies == ("electron_phonon",)
    assert first.material.key == expected.key
    assert [source.identifier for source in first.material.tag.sources] == ["mp-1", EVIL]


def test_each_material_has_a_line_with_what_is_known_of_it(site: Path) -> None:
    rows = table(site)
    cells = rows["Po"]["cells"]
    value, text, low, high = cells[AT["tc_eliashberg_kelvin"]]
    assert low <= value <= high
    assert re.fullmatch(r"[\d.]+ \([\d.]+–[\d.]+\)", text)  # noqa: RUF001 - typographers' dash
    assert cells[AT["tc_allen_dynes_kelvin"]][0] > 0
    assert cells[AT["mu_star"]][0] == MU_STAR[0]
    assert cells[AT["lambda"]][0] == pytest.approx(make_alpha2f("Po").chosen.lambda_)
    assert cells[AT["dos_per_ev_spin_cell"]] == [0.5, "0.500"]
    assert rows["Po"]["elements"] == ["Po"]
    assert {label: row["cells"][AT["outcome"]] for label, row in rows.items()} == {
        "Po": "answered",
        "Si": "gated",
        "bad": "failed",
        "late": "unfinished",
    }


def test_the_page_offers_only_columns_there_are() -> None:
    assert {*CHOICES, *RANGES, *POINTS} <= AT.keys()
    assert len(AT) == len(COLUMNS)


def test_what_is_not_known_is_empty_and_never_zero(site: Path) -> None:
    cells = table(site)["late"]["cells"]
    unknown = ("tc_eliashberg_kelvin", "lambda", "dos_per_ev_spin_cell", "pressure_gpa", "stability", "softness_class")
    assert [cells[AT[key]] for key in unknown] == [None] * len(unknown)


def test_table_counts_how_far_materials_came(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert "4 materials" in text
    assert re.search(r"1 stopped: .*0\.52", text)
    assert "hightc 0.1.0" in text
    assert "pw.x 6.7MaX" in text


def test_page_of_a_material_has_figures_files_gates_runs_and_commands(site: Path) -> None:
    text = page(site, "Po")
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', text, re.DOTALL)[1])
    assert {"alpha2f", "smearing", "crystal"} <= figures.keys()
    drawn = set(re.findall(r'data-figure="(\w+)"', text))
    assert drawn == figures.keys()
    x = figures["alpha2f"]["shared"]["x"]
    assert x == pytest.approx(make_alpha2f("Po").omega_mev, rel=1e-4)
    links = [attributes for tag, attributes in Elements(text).found if tag == "a" and "download" in attributes]
    assert [link["download"] for link in links] == ["Po.cif", "Po.vasp"]
    cif = base64.b64decode(links[0]["href"].partition("base64,")[2]).decode()
    assert Structure.from_str(cif, fmt="cif").composition.reduced_formula == "Po"
    for words in ("Gates", "Calculations", "/runs/test/Po-012345/01-relax", "ab" * 32, "hightc run test.toml"):
        assert words in text


def test_page_says_where_the_structure_is_from(site: Path) -> None:
    text = page(site, "Po")
    assert "mp-1" in text
    assert f"The first 2 of {MOST_SOURCES}" in text


def test_a_stopped_material_keeps_its_reason_and_the_next_step(site: Path) -> None:
    text = page(site, "Si")
    assert "0.52" in text
    assert 'class="verdict-stopped"' in text
    assert "hightc run test.toml" in text


@pytest.mark.parametrize("which", ["site", "both"])
def test_nothing_that_was_stored_becomes_markup_or_script(which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    for path in pages(folder):
        text = path.read_text(encoding="utf-8")
        assert "alert(2)>" not in text
        elements = Elements(text).found
        assert "img" not in {tag for tag, _ in elements}
        for tag, attributes in elements:
            assert not [name for name in attributes if name.startswith("on")]
            address = attributes.get("href", attributes.get("src", ""))
            assert re.match(r"(?!\w+:)|data:text/plain;charset=utf-8;base64,", address), (path, tag, address)
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
        assert [script for script in scripts if script and not script.startswith("{")] == []
    assert "<" not in (folder / "assets" / "materials.js").read_text(encoding="utf-8")


def test_hostile_labels_become_plain_file_names(both: Path) -> None:
    names = [path.name for path in (both / "materials" / "other").iterdir()]
    assert len(names) == 2
    assert all(re.fullmatch(r"[\w.-]+\.html", name) for name in names)
    assert page_name("../../etc/passwd") != page_name("../../etc/passwd ")
    assert "/" not in page_name("../../etc/passwd")


def test_no_secret_stands_on_any_page(site: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in site.rglob("*") if path.suffix in {".html", ".json", ".js"}]
    assert not [text for text in texts if PASSWORD in text or "mongodb://" in text]
    assert any("(hidden)" in text for text in texts)


def test_pages_load_nothing_but_files_of_the_site(site: Path, both: Path) -> None:
    for folder in (site, both):
        for path in pages(folder):
            for tag, attributes in Elements(path.read_text(encoding="utf-8")).found:
                address = attributes.get("src") or (attributes.get("href", "") if tag in {"link", "a"} else "")
                if address and not address.startswith(("#", "data:")):
                    assert (path.parent / address.partition("?")[0]).is_file(), (path, address)


def test_several_campaigns_stand_in_one_table(both: Path) -> None:
    rows = table(both)
    assert {rows["Po"]["cells"][AT["campaign"]], rows["Ni"]["cells"][AT["campaign"]]} == {"test", "other"}
    assert rows["Ni"]["address"] == "materials/other/Ni.html"
    assert rows["Ni"]["cells"][AT["softness_class"]] is not None


def test_unchanged_pages_are_left_alone_and_a_new_document_renews_its_page(filled: Database, tmp_path: Path) -> None:
    directory = tmp_path / "site"
    write_site(filled, ["test"], directory, name="test")
    before = {path: path.stat().st_mtime_ns for path in (directory / "materials").iterdir()}
    summary = write_site(filled, ["test"], directory, name="test")
    assert (summary.written, summary.kept) == (0, 4)
    assert {path: path.stat().st_mtime_ns for path in (directory / "materials").iterdir()} == before
    uuid = filled.launchpad.fireworks.find_one({"name": "late relax"})["spec"]["_tasks"][0]["job"]["uuid"]
    store_document(filled, uuid, make_structure("late"), material_of("late"))
    try:
        summary = write_site(filled, ["test"], directory, name="test")
        assert (summary.written, summary.kept) == (1, 3)
        assert "-" not in table(directory)["late"]["cells"][AT["pressure_gpa"]][1]
    finally:
        filled.collections["outputs"].delete_many({"uuid": uuid})


def test_pages_of_materials_that_are_gone_are_removed(filled: Database, tmp_path: Path) -> None:
    write_site(filled, ["test", "other"], tmp_path / "site", name="test")
    summary = write_site(filled, ["test"], tmp_path / "site", name="test")
    assert summary.removed == 6
    names = [path.relative_to(tmp_path / "site").as_posix() for path in pages(tmp_path / "site")]
    assert names == ["index.html", *(f"materials/{label}.html" for label in ("Po", "Si", "bad", "late"))]


def test_an_interrupted_run_leaves_the_old_table_usable(filled: Database, tmp_path: Path) -> None:
    directory = tmp_path / "site"
    write_site(filled, ["test"], directory, name="test")
    before = (directory / "index.html").read_bytes(), (directory / "assets" / "materials.js").read_bytes()

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    # another name makes every page anew
    with pytest.raises(KeyboardInterrupt):
        write_site(filled, ["test"], directory, name="anew", tell=interrupt, seconds_between_lines=0)
    assert before == ((directory / "index.html").read_bytes(), (directory / "assets" / "materials.js").read_bytes())
    assert all((directory / row["address"]).is_file() for row in table(directory).values())
    assert not list(directory.rglob("*.tmp"))
    # the pages that were written before count
    summary = write_site(filled, ["test"], directory, name="anew")
    assert (summary.written, summary.kept) == (0, 4)
    (directory / STATE).write_text("cut off", encoding="utf-8")
    assert write_site(filled, ["test"], directory, name="anew").written == 4


def test_a_folder_of_others_is_not_written_into(filled: Database, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine", encoding="utf-8")
    with pytest.raises(LaunchError, match="found other files"):
        write_site(filled, ["test"], tmp_path, name="test")
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_cannot_be_made_is_said(filled: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(LaunchError, match="cannot be made"):
        write_site(filled, ["test"], tmp_path / "file" / "site", name="test")


def test_only_own_pages_can_be_removed(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "materials").mkdir(parents=True)
    kept = (tmp_path / "precious.html", site / "index.html")
    for path in kept:
        path.write_text("mine", encoding="utf-8")
    entries = {"../precious.html": {}, "materials/../../precious.html": {}, "index.html": {}}
    (site / STATE).write_text(
        json.dumps({"made_with": "another", "pages": list(entries), "entries": entries}), encoding="utf-8"
    )
    SiteState(site).drop([])
    assert all(path.exists() for path in kept)


def test_a_document_of_another_version_costs_one_page_only(filled: Database, tmp_path: Path) -> None:
    outputs = filled.collections["outputs"]
    mark = {"output.material": "Si", "output.kind": "structure"}
    outputs.update_one(mark, {"$set": {"output.of_the_future": 1}})
    try:
        summary = write_site(filled, ["test"], tmp_path / "site", name="test")
    finally:
        outputs.update_one(mark, {"$unset": {"output.of_the_future": 1}})
    assert summary.written == 3
    assert len(summary.left_out) == 1
    assert "Si" in summary.left_out[0]
    assert "of_the_future" in summary.left_out[0]
    assert sorted(table(tmp_path / "site")) == ["Po", "bad", "late"]


def test_json_can_stand_in_a_script_element() -> None:
    value = {"a": [EVIL, float("nan"), 1.5, None, True], EVIL: "<!--"}
    text = script_json(value)
    assert not set("<>&'") & set(text)
    assert text.isascii()
    assert json.loads(text) == {"a": [EVIL, None, 1.5, None, True], EVIL: "<!--"}


def test_hiding_a_secret_never_breaks_json() -> None:
    value = {
        "a": "see http://foo",
        "b": "x:y@z",
        "c": f'mongodb://u:{PASSWORD}@h"quoted"',
        "d": [f"a://u:{PASSWORD}@h"],
    }
    assert json.loads(script_json(value)) == {
        "a": "see http://foo",
        "b": "x:y@z",
        "c": '(hidden)"quoted"',
        "d": ["a://(hidden)h"],
    }


def test_gates_that_stop_nothing_are_noted(filled: Database, tmp_path: Path) -> None:
    gate = Gate(name="nonmagnetic", passed=False, value=0.6, threshold=0.05, unit="", message="magnetic")
    uuid = filled.launchpad.fireworks.find_one({"name": "late relax"})["spec"]["_tasks"][0]["job"]["uuid"]
    store_document(filled, uuid, make_structure("late", gates=(gate,)), material_of("late"))
    try:
        write_site(filled, ["test"], tmp_path / "site", name="test")
    finally:
        filled.collections["outputs"].delete_many({"uuid": uuid})
    assert 'class="verdict-noted"' in page(tmp_path / "site", "late")
