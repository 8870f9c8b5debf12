"""Materials of a campaign in a database as a run leaves them: workflow, states, and a document for each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes.report_results import make_material
from monty.json import jsanitize

from hightc.analysis.documents import Document, MaterialTag
from hightc.launch.bulk_launchpad import add_workflows
from hightc.launch.campaign import Material
from hightc.launch.dispatch import make_workflow
from hightc.launch.store import OUTPUTS, Database

STORED_AT = "2026-11-23T01:02:03.000000"


def material_of(label: str, campaign: str = "test", **changes: Any) -> Material:
    tag = MaterialTag(campaign=campaign, material=label, **changes.pop("tag", {}))
    return replace(make_material(label), tag=tag, key=f"{label}-of-{campaign}", **changes)


def store_material(
    database: Database,
    material: Material,
    documents: Mapping[str, Document],
    *,
    failed: str | None = None,
    reason: str = "",
) -> None:
    """Add a material whose steps have documents, by the step's name without the label.

    Parameters
    ----------
    database
        The database.
    material
        The material.
    documents
        Documents by step; what follows the last is COMPLETED too, or WAITING behind a failed step.
    failed
        Step that failed.
    reason
        Its traceback.
    """
    workflow = make_workflow(material, Path("/runs/test"))
    add_workflows(database.launchpad, [workflow])
    label = material.tag.material
    for firework in workflow.fws:
        step = firework.name.removeprefix(f"{label} ")
        found = documents.get(step)
        if step == failed:
            _fail(database, firework.fw_id, reason)
        elif found is not None:
            uuid = firework.spec["_tasks"][0]["job"]["uuid"]
            store_document(database, uuid, found, material)
        if found is not None or (failed is None and documents):
            database.launchpad.fireworks.update_one({"fw_id": firework.fw_id}, {"$set": {"state": "COMPLETED"}})


def store_document(database: Database, uuid: str, document: Document, material: Material) -> None:
    """Store a document of a job, under the campaign and label of a material, as the end of its step does."""
    identity = material.tag.model_dump(include={"campaign", "material"})
    output = jsanitize(document.model_copy(update=identity).model_dump(), strict=True)
    entry = {"uuid": uuid, "index": 1, "completed_at": STORED_AT, "output": output}
    database.collections[OUTPUTS].insert_one(entry)
    own = {f"metadata.{name}": value for name, value in identity.items()}
    database.launchpad.workflows.update_one(own, {"$set": {"updated_on": datetime.now(UTC)}})


def _fail(database: Database, fw_id: int, trace: str) -> None:
    launch = {"launch_id": 1000 + fw_id, "fw_id": fw_id, "launch_dir": "/runs/test/bad", "state": "FIZZLED"}
    launch["action"] = {"stored_data": {"_exception": {"_stacktrace": trace}}}
    database.launchpad.launches.insert_one(launch)
    change = {"state": "FIZZLED", "launches": [1000 + fw_id]}
    database.launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": change})
