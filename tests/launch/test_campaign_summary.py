"""What a campaign of more than a few hundred materials says in the end."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.finished_materials import template
from fakes.report_results import make_decision, make_result, make_structure
from fakes.tiny_jobs import fail, relax, solve
from rich.console import Console

from hightc.launch.campaign_summary import MOST_BEST, MOST_ON_A_PAGE, summarize, summary_lines
from hightc.launch.results import Outcome, StepFailure
from hightc.launch.run import CampaignEnd, conclude
from hightc.makers.gates import metal_gate


def answered(label: str, kelvin: float):
    return make_result(label, Outcome.ANSWERED, template(kelvin)["Tc"])


def failed(label: str, reason: str):
    failure = StepFailure(step=f"{label} relax", fw_id=1, reason=reason, directory="/runs")
    return make_result(label, Outcome.FAILED, failure=failure)


def gated(label: str):
    return make_result(label, Outcome.GATED, make_structure(label, 2.0), gate=metal_gate(2.0))


def test_best_are_kept_whatever_the_order():
    kelvins = [float((37 * number) % 211) for number in range(211)]
    summary = summarize((answered(f"M{kelvin:g}", kelvin) for kelvin in kelvins), 1000.0)
    assert [result.label for result in summary.best] == [f"M{kelvin}" for kelvin in range(210, 210 - MOST_BEST, -1)]
    assert summary.outcomes == {Outcome.ANSWERED: 211}


def test_hits_are_those_above_the_threshold():
    summary = summarize([answered("low", 9.0), answered("high", 11.0)], 10.0)
    assert [result.label for result in summary.hits] == ["high"]


def test_what_stopped_materials_is_counted_by_gate_and_cause():
    results = [
        *(gated(f"G{number}") for number in range(3)),
        failed("F1", "/runs/F1/pw.out: not converged after 12 steps"),
        failed("F2", "/runs/F2/pw.out: not converged after 7 steps"),
        *(failed(f"F{letter}", f"cause {letter}") for letter in "abcdef"),
        answered("A", 3.0),
        make_result("U", Outcome.UNFINISHED),
    ]
    lines = summary_lines(summarize(results, 10.0), "nb", Path("nb.toml"))
    assert lines[0] == "13 materials: 1 answered, 3 gated, 8 failed, 1 unfinished"
    assert lines[1] == "gated: 3 metal"
    assert lines[2].startswith("failed: 2 PATH: not converged after # steps, 1 cause a, ")
    assert lines[2].endswith(" and 2 other causes")
    assert lines[3:] == ["what mends failures: hightc status nb", "report, a page a material: hightc report nb.toml"]


def test_what_a_gate_holds_is_counted_with_where_to_read_why():
    held = make_result("held", Outcome.UNFINISHED, make_decision("held", "held", ("no dense mesh",)))
    summary = summarize([held, make_result("begun", Outcome.UNFINISHED)], 10.0)
    lines = summary_lines(summary, "nb", Path("nb.toml"))
    assert "held by a gate, because a number is missing: 1; why: hightc funnel nb" in lines
    assert summary.over == ()


def test_addresses_of_databases_in_causes_are_hidden():
    lines = summary_lines(summarize([failed("F", "mongodb://me:secret@host/db: gone")], 10.0), "nb", Path("nb.toml"))
    assert "secret" not in "".join(lines)


def test_what_is_over_is_what_will_not_run_again():
    settled, on_the_way = answered("done", 1.0), replace(answered("more", 1.0), settled=False)
    summary = summarize([settled, on_the_way, failed("F", "no"), gated("G")], 10.0)
    assert [entry.material.tag.material for entry in summary.over] == ["done", "G"]


@pytest.mark.parametrize(("count", "rows"), [(2, 2), (MOST_ON_A_PAGE + 1, MOST_BEST)])
def test_large_campaign_lists_the_best_and_leaves_its_page_to_the_report(
    count, rows, run_worker, database, tmp_path, settings
):
    submission = run_worker.submit("Al", [solve(run_worker.tag("Al"))])
    run_worker()
    stream = io.StringIO()
    console = Console(file=stream, width=200)
    end = CampaignEnd("tiny", Path("tiny.toml"), tmp_path, settings, console)
    assert conclude(end, [submission] * count, database) == 0
    shown = stream.getvalue()
    assert sum(line.startswith("Al ") for line in shown.splitlines()) == rows
    large = count > MOST_ON_A_PAGE
    assert ("hightc report tiny.toml" in shown) is large
    assert (tmp_path / "report.html").exists() is not large
    assert f"{count} materials: {count} answered" in shown


def test_large_campaign_with_a_failure_ends_with_1(run_worker, database, tmp_path, settings):
    tag = run_worker.tag("Si")
    gated_, failed_ = run_worker.submit("Si", [relax(tag, 2.0), solve(tag)]), run_worker.submit("Al", [fail("no")])
    run_worker()
    console = Console(file=io.StringIO())
    end = CampaignEnd("tiny", Path("tiny.toml"), tmp_path, settings, console)
    assert conclude(end, [gated_] * (MOST_ON_A_PAGE + 1), database) == 0
    assert conclude(end, [gated_] * MOST_ON_A_PAGE + [failed_], database) == 1
