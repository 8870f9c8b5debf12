"""The Makers as jobflow jobs, with real programs, into a memory store."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, jsanitize
from pymatgen.core import Lattice, Structure

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import DOCUMENTS, Correction, MaterialTag
from hightc.analysis.parsers.run_end import read_run_end
from hightc.makers.base import combined_digest
from hightc.makers.electron_phonon import Alpha2FMaker, CouplingMaker
from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.relax import RelaxMaker
from hightc.makers.scf import DenseScfMaker, ScfMaker
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

pytestmark = pytest.mark.qe

ORDER = ["structure", "scf", "scf", "coupling", "force_constants", "phonon", "phonon_bands", "alpha2f", "tc"]


def memory_store():
    return JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})


def run_job(job, folder, monkeypatch):
    """Run one job in a folder of its own, through the JSON that a store would keep."""
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    job = MontyDecoder().process_decoded(json.loads(json.dumps(job.as_dict(), default=str)))
    store = memory_store()
    store.connect()
    return job.run(store), store


def tag(material="Al"):
    return MaterialTag(campaign="test", material=material)


@pytest.fixture(scope="module")
def chain(aluminium, recipe, tmp_path_factory):
    """Every document of a whole run of fcc Al, as the store keeps them, and the store."""
    folder = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIGHTC_SETTINGS_FILE", str(folder / "none.toml"))
        patch.setenv("HIGHTC_SCRATCH_MINIMUM_GB", "0")
        patch.setenv("HIGHTC_DATA_DIRECTORY", str(folder / "data"))
        flow = ElectronPhononFlowMaker(recipe=recipe).make(aluminium, tag())
        store = memory_store()
        store.connect()
        for job in flow.jobs:
            (folder / job.uuid).mkdir()
            with chdir(folder / job.uuid):
                assert not job.run(store).stop_children
        outputs = [store.get_output(job.uuid, load=True) for job in flow.jobs]
    documents = {}
    for raw in outputs:
        key = raw["purpose"] if raw["kind"] == "scf" else raw["kind"]
        documents[key] = DOCUMENTS[raw["kind"]].model_validate(MontyDecoder().process_decoded(raw))
    return documents, outputs, store, flow


def test_each_step_stores_its_own_document(chain):
    documents, outputs, _, _ = chain
    assert [raw["kind"] for raw in outputs] == ORDER
    assert {document.material for document in documents.values()} == {"Al"}
    assert all(document.passed for document in documents.values())


def test_relaxed_metal_passes_with_its_pressure_and_symmetry(chain):
    structure = chain[0]["structure"]
    assert [gate.name for gate in structure.gates] == ["metal", "pressure", "forces"]
    assert structure.band_gap_ev == 0
    assert structure.space_group == "Fm-3m"
    assert abs(structure.pressure_gpa) < 0.2  # twice pressure_threshold_kbar
    assert structure.volume_change != 0


def test_meshes_and_purposes_of_the_two_self_consistent_runs(chain, recipe):
    documents = chain[0]
    assert documents["dense"].k_mesh == recipe.k_mesh_dense
    assert documents["coarse"].k_mesh == recipe.k_mesh
    # 8x8x8 against 4x4x4 at 0.05 Ry of cold smearing
    assert documents["dense"].fermi_ev == pytest.approx(documents["coarse"].fermi_ev, abs=0.3)


def test_coupling_is_stable_and_its_star_weights_sum_to_one(chain):
    coupling = chain[0]["coupling"]
    assert [gate.name for gate in coupling.gates] == ["stable"]
    assert sum(point.weight for point in coupling.q_points) == pytest.approx(1)
    assert len(coupling.smearing_ev) == len(coupling.lambda_q_sum) == 10


def test_force_constants_lie_in_the_blob_store_and_come_back(chain):
    documents, _, store, flow = chain
    job = flow.jobs[4]
    kept = store.get_output(job.uuid, load=False)["force_constants"]
    assert set(kept["blob"]) >= {"blob_uuid", "store"}
    array = documents["force_constants"].force_constants.to_array()
    assert array.shape == (2, 2, 2, 1, 1, 3, 3)
    # the acoustic sum rule: constants of an atom with all others cancel
    assert np.abs(array.sum(axis=(0, 1, 2, 3))).max() < 1e-3


def test_interpolated_phonons_hold_three_modes_an_atom(chain):
    phonon = chain[0]["phonon"]
    step = phonon.omega_mev[1] - phonon.omega_mev[0]
    assert sum(phonon.dos_per_mev) * step == pytest.approx(3, abs=0.1)
    assert phonon.stability == "stable"


def test_spectrum_agrees_with_the_programs_own_sum_and_names_every_program(chain):
    spectrum = chain[0]["alpha2f"]
    for moments in spectrum.moments:
        assert moments.lambda_ == pytest.approx(moments.lambda_printed, rel=0.01)
    assert set(spectrum.provenance.codes) == {"pw.x", "ph.x", "q2r.x", "matdyn.x"}
    assert spectrum.q_mesh == (2, 2, 2)


def test_spectrum_was_computed_by_every_run_before_it(chain):
    documents = chain[0]
    runs = [documents[kind].provenance for kind in ("structure", "dense", "coarse", "coupling", "force_constants")]
    runs.append(documents["phonon"].provenance)
    spectrum = documents["alpha2f"].provenance
    assert spectrum.wall_seconds == pytest.approx(sum(run.wall_seconds for run in runs))
    assert spectrum.input_sha256 == combined_digest(run.input_sha256 for run in runs)
    assert spectrum.directory == runs[-1].directory


def test_correction_of_a_self_consistent_run_marks_spectrum_and_tc(chain, recipe, tmp_path, monkeypatch):
    documents = dict(chain[0])
    correction = Correction(handler="ScfHandler", errors=("scf_not_converged",), actions=("slower",))
    note = "ScfHandler changed slower after scf_not_converged: the physics is the same"
    for kind in ("dense", "coarse"):
        provenance = documents[kind].provenance.model_copy(update={"corrections": (correction,), "wall_seconds": None})
        documents[kind] = documents[kind].model_copy(update={"provenance": provenance, "warnings": (note,)})
    parts = [documents[kind] for kind in ("structure", "dense", "coarse", "coupling", "force_constants", "phonon")]
    spectrum = run_job(Alpha2FMaker(recipe=recipe).make(*parts), tmp_path / "alpha2f", monkeypatch)[0].output
    assert spectrum.provenance.corrections == (correction, correction)
    assert spectrum.provenance.wall_seconds is None
    tc = tc_document(spectrum, mu_star=(0.1,), reference="omega_2")
    assert spectrum.warnings.count(note) == tc.warnings.count(note) == 1


def test_tc_is_there_for_every_method_and_mu_star(chain):
    tc = chain[0]["tc"]
    assert len(tc.critical_temperatures) == 5 * 3
    assert tc.lambda_ == chain[0]["alpha2f"].chosen.lambda_


@pytest.mark.parametrize(
    "kind", ["structure", "coarse", "coupling", "force_constants", "phonon", "phonon_bands", "alpha2f", "tc"]
)
def test_document_of_a_real_run_survives_its_json(chain, kind):
    document = chain[0][kind]
    clean = jsanitize(document, strict=True)
    again = MontyDecoder().process_decoded(json.loads(json.dumps(clean)))
    assert type(document).model_validate(again) == document


def test_insulator_stops_what_depends_on_it(small_recipe, tmp_path, monkeypatch):
    silicon = primitive_cell(Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.4), ["Si"], [[0, 0, 0]]))
    recipe = small_recipe(
        silicon,
        {"Si": "Si.pz-vbc.UPF"},
        ecutwfc_ry=12.0,
        degauss_ry=0.002,
        k_mesh=(2, 2, 2),
        q_mesh=(1, 1, 1),
        relax=False,
    )
    response, _ = run_job(RelaxMaker(recipe=recipe).make(silicon, tag("Si")), tmp_path / "si", monkeypatch)
    assert response.stop_children
    assert [gate.name for gate in response.output.gates] == ["metal"]
    assert response.output.gates[0].message.startswith("insulator: gap")
    assert response.output.band_gap_ev > 0.3
    assert response.output.volume_change == 0


def test_cell_that_was_relaxed_with_too_few_plane_waves_stops_at_the_pressure_gate(small_recipe, tmp_path, monkeypatch):
    stretched = primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.2), ["Al"], [[0, 0, 0]]))
    recipe = small_recipe(stretched, {}, ecutwfc_ry=6.0, relax_ecutwfc_ry=6.0, k_mesh=(4, 4, 4), q_mesh=(2, 2, 2))
    response, _ = run_job(RelaxMaker(recipe=recipe).make(stretched, tag()), tmp_path / "al", monkeypatch)
    gate = response.output.gates[1]
    assert not gate.passed
    assert response.stop_children
    assert "raise relax_ecutwfc_ry" in gate.message


@pytest.fixture
def bcc_coupling(small_recipe, tmp_path, monkeypatch):
    """Run everything up to ph.x of bcc Al, which is unstable, at a cutoff."""

    def run(ecutwfc_ry):
        bcc = primitive_cell(Structure.from_spacegroup("Im-3m", Lattice.cubic(3.17), ["Al"], [[0, 0, 0]]))
        recipe = small_recipe(
            bcc,
            {},
            ecutwfc_ry=ecutwfc_ry,
            k_mesh=(4, 4, 4),
            k_mesh_dense=(8, 8, 8),
            q_mesh=(2, 2, 2),
            relax=False,
        )
        relaxed, _ = run_job(RelaxMaker(recipe=recipe).make(bcc, tag()), tmp_path / "1", monkeypatch)
        dense, _ = run_job(DenseScfMaker(recipe=recipe).make(relaxed.output), tmp_path / "2", monkeypatch)
        coarse, _ = run_job(ScfMaker(recipe=recipe).make(relaxed.output, dense.output), tmp_path / "3", monkeypatch)
        return run_job(CouplingMaker(recipe=recipe).make(coarse.output), tmp_path / "4", monkeypatch)[0]

    return run


def test_unstable_crystal_stops_after_its_phonons_with_the_mode(bcc_coupling):
    response = bcc_coupling(16.0)
    assert response.stop_children
    assert response.output.gates[0].message.startswith("unstable:")
    assert response.output.lowest_frequency_mev < response.output.gates[0].threshold


def test_error_of_ph_after_an_unstable_q_point_leaves_the_verdict_and_is_not_lost_in_a_buffer(bcc_coupling):
    # ph.x 6.7 stops at H of a bcc cell with so small an FFT mesh; N is unstable and comes before
    response = bcc_coupling(12.0)
    assert "inconsistent number of sticks" in read_run_end("ph.out").error_message
    assert response.stop_children
    document = response.output
    assert (len(document.q_points), document.n_irreducible_q) == (2, 3)
    assert document.unfinished_reason.startswith("2 of 3 q points computed")
    assert document.gates[0].message.endswith("2 of 3 q points computed")
    assert document.lambda_q_sum == document.omega_log_q_sum_mev == ()
    assert len(document.smearing_ev) == len(document.dos_per_ev_spin_cell) == 10


def test_two_jobs_of_one_process_read_the_settings_of_their_own_moment(aluminium, recipe, tmp_path, monkeypatch):
    job = RelaxMaker(recipe=recipe.model_copy(update={"relax": False})).make(aluminium, tag())
    recorder = tmp_path / "recorded_pw.x"
    recorder.write_text('#!/bin/sh\necho "$OMP_NUM_THREADS" > threads\nexec pw.x "$@"\n')
    recorder.chmod(0o755)
    monkeypatch.setenv("HIGHTC_PW_COMMAND", str(recorder))
    monkeypatch.setenv("HIGHTC_THREADS", "2")
    run_job(job, tmp_path / "first", monkeypatch)
    monkeypatch.setenv("HIGHTC_PW_COMMAND", "pw.x")
    run_job(job, tmp_path / "second", monkeypatch)
    assert (tmp_path / "first" / "threads").read_text() == "2\n"
    assert not (tmp_path / "second" / "threads").exists()


def test_changed_pseudopotential_stops_the_job_before_anything_runs(aluminium, recipe, tmp_path, monkeypatch):
    family = tmp_path / "data" / "pseudopotentials" / "mine"
    family.mkdir(parents=True)
    (family / "Al.pz-vbc.UPF").write_text('<UPF version="2.0.1">\n<PP_HEADER element="Al"/>\n</UPF>\n')
    monkeypatch.setenv("HIGHTC_DATA_DIRECTORY", str(tmp_path / "data"))
    job = RelaxMaker(recipe=recipe.model_copy(update={"pseudopotential_family": "mine"})).make(aluminium, tag())
    with pytest.raises(PseudopotentialError, match="the file changed since the campaign was submitted"):
        run_job(job, tmp_path / "run", monkeypatch)
    assert not Path("pw.in").exists()


def test_interrupted_coupling_job_takes_up_its_own_run_and_not_one_of_another_input(
    chain, recipe, tmp_path, monkeypatch
):
    coarse = chain[0]["coarse"]
    folder = tmp_path / "coupling"
    first, _ = run_job(CouplingMaker(recipe=recipe).make(coarse), folder, monkeypatch)
    assert "start_q" not in (folder / "ph.in").read_text()
    (folder / "dyn3").write_text("")
    again, _ = run_job(CouplingMaker(recipe=recipe).make(coarse), folder, monkeypatch)
    assert "start_q          = 3" in (folder / "ph.in").read_text()
    # 2 % of lambda hang on the random start of the bands on this coarse mesh (1.6 % measured)
    assert again.output.lambda_q_sum == pytest.approx(first.output.lambda_q_sum, rel=0.02)
    other = recipe.model_copy(update={"tr2_ph": 1e-12})
    run_job(CouplingMaker(recipe=other).make(coarse), folder, monkeypatch)
    assert "start_q" not in (folder / "ph.in").read_text()
