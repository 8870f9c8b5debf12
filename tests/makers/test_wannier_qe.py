"""The Wannier route on meshes far too small for physics: every program runs, every gate has its say."""

from __future__ import annotations

import os
import shutil
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.flow_runner import FlowRunner
from jobflow import Flow
from monty.json import MontyDecoder

from hightc.analysis.documents import (
    DOCUMENTS,
    Alpha2FDocument,
    CouplingDocument,
    MaterialTag,
    ScfDocument,
    StructureDocument,
    VertexDocument,
    WannierDocument,
)
from hightc.analysis.wannier_bands import check_points
from hightc.analysis.wannier_windows import Window
from hightc.makers.disk import drop_scratch
from hightc.makers.epw import FineMeshMaker, VertexMaker
from hightc.makers.errors import RecipeError, StagingError
from hightc.makers.gap import GapMaker
from hightc.makers.listed_bands import ListedBands
from hightc.makers.phonon import CouplingMaker
from hightc.makers.qe.epw_inputs import Subspace
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.qe.wannier_recipe import WannierRecipe, make_wannier_recipe
from hightc.makers.relax import RelaxMaker
from hightc.makers.scf import DenseScfMaker, ScfMaker
from hightc.makers.wannier import WannierMaker
from hightc.makers.wannier_search import SCDM, WannierSearch

pytestmark = pytest.mark.qe

NUMBERS = {
    # four functions on 4x4x4 points are 350 meV off: far too much for a campaign, enough to run everything
    "band_distance_mev": 400.0,
    "k_mesh": (4, 4, 4),
    "k_check_points": 8,
    "fine_q_meshes": ((3, 3, 3), (4, 4, 4)),
    "fine_k_factor": 2,
    "electron_smearing_ev": 0.15,
    "anisotropic_above_kelvin": 1.0,
}


@dataclass
class Chain:
    """Documents of one material, from the structure to the fine meshes."""

    recipe: object
    wannier: WannierRecipe
    runner: FlowRunner
    structure: StructureDocument
    dense: ScfDocument
    scf: ScfDocument
    coupling: CouplingDocument
    functions: WannierDocument
    vertex: VertexDocument
    spectrum: Alpha2FDocument
    goes_on: bool


def newest(runner, kind):
    return DOCUMENTS[kind].model_validate(MontyDecoder().process_decoded(runner.outputs(kind)[-1]))


@pytest.fixture(scope="module")
def chain(tmp_path_factory, aluminium, recipe):
    if not (shutil.which("epw.x") and DEBIAN_DIRECTORY.is_dir()):
        pytest.skip("needs Quantum ESPRESSO with epw.x")
    root = tmp_path_factory.mktemp("wannier")
    recipe = recipe.model_copy(update={"relax": False})
    wannier = make_wannier_recipe(aluminium, recipe, NUMBERS)
    runner = FlowRunner(root / "flow")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith("HIGHTC_")]:
            patch.delenv(name)
        patch.setenv("HIGHTC_SETTINGS_FILE", str(root / "no_settings.toml"))
        patch.setenv("HIGHTC_SCRATCH_MINIMUM_GB", "0")
        patch.setenv("HIGHTC_DATA_DIRECTORY", str(root / "data"))
        relax = RelaxMaker(recipe=recipe).make(aluminium, MaterialTag(campaign="test", material="Al"))
        dense = DenseScfMaker(recipe=recipe).make(relax.output)
        coarse = ScfMaker(recipe=recipe).make(relax.output, dense.output)
        coupling = CouplingMaker(recipe=recipe, potentials=True).make(coarse.output)
        makers = {"recipe": recipe, "wannier": wannier}
        functions = WannierMaker(**makers).make(coarse.output, dense.output, coupling.output, None)
        vertex = VertexMaker(**makers).make(functions.output, coupling.output)
        fine = FineMeshMaker(**makers).make(relax.output, functions.output, vertex.output)
        goes_on = runner.run(Flow([relax, dense, coarse, coupling, functions, vertex, fine]))
    documents = {kind: newest(runner, kind) for kind in ("structure", "coupling", "wannier", "vertex", "alpha2f")}
    first, last = (ScfDocument.model_validate(MontyDecoder().process_decoded(one)) for one in runner.outputs("scf"))
    return Chain(
        recipe,
        wannier,
        runner,
        documents["structure"],
        first,
        last,
        documents["coupling"],
        documents["wannier"],
        documents["vertex"],
        documents["alpha2f"],
        goes_on,
    )


@pytest.fixture
def runner(tmp_path):
    return FlowRunner(tmp_path / "flow")


def written(folder, pattern="*.out"):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob(pattern)}


def copied(chain, tmp_path, document):
    """The folder of a step, which a test may change; the document that points to it."""
    folder = tmp_path / "copied"
    shutil.copytree(document.provenance.directory, folder, symlinks=True)
    moved = document.provenance.model_copy(update={"directory": str(folder)})
    return folder, document.model_copy(update={"provenance": moved})


def test_four_functions_carry_aluminium_as_well_as_so_coarse_a_mesh_lets_them(chain):
    functions = chain.functions
    assert functions.passed
    assert (functions.n_wannier, functions.n_excluded, functions.n_bands) == (4, 0, 6)
    assert functions.best.projections == ("Al:s;p",)
    assert 200 < functions.best.eta_mev < 400
    assert functions.best.frozen_max_ev > functions.fermi_ev


def test_coarse_step_shares_wavefunctions_and_leaves_no_copies(chain):
    folder = Path(chain.vertex.provenance.directory)
    assert (folder / "out" / "hightc.save").resolve().parent.parent == Path(chain.functions.provenance.directory)
    assert not list(folder.glob("out/hightc.wfc*"))
    assert not list(Path(chain.functions.provenance.directory).glob("out/hightc.wfc*"))
    # the highest phonon of Al is 40 meV
    assert 30 < chain.vertex.highest_frequency_mev < 50


def test_cleaning_a_step_spares_the_files_that_it_only_links(chain, tmp_path):
    folder, _ = copied(chain, tmp_path, chain.vertex)
    drop_scratch(folder, "results")
    assert not (folder / "out" / "hightc.epmatwp").exists()
    assert list((folder / "out" / "hightc.save").glob("wfc*"))


def test_finer_meshes_take_the_place_of_coarser_ones_and_a_wrong_fermi_energy_stops_them(chain):
    meshes = chain.spectrum.convergence.meshes
    assert [mesh.q_mesh for mesh in meshes] == [(3, 3, 3), (4, 4, 4)]
    assert [mesh.k_mesh for mesh in meshes] == [(6, 6, 6), (8, 8, 8)]
    assert meshes[1].lambda_change == pytest.approx(1 - meshes[0].lambda_ / meshes[1].lambda_)
    # both sum the same 500 values, printed with seven digits
    assert chain.spectrum.chosen.lambda_ == pytest.approx(chain.spectrum.chosen.lambda_printed, rel=1e-5)
    assert (chain.spectrum.k_mesh, chain.spectrum.q_mesh_fine) == ((4, 4, 4), (4, 4, 4))
    (gate,) = chain.spectrum.gates
    assert (gate.name, gate.passed) == ("fermi_energy", False)
    # as in a run of 4x4x4 points by hand: 0.53 eV
    assert 0.4 < gate.value < 0.6
    assert not chain.goes_on
    assert len([name for name in chain.runner.outputs("alpha2f") if name]) == 1


# weak enough for a gap at temperatures that dense Matsubara sums reach: lambda is 0.34 on these meshes
MU_STAR = 0.03


def solve_gap(chain, runner, spectrum=None, **numbers):
    maker = GapMaker(recipe=chain.recipe, wannier=chain.wannier.model_copy(update=numbers), mu_star=MU_STAR)
    assert runner.run_job(maker.make(spectrum or chain.spectrum, chain.functions, chain.vertex))
    return newest(runner, "gap")


def test_isotropic_gaps_of_epw_are_our_own_and_anisotropic_ones_spread_around_their_mean(chain, runner):
    gap = solve_gap(chain, runner)
    assert gap.tc_status == "found"
    assert len(gap.isotropic) == 5
    assert all(one.converged for one in (*gap.isotropic, *gap.anisotropic))
    # epw.x ends its iterations at a relative change of 1e-4
    assert gap.largest_difference < 1e-3
    assert gap.lambda_ == pytest.approx(chain.spectrum.chosen.lambda_, rel=1e-5)
    # on so coarse a mesh the gap may close below the isotropic Tc: a handler then keeps the lower temperatures
    assert len(gap.anisotropic) in (2, 3)
    assert gap.anisotropic_reason is None
    for one in gap.anisotropic:
        assert one.lowest_mev <= one.gap_mev <= one.highest_mev
    folder = runner.folders["gap"]
    before = written(folder)
    with chdir(folder):
        maker = GapMaker(recipe=chain.recipe, wannier=chain.wannier, mu_star=MU_STAR)
        again = maker.make(chain.spectrum, chain.functions, chain.vertex).run(runner.store).output
    assert written(folder) == before
    assert again.anisotropic == gap.anisotropic


def test_anisotropic_gap_is_left_out_with_its_reason(chain, runner, tmp_path):
    gap = solve_gap(chain, runner, anisotropic_above_kelvin=1000.0)
    assert gap.anisotropic == ()
    assert gap.anisotropic_reason.startswith("Tc is below 1000 K")
    folder, cleaned = copied(chain, tmp_path, chain.spectrum)
    shutil.rmtree(folder / "out" / "hightc.ephmat")
    gap = solve_gap(chain, runner, cleaned)
    assert gap.anisotropic == ()
    assert "no longer in" in gap.anisotropic_reason


def test_anisotropic_run_that_fails_leaves_the_isotropic_gaps_with_the_reason(chain, runner, tmp_path):
    folder, damaged = copied(chain, tmp_path, chain.spectrum)
    (folder / "selecq.fmt").write_text("1\n1\n1\n")
    gap = solve_gap(chain, runner, damaged)
    assert len(gap.isotropic) == 5
    assert gap.anisotropic == ()
    assert "epw.x failed" in gap.anisotropic_reason


def test_step_on_fine_meshes_that_was_killed_starts_anew(chain, runner):
    first = chain.wannier.model_copy(update={"fine_q_meshes": ((3, 3, 3),)})
    maker = FineMeshMaker(recipe=chain.recipe, wannier=first)
    job = maker.make(chain.structure, chain.functions, chain.vertex)
    runner.run_job(job)
    before = newest(runner, "alpha2f")
    folder = Path(before.provenance.directory)
    assert (folder / "restart.fmt").is_file()
    (folder / "epw.finished.json").unlink()
    shutil.rmtree(folder / "out" / "hightc.ephmat")
    with chdir(folder):
        again = maker.make(chain.structure, chain.functions, chain.vertex).run(runner.store).output
    assert again.convergence.meshes[0].lambda_ == pytest.approx(before.convergence.meshes[0].lambda_)
    assert (folder / "out" / "hightc.ephmat").is_dir()


def test_program_that_was_killed_on_fine_meshes_starts_again_without_what_it_would_append_to(
    chain, runner, tmp_path, monkeypatch
):
    monkeypatch.setenv("HIGHTC_REUSE", "false")
    first = chain.wannier.model_copy(update={"fine_q_meshes": ((3, 3, 3),)})
    maker = FineMeshMaker(recipe=chain.recipe, wannier=first)
    runner.run_job(maker.make(chain.structure, chain.functions, chain.vertex))
    before = newest(runner, "alpha2f")
    program = tmp_path / "killed_epw.x"
    # the first time it leaves half its output, and more matrix elements than restart.fmt (next q point: 5) tells of
    program.write_text(f"""#!/bin/sh
epw.x "$@" > full.out || exit 1
echo run >> {tmp_path}/runs
if [ $(wc -l < {tmp_path}/runs) = 1 ]; then sed -i '1s/.*/5/' restart.fmt; head -c 3000 full.out; exit 9; fi
cat full.out
""")
    program.chmod(0o755)
    monkeypatch.setenv("HIGHTC_EPW_COMMAND", str(program))
    runner.run_job(maker.make(chain.structure, chain.functions, chain.vertex))
    again = newest(runner, "alpha2f")
    (correction,) = again.provenance.corrections
    assert correction.actions == ("started again without restart.fmt",)
    sizes = [
        sum(file.stat().st_size for file in Path(document.provenance.directory).glob("out/hightc.ephmat/ephmat*"))
        for document in (before, again)
    ]
    assert sizes[0] == sizes[1] > 0
    assert again.convergence.meshes[0].lambda_ == pytest.approx(before.convergence.meshes[0].lambda_)


def test_coarse_step_refuses_wannier_functions_whose_wavefunctions_are_gone(chain, tmp_path):
    folder, cleaned = copied(chain, tmp_path, chain.functions)
    drop_scratch(folder, "results")
    job = VertexMaker(recipe=chain.recipe, wannier=chain.wannier).make(
        # another key, so that nothing is taken over
        cleaned.model_copy(update={"provenance": cleaned.provenance.model_copy(update={"content_sha256": "0" * 64})}),
        chain.coupling,
    )
    with pytest.raises(StagingError, match="expected wavefunctions of the uniform mesh, found none"):
        job.run(chain.runner.store)


def make_functions(chain, runner, **numbers):
    maker = WannierMaker(recipe=chain.recipe, wannier=chain.wannier.model_copy(update=numbers))
    return maker.make(chain.scf, chain.dense, chain.coupling, None)


def test_wannier_step_that_was_killed_repeats_only_the_program_that_was_running(chain, runner):
    runner.run_job(make_functions(chain, runner))
    folder = runner.folders["wannier"]
    before = written(folder)
    assert set(before) == {"check.out", "nscf-1.out", "wannier-1.out"}
    (folder / "wannier-1.finished.json").unlink()
    with chdir(folder):
        again = make_functions(chain, runner).run(runner.store).output
    after = written(folder)
    assert {name for name in before if before[name] != after[name]} == {"wannier-1.out"}
    # the rotations are searched from the same start
    assert again.best.eta_mev == pytest.approx(chain.functions.best.eta_mev, rel=1e-3)


@pytest.mark.parametrize("known", [True, False], ids=["rotations_found", "rotations_not_found"])
def test_wavefunctions_that_were_dropped_are_computed_again_with_their_rotations(chain, runner, known):
    runner.run_job(make_functions(chain, runner))
    folder = runner.folders["wannier"]
    document = newest(runner, "wannier")
    before, gauge = written(folder), (folder / "nscf-1.gauge").read_text()
    drop_scratch(folder, "results")
    assert not list(folder.glob("out/hightc.save/wfc*"))
    if not known:
        (folder / "wannier-1.finished.json").unlink()
    with chdir(folder):
        again = make_functions(chain, runner).run(runner.store).output
    after = written(folder)
    # phases of the new wavefunctions are not those that the old rotations were made for
    assert {name for name in before if before[name] != after[name]} == {"nscf-1.out", "wannier-1.out"}
    assert (folder / "nscf-1.gauge").read_text() != gauge
    assert (folder / "hightc.ukk").read_bytes() == (folder / "hightc.ukk.1").read_bytes()
    assert len(list(folder.glob("out/hightc.save/wfc*"))) == 64
    assert len(again.trials) == 1
    # so that a coupling made from the old wavefunctions is not taken over
    assert again.provenance.content_sha256 != document.provenance.content_sha256


def test_rotations_are_taken_over_together_with_the_wavefunctions_they_were_made_of(chain, runner, tmp_path):
    runner.run_job(make_functions(chain, runner))
    other = FlowRunner(tmp_path / "other")
    other.run_job(make_functions(chain, other))
    first, second = runner.folders["wannier"], other.folders["wannier"]
    assert first != second
    names = ["nscf-1.gauge", "hightc.ukk", *(str(path.relative_to(first)) for path in first.glob("out/*.save/wfc*"))]
    assert len(names) == 2 + 64
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    one, two = (newest(each, "wannier").provenance for each in (runner, other))
    assert one.content_sha256 == two.content_sha256


def test_functions_that_do_not_carry_the_bands_stop_the_route_after_every_kind_was_tried(chain, runner):
    assert not runner.run_job(make_functions(chain, runner, band_distance_mev=0.001))
    document = newest(runner, "wannier")
    assert not document.passed
    assert document.gates[0].message.endswith("choose a denser k_mesh in [wannier]")
    # each set of functions is given up at its first attempt; the density matrix is tried all the same
    assert [trial.projections for trial in document.trials] == [("Al:s;p",), ("Al:s;p;d",), (SCDM,)]
    assert [trial.n_wannier for trial in document.trials] == [4, 9, 9]
    assert document.best.eta_mev == min(trial.eta_mev for trial in document.trials if trial.eta_mev is not None)
    folder = runner.folders["wannier"]
    before = written(folder)
    with chdir(folder):
        make_functions(chain, runner, band_distance_mev=0.001).run(runner.store)
    assert written(folder) == before


def test_window_that_a_handler_moved_is_the_one_that_is_recorded(chain, tmp_path):
    folder, _ = copied(chain, tmp_path, chain.functions)
    (folder / "wannier-1.finished.json").unlink()
    maker = WannierMaker(recipe=chain.recipe, wannier=chain.wannier)
    bands = ListedBands(maker, chain.scf, (4, 4, 4), 6, "nscf-1")
    with chdir(folder):
        check = ListedBands(maker, chain.scf, check_points(8), 14, "check")
        search = WannierSearch(
            maker, chain.recipe, chain.wannier, chain.dense.fermi_ev, check_points(8), check.energies_ev()
        )
        asked = Window(frozen_max_ev=chain.functions.best.frozen_max_ev + 8, outer_max_ev=40.0)
        search.attempt(("Al:s;p",), asked, Subspace(4, 0), bands, None)
    (trial,) = search.trials
    assert trial.reason is None
    assert trial.frozen_max_ev < asked.frozen_max_ev
    assert search.runs[0].corrections[0].handler == "FrozenWindowHandler"


def test_functions_whose_frozen_window_was_moved_too_low_for_the_smearing_are_not_used(chain, tmp_path):
    folder, _ = copied(chain, tmp_path, chain.functions)
    best = chain.functions.best
    smeared = chain.wannier.model_copy(update={"electron_smearing_ev": best.frozen_max_ev - chain.dense.fermi_ev})
    maker = WannierMaker(recipe=chain.recipe, wannier=smeared)
    bands = ListedBands(maker, chain.scf, (4, 4, 4), 6, "nscf-1")
    with chdir(folder):
        energies = ListedBands(maker, chain.scf, check_points(8), 14, "check").energies_ev()
        search = WannierSearch(maker, chain.recipe, smeared, chain.dense.fermi_ev, check_points(8), energies)
        search.attempt(("Al:s;p",), Window(best.frozen_max_ev, best.outer_max_ev), Subspace(4, 0), bands, None)
    (trial,) = search.trials
    assert trial.reason.startswith("expected bands frozen up to")
    assert (trial.eta_mev, search.best) == (None, None)


def test_spin_orbit_coupling_is_refused_before_anything_runs(chain):
    coupled = chain.recipe.model_copy(update={"spin_orbit": True})
    with pytest.raises(RecipeError, match=r"without spin-orbit coupling, found spin_orbit = true: .*linear_response"):
        WannierMaker(recipe=coupled, wannier=chain.wannier)


def test_spin_polarised_calculation_is_refused_before_anything_runs(chain):
    polarised = chain.recipe.model_copy(update={"spin_polarized": True})
    with pytest.raises(RecipeError, match="route wannier: expected a calculation without spin polarisation"):
        WannierMaker(recipe=polarised, wannier=chain.wannier)
