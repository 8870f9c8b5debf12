from __future__ import annotations

import dataclasses
import io
import json

import pytest
from fakes.tiny_campaign import NAME
from fakes.tiny_jobs import answer, fail
from rich.console import Console

from hightc.launch.status import CampaignStatus, FailureGroup, cause_of, read_status
from hightc.launch.status_command import failure_lines, status_table, time_left, words_of


def shown(status) -> str:
    stream = io.StringIO()
    Console(width=300, file=stream).print(status_table(status))
    return stream.getvalue()


def test_nothing_submitted_says_how_to_begin(database):
    status = read_status(database)
    assert status.campaigns == ()
    assert "hightc run launch/examples/quickstart.toml" in shown(status)


def test_counts_of_a_campaign_that_was_not_begun(run_worker, database):
    run_worker.submit("Al", [answer(1), answer(2)])
    run_worker.submit("Pb", [answer(3), answer(4)])
    (campaign,) = read_status(database).campaigns
    assert campaign.name == NAME
    assert campaign.materials == {"READY": 2}
    assert campaign.steps == {"READY": 2, "WAITING": 2}
    assert (campaign.left, campaign.hours_left) == (4, None)


def test_finished_steps_count_for_the_rate(run_worker, database):
    run_worker.submit("Al", [answer(1), answer(2)])
    run_worker()
    (campaign,) = read_status(database, NAME).campaigns
    assert campaign.steps == {"COMPLETED": 2}
    assert campaign.per_hour == pytest.approx(2)
    assert campaign.hours_left == 0


def test_running_step_names_its_worker(run_worker, database, tmp_path):
    run_worker.submit("Al", [answer(1), answer(2)])
    database.launchpad.checkout_fw(run_worker.fworker, str(tmp_path / "step"))
    (step,) = read_status(database).running
    assert (step.campaign, step.name, step.worker) == (NAME, "Al answer", run_worker.fworker.name)
    assert 0 <= step.seconds < 60
    assert "Al answer" in shown(read_status(database))


def test_failures_of_one_cause_are_one_group(run_worker, database):
    for label, number in (("Al", 12), ("Pb", 7)):
        run_worker.submit(label, [fail(f"/runs/{label}/pw.out: not converged after {number} steps")])
    run_worker.submit("Sn", [fail("disk full")])
    run_worker()
    status = read_status(database)
    assert [(group.count, group.campaigns) for group in status.failures] == [(2, (NAME,)), (1, (NAME,))]
    text = shown(status)
    assert "2 failed steps of tiny" in text
    assert "disk full" in text
    assert "then: hightc recover tiny, and hightc run with its file" in text
    assert status.failures_left_out == 0


def test_other_campaigns_are_left_out_when_one_is_asked_for(run_worker, database):
    run_worker.submit("Al", [answer(1)])
    assert read_status(database, "another").campaigns[0].steps == {}


def test_status_reads_no_firework_but_what_runs_or_failed(run_worker, database):
    for number in range(20):
        run_worker.submit(f"M{number}", [answer(number)])
    fireworks = database.collections["fireworks"]
    for state in ("READY", "RUNNING", "FIZZLED"):
        query = {"find": fireworks.name, "filter": {"state": state, "spec.campaign": NAME}}
        plan = database.collections.command("explain", query, verbosity="executionStats")
        stats = plan["executionStats"]
        assert stats["totalDocsExamined"] == stats["nReturned"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a/b/pw.out: 3 of 7 failed", "/c/d/pw.out: 12 of 9 failed"),
        ("ph.x: expected 1e-12, found 2.5E-3", "ph.x: expected 1e-10, found 7"),
        ("line one 1\nline two", "line one 2\nanother"),
    ],
)
def test_causes_differ_in_words_only(first, second):
    assert cause_of(first) == cause_of(second)


def test_causes_of_different_words_differ():
    assert cause_of("disk full") != cause_of("killed by signal 9")


def test_time_left_is_written_in_units_that_fit():
    def campaign(left, per_hour):
        return CampaignStatus("c", {}, {"READY": left}, per_hour)

    assert time_left(campaign(5, 10)) == "30 min"
    assert time_left(campaign(25, 10)) == "2.5 h"
    assert time_left(campaign(1000, 10)) == "4.2 days"
    assert time_left(campaign(0, 0)) == "-"
    assert time_left(campaign(3, 0)).startswith("unknown")


def test_counts_are_written_in_words():
    assert words_of({"COMPLETED": 3, "FIZZLED": 1, "READY": 2}) == "3 of 6 finished, 2 ready, 1 failed"


def test_a_cause_ends_with_the_next_step():
    group = FailureGroup("c", "pw.x stopped", 7, ("nb",), (9, 8, 7, 6, 5), "/runs/x")
    lines = failure_lines(group)
    assert lines[0] == "7 failed steps of nb (fw_id 9, 8, 7, 6, 5, ...): pw.x stopped"
    assert "/runs/x" in lines[1]


def test_status_can_be_written_as_json(run_worker, database):
    run_worker.submit("Al", [fail("no")])
    run_worker()
    assert json.loads(json.dumps(dataclasses.asdict(read_status(database))))["failures"][0]["count"] == 1
