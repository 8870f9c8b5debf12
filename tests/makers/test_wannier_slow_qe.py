"""Aluminium through epw.x on meshes that say something about aluminium: minutes, so only when asked for."""

from __future__ import annotations

import pytest
from fakes.flow_runner import FlowRunner
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Alpha2FDocument, MaterialTag, WannierDocument
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.qe.wannier_recipe import make_wannier_recipe
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

pytestmark = [pytest.mark.qe, pytest.mark.slow]

MESHES = {"k_mesh": (8, 8, 8), "k_mesh_dense": (16, 16, 16), "q_mesh": (4, 4, 4), "interpolation_mesh": (8, 8, 8)}
NUMBERS = {
    "k_mesh": (8, 8, 8),
    "electron_smearing_ev": 0.3,
    "fine_q_meshes": ((10, 10, 10),),
}


def test_interpolated_bands_of_aluminium_have_the_fermi_energy_of_the_dense_mesh(small_recipe, tmp_path):
    structure = primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.9688), ["Al"], [[0, 0, 0]]))
    recipe = small_recipe(structure, {}, relax=False, tr2_ph=1e-12, **MESHES)
    wannier = make_wannier_recipe(structure, recipe, NUMBERS)
    runner = FlowRunner(tmp_path / "flow")
    flow = ElectronPhononFlowMaker(recipe=recipe, wannier=wannier).make(
        structure, MaterialTag(campaign="test", material="Al")
    )
    # interpolated bands and the linear-response sum are other tests' business
    left_out = ("matdyn.x bands", "alpha2F", "Tc", "gap", "Tc wannier")
    assert all(runner.run_job(job) for job, _ in flow.iterflow() if job.name not in left_out)

    def newest(document):
        kind = document.model_fields["kind"].default
        return document.model_validate(MontyDecoder().process_decoded(runner.outputs(kind)[-1]))

    functions, spectrum = newest(WannierDocument), newest(Alpha2FDocument)
    # s, p and d: free electrons do not fit into four functions on this mesh
    assert functions.n_wannier == 9
    (mesh,) = spectrum.convergence.meshes
    assert abs(mesh.fermi_ev - functions.fermi_ev) < 0.05
