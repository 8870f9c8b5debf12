"""What a reader of magnetic moments under pressure should know before using them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from hightc.analysis.documents.magnetism import MagneticOrder, MagneticState, Softness
from hightc.analysis.equation_of_state import EquationOfState
from hightc.analysis.magnetic_rows import converged_rows, number
from hightc.analysis.stoner import NEAR_CRITICAL

PRESSURE_DISAGREEMENT_GPA: Final = 3.0
"""Least distance between the pressure of the stress and that of the energies worth a warning: the basis of plane
waves shifts the stress, by some 0.5 GPa at a sound cutoff."""

PRESSURE_DISAGREEMENT: Final = 0.02
"""The same as a share of the pressure, for the highest rungs."""

OVERESTIMATE: Final = (
    "functionals without spin fluctuations overestimate moments near a quantum critical point (Ortenzi et al., Phys. "
    "Rev. B 86, 064437)"
)

_FEWEST_VOLUMES = 5  # one more than the coefficients of the energies


def magnetic_warnings(
    states: Sequence[MagneticState],
    orders: Sequence[MagneticOrder],
    softness: Sequence[Softness],
    noise_bohr_magneton: float | None,
    stoner_product: float | None,
) -> tuple[str, ...]:
    """Say what was missed, what is noise, and where a mean field is not to be trusted.

    Parameters
    ----------
    states
        Rows of every order.
    orders
        The orders tried.
    softness
        s at the pressures asked for.
    noise_bohr_magneton
        Standard error of a moment by the k mesh and the smearing; None if it was not measured.
    stoner_product
        I N(E_F); None if it is not known.
    """
    warnings = _failures(states) + _silent(states, orders) + _changes(states, orders) + _pressures(states, orders)
    if noise_bohr_magneton is None:
        warnings.append(
            "the scatter of the moments by k mesh and smearing was not measured: errors are the fit's alone"
        )
    for one in softness:
        if one.value_per_gpa is None or one.error_per_gpa is None:
            continue
        if abs(one.value_per_gpa) < 2 * one.error_per_gpa:
            warnings.append(
                f"at {one.pressure_gpa:g} GPa the slope of the moment is lost in its error: s = "
                f"{one.value_per_gpa:.2g} +- {one.error_per_gpa:.2g} per GPa"
            )
    if stoner_product is not None and abs(stoner_product - 1) <= NEAR_CRITICAL:
        warnings.append(
            f"I N(E_F) = {stoner_product:.2f} is within {100 * NEAR_CRITICAL:.0f} % of 1: {OVERESTIMATE}; read each "
            "moment as an interval from 0 to the number given"
        )
    return tuple(warnings)


def _place(row: MagneticState) -> str:
    if row.target_pressure_gpa is not None:
        return f"{row.target_pressure_gpa:g} GPa"
    return f"V/V0 = {number(row.volume_ratio):g}"


def _failures(states: Sequence[MagneticState]) -> list[str]:
    return [f"{row.order} at {_place(row)} failed: {row.reason}" for row in states if row.status == "failed"]


def _silent(states: Sequence[MagneticState], orders: Sequence[MagneticOrder]) -> list[str]:
    """Orders without any result: they may be lower than those with one."""
    silent = [order.name for order in orders if not converged_rows(states, order.name)]
    return [f"no result of {', '.join(silent)}: the ground state is the lowest of the others"] if silent else []


def _changes(states: Sequence[MagneticState], orders: Sequence[MagneticOrder]) -> list[str]:
    """Rows that ended as another order with a moment; losing it is what a ladder is about."""
    return [
        f"{order.name} at {_place(row)} ended {row.reached}: it is no row of {order.name}"
        for order in orders
        for row in converged_rows(states, order.name)
        if row.reached not in (order.kind, "nonmagnetic") or (order.kind == "nonmagnetic" != row.reached)
    ]


def _pressures(states: Sequence[MagneticState], orders: Sequence[MagneticOrder]) -> list[str]:
    """Pressures that do not rise with compression, or are not the derivative of the energies."""
    found = []
    for order in orders:
        rows = [row for row in converged_rows(states, order.name) if row.reached == order.kind]
        falling = [
            _place(second)
            for first, second in itertools.pairwise(rows)
            if number(second.pressure_gpa) <= number(first.pressure_gpa)
        ]
        if falling:
            found.append(
                f"{order.name}: the pressure does not rise with compression up to {', '.join(falling)}: its volume "
                "jumps there"
            )
        elif (distance := _disagreement(rows)) is not None:
            found.append(
                f"{order.name}: the pressures of the stress and of the energies differ by up to {distance:.1f} GPa: "
                "a higher cutoff brings them together"
            )
    return found


def _disagreement(rows: Sequence[MagneticState]) -> float | None:
    """Largest distance between both pressures where it is worth a warning."""
    rows = [row for row in rows if row.energy_ev_per_atom is not None]
    if len(rows) < _FEWEST_VOLUMES:
        return None
    volume = [number(row.volume_angstrom3_per_atom) for row in rows]
    derived = EquationOfState.from_energies(volume, [number(row.energy_ev_per_atom) for row in rows])
    pressures = [number(row.pressure_gpa) for row in rows]
    distances = [
        (abs(own - other), abs(own - other) > max(PRESSURE_DISAGREEMENT_GPA, PRESSURE_DISAGREEMENT * abs(own)))
        for own, other in zip(pressures, derived.pressure_gpa(volume).tolist(), strict=True)
    ]
    large = [distance for distance, worth in distances if worth]
    return max(large) if large else None
