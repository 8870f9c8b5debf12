"""A process that is killed between any two of its writes to the LaunchPad: the campaign ends as if it had not been."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.fault_jobs import chain
from fakes.mortal import KilledError, Life, mortal
from fakes.stepping_jobs import groups, number, twice
from fakes.tiny_campaign import NAME, TinyRun
from fakes.tiny_jobs import fail
from fireworks import FWAction, FWorker
from jobflow import Job

from hightc.launch.dispatch import Submission, worker_name
from hightc.launch.patience import sign_of
from hightc.launch.recovery import recover_interrupted
from hightc.launch.store import OUTPUTS, Database
from hightc.launch.unfit_workflows import Unfit, find_unfit, has_strays, mend

Outcome = tuple[Any, ...]


def links(length: int = 2) -> list[Job]:
    return chain("links", length)


def making() -> list[Job]:
    """A job that goes on with others, the last of which does so again, and a job that takes their result."""
    first = groups()
    second = number(first.output)
    first.name, second.name = "groups", "number"
    return [first, second]


def adding() -> list[Job]:
    """A job that another follows which it adds, and one that stops what follows upon it."""
    return [twice(1), number(2)]


def failing() -> list[Job]:
    return [fail("wrong charge"), number(2)]


class Campaign:
    """Materials of a campaign, each of which is computed by processes that live so long."""

    def __init__(self, run: TinyRun, jobs: Callable[[], Sequence[Job]], *, joined: bool) -> None:
        self.run, self.jobs, self.joined = run, jobs, joined
        self.database = run.database
        self.count = 0

    def submit(self) -> Submission:
        """A new material."""
        self.count += 1
        submission = self.run.submit(f"m{self.count:03d}", self.jobs())
        folder = self.run.directory / submission.material.folder
        folder.mkdir(parents=True)
        (folder / "count").write_text("2")
        return submission

    def live(self, act: Callable[[Database], object], writes: int | None = None) -> Life:
        """Do something in a process that is killed after so many writes."""
        life = Life(writes)
        seen = mortal(self.database, life, joined=self.joined)
        try:
            act(seen)
        except KilledError:
            assert life.over
        finally:
            seen.close()
        return life

    def work(self, writes: int | None = None) -> Life:
        """Let a worker work until nothing is left, or it is killed."""
        return self.live(lambda seen: TinyRun(seen, self.run.directory, self.run.settings)(), writes)

    def take_up(self, submission: Submission, writes: int | None = None) -> Life:
        """What a crew does when a worker has died."""
        dead: dict[str, Any] = {"dead_worker": worker_name(0), "dead_sign": sign_of(os.getpid())}
        return self.live(lambda seen: recover_interrupted([submission], seen, **dead), writes)

    def outcome(self, submission: Submission) -> Outcome:
        """States, links by name, and documents of a material."""
        launchpad, label = self.database.launchpad, submission.material.tag.material
        (workflow,) = launchpad.workflows.find({"nodes": {"$in": list(submission.fw_ids)}})
        fireworks = {entry["fw_id"]: entry for entry in launchpad.fireworks.find({"fw_id": {"$in": workflow["nodes"]}})}
        names = {fw_id: entry["name"].removeprefix(label) for fw_id, entry in fireworks.items()}
        documents = self.database.collections[OUTPUTS].find({"metadata.material": label}, {"output": 1})
        return (
            Counter((names[fw_id], entry["state"]) for fw_id, entry in fireworks.items()),
            Counter((names[int(fw_id)], state) for fw_id, state in workflow["fw_states"].items()),
            Counter((names[int(fw_id)], names[one]) for fw_id, ones in workflow["links"].items() for one in ones),
            sorted(str(entry["output"]) for entry in documents),
            (workflow["state"], "locked" in workflow, len(fireworks) == len(workflow["nodes"])),
        )


@pytest.fixture
def campaign_of(run_worker: TinyRun) -> Callable[..., Campaign]:
    def make(jobs: Callable[[], Sequence[Job]], *, joined: bool = False) -> Campaign:
        return Campaign(run_worker, jobs, joined=joined)

    return make


def moments(life: Life, *, first_only: bool = True) -> Iterator[int]:
    """Before each write; of the first step only, if the others say nothing new."""
    taken = [place for place, write in enumerate(life.done) if write == "fireworks.find_one_and_update"]
    yield from range(taken[1] if first_only and len(taken) > 1 else len(life.done))


def check_each_moment(campaign: Campaign, *, first_only: bool) -> None:
    submission = campaign.submit()
    undisturbed = campaign.work()
    expected = campaign.outcome(submission)
    for writes in moments(undisturbed, first_only=first_only):
        submission = campaign.submit()
        life = campaign.work(writes)
        campaign.take_up(submission)
        campaign.work()
        assert campaign.outcome(submission) == expected, f"killed before {life.done[-1]}, write {writes + 1}"
    if has_strays(NAME, campaign.database):
        recover_interrupted([submission], campaign.database)
    assert find_unfit(NAME, campaign.database, whole=True) == Unfit(NAME)


@pytest.mark.parametrize("joined", [False, True], ids=["apart", "joined"])
@pytest.mark.parametrize("jobs", [links, making, adding])
def test_worker_may_be_killed_before_any_write_of_a_step(campaign_of, jobs, joined):
    check_each_moment(campaign_of(jobs, joined=joined), first_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("joined", [False, True], ids=["apart", "joined"])
@pytest.mark.parametrize("jobs", [links, making, adding])
def test_worker_may_be_killed_before_any_write_of_a_campaign(campaign_of, jobs, joined):
    check_each_moment(campaign_of(jobs, joined=joined), first_only=False)


def test_worker_may_be_killed_before_any_write_of_a_step_that_fails(campaign_of):
    check_each_moment(campaign_of(failing), first_only=False)


@pytest.mark.parametrize("all_writes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_worker_may_be_killed_before_any_write_of_a_step_that_runs_again(campaign_of, all_writes):
    """What the step made before goes, and with it the documents; no write of that is missed."""
    campaign = campaign_of(making)
    submission = campaign.submit()
    campaign.work()
    expected = campaign.outcome(submission)
    again = submission.fw_ids[0]
    campaign.database.launchpad.rerun_fw(again)
    undisturbed = campaign.work()
    removals = {place for place, write in enumerate(undisturbed.done) if write.endswith("delete_many")}
    assert len(removals) > 2
    for writes in moments(undisturbed):
        if not all_writes and removals.isdisjoint({writes, writes - 1}):
            continue
        campaign.database.launchpad.rerun_fw(again)
        campaign.work(writes)
        campaign.take_up(submission)
        campaign.work()
        assert campaign.outcome(submission) == expected, f"killed before write {writes + 1}"
    recover_interrupted([submission], campaign.database)
    assert not has_strays(NAME, campaign.database)
    assert campaign.outcome(submission) == expected


def test_recovery_may_be_killed_before_any_write(campaign_of):
    campaign = campaign_of(making)
    submission = campaign.submit()
    done = campaign.work().done
    expected = campaign.outcome(submission)
    # the step has ended and made its jobs; its workflow has not heard of it
    told = done.index("workflows.replace_one")
    for before in (told, done.index("launches.replace_one") + 1):
        submission = campaign.submit()
        campaign.work(before)
        needed = len(campaign.take_up(submission).done)
        campaign.work()
        for writes in range(needed):
            other = campaign.submit()
            campaign.work(before)
            campaign.take_up(other, writes)
            campaign.take_up(other)
            campaign.work()
            assert campaign.outcome(other) == expected, f"killed before write {writes + 1}"


def test_claims_and_locks_of_the_living_are_left_to_them_however_old(campaign_of):
    """A worker that waits for a database that was away may hold them for minutes."""
    campaign = campaign_of(links)
    submission = campaign.submit()
    campaign.work(1)
    launchpad = campaign.database.launchpad
    long_ago = {"updated_on": datetime.now(UTC) - timedelta(hours=1)}
    launchpad.fireworks.update_one({"state": "RESERVED"}, {"$set": long_ago})
    launchpad.workflows.update_one({}, {"$set": {"locked": f"{sign_of(1)}:mark"}})
    fates = []
    for pid in (2, 1, os.getpid()):
        dead: dict[str, Any] = {"dead_worker": worker_name(0), "dead_sign": sign_of(pid)}
        recover_interrupted([submission], campaign.database, **dead)
        states = launchpad.fireworks.distinct("state", {"fw_id": submission.fw_ids[0]})
        fates.append((*states, launchpad.workflows.count_documents({"locked": {"$exists": True}})))
    assert fates == [("RESERVED", 1), ("RESERVED", 0), ("READY", 0)]


def test_change_whose_answer_was_lost_does_not_take_a_step_from_the_worker_that_began_it(campaign_of):
    """The server went away after it had written; another worker was faster than the one that tries again."""
    campaign = campaign_of(links, joined=True)
    submission = campaign.submit()
    database = campaign.database
    if not database.launchpad.joins_writes:
        pytest.skip("this server takes one write at a time")
    seen = mortal(database, Life())
    join, other = seen.launchpad.joined, FWorker(name=worker_name(1))
    begun: list[int] = []

    def lose_answer(command: Mapping[str, Any]) -> Any:
        answer = join(command)
        taken, _ = database.launchpad.checkout_fw(other, str(campaign.run.directory))
        begun.extend([taken.fw_id] if taken else [])
        return join(command) if taken else answer

    first, launch = seen.launchpad.checkout_fw(FWorker(name=worker_name(0)), str(campaign.run.directory))
    assert first.fw_id == submission.fw_ids[0]
    seen.launchpad.joined = lose_answer
    seen.launchpad.complete_launch(launch, FWAction())
    seen.close()
    assert len(begun) == 1
    found = database.launchpad.fireworks.find_one({"fw_id": begun[0]})
    assert (found["state"], len(found["launches"])) == ("RUNNING", 1)
    (workflow,) = database.launchpad.workflows.find({})
    assert len(workflow["nodes"]) == database.launchpad.fireworks.count_documents({}) == 2
    assert workflow["fw_states"] == {str(first.fw_id): "COMPLETED", str(begun[0]): "RUNNING"}


def test_change_whose_lock_was_broken_is_made_once_more(campaign_of, run_worker):
    """Another process held the worker for dead, which was only slow."""
    campaign = campaign_of(making)
    submission = campaign.submit()
    campaign.work()
    expected = campaign.outcome(submission)
    submission = campaign.submit()
    seen = mortal(campaign.database, Life(), joined=False)
    workflows = campaign.database.launchpad.workflows
    assign = seen.launchpad.get_new_fw_id

    def break_lock(quantity: int) -> int:
        workflows.update_many({}, {"$unset": {"locked": True}})
        seen.launchpad.get_new_fw_id = assign
        return assign(quantity)

    seen.launchpad.get_new_fw_id = break_lock
    with closing(seen):
        TinyRun(seen, run_worker.directory, run_worker.settings)()
    assert campaign.outcome(submission) == expected
    recover_interrupted([submission], campaign.database)
    assert not find_unfit(NAME, campaign.database, whole=True)
    assert campaign.outcome(submission) == expected


# --- what FireWorks' own order of writes leaves


def set_states(database: Database, fw_id: int, *, firework: str, workflow: str) -> None:
    database.launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": {"state": firework}})
    told = {f"fw_states.{fw_id}": workflow, "state": "RUNNING"}
    database.launchpad.workflows.update_one({"nodes": fw_id}, {"$set": told})


def test_steps_behind_one_whose_end_its_workflow_missed_do_not_wait_for_ever(campaign_of, run_worker):
    """As it was found: the step after it had run as well, and its end was not believed."""
    campaign = campaign_of(lambda: links(4))
    submission = campaign.submit()
    campaign.work()
    expected = campaign.outcome(submission)
    submission = campaign.submit()
    first, second, third, fourth = submission.fw_ids
    campaign.work()
    database = campaign.database
    label = submission.material.tag.material
    set_states(database, first, firework="COMPLETED", workflow="RUNNING")
    set_states(database, second, firework="WAITING", workflow="WAITING")
    for fw_id in (third, fourth):
        set_states(database, fw_id, firework="WAITING", workflow="WAITING")
        database.launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": {"launches": []}})
    assert campaign.outcome(submission) != expected
    assert run_worker() == 0, "nothing is ready"
    assert find_unfit(NAME, database).workflows == find_unfit(NAME, database, whole=True).workflows
    recover_interrupted([submission], database)
    assert run_worker() == 2
    assert campaign.outcome(submission) == expected
    ran = [len(path.read_text().splitlines()) for path in sorted(run_worker.directory.glob(f"{label}*/*/ran"))]
    assert ran == [1, 1, 2, 2]


def test_step_that_was_set_completed_by_hand_is_not_run_again(campaign_of, run_worker):
    campaign = campaign_of(links)
    submission = campaign.submit()
    set_states(campaign.database, submission.fw_ids[0], firework="COMPLETED", workflow="READY")
    assert mend(find_unfit(NAME, campaign.database), campaign.database) == 1
    states = {entry["fw_id"]: entry["state"] for entry in campaign.database.launchpad.fireworks.find({})}
    assert states == dict(zip(submission.fw_ids, ("COMPLETED", "READY"), strict=True))


def test_step_whose_jobs_cannot_be_added_fails_and_the_others_are_mended(campaign_of, run_worker):
    campaign = campaign_of(making)
    broken, sound = campaign.submit(), campaign.submit()
    campaign.work()
    launchpad = campaign.database.launchpad
    for submission in (broken, sound):
        # as if the workflow had not been written
        workflow = launchpad.workflows.find_one({"nodes": submission.fw_ids[0]})
        parts = {str(fw_id): [] for fw_id in submission.fw_ids} | {str(submission.fw_ids[0]): [submission.fw_ids[1]]}
        told = {str(submission.fw_ids[0]): "RUNNING", str(submission.fw_ids[1]): "WAITING"}
        parents = {str(submission.fw_ids[1]): [submission.fw_ids[0]]}
        changed = {"nodes": list(submission.fw_ids), "links": parts, "fw_states": told, "parent_links": parents}
        launchpad.workflows.update_one({"_id": workflow["_id"]}, {"$set": {**changed, "state": "RUNNING"}})
        again = {"$set": {"state": "WAITING", "launches": []}}
        launchpad.fireworks.update_one({"fw_id": submission.fw_ids[1]}, again)
    (launch,) = launchpad.fireworks.find_one({"fw_id": broken.fw_ids[0]})["launches"]
    found = launchpad.launches.find_one({"launch_id": launch})
    # new fireworks have negative ids
    found["action"]["detours"][0]["fws"][0]["fw_id"] = 1
    launchpad.launches.replace_one({"launch_id": launch}, found)
    recover_interrupted([broken, sound], campaign.database, dead_worker=worker_name(9))
    assert launchpad.fireworks.find_one({"fw_id": broken.fw_ids[0]})["state"] == "FIZZLED"
    assert run_worker() == 5
    assert launchpad.workflows.find_one({"nodes": sound.fw_ids[0]})["state"] == "COMPLETED"
    assert launchpad.workflows.find_one({"nodes": broken.fw_ids[0]})["state"] == "FIZZLED"


def test_what_fits_is_left_alone(campaign_of):
    campaign = campaign_of(failing)
    campaign.submit()
    assert not find_unfit(NAME, campaign.database, whole=True)
    campaign.work()
    assert not find_unfit(NAME, campaign.database, whole=True)
    paused = campaign.submit()
    campaign.database.launchpad.pause_fw(paused.fw_ids[0])
    campaign.database.launchpad.defuse_fw(campaign.submit().fw_ids[0])
    assert not find_unfit(NAME, campaign.database, whole=True)


def test_firework_without_a_workflow_is_removed_where_one_could_have_had_it(campaign_of):
    campaign = campaign_of(links)
    kept = campaign.submit()
    launchpad = campaign.database.launchpad
    stray = {**launchpad.fireworks.find_one({"fw_id": kept.fw_ids[0]}), "fw_id": 999, "state": "WAITING"}
    del stray["_id"]
    launchpad.fireworks.insert_one(stray)
    assert has_strays(NAME, campaign.database)
    unfit = find_unfit(NAME, campaign.database, whole=True)
    assert unfit == Unfit(NAME, (), (999,))
    assert mend(unfit, campaign.database) == 1
    assert not has_strays(NAME, campaign.database)
    # a workflow that somebody deleted: its fireworks are his
    launchpad.workflows.delete_many({})
    assert mend(find_unfit(NAME, campaign.database, whole=True), campaign.database) == 0
    assert launchpad.fireworks.count_documents({}) == len(kept.fw_ids)
