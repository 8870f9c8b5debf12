"""The main job on real input: Al and Pb to Tc, Ni under pressure, nesting of Cr; then all that a reader does."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.campaign_machine import QUICKSTART, Machine

from hightc.analysis.documents import (
    DOCUMENTS,
    Alpha2FDocument,
    Document,
    FermiDocument,
    ForceConstantsDocument,
    GapDocument,
    MagnetismDocument,
    StructureDocument,
    TcDocument,
)
from hightc.launch.dispatch import in_order
from hightc.launch.queries import alpha2f_documents, documents, tc_documents
from hightc.launch.settings import Settings
from hightc.launch.store import Database, open_database

pytestmark = pytest.mark.qe

STEPS = [
    "relax",
    "scf dense",
    "scf",
    "ph.x electron-phonon",
    "q2r.x",
    "matdyn.x",
    "matdyn.x bands",
    "alpha2F",
    "Tc",
]
NESTING_STEPS = ["relax", "scf density", "fermi surface"]
WANNIER_STEPS = ["wannier", "epw.x coarse", "epw.x fine", "epw.x fine", "epw.x fine", "gap", "Tc wannier"]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("quickstart"))
    yield machine
    machine.stop()


@pytest.fixture(scope="module")
def output(machine: Machine) -> str:
    finished = machine.run("run", QUICKSTART)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def database(machine: Machine, output: str) -> Iterator[Database]:
    assert output
    database = open_database(Settings(data_directory=machine.data))
    yield database
    database.close()


@pytest.fixture(scope="module")
def spectra(database: Database) -> dict[str, Alpha2FDocument]:
    return {document.material: document for document in alpha2f_documents(database)}


@pytest.fixture(scope="module")
def temperatures(database: Database) -> dict[str, TcDocument]:
    return {document.material: document for document in tc_documents(database) if document.route == "linear_response"}


@pytest.fixture(scope="module")
def wannier(database: Database) -> Alpha2FDocument:
    (found,) = [document for document in alpha2f_documents(database) if document.route == "wannier"]
    return found


def stored(machine: Machine) -> list[dict]:
    """Documents of jobs, without rows of a ladder and without jobs that left their place to a finer mesh."""
    outputs = [entry["output"] for entry in machine.collection("outputs")]
    return [output for output in outputs if isinstance(output, dict) and "kind" in output]


def test_lead_couples_strongly_and_its_tc_is_near_experiment(temperatures: dict[str, TcDocument]) -> None:
    """Lambda 1.2-1.4 and Allen-Dynes 6-7 K on the plateau at mu* 0.1 for this mesh; experiment 7.2 K."""
    lead = temperatures["Pb"]
    allen_dynes = lead.find("allen_dynes", 0.10)
    assert 1.2 < lead.lambda_ < 1.4
    assert allen_dynes is not None
    assert allen_dynes.tc_kelvin is not None
    assert 6 < allen_dynes.tc_kelvin < 7


def test_both_routes_of_lead_agree_within_what_their_meshes_leave_open(
    temperatures: dict[str, TcDocument], wannier: Alpha2FDocument
) -> None:
    """The linear response sums 2x2x2 q points, which alone is 10 to 20 %; published values without spin-orbit coupling
    lie between 1.1 and 1.3."""
    assert wannier.material == "Pb"
    assert abs(wannier.chosen.lambda_ / temperatures["Pb"].lambda_ - 1) < 0.25
    assert 1.0 < wannier.chosen.lambda_ < 1.35


def test_wannier_route_tells_what_its_result_rests_on(wannier: Alpha2FDocument, database: Database) -> None:
    assert wannier.band_distance_mev is not None
    assert wannier.band_distance_mev < 10
    (fermi,) = wannier.gates
    assert fermi.passed
    assert wannier.convergence is not None
    assert [mesh.k_mesh[0] for mesh in wannier.convergence.meshes] == [16, 20, 24]
    assert (wannier.convergence.status == "converged") != any("not converged" in note for note in wannier.warnings)
    (gap,) = documents(database, GapDocument)
    assert gap.tc_kelvin is not None
    assert len(gap.isotropic) == 5
    # EPW stops its iterations at 1e-4
    assert gap.largest_difference is not None
    assert gap.largest_difference < 1e-3
    assert gap.anisotropic_reason is not None


def test_aluminium_couples_weakly(temperatures: dict[str, TcDocument]) -> None:
    """Lambda 0.35-0.42 over the plateau for this mesh; experiment 1.18 K."""
    assert 0.35 < temperatures["Al"].lambda_ < 0.42


def test_nickel_keeps_its_moment_under_pressure(database: Database) -> None:
    """0.60-0.65 Bohr magnetons at ambient pressure, which fall by 0.15 to 0.3 % per GPa; experiment 0.61."""
    (nickel,) = documents(database, MagnetismDocument)
    (ground,) = [state for state in nickel.ground_states if state.pressure_gpa == 0]
    assert ground.order == "FM"
    assert 0.60 < ground.moment_bohr_magneton_per_atom < 0.65
    ambient = nickel.softness[0]
    assert ambient.pressure_gpa == 0
    assert ambient.value_per_gpa is not None
    assert 1.5e-3 < ambient.value_per_gpa < 3e-3
    assert ambient.error_per_gpa is not None
    assert {state.status for state in nickel.states} == {"converged"}


def test_chromium_nests_near_the_wave_vector_of_its_spin_density_wave(database: Database) -> None:
    """0.952 of the way from Gamma to H in experiment."""
    (chromium,) = documents(database, FermiDocument)
    for peak in (chromium.nesting_peaks[0], chromium.chi0_peaks[0]):
        assert peak.path_label == "GAMMA-H"
        assert peak.path_fraction is not None
        assert 0.93 < peak.path_fraction < 0.97
    assert "Johannes and Mazin" in chromium.caveat


def test_arrays_of_the_fermi_surface_come_back(database: Database) -> None:
    (chromium,) = documents(database, FermiDocument, load_arrays=True)
    assert chromium.nesting.to_array().shape == chromium.fine_mesh == (64, 64, 64)
    # the mean over q of the nesting function is N(E_F)^2 at the same width
    assert chromium.nesting.to_array().mean() ** 0.5 == pytest.approx(chromium.dos_per_ev_spin_cell, rel=0.1)


def test_every_method_answers_for_every_mu_star(temperatures: dict[str, TcDocument]) -> None:
    for document in temperatures.values():
        assert len(document.critical_temperatures) == 5 * 3
        assert {entry.status for entry in document.critical_temperatures} == {"found"}


def test_lambda_recomputed_agrees_with_the_code(spectra: dict[str, Alpha2FDocument]) -> None:
    """Within 1 %, or the document says why not."""
    for document in spectra.values():
        printed = document.chosen.lambda_printed
        assert printed is not None
        agrees = abs(document.chosen.lambda_ - printed) < 0.01 * document.chosen.lambda_
        assert agrees or any("recomputed" in note for note in document.warnings)


def test_the_relaxed_cells_carry_no_pressure(database: Database) -> None:
    """Within the gate's 2 GPa; a basis set too small for the stress of Pb leaves 37 GPa."""
    relaxed = [found for found in documents(database, StructureDocument) if found.relaxed]
    assert {found.material for found in relaxed} == {"Al", "Pb"}
    for document in relaxed:
        pressure = next(gate for gate in document.gates if gate.name == "pressure")
        assert pressure.passed
        assert pressure.value is not None
        assert pressure.value < 0.5


def test_the_table_names_every_material_and_method(output: str) -> None:
    for words in ("Al", "Pb", "McMillan", "Allen-Dynes", "Xie 2019", "Xie 2022", "Eliashberg", "mu* 0.10", "plateau"):
        assert words in output
    assert "report.html" in output


def test_fireworks_are_named_by_material_and_step(machine: Machine, output: str) -> None:
    """From the top of FireWorks' page to its end."""
    assert output
    for material, steps in (("Al", STEPS), ("Pb", [*STEPS, *WANNIER_STEPS]), ("Cr", NESTING_STEPS)):
        fireworks = [entry for entry in machine.collection("fireworks") if entry["spec"]["material"] == material]
        assert [entry["name"] for entry in in_order(fireworks)] == [f"{material} {step}" for step in steps]


def test_each_step_stored_one_document(machine: Machine, output: str) -> None:
    assert output
    kinds = Counter((output["material"], output["kind"]) for output in stored(machine))
    expected = {"structure": 1, "scf": 2, "coupling": 1, "force_constants": 1, "phonon": 1, "phonon_bands": 1}
    expected |= {"alpha2f": 1, "tc": 1}
    assert {kind: n for (material, kind), n in kinds.items() if material == "Al"} == expected
    assert {kind: n for (material, kind), n in kinds.items() if material == "Ni"} == {"magnetism": 1}
    assert {kind: n for (material, kind), n in kinds.items() if material == "Cr"} == {
        "structure": 1,
        "scf": 1,
        "fermi": 1,
    }
    both = expected | {"alpha2f": 2, "tc": 2, "wannier": 1, "vertex": 1, "gap": 1}
    assert {kind: n for (material, kind), n in kinds.items() if material == "Pb"} == both


def test_force_constants_lie_in_the_blob_store_and_come_back(database: Database) -> None:
    plain = next(documents(database, ForceConstantsDocument, material="Al"))
    with pytest.raises(ValueError, match="blob store"):
        plain.force_constants.to_array()
    loaded = next(documents(database, ForceConstantsDocument, material="Al", load_arrays=True))
    assert loaded.force_constants.to_array().shape == (2, 2, 2, 1, 1, 3, 3)


def test_stored_documents_name_no_database_and_no_secret(machine: Machine, output: str) -> None:
    assert output
    for name in ("fireworks", "launches", "workflows", "outputs"):
        assert "mongodb://" not in str(machine.collection(name))


def test_running_again_reuses_everything_within_seconds(machine: Machine, output: str) -> None:
    """Seconds against the minutes of the calculation: twenty allow for a machine that does other things."""
    assert output
    before = len(machine.collection("launches"))
    started = time.monotonic()
    again = machine.run("run", QUICKSTART)
    assert again.returncode == 0
    assert time.monotonic() - started < 20
    assert "0 new, 4 known" in again.stdout
    assert len(machine.collection("launches")) == before


def test_query_prints_json_and_csv(machine: Machine, output: str) -> None:
    assert output
    rows = json.loads(machine.run("query", "--lambda", "1:2", "--format", "json").stdout)
    assert {(row["material"], row["route"]) for row in rows} == {("Pb", "linear_response"), ("Pb", "wannier")}
    lines = machine.run("query", "--elements", "Al", "--format", "csv").stdout.splitlines()
    assert [row["formula"] for row in csv.DictReader(lines)] == ["Al"]


def test_the_page_opens_in_a_browser_without_a_network(machine: Machine, output: str, tmp_path: Path) -> None:
    assert output
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser is not None, "install Chromium: apt-get install chromium"
    page = machine.work / "quickstart" / "report.html"
    finished = subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *(f"--user-data-dir={tmp_path}", "--virtual-time-budget=4000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert finished.stdout.count("<svg") >= 6
    assert "Allen-Dynes" in finished.stdout
    assert "http://" not in page.read_text().replace("http://www.w3.org", "")
    assert "https://" not in page.read_text()


def test_every_stored_document_validates(machine: Machine, output: str) -> None:
    assert output
    for output_ in stored(machine):
        document = DOCUMENTS[output_["kind"]].model_validate(output_)
        assert isinstance(document, Document)


def test_other_mu_star_computes_only_tc_anew(machine: Machine, output: str) -> None:
    assert output
    before = len(machine.collection("launches"))
    changed = QUICKSTART.read_text().replace("[0.10, 0.13, 0.16]", "[0.11]")
    (machine.root / "other.toml").write_text(changed)
    again = machine.run("run", "other.toml")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 new, 4 known" in again.stdout
    assert "mu* 0.11" in again.stdout
    assert "mu* 0.10" not in again.stdout
    launches = machine.collection("launches")
    names = {firework["fw_id"]: firework["name"] for firework in machine.collection("fireworks")}
    assert sorted(names[launch["fw_id"]] for launch in launches[before:]) == ["Al Tc", "Pb Tc", "Pb Tc wannier"]
