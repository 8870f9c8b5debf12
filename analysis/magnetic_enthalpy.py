"""Enthalpy of each magnetic order against pressure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

from hightc.analysis.documents.magnetism import MagneticOrder, MagneticState
from hightc.analysis.equation_of_state import EV_PER_ANGSTROM3_GPA, EquationOfState
from hightc.analysis.magnetic_rows import converged_rows, number, row_moment

BEYOND_ENDS: Final = 0.5
"""Share of the outermost step of the ladder by which a curve may be followed beyond it."""

SAME_PRESSURE_GPA: Final = 1e-3
"""Pressures closer than this are one: it is below the convergence of any stress."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EnthalpyCurve:
    """Enthalpy, volume and moment of one order where it is a solution.

    Attributes
    ----------
    order : str
        Name of the order.
    pressure_gpa, moment_bohr_magneton : ndarray (n,)
        Rows by increasing pressure; the moment is the absolute one per atom for an antiferromagnet.
    intervals_gpa : tuple of (float, float)
        Where the curve is defined: between neighbouring rows, and a little beyond the ends of the ladder.
    known_gpa : (float, float)
        Between these pressures it is known whether the order is a solution.
    """

    order: str
    pressure_gpa: Array
    moment_bohr_magneton: Array
    intervals_gpa: tuple[tuple[float, float], ...]
    known_gpa: tuple[float, float]
    _residual: CubicHermiteSpline
    _reference: EquationOfState | None

    def defined(self, *pressures_gpa: float) -> bool:
        """Whether the order is known to be a solution at some pressures and between them.

        Parameters
        ----------
        *pressures_gpa
            Pressures in GPa.
        """
        return any(low <= min(pressures_gpa) and max(pressures_gpa) <= high for low, high in self.intervals_gpa)

    def nearest_gpa(self, pressure_gpa: float) -> float:
        """The nearest pressure at which the curve is defined, in GPa.

        Parameters
        ----------
        pressure_gpa
            Pressure in GPa.
        """
        inside = [min(max(pressure_gpa, low), high) for low, high in self.intervals_gpa]
        return min(inside, key=lambda one: abs(one - pressure_gpa))

    def enthalpy_ev(self, pressure_gpa: float) -> float | None:
        """Enthalpy in eV per atom.

        Parameters
        ----------
        pressure_gpa
            Pressure in GPa.

        Returns
        -------
        float or None
            None where the curve is not defined.
        """
        if not self.defined(pressure_gpa):
            return None
        common = self._reference.enthalpy_ev(pressure_gpa) if self._reference else 0.0
        return common + float(self._residual(pressure_gpa))

    def moment(self, pressure_gpa: float) -> float:
        """Moment in Bohr magnetons per atom, that of the last row beyond the ends.

        Parameters
        ----------
        pressure_gpa
            Pressure in GPa.
        """
        inside = np.clip(pressure_gpa, self.pressure_gpa[0], self.pressure_gpa[-1])
        if len(self.pressure_gpa) == 1:
            return float(self.moment_bohr_magneton[0])
        return float(PchipInterpolator(self.pressure_gpa, self.moment_bohr_magneton)(inside))


def enthalpy_curves(states: Sequence[MagneticState], orders: Sequence[MagneticOrder]) -> dict[str, EnthalpyCurve]:
    """Enthalpy of each order that has rows with it at the end.

    Parameters
    ----------
    states
        Rows of every order.
    orders
        The orders tried.

    Returns
    -------
    dict
        Curves by the name of the order; of a single row the curve is that point.

    Notes
    -----
    From every enthalpy that of one common equation of state is taken, and what remains, milli-electronvolts, is
    interpolated by cubic pieces whose derivatives dH/dP = V are known at each row. The errors of the common curve
    cancel where orders are compared, and no curve is fitted across a moment that vanishes or jumps. A row that ended
    as another order is no point of its own order's curve, which has a gap there.
    """
    rows = {order.name: _own_rows(states, order) for order in orders}
    reference = _common_curve([row for own in rows.values() for row in own])
    return {
        order.name: _curve(order, rows[order.name], converged_rows(states, order.name), reference)
        for order in orders
        if rows[order.name]
    }


def is_heard(states: Sequence[MagneticState], order: MagneticOrder, pressure_gpa: float) -> bool:
    """Whether an order has a result around a pressure, be it that its moment is lost.

    Parameters
    ----------
    states
        Rows of every order.
    order
        The order.
    pressure_gpa
        Pressure in GPa.

    Returns
    -------
    bool
        True between its rows with a result, and beyond the outermost ones by :data:`BEYOND_ENDS` of the step there.
    """
    pressures = [number(row.pressure_gpa) for row in converged_rows(states, order.name)]
    if not pressures:
        return False
    low, high = _followed(pressures, (-np.inf, np.inf))
    return low - SAME_PRESSURE_GPA <= pressure_gpa <= high + SAME_PRESSURE_GPA


def _own_rows(states: Sequence[MagneticState], order: MagneticOrder) -> list[MagneticState]:
    """Rows that ended as the order; those whose pressure does not rise with compression are left out."""
    kept: list[MagneticState] = []
    for row in converged_rows(states, order.name):
        rises = not kept or number(row.pressure_gpa) > number(kept[-1].pressure_gpa) + SAME_PRESSURE_GPA
        if row.reached == order.kind and rises:
            kept.append(row)
    return kept


def _common_curve(rows: Sequence[MagneticState]) -> EquationOfState | None:
    """Equation of state through the rows of every order; None if some lie so far off that it does not reach them."""
    volumes = [number(row.volume_angstrom3_per_atom) for row in rows]
    pressures = [number(row.pressure_gpa) for row in rows]
    if len(set(volumes)) < 2:
        return None
    curve = EquationOfState.from_pressures(volumes, pressures)
    low, high = curve.pressure_range_gpa
    return curve if low <= min(pressures) and max(pressures) <= high else None


def _curve(
    order: MagneticOrder,
    own: Sequence[MagneticState],
    every: Sequence[MagneticState],
    reference: EquationOfState | None,
) -> EnthalpyCurve:
    pressure = np.array([number(row.pressure_gpa) for row in own])
    volume = np.array([number(row.volume_angstrom3_per_atom) for row in own])
    enthalpy = np.array([number(row.enthalpy_ev_per_atom) for row in own])
    common, common_volume, limits = np.zeros(len(own)), np.zeros(len(own)), (-np.inf, np.inf)
    if reference:
        common = np.array([reference.enthalpy_ev(one) for one in pressure])
        common_volume = np.array([reference.volume_angstrom3(one) for one in pressure])
        limits = reference.pressure_range_gpa
    return EnthalpyCurve(
        order=order.name,
        pressure_gpa=pressure,
        moment_bohr_magneton=np.array([row_moment(row, order.kind) for row in own]),
        intervals_gpa=_intervals(order, every, pressure, limits),
        known_gpa=_followed([number(row.pressure_gpa) for row in every], limits),
        _residual=_interpolated(pressure, enthalpy - common, (volume - common_volume) / EV_PER_ANGSTROM3_GPA),
        _reference=reference,
    )


def _interpolated(pressure_gpa: Array, values: Array, slopes: Array) -> CubicHermiteSpline:
    """Cubic pieces through the values with their slopes; the tangent of a single one."""
    if len(values) > 1:
        return CubicHermiteSpline(pressure_gpa, values, slopes)
    ends = np.array([0.0, 1.0])
    return CubicHermiteSpline(pressure_gpa[0] + ends, values[0] + slopes[0] * ends, np.repeat(slopes, 2))


def _intervals(
    order: MagneticOrder, every: Sequence[MagneticState], own_gpa: Array, limits_gpa: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """Stretches of the ladder on which each row ended as the order, longer by part of a step at the ladder's ends."""
    stretches = [
        [number(row.pressure_gpa) for row in group]
        for own, group in itertools.groupby(every, key=lambda row: row.reached == order.kind)
        if own
    ]
    found = [(min(stretch), max(stretch)) for stretch in stretches]
    low, high = _followed(own_gpa.tolist(), limits_gpa)
    if every[0].reached == order.kind:
        found[0] = (low, found[0][1])
    if every[-1].reached == order.kind:
        found[-1] = (found[-1][0], high)
    return tuple(found)


def _followed(pressures_gpa: Sequence[float], limits_gpa: tuple[float, float]) -> tuple[float, float]:
    """Lowest and highest of some pressures, each moved out by part of the step beside it, but not beyond limits."""
    ordered = sorted(pressures_gpa)
    if len(ordered) == 1:
        return ordered[0], ordered[0]
    low = ordered[0] - BEYOND_ENDS * (ordered[1] - ordered[0])
    high = ordered[-1] + BEYOND_ENDS * (ordered[-1] - ordered[-2])
    return max(low, limits_gpa[0]), min(high, limits_gpa[1])
