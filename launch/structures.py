"""Structures of a campaign: from a file or a built-in prototype."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Element, Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup

from hightc.launch.errors import CampaignError
from hightc.makers.qe.symmetry import primitive_cell

PROTOTYPES: dict[str, tuple[str, tuple[tuple[float, float, float], ...]]] = {
    "sc": ("Pm-3m", ((0, 0, 0),)),
    "fcc": ("Fm-3m", ((0, 0, 0),)),
    "bcc": ("Im-3m", ((0, 0, 0),)),
    "diamond": ("Fd-3m", ((0, 0, 0),)),
    "hcp": ("P6_3/mmc", ((1 / 3, 2 / 3, 1 / 4),)),
    "rocksalt": ("Fm-3m", ((0, 0, 0), (0.5, 0.5, 0.5))),
    "cscl": ("Pm-3m", ((0, 0, 0), (0.5, 0.5, 0.5))),
    "a15": ("Pm-3n", ((0, 0.25, 0.5), (0, 0, 0))),
    "alb2": ("P6/mmm", ((0, 0, 0), (1 / 3, 2 / 3, 0.5))),
}
"""Space group and one position for each named element: fcc Pb, rocksalt Nb N, a15 Nb Sn, alb2 Mg B."""

HEXAGONAL = frozenset({"hcp", "alb2"})
IDEAL_HCP_RATIO = float(np.sqrt(8 / 3))
MOST_ATOMS = 2000
"""Of a cell as given; phonons of a tenth of that are out of reach."""

OVERLAP_FRACTION = 0.5
"""Two atoms closer than this share of the sum of their atomic radii overlap; hydrides at 500 GPa stay above 0.6."""


def structure_from_prototype(words: str, *, where: str) -> Structure:
    """Build a structure from a line such as ``fcc Al 4.05`` or ``alb2 Mg B 3.08 3.52``.

    Parameters
    ----------
    words
        Prototype, one element for each of its sites, lattice constant a in Angstrom and, for hexagonal ones, c.
    where
        What to name in an error.

    Raises
    ------
    CampaignError
        If the line cannot be understood.
    """
    name, *rest = words.split() or [""]
    if name not in PROTOTYPES:
        msg = f"{where}: prototype: expected one of {', '.join(PROTOTYPES)}, found {name!r}"
        raise CampaignError(msg)
    group, positions = PROTOTYPES[name]
    elements, numbers = rest[: len(positions)], rest[len(positions) :]
    for element in elements:
        require_element(element, where=where)
    try:
        lengths = [float(number) for number in numbers]
    except ValueError:
        lengths = []
    allowed = (1, 2) if name in HEXAGONAL else (1,)
    if len(elements) != len(positions) or len(lengths) not in allowed or not all(_is_length(a) for a in lengths):
        example = f"{name} {' '.join(['Nb', 'N'][: len(positions)])} 4.0" + (" 6.5" if name in HEXAGONAL else "")
        msg = f"{where}: prototype: expected a line like {example!r} (Angstrom), found {words!r}"
        raise CampaignError(msg)
    lattice = _prototype_lattice(name, lengths)
    _space_group(group)
    return Structure.from_spacegroup(group, lattice, elements, positions)


@cache
def _space_group(symbol: str) -> SpaceGroup:
    """Hold a space group, which pymatgen takes 0.3 s to make and finds again only while somebody holds it."""
    return SpaceGroup(symbol)


def _is_length(number: float) -> bool:
    return math.isfinite(number) and number > 0


def _prototype_lattice(name: str, lengths: list[float]) -> Lattice:
    if name not in HEXAGONAL:
        return Lattice.cubic(lengths[0])
    default = IDEAL_HCP_RATIO * lengths[0] if name == "hcp" else lengths[0]
    return Lattice.hexagonal(lengths[0], lengths[1] if len(lengths) > 1 else default)


def require_element(symbol: str, *, where: str) -> None:
    """Refuse what is not a chemical element.

    Parameters
    ----------
    symbol
        Chemical symbol.
    where
        What to name in the error.

    Raises
    ------
    CampaignError
        If there is no such element.
    """
    if not Element.is_valid_symbol(symbol):
        msg = f"{where}: unknown element {symbol!r}: expected a chemical symbol such as Nb"
        raise CampaignError(msg)


def structure_from_file(path: Path, *, where: str) -> Structure:
    """Read a CIF, POSCAR or any other file of one structure that `hightc.launch.sources.structure_files` knows.

    Parameters
    ----------
    path
        The file.
    where
        What to name in an error.

    Raises
    ------
    CampaignError
        If the file is missing, cannot be read, or is disordered.
    """
    from hightc.launch.sources.structure_files import read_structures  # noqa: PLC0415 - few campaigns name files

    if not os.path.isfile(path):  # noqa: PTH113 - also of names that no system takes
        msg = f"{where}: no structure file {path}: expected a file, its name relative to the campaign file"
        raise CampaignError(msg)
    try:
        structure, *others = read_structures(path)
    except ValueError as error:
        msg = f"{where}: {path} cannot be read as a structure ({error}): expected CIF, POSCAR or pymatgen JSON"
        raise CampaignError(msg) from None
    if others:
        msg = f"{where}: {path} holds {len(others) + 1} structures: expected one: name the file in [[sources]]"
        raise CampaignError(msg)
    if not structure.is_ordered:
        msg = f"{where}: {path} has partly occupied sites: give an ordered cell or approximant"
        raise CampaignError(msg)
    return structure


def require_few_atoms(structure: Structure, *, where: str) -> None:
    """Refuse cells that nobody computes, before their neighbours and symmetry take minutes.

    Parameters
    ----------
    structure
        Any cell.
    where
        What to name in the error.

    Raises
    ------
    CampaignError
        If it has more than `MOST_ATOMS` atoms.
    """
    if len(structure) > MOST_ATOMS:
        msg = f"{where}: expected at most {MOST_ATOMS} atoms, found {len(structure)}: give a smaller cell"
        raise CampaignError(msg)


def require_separate_atoms(structure: Structure, *, where: str) -> None:
    """Refuse structures in which atoms overlap.

    Parameters
    ----------
    structure
        Any cell, Angstrom.
    where
        What to name in the error.

    Raises
    ------
    CampaignError
        If two atoms lie closer than half the sum of their atomic radii.
    """
    radii = {element: float(element.atomic_radius or 1.0) for element in structure.composition.elements}
    longest = max(radii.values())
    centers, neighbors, _, distances = structure.get_neighbor_list(2 * OVERLAP_FRACTION * longest)
    for center, neighbor, distance in zip(centers, neighbors, distances, strict=True):
        first, second = structure[int(center)].specie, structure[int(neighbor)].specie
        limit = OVERLAP_FRACTION * (radii[first] + radii[second])
        if distance < limit:
            msg = (
                f"{where}: atoms {int(center) + 1} ({first}) and {int(neighbor) + 1} ({second}) overlap: "
                f"{distance:.2f} Angstrom apart, expected at least {limit:.2f}: check the cell and the positions"
            )
            raise CampaignError(msg)


def read_structure(entry: Mapping[str, Any], folder: Path, *, where: str) -> Structure:
    """Primitive standard cell of one material of a campaign.

    Parameters
    ----------
    entry
        Has either ``prototype`` or ``file``.
    folder
        Folder that file names are relative to.
    where
        What to name in an error.

    Raises
    ------
    CampaignError
        If there is no usable structure.
    """
    given = [key for key in ("prototype", "file") if key in entry]
    if len(given) != 1:
        msg = f"{where}: expected either prototype or file, found {' and '.join(given) or 'neither'}"
        raise CampaignError(msg)
    if given == ["prototype"]:
        structure = structure_from_prototype(str(entry["prototype"]), where=where)
    else:
        structure = structure_from_file((folder / str(entry["file"])).expanduser(), where=where)
    require_few_atoms(structure, where=where)
    for element in structure.composition.elements:
        require_element(element.symbol, where=where)
    require_separate_atoms(structure, where=where)
    return primitive_cell(structure)
