from __future__ import annotations

import json
import re

import pytest
from fakes.stored_documents import make_magnetism, make_scf, make_tc, store

from hightc.launch import cli
from hightc.launch.store import Database

STORED = (
    make_magnetism("Cr", "soft", 1.5),
    make_magnetism("Fe", "rigid", None),
    make_tc("a", 3.0),
    make_tc("b", 9.0),
    make_scf("x"),
)


@pytest.fixture(scope="module")
def stored(server):
    database = Database(uri=f"{server.rpartition('/')[0]}/command", name="command", embedded=True)
    database.prepare()
    store(database, STORED)
    yield database
    database.close()


@pytest.fixture
def here(stored, settings, monkeypatch, tmp_path):
    """The settings that find these documents, in an empty folder."""
    monkeypatch.setenv("HIGHTC_MONGO_URI", stored.uri)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "materials"),
    [
        (["--kind", "magnetism", "--where", "softness_class = soft"], ["Cr"]),
        (
            ["--kind", "magnetism", "--where", "softness_class in soft,rigid", "--where", "stoner_product exists"],
            ["Cr"],
        ),
        (["--sort", "tc_kelvin", "--descending"], ["b", "a"]),
        (["--sort", "tc_kelvin", "--limit", "1"], ["a"]),
    ],
)
def test_conditions_and_order_work_from_the_command_line(arguments, materials, capsys):
    assert cli.main(["query", *arguments, "--format", "json"]) == 0
    assert [row["material"] for row in json.loads(capsys.readouterr().out)] == materials


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", ["magnetism", "scf", "tc"])
def test_whole_documents_of_kinds_with_structures_are_written(kind, capsys):
    assert cli.main(["query", "--kind", kind, "--format", "json", "--documents"]) == 0
    assert all(document["kind"] == kind for document in json.loads(capsys.readouterr().out))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [["query"], ["export", "-o", "data.jsonl"]])
def test_unknown_field_is_one_line_and_2(command, capsys, tmp_path):
    assert cli.main([*command, "--kind", "magnetism", "--where", "softness_clas = soft"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "hightc: field 'softness_clas': a magnetism document has no such field: nearest are softness"
    )
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("data*"))


def test_fields_are_listed_without_a_database(settings, monkeypatch, capsys):
    monkeypatch.setenv("HIGHTC_MONGO_URI", "http://nowhere")
    assert cli.main(["query", "--kind", "magnetism", "--fields"]) == 0
    out = capsys.readouterr().out
    assert "stoner_parameter_ev" in out
    assert "softness.value_per_gpa" in out
    assert "1/GPa" in out


@pytest.mark.usefixtures("here")
def test_export_writes_and_verify_says_what_became_of_it(tmp_path, capsys):
    arguments = ["--kind", "magnetism", "--where", "softness_class = soft", "-o", "data.jsonl"]
    assert cli.main(["export", *arguments]) == 0
    assert capsys.readouterr().out.startswith("data.jsonl: 1 documents, sha256 ")
    about = json.loads((tmp_path / "data.jsonl.json").read_text())
    assert about["query"]["where"] == ["softness_class = soft"]
    assert cli.main(["export", "--verify", "data.jsonl"]) == 0
    assert capsys.readouterr().out.endswith(": as it was written\n")
    assert cli.main(["export", *arguments]) == 2
    assert "exists" in capsys.readouterr().err
    with (tmp_path / "data.jsonl").open("a") as stream:
        stream.write("{}\n")
    assert cli.main(["export", "--verify", "data.jsonl"]) == 1
    assert capsys.readouterr().err.startswith("hightc: data.jsonl: changed since it was written")
    assert cli.main(["export", "--verify", "gone.jsonl"]) == 2
    assert "gone.jsonl.json: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-o", "a.jsonl", "--verify", "b.jsonl"]])
def test_export_needs_either_a_file_to_write_or_one_to_check(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", *arguments])
    assert ended.value.code == 2
    assert "see hightc export --help" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_terminal_that_is_too_narrow_cuts_no_number(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    assert cli.main(["query"]) == 0
    out = capsys.readouterr().out
    assert "\u2026" not in out
    assert len(re.findall(r"^material +\S+$", out, re.MULTILINE)) > 1
