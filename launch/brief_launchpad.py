"""FireWorks' LaunchPad with a third of the trips to the database for each job, each of which may wait for a disk.

What is stored is what FireWorks 2.1.4 stores, in an order that a kill does not spoil. Where a case is not the plain one
of a job that is taken, run and finished, FireWorks' own code does it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from fireworks import Firework, LaunchPad, Workflow
from fireworks.core.firework import Launch, Tracker
from pymongo.errors import DocumentTooLarge, OperationFailure

from hightc.launch.errors import DatabaseError
from hightc.launch.joined_writes import JoinedWrites
from hightc.launch.patience import sign_of
from hightc.launch.unfit_workflows import mend_workflow
from hightc.launch.workflow_update import ReadFirework, write_update

FIRST_CHECKPOINT: Mapping[str, Any] = {
    "_task_n": 0,
    "_all_stored_data": {},
    "_all_update_spec": {},
    "_all_mod_spec": [],
}
"""What FireWorks notes when the first task of a firework begins."""

PING_SPARE_SECONDS = 10.0
"""A sign of life so soon after another says nothing new: FireWorks gives one an hour, and waits four for it."""

MOST_LAUNCH_IDS = 16
"""Launch ids that one worker takes at a time at most; those that it does not use are left out."""

LOCK_POLL_SECONDS = 0.02

STOPPED = ("DEFUSED", "ARCHIVED", "PAUSED")
TOO_LARGE = 10334


class BriefLaunchPad(LaunchPad):  # type: ignore[misc] # FireWorks has no types
    """FireWorks' LaunchPad with fewer trips.

    Attributes
    ----------
    joins_writes
        Whether the server may be asked to take several writes together.
    stale_lock_seconds
        A worker holds the lock of a workflow for milliseconds; held for so long, it was left by one that is gone.
    """

    joins_writes = False
    stale_lock_seconds = 10.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Connect, as FireWorks does."""
        super().__init__(*arguments, **options)
        self._launch_ids: list[int] = []
        self._ids_a_time = 1
        self._heard: dict[int, float] = {}

    def joined(self, command: Mapping[str, Any]) -> Any:
        """Run a command of the server that writes to several collections."""
        return self.connection.admin.command(command)

    def run_exists(self, fworker: Any = None) -> bool:
        """Whether a firework is ready; it is not read."""
        query = {**(fworker.query if fworker else {}), "state": "READY"}
        return self.fireworks.find_one(query, {"_id": 1}) is not None

    def _restart_ids(self, next_fw_id: int, next_launch_id: int) -> None:
        self._launch_ids = []
        super()._restart_ids(next_fw_id, next_launch_id)

    def get_fw_dict_by_id(self, fw_id: int) -> Any:
        """Read a firework with its launches; nothing is asked for where it has none."""
        found = self.fireworks.find_one({"fw_id": fw_id})
        if not found or found["launches"] or found["archived_launches"]:
            return super().get_fw_dict_by_id(fw_id)
        return found

    def get_new_launch_id(self) -> int:
        """Take the next launch id; a worker that goes on taking them takes several at a time."""
        if not self._launch_ids:
            found = self.fw_id_assigner.find_one_and_update({}, {"$inc": {"next_launch_id": self._ids_a_time}})
            if not found:
                return int(super().get_new_launch_id())  # which says what is wrong
            first = int(found["next_launch_id"])
            self._launch_ids = list(range(first, first + self._ids_a_time))
            self._ids_a_time = min(2 * self._ids_a_time, MOST_LAUNCH_IDS)
        return self._launch_ids.pop(0)

    def checkout_fw(
        self,
        fworker: Any,
        launch_dir: str,
        fw_id: int | None = None,
        host: str | None = None,
        ip: str | None = None,
        state: str = "RUNNING",
    ) -> tuple[Any, int | None]:
        """Take the next ready firework, as FireWorks does; the launch knows its folder and first task at once."""
        firework = self._get_a_fw_to_run(fworker.query, fw_id=fw_id)
        if not firework:
            return None, None
        claim = {"fw_id": firework.fw_id, "state": "RESERVED", "updated_on": firework.updated_on}
        reserved = next((launch for launch in firework.launches if launch.state == "RESERVED"), None)
        folder = os.path.expandvars(str(firework.spec.get("_launch_dir", launch_dir)))
        launch = Launch(
            state,
            folder if state == "RUNNING" and Path(folder).is_absolute() else launch_dir,
            fworker,
            host,
            ip,
            trackers=[Tracker.from_dict(one) for one in firework.spec.get("_trackers", ())] or None,
            state_history=reserved.state_history if reserved else None,
            launch_id=reserved.launch_id if reserved else self.get_new_launch_id(),
            fw_id=firework.fw_id,
        )
        if state == "RUNNING":
            launch.touch_history(checkpoint=dict(FIRST_CHECKPOINT))
        firework.launches = [*(one for one in firework.launches if one is not reserved), launch]
        firework.state = state
        if not self._begin(firework, launch, {"fw_id": firework.fw_id} if reserved else claim):
            return None, None
        if state == "RUNNING" and reserved:
            self._begin_duplicates(launch.launch_id)
        self.backup_launch_data[launch.launch_id] = launch.to_db_dict()
        self.backup_fw_data[firework.fw_id] = firework.to_db_dict()
        self._heard[launch.launch_id] = time.monotonic()
        return firework, launch.launch_id

    def _begin(self, firework: Firework, launch: Launch, claim: Mapping[str, Any]) -> bool:
        """Store launch, firework and workflow of a firework that was taken; False if the claim was undone meanwhile."""
        writes = JoinedWrites(self.joins_writes)
        writes.replace("launches", {"launch_id": launch.launch_id}, launch.to_db_dict(), upsert=True)
        writes.replace("fireworks", claim, firework.to_db_dict())
        found = self.workflows.find_one({"nodes": firework.fw_id})
        plain = (
            len(firework.launches) == 1
            and found is not None
            and "locked" not in found
            and self._is_next(firework, found)
        )
        if plain:
            workflow = self._lazy_workflow(found)
            workflow.fw_states[firework.fw_id] = firework.state
            workflow.updated_on = firework.updated_on
            # a pause of another step leaves updated_on as it was
            read = {name: found[name] for name in ("updated_on", "fw_states") if name in found}
            same = {"nodes": firework.fw_id, "locked": {"$exists": False}, **read}
            names = ("state", "updated_on", "fw_states")
            document = workflow.to_db_dict()
            writes.update("workflows", same, {"$set": {name: document[name] for name in names}})
        _, held, *rest = self._send(writes)
        mine = {"fw_id": firework.fw_id, "launches": launch.launch_id}  # true where only the answer was lost
        if not held and not self.fireworks.count_documents(mine, limit=1):
            self.launches.delete_one({"launch_id": launch.launch_id})
            return False
        if not (plain and rest[-1]):
            self._refresh_wf(firework.fw_id)
        return True

    def _is_next(self, firework: Firework, workflow: Mapping[str, Any]) -> bool:
        """Whether a firework that was taken is one that FireWorks would let run: all before it is done."""
        states: Mapping[str, str] = workflow.get("fw_states") or {}
        parents = workflow["parent_links"].get(str(firework.fw_id), ())
        return states.get(str(firework.fw_id)) not in {None, *STOPPED} and all(
            states.get(str(parent)) == "COMPLETED" for parent in parents
        )

    def _begin_duplicates(self, launch_id: int) -> None:
        waiting = {"launches": launch_id, "state": {"$in": ["WAITING", "READY", "RESERVED", "FIZZLED"]}}
        for found in self.fireworks.find(waiting, {"fw_id": 1}):
            firework = self.get_fw_by_id(found["fw_id"])
            firework.state = "RUNNING"
            self._upsert_fws([firework])
            self._refresh_wf(firework.fw_id)

    def change_launch_dir(self, launch_id: int, launch_dir: str) -> None:
        """Change the folder of a launch, unless it began with it."""
        if self.backup_launch_data.get(launch_id, {}).get("launch_dir") != launch_dir:
            super().change_launch_dir(launch_id, launch_dir)

    def ping_launch(self, launch_id: int, ptime: Any = None, checkpoint: Any = None) -> None:
        """Say that a launch is alive, unless that was said a moment ago and there is nothing else to say."""
        began = self.backup_launch_data.get(launch_id)
        now = time.monotonic()
        if (
            ptime is None
            and began is not None
            and not began["trackers"]
            and checkpoint in (None, FIRST_CHECKPOINT)
            and now - self._heard.get(launch_id, now - PING_SPARE_SECONDS) < PING_SPARE_SECONDS
        ):
            return
        self._heard[launch_id] = now
        super().ping_launch(launch_id, ptime, checkpoint)

    def complete_launch(self, launch_id: int, action: Any = None, state: str = "COMPLETED") -> Any:
        """Complete a launch, as FireWorks does."""
        fw_ids = [int(found["fw_id"]) for found in self.fireworks.find({"launches": launch_id}, {"fw_id": 1})]
        launch = self.get_launch_by_id(launch_id)
        launch.state = state
        launch.action = action or launch.action
        completed = len(fw_ids) == 1 and self._complete(launch, fw_ids[0])
        answer = launch.to_dict() if completed else super().complete_launch(launch_id, action, state)
        for kept, key in (
            (self.backup_launch_data, launch_id),
            (self._heard, launch_id),
            *((self.backup_fw_data, fw_id) for fw_id in fw_ids),
        ):
            kept.pop(key, None)
        return answer

    def _complete(self, launch: Launch, fw_id: int) -> bool:
        """Store a finished launch and what follows from it; False if it is too large for a document."""
        mark = new_mark()
        writes = JoinedWrites(self.joins_writes)
        writes.replace("launches", {"launch_id": launch.launch_id}, launch.to_db_dict(), upsert=True)
        writes.update("workflows", _free(fw_id, mark), {"$set": {"locked": mark}})
        try:
            _, taken = self._send(writes)
        except DocumentTooLarge:
            return False
        except OperationFailure as error:
            if error.code == TOO_LARGE:
                return False
            raise
        self._refresh_wf(fw_id, mark if taken else None)
        return True

    def _refresh_wf(self, fw_id: int, mark: str | None = None) -> None:
        """Refresh a workflow, as FireWorks does; `mark` is that of its lock if it was taken for this."""
        mark, found = self._lock(fw_id) if mark is None else (mark, self.workflows.find_one({"nodes": fw_id}))
        try:
            workflow = self._lazy_workflow(found)
            updated = [workflow.id_fw[one] for one in workflow.refresh(fw_id)]
            self._store_workflow(workflow, updated, fw_id, mark)
        except Exception:  # noqa: BLE001 - FireWorks' own refresh says what is wrong, and stores it
            unheard = {"nodes": fw_id, "locked": mark, f"fw_states.{fw_id}": {"$ne": "COMPLETED"}}
            if self.workflows.count_documents(unheard, limit=1):
                # written in part: FireWorks adds what a firework made only where it becomes completed
                self.fireworks.update_one({"fw_id": fw_id, "state": "COMPLETED"}, {"$set": {"state": "RUNNING"}})
            self.workflows.update_one({"nodes": fw_id, "locked": mark}, {"$unset": {"locked": True}})
            super()._refresh_wf(fw_id)

    def _lock(self, fw_id: int) -> tuple[str, dict[str, Any]]:
        """Take the lock of a workflow, with a mark by which it is known that it was taken."""
        mark = new_mark()
        while True:
            found = self.workflows.find_one_and_update(_free(fw_id, mark), {"$set": {"locked": mark}})
            if found:
                return mark, found
            self._free_workflow(fw_id)

    def _free_workflow(self, fw_id: int) -> None:
        """Return when the lock of a workflow is free; one that was left by somebody who is gone is broken."""
        locked = {"nodes": fw_id, "locked": {"$exists": True}}
        mark, looks = None, 0
        # counted in looks: while the database is away, its holder waits as well
        while held := self.workflows.find_one(locked, {"locked": 1, "_id": 0}):
            mark, looks = held["locked"], looks + 1 if held["locked"] == mark else 0
            if looks * LOCK_POLL_SECONDS > self.stale_lock_seconds:
                self.workflows.update_one({"nodes": fw_id, "locked": mark}, {"$unset": {"locked": True}})
                break
            time.sleep(LOCK_POLL_SECONDS)
        if not self.workflows.count_documents({"nodes": fw_id}, limit=1):
            msg = f"firework {fw_id}: expected a workflow that has it, found none: was the LaunchPad reset?"
            raise DatabaseError(msg)

    def _store_workflow(self, workflow: Workflow, updated: list[Any], fw_id: int, mark: str) -> None:
        """Store the fireworks that a refresh changed or made, and the workflow, which is unlocked by it."""
        if not write_update(self, workflow, updated, mark=mark):
            # it was written when the answer was lost, or the lock was broken meanwhile
            mend_workflow(self, fw_id)

    def _update_wf(self, wf: Workflow, updated_ids: Any) -> None:
        """Store what changed in a workflow whose lock FireWorks took, for a rerun or an addition."""
        changed = [wf.id_fw[fw_id] for fw_id in updated_ids]
        if not write_update(self, wf, changed, held=getattr(wf, "held", None)):
            # its lock was broken meanwhile
            mend_workflow(self, next(iter(wf.id_fw)))

    def get_wf_by_fw_id_lzyfw(self, fw_id: int) -> Workflow:
        """Read the workflow of a firework; its fireworks are read when they are asked for."""
        found = self.workflows.find_one({"nodes": fw_id})
        if not found:
            return super().get_wf_by_fw_id_lzyfw(fw_id)
        workflow = self._lazy_workflow(found)
        workflow.held = found.get("locked")
        return workflow

    def _lazy_workflow(self, found: Mapping[str, Any]) -> Workflow:
        """As FireWorks' get_wf_by_fw_id_lzyfw, of a workflow that was read."""
        fireworks = [ReadFirework(one, self.fireworks, self.launches, self.gridfs_fallback) for one in found["nodes"]]
        states = {int(fw_id): state for fw_id, state in found["fw_states"].items()} if "fw_states" in found else None
        names = ("links", "name", "metadata", "created_on", "updated_on")
        return Workflow(fireworks, *(found[name] for name in names), states)

    def _send(self, writes: JoinedWrites) -> list[int]:
        answer = writes.send(self)
        self.joins_writes = writes.together
        return answer


def new_mark() -> str:
    """Sign of this process, and of one lock that it takes."""
    return f"{sign_of(os.getpid())}:{uuid4().hex}"


def _free(fw_id: int, mark: str) -> dict[str, Any]:
    """The workflow of a firework if nobody else holds its lock."""
    return {"nodes": fw_id, "$or": [{"locked": {"$exists": False}}, {"locked": mark}]}
