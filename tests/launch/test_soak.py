"""Workers and the database server are killed at random while a campaign runs; the long one is a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.soaking import expected_chains, faults_of, soak

JOBS, KILLS = 40, 3

# a minute or more, most of it pymongo's waiting for a server that was killed
pytestmark = pytest.mark.slow


def test_campaign_whose_workers_and_server_are_killed_loses_and_doubles_nothing(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    found = soak(tmp_path / "soak", JOBS, KILLS, seed=1)
    assert found.killed.total() == KILLS
    assert faults_of(found, expected_chains(JOBS), JOBS) == []
