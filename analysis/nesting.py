"""How many pairs of states at the Fermi energy each wave vector joins: the nesting function of all q at once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from hightc.analysis.fermi_bands import MESH_AXES, require_bands

REACH = 8.0
"""Standard deviations beyond which a state has no weight: the Gaussian there is 1e-14 of its peak."""


def nesting_function(energies_ev: ArrayLike, fermi_ev: float, *, smearing_ev: float) -> NDArray[np.float64]:
    """Compute the nesting function of all bands together.

    Parameters
    ----------
    energies_ev
        (nk1, nk2, nk3, bands) energies of one spin on the full mesh in eV, point (i, j, k) at (i/nk1, j/nk2, k/nk3).
    fermi_ev
        Fermi energy in eV.
    smearing_ev
        Standard deviation s of the Gaussian in eV. Quantum ESPRESSO's `degauss` is sqrt(2) s.

    Returns
    -------
    ndarray (nk1, nk2, nk3)
        N(q) in (states/eV/spin/cell)^2 for q on the same mesh.

    Raises
    ------
    ValueError
        If the energies are not bands on a mesh, the smearing is not positive, or no state is within 8 s of E_F.

    Notes
    -----
    N(q) = (1/N_k) sum_k A(k) A(k+q), A(k) = sum_n delta_s(e_nk - E_F). The mean of A over k is N(E_F), the density of
    states with the same smearing, and the mean of N(q) over q is N(E_F)^2: where N(q) is above that, q joins more of
    the Fermi surface than a random vector does. N(0) = <A^2> is a trivial peak and grows like 1/s. One Fourier
    transform forth and one back, exact on the mesh. A peak here need not be one of the susceptibility (Johannes and
    Mazin, Phys. Rev. B 77, 165135 (2008)).
    """
    spectral = _spectral_weights(energies_ev, fermi_ev, smearing_ev).sum(axis=0, keepdims=True)
    return _correlate(spectral)[..., 0, 0]


def band_nesting_functions(energies_ev: ArrayLike, fermi_ev: float, *, smearing_ev: float) -> NDArray[np.float64]:
    """Compute the nesting function of each pair of bands.

    Parameters
    ----------
    energies_ev, fermi_ev, smearing_ev
        As for `nesting_function`.

    Returns
    -------
    ndarray (nk1, nk2, nk3, bands, bands)
        N_nm(q) = (1/N_k) sum_k A_n(k) A_m(k+q) in (states/eV/spin/cell)^2. Its sum over n and m is N(q), and
        N_nm(-q) = N_mn(q).

    Raises
    ------
    ValueError
        As `nesting_function`.
    """
    return _correlate(_spectral_weights(energies_ev, fermi_ev, smearing_ev))


def _spectral_weights(energies_ev: ArrayLike, fermi_ev: float, smearing_ev: float) -> NDArray[np.float64]:
    """A_n(k) in 1/eV, bands first."""
    energies = require_bands(energies_ev, fermi_ev)
    if not (math.isfinite(smearing_ev) and smearing_ev > 0):
        msg = f"smearing_ev: expected more than 0 eV, found {smearing_ev}: try the spacing of energies on the mesh"
        raise ValueError(msg)
    reduced = np.ascontiguousarray(np.moveaxis(energies, -1, 0)) - fermi_ev
    reduced /= smearing_ev
    nearest = float(np.abs(reduced).min())
    if nearest > REACH:
        msg = (
            f"energies_ev: expected states within {REACH:g} x {smearing_ev:g} eV of E_F = {fermi_ev:.4f} eV, found "
            f"none within {nearest * smearing_ev:.4f} eV: an insulator or a wrong E_F, else widen the smearing"
        )
        raise ValueError(msg)
    reduced *= reduced
    reduced *= -0.5
    weights: NDArray[np.float64] = np.exp(reduced, out=reduced)
    weights /= smearing_ev * math.sqrt(2 * math.pi)
    return weights


def _correlate(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1/N_k) sum_k weights[a](k) weights[b](k+q), with a and b as the last axes."""
    n_channels, *mesh = weights.shape
    transforms = fft.rfftn(weights, axes=(1, 2, 3))
    correlations = np.empty((n_channels, n_channels, *mesh))
    for first in range(n_channels):
        for second in range(n_channels):
            product = transforms[first].conj() * transforms[second]
            correlations[first, second] = fft.irfftn(product, s=mesh, overwrite_x=True)
    correlations /= math.prod(mesh)
    return np.moveaxis(correlations, (0, 1), (MESH_AXES, MESH_AXES + 1))
