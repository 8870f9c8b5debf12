"""What has been computed is not computed again, whatever campaign and label it was computed for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.campaign_machine import Machine
from fakes.killing import counting_machine, program_starts

pytestmark = pytest.mark.qe

CAMPAIGN = """
name = "{name}"
protocol = "draft"

[pseudopotentials]
family = "debian"
files = {{ Al = "Al.pz-vbc.UPF" }}

[recipe]
k_mesh = [4, 4, 4]
k_mesh_dense = [8, 8, 8]
q_mesh = [2, 2, 2]
degauss_ry = 0.05
ecutwfc_ry = 16
tr2_ph = {threshold}

[materials.{label}]
prototype = "fcc Al 3.9688"
"""
STEPS = ["01-relax", "02-scf-dense", "03-scf", "04-ph-electron-phonon", "05-q2r", "06-matdyn", "07-matdyn-bands"]


def campaign(machine: Machine, name: str, label: str = "Al", threshold: str = "1e-12") -> str:
    (machine.root / f"{name}.toml").write_text(CAMPAIGN.format(name=name, label=label, threshold=threshold))
    return f"{name}.toml"


def started(machine: Machine, name: str) -> list[str]:
    """Folders of a campaign's steps in which a program was started."""
    return sorted(place.split("/")[2].split()[0] for place in program_starts(machine) if place.startswith(f"{name}/"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, str]]:
    """A machine on which a campaign has finished, and what it printed."""
    folder = tmp_path_factory.mktemp("reuse")
    (folder / "empty.toml").write_text("")
    machine = counting_machine(folder / "machine", folder / "empty.toml")
    finished = machine.run("run", campaign(machine, "first"))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    yield machine, finished.stdout
    machine.stop()


def outputs(machine: Machine, name: str, kind: str) -> list[dict]:
    found = (entry["output"] for entry in machine.collection("outputs"))
    return [output for output in found if (output["campaign"], output["kind"]) == (name, kind)]


def test_first_campaign_tells_its_disk_and_computes_every_step(first: tuple[Machine, str]) -> None:
    machine, text = first
    assert started(machine, "first") == STEPS
    assert "disk: about " in text
    assert "reused" not in text
    (coupling,) = outputs(machine, "first", "coupling")
    assert len(coupling["provenance"]["content_sha256"]) == 64
    assert coupling["provenance"]["reused_from"] is None


def test_finished_material_keeps_what_later_steps_start_from(first: tuple[Machine, str]) -> None:
    machine, text = first
    assert "MB of scratch files of Al (HIGHTC_KEEP=restart)" in text
    (folder,) = machine.work.glob("first/Al-*")
    left = {str(path.relative_to(folder)) for path in folder.glob("0*/out/**/*") if path.is_file()}
    assert "03-scf/out/hightc.save/wfc1.dat" in left
    assert "04-ph-electron-phonon/out/_ph0/hightc.q_2/hightc.dvscf1" in left
    assert not {name for name in left if "wfc" in Path(name).name and not name.startswith("03-scf/")}


def test_other_campaign_and_label_take_everything_over(first: tuple[Machine, str]) -> None:
    machine, _ = first
    again = machine.run("run", campaign(machine, "second", "mine"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert started(machine, "second") == []
    assert f"mine: 7 of 7 calculations reused from {machine.work}/first/Al-" in again.stdout
    (one,), (two,) = outputs(machine, "first", "tc"), outputs(machine, "second", "tc")
    assert one["critical_temperatures"] == two["critical_temperatures"]
    for kind in ("structure", "scf", "coupling", "force_constants", "phonon"):
        for output in outputs(machine, "second", kind):
            assert output["provenance"]["reused_from"].startswith(f"{machine.work}/first/Al-")


def test_changed_number_computes_only_what_depends_on_it(first: tuple[Machine, str]) -> None:
    machine, _ = first
    again = machine.run("run", campaign(machine, "third", threshold="1e-11"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert started(machine, "third") == STEPS[3:]
    assert "Al: 3 of 7 calculations reused from" in again.stdout


def test_step_whose_document_was_not_stored_is_not_run_again(first: tuple[Machine, str]) -> None:
    """As after a worker was killed between the end of its program and the storing of the document."""
    machine, _ = first
    before = program_starts(machine)
    found = {firework["name"]: firework for firework in machine.collection("fireworks")}
    assert machine.run("lpad", "rerun_fws", "-i", str(found["Al ph.x electron-phonon"]["fw_id"])).returncode == 0
    for name in ("first", "third"):
        again = machine.run("run", f"{name}.toml")
        assert again.returncode == 0, again.stdout + again.stderr
    assert program_starts(machine) == before


def test_dropped_files_are_computed_again_and_results_are_not(first: tuple[Machine, str]) -> None:
    machine, _ = first
    settings = machine.root / ".config" / "hightc" / "settings.toml"
    settings.write_text(settings.read_text() + 'keep = "results"\n')
    for name in ("first", "second", "third"):
        assert "scratch files of" in machine.run("run", f"{name}.toml").stdout
    again = machine.run("run", campaign(machine, "fourth"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert started(machine, "fourth") == ["02-scf-dense", "03-scf"]
    assert "Al: 5 of 7 calculations reused from" in again.stdout
