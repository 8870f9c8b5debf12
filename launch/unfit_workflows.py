"""Workflows whose stored parts do not fit together, because what changed them was killed between two writes.

Which firework follows upon which, and how far each is, stands in the workflow; what runs is taken from the fireworks.
A kill may leave a step that has finished while its workflow holds it for running, with what it made in no workflow yet,
or steps that wait although all before them has finished. Nobody would ever look at these again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fireworks import LaunchPad, Workflow

from hightc.launch.bulk_launchpad import find_among
from hightc.launch.workflow_update import write_update

if TYPE_CHECKING:
    from hightc.launch.store import Database

AT_REST = ("READY", "COMPLETED", "ARCHIVED")
"""States of workflows of which nothing has begun, or all has ended."""

TAKEN = ("RESERVED", "RUNNING")
OVER = ("COMPLETED", "FIZZLED")


@dataclass(frozen=True)
class Unfit:
    """What does not fit in the workflows of a campaign.

    Attributes
    ----------
    campaign
        Name of the campaign.
    workflows
        One firework of each workflow whose states do not fit.
    strays
        Fireworks that no workflow has.
    """

    campaign: str
    workflows: tuple[int, ...] = ()
    strays: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything does not fit."""
        return bool(self.workflows or self.strays)


def find_unfit(campaign: str, database: Database, *, whole: bool = False) -> Unfit:
    """Look for what does not fit; where workers are at work, some of it may only be on its way.

    Parameters
    ----------
    campaign
        Name of the campaign.
    database
        The database.
    whole
        Whether to look also at workflows that are at rest, and for strays: every firework is read then.
    """
    launchpad = database.launchpad
    fields = {"fw_id": 1, "state": 1, "launches": 1, "_id": 0}
    found = list(launchpad.fireworks.find({"spec.campaign": campaign}, fields)) if whole else []
    query = {"metadata.campaign": campaign, **({} if whole else {"state": {"$nin": list(AT_REST)}})}
    parts = {"nodes": 1, "fw_states": 1, "parent_links": 1, "_id": 0}
    workflows = list(launchpad.workflows.find(query, parts))
    if not whole:
        found = list(find_among(launchpad.fireworks, "fw_id", [fw for one in workflows for fw in one["nodes"]], fields))
    fireworks = {int(firework["fw_id"]): firework for firework in found}
    over = _over(launchpad, found)
    unfit = [int(one["nodes"][0]) for one in workflows if any(True for _ in _misfits(one, fireworks, over))]
    known = {fw_id for one in workflows for fw_id in one["nodes"]} if whole else set(fireworks)
    return Unfit(campaign, tuple(unfit), tuple(sorted(fireworks.keys() - known)))


def has_strays(campaign: str, database: Database) -> bool:
    """Whether a campaign has more fireworks than its workflows: they are only counted.

    Parameters
    ----------
    campaign
        Name of the campaign.
    database
        The database.
    """
    launchpad = database.launchpad
    found = launchpad.fireworks.count_documents({"spec.campaign": campaign})
    workflows = launchpad.workflows.find({"metadata.campaign": campaign}, {"nodes": 1, "_id": 0})
    return bool(found > sum(len(workflow["nodes"]) for workflow in workflows))


def _over(launchpad: LaunchPad, fireworks: Iterable[Mapping[str, Any]]) -> set[int]:
    """Launches that have ended, of fireworks that are held for running."""
    ids = [int(one["launches"][-1]) for one in fireworks if one["state"] in TAKEN and one["launches"]]
    fields = {"launch_id": 1, "state": 1, "action.exit": 1, "action.gridfs_id": 1, "_id": 0}
    found = find_among(launchpad.launches, "launch_id", ids, fields)
    # the result of a node without a database is marked as completed before its action is taken over
    ended = [one for one in found if one["state"] == "FIZZLED" or (one["state"] == "COMPLETED" and one.get("action"))]
    return {int(one["launch_id"]) for one in ended}


def _misfits(workflow: Mapping[str, Any], fireworks: Mapping[int, Mapping[str, Any]], over: set[int]) -> Iterator[int]:
    """Fireworks that do not fit into their workflow; first those that ended without it."""
    states = workflow["fw_states"]
    later = []
    for fw_id in workflow["nodes"]:
        firework = fireworks.get(fw_id)
        if firework is None:
            continue
        state, told = firework["state"], states.get(str(fw_id))
        if state == "COMPLETED" != told:
            yield fw_id
        elif state in TAKEN:
            # the workflow hears of a step that was just taken in a moment
            if told == "COMPLETED" or (firework["launches"] and firework["launches"][-1] in over):
                later.append(fw_id)
        elif state != told or (state == "WAITING" and _may_begin(workflow, fw_id)):
            later.append(fw_id)
    yield from later


def _may_begin(workflow: Mapping[str, Any], fw_id: int) -> bool:
    parents = workflow["parent_links"].get(str(fw_id), ())
    return all(workflow["fw_states"].get(str(parent)) == "COMPLETED" for parent in parents)


def mend(unfit: Unfit, database: Database) -> int:
    """Let the parts of workflows fit; what only was on its way is left alone, whoever works beside.

    A step that has ended is told to its workflow, and what it made is added once.

    Parameters
    ----------
    unfit
        What did not fit.
    database
        The database.

    Returns
    -------
    int
        How many workflows were changed, and fireworks removed that no workflow has.
    """
    launchpad = database.launchpad
    changed = sum(mend_workflow(launchpad, fw_id) for fw_id in unfit.workflows)
    return changed + _remove_strays(launchpad, unfit.campaign, unfit.strays)


def mend_workflow(launchpad: Any, fw_id: int) -> bool:
    """Let the parts of a workflow fit; False if they did.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    fw_id
        A firework of the workflow.
    """
    with _locked(launchpad, fw_id) as (mark, found):
        fields = {"fw_id": 1, "state": 1, "launches": 1}
        read = list(launchpad.fireworks.find({"fw_id": {"$in": found["nodes"]}}, fields))
        fireworks = {int(firework["fw_id"]): firework for firework in read}
        workflow = launchpad._lazy_workflow(found)
        misfits = tuple(_misfits(found, fireworks, _over(launchpad, read)))
        changed: set[int] = set()
        for one in misfits:
            if fireworks[one]["state"] == "WAITING" and found["fw_states"].get(str(one)) == "READY":
                # written last in a change of a workflow; whoever takes it meanwhile keeps it
                waiting = {"fw_id": one, "state": "WAITING", "launches": []}
                launchpad.fireworks.update_one(waiting, {"$set": {"state": "READY"}})
                continue
            try:
                changed |= _refresh(workflow, one)
            except (ValueError, TypeError, KeyError, AttributeError, ImportError):
                _let_fail(launchpad, one)
                return True
        if misfits:
            write_update(launchpad, workflow, [workflow.id_fw[one] for one in changed], mark=mark)
    return bool(misfits)


def _let_fail(launchpad: LaunchPad, fw_id: int) -> None:
    """Let a step fail of which FireWorks cannot add what it made; FireWorks does the same when it ends."""
    launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": {"state": "FIZZLED"}})
    told = {"state": "FIZZLED", f"fw_states.{fw_id}": "FIZZLED"}
    launchpad.workflows.update_one({"nodes": fw_id}, {"$set": told})


def _refresh(workflow: Workflow, fw_id: int) -> set[int]:
    """Let a workflow hear how far one of its fireworks is; those that change by it."""
    firework = workflow.id_fw[fw_id]
    if firework.state == "COMPLETED" != workflow.fw_states[fw_id]:
        if not any(launch.state == "COMPLETED" for launch in firework.launches):
            workflow.fw_states[fw_id] = "COMPLETED"  # by hand
            return {one for child in workflow.links[fw_id] for one in workflow.refresh(child)}
        # what it made is in no workflow: FireWorks adds it when a firework becomes completed
        firework.state = "RUNNING"
    return set(workflow.refresh(fw_id))


@contextmanager
def _locked(launchpad: Any, fw_id: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Hold the lock of a workflow, which is read when it is held."""
    mark, _ = launchpad._lock(fw_id)
    try:
        yield mark, launchpad.workflows.find_one({"nodes": fw_id})
    finally:
        launchpad.workflows.update_one({"nodes": fw_id, "locked": mark}, {"$unset": {"locked": True}})


def _remove_strays(launchpad: Any, campaign: str, ids: Sequence[int]) -> int:
    """Remove fireworks that no workflow has, where there is one that could have had them."""
    homes: dict[str, list[int]] = defaultdict(list)
    if ids:
        query = {"metadata.campaign": campaign}
        for workflow in launchpad.workflows.find(query, {"metadata.material": 1, "nodes": 1}):
            homes[workflow["metadata"].get("material")].append(int(workflow["nodes"][0]))
    count = 0
    fields = {"fw_id": 1, "spec.material": 1, "launches": 1, "archived_launches": 1}
    for stray in list(find_among(launchpad.fireworks, "fw_id", ids, fields)):
        material = stray["spec"].get("material")
        near = homes.get(material, []) if material is not None else []
        with ExitStack() as held:
            for fw_id in near:
                # whoever is adding it holds one of these
                held.enter_context(_locked(launchpad, fw_id))
            if near and not launchpad.workflows.count_documents({"nodes": stray["fw_id"]}, limit=1):
                gone = [*stray["launches"], *stray["archived_launches"]]
                launchpad.launches.delete_many({"launch_id": {"$in": gone}})
                launchpad.fireworks.delete_one({"fw_id": stray["fw_id"]})
                count += 1
    return count
