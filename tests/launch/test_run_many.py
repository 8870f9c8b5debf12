"""A campaign of more materials than are shown one by one, through its workers to its end."""

from __future__ import annotations

import io
import sys

import pytest
from fakes.tiny_campaign import ALUMINIUM, write_campaign
from rich.console import Console

from hightc.launch import embedded_mongo
from hightc.launch.campaign_watch import MOST_SHOWN
from hightc.launch.run import run_campaign
from hightc.launch.settings import Settings

PROGRAMS = ("PW", "PH", "Q2R", "MATDYN")


@pytest.fixture
def broken(settings, monkeypatch):
    """Settings of a machine whose programs end with an error at once."""
    for name in PROGRAMS:
        monkeypatch.setenv(f"HIGHTC_{name}_COMMAND", f"{sys.executable} -c 'raise SystemExit(3)'")
    yield Settings(cores=1)
    embedded_mongo.stop(settings.data_directory / "mongo")


def test_changes_are_told_one_by_one_and_all_are_counted(broken, tmp_path):
    labels = [f"Al{number:02d}" for number in range(MOST_SHOWN + 1)]
    entries = "\n".join(
        f'[materials.{label}]\nprototype = "fcc Al {4 + number / 100}"' for number, label in enumerate(labels)
    )
    path = write_campaign(tmp_path, ALUMINIUM.replace('[materials.Al]\nprototype = "fcc Al 4.05"\n', entries))
    stream = io.StringIO()
    assert run_campaign(path, broken, Console(file=stream, width=100)) == 1
    said = stream.getvalue()
    total = len(labels)
    assert f"[0:00] {total} materials: {total} waiting" in said
    assert all(f"] {label}: failed, relax (0/9)" in said for label in labels)
    assert f"{total} materials: {total} failed" in said
