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
# Fine k four times as dense as q: N(E_F) must be that of the metal, not of the mesh. The same vertex, interpolated with
# numpy and summed over irreducible q points, has lambda 0.436 here, and 0.432 to 0.441 with 0.3 and 0.4 eV on k/q of
# 30/10, 40/8, 40/10 and 36/12, where N(E_F) is 0.195 to 0.197 states/eV/spin.
NUMBERS = {"k_mesh": (8, 8, 8), "electron_smearing_ev": 0.3, "fine_q_meshes": ((8, 8, 8),), "fine_k_factor": 4}


def test_aluminium_has_its_fermi_energy_and_its_coupling(small_recipe, tmp_path):
    structure = primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.9688), ["Al"], [[0, 0, 0]]))
    recipe = small_recipe(structure, {}, relax=False, tr2_ph=1e-12, **MESHES)
    wannier = make_wannier_recipe(structure, recipe, NUMBERS)
    runner = FlowRunner(tmp_path / "flow")
    flow = ElectronPhononFlowMaker(recipe=recipe, wannier=wannier).make(
        structure, MaterialTag(campaign="test", material="Al")
    )
    assert runner.run(flow)

    def newest(document):
        kind = document.model_fields["kind"].default
        return document.model_validate(MontyDecoder().process_decoded(runner.outputs(kind)[-1]))

    functions, spectrum = newest(WannierDocument), newest(Alpha2FDocument)
    # s, p and d: free electrons do not fit into four functions on this mesh
    assert functions.n_wannier == 9
    (mesh,) = spectrum.convergence.meshes
    assert abs(mesh.fermi_ev - functions.fermi_ev) < 0.05
    # 0.44 of Savrasov and Savrasov, PRB 54, 16487 (1996), within 5 %: 0.42 to 0.46
    assert 0.42 < mesh.lambda_ < 0.46
