"""The order of the jobs of a Fermi surface."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MaterialTag
from hightc.analysis.documents.base import Pseudopotential
from hightc.makers.qe.nesting_recipe import make_nesting_recipe
from hightc.makers.qe.recipe import make_recipe
from hightc.workflows.nesting import NestingFlowMaker

CHROMIUM = Structure(
    Lattice([[-1.425, 1.425, 1.425], [1.425, -1.425, 1.425], [1.425, 1.425, -1.425]]), ["Cr"], [[0] * 3]
)


@pytest.fixture
def flow():
    recipe = make_recipe(
        CHROMIUM,
        protocol="draft",
        family="debian",
        pseudopotentials=(Pseudopotential(element="Cr", filename="Cr.upf", sha256="0" * 64),),
        suggested_ecutwfc_ry=40.0,
        norm_conserving=True,
        overrides={},
    )
    maker = NestingFlowMaker(recipe=recipe, nesting=make_nesting_recipe(CHROMIUM, recipe, {}))
    return maker.make(CHROMIUM, MaterialTag(campaign="test", material="Cr"))


def test_jobs_follow_each_other(flow):
    assert flow.name == "Cr nesting"
    assert [job.name for job, _ in flow.iterflow()] == ["relax", "scf density", "fermi surface"]
    relax, scf, fermi = flow.jobs
    assert set(scf.input_uuids) == {relax.uuid}
    assert set(fermi.input_uuids) == {relax.uuid, scf.uuid}
    assert flow.output.uuid == fermi.uuid
