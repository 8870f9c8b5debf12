"""Passwords and keys through real commands: in no document, log, page, batch script or command line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote_plus

import bson
import pytest
from fakes.campaign_machine import HIGHTC, Machine
from fakes.password_server import password_door
from fakes.source_data import DATA
from fakes.tiny_campaign import ALUMINIUM, write_campaign
from fakes.web_server import Asked, Told, serving
from pymongo import MongoClient

from hightc.launch import embedded_mongo

PASSWORD = "hunter2/Zq+7"  # noqa: S105 - must not be seen again
KEY = "a1b2c3d4" * 4
SECRETS = (PASSWORD, quote_plus(PASSWORD), "hunter2", KEY, "door-of-the-gui", "hook-that-nobody-knows")
HEARTBEAT = {"status": "OK", "version": "0.87.3", "db_version": "2025.09.25", "access_controlled_batch_ids": []}
SOURCE = """
[[sources]]
kind = "materials_project"
ids = ["mp-910"]
endpoint = "{url}"
"""
PW = """#!/bin/sh
# with an empty input it is only asked for its version
[ "$2" != /dev/null ] || exit 0
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' > {root}/command-lines
exit 3
"""
SBATCH = """#!/bin/sh
cat "$1" > {root}/batch-script
env > {root}/environment-of-the-queue
echo Submitted batch job 77
"""


@dataclass(frozen=True)
class Guarded:
    """A machine that ran its commands, and what they said."""

    root: Path
    database: str
    said: str
    passwords: set[str]


def carbide(asked: Asked) -> Told:
    """A Materials Project with one material, for which there is no pseudopotential here."""
    if asked.path == "/heartbeat":
        return Told(HEARTBEAT)
    found = [item for item in json.loads((DATA / "summary.json").read_text()) if item["material_id"] == "mp-910"]
    return Told({"data": found, "meta": {"total_doc": 1}})


def program(path: Path, text: str) -> None:
    path.write_text(text.format(root=path.parents[1]))
    path.chmod(0o755)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    root = tmp_path_factory.mktemp("guarded")
    (root / "bin").mkdir()
    for name, text in (("pw.x", PW), ("sbatch", SBATCH), ("squeue", "#!/bin/sh\n")):
        program(root / "bin" / name, text)
    uri = embedded_mongo.start(root / "mongo")
    said = []
    with ExitStack() as stack:
        stack.callback(embedded_mongo.stop, root / "mongo")
        door = stack.enter_context(password_door(uri, "me", PASSWORD, "hightc"))
        source = ""
        if find_spec("mp_api") is not None:
            source = SOURCE.format(url=stack.enter_context(serving(carbide)).url)
        write_campaign(root, ALUMINIUM + source)
        environment = {
            **Machine(root).environment,
            "PATH": f"{root}/bin:{os.environ['PATH']}",
            "HIGHTC_PW_COMMAND": f"{root}/bin/pw.x",
            "HIGHTC_CORES": "1",
            "HIGHTC_MONGO_URI": door.uri,
            "HIGHTC_GUI_PASSWORD": "door-of-the-gui",
            "HIGHTC_NOTIFY_WEBHOOK": "https://127.0.0.1:9/hook-that-nobody-knows",
            "MP_API_KEY": KEY,
        }
        for command in (
            ("run", "tiny.toml"),
            ("settings",),
            ("lpad", "get_wflows"),
            ("recover",),
            ("cluster", "add", "lab"),
            ("cluster", "launch", "lab", "tiny.toml", "--once"),
        ):
            done = subprocess.run(
                [*HIGHTC, *command], env=environment, cwd=root, capture_output=True, text=True, timeout=300, check=False
            )
            said.append(f"{command}: {done.returncode}: {done.stdout}{done.stderr}")
        yield Guarded(root, uri, "\n".join(said), door.passwords)


def holds_secret(content: bytes) -> list[str]:
    return [secret for secret in SECRETS if secret.encode() in content]


def test_commands_ran_with_the_password(guarded: Guarded) -> None:
    assert guarded.passwords == {PASSWORD}
    assert "1 material: 1 failed" in guarded.said
    assert "submitted 1 jobs to lab: 77" in guarded.said


def test_commands_say_no_secret(guarded: Guarded) -> None:
    assert holds_secret(guarded.said.encode()) == []


def test_files_that_hold_a_secret_are_their_owners_alone(guarded: Guarded) -> None:
    files = [path for path in guarded.root.rglob("*") if path.is_file()]
    holders = {path.name: path for path in files if holds_secret(path.read_bytes())}
    assert set(holders) == {"launchpad.yaml", "my_launchpad.yaml"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in holders.values()} == {0o600}
    assert any(path.name == "report.html" for path in files)
    assert any(path.parent.name == "workers" and path.suffix == ".log" for path in files)


def test_no_command_line_holds_a_secret_while_a_worker_runs(guarded: Guarded) -> None:
    lines = (guarded.root / "command-lines").read_bytes()
    assert b"hightc.launch.worker" in lines
    assert holds_secret(lines) == []


def test_the_queue_is_told_no_secret(guarded: Guarded) -> None:
    script = (guarded.root / "batch-script").read_text()
    assert "hightc.launch.cluster_job" in script
    assert holds_secret(script.encode()) == []
    environment = (guarded.root / "environment-of-the-queue").read_bytes()
    assert b"HIGHTC_PW_COMMAND" in environment
    assert holds_secret(environment) == []


def test_no_document_holds_a_secret(guarded: Guarded) -> None:
    with MongoClient[dict](guarded.database) as client:
        stored = [
            bson.encode(document)
            for database in client.list_database_names()
            for name in client[database].list_collection_names()
            for document in client[database][name].find()
        ]
    assert any(b"pw.x failed in" in document for document in stored)
    assert [holds_secret(document) for document in stored if holds_secret(document)] == []
