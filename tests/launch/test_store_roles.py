"""What hightc asks of a MongoDB is what the roles of the README grant, and no more."""

from __future__ import annotations

from contextlib import closing

import pytest
from fakes.tiny_campaign import NAME, TinyRun
from fakes.tiny_jobs import answer, fail
from jobflow import SETTINGS
from pymongo import monitoring

from hightc.analysis.documents import ForceConstantsDocument, TcDocument
from hightc.launch.lost_runs import campaign_names, failed_steps, put_back, running_steps
from hightc.launch.queries import documents
from hightc.launch.status import read_status
from hightc.launch.store import BLOB_STORE, Database

FOR_ALL = frozenset({"hello", "isMaster", "ping", "endSessions", "buildInfo", "saslStart", "saslContinue"})
"""Commands that need no role, or belong to the login."""

READ = FOR_ALL | {"find", "getMore", "killCursors", "aggregate", "count", "distinct", "listIndexes"}
"""What MongoDB's role read grants of a database."""

READ_WRITE = READ | {"insert", "update", "delete", "findAndModify", "createIndexes"}
"""What is used of the role readWrite."""


class Names(monitoring.CommandListener):
    """Names of the commands that this process sends, by database."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.seen.add((event.database_name, event.command_name))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing."""


NAMES = Names()
monitoring.register(NAMES)  # for the clients that are made from now on


@pytest.fixture
def real(database):
    """The database as one that is not the embedded server: it is asked for nothing that only that has."""
    other = Database(uri=database.uri, name=database.name, embedded=False)
    with closing(other):
        yield other


def used(database):
    outside = {command for name, command in NAMES.seen if name != database.name}
    assert outside <= FOR_ALL, "asked of another database"
    return {command for name, command in NAMES.seen if name == database.name}


def test_running_a_campaign_needs_read_write_on_its_database_alone(real, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIGHTC_PROCESSES", "1")
    monkeypatch.setattr(SETTINGS, "JOB_STORE", SETTINGS.JOB_STORE)
    NAMES.seen.clear()
    real.prepare()
    run = TinyRun(real, tmp_path, settings)
    run.submit("Al", [answer("one"), fail("no")])
    assert run() == 2
    with real.job_store() as store:
        store.update({"uuid": "u", "index": 1, "output": {"values": [1.0] * 1000}}, save={BLOB_STORE: "values"})
        assert store.query_one({"uuid": "u"}, load=True)["output"]["values"] == [1.0] * 1000
    (failed,) = failed_steps(real, NAME)
    assert put_back(failed.fw_ids, real) == 1
    assert used(real) <= READ_WRITE


def test_looking_at_campaigns_needs_read(database, real, tmp_path):
    NAMES.seen.clear()
    assert read_status(real).campaigns == ()
    assert campaign_names(real, None) == []
    assert running_steps(real, NAME, tmp_path, run_alive=False) == ()
    assert list(documents(real, TcDocument, tc_range=(1, None))) == []
    assert list(documents(real, ForceConstantsDocument, load_arrays=True)) == []
    assert used(real) <= READ
