"""Stoner's exchange parameter from bands: their splitting in a ferromagnet, or the energy of an imposed moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.pw import PwRun

Array = NDArray[np.float64]

NEAR_FERMI_EV: Final = 0.5
"""Width of the Gaussian that makes bands count by their distance from the Fermi energy: that of a splitting."""

_ROOT_PI = math.sqrt(math.pi)
_BROADENED: Final[dict[str, Callable[[Array], Array]]] = {
    "mv": lambda x: np.exp(-((x - math.sqrt(0.5)) ** 2)) * (2 - math.sqrt(2) * x) / _ROOT_PI,
    "mp": lambda x: np.exp(-(x**2)) * (1.5 - x**2) / _ROOT_PI,
    "gaussian": lambda x: np.exp(-(x**2)) / _ROOT_PI,
    "fd": lambda x: 0.25 / np.cosh(np.clip(x, -300, 300) / 2) ** 2,
}
"""The delta function of each kind of smearing of pw.x, of x = (E_F - e)/degauss."""


def exchange_splitting_ev(eigenvalues_ev: Array, k_weights: Array, fermi_ev: float) -> float:
    """Mean distance of minority from majority bands near the Fermi energy.

    Parameters
    ----------
    eigenvalues_ev
        (2, n_k, n_bands) energies of spin up and down in eV, in order at each k point.
    k_weights
        (n_k,) weights of the k points.
    fermi_ev
        Fermi energy in eV; the mean of both where each spin has its own.

    Returns
    -------
    float
        e_down - e_up in eV of bands of equal number, positive where spin up is the majority.

    Raises
    ------
    ValueError
        If the bands are not those of two spins, or none lies near the Fermi energy.

    Notes
    -----
    Each pair counts by the sum of two Gaussians of 0.5 eV, of either band's distance from the Fermi energy. Bands of
    one number are followed through their crossings; where d bands cross others, the sum over the bands is right, and
    only its parts are exchanged.
    """
    if eigenvalues_ev.ndim != 3 or len(eigenvalues_ev) != 2:
        msg = f"expected energies of two spins (2, n_k, n_bands), found {eigenvalues_ev.shape}: run pw.x with nspin = 2"
        raise ValueError(msg)
    up, down = eigenvalues_ev
    near = np.exp(-(((eigenvalues_ev - fermi_ev) / NEAR_FERMI_EV) ** 2)).sum(axis=0) * k_weights[:, None]
    total = near.sum()
    if total < 1e-6 * k_weights.sum():
        msg = f"expected bands near the Fermi energy {fermi_ev:.3f} eV, found none within some {NEAR_FERMI_EV} eV"
        raise ValueError(msg)
    return float((near * (down - up)).sum() / total)


def smeared_dos(run: PwRun) -> float:
    """Density of states at the Fermi energy with the smearing of the run itself.

    Parameters
    ----------
    run
        A self-consistent run without spin.

    Returns
    -------
    float
        In states/eV/spin/cell.

    Raises
    ------
    ValueError
        If the run has spins, no Fermi energy or no smearing that is known.

    Notes
    -----
    The energies of pw.x hold the same smearing: what a small moment costs without exchange is M^2/(4 N) with this N.
    """
    if run.fermi_ev is None or run.degauss_ev is None or len(run.eigenvalues_ev) != 1 or run.smearing not in _BROADENED:
        msg = (
            f"expected a run without spin, with smearing and a Fermi energy, found {len(run.eigenvalues_ev)} spins, "
            f"smearing {run.smearing}, Fermi energy {run.fermi_ev}"
        )
        raise ValueError(msg)
    x = (run.fermi_ev - run.eigenvalues_ev[0]) / run.degauss_ev
    states = (_BROADENED[run.smearing](x) * run.k_weights[:, None]).sum() / run.degauss_ev
    return float(states) * run.n_states_per_band / 2


def fixed_moment_stoner_ev(
    moments_bohr_magneton: Sequence[float], energies_ev: Sequence[float], dos_per_ev_spin_cell: float
) -> float:
    """Stoner's I of a cell from what moments cost that are imposed on a nonmagnetic metal.

    Parameters
    ----------
    moments_bohr_magneton
        Moments of the cell in Bohr magnetons.
    energies_ev
        Energy of each above that without a moment in eV.
    dos_per_ev_spin_cell
        N(E_F) in states/eV/spin/cell of the same smearing and mesh.

    Returns
    -------
    float
        I in eV of the cell, for its N(E_F): it is unstable where I N(E_F) > 1.

    Raises
    ------
    ValueError
        If no moment is given, or one is zero.

    Notes
    -----
    E(M) - E(0) = (M^2/4)(1/N - I) + b M^4; b is taken as zero for a single moment, and fitted to two and more.

    Examples
    --------
    >>> round(fixed_moment_stoner_ev([0.2], [0.004], 1.0), 6)
    0.6
    """
    moments, energies = np.array(moments_bohr_magneton), np.array(energies_ev)
    if moments.size == 0 or moments.shape != energies.shape or np.any(moments == 0):
        msg = f"expected moments that are not zero, each with an energy, found {moments.tolist()}, {energies.tolist()}"
        raise ValueError(msg)
    powers = (2,) if moments.size == 1 else (2, 4)
    columns = np.stack([moments**power for power in powers], axis=1)
    curvature = np.linalg.lstsq(columns, energies, rcond=None)[0][0]
    return float(1 / dos_per_ev_spin_cell - 4 * curvature)
