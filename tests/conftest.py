"""What tests of several layers share: settings of nobody's machine, and an embedded database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from fakes.chosen_server import chosen_server, is_embedded, with_database
from fakes.tiny_campaign import TinyRun
from jobflow import SETTINGS

from hightc.launch import embedded_mongo
from hightc.launch.settings import Settings
from hightc.launch.store import Database

GIVEN_ENVIRONMENT = dict(os.environ)
"""Tests take every setting of this machine out of the environment."""


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
    """URI of a server that every test of a module shares: that of HIGHTC_TEST_MONGO_URI, else an embedded one."""
    given = chosen_server(GIVEN_ENVIRONMENT)
    if given is not None:
        yield given
        return
    directory = tmp_path_factory.mktemp("mongo") / "data"
    yield embedded_mongo.start(directory)
    embedded_mongo.stop(directory)


@pytest.fixture
def database(server: str) -> Iterator[Database]:
    """An empty database of the module's server, dropped at the end."""
    name = f"hightc_test_{uuid4().hex[:12]}"
    database = Database(uri=with_database(server, name), name=name, embedded=is_embedded(server))
    try:
        database.prepare()
        yield database
    finally:
        database.client.drop_database(name)
        database.close()


@pytest.fixture
def run_worker(database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyRun:
    """A worker in this process, which leaves current folder, environment and job store as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIGHTC_PROCESSES", "1")
    monkeypatch.setattr(SETTINGS, "JOB_STORE", SETTINGS.JOB_STORE)
    return TinyRun(database, tmp_path, settings)
