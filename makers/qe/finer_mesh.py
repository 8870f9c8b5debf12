"""The next finer q mesh, and the k meshes it needs."""

from __future__ import annotations

from hightc.makers.qe.meshes import Mesh
from hightc.makers.qe.recipe import Recipe

REFINEMENT = 2
"""The finer q mesh holds every point of the coarser one."""


def finer_recipe(recipe: Recipe) -> Recipe:
    """The same calculation on the next finer q mesh.

    Parameters
    ----------
    recipe
        Numbers of the calculation.

    Returns
    -------
    Recipe
        With twice the q points in each direction; k and dense k mesh stay if they are multiples of it, else they are
        raised to the next multiple. The mesh of matdyn.x grows with the q mesh.
    """
    q_mesh = _times(recipe.q_mesh, REFINEMENT)
    k_mesh = _next_multiple(q_mesh, recipe.k_mesh)
    return recipe.model_copy(
        update={
            "q_mesh": q_mesh,
            "k_mesh": k_mesh,
            "k_mesh_dense": _next_multiple(k_mesh, recipe.k_mesh_dense),
            "interpolation_mesh": _times(recipe.interpolation_mesh, REFINEMENT),
        }
    )


def _times(mesh: Mesh, factor: int) -> Mesh:
    n1, n2, n3 = (factor * n for n in mesh)
    return n1, n2, n3


def _next_multiple(small: Mesh, large: Mesh) -> Mesh:
    """Smallest multiple of one mesh that is no coarser than another."""
    n1, n2, n3 = (n * -(-m // n) for n, m in zip(small, large, strict=True))
    return n1, n2, n3
