from __future__ import annotations

import argparse
import csv

import pytest
from fakes.source_data import STRUCTURES, SUPERCON, pack_cifs

from hightc.launch.command_parser import CommandParser
from hightc.launch.errors import LaunchError
from hightc.launch.sources_command import add_sources


def run(*arguments: str) -> int:
    parser = CommandParser(prog="hightc")
    add_sources(parser.add_subparsers())
    options: argparse.Namespace = parser.parse_args(["sources", "check", *arguments])
    return int(options.command(options))


def tables(tmp_path) -> list[str]:
    return ["--supercon", str(SUPERCON), "--3dsc", str(STRUCTURES), str(pack_cifs(tmp_path))]


def test_check_counts_structures_and_reasons(tmp_path, capsys):
    assert run(*tables(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "8  unparseable formula" in printed
    assert "1  doping beyond tolerance" in printed
    assert "different ones" in printed
    assert "none reported" in printed


def test_check_writes_every_material_and_every_refusal(tmp_path, capsys):
    materials, refused = tmp_path / "materials.csv", tmp_path / "refused.csv"
    run(*tables(tmp_path), "--materials", str(materials), "--refused", str(refused))
    with materials.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {"label", "formula", "atoms", "pressure_gpa", "sources"} == set(rows[0])
    with refused.open(newline="") as stream:
        codes = [row["code"] for row in csv.DictReader(stream)]
    assert codes.count("unparseable_formula") == 8
    assert f"{refused}: {len(codes)} lines" in capsys.readouterr().out


def test_check_reads_the_sources_of_a_campaign_file(tmp_path, capsys):
    path = tmp_path / "campaign.toml"
    path.write_text('[[sources]]\nkind = "prototype"\nprototypes = ["fcc Al 4.05"]\npressures_gpa = [0, 20]\n')
    assert run(str(path)) == 0
    assert "2 materials" in capsys.readouterr().out


def test_names_in_a_file_cannot_steer_the_terminal(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("name,Tc\nNb3Sn,18\n\x1b[31mNb,9\n")
    run("--supercon", str(table), "--3dsc", str(STRUCTURES), str(pack_cifs(tmp_path)))
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected a campaign file, or --supercon"),
        (["--supercon", "a.csv"], "expected --3dsc TABLE ARCHIVE with it"),
        (["a.toml", "--max-doping", "0.1"], "with --supercon alone"),
        (["none.toml"], "cannot be read"),
        (["a.toml", "--supercon", "b.csv"], "expected a campaign file, or --supercon"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(LaunchError, match=words):
        run(*arguments)


def test_campaign_file_without_sources_is_refused(tmp_path):
    path = tmp_path / "campaign.toml"
    path.write_text("[materials.Al]\nprototype = 'fcc Al 4.05'\n")
    with pytest.raises(LaunchError, match=r"expected a table \[\[sources\]\], found none"):
        run(str(path))


def test_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(LaunchError, match="expected a place to write a table"):
        run(*tables(tmp_path), "--refused", str(tmp_path / "none" / "out.csv"))


def test_doping_that_is_no_share_is_refused(capsys):
    with pytest.raises(SystemExit):
        run("--supercon", "a", "--max-doping", "0.7")
    assert "expected a number from 0 to below 0.5" in capsys.readouterr().err
