"""Looks at a campaign too large to be shown whole."""

from __future__ import annotations

from collections import Counter

import pytest
from fakes.counted_database import CountedDatabase
from fakes.tiny_jobs import answer, fail, relax, solve
from fireworks import FWAction

from hightc.launch.campaign_watch import CampaignWatch


@pytest.fixture
def submit(run_worker):
    """Submit so many materials of two steps each."""

    def of(count: int, prefix: str = "M"):
        return [run_worker.submit(f"{prefix}{number:02d}", [answer(1), answer(2)]) for number in range(count)]

    return of


@pytest.fixture
def begin(database, run_worker, tmp_path):
    """Let a worker take a step of a material."""

    def step(submission, which: int = 0):
        fw_id = submission.fw_ids[which]
        return database.launchpad.checkout_fw(run_worker.fworker, str(tmp_path / str(fw_id)), fw_id=fw_id)[1]

    return step


def watched(submissions, database):
    return CampaignWatch(submissions, database, most_shown=2)


def test_what_waits_is_counted_and_not_shown(submit, database):
    look = watched(submit(4), database).look()
    assert (dict(look.counts), look.progress, look.changed) == ({"waiting": 4}, (), ())
    assert look.active
    assert not look.whole


def test_small_campaign_is_shown_whole(submit, database):
    look = watched(submit(2), database).look()
    assert [entry.label for entry in look.progress] == ["M00", "M01"]
    assert look.whole


def test_what_runs_is_shown_up_to_so_many_and_counted_beyond(submit, database, begin):
    submissions = submit(5)
    watch = watched(submissions, database)
    watch.look()
    for submission in submissions[1:4]:
        begin(submission)
    look = watch.look()
    assert dict(look.counts) == {"waiting": 2, "running": 3}
    assert [(entry.label, entry.state, entry.step) for entry in look.progress] == [
        ("M01", "running", "answer"),
        ("M02", "running", "answer"),
    ]
    assert [entry.label for entry in look.changed] == ["M01", "M02", "M03"]
    assert watch.look().changed == ()


def test_ends_are_seen_once_each_with_its_state(run_worker, database):
    tag = run_worker.tag("gated")
    submissions = [
        run_worker.submit("answered", [answer(1), answer(2)]),
        run_worker.submit("failed", [fail("no"), answer(1)]),
        run_worker.submit("gated", [relax(tag, 2.0), solve(tag)]),
    ]
    watch = watched(submissions, database)
    assert watch.look().finished == frozenset()
    run_worker()
    look = watch.look()
    assert {entry.label: entry.state for entry in look.changed} == {
        "answered": "finished",
        "failed": "failed",
        "gated": "stopped",
    }
    assert look.finished == {"answered"}
    assert Counter(look.counts) == Counter(("finished", "failed", "stopped"))
    assert not look.active
    assert watch.look().finished == frozenset()


def test_step_between_two_looks_is_not_missed(submit, database, run_worker, begin):
    submissions = submit(3)
    watch = watched(submissions, database)
    watch.look()
    launch = begin(submissions[0])
    watch.look()
    database.launchpad.complete_launch(launch, FWAction())  # ends, and the next begins and ends
    database.launchpad.complete_launch(begin(submissions[0], which=1), FWAction())
    look = watch.look()
    assert [(entry.label, entry.state, entry.done) for entry in look.changed] == [("M00", "finished", 2)]


def test_step_reserved_by_hand_counts_as_running(submit, database):
    submissions = submit(3)
    watch = watched(submissions, database)
    watch.look()
    database.launchpad.fireworks.update_one({"fw_id": submissions[2].fw_ids[0]}, {"$set": {"state": "RESERVED"}})
    assert watch.look().counts["running"] == 1
    database.launchpad.fireworks.update_one({"fw_id": submissions[2].fw_ids[0]}, {"$set": {"state": "READY"}})
    assert dict(watch.look().counts) == {"waiting": 3}


def test_change_without_a_launch_is_seen_by_a_full_look(submit, database):
    submissions = submit(3)
    watch = watched(submissions, database)
    watch.look()
    database.launchpad.defuse_wf(submissions[1].fw_ids[0])
    look = watch.look(full=True)
    assert dict(look.counts) == {"waiting": 2, "stopped": 1}
    assert [entry.label for entry in look.changed] == ["M01"]


def test_workflow_that_hears_late_of_an_end_is_read_again(submit, database, begin):
    submissions = submit(3)
    watch = watched(submissions, database)
    watch.look()
    begin(submissions[0])
    watch.look()
    done = submissions[0].fw_ids[0]
    database.launchpad.fireworks.update_one({"fw_id": done}, {"$set": {"state": "COMPLETED"}})
    assert watch.look().counts["running"] == 1
    states = {f"fw_states.{done}": "COMPLETED", f"fw_states.{submissions[0].fw_ids[1]}": "READY"}
    database.launchpad.workflows.update_one({"nodes": done}, {"$set": states})
    assert dict(watch.look().counts) == {"waiting": 3}


def test_look_asks_for_what_is_under_way_not_for_the_campaign(submit, database, begin):
    asked = []
    for count, prefix in ((4, "S"), (40, "L")):
        counted = CountedDatabase.of(database)
        submissions = submit(count, prefix)
        watch = watched(submissions, counted)
        watch.look()
        begin(submissions[0])
        counted.asked()
        watch.look()
        asked.append(counted.asked())
        database.launchpad.fireworks.update_many({"state": "RUNNING"}, {"$set": {"state": "COMPLETED"}})
        counted.close()
    assert asked[0] == asked[1]
    commands, documents = asked[0]
    # running, counter, launches, workflow; then nodes, steps and launches of the material that is shown
    assert commands <= 8
    assert documents <= 10
