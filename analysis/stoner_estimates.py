"""What a Stoner parameter makes of a bare susceptibility: enhancement, correlation length, coupling, pairing."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Element, Structure

from hightc.analysis.documents.fermi import PairingChannel, StonerEstimate
from hightc.analysis.pairing import fermi_surface_weights, solve_pairing
from hightc.analysis.paramagnon_coupling import coupling_on_fermi_surface
from hightc.analysis.parsers.units import KELVIN_EV
from hightc.analysis.reciprocal_symmetry import mesh_is_symmetric, point_group
from hightc.analysis.rpa import rpa_susceptibility, without_interband_background
from hightc.analysis.stoner import StonerParameter
from hightc.analysis.stoner_table import stoner_of_cell

D_ORBITALS: Final = 5
"""Orbitals that share the Fermi surface of a transition metal."""

MOST_PAIRING_POINTS = 50_000
"""Mesh points up to which the gap equation takes seconds."""


def known_stoner_parameter(structure: Structure, stoner_ev: float | None) -> StonerParameter | None:
    """Take the Stoner parameter that is given, or that of the table.

    Parameters
    ----------
    structure
        The crystal; the table knows elements.
    stoner_ev
        I in eV per cell as the campaign gives it; None if it gives none.

    Returns
    -------
    StonerParameter or None
        Of the cell; None for a compound without a number of its own.
    """
    if stoner_ev is not None:
        return StonerParameter(stoner_ev, "given by the campaign")
    elements = structure.composition.elements
    if len(elements) != 1:
        return None
    return stoner_of_cell(structure, (elements[0].symbol,))


def thermal_dos(energies_ev: NDArray[np.float64], temperature_k: float) -> float:
    """Bare susceptibility at q = 0 without transitions between bands, whose matrix elements vanish there.

    Parameters
    ----------
    energies_ev
        (n1, n2, n3, n_bands) energies less the Fermi energy in eV.
    temperature_k
        Temperature in K.

    Returns
    -------
    float
        Mean of -df/de in states/eV/spin/cell: the density of states around the Fermi energy.
    """
    width = KELVIN_EV * temperature_k
    reduced = np.minimum(np.abs(energies_ev) / (2 * width), 300.0)
    per_band = 1 / (4 * width * np.cosh(reduced) ** 2)
    return float(per_band.sum(axis=-1).mean())


def estimates(
    stoner: StonerParameter,
    chi0: NDArray[np.float64],
    nesting: NDArray[np.float64],
    uniform_dos: float,
    structure: Structure,
) -> tuple[StonerEstimate, ...]:
    """Enhance the susceptibility by one Stoner parameter, without and with its background of interband transitions.

    Parameters
    ----------
    stoner
        The parameter and its source.
    chi0, nesting
        (n1, n2, n3) bare susceptibility in states/eV/spin/cell and nesting function in (states/eV/spin/cell)^2.
    uniform_dos
        As of :func:`thermal_dos`.
    structure
        The crystal.

    Returns
    -------
    tuple of StonerEstimate
        With the background removed, and with constant matrix elements; the truth lies between. "ordered" without an
        enhancement at the peak where I chi0 reaches 1. Where the background at q = 0 is more than the mean of chi0, as
        of several bands with nearly the same energies, the first is left out: there is no susceptibility left.
    """
    constant = _estimate(stoner, chi0, nesting, uniform_dos, structure, interband="constant")
    bare = without_interband_background(chi0, min(uniform_dos, float(chi0[0, 0, 0])))
    if bare.mean() <= 0:
        return (constant,)
    return _estimate(stoner, bare, nesting, uniform_dos, structure, interband="removed"), constant


def _estimate(
    stoner: StonerParameter,
    chi0: NDArray[np.float64],
    nesting: NDArray[np.float64],
    uniform_dos: float,
    structure: Structure,
    *,
    interband: Literal["removed", "constant"],
) -> StonerEstimate:
    result = rpa_susceptibility(chi0, stoner.value_ev, structure)
    uniform = stoner.value_ev * uniform_dos
    ordered = result.status == "ordered"
    shared = D_ORBITALS if all(Element(site.specie.symbol).is_transition_metal for site in structure) else 1
    coupling = None if ordered else coupling_on_fermi_surface(nesting, chi0, stoner.value_ev, orbitals=shared)
    length = result.correlation_length
    return StonerEstimate(
        stoner_ev=stoner.value_ev,
        source=stoner.source,
        interband=interband,
        product_uniform=uniform,
        product_peak=result.product_peak,
        status=result.status,
        enhancement_uniform=1 / (1 - uniform) if uniform < 1 and not ordered else None,
        enhancement_peak=result.enhancement_peak,
        peak_q=None if ordered else result.peak.q_reduced,
        correlation_length_angstrom=None if length is None else length.principal_angstrom[0],
        lambda_sf_low=None if coupling is None else coupling.lambda_low,
        lambda_sf_high=None if coupling is None else coupling.lambda_high,
    )


def pairing_channels(
    stoner: StonerParameter,
    chi0: NDArray[np.float64],
    energies_ev: NDArray[np.float64],
    structure: Structure,
    *,
    smearing_ev: float,
    uniform_dos: float,
) -> tuple[tuple[PairingChannel, ...], str | None]:
    """Solve the linearised gap equation for the exchange of spin fluctuations.

    Parameters
    ----------
    stoner
        The Stoner parameter.
    chi0
        (n1, n2, n3) bare susceptibility in states/eV/spin/cell.
    energies_ev
        (n1, n2, n3, n_bands) energies of the same mesh less the Fermi energy in eV.
    structure
        The crystal.
    smearing_ev
        Gaussian width of the Fermi surface in eV.
    uniform_dos
        As of :func:`thermal_dos`; the background of interband transitions is removed by it.

    Returns
    -------
    tuple of PairingChannel
        Strongest first.
    str or None
        Why there is none.
    """
    if chi0.size > MOST_PAIRING_POINTS:
        return (), f"the mesh has {chi0.size} points, more than {MOST_PAIRING_POINTS}: too many for the gap equation"
    n1, n2, n3 = chi0.shape
    if not mesh_is_symmetric((n1, n2, n3), point_group(structure)):
        return (), (
            f"the rotations of the crystal do not map the {n1}x{n2}x{n3} mesh onto itself, so that no gap has a name: "
            "give k_mesh equal numbers along reciprocal vectors that a rotation mixes"
        )
    # the background would shift every pair alike, and mostly decides whether there is a paramagnet at all
    chi0 = without_interband_background(chi0, min(uniform_dos, float(chi0[0, 0, 0])))
    product = stoner.value_ev * float(chi0.max())
    if product >= 1:
        return (), f"I chi0 reaches {product:.2f}: the metal orders before it pairs"
    chi = chi0 / (1 - stoner.value_ev * chi0)
    weights = fermi_surface_weights(energies_ev, 0.0, smearing_ev=smearing_ev)
    found = solve_pairing(chi, stoner.value_ev, weights, structure)
    channels = [
        PairingChannel(
            spin=side.channel,
            symmetry=_symmetry(gap.symmetry.name, gap.symmetry.harmonics),
            eigenvalue=gap.eigenvalue,
            degeneracy=gap.symmetry.degeneracy,
        )
        for side in (found.singlet, found.triplet)
        for gap in side.gaps
    ]
    channels.sort(key=lambda channel: -channel.eigenvalue)
    return tuple(channels), None if channels else "spin fluctuations attract in no channel"


def _symmetry(name: str | None, harmonics: tuple[str, ...]) -> str:
    if name is None:
        return "unnamed"
    return f"{name} ({', '.join(harmonics)})" if harmonics not in ((), ("1",)) else name
