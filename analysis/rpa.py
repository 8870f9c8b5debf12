"""The spin susceptibility in the random phase approximation, and how far it is from magnetic order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.peaks import Peak, find_peaks

RpaStatus = Literal["paramagnetic", "ordered"]

FLAT = 1e-6
"""Squared correlation length, over V^(2/3) of the cell, below which it is rounding."""

_SAME_DOS = 1e-3  # relative difference of two sums over the same Fermi surface


@dataclass(frozen=True, slots=True)
class CorrelationLength:
    """How fast chi falls around its peak Q: chi = chi_Q / (1 + (q-Q) Xi (q-Q)).

    Attributes
    ----------
    tensor_angstrom2 : tuple of 3 tuple of 3 float
        Xi in Cartesian coordinates, Angstrom^2.
    principal_angstrom : tuple of 3 float
        Roots of its eigenvalues in Angstrom, the longest first; 0 along a direction on which chi does not depend.
    """

    tensor_angstrom2: tuple[tuple[float, float, float], ...]
    principal_angstrom: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class RpaSusceptibility:
    """chi = chi0/(1 - I chi0), or why there is none.

    Attributes
    ----------
    status : {"paramagnetic", "ordered"}
        Whether the paramagnet is stable against spin density waves of every wave vector.
    reason : str or None
        Why chi is None.
    chi_per_ev_spin_cell : ndarray (n1, n2, n3) or None
        The static susceptibility in states/eV/spin/cell; None if ordered.
    stoner_ev : float
        I in eV.
    product_gamma, product_peak : float
        I chi0 at q = 0 and at its largest, between mesh points; 1 is the instability.
    enhancement_gamma, enhancement_peak : float or None
        1/(1 - I chi0) at both; None at a product of 1 and more.
    distance : float
        1 - I chi0(Q): negative beyond the instability.
    peak : Peak
        The largest bare susceptibility, refined; the enhanced one peaks at the same Q.
    peaks : tuple of Peak
        All peaks of the bare susceptibility, the strongest first, q = 0 among them where it is one.
    correlation_length : CorrelationLength or None
        Of the peak; None with a reason.
    no_correlation_length : str or None
        Why there is none.
    """

    status: RpaStatus
    reason: str | None
    chi_per_ev_spin_cell: NDArray[np.float64] | None
    stoner_ev: float
    product_gamma: float
    product_peak: float
    enhancement_gamma: float | None
    enhancement_peak: float | None
    distance: float
    peak: Peak
    peaks: tuple[Peak, ...]
    correlation_length: CorrelationLength | None
    no_correlation_length: str | None


def rpa_susceptibility(
    chi0_per_ev_spin_cell: NDArray[np.float64],
    stoner_ev: float,
    structure: Structure,
    *,
    rotations: NDArray[np.int64] | None = None,
) -> RpaSusceptibility:
    """Enhance a bare susceptibility by a Stoner parameter that does not depend on q.

    Parameters
    ----------
    chi0_per_ev_spin_cell
        (n1, n2, n3) static bare susceptibility on a Gamma-centred mesh in states/eV/spin/cell; N(E_F) at q = 0.
    stoner_ev
        I in eV, not negative, of the same cell.
    structure
        The crystal in that cell.
    rotations
        (n, 3, 3) symmetries as of ``point_group``; those of the crystal if left out.

    Returns
    -------
    RpaSusceptibility
        "ordered" where I chi0 reaches 1 on the mesh or on the parabola between its points.

    Raises
    ------
    ValueError
        If the susceptibility is not a finite function on a mesh with a positive mean, or I is negative.

    Notes
    -----
    Charge fluctuations are left out. Constant matrix elements add transitions between bands to chi0, at q = 0 too, so
    that I chi0(0) is above Stoner's product I N(E_F): see :func:`without_interband_background`. 1/chi = 1/chi0 - I
    gives the tensor of the correlation length at the peak: Xi = -chi0''/(2 chi0 (1 - I chi0)).

    References
    ----------
    T. Izuyama, D. J. Kim and R. Kubo, J. Phys. Soc. Jpn. 18, 1025 (1963); T. Moriya, Spin Fluctuations in Itinerant
    Electron Magnetism (Springer, 1985), chapter 2.
    """
    chi0 = chi0_per_ev_spin_cell
    if not (math.isfinite(stoner_ev) and stoner_ev >= 0):
        msg = f"stoner_ev: expected a number of eV, not negative, found {stoner_ev!r}: is it given in eV per cell?"
        raise ValueError(msg)
    found = find_peaks(chi0, structure, rotations=rotations, include_gamma=True)
    peak = found.peaks[0]
    product_gamma, product_peak = stoner_ev * float(chi0[0, 0, 0]), stoner_ev * max(peak.value, float(chi0.max()))
    ordered = product_peak >= 1
    length, no_length = _correlation_length(peak, product_peak, structure)
    return RpaSusceptibility(
        status="ordered" if ordered else "paramagnetic",
        reason=_reason(product_peak, stoner_ev * float(chi0.max()), peak) if ordered else None,
        chi_per_ev_spin_cell=None if ordered else chi0 / (1 - stoner_ev * chi0),
        stoner_ev=stoner_ev,
        product_gamma=product_gamma,
        product_peak=product_peak,
        enhancement_gamma=1 / (1 - product_gamma) if product_gamma < 1 else None,
        enhancement_peak=None if ordered else 1 / (1 - product_peak),
        distance=1 - product_peak,
        peak=peak,
        peaks=found.peaks,
        correlation_length=length,
        no_correlation_length=no_length,
    )


def without_interband_background(
    chi0_per_ev_spin_cell: NDArray[np.float64], uniform_dos_per_ev_spin_cell: float
) -> NDArray[np.float64]:
    """Take from a bare susceptibility what transitions between bands add to it at q = 0.

    With constant matrix elements chi0(0) is N(E_F) plus transitions between bands, which true matrix elements forbid
    there: the states of one k are orthogonal. Their sum varies little with q, and so it is taken from every q. At large
    q this takes too much, as the full sum has too much: the truth lies between.

    Parameters
    ----------
    chi0_per_ev_spin_cell
        (n1, n2, n3) bare susceptibility with constant matrix elements in states/eV/spin/cell.
    uniform_dos_per_ev_spin_cell
        Mean of -df/de at the same temperature, in states/eV/spin/cell.

    Returns
    -------
    ndarray (n1, n2, n3)
        chi0(q) - chi0(0) + N(E_F); at q = 0 the density of states.

    Raises
    ------
    ValueError
        If the density of states is not positive, or above chi0(0) by more than rounding.
    """
    dos, at_gamma = uniform_dos_per_ev_spin_cell, float(chi0_per_ev_spin_cell[0, 0, 0])
    if not 0 < dos <= at_gamma * (1 + _SAME_DOS):
        msg = (
            f"uniform_dos_per_ev_spin_cell: expected a positive number, at most chi0(0) = {at_gamma:.4g}, found {dos!r}"
            ": give the mean of -df/de of the same bands at the same temperature"
        )
        raise ValueError(msg)
    return chi0_per_ev_spin_cell - max(at_gamma - dos, 0.0)


def _reason(product: float, product_on_mesh: float, peak: Peak) -> str:
    kind = "ferromagnetic order" if peak.at_gamma else "a spin density wave"
    q = ", ".join(f"{component:.3f}" for component in peak.q_reduced)
    where = "" if product_on_mesh >= 1 else ", between points of the mesh"
    return f"I chi0 = {product:.3f} is 1 or more at q = ({q}){where}: the paramagnet is unstable to {kind}"


def _correlation_length(
    peak: Peak, product: float, structure: Structure
) -> tuple[CorrelationLength | None, str | None]:
    if product >= 1:
        return None, "the paramagnet is unstable at the peak"
    if not peak.refined:
        return None, "the mesh does not resolve the peak: its neighbours form no parabola with a maximum"
    tensor = -np.array(peak.curvature_angstrom2) / (2 * peak.value * (1 - product))
    eigenvalues = np.linalg.eigvalsh((tensor + tensor.T) / 2)
    eigenvalues[np.abs(eigenvalues) < FLAT * structure.lattice.volume ** (2 / 3)] = 0.0
    if eigenvalues.min() < 0 or not eigenvalues.any():
        return None, "the bare susceptibility does not fall in every direction from its peak"
    one, two, three = np.sqrt(eigenvalues[::-1]).tolist()
    x, y, z = (tuple(row) for row in tensor.tolist())
    return CorrelationLength((x, y, z), (one, two, three)), None
