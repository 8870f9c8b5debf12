"""Few imaginary times at which the integral over 0..beta of two Fermi functions' product is exact to a tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RELATIVE_TOLERANCE = 1e-11
"""Largest relative error of one pair of states; 1e-8 would save a quarter of the times."""

MOST_TIMES = 120
"""Enough for bands 1e10 kT wide."""

_CHECKS_PER_OCTAVE = 48
"""Points of the error's scan: it has fewer than four extrema an octave, so the scan misses below 1 % of the worst."""


@dataclass(frozen=True, slots=True, eq=False)
class ImaginaryTimes:
    """Times tau in the first half of 0..beta, in units of beta, with weights.

    Attributes
    ----------
    fractions : ndarray (n,)
        tau/beta, between 0 and 1/2, ascending.
    weights : ndarray (n,)
        Positive; their sum is 1/2.
    reach : float
        Largest difference of energies over kT that the times are good for.
    relative_error : float
        Largest relative error found for differences from 0 to `reach`.
    """

    fractions: NDArray[np.float64]
    weights: NDArray[np.float64]
    reach: float
    relative_error: float


def imaginary_times(reach: float, *, relative_tolerance: float = RELATIVE_TOLERANCE) -> ImaginaryTimes:
    """Choose times for the integral behind the bare susceptibility.

    Parameters
    ----------
    reach
        Largest difference of two energies over kT.
    relative_tolerance
        Largest relative error of a pair of states; at least 1e-12: rounding is near.

    Returns
    -------
    ImaginaryTimes
        As few as the rule needs for a reach rounded up to a power of two: for 1e-11 about 3.5 ln(reach) - 5.

    Raises
    ------
    ValueError
        If the reach is negative or not finite, or the tolerance cannot be had.

    Notes
    -----
    With x = (e - E_F)/kT and u = tau/beta, the pair x, y of energies has

        [f(x) - f(y)]/(y - x) = int_0^1 du F(x, u) G(y, u),   F = f(x) exp(u x),  G = [1 - f(y)] exp(-u y).

    F(x, 1 - u) = G(x, u), so the half 1/2..1 is the half 0..1/2 with x and y exchanged. Both sides are symmetric in x
    and y; for s = y - x >= 0 they are f(x) [1 - f(y)], which divides out of the relative error, times

        (1 - exp(-s))/s = int_0^{1/2} du [exp(-s u) + exp(-s (1 - u))].

    The error thus depends on s alone: a scan over 0..reach finds the worst for all pairs of energies. The integrand is
    smooth in ln u from 1/reach to 1/2. With u = 1/2 + tanh(c t/2)/(2 tanh(c/2)) and c of about ln(reach), Gauss and
    Legendre's rule in t = -1..1, halved by its symmetry, needs about as many points as the best sum of exponentials for
    1/s has terms, ln(16/error) ln(8 reach)/pi^2 (Braess and Hackbusch, IMA J. Numer. Anal. 25, 685 (2005)).
    """
    if not (math.isfinite(reach) and reach >= 0):
        msg = f"expected a finite difference of energies over kT, 0 or more, found {reach}: check bands and temperature"
        raise ValueError(msg)
    if not 1e-12 <= relative_tolerance < 1:
        msg = f"expected a relative tolerance from 1e-12 to 1, found {relative_tolerance}: choose one"
        raise ValueError(msg)
    return _shortest_rule(2.0 ** math.ceil(math.log2(max(reach, 1.0))), relative_tolerance)


@lru_cache(maxsize=64)
def _shortest_rule(reach: float, relative_tolerance: float) -> ImaginaryTimes:
    stretch = max(0.4, 0.88 * math.log(reach) - 2.05)  # where the error was least for 1e-11 and reaches 1 to 1e7
    fewest = int(-0.08 * math.log(reach) * math.log(relative_tolerance))  # below what was ever enough
    for n_times in range(max(fewest, 2), MOST_TIMES + 1):
        fractions, weights = _stretched_rule(n_times, stretch)
        error = _largest_error(fractions, weights, reach)
        if error <= relative_tolerance:
            fractions.flags.writeable = weights.flags.writeable = False  # the cache hands them out again
            return ImaginaryTimes(fractions, weights, reach, error)
    msg = (
        f"expected an error below {relative_tolerance:g} with {MOST_TIMES} imaginary times, found {error:.1e} for "
        f"bands {reach:.1e} kT wide: raise the temperature"
    )
    raise ValueError(msg)


def _stretched_rule(n_times: int, stretch: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    node, gauss = np.polynomial.legendre.leggauss(2 * n_times)
    half = stretch / 2
    t = half * node[:n_times]
    # 1/2 + tanh(t)/(2 tanh(half)) without its cancellation near u = 0
    fractions = np.sinh(half + t) / (2 * np.cosh(t) * math.sinh(half))
    return fractions, gauss[:n_times] * half / (2 * np.cosh(t) ** 2 * math.tanh(half))


def _largest_error(fractions: NDArray[np.float64], weights: NDArray[np.float64], reach: float) -> float:
    first = -6  # below s = 1/64 the integrand is a straight line to 1e-5, and every rule exact
    octaves = math.log2(reach) - first
    s = 2.0 ** np.linspace(first, first + octaves, math.ceil(octaves * _CHECKS_PER_OCTAVE) + 1)[:, None]
    sums = (np.exp(-s * fractions) + np.exp(-s * (1 - fractions))) @ weights
    return float(np.abs(sums * s[:, 0] / -np.expm1(-s[:, 0]) - 1).max())
