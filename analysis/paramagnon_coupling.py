"""How strongly, and how fast, fluctuations of the spin dress the electrons of a metal: an interval, not a number."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.rpa import without_interband_background

MEV_PER_EV = 1000.0

CUTOFFS = (1.0, 2.0)
"""Largest wave vectors of the fluctuations of an electron gas, over its Fermi wave vector."""

SURFACE_SOURCE = "N. F. Berk and J. R. Schrieffer, Phys. Rev. Lett. 17, 433 (1966), with a local interaction"
GAS_SOURCE = "S. Doniach and S. Engelsberg, Phys. Rev. Lett. 17, 750 (1966), with the small-q form of chi"
WIDTH_UNCERTAINTY = 2.0
"""Factor up and down of the width of fluctuations that only a density of states and I are known of."""


@dataclass(frozen=True, slots=True)
class CouplingChoice:
    """lambda_sf by one of the ways in which the field computes it.

    Attributes
    ----------
    name : str
        Which susceptibility and which I.
    stoner_ev : float
        The I of this choice in eV.
    lambda_sf : float or None
        The coupling; None with a reason.
    width_mev : float or None
        Logarithmic mean of the widths of the fluctuations in meV, weighted by their share of the coupling.
    reason : str or None
        Why there is no coupling.
    source : str
        Paper of the formula.
    """

    name: str
    stoner_ev: float
    lambda_sf: float | None
    width_mev: float | None
    reason: str | None
    source: str


@dataclass(frozen=True, slots=True)
class ParamagnonCoupling:
    """The interval of lambda_sf over all choices.

    Attributes
    ----------
    lambda_low, lambda_high : float or None
        Smallest and largest coupling. The high one is None where a choice has none, mostly because it puts the metal
        into an ordered state and the coupling has no bound. Both are None where all do.
    width_low_mev, width_high_mev : float or None
        Smallest and largest width of the fluctuations in meV, the frequency at which they absorb most.
    choices : tuple of CouplingChoice
        What the interval is made of.
    reason : str or None
        Why a bound is missing.
    """

    lambda_low: float | None
    lambda_high: float | None
    width_low_mev: float | None
    width_high_mev: float | None
    choices: tuple[CouplingChoice, ...]
    reason: str | None


def coupling_on_fermi_surface(
    nesting_per_ev2: NDArray[np.float64],
    chi0_per_ev_spin_cell: NDArray[np.float64],
    stoner_ev: float,
    *,
    uniform_dos_per_ev_spin_cell: float | None = None,
    measured_enhancement: float | None = None,
    orbitals: int = 1,
) -> ParamagnonCoupling:
    """lambda_sf of the bands themselves: the interaction averaged twice over the Fermi surface.

    lambda_sf = N(E_F) <<V(k - k')>> = sum_q N(q) V(q) / (N_q N(E_F)), V = (3/2) I^2 chi(q), because the nesting
    function N(q) counts the pairs of Fermi surface points that q joins and its mean is N(E_F)^2. The choices are chi of
    the random phase approximation and, without the part of second order in I that mu* already holds, chi - chi0; each
    with the I given and, if chi was measured, with the I that gives its enhancement; each with chi0 as it is and, if
    the density of states is given too, without its background of transitions between bands; each with constant matrix
    elements and, where n orbitals share the Fermi surface, with their average 1/n.

    The width of the fluctuation at q is G(q) = chi0 (1 - I chi0)/(pi N(q)): the bare susceptibility absorbs
    Im chi0 = pi N(q) w at low frequency w.

    Parameters
    ----------
    nesting_per_ev2
        (n1, n2, n3) nesting function on a Gamma-centred mesh, states^2/eV^2/spin^2/cell^2.
    chi0_per_ev_spin_cell
        (n1, n2, n3) bare susceptibility in states/eV/spin/cell.
    stoner_ev
        I in eV of the same cell.
    uniform_dos_per_ev_spin_cell
        Mean of -df/de at the temperature of chi0, as for ``without_interband_background``; None for a chi0 of one band
        or with true matrix elements.
    measured_enhancement
        Measured spin susceptibility over that of N(E_F) without interaction, at least 1; None if unknown.
    orbitals
        Number n of orbitals that share the Fermi surface, 5 for a d metal: |<k|k'>|^2 of two unit vectors in n
        dimensions is 1/n on the average over all directions, and 1 for equal ones.

    Returns
    -------
    ParamagnonCoupling
        Over two choices, doubled by each of the three options.

    Raises
    ------
    ValueError
        If the arrays do not belong together, the nesting function has no positive mean, I is negative, the
        enhancement or the number of orbitals below 1, or the density of states above chi0 at q = 0.

    Notes
    -----
    A local interaction with constant matrix elements overestimates the coupling of d metals, in which orbitals differ
    between the points that a large q joins (H. Rietschel and H. Winter, Phys. Rev. Lett. 43, 1256 (1979)): bands of
    vanadium, without their interband background, give 1.7 to 2.4 at I = 0.70 eV, where its Tc of 5.4 K needs some 0.3.
    For chi0 = N(1 - q^2/12 k_F^2) on a sphere the average is that of :func:`coupling_of_electron_gas`.
    """
    _check_parameters(stoner_ev, measured_enhancement)
    if orbitals < 1:
        msg = f"orbitals: expected at least 1, found {orbitals}: give 1 for constant matrix elements, 5 for a d metal"
        raise ValueError(msg)
    nesting, chi0 = nesting_per_ev2, chi0_per_ev_spin_cell
    if nesting.ndim != 3 or nesting.shape != chi0.shape:
        msg = f"nesting: expected the mesh of chi0, {chi0.shape}, found {nesting.shape}: compute both of one mesh"
        raise ValueError(msg)
    if not (np.isfinite(nesting).all() and np.isfinite(chi0).all() and nesting.mean() > 0):
        msg = (
            "nesting, chi0: expected finite numbers and states at the Fermi energy, found none: check the Fermi energy"
        )
        raise ValueError(msg)
    bare = {"": chi0}
    if uniform_dos_per_ev_spin_cell is not None:
        bare[", no interband background"] = without_interband_background(chi0, uniform_dos_per_ev_spin_cell)
    choices = []
    for suffix, values in bare.items():
        for label, stoner in _stoner_choices(float(values[0, 0, 0]), stoner_ev, measured_enhancement):
            choices += _surface_choices(label + suffix, stoner, nesting, values)
    if orbitals > 1:
        choices += [_shared(choice, orbitals) for choice in choices]
    return _interval(choices, 1.0)


def coupling_of_electron_gas(
    dos_per_ev_spin_cell: float,
    stoner_ev: float,
    *,
    measured_enhancement: float | None = None,
    cutoffs: tuple[float, ...] = CUTOFFS,
) -> ParamagnonCoupling:
    """lambda_sf from the density of states alone, as if the Fermi surface were a sphere.

    With chi0 = N (1 - q^2/12 k_F^2), S = I N and fluctuations up to p k_F, the average of (3/2) I^2 chi over the sphere
    is lambda_sf = (9/2) {ln[1 + X S/(1-S)] - X S}, X = p^2/12, whose logarithm is that of Doniach and Engelsberg near
    the instability. Without the part of second order in I it is smaller by (9/2) S^2 (X - X^2/2). p = 2 is all of the
    sphere; smaller p stand for the form factor of the electrons. The width is that of a mean wave vector, where
    N(q) = N^2: G = (1 - S)/(pi N), uncertain by `WIDTH_UNCERTAINTY`.

    Parameters
    ----------
    dos_per_ev_spin_cell
        N(E_F) in states/eV/spin/cell.
    stoner_ev
        I in eV of the same cell.
    measured_enhancement
        Measured over non-interacting spin susceptibility, at least 1; None if unknown.
    cutoffs
        Values of p, each above 0 and at most 2.

    Returns
    -------
    ParamagnonCoupling
        Over both formulas, all cutoffs and both I.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    _check_parameters(stoner_ev, measured_enhancement)
    dos = dos_per_ev_spin_cell
    if not (math.isfinite(dos) and dos > 0):
        msg = f"dos_per_ev_spin_cell: expected a positive number, found {dos!r}: an insulator has no paramagnons"
        raise ValueError(msg)
    if not cutoffs or not all(0 < p <= 2 for p in cutoffs):
        msg = f"cutoffs: expected numbers above 0 and at most 2, found {cutoffs}: no q on the sphere is beyond 2 k_F"
        raise ValueError(msg)
    choices = []
    for label, stoner in _stoner_choices(dos, stoner_ev, measured_enhancement):
        for p in cutoffs:
            choices += _gas_choices(f"{label}, q < {p:g} k_F", stoner, dos, p)
    return _interval(choices, WIDTH_UNCERTAINTY)


def _check_parameters(stoner_ev: float, enhancement: float | None) -> None:
    if not (math.isfinite(stoner_ev) and stoner_ev >= 0):
        msg = f"stoner_ev: expected a number of eV, not negative, found {stoner_ev!r}: is it given in eV per cell?"
        raise ValueError(msg)
    if enhancement is not None and not (math.isfinite(enhancement) and enhancement >= 1):
        msg = f"measured_enhancement: expected at least 1, found {enhancement!r}: subtract the orbital susceptibility"
        raise ValueError(msg)


def _stoner_choices(dos: float, stoner_ev: float, enhancement: float | None) -> list[tuple[str, float]]:
    measured = [] if enhancement is None else [("I of the measured enhancement", (1 - 1 / enhancement) / dos)]
    return [("Stoner I", stoner_ev), *measured]


def _surface_choices(
    label: str, stoner: float, nesting: NDArray[np.float64], chi0: NDArray[np.float64]
) -> list[CouplingChoice]:
    product = stoner * float(chi0.max())
    names = (f"{label}, chi", f"{label}, chi - chi0")
    if chi0.min() <= 0:
        reason = "the interband background is larger than chi0 at some q: constant matrix elements do not do"
        return [CouplingChoice(name, stoner, None, None, reason, SURFACE_SOURCE) for name in names]
    if product >= 1:
        reason = f"I chi0 = {product:.3f} is 1 or more: the metal orders, and the coupling has no bound"
        return [CouplingChoice(name, stoner, None, None, reason, SURFACE_SOURCE) for name in names]
    chi = chi0 / (1 - stoner * chi0)
    dos = math.sqrt(float(nesting.mean()))
    joined = nesting > 0
    width_ev = (chi0 * (1 - stoner * chi0))[joined] / (math.pi * nesting[joined])
    choices = []
    for name, kept in zip(names, (chi, chi - chi0), strict=True):
        share = (nesting * kept)[joined]
        coupling = 1.5 * stoner**2 * float(share.sum()) / nesting.size / dos
        width = MEV_PER_EV * math.exp(float(np.average(np.log(width_ev), weights=share))) if coupling > 0 else None
        choices.append(CouplingChoice(name, stoner, coupling, width, None, SURFACE_SOURCE))
    return choices


def _shared(choice: CouplingChoice, orbitals: int) -> CouplingChoice:
    coupling = None if choice.lambda_sf is None else choice.lambda_sf / orbitals
    return replace(choice, name=f"{choice.name}, matrix elements 1/{orbitals}", lambda_sf=coupling)


def _gas_choices(label: str, stoner: float, dos: float, cutoff: float) -> list[CouplingChoice]:
    product = stoner * dos
    names = (f"{label}, chi", f"{label}, chi - chi0")
    if product >= 1:
        reason = f"I N(E_F) = {product:.3f} is 1 or more: the metal orders, and the coupling has no bound"
        return [CouplingChoice(name, stoner, None, None, reason, GAS_SOURCE) for name in names]
    x = cutoff**2 / 12
    full = 4.5 * (math.log1p(x * product / (1 - product)) - x * product)
    second_order = 4.5 * product**2 * (x - x**2 / 2)
    width = MEV_PER_EV * (1 - product) / (math.pi * dos) if product > 0 else None
    return [
        CouplingChoice(name, stoner, coupling, width, None, GAS_SOURCE)
        for name, coupling in zip(names, (full, full - second_order), strict=True)
    ]


def _interval(choices: list[CouplingChoice], width_uncertainty: float) -> ParamagnonCoupling:
    couplings = [choice.lambda_sf for choice in choices if choice.lambda_sf is not None]
    widths = [choice.width_mev for choice in choices if choice.width_mev is not None]
    reasons = [choice.reason for choice in choices if choice.reason is not None]
    return ParamagnonCoupling(
        lambda_low=min(couplings, default=None),
        lambda_high=None if reasons else max(couplings, default=None),
        width_low_mev=min(widths) / width_uncertainty if widths else None,
        width_high_mev=max(widths) * width_uncertainty if widths else None,
        choices=tuple(choices),
        reason=reasons[0] if reasons else None,
    )
