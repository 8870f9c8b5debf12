"""The operator of the linearised gap equation and its largest eigenvalues, without its matrix."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.sparse.linalg import LinearOperator, eigsh

Channel = Literal["singlet", "triplet"]

ATTRACTIVE = 1e-5
"""Eigenvalue, relative to max|V| N(E_F), at which the interaction counts as attractive."""

_SPARE = 4  # eigenvalues computed beyond three, the largest degeneracy, of each set asked for
_TOLERANCE = 1e-8
_SEED = 0
_WEIGHTLESS = 1e-6  # a weight, relative to the largest, that changes no eigenvalue to the tolerance


def leading_eigenpairs(
    interaction_ev: NDArray[np.float64], weights_per_ev: NDArray[np.float64], channel: Channel, n_gaps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest positive eigenvalues of the symmetric form in the functions of one parity.

    Parameters
    ----------
    interaction_ev
        (n1, n2, n3) V(q) in eV cell, positive where it repels.
    weights_per_ev
        (n1, n2, n3) as of :func:`fermi_surface_weights`.
    channel
        Even functions for "singlet", odd for "triplet".
    n_gaps
        Number of sets wanted; some more are computed.

    Returns
    -------
    eigenvalues : ndarray (n,)
        The largest first, those that count as attractive.
    vectors : ndarray (n, n_points)
        sqrt(w) Delta, normalised.
    """
    operator, on_surface = surface_operator(interaction_ev, weights_per_ev, channel)
    n, n_wanted = operator.shape[0], 3 * n_gaps + _SPARE
    # all eigenvalues lie within the bound: above it, functions of the other parity, at 0, come last
    bound = float(np.abs(interaction_ev).max() * weights_per_ev.mean())
    if n <= 2 * n_wanted:
        values, vectors = np.linalg.eigh(operator @ np.eye(n))
    else:
        start = operator @ np.random.default_rng(_SEED).standard_normal(n)
        values, vectors = eigsh(operator, k=n_wanted, which="LA", v0=start, tol=_TOLERANCE)
    values = values - bound
    order = np.argsort(values)[::-1]
    order = order[values[order] > ATTRACTIVE * bound]
    found = np.zeros((len(order), weights_per_ev.size))
    found[:, on_surface] = vectors.T[order]
    return values[order], found


def surface_operator(
    interaction_ev: NDArray[np.float64], weights_per_ev: NDArray[np.float64], channel: Channel
) -> tuple[LinearOperator, NDArray[np.int64]]:
    """-sqrt(w) V sqrt(w) + b in the functions of one parity on the Fermi surface, b = max|V| N(E_F).

    Parameters
    ----------
    interaction_ev, weights_per_ev, channel
        As of :func:`leading_eigenpairs`.

    Returns
    -------
    operator : LinearOperator (n, n)
        Symmetric; its eigenvalues are eta + b in the functions of the right parity, and 0 in the others.
    on_surface : ndarray (n,)
        Flat positions of the mesh points it acts on: those with a weight.
    """
    mesh, size = weights_per_ev.shape, weights_per_ev.size
    transformed = fft.rfftn(interaction_ev)
    bound = float(np.abs(interaction_ev).max() * weights_per_ev.mean())
    inverted = np.ravel_multi_index(np.meshgrid(*((-np.arange(n)) % n for n in mesh), indexing="ij"), mesh).ravel()
    # rounding must not keep a point and drop its inverse
    weights = (weights_per_ev.ravel() + weights_per_ev.ravel()[inverted]) / 2
    on_surface = np.flatnonzero(weights > _WEIGHTLESS * weights.max())
    root = np.sqrt(weights[on_surface])
    opposite = np.searchsorted(on_surface, inverted[on_surface])
    sign = 1.0 if channel == "singlet" else -1.0

    def apply(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        kept = (vector.ravel() + sign * vector.ravel()[opposite]) / 2
        spread = np.zeros(size)
        spread[on_surface] = root * kept
        convolved = fft.irfftn(transformed * fft.rfftn(spread.reshape(mesh)), s=mesh).ravel()[on_surface] / size
        answer = bound * kept - root * convolved
        return np.asarray((answer + sign * answer[opposite]) / 2, dtype=np.float64)

    return LinearOperator((len(root), len(root)), matvec=apply, dtype=np.float64), on_surface
