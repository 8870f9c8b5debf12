"""Local maxima of a function on a periodic mesh, their basins of ascent and their places between the points."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TIE = 1e-9
"""Difference, relative to the range of the function, below which neighbours count as equal."""

FEWEST_POINTS = 3
"""Points along an axis that a curvature needs; along an axis with fewer nothing is refined."""

_STEPS = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticFit:
    """The parabola through a mesh point and its neighbours.

    Attributes
    ----------
    shift : ndarray (3,)
        Place of the maximum from the mesh point, in steps of the mesh.
    value : float
        Its height.
    curvature : ndarray (3, 3)
        Second derivatives with respect to the steps of the mesh; zero along axes with fewer than three points.
    refined : bool
        False where the parabola has no maximum within one step: shift and height are then those of the mesh point.
    """

    shift: NDArray[np.float64]
    value: float
    curvature: NDArray[np.float64]
    refined: bool


def ends_of_ascent(values: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> NDArray[np.int64]:
    """Follow the steepest ascent from each mesh point to where it ends.

    Parameters
    ----------
    values
        (n1, n2, n3) the function.
    reciprocal
        (3, 3) vectors that the mesh divides, as rows: they give the distances of the 26 neighbours.

    Returns
    -------
    ndarray (n1, n2, n3)
        Flat position of the local maximum of each point. Of equal neighbours the one that comes first is the higher,
        so that a plateau has one end.
    """
    size = values.size
    rounded = np.rint((values - values.min()) / (TIE * max(float(np.ptp(values)), 1e-300)))
    order = np.empty(size, dtype=np.int64)
    order[np.lexsort((-np.arange(size), rounded.ravel()))] = np.arange(size)
    rank = order.reshape(values.shape)
    positions = np.arange(size).reshape(values.shape)
    target, steepest = positions.copy(), np.full(values.shape, -1.0)
    lengths = np.linalg.norm(_STEPS / np.array(values.shape) @ reciprocal, axis=1)
    for step, length in zip(_STEPS, lengths, strict=True):
        back = tuple((-step).tolist())
        slope = (np.roll(rounded, back, axis=(0, 1, 2)) - rounded) / length
        better = (np.roll(rank, back, axis=(0, 1, 2)) > rank) & (slope > steepest)
        steepest = np.where(better, slope, steepest)
        target = np.where(better, np.roll(positions, back, axis=(0, 1, 2)), target)
    flat = target.ravel()
    while not np.array_equal(flat, flat[flat]):
        flat = flat[flat]
    return np.asarray(flat.reshape(values.shape), dtype=np.int64)


def fit_parabola(values: NDArray[np.float64], point: tuple[int, int, int]) -> QuadraticFit:
    """Refine a local maximum between the mesh points by central differences.

    Parameters
    ----------
    values
        (n1, n2, n3) the function.
    point
        A mesh point that none of its neighbours exceeds.

    Returns
    -------
    QuadraticFit
        Its height and place are exact for a parabola.
    """
    window = values[np.ix_(*((np.arange(-1, 2) + p) % n for p, n in zip(point, values.shape, strict=True)))]
    centre, unit = float(window[1, 1, 1]), np.eye(3, dtype=np.int64)

    def at(step: NDArray[np.int64]) -> float:
        return float(window[tuple(step + 1)])

    active = [axis for axis in range(3) if values.shape[axis] >= FEWEST_POINTS]
    gradient, curvature = np.zeros(3), np.zeros((3, 3))
    for i in active:
        gradient[i] = (at(unit[i]) - at(-unit[i])) / 2
        curvature[i, i] = at(unit[i]) - 2 * centre + at(-unit[i])
    for i, j in itertools.combinations(active, 2):
        plus, minus = unit[i] + unit[j], unit[i] - unit[j]
        curvature[i, j] = curvature[j, i] = (at(plus) - at(minus) - at(-minus) + at(-plus)) / 4
    # a direction without curvature, as along the axis of a cylinder, is not moved along
    eigenvalues, vectors = np.linalg.eigh(curvature)
    curved = eigenvalues < -TIE * max(abs(centre), float(np.abs(eigenvalues).max()), 1e-300)
    shift = -(vectors[:, curved] / eigenvalues[curved]) @ (vectors[:, curved].T @ gradient)
    saddle = bool((eigenvalues > TIE * max(abs(centre), 1e-300)).any())
    if saddle or not curved.any() or np.abs(shift).max() > 1:
        return QuadraticFit(np.zeros(3), centre, curvature, refined=False)
    return QuadraticFit(shift, centre + float(gradient @ shift) / 2, curvature, refined=True)
