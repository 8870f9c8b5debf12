"""Stoner's parameter, and his criterion for a uniform moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hightc.analysis.magnetic_rows import MOMENT_GONE_BOHR_MAGNETON

NEAR_CRITICAL: Final = 0.10
"""Distance of I N(E_F) from 1 within which a mean field does not know whether there is a moment."""


@dataclass(frozen=True, slots=True)
class StonerParameter:
    """Stoner's exchange parameter I.

    Attributes
    ----------
    value_ev : float
        I in eV: exchange splitting over the moment of a magnetic atom in Bohr magnetons.
    source : str
        Where it comes from.
    """

    value_ev: float
    source: str


def stoner_from_splitting(
    splitting_ev: float, moment_bohr_magneton_per_magnetic_atom: float, source: str
) -> StonerParameter | None:
    """Stoner's I from the splitting of the bands of a ferromagnet.

    Parameters
    ----------
    splitting_ev
        Mean distance of minority from majority bands near the Fermi energy in eV.
    moment_bohr_magneton_per_magnetic_atom
        Total moment over the number of magnetic atoms.
    source
        Which calculation it is.

    Returns
    -------
    StonerParameter or None
        None if the moment is below :data:`~hightc.analysis.magnetic_rows.MOMENT_GONE_BOHR_MAGNETON`.

    Examples
    --------
    >>> stoner_from_splitting(0.6, 0.6, "bands of FM at 0 GPa").value_ev
    1.0
    """
    moment = abs(moment_bohr_magneton_per_magnetic_atom)
    if moment < MOMENT_GONE_BOHR_MAGNETON:
        return None
    return StonerParameter(abs(splitting_ev) / moment, f"exchange splitting over moment, {source}")


def stoner_product(stoner: StonerParameter, dos_per_ev_spin_cell: float, n_magnetic_atoms: int) -> float:
    """I N(E_F) of the nonmagnetic state; above 1 it gains a moment by itself.

    Parameters
    ----------
    stoner
        I of one magnetic atom.
    dos_per_ev_spin_cell
        Density of states at the Fermi energy of one spin in the primitive cell.
    n_magnetic_atoms
        Magnetic atoms in that cell.

    Notes
    -----
    A splitting D gives the cell the moment N D, each of its n magnetic atoms N D/n, and these give back the
    splitting I N D/n: it grows if I N/n > 1 (E. C. Stoner, Proc. R. Soc. A 165, 372 (1938)). All states at the Fermi
    energy count as the magnetic atoms' own, so that in a compound the product is an upper bound.
    """
    return stoner.value_ev * dos_per_ev_spin_cell / n_magnetic_atoms
