"""An insulator is a verdict with its number, not a material with Tc = 0."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.campaign_machine import Machine

pytestmark = pytest.mark.qe

CAMPAIGN = """
protocol = "draft"

[pseudopotentials]
family = "debian"
files = { Si = "Si.pz-vbc.UPF" }

[recipe]
k_mesh = [4, 4, 4]
q_mesh = [2, 2, 2]
ecutwfc_ry = 16
degauss_ry = 0.005
relax = false

[materials.Si]
prototype = "diamond Si 5.43"
"""


def test_an_insulator_is_reported_as_gated_and_computes_nothing_further(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "insulator.toml").write_text(CAMPAIGN)
    try:
        finished = machine.run("run", "insulator.toml")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert "insulator" in finished.stdout
        assert "Eliashberg" not in finished.stdout
        (document,) = (entry["output"] for entry in machine.collection("outputs"))
        (gate,) = (gate for gate in document["gates"] if not gate["passed"])
        assert gate["name"] == "metal"
        assert 0.3 < gate["value"] < 0.8, "the LDA gap of silicon is 0.5 eV; this mesh need not hold its edges"
        states = {firework["name"]: firework["state"] for firework in machine.collection("fireworks")}
        assert states["Si scf dense"] == "DEFUSED"
        assert "COMPLETED" not in {state for name, state in states.items() if name != "Si relax"}
    finally:
        machine.stop()
