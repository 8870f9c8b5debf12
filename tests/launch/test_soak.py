"""Workers and the database server are killed at random while a campaign runs; the long one is a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.soaking import expected_chains, faults_of, soak

# a third of a minute on a busy machine, most of it imports of the workers and pymongo's waiting for the killed server
SMALL = (24, 2)


@pytest.mark.parametrize(
    ("jobs", "kills", "seed"), [(*SMALL, 1), *(pytest.param(40, 3, seed, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)
def test_campaign_whose_workers_and_server_are_killed_loses_and_doubles_nothing(
    settings, tmp_path, monkeypatch, jobs, kills, seed
):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    found = soak(tmp_path / "soak", jobs, kills, seed=seed)
    assert found.killed.total() == kills
    assert faults_of(found, expected_chains(jobs), jobs) == []
