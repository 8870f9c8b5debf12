"""Kill -9 in the middle of ph.x: the campaign goes on, nothing is computed or stored twice."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from fakes.campaign_machine import Machine

pytestmark = pytest.mark.qe

CAMPAIGN = """
name = "interrupted"
protocol = "draft"

[pseudopotentials]
family = "debian"
files = { Al = "Al.pz-vbc.UPF" }

[recipe]
k_mesh = [12, 12, 12]
k_mesh_dense = [12, 12, 12]
q_mesh = [2, 2, 2]
degauss_ry = 0.05
sigma_step_ry = 0.005
ecutwfc_ry = 16
tr2_ph = 1e-16
relax = false

[materials.Al]
prototype = "fcc Al 3.9688"
"""
PATIENCE_SECONDS = 120


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    (tmp_path / "interrupted.toml").write_text(CAMPAIGN)
    yield machine
    machine.stop()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.05)


def in_the_second_q_point(machine: Machine) -> bool:
    """The first q point is finished and ph.x works on the next: its matrix, opened long before, has been written."""
    return any(path.stat().st_size for path in machine.work.glob("interrupted/Al-*/04-*/dyn1"))


def programs(machine: Machine, name: str) -> list[psutil.Process]:
    """Living processes of this machine's campaign whose command line holds a name."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        if name in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            try:
                inside = process.environ().get("HOME") == str(machine.root)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if inside:
                found.append(process)
    return found


def require_complete(machine: Machine) -> None:
    kinds = Counter(entry["output"]["kind"] for entry in machine.collection("outputs"))
    once = ("structure", "coupling", "force_constants", "phonon", "phonon_bands", "alpha2f", "tc")
    assert kinds == {"scf": 2, **dict.fromkeys(once, 1)}
    launches = Counter(launch["fw_id"] for launch in machine.collection("launches"))
    names = {firework["fw_id"]: firework["name"] for firework in machine.collection("fireworks")}
    repeated = {names[fw_id] for fw_id, count in launches.items() if count > 1}
    assert repeated == {"Al ph.x electron-phonon"}


def test_a_killed_run_is_taken_up_where_it_was(machine: Machine) -> None:
    """Killing worker and run leaves no program behind; running again computes the rest and repeats no finished step."""
    run = machine.start("run", "interrupted.toml")
    wait_for(lambda: in_the_second_q_point(machine), "ph.x to finish its first q point")
    (worker,) = programs(machine, "hightc.launch.worker")
    os.kill(run.pid, signal.SIGKILL)
    worker.kill()
    run.communicate()
    wait_for(lambda: not programs(machine, "ph.x"), "ph.x to end with its worker")
    again = machine.run("run", "interrupted.toml")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "taking up 1 interrupted" in again.stdout
    require_complete(machine)
    (outcome,) = machine.work.glob("interrupted/Al-*/04-*/ph.in")
    assert "start_q" in outcome.read_text()


def test_a_killed_worker_is_replaced_while_the_run_goes_on(machine: Machine) -> None:
    run = machine.start("run", "interrupted.toml")
    wait_for(lambda: in_the_second_q_point(machine), "ph.x to finish its first q point")
    (worker,) = programs(machine, "hightc.launch.worker")
    worker.kill()
    text, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, text
    require_complete(machine)
