"""What went into the calculations of a material, as text for its page."""

from __future__ import annotations

import warnings
from typing import Final

from pymatgen.core import Structure

from hightc.analysis.documents import Pseudopotential
from hightc.analysis.plots.wording import mesh_text
from hightc.makers.qe.magnetic_recipe import MagneticRecipe
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe

SHOWN_APART: Final = frozenset({"protocol", "pseudopotential_family", "pseudopotentials"})

TIMES: Final = " × "  # noqa: RUF001 - a mesh is a product


def numbers(recipe: Recipe | WannierRecipe | MagneticRecipe | NestingRecipe) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each number of a recipe; its name is what a campaign file may set.

    Parameters
    ----------
    recipe
        The recipe.
    """
    fields = type(recipe).model_fields.items()
    return [
        (name, value_text(getattr(recipe, name)), field.description or "")
        for name, field in fields
        if name not in SHOWN_APART
    ]


def value_text(value: object) -> str:
    """Write one number of a recipe.

    Parameters
    ----------
    value
        A number, a word, a mesh, several meshes, or numbers by element.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:g}" for name, number in value.items()) or "none"
    if isinstance(value, tuple):
        nested = any(isinstance(item, tuple) for item in value)
        return ", ".join(value_text(item) for item in value) if nested else mesh_text(value, TIMES)
    return f"{value:g}" if isinstance(value, float) else str(value)


def sorted_pseudopotentials(recipe: Recipe) -> tuple[Pseudopotential, ...]:
    """Pseudopotentials by element.

    Parameters
    ----------
    recipe
        The recipe.
    """
    return tuple(sorted(recipe.pseudopotentials, key=lambda item: item.element))


def lattice_text(structure: Structure) -> str:
    """Write lattice parameters and volume.

    Parameters
    ----------
    structure
        Any cell, Angstrom.
    """
    lattice = structure.lattice
    lengths = ", ".join(f"{name} = {value:.4f}" for name, value in zip("abc", lattice.abc, strict=True))
    angles = ", ".join(f"{name} = {value:.2f}°" for name, value in zip("αβγ", lattice.angles, strict=True))
    atoms = "1 atom" if len(structure) == 1 else f"{len(structure)} atoms"
    return f"{lengths} Å; {angles}; V = {structure.volume:.3f} Å³; {atoms}"


def conventional_cell(structure: Structure) -> Structure:
    """Conventional standard cell, the one that handbooks tabulate.

    Parameters
    ----------
    structure
        Primitive cell, Angstrom.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return structure.to_conventional()
