"""Many workflows in the LaunchPad at once: which are there, which are not whole, and adding those that are missing.

FireWorks writes the workflows of a batch first and their fireworks after them. What a kill leaves between the two has a
workflow without some fireworks: it is recognised and removed, and the material is submitted anew.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any, TypeVar

from fireworks import LaunchPad, Workflow

from hightc.launch.errors import DatabaseError

Item = TypeVar("Item")

KEYS_A_QUERY = 1000
"""Keys or ids in one query: far below the 16 MB of a message of MongoDB."""

MATERIALS_A_QUERY = 100
"""Materials whose fireworks are asked for at once: about 1,000."""

WORKFLOWS_A_BATCH = 100
"""Workflows written at once: about 1,000 fireworks, 10 MB."""


@dataclass(frozen=True)
class KnownWorkflow:
    """A workflow that the LaunchPad has, with all its fireworks.

    Attributes
    ----------
    nodes
        Ids of its fireworks.
    values
        What its fireworks hold in the field that was asked for, where they have it.
    """

    nodes: tuple[int, ...]
    values: tuple[Any, ...]


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Parts of a sequence, none longer than a size.

    Parameters
    ----------
    items
        Any sequence.
    size
        Largest length of a part.
    """
    for start in range(0, len(items), size):
        yield items[start : start + size]


def find_among(
    collection: Any, field: str, values: Sequence[Any], fields: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """Documents whose field has one of many values, `KEYS_A_QUERY` values a query.

    Parameters
    ----------
    collection
        Collection of the database.
    field
        An indexed field.
    values
        Any number of values.
    fields
        Projection.

    Yields
    ------
    dict
        Each document once for each query that finds it.
    """
    for part in batches(values, KEYS_A_QUERY):
        yield from collection.find({field: {"$in": list(part)}}, fields)


def known_workflows(
    launchpad: LaunchPad, keys: Sequence[str], field: str, steps: Collection[str]
) -> dict[str, KnownWorkflow]:
    """Workflows of materials by key; those that a kill left without some fireworks are removed first.

    Of the fireworks, only those that may hold the field are read; whether the others are there is counted.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    keys
        Keys of materials.
    field
        Field of ``spec`` that is read.
    steps
        Names of the steps that may hold it, without the label of the material.

    Raises
    ------
    DatabaseError
        If fireworks of a workflow are gone though others of it were begun: that no kill explains.
    """
    nodes: dict[str, list[int]] = {}
    labels: dict[str, str] = {}
    fields = {"metadata.key": 1, "metadata.material": 1, "nodes": 1, "_id": 0}
    for found in find_among(launchpad.workflows, "metadata.key", keys, fields):
        key = found["metadata"]["key"]
        nodes.setdefault(key, [int(node) for node in found["nodes"]])
        labels.setdefault(key, str(found["metadata"].get("material", "")))
    missing = _missing_fireworks(launchpad, [node for ids in nodes.values() for node in ids])
    for key in [key for key, ids in nodes.items() if not missing.isdisjoint(ids)]:
        _remove_part(launchpad, key, nodes.pop(key))
    values: dict[int, Any] = {}
    for part in batches(list(nodes), MATERIALS_A_QUERY):
        ids = [node for key in part for node in nodes[key]]
        names = [f"{labels[key]} {step}" for key in part for step in steps]
        query = {"fw_id": {"$in": ids}, "name": {"$in": names}}
        for firework in launchpad.fireworks.find(query, {"fw_id": 1, f"spec.{field}": 1, "_id": 0}):
            values[int(firework["fw_id"])] = _spec(firework).get(field)
    return {
        key: KnownWorkflow(tuple(ids), tuple(values[node] for node in ids if values.get(node) is not None))
        for key, ids in nodes.items()
    }


def _missing_fireworks(launchpad: LaunchPad, ids: Sequence[int]) -> set[int]:
    """Which of some fireworks are not there."""
    missing: set[int] = set()
    for part in batches(ids, KEYS_A_QUERY):
        among = {"fw_id": {"$in": list(part)}}
        if launchpad.fireworks.count_documents(among) < len(part):
            there = {int(firework["fw_id"]) for firework in launchpad.fireworks.find(among, {"fw_id": 1})}
            missing |= set(part) - there
    return missing


def _spec(firework: Mapping[str, Any]) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = firework.get("spec", {})
    return spec


def _remove_part(launchpad: LaunchPad, key: str, ids: Sequence[int]) -> None:
    """Remove a workflow of which some fireworks were never written."""
    among = {"fw_id": {"$in": list(ids)}}
    if launchpad.launches.count_documents(among, limit=1):
        msg = (
            f"workflow of firework {min(ids)}: expected {len(ids)} fireworks, found fewer, and some were begun: remove "
            f"it with hightc lpad delete_wflows -i {min(ids)} and give hightc run again"
        )
        raise DatabaseError(msg)
    # the workflow last: what a kill leaves here is recognised again
    launchpad.fireworks.delete_many(among)
    launchpad.workflows.delete_one({"metadata.key": key, "nodes": min(ids)})


def add_workflows(launchpad: LaunchPad, workflows: Sequence[Workflow]) -> list[tuple[int, ...]]:
    """Add a batch of workflows; the ids of the fireworks of each, the highest first.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    workflows
        Workflows whose fireworks stand in the order of their ids: they get their new ids in that order.
    """
    with redirect_stderr(io.StringIO()):  # FireWorks draws a bar for every batch
        launchpad.bulk_add_wfs(list(workflows))
    return [tuple(sorted(workflow.id_fw, reverse=True)) for workflow in workflows]
