from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from fakes.slurm_jobs import nap, run_out_of_time, surroundings
from fakes.tiny_campaign import NAME, submit_jobs
from fakes.tiny_jobs import answer
from fireworks import FWAction, FWorker
from jobflow import SETTINGS

from hightc.launch import embedded_mongo
from hightc.launch.cluster import JobShape, write_cluster
from hightc.launch.cluster_fit import MOST_LOSSES
from hightc.launch.cluster_job import (
    LEAST_SECONDS,
    job_number,
    main,
    open_jobs_database,
    run_fireworks,
    take_processes_of_job,
    time_left_in_settings,
)
from hightc.launch.cluster_queue import job_worker_name
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.lpad import write_launchpad_file
from hightc.launch.recovery import recover_interrupted
from hightc.launch.step_resources import StepResources
from hightc.launch.store import OUTPUTS, Database
from hightc.makers.errors import OutOfTimeError

AWAY_SECONDS = 3.0
"""Long enough for a step to end while the server is away."""


@pytest.fixture
def cluster(run_worker, settings, monkeypatch):
    """A cluster whose job 17 is this process."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    yield write_cluster("lab", JobShape(), settings, force=False)
    SETTINGS.JOB_STORE.connect()  # only a step connects it, and only what is connected can be closed
    SETTINGS.JOB_STORE.close()


def states(database):
    return [entry["state"] for entry in database.launchpad.fireworks.find({}).sort("fw_id", -1)]


def outputs(database):
    return [entry["output"] for entry in database.collections[OUTPUTS].find({})]


def test_job_takes_one_step_after_another_while_there_is_time(cluster, database, settings, tmp_path):
    submit_jobs("A", [answer("one"), answer("two")], database, tmp_path, settings)
    assert run_fireworks(cluster, NAME, database, fw_id=None, end=time.time() + 3600) == 2
    assert outputs(database) == ["one", "two"]


def test_job_begins_no_second_step_when_time_is_short(cluster, database, settings, tmp_path):
    submit_jobs("A", [answer("one"), answer("two")], database, tmp_path, settings)
    assert run_fireworks(cluster, NAME, database, fw_id=None, end=time.time() + LEAST_SECONDS - 1) == 1
    assert states(database) == ["COMPLETED", "READY"]


def test_job_that_the_queue_starts_again_takes_up_what_it_ran_before(cluster, database, settings, tmp_path):
    submission = submit_jobs("A", [answer("one")], database, tmp_path, settings)
    database.launchpad.checkout_fw(FWorker(name=job_worker_name("lab", "17")), str(tmp_path))
    assert states(database) == ["RUNNING"]
    assert run_fireworks(cluster, NAME, database, fw_id=submission.fw_ids[0], end=time.time() + 3600) == 1
    assert outputs(database) == ["one"]


def test_step_of_another_job_is_left_alone_by_jobs_and_by_this_machines_workers(cluster, database, settings, tmp_path):
    submission = submit_jobs("A", [answer("one")], database, tmp_path, settings)
    database.launchpad.checkout_fw(FWorker(name=job_worker_name("lab", "18")), str(tmp_path))
    assert run_fireworks(cluster, NAME, database, fw_id=None, end=time.time() + 3600) == 0
    assert recover_interrupted([submission], database, held=tmp_path) == []
    assert states(database) == ["RUNNING"]


def test_step_that_stopped_for_lack_of_time_is_ready_for_the_next_job(cluster, database, settings, tmp_path):
    (fw_id,) = submit_jobs("A", [run_out_of_time(str(tmp_path))], database, tmp_path, settings).fw_ids
    asked = {"walltime": "00:15:00"}
    numbers = StepResources(core_seconds=60, processes=1, wall_seconds=900, memory_mb=50)
    change = {"$set": {"spec.resources": numbers.model_dump(), "spec._queueadapter": asked}}
    database.launchpad.fireworks.update_one({"fw_id": fw_id}, change)
    assert run_fireworks(cluster, NAME, database, fw_id=fw_id, end=time.time() + LEAST_SECONDS - 1) == 1
    assert states(database) == ["READY"]
    # the launch is kept, and the next job asks for twice the time
    (launch,) = database.launchpad.launches.find({})
    assert launch["state"] == "FIZZLED"
    assert "OutOfTimeError" in launch["action"]["stored_data"]["_exception"]["_stacktrace"]
    firework = database.launchpad.fireworks.find_one({"fw_id": fw_id})
    assert firework["archived_launches"] == [launch["launch_id"]]
    assert firework["spec"]["resources"]["wall_seconds"] == 1800
    SETTINGS.JOB_STORE.close()
    assert run_fireworks(cluster, NAME, database, fw_id=fw_id, end=time.time() + 3600) == 1
    assert outputs(database) == ["after all"]


def test_step_that_is_stopped_again_and_again_fails_in_the_end(database, settings, tmp_path):
    (fw_id,) = submit_jobs("A", [answer("one")], database, tmp_path, settings).fw_ids
    _, launch_id = database.launchpad.checkout_fw(FWorker(name=job_worker_name("lab", "17")), str(tmp_path))
    before = {"$set": {"archived_launches": list(range(1000, 1000 + MOST_LOSSES))}}
    database.launchpad.fireworks.update_one({"fw_id": fw_id}, before)
    stopped = {"_exception": {"_stacktrace": "it stopped", "_details": OutOfTimeError("").to_dict()}}
    database.launchpad.complete_launch(launch_id, FWAction(stored_data=stopped, exit=True), "FIZZLED")
    assert states(database) == ["FIZZLED"]


def test_job_waits_while_the_database_is_away(cluster, settings, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HIGHTC_DATABASE_PATIENCE_SECONDS", "60")
    directory = tmp_path / "mongo"
    uri = embedded_mongo.start(directory)
    first = Database(uri=uri, name="hightc", embedded=True)
    first.prepare()
    submit_jobs("A", [nap(AWAY_SECONDS), answer("next")], first, tmp_path, settings)
    write_launchpad_file(first, cluster.launchpad_file)
    first.close()
    database = open_jobs_database(cluster)

    def take_away() -> None:
        time.sleep(AWAY_SECONDS / 2)
        os.kill(embedded_mongo.status(directory).pid, signal.SIGKILL)
        time.sleep(AWAY_SECONDS)
        embedded_mongo.start(directory)

    fault = threading.Thread(target=take_away)
    fault.start()
    try:
        assert run_fireworks(cluster, NAME, database, fw_id=None, end=time.time() + 3600) == 2
        assert outputs(database)[1] == "next"
        said = capfd.readouterr().out
        assert said.count("hightc: database is away since") == said.count("hightc: database is back after") == 1
    finally:
        fault.join()
        SETTINGS.JOB_STORE.close()
        database.close()
        embedded_mongo.stop(directory)


def test_steps_are_told_the_time_that_is_left(cluster, database, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("HIGHTC_WALLTIME_SECONDS", "99999")
    submit_jobs("A", [surroundings()], database, tmp_path, settings)
    with time_left_in_settings(time.time() + 1030):
        run_fireworks(cluster, NAME, database, fw_id=None, end=time.time() + 1030)
    (seen,) = outputs(database)
    # half a minute is for the end of the job; a test takes less than one
    assert 940 <= float(seen["HIGHTC_WALLTIME_SECONDS"]) <= 1000


def test_time_that_is_over_is_the_shortest_that_settings_take(monkeypatch):
    monkeypatch.setenv("HIGHTC_WALLTIME_SECONDS", "99999")
    with time_left_in_settings(time.time()):
        assert os.environ["HIGHTC_WALLTIME_SECONDS"] == "61"


@pytest.mark.parametrize(
    ("surrounded", "processes"),
    [
        ({"SLURM_NTASKS": "6"}, "6"),
        ({"SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "24"}, "48"),
        ({"PBS_NP": "12"}, "12"),
        ({"SLURM_NTASKS": "6", "HIGHTC_PROCESSES": "3"}, "3"),
        ({}, None),
    ],
)
def test_processes_are_those_of_the_job_unless_the_environment_says_otherwise(surrounded, processes, monkeypatch):
    for name in ("SLURM_NTASKS", "SLURM_JOB_NUM_NODES", "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PBS_NP", "PBS_NODEFILE", "HIGHTC_PROCESSES", "HIGHTC_THREADS"):
        # set first, so that what the job adds is taken away too
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in surrounded.items():
        monkeypatch.setenv(name, value)
    take_processes_of_job()
    assert os.environ.get("HIGHTC_PROCESSES") == processes


def test_nodes_of_pbs_are_counted_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HIGHTC_PROCESSES", "")
    for name in ("SLURM_NTASKS", "SLURM_JOB_NUM_NODES", "PBS_NP", "HIGHTC_PROCESSES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "nodes").write_text("n1\nn1\nn2\nn2\n")
    monkeypatch.setenv("PBS_NODEFILE", str(tmp_path / "nodes"))
    take_processes_of_job()
    assert os.environ["HIGHTC_PROCESSES"] == "4"


def test_number_of_a_pbs_job_has_no_server(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("PBS_JOBID", "4711.server")
    assert job_number() == "4711"
    monkeypatch.delenv("PBS_JOBID")
    with pytest.raises(LaunchError, match="runs in jobs only"):
        job_number()


def test_job_finds_the_database_that_was_written_down(cluster, database):
    with pytest.raises(DatabaseError, match=r"my_launchpad\.yaml"):
        open_jobs_database(cluster)
    write_launchpad_file(database, cluster.launchpad_file)
    found = open_jobs_database(cluster)
    assert found.uri == database.uri
    found.close()


def test_job_that_cannot_reach_the_database_says_what_to_do(cluster, tmp_path, capsys):
    cluster.launchpad_file.write_text("host: mongodb://%2Fnowhere%2Fmongo.sock/hightc\n")
    code = main(["singleshot", "--cluster", str(cluster.directory), "--campaign", NAME, "--seconds", "3600"])
    assert code == 2
    assert "offline: true" in capsys.readouterr().err
