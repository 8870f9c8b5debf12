"""The numbers of the Fermi surface: meshes, widths, and the Stoner parameter."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pymatgen.core import Structure

from hightc.analysis.documents.base import JobArgument
from hightc.analysis.reciprocal_symmetry import point_group
from hightc.makers.errors import RecipeError
from hightc.makers.qe.campaign_tables import protocol_part, refuse_value, require_known
from hightc.makers.qe.meshes import Mesh, mesh_from_spacing, symmetric_mesh
from hightc.makers.qe.recipe import Recipe

LARGEST_FINE_MESH = 2**21
"""Points of the interpolated mesh beyond which the sums take minutes and gigabytes; 128^3."""


class NestingProtocol(BaseModel):
    """Accuracy of the Fermi surface without a structure."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    k_spacing: float = Field(gt=0, description="Largest spacing of the computed k points in 1/Angstrom, with 2 pi.")
    interpolation_factor: int = Field(ge=1, description="Mesh of the sums over computed mesh.")
    smearing_ev: float = Field(gt=0, description="Gaussian width of the nesting function in eV.")
    temperature_k: float = Field(gt=0, description="Temperature of the bare susceptibility in K.")
    extra_bands: int = Field(ge=1, description="Fewest bands computed beside the filled ones.")


class NestingRecipe(JobArgument):
    """Every number of the Fermi surface of one material, beside those of its Recipe."""

    model_config = ConfigDict(allow_inf_nan=False)

    k_mesh: Mesh = Field(description="Gamma-centred mesh whose bands are computed.")
    interpolation_factor: int = Field(ge=1, description="Mesh of the sums over k_mesh; 1 interpolates nothing.")
    smearing_ev: float = Field(gt=0, description="Gaussian width of the nesting function in eV.")
    temperature_k: float = Field(gt=0, description="Temperature of the bare susceptibility in K.")
    extra_bands: int = Field(ge=1, description="Fewest bands computed beside the filled ones.")
    stoner_ev: float | None = Field(
        None, gt=0, description="Stoner parameter I in eV per cell; None: that of the table, if there is one."
    )

    @property
    def fine_mesh(self) -> Mesh:
        """Mesh of the sums."""
        n1, n2, n3 = (n * self.interpolation_factor for n in self.k_mesh)
        return n1, n2, n3


OVERRIDES = frozenset(NestingRecipe.model_fields) | {"k_spacing"}
"""What the table ``[nesting]`` of a campaign may set."""


@cache
def load_nesting_protocol(name: str) -> NestingProtocol:
    """Read the nesting part of one of the protocols that come with hightc.

    Parameters
    ----------
    name
        draft, screen or precise.
    """
    return NestingProtocol(**protocol_part("nesting", name))


def make_nesting_recipe(structure: Structure, recipe: Recipe, overrides: dict[str, Any]) -> NestingRecipe:
    """Resolve the nesting part of a protocol for one structure.

    Parameters
    ----------
    structure
        Primitive standard cell; its lattice fixes the mesh.
    recipe
        The recipe of the material: its protocol and its spins.
    overrides
        Numbers that the campaign sets itself, among :data:`OVERRIDES`. A mesh that is named wins over ``k_spacing``.

    Raises
    ------
    RecipeError
        If an override is unknown, a number is out of range, or the recipe has two spins.
    """
    require_known("nesting", overrides, OVERRIDES)
    if recipe.spin_polarized:
        msg = (
            "spin_polarized: expected false for nesting, found true: the susceptibility is that of the nonmagnetic "
            "metal, from which magnetic order follows; leave spin_polarized out, or the study nesting"
        )
        raise RecipeError(msg)
    rules = load_nesting_protocol(recipe.protocol)
    try:
        rules = NestingProtocol(**{**rules.model_dump(), **_of(NestingProtocol, overrides)})
        made = NestingRecipe(
            **{
                **rules.model_dump(include=set(NestingRecipe.model_fields)),
                "k_mesh": symmetric_mesh(
                    _even(mesh_from_spacing(structure.lattice, rules.k_spacing)), point_group(structure)
                ),
                **_of(NestingRecipe, overrides),
            }
        )
    except ValidationError as error:
        refuse_value("nesting", error)
    n1, n2, n3 = made.fine_mesh
    if min(made.k_mesh) < 1 or n1 * n2 * n3 > LARGEST_FINE_MESH:
        msg = (
            f"nesting: expected a mesh of 1 to {LARGEST_FINE_MESH} points, found k_mesh {list(made.k_mesh)} times "
            f"{made.interpolation_factor}: change k_mesh, k_spacing or interpolation_factor"
        )
        raise RecipeError(msg)
    return made


def _even(mesh: Mesh) -> Mesh:
    """Every second point is to be a mesh too: it tells the error of the interpolation."""
    n1, n2, n3 = (n + n % 2 for n in mesh)
    return n1, n2, n3


def _of(model: type[BaseModel], overrides: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overrides.items() if name in model.model_fields}
