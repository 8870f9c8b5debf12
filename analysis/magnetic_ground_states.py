"""Which magnetic order has the lowest enthalpy, and where another one takes over."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from scipy.optimize import brentq

from hightc.analysis.documents.magnetism import GroundState, MagneticTransition, MomentCurve
from hightc.analysis.magnetic_enthalpy import SAME_PRESSURE_GPA, EnthalpyCurve
from hightc.analysis.magnetic_rows import number


def ground_state(
    curves: dict[str, EnthalpyCurve], moments: Sequence[MomentCurve], pressure_gpa: float
) -> GroundState | None:
    """The order of lowest enthalpy at a pressure.

    Parameters
    ----------
    curves
        Enthalpies of :func:`hightc.analysis.magnetic_enthalpy.enthalpy_curves`.
    moments
        Moment of each magnetic order, for the pressures between which one collapses.
    pressure_gpa
        Pressure in GPa.

    Returns
    -------
    GroundState or None
        None if it is not known: no order was computed around that pressure, or one that is the lowest nearby has no
        result there, or loses its moment between the row before and the row behind.
    """
    if any(_fading(curve, curves, pressure_gpa) for curve in moments):
        return None
    found = {name: curve.enthalpy_ev(pressure_gpa) for name, curve in curves.items()}
    ranking = sorted((value, name) for name, value in found.items() if value is not None)
    if not ranking or any(_missed(name, curves, pressure_gpa) for name in curves):
        return None
    lowest, name = ranking[0]
    return GroundState(
        pressure_gpa=pressure_gpa,
        order=name,
        margin_mev_per_atom=1e3 * (ranking[1][0] - lowest) if len(ranking) > 1 else None,
        moment_bohr_magneton_per_atom=curves[name].moment(pressure_gpa),
    )


def _fading(moments: MomentCurve, curves: dict[str, EnthalpyCurve], pressure_gpa: float) -> bool:
    """Whether an order that is the lowest before it loses its moment is about to lose it."""
    low, high = moments.collapse_bracket_gpa or (pressure_gpa, pressure_gpa)
    if not low < pressure_gpa < high:
        return False
    return moments.order not in curves or _lowest(curves, curves[moments.order].nearest_gpa(low)) == moments.order


def _missed(name: str, curves: dict[str, EnthalpyCurve], pressure_gpa: float) -> bool:
    """Whether an order has no result at a pressure, but is the lowest where it has one."""
    low, high = curves[name].known_gpa
    return not low <= pressure_gpa <= high and _lowest(curves, curves[name].nearest_gpa(pressure_gpa)) == name


def _lowest(curves: dict[str, EnthalpyCurve], pressure_gpa: float) -> str:
    """Order of lowest enthalpy among those with one."""
    found = ((curve.enthalpy_ev(pressure_gpa), name) for name, curve in curves.items())
    return min((value, name) for value, name in found if value is not None)[1]


def ground_states(
    curves: dict[str, EnthalpyCurve], moments: Sequence[MomentCurve], asked_gpa: Sequence[float]
) -> tuple[GroundState, ...]:
    """The order of lowest enthalpy on the ladder and at the pressures asked for, where it is known.

    Parameters
    ----------
    curves
        Enthalpies of :func:`hightc.analysis.magnetic_enthalpy.enthalpy_curves`.
    moments
        Moment of each magnetic order.
    asked_gpa
        Further pressures in GPa.

    Returns
    -------
    tuple of GroundState
        By increasing pressure: those of the order with most rows, and those asked for.
    """
    ladder = max(curves.values(), key=lambda curve: len(curve.pressure_gpa)).pressure_gpa.tolist() if curves else []
    distinct: list[float] = []
    # a pressure asked for is kept as it is, rather than the one of the ladder beside it
    for pressure in (*asked_gpa, *ladder):
        if all(abs(pressure - one) > SAME_PRESSURE_GPA for one in distinct):
            distinct.append(pressure)
    found = (ground_state(curves, moments, pressure) for pressure in sorted(distinct))
    return tuple(one for one in found if one is not None)


def transitions(curves: dict[str, EnthalpyCurve], grounds: Sequence[GroundState]) -> tuple[MagneticTransition, ...]:
    """Where the enthalpies of neighbouring ground states cross.

    Parameters
    ----------
    curves
        Enthalpies of :func:`hightc.analysis.magnetic_enthalpy.enthalpy_curves`.
    grounds
        Ground states by increasing pressure.

    Returns
    -------
    tuple of MagneticTransition
        One for each change of order between two pressures at which both orders are known; where one of them is not,
        it has lost its moment, and its bracket says where.
    """
    found = []
    for below, above in itertools.pairwise(grounds):
        ends = below.pressure_gpa, above.pressure_gpa
        first, second = curves[below.order], curves[above.order]
        if first is second or not (first.defined(*ends) and second.defined(*ends)):
            continue

        def difference(pressure: float, first: EnthalpyCurve = first, second: EnthalpyCurve = second) -> float:
            return number(first.enthalpy_ev(pressure)) - number(second.enthalpy_ev(pressure))

        pressure = float(brentq(difference, *ends))
        found.append(MagneticTransition(pressure_gpa=pressure, below=below.order, above=above.order))
    return tuple(found)
