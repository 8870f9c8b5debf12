"""The numbers of magnetic softness: ladder, orders, meshes, and the runs that measure noise and Stoner's parameter."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pymatgen.core import Element, Lattice, Structure

from hightc.analysis.documents import MagneticOrder
from hightc.analysis.documents.base import JobArgument
from hightc.makers.errors import RecipeError
from hightc.makers.qe.campaign_tables import protocol_part, refuse_value, require_known
from hightc.makers.qe.meshes import Mesh, mesh_from_spacing
from hightc.makers.qe.order_symmetry import ROUNDING, Shift, shift_off_gamma
from hightc.makers.qe.recipe import Recipe
from hightc.makers.relax import OFTEN_MAGNETIC

Ratio = Annotated[float, Field(gt=0, le=2)]
Moment = Annotated[float, Field(gt=0)]


class _Numbers(BaseModel):
    """What the protocol and the recipe have in common."""

    noise_rungs: int = Field(
        ge=0,
        description="Rungs that are computed once more on another mesh to measure the scatter of moments; 0 measures "
        "nothing.",
    )
    noise_k_factor: float = Field(gt=1, description="k mesh of such a run over that of the ladder.")
    noise_degauss_factor: float = Field(gt=0, description="Smearing of such a run over that of the ladder.")
    max_primitive_cells: int = Field(ge=1, le=4, description="Primitive cells of the largest antiferromagnetic order.")
    max_orders: int = Field(ge=2, description="Orders tried at most, nonmagnetic and ferromagnetic among them.")
    starting_polarization: float = Field(
        gt=0, le=1, description="Spin polarisation that a magnetic site starts from where the recipe names none."
    )
    fixed_moments_bohr_magneton: tuple[Moment, ...] = Field(
        description="Moments of a magnetic site at which the energy of a nonmagnetic metal is computed, for Stoner's "
        "parameter; none leaves it out."
    )


class MagneticProtocol(_Numbers):
    """Accuracy of the ladder without a structure."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    volume_ratios: tuple[Ratio, ...] = Field(description="Volumes over that of the structure, falling.")
    k_spacing: float = Field(gt=0, description="Largest spacing of k points in 1/Angstrom, with 2 pi.")


class MagneticRecipe(JobArgument, _Numbers):
    """Every number of the magnetic softness of one material, beside those of its Recipe."""

    model_config = ConfigDict(allow_inf_nan=False)

    volume_ratios: tuple[Ratio, ...] = Field(
        description="Volumes over that of the structure, falling; or none, and ..."
    )
    pressures_gpa: tuple[float, ...] = Field(description="... pressures in GPa that the cell is relaxed at, rising.")
    magnetic_elements: tuple[str, ...] = Field(min_length=1, description="Elements whose sites carry spins.")
    k_mesh: Mesh = Field(description="k mesh of the primitive cell.")
    k_spacing: float = Field(gt=0, description="Largest spacing of k points in larger cells in 1/Angstrom, with 2 pi.")
    off_gamma: bool = Field(True, description="Whether k meshes are shifted off Gamma where the symmetry allows it.")

    @property
    def n_rungs(self) -> int:
        """Rungs of the ladder."""
        return len(self.volume_ratios or self.pressures_gpa)

    @property
    def ambient_rung(self) -> int:
        """Number of the rung nearest to the volume of the structure, or to zero pressure."""
        distances = np.abs(np.subtract(self.volume_ratios, 1) if self.volume_ratios else self.pressures_gpa)
        return int(distances.argmin())

    @property
    def check_rungs(self) -> tuple[int, ...]:
        """The ambient rung, and after it those that are computed once more: spread over the ladder, farthest first."""
        ambient = self.ambient_rung
        spread = {round(rung) for rung in np.linspace(0, self.n_rungs - 1, max(2, self.noise_rungs)).tolist()}
        others = sorted(spread - {ambient}, key=lambda rung: abs(rung - ambient), reverse=True)
        return (ambient, *others[: max(0, self.noise_rungs - 1)])

    def rung_name(self, rung: int) -> str:
        """Name of a rung, for example ``V 0.95`` or ``P 10 GPa``.

        Parameters
        ----------
        rung
            Its number, from 0.
        """
        return f"V {self.volume_ratios[rung]:g}" if self.volume_ratios else f"P {self.pressures_gpa[rung]:g} GPa"

    def k_points_of(self, order: MagneticOrder, factor: float = 1.0) -> tuple[Mesh, Shift]:
        """Mesh of an order's cell, as dense as that of the primitive one, and its shift; all volumes share them.

        Parameters
        ----------
        order
            The order.
        factor
            How much denser than on the ladder; even numbers of points again.
        """
        mesh = self.k_mesh if order.n_primitive_cells == 1 else _even_mesh(order.structure.lattice, self.k_spacing)
        if factor > 1:
            n1, n2, n3 = (_even(math.ceil(factor * n - ROUNDING)) for n in mesh)
            mesh = (n1, n2, n3)
        return mesh, shift_off_gamma(order.structure, order.spins, mesh) if self.off_gamma else (0, 0, 0)


OVERRIDES = frozenset(MagneticRecipe.model_fields)
"""What the table ``[magnetism]`` of a campaign may set."""


@cache
def load_magnetic_protocol(name: str) -> MagneticProtocol:
    """Read the magnetic part of one of the protocols that come with hightc.

    Parameters
    ----------
    name
        draft, screen or precise.
    """
    return MagneticProtocol(**protocol_part("magnetism", name))


def make_magnetic_recipe(structure: Structure, recipe: Recipe, overrides: dict[str, Any]) -> MagneticRecipe:
    """Resolve the magnetic part of a protocol for one structure.

    Parameters
    ----------
    structure
        Primitive standard cell; its lattice fixes the mesh.
    recipe
        The recipe of the material.
    overrides
        Numbers that the campaign sets itself, among :data:`OVERRIDES`; ``pressures_gpa`` replaces the volumes.

    Raises
    ------
    RecipeError
        If an override is unknown or the numbers do not fit together.
    """
    require_known("magnetism", overrides, OVERRIDES)
    rules = load_magnetic_protocol(recipe.protocol)
    spacing = overrides.get("k_spacing", rules.k_spacing)
    mesh = overrides.get("k_mesh", _even_mesh(structure.lattice, spacing))
    values = {
        **rules.model_dump(),
        "pressures_gpa": (),
        **({"volume_ratios": ()} if overrides.get("pressures_gpa") else {}),
        "magnetic_elements": magnetic_elements(structure),
        "k_mesh": mesh,
        "k_spacing": spacing,
        **overrides,
    }
    try:
        made = MagneticRecipe(**values)
    except ValidationError as error:
        refuse_value("magnetism", error)
    _require_sense(made, structure, recipe)
    if "k_mesh" in overrides and "k_spacing" not in overrides:
        steps = np.array(structure.lattice.reciprocal_lattice.abc) / made.k_mesh
        made = made.model_copy(update={"k_spacing": float(steps.max())})
    return made


def magnetic_elements(structure: Structure) -> tuple[str, ...]:
    """Elements whose sites carry spins where the campaign names none.

    Parameters
    ----------
    structure
        The structure.

    Returns
    -------
    tuple of str
        Those that often are magnetic; where there is none, those of open d and f shells; where there is none, all.
    """
    symbols = sorted(element.symbol for element in structure.composition.elements)
    often = [symbol for symbol in symbols if symbol in OFTEN_MAGNETIC]
    shells = [symbol for symbol in symbols if Element(symbol).is_transition_metal or Element(symbol).is_rare_earth]
    return tuple(often or shells or symbols)


def _even_mesh(lattice: Lattice, spacing_per_angstrom: float) -> Mesh:
    """Even numbers of points, so that every second one makes a mesh too: the error of a density of states."""
    n1, n2, n3 = (_even(n) for n in mesh_from_spacing(lattice, spacing_per_angstrom))
    return n1, n2, n3


def _even(n: int) -> int:
    return n + n % 2 if n > 1 else n


def _require_sense(made: MagneticRecipe, structure: Structure, recipe: Recipe) -> None:
    """Refuse numbers that contradict each other or the recipe."""
    if bool(made.volume_ratios) == bool(made.pressures_gpa):
        _refuse("volume_ratios", "either these or pressures_gpa", "both" if made.volume_ratios else "neither")
    if any(second >= first for first, second in pairwise(made.volume_ratios)):
        _refuse("volume_ratios", "falling numbers, the largest volume first", list(made.volume_ratios))
    if any(second <= first for first, second in pairwise(made.pressures_gpa)):
        _refuse("pressures_gpa", "rising numbers, the lowest pressure first", list(made.pressures_gpa))
    if made.pressures_gpa and not recipe.relax:
        _refuse("pressures_gpa", "relax = true beside it, or volume_ratios", "relax = false")
    if recipe.spin_orbit:
        _refuse("spin_orbit", "false: noncollinear magnetism is not supported", "true")
    if min(made.k_mesh) < 1:
        _refuse("k_mesh", "three positive integers", list(made.k_mesh))
    symbols = {element.symbol for element in structure.composition.elements}
    unknown = sorted(set(made.magnetic_elements) - symbols)
    if unknown:
        _refuse("magnetic_elements", f"elements of the structure ({', '.join(sorted(symbols))})", repr(unknown[0]))


def _refuse(name: str, expected: str, found: object) -> None:
    msg = f"magnetism.{name}: expected {expected}, found {found}"
    raise RecipeError(msg)
