from __future__ import annotations

import json

import pytest
from fakes.tiny_campaign import NAME
from fakes.tiny_route import TinyScreening

from hightc.analysis.funnel_rules import Funnel, FunnelGate, parse_rule
from hightc.launch.command_parser import CommandParser
from hightc.launch.errors import LaunchError
from hightc.launch.funnel import Funnel as Counted
from hightc.launch.funnel import FunnelStep, Reason
from hightc.launch.funnel_command import LABELS_SHOWN, REASONS_SHOWN, add_funnel, reason_lines

GAP = FunnelGate(name="gap", after="electrons", require=(parse_rule("band_gap_ev < 0.5", "electrons"),))


@pytest.fixture
def funnel(database, monkeypatch, run_worker):
    """The command, on the module's database; its exit code."""
    monkeypatch.setenv("HIGHTC_MONGO_URI", database.uri)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str) -> int:
        parser = CommandParser(prog="hightc")
        add_funnel(parser.add_subparsers())
        options = parser.parse_args(["funnel", *arguments])
        return options.command(options)

    return call


@pytest.fixture
def screened(run_worker):
    screening = TinyScreening(run_worker, Funnel(gates=(GAP,)))
    screening.submit("Good")
    screening.submit("Bad", gap_ev=0.7)
    screening.submit("Dead", fails="dense")
    run_worker()


def test_counts_and_reasons_are_told_in_every_form(screened, funnel, capsys):
    assert funnel(NAME) == 0
    table, _, reasons = capsys.readouterr().out.partition("\ngap (band_gap_ev < 0.5), stopped:\n")
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
    rows = [line.split() for line in table.splitlines()]
    assert ["gap", "3", "1", "1", "0", "1", "0", "0"] in rows
    assert ["phonons", "stable", "1", "1", "0", "0", "0", "0", "1"] in rows
    assert "       1  not band_gap_ev < 0.5: Bad\n" in reasons
    assert "scf dense: PATH: step dense of Dead has died: Dead" in reasons

    assert funnel("--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    gap = next(step for step in found["steps"] if step["name"] == "gap")
    assert (found["campaign"], found["materials"]) == (NAME, 3)
    assert (gap["reached"], gap["stopped"], gap["failed"]) == (3, 1, 1)
    assert gap["stopped_because"][0]["materials"] == ["Bad"]

    assert funnel(NAME, "--materials", "gap") == 0
    bad, dead = capsys.readouterr().out.splitlines()
    assert bad == "Bad  stopped  not band_gap_ev < 0.5"
    assert dead.startswith("Dead  failed  scf dense")

    with pytest.raises(LaunchError, match="expected one of metal, gap, stable, Tc, found 'tin'"):
        funnel(NAME, "--materials", "tin")
    with pytest.raises(LaunchError, match="campaign 'tin'"):
        funnel("tin")


def test_empty_database_says_what_to_do(funnel, capsys):
    assert funnel() == 0
    assert "hightc run" in capsys.readouterr().out


def test_long_lists_are_cut_and_say_how_much_is_left():
    labels = tuple(f"M{number}" for number in range(LABELS_SHOWN + 2))
    reasons = tuple(Reason(f"reason {number}", "", labels) for number in range(REASONS_SHOWN + 3))
    step = FunnelStep("electrons", "gap", "asks", 0, 50, 0, 0, 0, 0, stopped_because=reasons)
    lines = reason_lines(Counted("c", 50, (step,)))
    assert len(lines) == 1 + REASONS_SHOWN + 1
    assert lines[1].endswith("and 2 others")
    assert lines[-1].startswith(f"  {3 * len(labels):6d}  of 3 other reasons")
