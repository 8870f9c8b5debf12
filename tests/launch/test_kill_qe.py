"""Whatever is killed at whatever moment, running the campaign again computes only what is missing, and the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.killing import TARGETS, Killer, deviation

pytestmark = pytest.mark.qe

CAMPAIGN = """
name = "killed"
protocol = "draft"

[pseudopotentials]
family = "debian"
files = { Al = "Al.pz-vbc.UPF" }

[recipe]
k_mesh = [4, 4, 4]
k_mesh_dense = [8, 8, 8]
q_mesh = [2, 2, 2]
degauss_ry = 0.05
ecutwfc_ry = 16
tr2_ph = 1e-12
relax = false

[materials.Al]
prototype = "fcc Al 3.9688"
"""
RANDOM_BANDS = 0.02
"""ph.x that goes on at a later q point starts from other random bands: 1.6 % of lambda were measured on this mesh."""


def test_campaign_in_which_everything_was_killed_once_ends_like_one_that_nobody_disturbed(tmp_path: Path) -> None:
    (tmp_path / "al.toml").write_text(CAMPAIGN)
    killer = Killer(tmp_path, tmp_path / "al.toml")
    undisturbed = killer.run("undisturbed")
    assert set(undisturbed.starts.values()) == {1}
    moments = [undisturbed.seconds * (0.4 + 0.3 * number) for number in range(len(TARGETS))]
    trial = killer.run("killed", list(zip(TARGETS, moments, strict=True)))
    assert len(trial.kills) >= 3
    assert not trial.wasted
    for kind in (" structure.", " scf."):
        assert deviation(trial, undisturbed, kind) == 0
    bound = RANDOM_BANDS if trial.resumed("ph") else 0
    assert deviation(trial, undisturbed, "tc.lambda_") <= bound
