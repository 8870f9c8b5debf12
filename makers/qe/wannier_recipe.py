"""The numbers of the Wannier route: coarse mesh, quality asked for, fine meshes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents.base import JobArgument
from hightc.makers.errors import RecipeError
from hightc.makers.qe.campaign_tables import protocol_part, refuse_value, require_known
from hightc.makers.qe.meshes import Mesh, mesh_from_spacing
from hightc.makers.qe.recipe import Recipe

LAMBDA_TOLERANCE = 0.03
TC_RELATIVE_TOLERANCE = 0.05
TC_TOLERANCE_KELVIN = 0.5
"""aiida-epw stops refining its fine meshes at these."""


class WannierProtocol(BaseModel):
    """Accuracy of the Wannier route without a structure."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    k_spacing: float = Field(gt=0, description="Largest spacing of the coarse k points in 1/Angstrom, with 2 pi.")
    k_check_points: int = Field(ge=8, description="k points off the mesh at which bands are compared.")
    band_distance_mev: float = Field(gt=0, description="Largest distance eta of interpolated bands in meV.")
    fine_q_spacings: tuple[float, ...] = Field(min_length=1, description="Spacings of the fine q meshes, 1/Angstrom.")
    fine_k_factor: int = Field(ge=1, description="Fine k mesh over fine q mesh.")
    electron_smearing_ev: float = Field(gt=0, description="Width of the double delta in eV.")
    anisotropic_above_kelvin: float = Field(ge=0, description="Tc in K from which the anisotropic gap is computed.")


class WannierRecipe(JobArgument):
    """Every number of the Wannier route of one material, beside those of its Recipe."""

    model_config = ConfigDict(allow_inf_nan=False)

    k_mesh: Mesh = Field(description="Uniform k mesh of the Wannier functions, a multiple of the q mesh.")
    k_check_points: int = Field(ge=8, description="k points off the mesh at which bands are compared.")
    band_distance_mev: float = Field(gt=0, description="Largest distance eta of interpolated bands in meV.")
    fine_q_meshes: tuple[Mesh, ...] = Field(min_length=1, description="Fine q meshes in the order they are tried.")
    fine_k_factor: int = Field(ge=1, description="Fine k mesh over fine q mesh.")
    electron_smearing_ev: float = Field(gt=0, description="Width of the double delta in eV (degaussw).")
    anisotropic_above_kelvin: float = Field(ge=0, description="Tc in K from which the anisotropic gap is computed.")
    fermi_window_ev: float | None = Field(
        None, gt=0, description="Half width in eV of the window of states (fsthick), if wider than these need it."
    )
    lambda_tolerance: float = Field(LAMBDA_TOLERANCE, gt=0, description="Relative change of lambda that is still.")
    tc_relative_tolerance: float = Field(TC_RELATIVE_TOLERANCE, gt=0, description="Relative change of Tc, ...")
    tc_tolerance_kelvin: float = Field(TC_TOLERANCE_KELVIN, gt=0, description="... or in K, that counts as still.")

    def fine_k_mesh(self, step: int) -> Mesh:
        """Fine k mesh of a step.

        Parameters
        ----------
        step
            Position in ``fine_q_meshes``.
        """
        n1, n2, n3 = self.fine_q_meshes[step]
        return n1 * self.fine_k_factor, n2 * self.fine_k_factor, n3 * self.fine_k_factor


OVERRIDES = frozenset(WannierRecipe.model_fields)
"""What the table ``[wannier]`` of a campaign may set."""


@cache
def load_wannier_protocol(name: str) -> WannierProtocol:
    """Read the Wannier part of one of the protocols that come with hightc.

    Parameters
    ----------
    name
        draft, screen or precise.
    """
    return WannierProtocol(**protocol_part("wannier", name))


def growing_meshes(lattice: Lattice, spacings_per_angstrom: Sequence[float]) -> tuple[Mesh, ...]:
    """One mesh a spacing, each finer than the one before: a repeated one would pass for converged.

    Parameters
    ----------
    lattice
        Direct lattice in Angstrom.
    spacings_per_angstrom
        Largest distances of neighbouring points in 1/Angstrom, with the factor 2 pi, decreasing.
    """
    meshes: list[Mesh] = []
    for spacing in spacings_per_angstrom:
        mesh = mesh_from_spacing(lattice, spacing)
        if meshes:
            n1, n2, n3 = (max(new, old) for new, old in zip(mesh, meshes[-1], strict=True))
            mesh = (n1, n2, n3)
        if meshes and mesh == meshes[-1]:
            # large cells: one more point along the axes that are sampled most coarsely
            steps = np.array(lattice.reciprocal_lattice.abc) / mesh
            n1, n2, n3 = (n + int(step > 0.9 * steps.max()) for n, step in zip(mesh, steps, strict=True))
            mesh = (n1, n2, n3)
        meshes.append(mesh)
    return tuple(meshes)


def make_wannier_recipe(structure: Structure, recipe: Recipe, overrides: dict[str, Any]) -> WannierRecipe:
    """Resolve the Wannier part of a protocol for one structure.

    Parameters
    ----------
    structure
        Primitive standard cell; its lattice fixes the meshes.
    recipe
        The recipe of the material: its protocol and its q mesh.
    overrides
        Numbers that the campaign sets itself, among :data:`OVERRIDES`.

    Raises
    ------
    RecipeError
        If an override is unknown or the numbers do not fit together.
    """
    require_known("wannier", overrides, OVERRIDES)
    rules = load_wannier_protocol(recipe.protocol)
    wanted = mesh_from_spacing(structure.lattice, rules.k_spacing)
    values = {
        **rules.model_dump(include=set(WannierRecipe.model_fields)),
        "k_mesh": tuple(n * -(-k // n) for k, n in zip(wanted, recipe.q_mesh, strict=True)),
        "fine_q_meshes": growing_meshes(structure.lattice, rules.fine_q_spacings),
        **overrides,
    }
    try:
        made = WannierRecipe(**values)
    except ValidationError as error:
        refuse_value("wannier", error)
    for name, mesh in (("k_mesh", made.k_mesh), *(("fine_q_meshes", mesh) for mesh in made.fine_q_meshes)):
        if min(mesh) < 1:
            msg = f"wannier.{name}: expected three positive integers, found {list(mesh)}"
            raise RecipeError(msg)
    for coarser, finer in pairwise(made.fine_q_meshes):
        if finer == coarser or np.any(np.less(finer, coarser)):
            msg = (
                f"wannier.fine_q_meshes: expected each mesh to be finer than the one before, found {list(finer)} after "
                f"{list(coarser)}: the changes between them say whether lambda has converged"
            )
            raise RecipeError(msg)
    if np.any(np.mod(made.k_mesh, recipe.q_mesh)):
        msg = (
            f"wannier.k_mesh {list(made.k_mesh)} is not a multiple of q_mesh {list(recipe.q_mesh)}: choose it as an "
            "integer multiple in each direction"
        )
        raise RecipeError(msg)
    return made
