from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes.counted_database import CountedDatabase
from fakes.tiny_jobs import answer, fail, relax, solve
from rich.console import Console

from hightc.launch.dispatch import worker_name
from hightc.launch.monitor import (
    TOTALS_SECONDS,
    Progress,
    ProgressDisplay,
    clock,
    progress_table,
    read_campaign_progress,
)
from hightc.launch.recovery import recover_interrupted
from hightc.launch.run import MOST_POLL_SECONDS, POLL_SECONDS, pause_after

PW_OUT = """\
     Program PWSCF v.6.7MaX starts on  1Mar2026 at 12: 0: 0
     iteration #  4     ecut=    16.00 Ry     beta= 0.70
"""


@pytest.fixture
def progress(database):
    def read(submission):
        (found,) = read_campaign_progress([submission], database)
        return found

    return read


def rewrite_launch(database, submission, step, history, state):
    """Give the last launch of a step a history of its own."""
    firework = database.launchpad.fireworks.find_one({"fw_id": submission.fw_ids[step]})
    database.launchpad.launches.update_one(
        {"launch_id": firework["launches"][-1]}, {"$set": {"state": state, "state_history": history}}
    )


def entry(state: str, moment: datetime | str) -> dict[str, object]:
    return {"state": state, "created_on": moment, "updated_on": moment}


def test_material_that_was_not_begun_waits_for_its_first_step(run_worker, progress):
    found = progress(run_worker.submit("Al", [answer(1), answer(2)]))
    assert found == Progress("Al", "waiting", "answer", 0, 2, 0.0, "")


def test_material_between_steps_waits_for_the_next_not_an_old_one(run_worker, progress, database):
    submission = run_worker.submit("Al", [answer(1), fail("no"), solve(run_worker.tag("Al"))])
    run_worker()
    recover_interrupted([submission], database)
    found = progress(submission)
    assert (found.state, found.step, found.done, found.total) == ("waiting", "fail", 1, 3)


def test_running_step_shows_its_own_time_and_what_the_program_prints(run_worker, progress, database, tmp_path):
    submission = run_worker.submit("Al", [answer(1), answer(2)])
    database.launchpad.checkout_fw(run_worker.fworker, str(tmp_path / "step"))
    begun = datetime.now(UTC) - timedelta(seconds=90)
    rewrite_launch(database, submission, 0, [entry("RUNNING", begun)], "RUNNING")
    folder = Path(database.launchpad.launches.find_one({})["launch_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pw.out").write_text(PW_OUT)
    found = progress(submission)
    assert (found.state, found.step, found.done) == ("running", "answer", 0)
    assert 90 <= found.elapsed_seconds < 120
    assert found.detail == "scf iteration 4"


def test_reserved_step_counts_as_running(run_worker, progress, database):
    submission = run_worker.submit("Al", [answer(1)])
    database.launchpad.fireworks.update_one({"fw_id": submission.fw_ids[0]}, {"$set": {"state": "RESERVED"}})
    assert progress(submission).state == "running"


def test_failed_material_shows_the_step_that_failed(run_worker, progress):
    submission = run_worker.submit("Al", [answer(1), fail("no"), answer(3)])
    run_worker()
    found = progress(submission)
    assert (found.state, found.step, found.done, found.total, found.detail) == ("failed", "fail", 1, 3, "")


def test_material_that_a_gate_stopped_is_neither_failed_nor_finished(run_worker, progress):
    tag = run_worker.tag("Al")
    submission = run_worker.submit("Al", [relax(tag, 2.0), solve(tag)])
    run_worker()
    found = progress(submission)
    assert (found.state, found.step, found.done) == ("stopped", "relax", 1)


@pytest.mark.parametrize("form", ["aware", "naive", "text"])
def test_finished_material_took_the_sum_of_its_steps(form, run_worker, progress, database):
    submission = run_worker.submit("Al", [answer(1), answer(2)])
    run_worker()
    start = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    written = {"aware": lambda t: t, "naive": lambda t: t.replace(tzinfo=None), "text": lambda t: t.isoformat()}[form]
    for step, seconds in enumerate((30, 45)):
        history = [entry("RUNNING", written(start)), entry("COMPLETED", written(start + timedelta(seconds=seconds)))]
        rewrite_launch(database, submission, step, history, "COMPLETED")
    found = progress(submission)
    assert (found.state, found.step, found.done, found.total) == ("finished", "answer", 2, 2)
    assert found.elapsed_seconds == 75.0


def test_time_is_never_negative_when_clocks_differ(run_worker, progress, database):
    submission = run_worker.submit("Al", [answer(1)])
    database.launchpad.checkout_fw(run_worker.fworker, "/nowhere")
    rewrite_launch(database, submission, 0, [entry("RUNNING", datetime.now(UTC) + timedelta(hours=1))], "RUNNING")
    found = progress(submission)
    assert (found.elapsed_seconds, found.detail) == (0.0, "")


MANY = [
    Progress("Al", "running", "ph.x electron-phonon", 3, 8, 754.0, "q 2 of 3, representation 1 of 2, iteration 4"),
    Progress("mp-1234567", "waiting", "relax", 0, 8, 0.0, ""),
    Progress("Pb", "finished", "Tc", 8, 8, 61.0, ""),
    Progress("Si", "stopped", "relax", 1, 8, 3.0, ""),
    Progress("Nb3Sn", "failed", "scf dense", 1, 8, 3600.0, ""),
]


@pytest.mark.parametrize("width", [80, 120])
def test_table_fits_the_terminal_and_shows_every_material_and_state(width):
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=False).print(progress_table(MANY, 3725.0))
    lines = stream.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith("hightc run, 62:05 elapsed")
    for material in MANY:
        (line,) = [line for line in lines if line.startswith(f"{material.label} ")]
        for shown in (material.state, material.step, f"{material.done}/{material.total}"):
            assert shown in line
    assert all(part in stream.getvalue() for part in ("q 2 of 3,", "representation", "1 of 2,", "iteration"))


def test_elsewhere_than_on_a_terminal_a_line_is_printed_a_change():
    stream = io.StringIO()
    with ProgressDisplay(Console(file=stream, width=40)) as display:
        display.show(MANY[:2], 0.0)
        display.show(MANY[:2], 5.0)
        display.show([Progress("Al", "running", "q2r.x", 4, 8, 1.0, ""), MANY[1]], 65.0)
    assert stream.getvalue().splitlines() == [
        "[0:00] Al: running, ph.x electron-phonon (3/8)",
        "[0:00] mp-1234567: waiting, relax (0/8)",
        "[1:05] Al: running, q2r.x (4/8)",
    ]


def test_on_a_terminal_the_table_is_live_and_leaves_nothing():
    stream = io.StringIO()
    with ProgressDisplay(Console(file=stream, width=80, force_terminal=True)) as display:
        display.show(MANY, 1.0)
    assert "ph.x electron-phonon" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")  # erased: the result table comes instead


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3725, "62:05")])
def test_clock_counts_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


def test_worker_names_are_of_this_machine():
    assert worker_name(3).endswith(":3")
    assert worker_name(3).startswith(worker_name(""))


COUNTS = {"running": 2, "waiting": 9000, "finished": 900, "failed": 98}


def test_large_campaign_shows_what_runs_and_counts_the_rest():
    stream = io.StringIO()
    Console(file=stream, width=120).print(progress_table(MANY[:1], 3725.0, COUNTS))
    title, total, _, row = (line.rstrip() for line in stream.getvalue().splitlines())
    assert title == "hightc run, 62:05 elapsed"
    assert total == "10000 materials: 2 running, 900 finished, 98 failed, 9000 waiting"
    assert row.startswith("Al ")


def test_of_a_large_campaign_changes_are_printed_and_totals_now_and_then():
    stream = io.StringIO()
    totals_line = "10000 materials: 2 running, 900 finished, 98 failed, 9000 waiting"
    with ProgressDisplay(Console(file=stream, width=40)) as display:
        display.show(MANY[:1], 0.0, counts=COUNTS)
        display.show(MANY[:1], 5.0, counts=COUNTS, changed=MANY[2:3])
        display.show(MANY[:1], 10.0, counts=COUNTS, changed=MANY[2:3])
        display.show(MANY[:1], TOTALS_SECONDS, counts=COUNTS)
    assert stream.getvalue().splitlines() == [
        f"[0:00] {totals_line}",
        "[0:05] Pb: finished, Tc (8/8)",
        f"[1:00] {totals_line}",
    ]


def test_looks_take_a_tenth_of_the_time_and_dead_workers_are_not_left_for_long():
    assert pause_after(0.0) == POLL_SECONDS
    assert pause_after(0.3) == pytest.approx(2.7)
    assert pause_after(60.0) == MOST_POLL_SECONDS


def test_progress_of_many_materials_takes_as_many_queries_as_that_of_one(run_worker, database):
    submissions = [run_worker.submit(f"M{number}", [answer(1), answer(2)]) for number in range(6)]
    run_worker()
    asked = []
    for chosen in (submissions[:1], submissions):
        counted = CountedDatabase.of(database)
        found = read_campaign_progress(chosen, counted)
        assert [(entry.label, entry.state, entry.done) for entry in found] == [
            (submission.material.tag.material, "finished", 2) for submission in chosen
        ]
        asked.append(counted.asked()[0])
        counted.close()
    assert asked == [3, 3]
    assert read_campaign_progress([], database) == ()
