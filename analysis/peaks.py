"""Peaks of a function of the wave vector: where it is large, up to symmetry and between the points of its mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.mesh_maxima import TIE, QuadraticFit, ends_of_ascent, fit_parabola
from hightc.analysis.reciprocal_symmetry import fold, images, lengths, point_group, reciprocal_vectors
from hightc.analysis.symmetry_lines import LinePosition, SymmetryLine, position_on_line, symmetry_lines

SAME_PLACE = 0.5
"""Distance, in steps of the mesh, of images of a peak under its own symmetry that only rounding keeps apart."""

SAME_PEAK = 1.0
"""Distance, in steps of the mesh, of two maxima that the mesh does not resolve."""

ON_LINE = 0.25
"""Distance from a line of high symmetry, in steps of the mesh, that counts as on it."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A local maximum and its images under the point group.

    Attributes
    ----------
    q_reduced : tuple of 3 float
        Its place in units of the reciprocal lattice vectors, in the first Brillouin zone; of the images the one with
        the largest Cartesian coordinates, x before y before z.
    q_per_angstrom : tuple of 3 float
        The same in Cartesian coordinates, 1/Angstrom with the 2 pi.
    line : LinePosition or None
        Where it lies on a line of high symmetry; None off all lines.
    value : float
        Height of the parabola through the neighbouring mesh points, in the unit of the function.
    strength : float
        The value over the mean of the function on the whole mesh.
    images : int
        Number of different wave vectors that symmetry makes of it.
    refined : bool
        False where the neighbours form no parabola with a maximum: place and value are those of a mesh point.
    curvature_angstrom2 : tuple of 3 tuple of 3 float
        Second derivatives of the function at this wave vector in Cartesian coordinates, its unit times Angstrom^2;
        zero along an axis with fewer than three mesh points.
    """

    q_reduced: tuple[float, float, float]
    q_per_angstrom: tuple[float, float, float]
    line: LinePosition | None
    value: float
    strength: float
    images: int
    refined: bool
    curvature_angstrom2: tuple[tuple[float, float, float], ...]

    @property
    def at_gamma(self) -> bool:
        """Whether it is the peak at q = 0."""
        return not any(self.q_reduced)


@dataclass(frozen=True, slots=True)
class GammaPeak:
    """What was found at q = 0, where a nesting function diverges for any Fermi surface.

    Attributes
    ----------
    excluded : bool
        Whether the list of peaks leaves it out.
    is_maximum : bool
        Whether the function has a local maximum there at all.
    strength : float
        The value at q = 0 over the mean.
    share_of_zone : float
        Share of the mesh points from which the steepest ascent ends at q = 0; 0 without a maximum there.
    radius_per_angstrom : float
        Largest distance of these points from q = 0, in 1/Angstrom; 0 without a maximum there.
    """

    excluded: bool
    is_maximum: bool
    strength: float
    share_of_zone: float
    radius_per_angstrom: float


@dataclass(frozen=True, slots=True)
class Peaks:
    """Peaks of one function, the strongest first.

    Attributes
    ----------
    peaks : tuple of Peak
        Local maxima that exceed the mean by the factor asked for; empty where there are none.
    gamma : GammaPeak
        What was done about q = 0.
    mean : float
        Mean of the function over the mesh.
    mesh : tuple of 3 int
        The mesh.
    """

    peaks: tuple[Peak, ...]
    gamma: GammaPeak
    mean: float
    mesh: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Zone:
    """Reciprocal vectors, symmetry and lines of a crystal, and the size and mean of a function in it."""

    reciprocal: NDArray[np.float64]
    group: NDArray[np.int64]
    lines: tuple[SymmetryLine, ...]
    size: NDArray[np.int64]
    mean: float


def find_peaks(
    values: NDArray[np.float64],
    structure: Structure,
    *,
    rotations: NDArray[np.int64] | None = None,
    include_gamma: bool = False,
    least_strength: float = 1.0,
    most: int = 20,
) -> Peaks:
    """Find the peaks of a function of q, such as a nesting function or a susceptibility.

    A point belongs to the peak that its steepest ascent, over the 26 neighbours, ends at. All points whose ascent ends
    at q = 0 belong to the trivial peak there, however wide, and are left out unless asked for.

    Parameters
    ----------
    values
        (n1, n2, n3) the function on a Gamma-centred mesh of the whole reciprocal cell, with a positive mean.
    structure
        The crystal in the cell whose reciprocal vectors the mesh divides.
    rotations
        (n, 3, 3) symmetries as of ``point_group``; those of the crystal if left out.
    include_gamma
        Whether a maximum at q = 0 is one of the peaks, as it should be for a susceptibility.
    least_strength
        Smallest value, over the mean, of a peak.
    most
        Longest list.

    Returns
    -------
    Peaks
        Merged by symmetry and refined by parabolas.

    Raises
    ------
    ValueError
        If the array has no three axes, holds numbers that are not finite, or has no positive mean.
    """
    mean, size = _checked_mean(values), np.array(values.shape)
    group = point_group(structure) if rotations is None else rotations
    zone = _Zone(reciprocal_vectors(structure), group, symmetry_lines(structure), size, mean)
    ends = ends_of_ascent(values, zone.reciprocal)
    starts = [_position(int(flat), values) for flat in np.unique(ends) if flat != 0 or include_gamma]
    fits = [(position, fit_parabola(values, position)) for position in starts]
    # equal heights in the order of the mesh: the list does not depend on rounding
    fits.sort(key=lambda entry: -round(entry[1].value / mean, 9))
    kept: list[Peak] = []
    taken: list[NDArray[np.float64]] = []
    for position, fit in fits:
        if fit.value < (1 - TIE) * least_strength * mean or len(kept) == most:
            break
        place = (np.array(position) + fit.shift) / size
        q, curvature = _symmetrised(place, np.diag(size) @ fit.curvature @ np.diag(size), group, size)
        if not any(_within(star - q, size, SAME_PEAK).any() for star in taken):
            taken.append(images(q, group))
            kept.append(_peak(q, fit, curvature, zone))
    return Peaks(tuple(kept), _gamma(values, ends, zone, include_gamma), mean, _mesh(values))


def _checked_mean(values: NDArray[np.float64]) -> float:
    if values.ndim != 3 or not values.size:
        msg = f"values: expected an array (n1, n2, n3) over a whole mesh, found shape {values.shape}: unfold it first"
        raise ValueError(msg)
    if not np.isfinite(values).all():
        first = np.argwhere(~np.isfinite(values))[0].tolist()
        msg = f"values{first}: expected finite numbers, found {values[tuple(first)]}: compute this point again"
        raise ValueError(msg)
    mean = float(values.mean())
    if mean <= 0:
        msg = f"values: expected a function of positive mean, found {mean:g}: is the Fermi energy within a band?"
        raise ValueError(msg)
    return mean


def _mesh(values: NDArray[np.float64]) -> tuple[int, int, int]:
    n1, n2, n3 = values.shape
    return n1, n2, n3


def _position(flat: int, values: NDArray[np.float64]) -> tuple[int, int, int]:
    i, j, k = (int(index) for index in np.unravel_index(flat, values.shape))
    return i, j, k


def _within(difference: NDArray[np.float64], size: NDArray[np.int64], steps: float) -> NDArray[np.bool_]:
    """Whether differences (..., 3) of reduced coordinates are reciprocal lattice vectors up to some mesh steps."""
    return np.asarray((np.abs(difference - np.rint(difference)) * size <= steps).all(axis=-1), dtype=np.bool_)


def _symmetrised(
    q: NDArray[np.float64], curvature: NDArray[np.float64], group: NDArray[np.int64], size: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of a place, and of second derivatives in reduced coordinates, over the images on the place itself."""
    offset = images(q, group) - q
    near = _within(offset, size, SAME_PLACE)
    inverse = np.linalg.inv(group[near])
    mean = (inverse @ curvature @ np.swapaxes(inverse, 1, 2)).mean(axis=0)
    return q + (offset - np.rint(offset))[near].mean(axis=0), mean


def _peak(q: NDArray[np.float64], fit: QuadraticFit, curvature: NDArray[np.float64], zone: _Zone) -> Peak:
    group, reciprocal, size = zone.group, zone.reciprocal, zone.size
    star = fold(images(q, group), reciprocal)
    order = np.round(star @ reciprocal, 6)
    chosen = int(np.lexsort((order[:, 2], order[:, 1], order[:, 0]))[-1])
    best = np.where(np.abs(star[chosen]) < 1e-12, 0.0, star[chosen])
    distinct: list[NDArray[np.float64]] = []
    for image in star:
        if not any(_within(image - other, size, 1e-6) for other in distinct):
            distinct.append(image)
    steps = np.linalg.norm(reciprocal / size[:, None], axis=1)
    # the image moves by a row d(q) W where the maximum found moves by d(q)
    to_cartesian = np.linalg.inv(reciprocal) @ np.linalg.inv(group[chosen])
    return Peak(
        q_reduced=_triple(best),
        q_per_angstrom=_triple(best @ reciprocal),
        line=position_on_line(best, zone.lines, group, reciprocal, ON_LINE * float(steps.min())),
        value=fit.value,
        strength=fit.value / zone.mean,
        images=len(distinct),
        refined=fit.refined,
        curvature_angstrom2=tuple(_triple(row) for row in to_cartesian @ curvature @ to_cartesian.T),
    )


def _gamma(values: NDArray[np.float64], ends: NDArray[np.int64], zone: _Zone, included: bool) -> GammaPeak:
    basin = np.argwhere(ends == 0)
    is_maximum = bool(ends[0, 0, 0] == 0)
    radius = float(lengths(basin / zone.size, zone.reciprocal).max(initial=0))
    return GammaPeak(
        excluded=is_maximum and not included,
        is_maximum=is_maximum,
        strength=float(values[0, 0, 0]) / zone.mean,
        share_of_zone=len(basin) / values.size,
        radius_per_angstrom=radius,
    )


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
