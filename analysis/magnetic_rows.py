"""Rows of a magnetic ladder: which have a result, and the moment they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hightc.analysis.documents.magnetism import MagneticState, OrderKind

MOMENT_GONE_BOHR_MAGNETON: Final = 0.05
"""Per atom: below it there is no moment, only the errors of mesh, smearing and bands."""


def rung(state: MagneticState) -> float:
    """Place on the ladder, increasing with compression: the pressure asked for, or less the volume ratio.

    Parameters
    ----------
    state
        A row.

    Raises
    ------
    ValueError
        If the row has neither.
    """
    if state.target_pressure_gpa is not None:
        return state.target_pressure_gpa
    if state.volume_ratio is None:
        msg = f"{state.order}: expected a volume ratio or a target pressure in each row, found neither"
        raise ValueError(msg)
    return -state.volume_ratio


def converged_rows(states: Sequence[MagneticState], order: str) -> list[MagneticState]:
    """Rows of an order that have a result, one a rung, by increasing compression.

    Parameters
    ----------
    states
        Rows of every order.
    order
        Name of the order.

    Returns
    -------
    list of MagneticState
        Of two rows on one rung, the one of lower enthalpy.

    Raises
    ------
    ValueError
        If a converged row has no volume, pressure, enthalpy or moment.
    """
    rows: dict[float, MagneticState] = {}
    for state in states:
        if state.order != order or state.status != "converged":
            continue
        numbers = {
            "volume": state.volume_angstrom3_per_atom,
            "pressure": state.pressure_gpa,
            "enthalpy": state.enthalpy_ev_per_atom,
            "total moment": state.total_moment_bohr_magneton_per_atom,
            "absolute moment": state.absolute_moment_bohr_magneton_per_atom,
            "reached": state.reached,
        }
        if missing := [name for name, value in numbers.items() if value is None]:
            msg = f"{order} on rung {rung(state):g}: expected a converged row to be complete, found no {missing[0]}"
            raise ValueError(msg)
        rival = rows.get(rung(state))
        if rival is None or number(state.enthalpy_ev_per_atom) < number(rival.enthalpy_ev_per_atom):
            rows[rung(state)] = state
    return [rows[place] for place in sorted(rows)]


def number(value: float | None) -> float:
    """A number that a converged row is known to have.

    Parameters
    ----------
    value
        Field of a row that :func:`converged_rows` gave.

    Raises
    ------
    ValueError
        If it is None.
    """
    if value is None:
        msg = "expected a number of a converged row, found None: take the rows from converged_rows"
        raise ValueError(msg)
    return value


def row_moment(row: MagneticState, kind: OrderKind) -> float:
    """Moment of a converged row in Bohr magnetons per atom: the one that its order has.

    Parameters
    ----------
    row
        A row of :func:`converged_rows`.
    kind
        Total moment of a ferromagnet, absolute one of an antiferromagnet, whose total is zero; 0 without magnetism.
    """
    if kind == "nonmagnetic":
        return 0.0
    if kind == "ferromagnetic":
        return abs(number(row.total_moment_bohr_magneton_per_atom))
    return number(row.absolute_moment_bohr_magneton_per_atom)
