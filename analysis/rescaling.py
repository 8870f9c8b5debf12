"""The coupling of a coarse k mesh, scaled to the density of states that the mesh should have had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

TRUSTED_FACTOR = (0.7, 1.4)
"""Factors beyond these mean that the mesh sees another Fermi surface: more than its density of states is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class RescaledCoupling:
    """Spectra of each smearing, scaled to one density of states.

    Attributes
    ----------
    factor : ndarray (n_smearing,)
        Reference over used density of states; NaN where the used one is not positive.
    alpha2f : ndarray (n_smearing, n)
        Scaled spectral functions; NaN where the factor is.
    coupling : ndarray (n_smearing,)
        Scaled lambda. Ratios of moments, such as the logarithmic frequency, stay as they are.
    status : tuple of {"trusted", "outside_range", "undefined"}
        Of each smearing: the factor is within the trusted range, beyond it, or does not exist.
    """

    factor: NDArray[np.float64]
    alpha2f: NDArray[np.float64]
    coupling: NDArray[np.float64]
    status: tuple[Literal["trusted", "outside_range", "undefined"], ...]


def rescale_by_dos(
    alpha2f: ArrayLike,
    coupling: ArrayLike,
    *,
    dos_used_per_ev_spin_cell: ArrayLike,
    dos_reference_per_ev_spin_cell: float,
    trusted_factor: tuple[float, float] = TRUSTED_FACTOR,
) -> RescaledCoupling:
    """Scale spectra by the first power of N(E_F, reference)/N(E_F, used).

    Parameters
    ----------
    alpha2f : array_like (n_smearing, n)
        Spectral functions.
    coupling : array_like (n_smearing,)
        Their lambda.
    dos_used_per_ev_spin_cell : array_like (n_smearing,)
        Density of states at the Fermi energy that the code divided by, of the same mesh and smearing.
    dos_reference_per_ev_spin_cell : float
        The density of states to scale to.
    trusted_factor : tuple of 2 float
        Smallest and largest factor that is trusted.

    Returns
    -------
    RescaledCoupling
        Scaled spectra and lambda.

    Raises
    ------
    ValueError
        If the shapes do not fit or the reference is not positive.

    Notes
    -----
    ph.x sums |g|^2 times two Gaussians, each of which integrates to the same N(E_F, sigma) over the dense mesh, and
    divides by N(E_F, sigma) once: ``elphsum`` in PHonon/PH/elphon.f90 of Quantum ESPRESSO, after Wierzbowska, de
    Gironcoli and Giannozzi, arXiv:cond-mat/0504077 (2005). What version 6.7 prints agrees to its digits with
    lambda = gamma/(pi N omega^2). With <g^2> the mean over pairs of states at the Fermi energy, lambda ~ N^2 <g^2>/N:
    an error of N enters once. The proposal to correct the alpha2F of a coarse mesh by its density of states is that of
    Bozier, Wang, Monserrat and Pickard, arXiv:2508.18371 (2025).

    The factor is right where the mesh errs in N and not in <g^2>, that is for averages over many q points. The double
    delta at a single q is a property of pairs of states, with an error of its own that N says nothing of. Measured
    against 32x32x32 k points over sigma = 0.02 to 0.05 Ry, with N of the tetrahedra on that mesh, the factor changes
    the root-mean-square error of lambda on 8, 16 and 24 points an axis from 9.9, 4.9, 18 to 7.5, 16, 14 % (Al, 2x2x2
    q), from 8.8, 5.1, 4.5 to 6.3, 8.0, 1.0 % (Al, 4x4x4 q) and from 26, 31, 6.0 to 41, 37, 3.8 % (Pb, 2x2x2 q). It
    refines a mesh that is nearly dense enough and is no cure for a coarse one: information beside the plain lambda.
    """
    spectra, values = np.asarray(alpha2f, dtype=float), np.asarray(coupling, dtype=float)
    used = np.asarray(dos_used_per_ev_spin_cell, dtype=float)
    if values.ndim != 1 or used.shape != values.shape or spectra.ndim != 2 or len(spectra) != len(values):
        msg = (
            f"expected alpha2f (n_smearing, n) with coupling and dos_used (n_smearing,), found {spectra.shape}, "
            f"{values.shape} and {used.shape}"
        )
        raise ValueError(msg)
    if not dos_reference_per_ev_spin_cell > 0:
        msg = f"expected a positive reference density of states, found {dos_reference_per_ev_spin_cell} states/eV"
        raise ValueError(msg)
    factor = np.full(len(used), np.nan)
    np.divide(dos_reference_per_ev_spin_cell, used, out=factor, where=used > 0)
    low, high = trusted_factor
    return RescaledCoupling(
        factor=factor,
        alpha2f=factor[:, None] * spectra,
        coupling=factor * values,
        status=tuple(
            "undefined" if np.isnan(one) else "trusted" if low <= one <= high else "outside_range" for one in factor
        ),
    )
