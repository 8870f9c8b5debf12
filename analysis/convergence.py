"""Where a quantity holds still against the smearing, and against the k mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Plateau:
    """The stretch of smearings over which a quantity holds still.

    Attributes
    ----------
    status : {"plateau", "no_plateau"}
        Whether there is one.
    indices : tuple of int
        Positions in the given arrays, in order of increasing smearing; empty without a plateau.
    chosen : int or None
        Position of the point to use.
    smearing_ev, value : float or None
        Smearing and value there.
    low, high : float or None
        Lowest and highest value on the plateau: the error bar.
    relative_spread : float or None
        (high - low)/mean over the plateau.
    """

    status: Literal["plateau", "no_plateau"]
    indices: tuple[int, ...] = ()
    chosen: int | None = None
    smearing_ev: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    relative_spread: float | None = None


def find_plateau(
    smearing_ev: ArrayLike,
    values: ArrayLike,
    *,
    relative_tolerance: float = 0.10,
    min_points: int = 3,
) -> Plateau:
    """Find the earliest stretch of smearings over which a positive quantity holds still.

    Parameters
    ----------
    smearing_ev : array_like (n,)
        Smearings, in any order and unit.
    values : array_like (n,)
        The quantity, for example lambda. Values that are not finite or not positive count as noise and end
        a stretch.
    relative_tolerance : float
        Largest (high - low)/mean over the plateau.
    min_points : int
        Fewest points of a plateau.

    Returns
    -------
    Plateau
        With status `no_plateau` and nothing else if no stretch agrees or there are too few points.

    Raises
    ------
    ValueError
        If the arrays differ in shape, or min_points is less than 2.

    Notes
    -----
    The smallest smearings are noise: too few k points lie within them. Very large ones always look flat,
    because everything is averaged over several eV. So the plateau is not the flattest stretch but the earliest:
    the first `min_points` consecutive values that agree, extended while they still do.

    Chosen is the inner point where the quantity changes least with the logarithm of the smearing, by central
    differences. The logarithm, because smearings matter by their ratio: a plain slope would favour the
    over-smeared end, where equal steps are small ratios. An inner point, because the two ends are where the
    plateau is being left. The middle would be as good on a true plateau, but it drifts towards over-smearing
    with every large smearing that is added to the series.

    A series that falls monotonically into its over-smeared end has a plateau there too; nothing in the numbers
    tells it from a true one. `relative_spread` and denser k points do.

    Examples
    --------
    >>> find_plateau([1, 2, 3, 4], [0.1, 0.38, 0.40, 0.39]).value
    0.4
    """
    smearing, quantity = np.asarray(smearing_ev, dtype=float), np.asarray(values, dtype=float)
    if smearing.ndim != 1 or smearing.shape != quantity.shape or min_points < 2:
        found = f"{smearing.shape}, {quantity.shape}, {min_points}"
        msg = f"expected two arrays (n,) and min_points >= 2, found {found}"
        raise ValueError(msg)
    order = np.argsort(smearing, kind="stable")
    smearing, quantity = smearing[order], quantity[order]
    for start in range(len(quantity) - min_points + 1):
        stop = start + min_points
        if not _agree(quantity[start:stop], relative_tolerance):
            continue
        while stop < len(quantity) and _agree(quantity[start : stop + 1], relative_tolerance):
            stop += 1
        inside = slice(start, stop)
        chosen = start + _flattest(smearing[inside], quantity[inside])
        low, high = float(quantity[inside].min()), float(quantity[inside].max())
        return Plateau(
            status="plateau",
            indices=tuple(order[inside].tolist()),
            chosen=int(order[chosen]),
            smearing_ev=float(smearing[chosen]),
            value=float(quantity[chosen]),
            low=low,
            high=high,
            relative_spread=(high - low) / float(quantity[inside].mean()),
        )
    return Plateau(status="no_plateau")


@dataclass(frozen=True, slots=True)
class MeshConvergence:
    """How far lambda still depends on the mesh of the double delta.

    Attributes
    ----------
    status : {"converged", "not_converged"}
        Whether there is a smearing from which on the last two curves agree.
    chosen : int or None
        Position of the smearing to use; None if no smearing has two finite, positive values.
    smearing_ev, value : float or None
        The smearing, and lambda of the last curve there.
    error, relative_error : float or None
        Distance of the last two curves there, absolute and over ``value``: the error bar of the mesh.
    """

    status: Literal["converged", "not_converged"]
    chosen: int | None = None
    smearing_ev: float | None = None
    value: float | None = None
    error: float | None = None
    relative_error: float | None = None


def dense_mesh_convergence(
    smearing_ev: ArrayLike,
    couplings: ArrayLike,
    *,
    relative_tolerance: float = 0.05,
    min_points: int = 2,
) -> MeshConvergence:
    """Compare lambda against the smearing between meshes.

    Parameters
    ----------
    smearing_ev : array_like (n,)
        Smearings, in any order, common to all meshes.
    couplings : array_like (n_curves, n)
        lambda of each mesh, from coarse to dense; or, of one mesh, lambda as computed and as scaled to the density of
        states of the tetrahedra, see :func:`hightc.analysis.rescaling.rescale_by_dos`.
    relative_tolerance : float
        Largest distance of the last two curves over the last that counts as agreement.
    min_points : int
        How many neighbouring smearings must agree: curves that cross agree at one point by accident.

    Returns
    -------
    MeshConvergence
        At the narrowest smearing that, with the next wider ones, is converged: wider ones agree as well, but on an
        average over more of the bands. Without one, at the smearing of least distance.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there are fewer than two curves.

    Examples
    --------
    >>> dense_mesh_convergence([0.1, 0.2, 0.3], [[0.2, 0.41, 0.40], [0.3, 0.40, 0.39]]).smearing_ev
    0.2
    """
    smearing, values = np.asarray(smearing_ev, dtype=float), np.asarray(couplings, dtype=float)
    if smearing.ndim != 1 or values.ndim != 2 or values.shape[1:] != smearing.shape or len(values) < 2:
        msg = f"expected smearings (n,) and two or more curves (n_curves, n), found {smearing.shape}, {values.shape}"
        raise ValueError(msg)
    order = np.argsort(smearing, kind="stable")
    coarse, dense = values[-2, order], values[-1, order]
    known = np.isfinite(coarse) & np.isfinite(dense) & (coarse > 0) & (dense > 0)
    if not known.any():
        return MeshConvergence(status="not_converged")
    distance = np.full(len(smearing), np.inf)
    distance[known] = np.abs(dense - coarse)[known] / dense[known]
    agree = distance <= relative_tolerance
    starts = [start for start in range(len(agree) - min_points + 1) if agree[start : start + min_points].all()]
    chosen = starts[0] if starts else int(distance.argmin())
    return MeshConvergence(
        status="converged" if starts else "not_converged",
        chosen=int(order[chosen]),
        smearing_ev=float(smearing[order[chosen]]),
        value=float(dense[chosen]),
        error=float(abs(dense[chosen] - coarse[chosen])),
        relative_error=float(distance[chosen]),
    )


def _agree(values: NDArray[np.float64], relative_tolerance: float) -> bool:
    if not (np.isfinite(values).all() and (values > 0).all()):
        return False
    return bool(np.ptp(values) <= relative_tolerance * values.mean())


def _flattest(smearing: NDArray[np.float64], values: NDArray[np.float64]) -> int:
    """Position of the inner point with the least |d value / d ln smearing|; the first of two points."""
    if len(values) < 3:
        return 0
    slopes = np.abs((values[2:] - values[:-2]) / np.log(smearing[2:] / smearing[:-2]))
    return 1 + int(slopes.argmin())
