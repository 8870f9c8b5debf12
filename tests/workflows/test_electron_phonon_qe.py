"""The flow through FireWorks, with jobs that its jobs make."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fakes.tiny_campaign import tag, tiny_campaign
from pymatgen.core import Lattice, Structure

from hightc.launch.dispatch import schedule
from hightc.launch.store import OUTPUTS
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY, identify, select_pseudopotentials
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

pytestmark = pytest.mark.qe

MESHES = {"k_mesh": (4, 4, 4), "k_mesh_dense": (8, 8, 8), "q_mesh": (2, 2, 2), "interpolation_mesh": (8, 8, 8)}


@pytest.fixture
def aluminium():
    if not (shutil.which("pw.x") and DEBIAN_DIRECTORY.is_dir()):
        pytest.skip("needs Quantum ESPRESSO and the pseudopotentials of Debian's quantum-espresso-data")
    return primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.97), ["Al"], [[0, 0, 0]]))


@pytest.fixture
def recipe(aluminium):
    return make_recipe(
        aluminium,
        protocol="draft",
        family="debian",
        pseudopotentials=tuple(identify(file) for file in select_pseudopotentials(DEBIAN_DIRECTORY, ["Al"], {})),
        suggested_ecutwfc_ry=None,
        norm_conserving=True,
        overrides={"ecutwfc_ry": 16.0, "degauss_ry": 0.05, "n_dos": 100, "relax": False, **MESHES},
    )


def test_jobs_side_by_side_have_names_and_folders_of_their_own(aluminium, recipe, run_worker, settings, monkeypatch):
    monkeypatch.setenv("HIGHTC_SCRATCH_MINIMUM_GB", "0")
    root, database = run_worker.directory, run_worker.database
    material = tiny_campaign(root, settings).materials[0]
    flow = ElectronPhononFlowMaker(recipe=recipe, q_jobs=2).make(aluminium, tag("Al"))
    database.launchpad.add_wf(schedule(flow, material, root))
    assert run_worker() == 12
    found = database.launchpad.fireworks.find({}, {"name": 1, "state": 1, "spec._launch_dir": 1, "spec._priority": 1})
    fireworks = {firework["name"]: firework for firework in found}
    assert {firework["state"] for firework in fireworks.values()} == {"COMPLETED"}
    folders = {name: Path(firework["spec"]["_launch_dir"]) for name, firework in fireworks.items()}
    assert len(set(folders.values())) == 12
    coupling = folders["Al ph.x electron-phonon"]
    assert folders["Al ph.x q 2-2 of 3"] == coupling / "q-002-002"
    assert folders["Al ph.x q 3-3 of 3"] == coupling / "q-003-003"
    assert folders["Al ph.x merge"] == coupling / "merged"
    order = ["Al q2r.x", "Al ph.x q 2-2 of 3", "Al ph.x q 3-3 of 3", "Al ph.x merge", "Al ph.x electron-phonon"]
    priorities = [fireworks[name]["spec"]["_priority"] for name in order]
    assert priorities == sorted(priorities, reverse=True)
    outputs = {entry["uuid"]: entry["output"] for entry in database.collections[OUTPUTS].find({"index": {"$lte": 2}})}
    assert outputs[flow.jobs[3].uuid]["provenance"]["directory"] == str(coupling / "merged")
    assert outputs[flow.jobs[-1].uuid]["kind"] == "tc"
