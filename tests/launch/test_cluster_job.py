from __future__ import annotations

import os
import time

import pytest
from fakes.slurm_jobs import surroundings
from fakes.tiny_campaign import NAME, submit_jobs
from fakes.tiny_jobs import answer
from fireworks import FWorker
from jobflow import SETTINGS

from hightc.launch.cluster import JobShape, write_cluster
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
from hightc.launch.store import OUTPUTS


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
