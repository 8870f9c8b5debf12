"""ph.x in one job and in several, stopped where it is unstable, and on a finer mesh where it is undecided."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from fakes.flow_runner import FlowRunner
from jobflow import Flow
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import CouplingDocument, MaterialTag, ScfDocument
from hightc.analysis.parsers.ph import read_dynamical_matrices, read_elph
from hightc.makers.phonon import CouplingMaker
from hightc.makers.phonon_groups import UNSTABLE, QGroupMaker
from hightc.makers.phonon_watch import STOP_FILE
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.relax import RelaxMaker
from hightc.makers.scf import DenseScfMaker, ScfMaker
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

pytestmark = pytest.mark.qe

TAG = MaterialTag(campaign="test", material="Al")
MESHES = {"k_mesh": (4, 4, 4), "k_mesh_dense": (8, 8, 8), "q_mesh": (2, 2, 2), "interpolation_mesh": (8, 8, 8)}


def aluminium(group, length):
    return primitive_cell(Structure.from_spacegroup(group, Lattice.cubic(length), ["Al"], [[0, 0, 0]]))


def coarse_scf(structure, recipe, runner):
    """Everything before ph.x."""
    relax = RelaxMaker(recipe=recipe).make(structure, TAG)
    dense = DenseScfMaker(recipe=recipe).make(relax.output)
    coarse = ScfMaker(recipe=recipe).make(relax.output, dense.output)
    assert runner.run(Flow([relax, dense, coarse]))
    return ScfDocument.model_validate(MontyDecoder().process_decoded(runner.outputs("scf")[-1]))


def couple(maker, scf, runner):
    """Run ph.x as a flow; the document, and whether what follows may go on."""
    goes_on = runner.run_job(maker.make(scf))
    return CouplingDocument.model_validate(MontyDecoder().process_decoded(runner.outputs("coupling")[-1])), goes_on


def names_below(folder):
    """Files for q2r.x and EPW, without those that only ph.x reads."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    kept = [str(path) for path in paths if path.parts[0] in ("out", "elph_dir") or path.name.startswith("dyn")]
    return {name for name in kept if (".wfc" not in name and ".q_" not in name) or name.endswith("dvscf1")}


@pytest.fixture
def runner(tmp_path):
    return FlowRunner(tmp_path / "flow")


@pytest.fixture
def fcc(small_recipe, runner):
    structure = aluminium("Fm-3m", 3.97)
    recipe = small_recipe(structure, {}, relax=False, **MESHES)
    return recipe, coarse_scf(structure, recipe, runner)


@pytest.fixture
def bcc(small_recipe, runner):
    structure = aluminium("Im-3m", 3.17)
    recipe = small_recipe(structure, {}, relax=False, **MESHES)
    return recipe, coarse_scf(structure, recipe, runner)


def test_several_jobs_leave_the_files_and_the_numbers_of_one(fcc, runner):
    recipe, scf = fcc
    one, _ = couple(CouplingMaker(recipe=recipe), scf, runner)
    folder = runner.folders["ph.x electron-phonon"]
    files = names_below(folder)
    first, last = read_elph(folder)[1:]
    (folder / "dyn3").unlink()
    with chdir(folder):
        CouplingMaker(recipe=recipe).make(scf).run(runner.store)
    resumed = read_elph(folder)[2]
    many, goes_on = couple(CouplingMaker(recipe=recipe, q_jobs=2), scf, runner)
    merged = Path(many.provenance.directory)
    assert goes_on
    assert names_below(merged) == files
    for ours, theirs in zip(read_dynamical_matrices(merged, "dyn"), one.q_points, strict=True):
        # ph.x prints THz to 1e-6, and its response converged to 1e-7 of the frequencies
        np.testing.assert_allclose(ours.frequencies_mev, theirs.frequencies_mev, rtol=1e-5)
    ours = read_elph(merged)
    # the bands of the second q point start from the same random numbers in both: six decimals are printed
    np.testing.assert_allclose(ours[1].coupling, first.coupling, atol=1e-4)
    # those of the third do so in a run that starts there
    np.testing.assert_allclose(ours[2].coupling, resumed.coupling, rtol=1e-3, atol=1e-4)
    # other random numbers turn degenerate bands, which moves lambda by 2 % on so coarse a mesh
    np.testing.assert_allclose(ours[2].coupling.sum(axis=1), last.coupling.sum(axis=1), rtol=0.03)
    assert many.lambda_q_sum == pytest.approx(one.lambda_q_sum, rel=0.03)
    assert many.provenance.codes == one.provenance.codes
    assert many.unfinished_reason is None
    assert many.n_irreducible_q == 3


def test_group_that_was_killed_computes_only_what_is_missing(fcc, runner, tmp_path):
    recipe, scf = fcc
    maker = QGroupMaker(recipe=recipe)
    folder = tmp_path / "group"
    folder.mkdir()
    with chdir(folder):
        first = maker.make(scf, 2, 3, str(tmp_path)).run(runner.store).output
        (folder / "dyn3").unlink()
        (folder / "ph.out").write_text("")
        maker.make(scf, 2, 3, str(tmp_path)).run(runner.store)
        text = (folder / "ph.in").read_text()
        assert ("start_q          = 3" in text, "last_q           = 3" in text) == (True, True)
        before = (folder / "ph.out").stat().st_mtime_ns
        again = maker.make(scf, 2, 3, str(tmp_path)).run(runner.store).output
    assert (folder / "ph.out").stat().st_mtime_ns == before
    assert again.provenance.codes == first.provenance.codes == {"ph.x": "6.7MaX"}
    assert not (tmp_path / UNSTABLE).exists()


def test_groups_behind_an_unstable_one_are_not_started_and_the_verdict_is_stored(bcc, runner):
    recipe, scf = bcc
    document, goes_on = couple(CouplingMaker(recipe=recipe, q_jobs=2), scf, runner)
    assert not goes_on
    assert (len(document.q_points), document.n_irreducible_q) == (2, 3)
    assert document.gates[0].message.startswith("unstable")
    assert document.lambda_q_sum == ()
    assert (runner.folders["ph.x q 2-2 of 3"] / "ph.out").is_file()
    assert not list(runner.folders["ph.x q 3-3 of 3"].iterdir())


def test_one_job_stops_itself_at_the_first_unstable_q_point(small_recipe, runner):
    structure = aluminium("Pm-3m", 2.7)
    # slow enough for a look in between: four q points, two of them unstable, of two seconds each
    recipe = small_recipe(structure, {}, relax=False, **{**MESHES, "ecutwfc_ry": 35.0, "tr2_ph": 1e-22})
    scf = coarse_scf(structure, recipe, runner)
    document, goes_on = couple(CouplingMaker(recipe=recipe), scf, runner)
    folder = Path(document.provenance.directory)
    assert not goes_on
    assert "Program stopped by user request" in (folder / "ph.out").read_text()
    assert len(document.q_points) < document.n_irreducible_q == 4
    assert document.unfinished_reason.endswith("stopped at the first unstable one")
    assert document.provenance.codes == {"ph.x": "6.7MaX"}
    assert not (folder / STOP_FILE).exists()
    before = (folder / "ph.out").stat().st_mtime_ns
    with chdir(folder):
        again = CouplingMaker(recipe=recipe).make(scf).run(runner.store)
    assert again.stop_children
    assert (folder / "ph.out").stat().st_mtime_ns == before
    assert again.output.q_points == document.q_points


@pytest.fixture
def undecided(tmp_path, monkeypatch):
    """A matdyn.x whose frequencies have an imaginary mode where the interpolation mesh is a coarse one."""

    def pretend(condition):
        program = tmp_path / "undecided_matdyn.x"
        program.write_text(
            "#!/bin/sh\n"
            'matdyn.x "$@" || exit 1\n'
            f"if grep -q '{condition}' matdyn.in; then sed -i '5s/.*/  -60.0000  100.0000  200.0000/' frequencies; fi\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("HIGHTC_MATDYN_COMMAND", str(program))

    return pretend


SMALL = {**MESHES, "k_mesh": (2, 2, 2), "k_mesh_dense": (6, 6, 6), "interpolation_mesh": (4, 4, 4)}


@pytest.fixture
def small_flow(small_recipe):
    structure = aluminium("Fm-3m", 3.97)
    recipe = small_recipe(structure, {}, relax=False, **SMALL)
    return lambda **options: ElectronPhononFlowMaker(recipe=recipe, **options).make(structure, TAG)


@pytest.mark.parametrize("q_jobs", [1, 2])
def test_marginal_modes_are_decided_on_a_finer_mesh_with_all_that_follows(small_flow, undecided, runner, q_jobs):
    undecided("nk1 *= 4")
    flow = small_flow(q_jobs=q_jobs)
    assert runner.run(flow)
    coarse, fine = runner.outputs("phonon")
    assert (coarse["stability"], fine["stability"]) == ("marginal", "stable")
    assert (coarse["q_mesh"], fine["q_mesh"]) == ([2, 2, 2], [4, 4, 4])
    (said,) = fine["coarser_passes"]
    assert (said["q_mesh"], said["stability"]) == ([2, 2, 2], "marginal")
    assert "-60.0 cm^-1" in said["message"]
    assert fine["gates"][0]["message"].endswith("marginal on the q mesh 2x2x2 before")
    assert not any("marginal" in note for note in fine["warnings"])
    (spectrum,) = runner.outputs("alpha2f")
    # the next multiples: 4 of 4 above 2, 8 of 4 above 6
    assert (spectrum["q_mesh"], spectrum["k_mesh"], spectrum["k_mesh_dense"]) == ([4] * 3, [4] * 3, [8] * 3)
    assert runner.store.get_output(flow.jobs[3].uuid)["q_mesh"] == [4, 4, 4]
    assert runner.outputs("tc")


def test_modes_that_stay_marginal_go_on_with_a_warning(small_flow, undecided, runner):
    undecided("nk1")
    assert runner.run(small_flow())
    coarse, fine = runner.outputs("phonon")
    assert (coarse["stability"], fine["stability"]) == ("marginal", "marginal")
    assert any(note.startswith("marginal") for note in fine["warnings"])
    assert runner.outputs("tc")


def test_marginal_modes_go_on_with_a_warning_where_no_finer_mesh_is_wanted(small_flow, undecided, runner):
    undecided("nk1")
    assert runner.run(small_flow(finer_q_passes=0))
    (only,) = runner.outputs("phonon")
    assert only["stability"] == "marginal"
    assert only["coarser_passes"] == []
