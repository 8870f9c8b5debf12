"""Aluminium through a funnel to its Tc, and silicon that a gate stops before any phonon, with Quantum ESPRESSO."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from fakes.tiny_campaign import NAME
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import DOCUMENTS, MaterialTag
from hightc.analysis.funnel_rules import Funnel, FunnelGate, parse_rule
from hightc.launch.campaign import Material
from hightc.launch.dispatch import make_workflow
from hightc.launch.funnel import read_funnel
from hightc.launch.store import OUTPUTS
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY, identify, select_pseudopotentials
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell

pytestmark = pytest.mark.qe

MESHES = {"k_mesh": (4, 4, 4), "k_mesh_dense": (8, 8, 8), "q_mesh": (2, 2, 2), "interpolation_mesh": (8, 8, 8)}
FILES = {"Si": "Si.pz-vbc.UPF"}
FUNNEL = Funnel(
    moment=True,
    gates=(
        FunnelGate(
            name="metal with states",
            after="electrons",
            require=(
                parse_rule("dos_per_ev_spin_atom >= 0.1", "electrons"),
                parse_rule("abs_moment_bohr_magneton_per_atom < 0.1", "electrons"),
            ),
        ),
        FunnelGate(name="soft", after="phonons", require=(parse_rule("highest_phonon_mev < 60", "phonons"),)),
    ),
)


def material(label: str, crystal: Structure) -> Material:
    structure = primitive_cell(crystal)
    found = select_pseudopotentials(DEBIAN_DIRECTORY, [label], FILES)
    recipe = make_recipe(
        structure,
        protocol="draft",
        family="debian",
        pseudopotentials=tuple(identify(file) for file in found),
        suggested_ecutwfc_ry=None,
        norm_conserving=True,
        overrides={"ecutwfc_ry": 16.0, "degauss_ry": 0.05, "n_dos": 100, "relax": False, **MESHES},
    )
    tag = MaterialTag(campaign=NAME, material=label)
    made = Material(tag, structure, recipe, mu_star=(0.1,), key=f"{label}-key", finer_q_passes=0)
    return replace(made, funnel=FUNNEL)


@pytest.fixture
def crystals():
    if not (shutil.which("pw.x") and DEBIAN_DIRECTORY.is_dir()):
        pytest.skip("needs Quantum ESPRESSO and the pseudopotentials of Debian's quantum-espresso-data")
    aluminium = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.97), ["Al"], [[0, 0, 0]])
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
    return {"Al": aluminium, "Si": silicon}


def test_metal_goes_through_every_gate_and_what_has_no_states_gets_no_phonons(
    crystals, run_worker, database, monkeypatch
):
    monkeypatch.setenv("HIGHTC_SCRATCH_MINIMUM_GB", "0")
    for label, crystal in crystals.items():
        database.launchpad.add_wf(make_workflow(material(label, crystal), run_worker.directory))
    # four steps each, and of aluminium five of phonons, their gate, spectrum and Tc
    assert run_worker() == 4 + 4 + 8
    fireworks = list(database.launchpad.fireworks.find({}, {"name": 1, "state": 1, "spec._launch_dir": 1}))
    assert {firework["state"] for firework in fireworks} == {"COMPLETED"}
    names = {firework["name"] for firework in fireworks}
    assert "Al ph.x electron-phonon" in names
    assert [name for name in names if name.startswith("Si ")] == [
        name for name in names if name in ("Si relax", "Si scf dense", "Si scf moment", "Si electrons gate")
    ]
    outputs = [entry["output"] for entry in database.collections[OUTPUTS].find({})]
    found = {(output["material"], output["kind"], output.get("after")): output for output in outputs}
    electrons, phonons = (
        DOCUMENTS["decision"].model_validate(found["Al", "decision", after]) for after in ("electrons", "phonons")
    )
    assert (electrons.decision, phonons.decision) == ("carried_on", "carried_on")
    # free electrons have 3/4 n/E_F per spin, n = 3 electrons, E_F = 11.7 eV above the bottom of the band: 0.19
    assert electrons.feature("dos_per_ev_spin_atom") == pytest.approx(0.19, rel=0.3)
    assert electrons.feature("abs_moment_bohr_magneton_per_atom") == pytest.approx(0.0, abs=1e-2)
    assert phonons.feature("dos_per_ev_spin_atom") == electrons.feature("dos_per_ev_spin_atom")
    assert 20 < phonons.feature("highest_phonon_mev") < 60
    stopped = DOCUMENTS["decision"].model_validate(found["Si", "decision", "electrons"])
    assert stopped.decision == "stopped"
    assert stopped.feature("dos_per_ev_spin_atom") == pytest.approx(0.0, abs=1e-3)
    assert found["Al", "tc", None]["material"] == "Al"
    counts = {step.name: (step.carried_on, step.stopped, step.failed) for step in read_funnel(database, NAME).steps}
    assert counts == {
        "metal": (2, 0, 0),
        "metal with states": (1, 1, 0),
        "stable": (1, 0, 0),
        "soft": (1, 0, 0),
        "Tc": (1, 0, 0),
    }
