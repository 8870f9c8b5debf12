"""``hightc recover``: what was lost or failed runs again, and what lies finished on disk costs no program."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes.fault_jobs import compute
from fakes.tiny_campaign import NAME
from fakes.tiny_jobs import answer, fail, fail_until
from fireworks import FWorker

from hightc.launch.command_parser import CommandParser
from hightc.launch.dispatch import hold_campaign, worker_lock, worker_name
from hightc.launch.errors import LaunchError
from hightc.launch.lost_runs import PING_LIMIT_SECONDS, failed_steps, put_back, running_steps
from hightc.launch.recover_command import add_recover
from hightc.launch.store import OUTPUTS

COMPLETE = Path(__file__).parents[1] / "data" / "qe" / "al_scf" / "scf.out"


@pytest.fixture
def recover(database, tmp_path, monkeypatch, run_worker):
    """The command, on the module's database; its exit code."""
    monkeypatch.setenv("HIGHTC_MONGO_URI", database.uri)

    def call(*arguments: str) -> int:
        parser = CommandParser(prog="hightc")
        add_recover(parser.add_subparsers())
        options = parser.parse_args(["recover", *arguments])
        return options.command(options)

    return call


def states(database) -> dict[int, str]:
    return {entry["fw_id"]: entry["state"] for entry in database.launchpad.fireworks.find({})}


def silent_for(database, launch_id: int, seconds: float) -> None:
    """Let the last ping of a launch be old."""
    ping = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    launches = database.launchpad.launches
    history = launches.find_one({"launch_id": launch_id})["state_history"]
    launches.update_one(
        {"launch_id": launch_id}, {"$set": {"state_history": [{**entry, "updated_on": ping} for entry in history]}}
    )


def test_step_of_a_dead_worker_of_this_machine_is_put_back(run_worker, database, tmp_path, recover, capsys):
    (fw_id,) = run_worker.submit("A", [answer(1)]).fw_ids
    database.launchpad.checkout_fw(FWorker(name=worker_name(3)), str(tmp_path))
    assert recover(NAME, "--dry-run") == 0
    assert "lost runs: 1, would be put back" in capsys.readouterr().out
    assert states(database) == {fw_id: "RUNNING"}
    assert recover(NAME) == 0
    said = capsys.readouterr().out
    assert f"lost: A answer (fw_id {fw_id}, {worker_name(3)}): its worker on this machine is dead" in said
    assert "lost runs: 1, 1 put back" in said
    assert "next: hightc run" in said
    assert states(database) == {fw_id: "READY"}
    assert run_worker() == 1


def test_step_of_a_living_worker_is_left_alone(run_worker, database, tmp_path, recover, capsys):
    (fw_id,) = run_worker.submit("A", [answer(1)]).fw_ids
    database.launchpad.checkout_fw(FWorker(name=worker_name(3)), str(tmp_path / "A" / "01-answer"))
    with worker_lock(tmp_path, "worker-3"):
        assert recover(NAME) == 0
    assert "its worker is alive" in capsys.readouterr().out
    assert states(database) == {fw_id: "RUNNING"}


def test_living_run_takes_care_of_its_own_workers(run_worker, database, settings, tmp_path, recover, capsys):
    (fw_id,) = run_worker.submit("A", [answer(1)]).fw_ids
    database.launchpad.checkout_fw(FWorker(name=worker_name(3)), str(tmp_path))
    with hold_campaign(settings.data_directory.absolute() / "campaigns" / NAME):
        assert recover(NAME) == 0
    said = capsys.readouterr().out
    assert "a hightc run works on it" in said
    assert "next:" not in said
    assert states(database) == {fw_id: "RUNNING"}


@pytest.mark.parametrize(("beyond_seconds", "lost"), [(-60, False), (60, True)])
def test_worker_of_another_machine_is_dead_after_four_hours_of_silence(
    run_worker, database, tmp_path, beyond_seconds, lost
):
    run_worker.submit("A", [answer(1)])
    _, launch = database.launchpad.checkout_fw(FWorker(name="hightc@another-node:0"), str(tmp_path))
    silent_for(database, launch, PING_LIMIT_SECONDS + beyond_seconds)
    (step,) = running_steps(database, NAME, tmp_path, run_alive=False)
    assert step.lost is lost
    assert step.reason.startswith("its worker on another machine was last heard 4.0 h ago")


def test_step_in_a_job_of_a_queue_is_left_to_the_queue(run_worker, database, tmp_path):
    run_worker.submit("A", [answer(1)])
    _, launch = database.launchpad.checkout_fw(FWorker(name="queue@cluster:17"), str(tmp_path))
    silent_for(database, launch, 10 * PING_LIMIT_SECONDS)
    (step,) = running_steps(database, NAME, tmp_path, run_alive=False)
    assert not step.lost
    assert "hightc cluster launch" in step.reason


def test_step_that_was_taken_and_never_begun_is_lost_after_a_minute(run_worker, database, tmp_path, recover):
    (fw_id,) = run_worker.submit("A", [answer(1)]).fw_ids
    fireworks = database.launchpad.fireworks
    for seconds, lost in ((1, False), (300, True)):
        moment = datetime.now(UTC) - timedelta(seconds=seconds)
        fireworks.update_one({"fw_id": fw_id}, {"$set": {"state": "RESERVED", "updated_on": moment.isoformat()}})
        (step,) = running_steps(database, NAME, tmp_path, run_alive=False)
        assert step.lost is lost
    assert recover() == 0
    assert run_worker() == 1


def test_failed_steps_run_again_by_cause(run_worker, database, tmp_path, recover, capsys):
    for label in ("A", "B"):
        run_worker.submit(label, [fail_until(str(tmp_path / "mended" / label))])
    (other,) = run_worker.submit("C", [fail("charge is wrong")]).fw_ids
    run_worker()
    assert [len(group.fw_ids) for group in failed_steps(database, NAME)] == [2, 1]
    (tmp_path / "mended").mkdir()
    for label in ("A", "B"):
        (tmp_path / "mended" / label).write_text(label)
    assert recover(NAME, "--cause", "No Such File", "--dry-run") == 0
    assert "would run again: 2 failed: " in capsys.readouterr().out
    assert recover(NAME, "--cause", "No Such File") == 0
    said = capsys.readouterr().out
    assert "ready again: 2 of 2 failed: " in said
    assert "left: 1 failed: charge is wrong" in said
    assert run_worker() == 2
    assert {fw_id for fw_id, state in states(database).items() if state == "FIZZLED"} == {other}
    assert recover() == 0
    assert states(database)[other] == "READY"


def test_cause_that_nothing_failed_for_is_said(run_worker, recover, capsys):
    run_worker.submit("A", [fail("charge is wrong")])
    run_worker()
    assert recover("--cause", "disk full") == 1
    assert "no failed step has 'disk full' in its message: hightc status" in capsys.readouterr().out


def test_campaign_that_is_not_there_is_an_error(recover):
    with pytest.raises(LaunchError, match="campaign 'nb': expected one of the database, found none"):
        recover("nb")


def test_step_that_finished_meanwhile_is_not_put_back(run_worker, database):
    submission = run_worker.submit("A", [answer(1)])
    run_worker()
    assert put_back(submission.fw_ids, database) == 0
    assert run_worker() == 0


def test_workflow_that_was_half_written_is_mended(run_worker, database, recover, capsys):
    first, second = run_worker.submit("A", [answer(1), answer(2)]).fw_ids
    launchpad = database.launchpad
    launchpad.fireworks.update_one({"fw_id": first}, {"$set": {"state": "COMPLETED"}})
    stray = {**launchpad.fireworks.find_one({"fw_id": second}), "fw_id": 999}
    del stray["_id"]
    launchpad.fireworks.insert_one(stray)
    assert recover(NAME, "--dry-run") == 0
    assert "half written: 1 workflows, 1 steps in none, would be mended" in capsys.readouterr().out
    assert states(database) == {first: "COMPLETED", second: "WAITING", 999: "WAITING"}
    assert recover(NAME) == 0
    said = capsys.readouterr().out
    assert "half written: 1 workflows, 1 steps in none; mended: 2" in said
    assert "next: hightc run" in said
    assert states(database) == {first: "COMPLETED", second: "READY"}
    assert recover(NAME) == 0
    assert "half written" not in capsys.readouterr().out


def test_result_that_lies_finished_on_disk_is_taken_over_without_a_program(
    run_worker, database, tmp_path, monkeypatch, recover
):
    """The program ended, and the worker died before it could tell the database, which was away."""
    program = tmp_path / "pw.x"
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\nexec cat {COMPLETE}\n")
    program.chmod(0o755)
    monkeypatch.setenv("HIGHTC_PW_COMMAND", str(program))
    monkeypatch.setenv("HIGHTC_SCRATCH_MINIMUM_GB", "0")
    (fw_id,) = run_worker.submit("A", [compute()]).fw_ids
    run_worker()
    stored = database.collections[OUTPUTS].find_one({})["output"]
    starts = (tmp_path / "starts").read_text()
    assert stored
    database.collections[OUTPUTS].delete_many({})
    launch = database.launchpad.fireworks.find_one({"fw_id": fw_id})["launches"][-1]
    running = {"$set": {"state": "RUNNING"}}
    database.launchpad.fireworks.update_one({"fw_id": fw_id}, running)
    database.launchpad.launches.update_one({"launch_id": launch}, {**running, "$unset": {"action": 1}})
    database.launchpad.workflows.update_one(
        {"nodes": fw_id}, {"$set": {"state": "RUNNING", f"fw_states.{fw_id}": "RUNNING"}}
    )
    assert recover(NAME) == 0
    assert run_worker() == 1
    (again,) = database.collections[OUTPUTS].find({})
    assert again["output"] == stored
    assert (tmp_path / "starts").read_text() == starts
    assert states(database) == {fw_id: "COMPLETED"}
    assert os.environ["HIGHTC_MONGO_URI"] == database.uri
