"""Several steps side by side in one job, whose places are real processes."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
from fakes.slurm_jobs import nap, run_out_of_time
from fakes.tiny_campaign import NAME, submit_jobs
from fakes.tiny_jobs import answer, die
from jobflow import SETTINGS

from hightc.launch.cluster import JobShape, write_cluster
from hightc.launch.cluster_job import LEAST_SECONDS, run_fireworks
from hightc.launch.cluster_pack import MOST_DEATHS
from hightc.launch.errors import LaunchError
from hightc.launch.lpad import write_launchpad_file
from hightc.launch.step_resources import StepResources
from hightc.launch.store import OUTPUTS

TESTS = Path(__file__).parents[1]
NAP_SECONDS = 1.5
NODE_MB = 1000


@pytest.fixture
def job(run_worker, database, settings, tmp_path, monkeypatch):
    """A job of four cores that runs steps side by side; steps are given as (job, processes[, memory of each])."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("HIGHTC_PROCESSES", "4")
    cluster = write_cluster("lab", JobShape(processes_per_node=4, memory_mb_per_node=NODE_MB), settings, force=False)
    write_launchpad_file(database, cluster.launchpad_file)

    def run(*steps, seconds=3600.0):
        for number, (made, processes, *memory_mb) in enumerate(steps):
            (fw_id,) = submit_jobs(f"M{number}", [made], database, tmp_path, settings).fw_ids
            numbers = StepResources(
                core_seconds=1, processes=processes or 1, wall_seconds=900, memory_mb=next(iter(memory_mb), 50)
            )
            spec = {"spec._priority": -number, "spec.resources": numbers.model_dump() if processes else None}
            database.launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": spec})
        return run_fireworks(cluster, NAME, database, fw_id=None, end=time.time() + seconds, pack=True)

    yield run
    SETTINGS.JOB_STORE.connect()  # only a step connects it, and only what is connected can be closed
    SETTINGS.JOB_STORE.close()


def outputs(database):
    return [entry["output"] for entry in database.collections[OUTPUTS].find({})]


def states(database):
    return [entry["state"] for entry in database.launchpad.fireworks.find({}).sort("fw_id", 1)]


def test_small_steps_run_side_by_side_each_in_its_processes_and_no_more_than_there_are_cores(job, database):
    assert job(*[(nap(NAP_SECONDS), 2) for _ in range(3)]) == 3
    seen = sorted(outputs(database))
    assert [processes for _, _, processes in seen] == [2, 2, 2]
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(seen))
    # four cores hold two steps of two processes
    for moment, _, _ in seen:
        assert sum(began <= moment < ended for began, ended, _ in seen) <= 2
    assert database.launchpad.launches.distinct("fworker.name") == ["queue@lab:17"]


def test_step_of_which_nothing_is_known_has_all_cores_and_is_not_overtaken(job, database):
    assert job((nap(NAP_SECONDS), 2), (nap(0.0), None), (nap(0.0), 1)) == 3
    first, large, last = (_output(database, fw_id)["output"] for fw_id in (1, 2, 3))
    assert large[2] == 4
    assert first[1] <= large[0]
    assert large[1] <= last[0]


def _output(database, fw_id):
    firework = database.launchpad.fireworks.find_one({"fw_id": fw_id})
    return database.collections[OUTPUTS].find_one({"uuid": firework["spec"]["_tasks"][0]["job"]["uuid"]})


def test_place_that_dies_costs_no_other_and_its_step_is_taken_up_again(job, database):
    assert job((die(1), 1), (answer("other"), 1)) == 2
    assert sorted(outputs(database)) == ["after 1 deaths", "other"]


def test_step_that_brings_down_every_place_fails_with_advice(job, database):
    assert job((die(9), 1), (answer("other"), 1)) == 1
    assert states(database) == ["FIZZLED", "COMPLETED"]
    (launch,) = database.launchpad.launches.find({"state": "FIZZLED"})
    assert f"{MOST_DEATHS} times" in launch["action"]["stored_data"]["_exception"]["_stacktrace"]


def test_nothing_is_begun_when_time_is_short_and_what_stopped_for_it_is_ready(job, database, tmp_path):
    assert job((run_out_of_time(str(tmp_path)), 3), (answer("later"), 3), seconds=LEAST_SECONDS - 1) == 1
    assert states(database) == ["READY", "READY"]
    assert (tmp_path / "stopped").exists()


def test_steps_side_by_side_need_no_more_memory_than_the_node_has(job, database, tmp_path, monkeypatch):
    places = tmp_path / "places"
    (tmp_path / "sitecustomize.py").write_text(f"print(file=open({str(places)!r}, 'a'))\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{TESTS}")
    # with the margin of a half: three processes of 300 MB fit in the node, two steps of 600 MB do not
    assert job((nap(0.0), 4, 200), (nap(0.0), 1, 400), (nap(0.0), 1, 400)) == 3
    assert [processes for _, _, processes in sorted(outputs(database))] == [3, 1, 1]
    # one place ran them one after another
    assert places.read_text() == "\n"


def test_job_whose_places_cannot_begin_a_step_ends_and_says_so(job, database, tmp_path, monkeypatch):
    (tmp_path / "fireworks.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LaunchError, match=f"lab: places .* ended {MOST_DEATHS} times, the last with code 3 before"):
        job((answer("one"), 4))
    assert states(database) == ["READY"]
