from __future__ import annotations

import pytest
from fakes.tiny_campaign import NAME, submit_jobs
from fakes.tiny_jobs import answer

from hightc.launch.cluster import JobShape, write_cluster
from hightc.launch.cluster_fit import Limits, ask_for_more_time, limits_of, request, was_at_time_limit, worker_of
from hightc.launch.step_resources import StepResources

SLURM = Limits("SLURM", nodes=4, processes_per_node=48, walltime_seconds=86400)


def step(**values) -> StepResources:
    return StepResources(**{"core_seconds": 3600.0, "processes": 1, "wall_seconds": 900, "memory_mb": 100, **values})


def test_job_asks_for_what_its_step_needs():
    asked = request(step(processes=60, wall_seconds=5400, memory_mb=2000), SLURM)
    assert asked == {"nodes": 2, "ntasks": 60, "ntasks_per_node": 30, "walltime": "01:30:00", "mem_per_cpu": "3000M"}


def test_pbs_is_asked_in_its_own_words():
    limits = Limits("PBS", nodes=4, processes_per_node=48, walltime_seconds=86400)
    asked = request(step(processes=60, memory_mb=2000), limits)
    assert asked == {"nnodes": 2, "ppnode": 30, "walltime": "00:15:00", "pmem": "3000mb"}


def test_little_memory_is_left_to_the_queue():
    assert "mem_per_cpu" not in request(step(), SLURM)


def test_fewer_processes_than_wanted_get_more_time_up_to_that_of_the_cluster():
    small = Limits("SLURM", nodes=1, processes_per_node=4, walltime_seconds=86400)
    assert request(step(processes=8, wall_seconds=1800), small)["walltime"] == "01:00:00"
    short = Limits("SLURM", nodes=1, processes_per_node=4, walltime_seconds=1200)
    assert request(step(processes=8, wall_seconds=1800), short)["walltime"] == "00:20:00"


def test_large_processes_are_spread_over_nodes():
    limits = Limits("SLURM", nodes=4, processes_per_node=48, walltime_seconds=86400, memory_mb_per_node=64_000)
    asked = request(step(processes=48, memory_mb=4000), limits)
    # ten processes of 6 GB fit into a node
    assert (asked["nodes"], asked["ntasks"], asked["ntasks_per_node"]) == (4, 40, 10)


def test_threads_share_the_memory_of_their_process():
    limits = Limits("SLURM", nodes=1, processes_per_node=12, walltime_seconds=86400, threads=4)
    assert request(step(memory_mb=4000), limits)["mem_per_cpu"] == "1500M"


def test_step_without_numbers_asks_for_what_the_file_says():
    assert request(None, SLURM) == {}


@pytest.mark.parametrize("system", ["slurm", "pbs"])
def test_limits_are_those_of_the_files(system, settings):
    shape = JobShape(system=system, nodes=2, processes_per_node=24, walltime="1-12:00:00", memory_mb_per_node=192_000)
    cluster = write_cluster("lab", shape, settings, force=False)
    assert limits_of(cluster) == Limits(system.upper(), 2, 24, 36 * 3600, memory_mb_per_node=192_000)
    assert limits_of(cluster).processes == 48


def test_tasks_that_are_written_by_hand_are_counted(settings):
    cluster = write_cluster("lab", JobShape(), settings, force=False)
    text = cluster.qadapter_file.read_text().replace("ntasks_per_node: 1", "ntasks: 6")
    cluster.qadapter_file.write_text(text)
    assert limits_of(cluster).processes == 6


def test_worker_takes_what_its_cluster_is_for(settings, database, tmp_path):
    ids = {}
    for number, (category, memory_mb) in enumerate((("small", 100), ("small", 900), ("epw", 100), ("small", None))):
        (fw_id,) = submit_jobs(f"M{number}", [answer(number)], database, tmp_path, settings).fw_ids
        numbers = {"spec.resources": step(memory_mb=memory_mb).model_dump()} if memory_mb else {}
        change = {"$set": {"spec._category": category, **numbers}}
        if not memory_mb:
            change["$unset"] = {"spec.resources": True}
        database.launchpad.fireworks.update_one({"fw_id": fw_id}, change)
        ids[category, memory_mb] = fw_id
    cluster = write_cluster(
        "lab", JobShape(memory_mb_per_node=1000), settings, categories=("serial", "small"), force=False
    )
    found = database.launchpad.fireworks.find(worker_of(cluster, NAME, "w").query, {"fw_id": 1})
    # 900 MB with their margin are more than a node has
    assert {entry["fw_id"] for entry in found} == {ids["small", 100], ids["small", None]}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "tiny-17.error",
            "slurmstepd: error: *** JOB 17 ON n1 CANCELLED AT 2026-11-23T05:00 DUE TO TIME LIMIT ***",
            True,
        ),
        ("FW_job.error", "=>> PBS: job killed: walltime 3619 exceeded limit 3600", True),
        ("tiny-17.error", "slurmstepd: error: *** JOB 17 ON n1 CANCELLED AT 2026-11-23T05:00 ***", False),
        ("tiny-16.error", "*** JOB 16 ON n1 CANCELLED AT 2026-11-23T05:00 DUE TO TIME LIMIT ***", False),
    ],
)
def test_end_at_the_time_limit_is_read_from_what_the_queue_wrote(name, text, expected, tmp_path):
    (tmp_path / name).write_text(text)
    assert was_at_time_limit(str(tmp_path), "17") is expected


def test_step_gets_twice_the_time_that_its_last_job_had(settings, database, tmp_path):
    (fw_id,) = submit_jobs("A", [answer("one")], database, tmp_path, settings).fw_ids
    fireworks = database.launchpad.fireworks
    assert ask_for_more_time(database.launchpad, fw_id) is None
    spec = {"spec.resources": step().model_dump(), "spec._queueadapter": request(step(), SLURM)}
    fireworks.update_one({"fw_id": fw_id}, {"$set": spec})
    for expected in (1800, 3600):
        assert ask_for_more_time(database.launchpad, fw_id) == expected
        numbers = StepResources(**fireworks.find_one({"fw_id": fw_id})["spec"]["resources"])
        assert numbers == step(wall_seconds=expected)
        fireworks.update_one({"fw_id": fw_id}, {"$set": {"spec._queueadapter": request(numbers, SLURM)}})
