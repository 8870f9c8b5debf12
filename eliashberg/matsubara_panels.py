"""A few Matsubara frequencies that stand for all of them, and sums over infinitely many in panels.

Whatever an electron and its phonons produce on the imaginary axis, the gap, the mass renormalisation, w_n/R_n, falls
off from its limit at infinite frequency like a mixture of

    l = s^2/(s^2 + x^2),  l ln(1 + x^2/s^2),  (s/x) arctan(x/s),  s/(s + x),  1 - x/(x^2 + s^2)^(1/2),
    l x/(x^2 + g^2)^(1/2),

x = n + 1/2, where s runs over the frequencies of the phonons and g over the gap, in units of 2 pi T. All are analytic
in ln x, so that a function of the kind is known everywhere once it is known at a few nodes: some 5 for each
decade. The nodes are picked by a pivoted QR factorisation of the whole family on a logarithmic grid (an interpolative
decomposition: H. Cheng, Z. Gimbutas, P. G. Martinsson and V. Rokhlin, SIAM J. Sci. Comput. 26, 1389 (2005)). That of J.
Kaye, K. Chen and O. Parcollet, Phys. Rev. B 105, 235115 (2022), picks nodes for Green functions likewise.
"""

import itertools
from dataclasses import dataclass
from functools import cache, cached_property
from math import log

import numpy as np
import scipy
from numpy.typing import NDArray

from hightc.eliashberg.modes import FloatArray

INTERPOLATION_TOLERANCE = 3e-7
"""Size of the last pivot relative to the first at which enough nodes are picked."""

_SMALLEST = 0.1  # of s and g: below, the functions are indistinguishable at x >= 1/2
_LARGEST_GAP = 30.0  # 2 Delta/kB T of about 400
_SCALE_STEP = 0.3  # of ln s
_GAP_STEP = 0.6  # of ln g
_DECAY = 0.5  # x is counted as far from here on, in units of the largest s
_REACH = 32  # of the last node, in units of the largest s
_CANDIDATES = 400
_CUT = 1e-13  # of the pseudo-inverse: rounding
_EXACT = 40  # panels up to this size are summed term by term
_FIRST_PANEL = 32
_GAUSS = 12
_TAIL_GAUSS = 24
_MIDPOINT = 4096  # panels longer than this are integrals: the midpoint rule is then exact to 1e-9


@dataclass(frozen=True)
class MatsubaraNodes:
    """Nodes for functions with features up to a given frequency.

    Parameters
    ----------
    scale
        Largest s in units of 2 pi T.
    """

    scale: float

    def _functions(self, position: FloatArray) -> FloatArray:
        """Family at positions x, shape (M, K), times a weight that undoes the slowest decay."""
        x = position[:, None]
        s = np.exp(np.arange(log(_SMALLEST), log(self.scale) + _SCALE_STEP, _SCALE_STEP))
        g = np.exp(np.arange(log(_SMALLEST), log(min(_LARGEST_GAP, self.scale)) + _GAP_STEP, _GAP_STEP))
        lorentzian = s**2 / (s**2 + x**2)
        normal = x / np.hypot(x, g)
        family = [
            lorentzian,
            lorentzian * np.log1p((x / s) ** 2),
            s / x * np.arctan(x / s),
            s / (s + x),
            1 - x / np.hypot(x, s),
        ]
        family.append((normal[:, :, None] * lorentzian[:, None, :]).reshape(position.size, -1))
        return np.hstack(family) * self._weight(x)

    def _weight(self, position: FloatArray) -> FloatArray:
        return 1 + position / (_DECAY * self.scale)

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """Matsubara indices n of the nodes, increasing from 0, shape (J,)."""
        last = max(_GAUSS, _REACH * self.scale)
        candidates = np.unique(np.rint(np.geomspace(1, last + 1, _CANDIDATES) - 1).astype(np.intp))
        triangle, order = scipy.linalg.qr(self._functions(_positions(candidates)).T, mode="r", pivoting=True)
        pivots = np.abs(np.diag(triangle))
        count = int(np.sum(pivots > INTERPOLATION_TOLERANCE * pivots[0]))
        return np.sort(candidates[order[:count]])

    def interpolation(self, position: FloatArray) -> FloatArray:
        """Matrix that takes decaying functions from the nodes to positions x = n + 1/2.

        Parameters
        ----------
        position
            Any x > 0, shape (M,).

        Returns
        -------
        ndarray
            Shape (M, J).
        """
        weighted = self._functions(position) @ self._inverse
        return np.asarray(weighted / self._weight(position)[:, None])

    @cached_property
    def _inverse(self) -> FloatArray:
        """Pseudo-inverse of the family at the nodes, shape (K, J)."""
        node = _positions(self.index)
        return np.asarray(np.linalg.pinv(self._functions(node), rcond=_CUT) * self._weight(node))


def _positions(index: NDArray[np.intp]) -> FloatArray:
    return index.astype(np.float64) + 0.5


def summation_rule(n: int, reach: float) -> tuple[FloatArray, FloatArray]:
    """Positions and weights of sums over all m >= 0 of functions with features at x = m + 1/2 near 0 and n + 1/2.

    Panels double in length away from both. Short ones are summed term by term; longer ones by Gauss points whose
    weights reproduce the sums of all polynomials up to degree 11. From ``reach`` on the sum is an integral over 1/x.

    Parameters
    ----------
    n
        Matsubara index near which the summand may vary fast.
    reach
        Beyond this x the summand is a power series in 1/x without constant and linear term.

    Returns
    -------
    position : ndarray
        Shape (M,).
    weight : ndarray
        Shape (M,).
    """
    edges, step = {0, n}, _FIRST_PANEL
    while step < reach:
        edges.add(n + step)
        if step <= max(n // 2, _FIRST_PANEL):
            edges |= {min(step, n), max(n - step, 0)}
        step *= 2
    position, weight = _panels(sorted(edges))
    node, gauss = np.polynomial.legendre.leggauss(_TAIL_GAUSS)
    inverse, end = (node + 1) / 2, max(edges)
    return np.append(position, end / inverse), np.append(weight, gauss / 2 * end / inverse**2)


def finite_rule(n: int) -> tuple[FloatArray, FloatArray]:
    """Positions and weights of sums over 0 <= m < n of functions of x = m + 1/2 with features near 0 only.

    Parameters
    ----------
    n
        Number of terms, positive.

    Returns
    -------
    position : ndarray
        Shape (M,).
    weight : ndarray
        Shape (M,).
    """
    edges = [0]
    while edges[-1] < n:
        edges.append(min(n, max(_FIRST_PANEL, 2 * edges[-1])))
    return _panels(edges)


def _panels(edges: list[int]) -> tuple[FloatArray, FloatArray]:
    rules = [_panel(first, end) for first, end in itertools.pairwise(edges)]
    return np.concatenate([rule[0] for rule in rules]), np.concatenate([rule[1] for rule in rules])


@cache
def _panel(first: int, end: int) -> tuple[FloatArray, FloatArray]:
    """Rule for the sum over first <= m < end of a function of m + 1/2."""
    if end - first <= _EXACT:
        return _positions(np.arange(first, end)), np.ones(end - first)
    node, weight = np.polynomial.legendre.leggauss(_GAUSS)
    middle, half = (first + end) / 2, (end - first) / 2
    if end - first > _MIDPOINT:
        return middle + half * node, half * weight
    terms = (_positions(np.arange(first, end)) - middle) / half
    sums = np.polynomial.legendre.legvander(terms, _GAUSS - 1).sum(axis=0)
    return middle + half * node, np.linalg.solve(np.polynomial.legendre.legvander(node, _GAUSS - 1).T, sums)
