"""Pairing by spin fluctuations: the linearised gap equation on the Fermi surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from scipy import fft

from hightc.analysis.fermi_bands import require_bands
from hightc.analysis.gap_symmetry import GapSymmetry, gap_symmetry
from hightc.analysis.pairing_operator import Channel, leading_eigenpairs
from hightc.analysis.reciprocal_symmetry import mesh_permutations, point_group

PairingStatus = Literal["attractive", "not_attractive"]

SPIN_FACTOR: dict[Channel, float] = {"singlet": 1.5, "triplet": -0.5}
"""Factor of I^2 chi in the interaction: three transverse and longitudinal fluctuations, or one with the other sign."""

DEGENERATE = 1e-3
"""Difference of eigenvalues, relative to the largest of the channel, of one degenerate gap."""

_EVEN = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class GapFunction:
    """One solution of the linearised gap equation, with all functions of its eigenvalue.

    Attributes
    ----------
    eigenvalue : float
        eta > 0 without a unit; the weak-coupling Tc goes as exp(-1/eta).
    gap : ndarray (degeneracy, n1, n2, n3)
        The functions, without a unit, on the mesh: equal for all bands, each with a mean square of 1 over the Fermi
        surface; of a set of one, the sign is positive on most of the surface.
    symmetry : GapSymmetry
        What they are under the point group.
    """

    eigenvalue: float
    gap: NDArray[np.float64]
    symmetry: GapSymmetry


@dataclass(frozen=True, slots=True, eq=False)
class PairingChannel:
    """The leading gaps of even or odd parity.

    Attributes
    ----------
    channel : {"singlet", "triplet"}
        Spin of the pair: singlet gaps are even in k, triplet gaps odd.
    status : {"attractive", "not_attractive"}
        Whether any gap lowers the energy.
    gaps : tuple of GapFunction
        The largest eigenvalue first; empty if not attractive.
    """

    channel: Channel
    status: PairingStatus
    gaps: tuple[GapFunction, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Both channels.

    Attributes
    ----------
    singlet, triplet : PairingChannel
        The channels.
    dos_per_ev_spin_cell : float
        Density of states at the Fermi energy that the weights sum to.
    """

    singlet: PairingChannel
    triplet: PairingChannel
    dos_per_ev_spin_cell: float

    @property
    def leading(self) -> tuple[Channel, GapFunction] | None:
        """Channel and gap of the largest eigenvalue; None where nothing attracts."""
        found = [(side.channel, gap) for side in (self.singlet, self.triplet) for gap in side.gaps[:1]]
        return max(found, key=lambda entry: entry[1].eigenvalue) if found else None


def fermi_surface_weights(
    energies_ev: NDArray[np.float64], fermi_ev: float, *, smearing_ev: float
) -> NDArray[np.float64]:
    """Density of states of each k point at the Fermi energy.

    Parameters
    ----------
    energies_ev
        (n1, n2, n3, n_bands) bands on a Gamma-centred mesh in eV.
    fermi_ev
        The Fermi energy in eV.
    smearing_ev
        Standard deviation of the Gaussian that stands for the delta function, in eV.

    Returns
    -------
    ndarray (n1, n2, n3)
        Sum over bands in 1/eV; its mean over the mesh is N(E_F) in states/eV/spin/cell.

    Raises
    ------
    ValueError
        If the energies are not bands on a mesh or the smearing is not positive.
    """
    energies = require_bands(energies_ev, fermi_ev)
    if not (math.isfinite(smearing_ev) and smearing_ev > 0):
        msg = f"smearing_ev: expected a positive number, found {smearing_ev!r}: try the spacing of energies on the mesh"
        raise ValueError(msg)
    reduced = (energies - fermi_ev) / smearing_ev
    return np.asarray(np.exp(-(reduced**2) / 2).sum(axis=-1) / (smearing_ev * math.sqrt(2 * math.pi)), dtype=np.float64)


def solve_pairing(
    chi_per_ev_spin_cell: NDArray[np.float64],
    stoner_ev: float,
    weights_per_ev: NDArray[np.float64],
    structure: Structure,
    *,
    rotations: NDArray[np.int64] | None = None,
    n_gaps: int = 4,
) -> Pairing:
    """Solve the linearised gap equation for the exchange of spin fluctuations.

    eta Delta_k = -(1/N_k) sum_k' V(k - k') w_k' Delta_k', with V = (3/2) I^2 chi for singlets and -(1/2) I^2 chi for
    triplets. V is the same between all bands, so that the gap is the same for all bands of one k and w is their sum.
    The operator is a convolution, applied by Fourier transform in the symmetric form with sqrt(w) on both sides.

    Parameters
    ----------
    chi_per_ev_spin_cell
        (n1, n2, n3) enhanced susceptibility in states/eV/spin/cell, as of ``rpa_susceptibility``.
    stoner_ev
        I in eV.
    weights_per_ev
        (n1, n2, n3) as of :func:`fermi_surface_weights`.
    structure
        The crystal.
    rotations
        (n, 3, 3) symmetries as of ``point_group``; those of the crystal if left out.
    n_gaps
        Number of gaps of each channel, degenerate ones counted once, at most.

    Returns
    -------
    Pairing
        Both channels with their symmetries.

    Raises
    ------
    ValueError
        If the arrays do not belong together, are not even in q and k, or no state lies at the Fermi energy; if the
        mesh breaks the symmetry; or if I is not positive.
    scipy.sparse.linalg.ArpackNoConvergence
        If the eigenvalues do not converge; not known to happen.

    References
    ----------
    D. J. Scalapino, E. Loh and J. E. Hirsch, Phys. Rev. B 34, 8190 (1986); S. Graser, T. A. Maier, P. J. Hirschfeld
    and D. J. Scalapino, New J. Phys. 11, 025016 (2009), equations 12 to 14.
    """
    group = point_group(structure) if rotations is None else rotations
    _check(chi_per_ev_spin_cell, stoner_ev, weights_per_ev)
    permutations = mesh_permutations(_mesh(weights_per_ev), group)

    def solve(channel: Channel) -> PairingChannel:
        interaction_ev = SPIN_FACTOR[channel] * stoner_ev**2 * chi_per_ev_spin_cell
        values, vectors = leading_eigenpairs(interaction_ev, weights_per_ev, channel, n_gaps)
        gaps = []
        for members in _degenerate_sets(values, n_gaps):
            eigenvalue = float(values[members].mean())
            gap = _gap_functions(eigenvalue, vectors[members], interaction_ev, weights_per_ev)
            gaps.append(GapFunction(eigenvalue, gap, gap_symmetry(gap, weights_per_ev, structure, group, permutations)))
        return PairingChannel(channel, "attractive" if gaps else "not_attractive", tuple(gaps))

    return Pairing(solve("singlet"), solve("triplet"), float(weights_per_ev.mean()))


def _check(chi: NDArray[np.float64], stoner_ev: float, weights: NDArray[np.float64]) -> None:
    if chi.ndim != 3 or chi.shape != weights.shape:
        msg = (
            f"chi: expected the mesh of the weights, (n1, n2, n3), found {chi.shape} beside {weights.shape}: compute "
            "both from the same bands"
        )
        raise ValueError(msg)
    for name, values in (("chi", chi), ("weights", weights)):
        if not np.isfinite(values).all():
            msg = f"{name}: expected finite numbers, found others: an ordered metal has no chi to pair by"
            raise ValueError(msg)
        backwards = np.roll(np.flip(values), 1, axis=(0, 1, 2))
        if np.abs(values - backwards).max() > _EVEN * np.abs(values).max():
            msg = f"{name}: expected a function equal at q and -q, found another: unfold the bands with time reversal"
            raise ValueError(msg)
    if weights.min() < 0 or weights.mean() <= 0:
        msg = "weights: expected states at the Fermi energy, found none: check the Fermi energy, or smear more"
        raise ValueError(msg)
    if not (math.isfinite(stoner_ev) and stoner_ev > 0):
        msg = f"stoner_ev: expected a positive number of eV, found {stoner_ev!r}: without it nothing pairs"
        raise ValueError(msg)


def _mesh(values: NDArray[np.float64]) -> tuple[int, int, int]:
    n1, n2, n3 = values.shape
    return n1, n2, n3


def _degenerate_sets(values: NDArray[np.float64], n_gaps: int) -> list[slice]:
    """Runs of equal eigenvalues, without a last run that the number computed may have cut."""
    if not values.size:
        return []
    jumps = (np.flatnonzero(-np.diff(values) > DEGENERATE * values[0]) + 1).tolist()
    return [slice(start, stop) for start, stop in zip([0, *jumps], [*jumps, len(values)], strict=True)][:n_gaps]


def _gap_functions(
    eigenvalue: float, vectors: NDArray[np.float64], interaction_ev: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gaps of one eigenvalue; one more application of the equation gives them where the weight vanishes."""
    weighted = np.sqrt(weights) * vectors.reshape(-1, *weights.shape)
    axes = (1, 2, 3)
    convolved = fft.irfftn(fft.rfftn(interaction_ev) * fft.rfftn(weighted, axes=axes), s=weights.shape, axes=axes)
    gap = -convolved / (weights.size * eigenvalue)
    gap *= np.sqrt(weights.sum() / (weights * gap**2).sum(axis=axes))[:, None, None, None]
    if len(gap) == 1 and (weights * np.sign(gap[0])).sum() < 0:
        gap = -gap
    return np.asarray(gap, dtype=np.float64)
