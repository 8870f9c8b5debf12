from __future__ import annotations

import pytest

from hightc.launch.cli import main
from hightc.launch.failures_listing import COLUMNS, failure_row, failures_markdown
from hightc.makers.qe.failures import FAILURES


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
def test_every_failure_has_a_full_row(failure):
    row = dict(zip(COLUMNS, failure_row(failure), strict=True))
    assert all(row.values())
    assert row["changes in the result"] == (failure.physics or ("nothing" if failure.tries else "-"))


def test_markdown_has_a_head_a_rule_and_a_line_for_every_failure():
    lines = failures_markdown().splitlines()
    assert len(lines) == len(FAILURES) + 2
    assert {line.replace("\\|", "").count("|") for line in lines} == {len(COLUMNS) + 1}


@pytest.mark.parametrize("arguments", [["failures"], ["failures", "--markdown"]])
def test_command_prints_every_failure(arguments, capsys):
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(failure.code in printed for failure in FAILURES)
