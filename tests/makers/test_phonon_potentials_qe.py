"""A run of ph.x answers for the Wannier route only while it has the potentials and patterns that epw.x reads."""

from __future__ import annotations

import shutil
from contextlib import chdir

import pytest
from fakes.flow_runner import FlowRunner
from jobflow import Flow

from hightc.analysis.documents import MaterialTag, ScfDocument
from hightc.makers.epw_staging import collect_phonons
from hightc.makers.phonon import CouplingMaker
from hightc.makers.phonon_interpolation import InterpolationMaker
from hightc.makers.qe.wannier_recipe import make_wannier_recipe
from hightc.makers.relax import RelaxMaker
from hightc.makers.scf import DenseScfMaker, ScfMaker
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

pytestmark = pytest.mark.qe

TAG = MaterialTag(campaign="test", material="Al")


@pytest.fixture
def couple(aluminium, small_recipe, tmp_path):
    """Run ph.x of fcc Al in a folder of a given name; its document."""
    meshes = {"k_mesh": (2, 2, 2), "k_mesh_dense": (4, 4, 4), "q_mesh": (2, 2, 2)}
    recipe = small_recipe(aluminium, {}, relax=False, **meshes)
    runner = FlowRunner(tmp_path / "flow")
    relax = RelaxMaker(recipe=recipe).make(aluminium, TAG)
    dense = DenseScfMaker(recipe=recipe).make(relax.output)
    coarse = ScfMaker(recipe=recipe).make(relax.output, dense.output)
    assert runner.run(Flow([relax, dense, coarse]))
    scf = ScfDocument.model_validate(runner.outputs("scf")[-1])

    def run(name, *, potentials):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        with chdir(folder):
            return CouplingMaker(recipe=recipe, potentials=potentials).make(scf).run(runner.store).output

    return run


def test_run_without_potentials_answers_for_the_linear_response_alone(couple, tmp_path):
    couple("first", potentials=False)
    scratch = tmp_path / "first" / "out" / "_ph0"
    assert couple("whole", potentials=True).provenance.reused_from == str(tmp_path / "first")
    with chdir(tmp_path):
        collect_phonons(tmp_path / "whole", 3)
    shutil.rmtree(tmp_path / "whole")

    (scratch / "hightc.q_3" / "hightc.dvscf1").unlink()
    assert couple("linear", potentials=False).provenance.reused_from == str(tmp_path / "first")
    shutil.rmtree(tmp_path / "linear")
    computed = couple("wannier", potentials=True)
    assert computed.provenance.reused_from is None
    with chdir(tmp_path):
        collect_phonons(tmp_path / "wannier", 3)


@pytest.mark.parametrize(
    ("lost", "first_q"),
    [
        ("hightc.q_3/hightc.dvscf1", "3"),
        ("hightc.phsave/patterns.2.xml", "2"),
        ("hightc.dvscf1", None),
    ],
)
def test_only_q_points_from_the_first_lost_potential_on_are_computed_again(couple, tmp_path, lost, first_q):
    before = couple("here", potentials=True)
    here = tmp_path / "here"
    (here / "out" / "_ph0" / lost).unlink()
    (here / "ph.finished.json").unlink()
    again = couple("here", potentials=True)
    starts = [line.split()[-1] for line in (here / "ph.in").read_text().splitlines() if "start_q" in line]
    assert starts == ([first_q] if first_q else [])
    assert (here / "out" / "_ph0" / lost).is_file()
    assert [point.frequencies_mev for point in again.q_points] == [
        # ph.x prints THz to 1e-6, and its response converged to 1e-7 of the frequencies
        pytest.approx(point.frequencies_mev, rel=1e-5, abs=1e-4)
        for point in before.q_points
    ]


@pytest.mark.parametrize("route", ["linear_response", "wannier"])
def test_flow_asks_for_potentials_where_the_wannier_route_follows(aluminium, small_recipe, route):
    recipe = small_recipe(aluminium, {}, relax=False)
    wannier = make_wannier_recipe(aluminium, recipe, {}) if route == "wannier" else None
    jobs = ElectronPhononFlowMaker(recipe=recipe, wannier=wannier).make(aluminium, TAG).jobs
    makers = [job.maker for job in jobs if isinstance(job.maker, CouplingMaker | InterpolationMaker)]
    assert [maker.potentials for maker in makers] == [route == "wannier"] * 2
