"""Steps on nodes that cannot reach the database: documents travel in files of the step's folder.

FireWorks' offline mode carries the firework (FW.json) and its result (FW_offline.json); what jobflow reads and writes
beside it, documents and blobs, is carried here. FireWorks' own launcher cannot be used for it: version 2.1.4 opens its
files without a mode, which current monty refuses.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fireworks import Firework, FWAction, LaunchPad
from fireworks.core.rocket import do_ping, start_ping_launch, stop_backgrounds
from jobflow import SETTINGS, JobStore
from jobflow.core.reference import find_and_get_references
from jobflow.utils import find_key
from maggma.core import Store
from maggma.stores.mongolike import JSONStore

from hightc.analysis.files import write_text
from hightc.launch.errors import LaunchError
from hightc.launch.store import BLOB_STORE, Database
from hightc.makers.errors import OutOfTimeError

FIREWORK, RECORD, PING = "FW.json", "FW_offline.json", "FW_ping.json"
DOCUMENTS, BLOBS = "offline_documents.json", "offline_blobs.json"
IDENTITY = ["uuid", "index"]


def offline_store(folder: Path) -> JobStore:
    """Where a step without a database keeps its documents and blobs.

    Parameters
    ----------
    folder
        Folder of the step.
    """
    return JobStore(
        JSONStore(str(folder / DOCUMENTS), read_only=False, key="uuid"),
        additional_stores={BLOB_STORE: JSONStore(str(folder / BLOBS), read_only=False, key="blob_uuid")},
    )


def _blob_store(store: JobStore) -> Store:
    found: Store = store.additional_stores[BLOB_STORE]  # type: ignore[has-type] # of a constructor without types
    return found


def pack_inputs(fw_id: int, database: Database) -> Path:
    """Put into the folder of a step every document and blob that its job refers to.

    Parameters
    ----------
    fw_id
        A ready firework.
    database
        The database.

    Returns
    -------
    Path
        The folder.
    """
    firework = database.launchpad.get_fw_by_id(fw_id)
    folder = Path(os.path.expandvars(firework.spec["_launch_dir"]))
    folder.mkdir(parents=True, exist_ok=True)
    for name in (DOCUMENTS, BLOBS, PING, RECORD):
        (folder / name).unlink(missing_ok=True)
    source, target = database.job_store(), offline_store(folder)
    source.connect()
    target.connect()
    try:
        documents = _referred(source, _references(firework.spec["_tasks"]))
        if documents:
            target.docs_store.update(documents, key="uuid")
        blobs = _blobs(source, documents)
        if blobs:
            _blob_store(target).update(blobs, key="blob_uuid")
    finally:
        source.close()
        target.close()
    return folder


def _references(content: Any) -> set[str]:
    return {reference.uuid for reference in find_and_get_references(content)}


def _referred(source: JobStore, wanted: set[str]) -> list[dict[str, Any]]:
    """Newest documents of jobs, and those that their outputs refer to."""
    found: dict[str, dict[str, Any]] = {}
    while waiting := wanted - set(found):
        for uuid in waiting:
            document = source.docs_store.query_one({"uuid": uuid}, sort={"index": -1})
            if document is None:
                msg = f"job {uuid}: expected its document in the database, found none: was it removed?"
                raise LaunchError(msg)
            document.pop("_id", None)
            found[uuid] = document
            wanted = wanted | _references(document["output"])
    return list(found.values())


def _blobs(source: JobStore, documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [identity for document in documents for identity in _blob_ids(document)]
    if not ids:
        return []
    store = _blob_store(source)
    found = store.query({"blob_uuid": {"$in": ids}}, properties=["blob_uuid", "data"])
    return [{"blob_uuid": blob["blob_uuid"], "data": blob["data"]} for blob in found]


def _blob_ids(document: dict[Any, Any]) -> list[str]:
    found = []
    for location in find_key(document, "blob_uuid"):
        place: Any = document
        for key in location:
            place = place[key]
        found.append(str(place["blob_uuid"]))
    return found


def run_offline(folder: Path) -> None:
    """Run the firework of a folder; its result is read by `recover_offline`.

    Parameters
    ----------
    folder
        Folder of the step, which is the current one.

    Raises
    ------
    LaunchError
        If there is no firework to run.
    """
    try:
        firework = Firework.from_file(str(folder / FIREWORK))
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{folder}: expected a firework packed by hightc cluster launch, found none ({error})"
        raise LaunchError(msg) from None
    SETTINGS.JOB_STORE = offline_store(folder)
    _write_record(folder, {**record, "started_on": _now()})
    do_ping(None, 0)
    pinging = start_ping_launch(None, 0)
    try:
        action, state = _run_tasks(firework), "COMPLETED"
    except Exception as error:  # noqa: BLE001 - whatever a job raises is its result
        stack = traceback.format_exc()
        known = error.to_dict() if isinstance(error, OutOfTimeError) else None
        details = {"_exception": {"_stacktrace": stack, "_details": known}, "_message": str(error)}
        action, state = FWAction(stored_data=details, exit=True), "FIZZLED"
    finally:
        stop_backgrounds(pinging, [])
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    _write_record(folder, {**record, "fwaction": action.to_dict(), "state": state, "completed_on": _now()})


def _run_tasks(firework: Firework) -> FWAction:
    """Run the one task that a firework of jobflow has."""
    (task,) = firework.tasks
    task.fw_id = firework.fw_id
    return task.run_task(dict(firework.spec))


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    write_text(folder / RECORD, json.dumps(record))


def recover_offline(campaign: str, database: Database) -> list[int]:
    """Take over what steps without a database have done since: that they run, and their results.

    Parameters
    ----------
    campaign
        Name of the campaign.
    database
        The database.

    Returns
    -------
    list of int
        Fireworks that ended.
    """
    launchpad = database.launchpad
    ended = []
    for run in launchpad.offline_runs.find({"completed": False, "deprecated": False}, {"launch_id": 1, "fw_id": 1}):
        query = {"fw_id": run["fw_id"], "spec.campaign": campaign, "launches": run["launch_id"]}
        if not launchpad.fireworks.count_documents(query):
            continue
        launch = launchpad.launches.find_one({"launch_id": run["launch_id"]}, {"launch_dir": 1})
        if _recover(Path(launch["launch_dir"]), int(run["launch_id"]), int(run["fw_id"]), database):
            ended.append(int(run["fw_id"]))
    return ended


def _recover(folder: Path, launch_id: int, fw_id: int, database: Database) -> bool:
    """Take over one step; whether it ended."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # FireWorks would call a firework running that still waits in the queue
    if record.get("launch_id") != launch_id or "started_on" not in record:
        return False
    if "fwaction" in record:
        _upload(folder, fw_id, database)
    launchpad: LaunchPad = database.launchpad
    launchpad.recover_offline(launch_id, ignore_errors=False)
    return "fwaction" in record


def _upload(folder: Path, fw_id: int, database: Database) -> None:
    """Store the documents and blobs that a step wrote."""
    firework = database.launchpad.fireworks.find_one({"fw_id": fw_id}, {"spec._tasks.job.uuid": 1})
    uuid = firework["spec"]["_tasks"][0]["job"]["uuid"]
    source, target = offline_store(folder), database.job_store()
    source.connect()
    target.connect()
    try:
        documents = [_without_id(entry) for entry in source.docs_store.query({"uuid": uuid})]
        blobs = [_without_id(entry) for entry in _blob_store(source).query({"job_uuid": uuid})]
        if blobs:
            _blob_store(target).update(blobs, key="blob_uuid")
        if documents:
            target.docs_store.update(documents, key=IDENTITY)
    finally:
        source.close()
        target.close()


def _without_id(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "_id"}
