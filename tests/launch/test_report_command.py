from __future__ import annotations

from pathlib import Path

import pytest
from fakes.report_results import make_structure
from fakes.stored_campaign import material_of, store_material

from hightc.launch import cli
from hightc.launch.store import Database

CAMPAIGN = """\
name = "test"
[materials.Po]
prototype = "sc Po 3.3"
"""


@pytest.fixture
def here(database: Database, settings: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Settings that find two campaigns of one material each, in an empty folder."""
    assert settings
    for campaign in ("test", "other"):
        store_material(database, material_of("Po", campaign), {"relax": make_structure("Po")})
    monkeypatch.setenv("HIGHTC_MONGO_URI", f"{database.uri}")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "nb.toml").write_text(CAMPAIGN, encoding="utf-8")
    return tmp_path


def test_the_site_of_a_campaign_file_stands_in_the_folder_of_its_campaign(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "nb.toml"]) == 0
    index = here / "runs" / "test" / "site" / "index.html"
    assert index.is_file()
    printed = capsys.readouterr().out
    assert f"site: {index}" in printed
    assert "1 written, 0 unchanged" in printed
    assert "hightc run nb.toml" in (index.parent / "materials" / "Po.html").read_text(encoding="utf-8")


def test_a_name_is_enough_and_the_folder_can_be_chosen(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "test", "--output", "pages"]) == 0
    assert (here / "here" / "pages" / "materials" / "Po.html").is_file()
    assert cli.main(["report", "test", "--output", "pages"]) == 0
    assert "0 written, 1 unchanged" in capsys.readouterr().out
    assert cli.main(["report", "test", "--output", "pages", "--anew"]) == 0
    assert "1 written, 0 unchanged" in capsys.readouterr().out


def test_all_campaigns_share_a_site(here: Path) -> None:
    assert cli.main(["report", "--all"]) == 0
    found = sorted(path.as_posix() for path in (here / "runs" / "site" / "materials").rglob("*.html"))
    assert [path.rpartition("materials/")[2] for path in found] == ["other/Po.html", "test/Po.html"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected campaign files or names, or --all"),
        (["test", "--all"], "expected campaign files or names, or --all"),
        (["nonsense"], "campaign 'nonsense': expected one of the database"),
        (["missing.toml"], "no such file"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_material_without_a_page_is_named_and_changes_the_exit_code(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    database.launchpad.fireworks.update_many(
        {"name": {"$regex": "^Po"}, "spec.campaign": "test"}, {"$unset": {"spec._tasks.0.job.function": 1}}
    )
    assert cli.main(["report", "test"]) == 1
    assert "no page: Po (test): its workflow holds no recipe of hightc" in capsys.readouterr().out
