"""Stoner parameters of elements, for metals of which no ferromagnetic state was computed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from pymatgen.core import Structure

from hightc.analysis.stoner import StonerParameter

SOURCE: Final = (
    "quoted second hand from J. F. Janak, Phys. Rev. B 16, 255 (1977), not compared with the paper: good to 0.05 eV"
)
"""Where the numbers come from, and how far they are to be trusted."""

STONER_EV: Final = {"V": 0.70, "Cr": 0.76, "Fe": 0.92, "Ni": 1.01, "Nb": 0.62, "Pd": 0.68}
"""I of one atom in eV; the instability is at I N(E_F) = 1 with N(E_F) per spin and atom."""


def tabulated_stoner(element: str) -> StonerParameter | None:
    """Stoner parameter of an elemental metal.

    Parameters
    ----------
    element
        Its symbol.

    Returns
    -------
    StonerParameter or None
        I of one atom: that of a cell of n equal atoms is I/n. None for an element without an entry.

    Examples
    --------
    >>> tabulated_stoner("Pd").value_ev
    0.68
    >>> tabulated_stoner("Cu") is None
    True
    """
    value = STONER_EV.get(element)
    return None if value is None else StonerParameter(value, SOURCE)


def stoner_of_cell(structure: Structure, elements: Collection[str]) -> StonerParameter | None:
    """Stoner parameter of a cell whose atoms of some elements share N(E_F) equally.

    Parameters
    ----------
    structure
        The crystal.
    elements
        Symbols of those elements.

    Returns
    -------
    StonerParameter or None
        The sum of I_a (1/n)^2 over the n atoms, which is I/n for equal ones; None if one has no entry.
    """
    atoms = [tabulated_stoner(site.specie.symbol) for site in structure if site.specie.symbol in elements]
    known = [parameter for parameter in atoms if parameter is not None]
    if not known or len(known) < len(atoms):
        return None
    return StonerParameter(sum(parameter.value_ev for parameter in known) / len(known) ** 2, known[0].source)
