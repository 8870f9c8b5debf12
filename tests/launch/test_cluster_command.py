from __future__ import annotations

import pytest

from hightc.launch.cli import main
from hightc.launch.cluster_command import add_cluster, add_worker
from hightc.launch.command_parser import CommandParser


def parsed(*words):
    parser = CommandParser(prog="hightc")
    commands = parser.add_subparsers()
    add_cluster(commands)
    add_worker(commands)
    return vars(parser.parse_args(words))


@pytest.mark.parametrize("system", ["--slurm", "--pbs"])
def test_worker_launches_as_cluster_launch_does(system):
    options = ("--reserve", "--max-jobs", "3")
    launch = parsed("cluster", "launch", "lab,large", "campaign.toml", *options)
    assert parsed("worker", "campaign.toml", system, "lab,large", *options) == launch


def test_worker_without_a_cluster_names_those_that_are_known(settings, capsys):
    assert main(["cluster", "add", "lab"]) == 0
    capsys.readouterr()
    assert main(["worker", "campaign.toml"]) == 2
    assert capsys.readouterr().err == (
        "hightc: no cluster named: expected --slurm NAME or --pbs NAME; those known are lab; here it is hightc run\n"
    )


def test_worker_on_a_cluster_that_is_not_known_is_refused(settings, capsys):
    assert main(["worker", "campaign.toml", "--slurm", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
