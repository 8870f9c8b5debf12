"""A change of a workflow in an order of writes that a kill between any two of them does not spoil.

FireWorks writes the fireworks of a change first, new ones among them, and then the workflow, which says how they follow
upon each other. A worker that takes one which is ready already, while the workflow does not know it or its parents'
end, runs into an error or waits for ever. Here nothing is ready before the workflow is written: until then the change
can be made once more from the action of the launch, and after it only children that are to be ready still wait
(:mod:`hightc.launch.unfit_workflows` mends either).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

from fireworks import Firework, LaunchPad, Workflow
from fireworks.core.launchpad import LazyFirework

from hightc.launch.joined_writes import JoinedWrites

READY = {"$set": {"state": "READY"}}
UNLOCKED = {"$unset": {"locked": True}}


class ReadFirework(LazyFirework):  # type: ignore[misc] # FireWorks has no types
    """FireWorks' firework that is read when it is asked for, which remembers how it was read.

    Attributes
    ----------
    as_read
        Condition that it is still as it was read; empty if it was not.
    """

    as_read: dict[str, Any] = {}  # noqa: RUF012 - never changed in place

    @property
    def partial_fw(self) -> Any:
        """What FireWorks reads of it first."""
        new = not self._fw
        found = super().partial_fw
        if new:
            self.as_read = {"state": found.state, "launches": list(self._lids["launches"])}
        return found


def write_update(
    launchpad: LaunchPad,
    workflow: Workflow,
    changed: Iterable[Firework],
    *,
    mark: str | None = None,
    held: object = None,
) -> bool:
    """Write fireworks that changed, and their workflow; the caller holds its lock.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    workflow
        The workflow, as it is to be; its new fireworks get their ids here.
    changed
        Its fireworks that changed; the ids of new ones are negative.
    mark
        Mark of its lock, which is released at the end; None leaves the lock as it is.
    held
        Lock of FireWorks that must still be there where there is no mark; None: whatever is there.

    Returns
    -------
    bool
        Whether the workflow was there, with the lock if its mark was given; it was not written otherwise.
    """
    writes = JoinedWrites(launchpad.joins_writes)
    fireworks = sorted(changed, key=lambda firework: int(firework.fw_id))
    known = next(fw_id for fw_id in workflow.id_fw if fw_id >= 0)
    numbered = _number(launchpad, workflow, [firework for firework in fireworks if firework.fw_id < 0])
    ready = {int(firework.fw_id) for firework in fireworks if firework.state == "READY"}
    for firework in fireworks:
        _add(writes, firework, is_new=firework.fw_id in numbered)
    if mark is None:
        same = {"nodes": known} | ({} if held is None else {"locked": held})
        writes.update("workflows", same, {"$set": workflow.to_db_dict()})
    else:
        writes.replace("workflows", {"nodes": known, "locked": mark}, workflow.to_db_dict() | {"locked": mark})
    for fw_id in ready - numbered:
        writes.update("fireworks", {"fw_id": fw_id, "state": "WAITING"}, READY)
    # nobody may rerun a parent before its children know that they are ready
    free = {"nodes": known, "locked": mark}
    if mark is not None and not ready & numbered:
        writes.update("workflows", free, UNLOCKED)
    answers = writes.send(launchpad)
    launchpad.joins_writes = writes.together
    written = bool(answers[len(fireworks)])
    for firework, met in zip(fireworks, answers, strict=False):
        if written and not met and firework.fw_id not in numbered:
            # paused or defused since it was read: it stays so, but what its parents told it is kept
            told = {"$set": {"spec": firework.to_db_dict()["spec"]}}
            launchpad.fireworks.update_one({"fw_id": firework.fw_id}, told)
    if ready & numbered:
        if written:
            # new ones that are in no workflow must not be taken
            launchpad.fireworks.update_many({"fw_id": {"$in": sorted(ready & numbered)}, "state": "WAITING"}, READY)
        if mark is not None:
            launchpad.workflows.update_one(free, UNLOCKED)
    return written


def _add(writes: JoinedWrites, firework: Firework, *, is_new: bool) -> None:
    """Write a firework, once: a worker may have taken it when this is tried again because the answer was lost."""
    document: dict[str, Any] = firework.to_db_dict()
    if firework.state == "READY":
        document["state"] = "WAITING"
    place = {"fw_id": document.pop("fw_id")}
    if is_new:
        writes.update("fireworks", place, {"$setOnInsert": document}, upsert=True)
    else:
        writes.replace("fireworks", place | getattr(firework, "as_read", {}), place | document)


def _number(launchpad: LaunchPad, workflow: Workflow, new: list[Firework]) -> set[int]:
    """Give new fireworks their ids."""
    if not new:
        return set()
    first = launchpad.get_new_fw_id(len(new))
    ids = dict(zip((firework.fw_id for firework in new), count(first), strict=False))
    for firework in new:
        firework.fw_id = ids[firework.fw_id]
    workflow._reassign_ids(ids)
    return set(ids.values())
