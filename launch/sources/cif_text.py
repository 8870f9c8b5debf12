"""Crystals of CIF texts, unless their symmetry multiplies their atoms beyond what anybody computes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pymatgen.core import Structure

MOST_IMAGES: Final = 10_000
"""Sites times symmetry operations. pymatgen takes seconds for as many, and minutes for four times as many."""

MOST_OPERATIONS: Final = 192
"""Of a conventional cell; as many are counted where a text names a space group and lists none."""

SITES: Final = ("_atom_site_label", "_atom_site_type_symbol", "_atom_site_fract_x")
OPERATIONS: Final = (
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_operation_xyz",
    "_space_group_symop_magn_operation.xyz",
)
PLAIN: Final = ("p1", "1")


def crystal_of_cif(text: str) -> Structure:
    """Read a crystal.

    Parameters
    ----------
    text
        A CIF.

    Raises
    ------
    ValueError
        If symmetry would make too many sites of those that are listed.
    Exception
        Whatever pymatgen's parser raises where the text makes it stumble.
    """
    from pymatgen.core import Structure as Cell  # noqa: PLC0415 - a help text must not wait for pymatgen
    from pymatgen.io.cif import CifFile  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = max((_images(block.data) for block in CifFile.from_str(text).data.values()), default=0)
        if images > MOST_IMAGES:
            msg = f"expected at most {MOST_IMAGES} atoms of all symmetry operations, found up to {images}"
            raise ValueError(msg)
        return Cell.from_str(text, fmt="cif")


def _images(block: Any) -> int:
    sites = max(_count(block.get(key)) for key in SITES)
    listed = max(_count(block.get(key)) for key in OPERATIONS)
    named = (str(block[key]).replace(" ", "").lower() for key in block if "space_group" in key.lower())
    return sites * (listed or (1 if all(name in PLAIN for name in named) else MOST_OPERATIONS))


def _count(column: Any) -> int:
    return len(column) if isinstance(column, list) else int(column is not None)
