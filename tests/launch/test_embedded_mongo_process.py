"""One server a directory: how it is started, found, protected and stopped."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import pytest
from pymongo import MongoClient

from hightc.launch import embedded_mongo
from hightc.launch.embedded_mongo import ServerNotRunningError, ServerStartError, UnsafeLocationError
from hightc.launch.embedded_mongo.location import place_socket


@pytest.fixture
def directory(tmp_path):
    chosen = tmp_path / "db"
    yield chosen
    embedded_mongo.stop(chosen)


def socket_of(uri):
    return Path(unquote(uri.removeprefix("mongodb://").rpartition("/")[0]))


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_started_server_answers_and_a_stopped_one_keeps_the_data(directory):
    uri = embedded_mongo.start(directory)
    with MongoClient(uri) as client:
        client.get_default_database().c.insert_one({"_id": 1})
    assert embedded_mongo.uri(directory) == uri
    embedded_mongo.stop(directory)
    assert not socket_of(uri).exists()
    with MongoClient(embedded_mongo.start(directory)) as client:
        assert list(client.hightc.c.find()) == [{"_id": 1}]


def test_directory_socket_journal_and_log_are_the_users_alone(directory):
    path = socket_of(embedded_mongo.start(directory))
    assert mode(directory) == 0o700
    assert stat.S_ISSOCK(path.lstat().st_mode)
    for private in (path, directory / "journal", directory / "lock", directory / "server.log"):
        assert mode(private) == 0o600, private


def test_starting_where_one_lives_returns_the_living_one(directory):
    uri = embedded_mongo.start(directory)
    pid = embedded_mongo.status(directory).pid
    assert embedded_mongo.start(directory) == uri
    assert embedded_mongo.status(directory).pid == pid


def test_many_starts_at_once_make_one_server(directory):
    found = []
    threads = [threading.Thread(target=lambda: found.append(embedded_mongo.start(directory))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    embedded_mongo.stop(directory)
    time.sleep(1.0)
    assert not embedded_mongo.status(directory).running, "one that lost the race began to serve"
    assert (directory / "server.log").read_text().count("stand-in for ONE machine") == 1


def test_a_killed_server_is_replaced_and_its_socket_cleaned(directory):
    path = socket_of(embedded_mongo.start(directory))
    os.kill(embedded_mongo.status(directory).pid, signal.SIGKILL)
    wait_until(lambda: embedded_mongo.status(directory).pid is None)
    assert path.exists()
    with pytest.raises(ServerNotRunningError):
        embedded_mongo.uri(directory)
    assert socket_of(embedded_mongo.start(directory)) == path
    assert embedded_mongo.status(directory).running


def test_the_status_tells_what_the_server_holds(directory):
    before = embedded_mongo.status(directory)
    assert (before.running, before.pid, before.uri, before.n_documents, before.journal_bytes) == (
        False,
        None,
        None,
        None,
        0,
    )
    uri = embedded_mongo.start(directory)
    with MongoClient(uri) as client:
        client.hightc.c.insert_many([{"_id": number} for number in range(10)])
    now = embedded_mongo.status(directory)
    assert (now.running, now.uri, now.n_documents, now.data_bytes) == (True, uri, 10, 140)
    assert now.journal_bytes == (directory / "journal").stat().st_size
    assert now.version == before.version
    embedded_mongo.stop(directory)
    assert embedded_mongo.status(directory).journal_bytes == now.journal_bytes


def test_stopping_where_nothing_runs_does_nothing(tmp_path):
    embedded_mongo.stop(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(tmp_path, monkeypatch):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    long = tmp_path / ("d" * 120)
    try:
        path = socket_of(embedded_mongo.start(long))
        assert path.parent == runtime / "hightc"
        assert mode(path.parent) == 0o700
        assert mode(path) == 0o600
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        assert socket_of(embedded_mongo.uri(long)) == path, "another environment finds the same server"
    finally:
        embedded_mongo.stop(long)


def test_a_runtime_directory_of_others_is_refused(tmp_path, monkeypatch):
    runtime = tmp_path / "run"
    (runtime / "hightc").mkdir(parents=True)
    (runtime / "hightc").chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(UnsafeLocationError, match="0700"):
        place_socket(tmp_path / ("d" * 120))


def test_a_runtime_directory_that_is_a_link_is_refused(tmp_path, monkeypatch):
    runtime = tmp_path / "run"
    runtime.mkdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (runtime / "hightc").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(UnsafeLocationError):
        place_socket(tmp_path / ("d" * 120))


def test_a_file_in_the_sockets_place_is_not_removed(tmp_path):
    (tmp_path / "mongo.sock").write_text("precious")
    with pytest.raises(UnsafeLocationError, match="remove what is there"):
        place_socket(tmp_path)
    assert (tmp_path / "mongo.sock").read_text() == "precious"


def test_a_directory_open_to_others_with_other_files_is_refused(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "thesis.tex").touch()
    with pytest.raises(UnsafeLocationError, match="of its own"):
        embedded_mongo.start(shared)
    assert mode(shared) == 0o755


def test_an_empty_directory_open_to_others_is_made_private(directory):
    directory.mkdir()
    directory.chmod(0o755)
    embedded_mongo.start(directory)
    assert mode(directory) == 0o700


def test_a_server_that_cannot_start_says_why_from_its_log(tmp_path):
    directory = tmp_path / "db"
    directory.mkdir(mode=0o700)
    (directory / "journal").write_bytes(b"this is not a journal")
    with pytest.raises(ServerStartError, match=r"status 1:(.|\n)*journal offset 0: expected the preamble"):
        embedded_mongo.start(directory)


def test_a_server_of_another_machine_is_not_mistaken_for_ours(directory, monkeypatch):
    embedded_mongo.start(directory)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "gethostname", lambda: "another-machine")
        with pytest.raises(ServerStartError, match="one machine"):
            embedded_mongo.start(directory)


def test_the_server_survives_its_parents_end_and_interrupt(directory):
    program = (
        "import sys, time; from pathlib import Path; from hightc.launch import embedded_mongo; "
        "print(embedded_mongo.start(Path(sys.argv[1])), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as parent:
        uri = parent.stdout.readline().decode().strip()
        os.killpg(parent.pid, signal.SIGINT)
        parent.wait(10)
    with MongoClient(uri) as client:
        assert client.admin.command("ping")["ok"] == 1.0


def test_an_idle_server_ends_and_a_used_one_does_not(directory):
    uri = embedded_mongo.start(directory, idle_exit_seconds=1.0)
    with MongoClient(uri) as client:
        client.admin.command("ping")
        time.sleep(2.0)
        assert client.admin.command("ping")["ok"] == 1.0
    # Asking for the status would be a client again.
    wait_until(lambda: not socket_of(uri).exists())
    assert "no client for 1 s" in (directory / "server.log").read_text()


def test_a_server_whose_directory_is_removed_ends(directory):
    uri = embedded_mongo.start(directory)
    pid = embedded_mongo.status(directory).pid
    shutil.rmtree(directory)
    wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)
    assert embedded_mongo.start(directory) == uri
    assert embedded_mongo.status(directory).n_documents == 0


def test_termination_waits_for_what_was_acknowledged(directory):
    uri = embedded_mongo.start(directory)
    acknowledged = []

    def write():
        with MongoClient(uri, serverSelectionTimeoutMS=500) as client:
            for number in range(100_000):
                try:
                    client.hightc.c.insert_one({"_id": number})
                except Exception:  # noqa: BLE001 - whatever the driver makes of the closed socket ends the writer
                    return
                acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(lambda: len(acknowledged) > 100)
    embedded_mongo.stop(directory)
    writer.join()
    with MongoClient(embedded_mongo.start(directory)) as client:
        assert {found["_id"] for found in client.hightc.c.find()} >= set(acknowledged)


def test_the_log_says_that_it_is_for_one_machine_and_holds_no_documents(directory):
    with MongoClient(embedded_mongo.start(directory)) as client:
        client.hightc.c.insert_one({"_id": 1, "s": "a-secret-value"})
        client.hightc.c.find_one({"s": "a-secret-value"})
    embedded_mongo.stop(directory)
    log = (directory / "server.log").read_text()
    assert "ONE machine" in log
    assert "a-secret-value" not in log
