"""The materials of a campaign as the database alone knows them, with a digest of what is stored of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.launch.campaign import Material
from hightc.launch.campaign_file import Study
from hightc.launch.dispatch import MU_STAR, Submission, in_order
from hightc.launch.store import Database
from hightc.makers.qe.magnetic_recipe import MagneticRecipe
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe
from hightc.makers.tc import DEFAULT_MU_STAR

RecipeT = TypeVar("RecipeT", bound=BaseModel)

DROPPED: Final = ("ARCHIVED",)
"""States of workflows that somebody put away."""

SET_ASIDE: Final = "PAUSED"
"""State of the workflow of a label whose numbers were changed."""

COUPLING_MAKERS: Final = frozenset({"CouplingMaker", "Alpha2FMaker", "TcMaker"})
"""Makers whose jobs say that a Tc was asked for."""


@dataclass(frozen=True)
class StoredMaterial:
    """One material of a campaign in the database.

    Attributes
    ----------
    campaign, label
        Name of the campaign, label of the material.
    key
        Digest of its inputs.
    nodes
        Ids of its fireworks.
    studies
        What was asked of it, where its workflow says so; else empty.
    digest
        Changes whenever a step of it ends.
    updated
        When that was last, UTC; when it was submitted, if none has ended.
    """

    campaign: str
    label: str
    key: str
    nodes: tuple[int, ...]
    studies: tuple[Study, ...]
    digest: str
    updated: str


def campaign_names(database: Database) -> list[str]:
    """Names of all campaigns in the database.

    Parameters
    ----------
    database
        The database.
    """
    return sorted(str(name) for name in database.launchpad.workflows.distinct("metadata.campaign") if name)


def stored_materials(database: Database, campaign: str) -> list[StoredMaterial]:
    """Find the materials of a campaign, by label; of several workflows of a label the newest counts.

    Only the workflows are read, a few hundred bytes of each, and no document: a step that stores one, or fails, changes
    the time of its workflow.

    Parameters
    ----------
    database
        The database.
    campaign
        Name of the campaign.
    """
    query = {"metadata.campaign": campaign, "state": {"$nin": list(DROPPED)}}
    fields = {"metadata": 1, "nodes": 1, "state": 1, "fw_states": 1, "updated_on": 1, "_id": 0}
    workflows: dict[str, Mapping[str, Any]] = {}
    for found in database.launchpad.workflows.find(query, fields):
        label = str(found["metadata"].get("material", ""))
        if label not in workflows or _rank(found) > _rank(workflows[label]):
            workflows[label] = found
    return [_stored(campaign, label, workflows[label]) for label in sorted(workflows)]


def _rank(workflow: Mapping[str, Any]) -> tuple[bool, int]:
    """Workflows that a changed campaign file set aside come last, then older ones."""
    return workflow["state"] != SET_ASIDE, min(workflow["nodes"])


def _stored(campaign: str, label: str, workflow: Mapping[str, Any]) -> StoredMaterial:
    metadata = workflow["metadata"]
    content = json.dumps(workflow, sort_keys=True, default=str)
    return StoredMaterial(
        campaign=campaign,
        label=label,
        key=str(metadata.get("key", "")),
        nodes=tuple(int(node) for node in workflow["nodes"]),
        studies=tuple(metadata.get("studies", ())),
        digest=hashlib.sha256(content.encode()).hexdigest(),
        updated=f"{workflow['updated_on']:%Y-%m-%d %H:%M}",
    )


def stored_submissions(materials: Sequence[StoredMaterial], database: Database) -> list[Submission]:
    """Make submissions anew from what the jobs of their workflows hold; a material without a recipe is left out.

    Parameters
    ----------
    materials
        Some materials: the jobs of all are read at once.
    database
        The database.
    """
    nodes = [node for material in materials for node in material.nodes]
    fields = {"fw_id": 1, "spec._priority": 1, f"spec.{MU_STAR}": 1, "spec._tasks.job.function": 1, "_id": 0}
    found = database.launchpad.fireworks.find({"fw_id": {"$in": nodes}}, fields)
    fireworks = {int(firework["fw_id"]): firework for firework in found}
    ordered = [in_order(fireworks[node] for node in entry.nodes if node in fireworks) for entry in materials]
    first = {int(steps[0]["fw_id"]) for steps in ordered if steps}
    starts = _starts(database, first)
    return [
        submission
        for entry, steps in zip(materials, ordered, strict=True)
        if (submission := _submission(entry, steps, starts)) is not None
    ]


def _starts(database: Database, first: Iterable[int]) -> dict[int, tuple[Structure, MaterialTag | None]]:
    """Structures and tags that first steps start from."""
    query = {"fw_id": {"$in": list(first)}}
    found = database.launchpad.fireworks.find(query, {"fw_id": 1, "spec._tasks.job.function_args": 1, "_id": 0})
    starts = {}
    for firework in found:
        arguments = firework["spec"]["_tasks"]
        structure = next(_of_class(arguments, "Structure"), None)
        tag = next(_of_class(arguments, "MaterialTag"), None)
        if structure is not None:
            known = None if tag is None else MaterialTag.model_validate(tag)
            starts[int(firework["fw_id"])] = (Structure.from_dict(dict(structure)), known)
    return starts


def _submission(
    entry: StoredMaterial,
    steps: Sequence[Mapping[str, Any]],
    starts: Mapping[int, tuple[Structure, MaterialTag | None]],
) -> Submission | None:
    makers = [step["spec"].get("_tasks") for step in steps]
    recipe = _recipe(makers, Recipe)
    start = starts.get(int(steps[0]["fw_id"])) if steps else None
    if recipe is None or start is None:
        return None
    structure, known = start
    tag = MaterialTag(campaign=entry.campaign, material=entry.label)
    if known is not None:
        tag = tag.model_copy(update={name: getattr(known, name) for name in ("sources", "source_count")})
    magnetism, nesting = _recipe(makers, MagneticRecipe), _recipe(makers, NestingRecipe)
    asked = [tuple(step["spec"][MU_STAR]) for step in steps if step["spec"].get(MU_STAR)]
    material = Material(
        tag=tag,
        structure=structure,
        recipe=recipe,
        mu_star=asked[-1] if asked else DEFAULT_MU_STAR,
        key=entry.key,
        wannier=_recipe(makers, WannierRecipe),
        studies=entry.studies or _studies(makers, magnetism=magnetism is not None, nesting=nesting is not None),
        magnetism=magnetism,
        nesting=nesting,
    )
    return Submission(material, tuple(sorted(entry.nodes, reverse=True)), reused=True)


def _studies(makers: Any, *, magnetism: bool, nesting: bool) -> tuple[Study, ...]:
    classes = {name for name in COUPLING_MAKERS if next(_of_class(makers, name), None) is not None}
    studies: list[Study] = []
    if classes or not (magnetism or nesting):
        studies.append("electron_phonon")
    if magnetism:
        studies.append("magnetic_softness")
    if nesting:
        studies.append("nesting")
    return tuple(studies)


def _recipe(makers: Any, kind: type[RecipeT]) -> RecipeT | None:
    stored = next(_of_class(makers, kind.__name__), None)
    return None if stored is None else kind.model_validate(stored)


def _of_class(stored: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Objects of a class anywhere in what a job store wrote."""
    if isinstance(stored, dict):
        if stored.get("@class") == name:
            yield stored
        for item in stored.values():
            yield from _of_class(item, name)
    elif isinstance(stored, list):
        for item in stored:
            yield from _of_class(item, name)
