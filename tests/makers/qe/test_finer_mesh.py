from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Pseudopotential
from hightc.makers.qe.finer_mesh import finer_recipe
from hightc.makers.qe.meshes import require_commensurate
from hightc.makers.qe.recipe import make_recipe


def recipe_of(**meshes):
    return make_recipe(
        Structure(Lattice.cubic(4.9), ["Pb"], [[0, 0, 0]]),
        protocol="draft",
        family="pseudo-dojo",
        pseudopotentials=(Pseudopotential(element="Pb", filename="Pb.upf", sha256="0" * 64),),
        suggested_ecutwfc_ry=40.0,
        norm_conserving=True,
        overrides=meshes,
    )


@pytest.mark.parametrize(
    ("q", "k", "dense", "finer_k", "finer_dense"),
    [
        ((2, 2, 2), (8, 8, 8), (16, 16, 16), (8, 8, 8), (16, 16, 16)),
        ((2, 2, 2), (6, 6, 6), (24, 24, 24), (8, 8, 8), (24, 24, 24)),
        ((3, 3, 2), (6, 6, 4), (18, 18, 12), (6, 6, 4), (18, 18, 12)),
        ((4, 4, 1), (12, 12, 1), (24, 24, 1), (16, 16, 2), (32, 32, 2)),
    ],
)
def test_finer_q_mesh_holds_the_coarse_one_and_k_is_raised_only_where_it_must_be(q, k, dense, finer_k, finer_dense):
    recipe = recipe_of(q_mesh=q, k_mesh=k, k_mesh_dense=dense)
    finer = finer_recipe(recipe)
    assert finer.q_mesh == tuple(2 * n for n in q)
    assert (finer.k_mesh, finer.k_mesh_dense) == (finer_k, finer_dense)
    assert finer.interpolation_mesh == tuple(2 * n for n in recipe.interpolation_mesh)
    require_commensurate(finer.meshes)


def test_everything_else_stays():
    recipe = recipe_of()
    same = {"q_mesh", "k_mesh", "k_mesh_dense", "interpolation_mesh"}
    assert finer_recipe(recipe).model_dump(exclude=same) == recipe.model_dump(exclude=same)
