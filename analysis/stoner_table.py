"""Stoner parameters of elements, for metals of which no ferromagnetic state was computed."""

from __future__ import annotations

from typing import Final

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
