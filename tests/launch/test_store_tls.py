"""Options of HIGHTC_MONGO_URI reach everything that talks to the database, and TLS is TLS."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import quote, unquote, urlsplit

import numpy as np
import pytest
from fakes.tiny_campaign import NAME, TinyRun
from fakes.tiny_jobs import answer
from fakes.tls_proxy import make_certificate, tls_proxy
from jobflow import SETTINGS, Job
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import ServerSelectionTimeoutError

from hightc.launch import embedded_mongo
from hightc.launch.patience import Patience
from hightc.launch.status import read_status
from hightc.launch.store import BLOB_STORE, OUTPUTS, Database, open_database

OPTIONS = "authSource=people&replicaSet=rs0&tls=true&readPreference=primary&retryWrites=false"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """Address of a server that answers over TLS only, its certificate, and one of somebody else."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate(folder, "server")
    other, _ = make_certificate(folder, "other")
    socket_path = unquote(urlsplit(embedded_mongo.start(folder / "mongo")).netloc)
    try:
        with tls_proxy(socket_path, certificate, key) as port:
            yield f"mongodb://127.0.0.1:{port}", certificate, other
    finally:
        embedded_mongo.stop(folder / "mongo")


@pytest.fixture
def over_tls(tls, settings):
    """A database that is reached as the settings say."""
    address, certificate, _ = tls
    uri = f"{address}/over_tls?tls=true&tlsCAFile={quote(str(certificate), safe='')}"
    database = open_database(settings.model_copy(update={"mongo_uri": SecretStr(uri)}))
    with closing(database):
        database.prepare()
        yield database
        database.client.drop_database(database.name)


def test_a_campaign_runs_over_tls(over_tls, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIGHTC_PROCESSES", "1")
    monkeypatch.setattr(SETTINGS, "JOB_STORE", SETTINGS.JOB_STORE)
    run = TinyRun(over_tls, tmp_path, settings)
    run.submit("Al", [answer("one"), answer("two")])
    assert run() == 2
    assert sorted(entry["output"] for entry in over_tls.collections[OUTPUTS].find()) == ["one", "two"]
    (campaign,) = read_status(over_tls, NAME).campaigns
    assert campaign.steps == {"COMPLETED": 2}


@pytest.mark.parametrize("patient", [False, True])
def test_large_arrays_go_over_tls(over_tls, patient):
    patience = Patience(1.0, print) if patient else None
    database = Database(uri=over_tls.uri, name=over_tls.name, embedded=False, patience=patience)
    values = np.arange(1000.0).tolist()
    with database.job_store() as store:
        job = Job(sorted, function_args=(values,), data="output")
        job.config.expose_store = False
        store.update({"uuid": job.uuid, "index": 1, "output": {"values": values}}, save={BLOB_STORE: "values"})
        stored = store.docs_store.query_one({"uuid": job.uuid})
        assert set(stored["output"]["values"]) >= {"@class", "blob_uuid", "store"}
        assert store.query_one({"uuid": job.uuid}, load=True)["output"]["values"] == values
    database.close()


def test_a_certificate_that_another_authority_signed_is_refused(tls):
    address, _, other = tls
    uri = f"{address}/?tls=true&tlsCAFile={quote(str(other), safe='')}&serverSelectionTimeoutMS=300"
    with MongoClient(uri) as client, pytest.raises(ServerSelectionTimeoutError, match="CERTIFICATE_VERIFY_FAILED"):
        client.admin.command("ping")


def test_nothing_goes_unencrypted(tls):
    address, _, _ = tls
    with MongoClient(f"{address}/?serverSelectionTimeoutMS=300") as client, pytest.raises(ServerSelectionTimeoutError):
        client.admin.command("ping")


@pytest.mark.parametrize("patient", [False, True])
def test_every_client_takes_login_tls_and_replica_set_from_the_uri(patient):
    # nobody listens there: clients connect when they are first used
    uri = f"mongodb://worker:p%40ss@127.0.0.1:9/campaigns?{OPTIONS}"
    patience = Patience(0.0, print) if patient else None
    with closing(Database(uri=uri, name="campaigns", embedded=False, patience=patience)) as database:
        store = database.job_store()
        store.connect()
        blobs = store.additional_stores[BLOB_STORE]
        clients = {
            "client": database.client,
            "launchpad": database.launchpad.connection,
            "documents": store.docs_store._collection.database.client,
            "blobs": blobs._files_collection.database.client,
        }
        for name, client in clients.items():
            options = client.options
            login = options.pool_options._credentials
            assert (login.username, login.password, login.source) == ("worker", "p@ss", "people"), name
            assert (options.replica_set_name, options.retry_writes) == ("rs0", False), name
            assert options.pool_options._ssl_context is not None, name
        store.close()
