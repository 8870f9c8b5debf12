from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from hightc.makers.base import clean_stop_seconds
from hightc.makers.execution import CLEAN_STOP_SECONDS
from hightc.makers.settings import compute_settings, settings_file


def test_argument_wins_over_environment_over_file_over_default(monkeypatch):
    assert compute_settings().processes == 1
    Path(os.environ["HIGHTC_SETTINGS_FILE"]).write_text("processes = 2\nthreads = 3\nunknown = 1\n")
    assert (compute_settings().processes, compute_settings().threads) == (2, 3)
    monkeypatch.setenv("HIGHTC_PROCESSES", "4")
    assert (compute_settings().processes, compute_settings().threads) == (4, 3)
    assert compute_settings(processes=5).processes == 5


def test_settings_are_those_of_the_moment_they_are_read(monkeypatch):
    monkeypatch.setenv("HIGHTC_PW_COMMAND", "first")
    first = compute_settings()
    monkeypatch.setenv("HIGHTC_PW_COMMAND", "second")
    assert (first.pw_command, compute_settings().pw_command) == ("first", "second")


def test_file_and_data_follow_the_users_own_folders(monkeypatch, tmp_path):
    monkeypatch.delenv("HIGHTC_SETTINGS_FILE")
    monkeypatch.delenv("HIGHTC_DATA_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert settings_file() == tmp_path / "config" / "hightc" / "settings.toml"
    assert compute_settings().pseudopotentials_directory == tmp_path / "data" / "hightc" / "pseudopotentials"


@pytest.mark.parametrize(
    ("name", "value"), [("processes", 0), ("threads", 0), ("walltime_seconds", 10), ("scratch_minimum_gb", -1)]
)
def test_setting_that_cannot_work_is_refused_by_name(name, value):
    with pytest.raises(ValidationError, match=name):
        compute_settings(**{name: value})


@pytest.mark.parametrize(
    ("walltime", "expected"),
    [(None, None), (3600.0, 3600 - CLEAN_STOP_SECONDS), (90.0, CLEAN_STOP_SECONDS)],
)
def test_program_is_asked_to_stop_a_minute_before_its_time_is_over(walltime, expected):
    assert clean_stop_seconds(compute_settings(walltime_seconds=walltime)) == expected
