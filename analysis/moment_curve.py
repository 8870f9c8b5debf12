"""Magnetic moment against pressure, and how fast pressure takes it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from hightc.analysis.documents.magnetism import MagneticOrder, MagneticState, MomentCurve, OrderKind
from hightc.analysis.equation_of_state import EquationOfState
from hightc.analysis.magnetic_rows import MOMENT_GONE_BOHR_MAGNETON, converged_rows, number, row_moment

WINDOW: Final = 5
"""Points of a local fit; with fewer than 4 it is a straight line."""

BANDWIDTH: Final = 1.5
"""Distance at which the weight of a point is zero, over that of the farthest one in the window."""

ONE_SIGMA: Final = 0.8413
"""Share of a normal distribution below one standard deviation."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MomentRows:
    """What one order has on the ladder, by increasing pressure.

    Attributes
    ----------
    pressure_gpa, volume_angstrom3, moment_bohr_magneton : ndarray (n,)
        Volume and moment per atom.
    """

    pressure_gpa: Array
    volume_angstrom3: Array
    moment_bohr_magneton: Array

    @property
    def magnetic(self) -> NDArray[np.bool_]:
        """(n,) where there is a moment."""
        return self.moment_bohr_magneton >= MOMENT_GONE_BOHR_MAGNETON

    def branch(self, index: int) -> MomentRows:
        """Points with a moment around one of them, up to the next without.

        Parameters
        ----------
        index
            Number of the point; it has a moment.
        """
        gone = np.flatnonzero(~self.magnetic)
        start = int(gone[gone < index].max(initial=-1)) + 1
        stop = int(gone[gone > index].min(initial=len(self.magnetic)))
        part = slice(start, stop)
        return MomentRows(self.pressure_gpa[part], self.volume_angstrom3[part], self.moment_bohr_magneton[part])


@dataclass(frozen=True, slots=True)
class LogarithmicSlope:
    """d ln|m|/dP at one pressure.

    Attributes
    ----------
    value_per_gpa : float or None
        The slope; None if there are fewer than two points.
    error_per_gpa : float or None
        Its standard error; None if neither the noise nor more points than the fit needs are known.
    """

    value_per_gpa: float | None
    error_per_gpa: float | None


def reached_kind(
    total_moment_bohr_magneton_per_atom: float, absolute_moment_bohr_magneton_per_atom: float
) -> OrderKind:
    """What the spins of a finished calculation do.

    Parameters
    ----------
    total_moment_bohr_magneton_per_atom
        Integral of the magnetisation over the number of atoms.
    absolute_moment_bohr_magneton_per_atom
        The same of its absolute value.

    Returns
    -------
    str
        A ferrimagnet counts as ferromagnetic: it has a net moment.
    """
    if absolute_moment_bohr_magneton_per_atom < MOMENT_GONE_BOHR_MAGNETON:
        return "nonmagnetic"
    net = abs(total_moment_bohr_magneton_per_atom) >= MOMENT_GONE_BOHR_MAGNETON
    return "ferromagnetic" if net else "antiferromagnetic"


def moment_rows(states: Sequence[MagneticState], order: MagneticOrder) -> MomentRows:
    """Moments of an order where it ended as what it is or lost its moment.

    Parameters
    ----------
    states
        Rows of every order.
    order
        A magnetic order.

    Returns
    -------
    MomentRows
        By increasing pressure; rows that ended as another order with a moment are left out.
    """
    kept = [row for row in converged_rows(states, order.name) if row.reached in (order.kind, "nonmagnetic")]
    kept.sort(key=lambda row: number(row.pressure_gpa))
    return MomentRows(
        np.array([number(row.pressure_gpa) for row in kept], dtype=float),
        np.array([number(row.volume_angstrom3_per_atom) for row in kept], dtype=float),
        np.array([row_moment(row, order.kind) for row in kept], dtype=float),
    )


def logarithmic_slope(branch: MomentRows, pressure_gpa: float, noise_bohr_magneton: float | None) -> LogarithmicSlope:
    """Logarithmic slope of the moment at a pressure, from the nearest points of one branch.

    Parameters
    ----------
    branch
        Points with a moment, none without between them.
    pressure_gpa
        Pressure in GPa, on the branch or little beyond its ends.
    noise_bohr_magneton
        Standard error of a moment by the k mesh and the smearing; None if it was not measured.

    Returns
    -------
    LogarithmicSlope
        None for what the points do not tell.

    Notes
    -----
    d ln m/dP = -(d m^2/d ln V)/(2 m^2 B). It is m^2 that is fitted: by Landau's theory it goes to zero linearly, where
    m is a root and ln m diverges, and far from there it is as smooth as they. It is fitted against ln V, not against
    P: the moment follows the distance of the atoms, a ladder is even in V, and equal steps of V are pressures that
    grow from ten to hundreds of GPa, over which no low polynomial in P holds. The fit is local (W. S. Cleveland, J.
    Am. Stat. Assoc. 74, 829 (1979)): 5 nearest points, tricube weights, a parabola from 4 points on. B comes from
    Birch and Murnaghan's curve through the pressures of the branch.

    The error is that of B and the larger of two: what the noise of the moments carries into the slope, and what the
    residuals of the fit do, times Student's factor for the one or two points that are left over. The residuals hold
    the noise too, but so few may by chance be small.
    """
    n = min(WINDOW, len(branch.moment_bohr_magneton))
    if n < 2:
        return LogarithmicSlope(None, None)
    state = EquationOfState.from_pressures(branch.volume_angstrom3, branch.pressure_gpa)
    lowest, highest = state.pressure_range_gpa
    if not lowest <= pressure_gpa <= highest:
        return LogarithmicSlope(None, None)
    volume = state.volume_angstrom3(pressure_gpa)
    modulus, modulus_error = state.bulk_modulus_gpa(volume)
    x = np.log(branch.volume_angstrom3 / volume)
    near = np.argsort(np.abs(x), kind="stable")[:n]
    fit = _fit_square(x[near], branch.moment_bohr_magneton[near], noise_bohr_magneton)
    if modulus <= 0 or fit is None:
        return LogarithmicSlope(None, None)
    against_volume, error = fit
    slope = -against_volume / modulus
    if error is None:
        return LogarithmicSlope(slope, None)
    return LogarithmicSlope(slope, float(np.hypot(error / modulus, slope * modulus_error / modulus)))


def _fit_square(x: Array, moment: Array, noise_bohr_magneton: float | None) -> tuple[float, float | None] | None:
    """Slope d ln m/dx at x = 0 from a local fit of m^2, and its error; None if m^2 is not positive there."""
    weights = (1 - (np.abs(x) / (BANDWIDTH * np.abs(x).max())) ** 3) ** 3
    design = np.vander(x, 3 if len(x) >= 4 else 2, increasing=True)
    # the weighted pseudo-inverse: its rows give value and slope as sums over the points
    inverse = np.linalg.solve(design.T @ (weights[:, None] * design), design.T * weights)
    coefficients = inverse @ moment**2
    if coefficients[0] <= 0:
        return None
    slope = float(coefficients[1] / (2 * coefficients[0]))
    gradient = (inverse[1] - 2 * slope * inverse[0]) / (2 * coefficients[0])
    variances = []
    if noise_bohr_magneton is not None:
        variances.append(float(np.sum((gradient * 2 * moment * noise_bohr_magneton) ** 2)))
    if (n_free := len(x) - design.shape[1]) > 0:
        residual = moment**2 - design @ coefficients
        spread = student.ppf(ONE_SIGMA, n_free) ** 2 * (weights @ residual**2) / n_free
        variances.append(float(spread * np.sum(gradient**2)))
    return slope, float(np.sqrt(max(variances))) if variances else None


def collapse_bracket(rows: MomentRows) -> tuple[float, float] | None:
    """Last pressure with a moment and first one after it without, in GPa.

    Parameters
    ----------
    rows
        Moments by increasing pressure.

    Returns
    -------
    tuple or None
        None if there is no moment anywhere, or still one at the highest pressure.
    """
    last = int(np.flatnonzero(rows.magnetic).max(initial=-1))
    if last < 0 or last == len(rows.magnetic) - 1:
        return None
    return float(rows.pressure_gpa[last]), float(rows.pressure_gpa[last + 1])


def moment_curve(
    states: Sequence[MagneticState], order: MagneticOrder, noise_bohr_magneton: float | None
) -> MomentCurve:
    """Moment of one order against pressure, its slope at every point, and where it is gone.

    Parameters
    ----------
    states
        Rows of every order.
    order
        A magnetic order.
    noise_bohr_magneton
        Standard error of a moment by the k mesh and the smearing; None if it was not measured.
    """
    rows = moment_rows(states, order)
    slopes = [
        logarithmic_slope(rows.branch(index), float(rows.pressure_gpa[index]), noise_bohr_magneton)
        if rows.magnetic[index]
        else LogarithmicSlope(None, None)
        for index in range(len(rows.magnetic))
    ]
    return MomentCurve(
        order=order.name,
        pressure_gpa=tuple(rows.pressure_gpa.tolist()),
        moment_bohr_magneton_per_atom=tuple(rows.moment_bohr_magneton.tolist()),
        noise_bohr_magneton=noise_bohr_magneton,
        dlnm_dp_per_gpa=tuple(slope.value_per_gpa for slope in slopes),
        dlnm_dp_error_per_gpa=tuple(slope.error_per_gpa for slope in slopes),
        collapse_bracket_gpa=collapse_bracket(rows),
    )
