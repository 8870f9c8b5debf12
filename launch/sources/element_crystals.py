"""The crystal of each element at ambient pressure, by which an element is known among its polymorphs.

Tables of superconductors and their structures list every cell that a database has of an element, amorphous ones and
those at high pressure among them, and may lack the right one: of the 3DSC of the Materials Project those of Al, Nb, Pb,
V, Ta, Mo, In and Hg are missing. Space groups are those of J. Donohue, The Structures of the Elements (1974); cells
that are missing are built from the measured lattices that ASE keeps (``ase.data.reference_states``).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymatgen.core import Structure

PROTOTYPES: Final = {"fcc": (225, 1), "bcc": (229, 1), "hcp": (194, 2), "diamond": (227, 2), "sc": (221, 1)}
"""Space group and atoms in the primitive cell of what ASE names."""

OTHERS: Final = {
    **dict.fromkeys(("La", "Pr", "Nd", "Am"), (194, 4)),
    **dict.fromkeys(("As", "Sb", "Bi"), (166, 2)),
    **dict.fromkeys(("Se", "Te"), (152, 3)),
    **dict.fromkeys(("P", "Ga"), (64, 4)),
    "B": (166, 12),
    "Hg": (166, 1),
    "In": (139, 1),
    "Mn": (217, 29),
    "Pa": (139, 1),
    "Sm": (166, 3),
    "Sn": (141, 2),
    "U": (63, 2),
}
"""The same of elements that are none of these; tin is the white one, which superconducts."""

HANDS: Final = {154: 152}
"""A space group and its mirror image."""

LARGEST_CELL: Final = 60
"""Atoms: no element of these has as many, and symmetry of amorphous cells takes time."""

SYMMETRY_ANGSTROM: Final = 0.05
BUILT: Final = "ase-"
"""Start of the identifiers of crystals that are built from ASE's table."""


def crystal_of_element(symbol: str) -> tuple[int, int] | None:
    """Space group and atoms in the primitive cell of an element at ambient pressure.

    Parameters
    ----------
    symbol
        Chemical symbol.

    Returns
    -------
    tuple of int, or None
        None where it is not known here, as for molecular crystals.
    """
    from ase.data import atomic_numbers, reference_states  # noqa: PLC0415 - a help text must not wait for it

    if symbol in OTHERS:
        return OTHERS[symbol]
    number = atomic_numbers.get(symbol, len(reference_states))
    state = reference_states[number] if number < len(reference_states) else None
    return PROTOTYPES.get(str(state["symmetry"])) if state else None


def is_element_crystal(structure: Structure) -> bool:
    """Whether a structure is that of an element at ambient pressure.

    Parameters
    ----------
    structure
        Any ordered cell.
    """
    if len(structure.composition) > 1 or len(structure) > LARGEST_CELL:
        return False
    expected = crystal_of_element(structure.composition.elements[0].symbol)
    return expected is not None and _group_and_atoms(structure) == expected


def element_crystals(structures: Mapping[str, Structure]) -> tuple[dict[str, str], dict[str, Structure]]:
    """Find the crystal of each element among structures, and build those that are missing.

    Parameters
    ----------
    structures
        Ordered cells by identifier, the preferred ones first.

    Returns
    -------
    tuple of dict
        Identifier of the crystal by element; and, by identifier, those that were built.
    """
    from ase.data import chemical_symbols  # noqa: PLC0415 - a help text must not wait for it

    found: dict[str, str] = {}
    built: dict[str, Structure] = {}
    for identifier, structure in structures.items():
        if len(structure.composition) == 1:
            symbol = structure.composition.elements[0].symbol
            if symbol not in found and is_element_crystal(structure):
                found[symbol] = identifier
    for symbol in chemical_symbols[1:]:
        crystal = reference_crystal(symbol) if symbol not in found else None
        if crystal is not None:
            found[symbol] = f"{BUILT}{symbol}"
            built[found[symbol]] = crystal
    return found, built


@cache
def reference_crystal(symbol: str) -> Structure | None:
    """Crystal of an element at ambient pressure with its measured lattice.

    Parameters
    ----------
    symbol
        Chemical symbol.

    Returns
    -------
    Structure or None
        Angstrom; None where ASE knows no cell, or one of another space group.
    """
    from ase.build import bulk  # noqa: PLC0415
    from pymatgen.io.ase import AseAtomsAdaptor  # noqa: PLC0415

    if crystal_of_element(symbol) is None:
        return None
    try:
        structure = AseAtomsAdaptor.get_structure(bulk(symbol))
    except (ValueError, RuntimeError, KeyError):  # a lattice without a basis
        return None
    return structure if is_element_crystal(structure) else None


def _group_and_atoms(structure: Structure) -> tuple[int, int] | None:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            symmetry = SpacegroupAnalyzer(structure, SYMMETRY_ANGSTROM)
            group = int(symmetry.get_space_group_number())
            primitive = symmetry.find_primitive()
    except (TypeError, ValueError):  # spglib finds none, pymatgen says so or goes on with None
        return None
    return None if primitive is None else (HANDS.get(group, group), len(primitive))
