"""Workers as processes: replaced when they are killed, given up when they fail, stopped with what they run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from fakes.tiny_campaign import NAME, TinyRun
from fakes.tiny_jobs import answer, die, hang

from hightc.launch.crew import Crew
from hightc.launch.dispatch import Submission, worker_lock
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.results import Outcome, collect_results
from hightc.launch.store import OUTPUTS, Database

PATIENCE_SECONDS = 60


@pytest.fixture
def crew_of(
    run_worker: TinyRun, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Crew]]:
    """Crews whose workers can import the tiny jobs."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    (tmp_path / "workers").mkdir()
    crews: list[Crew] = []

    def make(*submissions: Submission, workers: int = 1) -> Crew:
        settings = run_worker.settings.model_copy(update={"workers": workers})
        crews.append(Crew(NAME, submissions, database, tmp_path, settings, max_restarts=1, settle_seconds=0.1))
        return crews[-1]

    yield make
    for crew in crews:
        crew.dismiss()


def tend_until(crew: Crew, condition: Callable[[], bool] | None = None) -> None:
    """Tend a crew until its work is over, or a condition holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while crew.tend() and not (condition and condition()):
        assert time.monotonic() < end, f"waited {PATIENCE_SECONDS} s"
        time.sleep(0.05)


def test_killed_worker_is_replaced_and_its_step_runs_again_without_doubled_documents(run_worker, crew_of, database):
    submission = run_worker.submit("A", [answer("one"), die(1), answer("three")])
    crew = crew_of(submission)
    crew.start()
    tend_until(crew)
    stored = sorted(entry["output"] for entry in database.collections[OUTPUTS].find({}))
    assert stored == ["after 1 deaths", "one", "three"]
    folder = crew.directory / submission.material.folder
    assert (folder / "01-answer" / "ran").read_text() == "once\n"
    assert crew.fault is not None
    assert "worker 0 was killed by SIGKILL (the kernel does so when memory runs out), 1 times in all" in crew.fault


def test_step_that_gets_every_worker_killed_fails_and_the_others_go_on(run_worker, crew_of, database):
    fatal = run_worker.submit("A", [die(1000), answer("never")])
    sound = run_worker.submit("B", [answer("one")])
    crew = crew_of(fatal, sound)
    crew.start()
    tend_until(crew)
    failed, other = collect_results([fatal, sound], database, fault=crew.fault)
    assert failed.outcome is Outcome.FAILED
    assert failed.failure is not None
    assert failed.failure.step == "A die"
    assert "worker 0 was killed by SIGKILL (the kernel does so when memory runs out), 2 times in all" in (
        failed.failure.reason
    )
    assert f"its log {crew.directory}/workers/worker-0.log ends: " in failed.failure.reason
    assert failed.failure.reason.endswith("about to run out of memory")
    assert (Path(failed.failure.directory) / "deaths").read_text().count("died") == 2
    assert other.outcome is Outcome.UNFINISHED  # its output is no document of Tc
    assert database.launchpad.fireworks.find_one({"fw_id": sound.fw_ids[0]})["state"] == "COMPLETED"


def test_workers_that_fail_by_themselves_are_given_up_within_seconds(run_worker, crew_of, database):
    submission = run_worker.submit("A", [answer("one")])
    # FireWorks' checkout raises: it has no number for the launch
    database.launchpad.fw_id_assigner.delete_many({})
    crew = crew_of(submission)
    start = time.monotonic()
    crew.start()
    tend_until(crew)
    assert time.monotonic() - start < PATIENCE_SECONDS
    (result,) = collect_results([submission], database, fault=crew.fault)
    assert result.outcome is not Outcome.ANSWERED
    assert result.reason is not None
    assert "worker 0 ended with code 1, 2 times in all" in result.reason
    assert f"its log {crew.directory}/workers/worker-0.log ends: " in result.reason
    assert "lpad reset" in result.reason


def test_workflow_that_vanished_ends_the_run_at_once(run_worker, crew_of, database):
    crew = crew_of(run_worker.submit("A", [answer("one")]))
    database.launchpad.workflows.delete_many({})
    crew.start()
    with pytest.raises(DatabaseError, match="expected a workflow that has it, found none: was the LaunchPad reset"):
        tend_until(crew)


def test_dismissed_workers_stop_with_what_they_run(run_worker, crew_of, database):
    submission = run_worker.submit("A", [hang()])
    crew = crew_of(submission)
    crew.start()
    note = crew.directory / submission.material.folder / "01-hang" / "child"
    tend_until(crew, lambda: note.is_file() and bool(note.read_text()))
    child = psutil.Process(int(note.read_text()))
    crew.dismiss()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not crew.tend()
    lock = worker_lock(crew.directory, "worker-0")
    assert lock is not None, "the worker lives"
    lock.close()


def test_child_of_a_killed_worker_does_not_outlive_it(run_worker, crew_of, database):
    submission = run_worker.submit("A", [hang()])
    crew = crew_of(submission)
    crew.start()
    note = crew.directory / submission.material.folder / "01-hang" / "child"
    tend_until(crew, lambda: note.is_file() and bool(note.read_text()))
    child = psutil.Process(int(note.read_text()))
    os.kill(child.ppid(), signal.SIGKILL)
    tend_until(crew, lambda: crew.fault is not None)
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_workers_that_ended_beside_steps_that_only_seemed_to_wait_start_again(run_worker, crew_of, database):
    submission = run_worker.submit("A", [answer("one"), answer("two")])
    first = submission.fw_ids[0]
    database.launchpad.fireworks.update_one({"fw_id": first}, {"$set": {"state": "COMPLETED"}})
    # whoever wrote that the first step has ended was killed before the workflow heard of it
    told = {f"fw_states.{first}": "RUNNING", "state": "RUNNING"}
    database.launchpad.workflows.update_one({"nodes": first}, {"$set": told})
    crew = crew_of(submission)
    crew.start()
    tend_until(crew)
    assert [entry["output"] for entry in database.collections[OUTPUTS].find({})] == ["two"]
    assert crew.fault is None
    workflow = database.launchpad.workflows.find_one({})
    assert (workflow["state"], set(workflow["fw_states"].values())) == ("COMPLETED", {"COMPLETED"})


def test_crew_refuses_to_start_beside_a_worker_of_an_earlier_run(run_worker, crew_of):
    crew = crew_of(run_worker.submit("A", [answer(1)]))
    crew.require_alone()
    lock = worker_lock(crew.directory, "worker-0")
    assert lock is not None
    with lock, pytest.raises(LaunchError, match="worker 0 of an earlier run is still alive: wait for it, or stop it"):
        crew.require_alone()
    crew.require_alone()
