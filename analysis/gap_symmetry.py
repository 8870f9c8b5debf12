"""The name of a gap function: which harmonics transform as it does under the point group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.reciprocal_symmetry import cartesian_rotations

Array = NDArray[np.float64]

SIGN_CHANGE = 0.02
"""Share of the Fermi surface with the other sign at which a fully symmetric gap is called s+-."""

NODE = 0.05
"""Size of a gap, relative to its root mean square, below which its sign is not counted."""

CHARACTER_TOLERANCE = 0.1
"""Distance of multiplicities from whole numbers that coarse meshes and rounded bands explain."""

HARMONICS: dict[str, tuple[tuple[str, Callable[[Array, Array, Array], Array]], ...]] = {
    "s": (("1", lambda x, y, z: np.ones_like(x + y + z)),),
    "p": (("x", lambda x, y, z: x), ("y", lambda x, y, z: y), ("z", lambda x, y, z: z)),
    "d": (
        ("x2-y2", lambda x, y, z: x**2 - y**2),
        ("xy", lambda x, y, z: x * y),
        ("xz", lambda x, y, z: x * z),
        ("yz", lambda x, y, z: y * z),
        ("z2", lambda x, y, z: 2 * z**2 - x**2 - y**2),
    ),
    "f": (
        ("xyz", lambda x, y, z: x * y * z),
        ("z(x2-y2)", lambda x, y, z: z * (x**2 - y**2)),
        ("x(y2-z2)", lambda x, y, z: x * (y**2 - z**2)),
        ("y(z2-x2)", lambda x, y, z: y * (z**2 - x**2)),
        ("x(x2-3y2)", lambda x, y, z: x * (x**2 - 3 * y**2)),
        ("y(3x2-y2)", lambda x, y, z: y * (3 * x**2 - y**2)),
    ),
    "g": (
        ("xy(x2-y2)", lambda x, y, z: x * y * (x**2 - y**2)),
        ("xz(x2-z2)", lambda x, y, z: x * z * (x**2 - z**2)),
        ("yz(y2-z2)", lambda x, y, z: y * z * (y**2 - z**2)),
    ),
}
"""Harmonics by name, the lowest first; x, y, z are the Cartesian axes of the structure."""

_SAMPLES = 64
_SEED = 0
_RANK = 1e-8


@dataclass(frozen=True, slots=True)
class GapSymmetry:
    """What a set of degenerate gap functions is under the rotations.

    Attributes
    ----------
    name : str or None
        "s", "s+-", "p", "d", "f" or "g", after the lowest harmonics that transform alike; None with a reason.
    harmonics : tuple of str
        These harmonics, for example ("x2-y2",) or ("x", "y"); of a representation that several sets of harmonics
        share, as z2 and 1 in a tetragonal crystal, the first.
    degeneracy : int
        Number of gap functions of the set.
    negative_share : float or None
        Share of the Fermi surface on which the gap has the rarer sign; None for a set of several.
    reason : str or None
        Why there is no name.
    """

    name: str | None
    harmonics: tuple[str, ...]
    degeneracy: int
    negative_share: float | None
    reason: str | None


def gap_symmetry(
    gap: Array,
    weights: Array,
    structure: Structure,
    rotations: NDArray[np.int64],
    permutations: NDArray[np.int64],
) -> GapSymmetry:
    """Name a set of degenerate gap functions by their characters.

    Parameters
    ----------
    gap
        (degeneracy, n1, n2, n3) the functions.
    weights
        (n1, n2, n3) weights of the Fermi surface.
    structure
        The crystal, whose axes give the names.
    rotations
        (n, 3, 3) as of ``point_group``.
    permutations
        (n, n_points) as of ``mesh_permutations``.

    Returns
    -------
    GapSymmetry
        The first harmonics whose representation holds that of the gap functions. A fully symmetric gap that changes
        its sign over the Fermi surface is "s+-".
    """
    characters = gap_characters(gap, weights, permutations)
    degeneracy = len(gap)
    negative = _negative_share(gap[0], weights) if degeneracy == 1 else None
    # 1 for an irreducible representation, 2 for a pair of complex conjugate ones
    norm = float(np.mean(characters**2))
    if not any(abs(norm - whole) < CHARACTER_TOLERANCE * whole for whole in (1, 2)):
        reason = f"mean squared character {norm:.2f}: gaps agree by accident, or the bands break the symmetry"
        return GapSymmetry(None, (), degeneracy, negative, reason)
    cartesian = cartesian_rotations(structure, rotations)
    for name, functions in HARMONICS.items():
        shell = [(harmonic, *_representation(function, cartesian)) for harmonic, function in functions]
        held = [entry for entry in shell if float(np.mean(characters * entry[1])) > norm - CHARACTER_TOLERANCE]
        if held:
            smallest = min(dimension for _, _, dimension in held)
            shown = tuple(harmonic for harmonic, _, dimension in held if dimension == smallest)
            changes = name == "s" and negative is not None and negative > SIGN_CHANGE
            return GapSymmetry("s+-" if changes else name, shown, degeneracy, negative, None)
    return GapSymmetry(None, (), degeneracy, negative, "no harmonic up to g transforms alike")


def gap_characters(gap: Array, weights: Array, permutations: NDArray[np.int64]) -> Array:
    """Traces of the rotations in the space of some gap functions.

    Parameters
    ----------
    gap
        (degeneracy, n1, n2, n3) the functions.
    weights
        (n1, n2, n3) weights of the Fermi surface, which define the overlap.
    permutations
        (n, n_points) as of ``mesh_permutations``.

    Returns
    -------
    ndarray (n,)
        One trace a rotation.
    """
    flat, weight = gap.reshape(len(gap), -1), weights.ravel()
    overlap = (weight * flat) @ flat.T
    inverse = np.linalg.inv(overlap)
    return np.array([np.trace(inverse @ ((weight * flat) @ flat[:, turned].T)) for turned in permutations])


def _negative_share(gap: Array, weights: Array) -> float:
    counted = weights * (np.abs(gap) > NODE * np.sqrt(np.average(gap**2, weights=weights)))
    share = float(counted[gap < 0].sum() / counted.sum())
    return min(share, 1 - share)


def _representation(function: Callable[[Array, Array, Array], Array], rotations: Array) -> tuple[Array, int]:
    """Characters (n,) and dimension of the space that the rotations make of one harmonic."""
    # functions are known by their values at as many random points as make them independent
    points = np.random.default_rng(_SEED).standard_normal((_SAMPLES, 3))

    def rotated(at: Array) -> Array:
        # rows times R are R^-1 x, the transpose being the inverse
        turned = np.moveaxis(at[..., None, :, :] @ rotations, -1, 0)
        return function(turned[0], turned[1], turned[2])

    orbit = rotated(points)
    _, triangle, order = scipy.linalg.qr(orbit.T, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    independent = order[: int((sizes > _RANK * sizes[0]).sum())]
    coefficients = np.linalg.pinv(orbit[independent].T)
    moved = np.array([rotated(points @ rotation)[independent] for rotation in rotations])
    return np.einsum("ip,nip->n", coefficients, moved), len(independent)
