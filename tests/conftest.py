"""What tests of several layers share: settings of nobody's machine, and an embedded database."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.tiny_campaign import TinyRun
from jobflow import SETTINGS

from hightc.launch import embedded_mongo
from hightc.launch.settings import Settings
from hightc.launch.store import Database

DATABASE_NUMBERS = itertools.count()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a machine with one core, in this process and its children."""
    for name in [name for name in os.environ if name.upper().startswith("HIGHTC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HIGHTC_SETTINGS_FILE", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("HIGHTC_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("HIGHTC_WORK_DIRECTORY", str(tmp_path / "runs"))
    return Settings(cores=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of an embedded server that every test of a module shares."""
    directory = tmp_path_factory.mktemp("mongo") / "data"
    yield embedded_mongo.start(directory)
    embedded_mongo.stop(directory)


@pytest.fixture
def database(server: str) -> Iterator[Database]:
    """An empty database of the module's server."""
    name = f"test{next(DATABASE_NUMBERS)}"
    database = Database(uri=f"{server.rpartition('/')[0]}/{name}", name=name, embedded=True)
    database.prepare()
    yield database
    database.launchpad.connection.close()
    database.client.close()


@pytest.fixture
def run_worker(database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyRun:
    """A worker in this process, which leaves current folder, environment and job store as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIGHTC_PROCESSES", "1")
    monkeypatch.setattr(SETTINGS, "JOB_STORE", SETTINGS.JOB_STORE)
    return TinyRun(database, tmp_path, settings)
