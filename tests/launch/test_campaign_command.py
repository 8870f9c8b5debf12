from __future__ import annotations

import re

import pytest
from fakes.tiny_campaign import ALUMINIUM, write_campaign

from hightc.launch.campaign_command import add_campaign
from hightc.launch.command_parser import CommandParser
from hightc.launch.errors import CampaignError

MORE = """
[materials.Pb]
prototype = "fcc Pb 4.95"

[materials.Nb]
prototype = "bcc Nb 3.3"

[materials.Nb-50]
prototype = "bcc Nb 3.1"
"""


@pytest.fixture
def command(settings):
    """Runs ``hightc campaign``."""

    def run(*words: str) -> int:
        parser = CommandParser(prog="hightc")
        add_campaign(parser.add_subparsers())
        options = parser.parse_args(["campaign", *words])
        return options.command(options)

    return run


def with_valence(folder, *elements):
    for element in elements:
        path = folder / "pseudo" / f"{element}.upf"
        path.write_text(path.read_text().replace("wfc_cutoff", 'z_valence="3.0" wfc_cutoff'))


def test_new_file_is_written_once(command, tmp_path, capsys):
    path = tmp_path / "new.toml"
    assert command("new", str(path)) == 0
    assert f"hightc campaign check {path}" in capsys.readouterr().out
    path.write_text("mine")
    with pytest.raises(CampaignError, match=r"expected a new file, found one: give another name"):
        command("new", str(path))
    assert path.read_text() == "mine"


def test_folder_that_cannot_be_written_is_named(command, tmp_path):
    with pytest.raises(CampaignError, match=r"nowhere/new\.toml: cannot be written \(No such file"):
        command("new", str(tmp_path / "nowhere" / "new.toml"))


def test_campaign_that_can_be_computed_is_costed(command, tmp_path, capsys):
    path = write_campaign(tmp_path, ALUMINIUM + '\n[materials.Al-2]\nprototype = "fcc Al 4.1"\n')
    with_valence(tmp_path, "Al")
    assert command("check", str(path)) == 0
    out = capsys.readouterr().out
    assert "campaign tiny: 2 materials" in out
    assert "jobs: 18: 2 relax, 2 scf dense, 2 scf, 2 ph.x electron-phonon" in out
    assert "core-hours: about " in out
    assert "the dearest: Al-2 " in out  # the larger cell has more plane waves
    assert "nothing to learn from here yet" in out
    assert "disk: about " in out
    assert not (tmp_path / "data" / "mongo").exists()  # no database is started to ask it


def test_campaign_with_a_funnel_is_costed_at_most_and_for_its_cheap_stage(command, tmp_path, capsys):
    funnel = '\n[funnel]\nmoment = true\n[[funnel.gates]]\nrequire = ["dos_per_ev_spin_atom >= 0.1"]\n'
    path = write_campaign(tmp_path, ALUMINIUM + funnel)
    with_valence(tmp_path, "Al")
    assert command("check", str(path)) == 0
    out = capsys.readouterr().out
    found = re.search(r"core-hours: about (\S+) at most, (\S+) of it before the first gate of the funnel", out)
    most, electrons = map(float, found.groups())
    assert 0 < electrons < most / 2
    assert "1 scf moment" in out
    assert "1 electrons gate" in out
    assert "1 ph.x electron-phonon" in out


def test_what_cannot_be_computed_is_counted_by_reason(command, tmp_path, capsys):
    path = write_campaign(tmp_path, ALUMINIUM + MORE, "Al", "Pb")
    with_valence(tmp_path, "Al")
    assert command("check", str(path)) == 1
    out = capsys.readouterr().out
    assert "campaign tiny: 2 materials" in out
    assert "unknown cost: Pb (no valence in a pseudopotential)" in out
    assert "elements without a pseudopotential: Nb: hightc pseudos install" in out
    assert "cannot be computed: 2\n       2  pseudopotential of Nb: none in PATH" in out
    (example,) = [line.strip() for line in out.splitlines() if "for example" in line]
    assert re.fullmatch(r"for example Nb\d?: pseudopotential of Nb: none in /.*", example)


def test_campaign_without_any_material_that_can_be_computed_is_not_an_error(command, tmp_path, capsys):
    path = write_campaign(tmp_path, ALUMINIUM.replace("fcc Al", "fcc Cu"))
    assert command("check", str(path)) == 1
    assert "elements without a pseudopotential: Cu" in capsys.readouterr().out


def test_file_that_cannot_be_read_is_an_error(command, tmp_path):
    with pytest.raises(CampaignError, match="no such file"):
        command("check", str(tmp_path / "none.toml"))


def test_studies_that_are_not_estimated_are_said(command, tmp_path, capsys):
    studies = '"fcc Al 4.05"\nstudies = ["magnetic_softness", "nesting"]\nmagnetism = { magnetic_elements = ["Al"] }'
    path = write_campaign(tmp_path, ALUMINIUM.replace('"fcc Al 4.05"', studies))
    with_valence(tmp_path, "Al")
    assert command("check", str(path)) == 0
    out = capsys.readouterr().out
    assert "not estimated: larger magnetic cells" in out
    assert "magnetic softness" in out
    assert "ph.x" not in out
