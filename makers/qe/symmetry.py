"""What the symmetry of a structure fixes: its primitive cell, its space group, its irreducible k points."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from hightc.analysis.reciprocal_symmetry import SYMMETRY_PRECISION_ANGSTROM
from hightc.makers.qe.meshes import Mesh


@contextmanager
def _symmetry(structure: Structure) -> Iterator[SpacegroupAnalyzer]:
    """Pymatgen's analyzer at our precision, without spglib's warning of a switch that pymatgen does not set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield SpacegroupAnalyzer(structure, symprec=SYMMETRY_PRECISION_ANGSTROM)


def primitive_cell(structure: Structure) -> Structure:
    """Primitive standard cell: every later mesh and path refers to it.

    Parameters
    ----------
    structure
        Any cell, Angstrom.

    Returns
    -------
    Structure
        The primitive standard cell after Setyawan and Curtarolo (2010), atoms wrapped into it.
    """
    with _symmetry(structure) as symmetry:
        primitive: Structure = symmetry.get_primitive_standard_structure()
    primitive.remove_oxidation_states()
    return primitive.get_sorted_structure()


def space_group_symbol(structure: Structure) -> str:
    """Hermann-Mauguin symbol.

    Parameters
    ----------
    structure
        Any cell, Angstrom.
    """
    with _symmetry(structure) as symmetry:
        return str(symmetry.get_space_group_symbol())


def irreducible_k_points(structure: Structure, mesh: Mesh, *, spin_polarized: bool = False) -> int:
    """Number of k points of a Gamma-centred mesh that symmetry leaves.

    Parameters
    ----------
    structure
        Primitive standard cell.
    mesh
        The mesh.
    spin_polarized
        Whether pw.x has every point once for each spin.
    """
    with _symmetry(structure) as symmetry:
        return len(symmetry.get_ir_reciprocal_mesh(mesh)) * (2 if spin_polarized else 1)
