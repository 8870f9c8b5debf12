"""How soft the magnetism of a material is under pressure: the verdict, with the numbers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pymatgen.core import Structure

from hightc.analysis.documents.base import Gate, MaterialTag, identity
from hightc.analysis.documents.magnetism import (
    GroundState,
    MagneticOrder,
    MagneticState,
    MagnetismDocument,
    Softness,
)
from hightc.analysis.magnetic_enthalpy import SAME_PRESSURE_GPA, enthalpy_curves, is_heard
from hightc.analysis.magnetic_ground_states import ground_state, ground_states, transitions
from hightc.analysis.magnetic_rows import MOMENT_GONE_BOHR_MAGNETON, converged_rows, number
from hightc.analysis.magnetic_warnings import magnetic_warnings
from hightc.analysis.moment_curve import logarithmic_slope, moment_curve, moment_rows
from hightc.analysis.softness_class import softness_class
from hightc.analysis.stoner import StonerParameter, stoner_product

AMBIENT_GPA: Final = 0.0


def magnetism_document(
    tag: MaterialTag,
    structure: Structure,
    orders: Sequence[MagneticOrder],
    left_out: Sequence[str],
    states: Sequence[MagneticState],
    *,
    target_pressure_gpa: float,
    noise_bohr_magneton: float | None,
    stoner: StonerParameter | None,
    protocol: str,
) -> MagnetismDocument:
    """Judge the rows of a ladder.

    Parameters
    ----------
    tag
        Campaign and material.
    structure
        The given structure, whose volume has the ratio 1, primitive standard cell, Angstrom.
    orders, left_out
        Orders tried, and why further ones were not, as of :func:`hightc.analysis.magnetic_orders.magnetic_orders`.
    states
        One row for each order and rung, also where the calculation failed.
    target_pressure_gpa
        Pressure in GPa at which softness is asked for, besides ambient pressure.
    noise_bohr_magneton
        Standard error of a moment per atom by the k mesh and the smearing; None if it was not measured.
    stoner
        Stoner's parameter; None if it is not known.
    protocol
        Name of the protocol.

    Returns
    -------
    MagnetismDocument
        With the gate ``nonmagnetic`` at the target pressure, which does not pass what is not known.

    Raises
    ------
    ValueError
        If a converged row is not complete, or no order has spins.
    """
    magnetic = [order for order in orders if order.kind != "nonmagnetic"]
    if not magnetic:
        msg = f"{tag.material}: expected an order with spins, found {[order.name for order in orders]}: add FM"
        raise ValueError(msg)
    moments = tuple(moment_curve(states, order, noise_bohr_magneton) for order in magnetic)
    enthalpies = enthalpy_curves(states, orders)
    at_ambient = abs(target_pressure_gpa - AMBIENT_GPA) <= SAME_PRESSURE_GPA
    asked = [AMBIENT_GPA] if at_ambient else sorted((AMBIENT_GPA, target_pressure_gpa))
    grounds = ground_states(enthalpies, moments, asked)
    crossings = transitions(enthalpies, grounds)
    softness = tuple(
        _softness(pressure, ground_state(enthalpies, moments, pressure), states, magnetic, noise_bohr_magneton)
        for pressure in asked
    )
    judged = [one.pressure_gpa for one in grounds if one.pressure_gpa in asked]
    verdict, reason = softness_class(grounds, crossings, moments, softness, _unheard(states, magnetic, judged))
    missed = [order.name for order in magnetic if not is_heard(states, order, target_pressure_gpa)]
    product = _product(states, orders, stoner)
    return MagnetismDocument(
        **identity(tag, structure),
        gates=(_nonmagnetic_gate(ground_state(enthalpies, moments, target_pressure_gpa), target_pressure_gpa, missed),),
        warnings=magnetic_warnings(states, orders, softness, noise_bohr_magneton, product),
        structure=structure,
        magnetic_elements=_magnetic_elements(magnetic),
        orders=tuple(orders),
        orders_left_out=tuple(left_out),
        states=tuple(states),
        curves=moments,
        ground_states=grounds,
        transitions=crossings,
        softness=softness,
        stoner_parameter_ev=stoner.value_ev if stoner else None,
        stoner_parameter_source=stoner.source if stoner else None,
        stoner_product=product,
        softness_class=verdict,
        softness_reason=reason,
        protocol=protocol,
        codes={code: version for row in states if row.provenance for code, version in row.provenance.codes.items()},
    )


def _magnetic_elements(magnetic: Sequence[MagneticOrder]) -> tuple[str, ...]:
    order = magnetic[0]
    found = {site.specie.symbol for site, spin in zip(order.structure, order.spins, strict=True) if spin}
    return tuple(sorted(found))


def _softness(
    pressure_gpa: float,
    ground: GroundState | None,
    states: Sequence[MagneticState],
    magnetic: Sequence[MagneticOrder],
    noise_bohr_magneton: float | None,
) -> Softness:
    """Softness s = -d ln|m|/dP of the ground state at one pressure."""

    def none(reason: str) -> Softness:
        return Softness(pressure_gpa=pressure_gpa, value_per_gpa=None, error_per_gpa=None, reason=reason)

    if ground is None:
        return none("the ground state is not known: the ladder does not reach there, or a moment collapses there")
    order = next((order for order in magnetic if order.name == ground.order), None)
    if order is None or ground.moment_bohr_magneton_per_atom < MOMENT_GONE_BOHR_MAGNETON:
        return none(f"the ground state {ground.order} has no moment")
    rows = moment_rows(states, order)
    index = int(abs(rows.pressure_gpa - pressure_gpa).argmin())
    if not rows.magnetic[index]:
        return none(f"the moment of {order.name} collapses there")
    slope = logarithmic_slope(rows.branch(index), pressure_gpa, noise_bohr_magneton)
    if slope.value_per_gpa is None:
        return none(f"too few rows of {order.name} with a moment")
    reason = None if slope.error_per_gpa is not None else f"too few rows of {order.name} for an error"
    return Softness(
        pressure_gpa=pressure_gpa,
        value_per_gpa=-slope.value_per_gpa,
        error_per_gpa=slope.error_per_gpa,
        reason=reason,
    )


def _unheard(
    states: Sequence[MagneticState], magnetic: Sequence[MagneticOrder], pressures_gpa: Sequence[float]
) -> tuple[str, ...]:
    """Magnetic orders without any result, and those without one around some pressures, which are named with them."""
    found = []
    for order in magnetic:
        missed = [f"{one:g}" for one in pressures_gpa if not is_heard(states, order, one)]
        if not converged_rows(states, order.name):
            found.append(order.name)
        elif missed:
            found.append(f"{order.name} around {' and '.join(missed)} GPa")
    return tuple(found)


def _product(
    states: Sequence[MagneticState], orders: Sequence[MagneticOrder], stoner: StonerParameter | None
) -> float | None:
    """I N(E_F) of the nonmagnetic row nearest to ambient pressure."""
    rows = [
        row
        for order in orders
        if order.kind == "nonmagnetic"
        for row in converged_rows(states, order.name)
        if row.dos_per_ev_spin_cell is not None
    ]
    if stoner is None or not rows:
        return None
    nearest = min(rows, key=lambda row: abs(number(row.pressure_gpa) - AMBIENT_GPA))
    order = next(order for order in orders if order.kind != "nonmagnetic")
    n_magnetic = sum(spin != 0 for spin in order.spins) // order.n_primitive_cells
    return stoner_product(stoner, number(nearest.dos_per_ev_spin_cell), n_magnetic)


def _nonmagnetic_gate(ground: GroundState | None, target_pressure_gpa: float, missed: Sequence[str]) -> Gate:
    """Is the material free of moments at the target pressure? What is not known does not pass."""
    moment = None if ground is None else ground.moment_bohr_magneton_per_atom
    free = moment is not None and moment < MOMENT_GONE_BOHR_MAGNETON
    passed = free and not missed
    where = f"at {target_pressure_gpa:g} GPa"
    if ground is None:
        message = f"the ground state {where} is not known"
    elif free and missed:
        message = f"no result of {', '.join(missed)} around {target_pressure_gpa:g} GPa: it may have a moment there"
    elif passed:
        message = f"nonmagnetic {where}: {moment:.3f} Bohr magnetons per atom"
    else:
        message = f"magnetic {where}: {ground.order} with {moment:.3f} Bohr magnetons per atom"
    return Gate(
        name="nonmagnetic",
        passed=passed,
        value=moment,
        threshold=MOMENT_GONE_BOHR_MAGNETON,
        unit="Bohr magneton/atom",
        message=message,
    )
