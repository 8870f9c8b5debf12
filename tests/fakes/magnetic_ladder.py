"""A magnet that Landau's theory solves exactly, on a ladder of volumes.

Without a moment the energy is Birch and Murnaghan's. A moment adds -a(V) m^2 + b m^4 with a = slope (V - Vc): above
Vc the moment is sqrt(a/2b) and the energy lower by a^2/4b; at Vc both go to zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymatgen.core import Lattice, Structure

from hightc.analysis.documents.base import MaterialTag, Provenance
from hightc.analysis.documents.magnetism import MagneticOrder, MagneticState, MagnetismDocument
from hightc.analysis.equation_of_state import EV_PER_ANGSTROM3_GPA, EquationOfState
from hightc.analysis.magnetic_orders import magnetic_orders
from hightc.analysis.softness import magnetism_document
from hightc.analysis.stoner import StonerParameter

V0 = 11.0
BULK_GPA = 180.0
RATIOS = (1.05, 1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
FCC = Structure(Lattice([[0, 1.765, 1.765], [1.765, 0, 1.765], [1.765, 1.765, 0]]), ["Ni"], [[0, 0, 0]])


def _nonmagnetic() -> EquationOfState:
    """Birch and Murnaghan's curve of 180 GPa at 11 Angstrom^3 whose derivative is 5."""
    volumes = [V0 * ratio for ratio in (1.1, 1.0, 0.9, 0.8, 0.7)]

    def pressure(volume: float) -> float:
        x = (V0 / volume) ** (1 / 3)
        return 1.5 * BULK_GPA * (x**7 - x**5) * (1 + 0.75 * (5 - 4) * (x**2 - 1))

    return EquationOfState.from_pressures(volumes, [pressure(volume) for volume in volumes])


NONMAGNETIC = _nonmagnetic()
PROVENANCE = Provenance(
    input_sha256="0" * 64,
    codes={"pw.x": "6.7MaX"},
    pseudopotentials=(),
    corrections=(),
    directory="/scratch/ni",
    wall_seconds=1.0,
)


@dataclass(frozen=True)
class LandauMagnet:
    """One order: where it loses its moment, and the moment and the energy gained at V0.

    A ``shift_ev`` lowers the energy without a moment's help, to let orders cross.
    """

    critical_angstrom3: float
    moment: float = 0.6
    gain_ev: float = 0.05
    shift_ev: float = 0.0

    def moment_at(self, volume: float) -> float:
        """Bohr magnetons per atom."""
        return self.moment * max(0.0, (volume - self.critical_angstrom3) / (V0 - self.critical_angstrom3)) ** 0.5

    def energy_at(self, volume: float) -> float:
        """Energy in eV per atom."""
        base = NONMAGNETIC.enthalpy_ev(0.0)  # any constant
        powers = NONMAGNETIC.coefficients @ [volume ** (-2 * n / 3) for n in (1, 2, 3)]
        inside = max(0.0, (volume - self.critical_angstrom3) / (V0 - self.critical_angstrom3))
        return float(powers - base - self.gain_ev * inside**2 + self.shift_ev)

    def pressure_at(self, volume: float) -> float:
        """Pressure in GPa."""
        reach = V0 - self.critical_angstrom3
        inside = max(0.0, (volume - self.critical_angstrom3) / reach)
        return float(NONMAGNETIC.pressure_gpa(volume)[0]) + 2 * self.gain_ev * inside / reach * EV_PER_ANGSTROM3_GPA


PARAMAGNET = LandauMagnet(critical_angstrom3=2 * V0, moment=0.0, gain_ev=0.0)


def orders(n: int = 3) -> tuple[MagneticOrder, ...]:
    """NM, FM and the antiferromagnetic orders of an fcc metal."""
    return magnetic_orders(FCC, {"Ni"}, max_orders=n)[0]


def row(order: MagneticOrder, ratio: float, magnet: LandauMagnet, **changes: Any) -> MagneticState:
    """One converged row."""
    volume = ratio * V0
    energy, pressure, moment = magnet.energy_at(volume), magnet.pressure_at(volume), magnet.moment_at(volume)
    fields: dict[str, Any] = {
        "order": order.name,
        "volume_ratio": ratio,
        "target_pressure_gpa": None,
        "status": "converged",
        "reason": None,
        "started_from": "atomic",
        "reached": order.kind if moment >= 0.05 else "nonmagnetic",
        "volume_angstrom3_per_atom": volume,
        "pressure_gpa": pressure,
        "energy_ev_per_atom": energy,
        "enthalpy_ev_per_atom": energy + pressure * volume / EV_PER_ANGSTROM3_GPA,
        "total_moment_bohr_magneton_per_atom": moment if order.kind == "ferromagnetic" else 0.0,
        "absolute_moment_bohr_magneton_per_atom": moment,
        "site_moments_bohr_magneton": None,
        "dos_per_ev_spin_cell": 1.0 if order.kind == "nonmagnetic" else None,
        "structure": None,
        "provenance": PROVENANCE,
    }
    return MagneticState(**{**fields, **changes})


def failed_row(order: MagneticOrder, ratio: float, reason: str = "not converged in 100 steps") -> MagneticState:
    """One row without a result."""
    nothing = dict.fromkeys(MagneticState.model_fields)
    fields = {"order": order.name, "volume_ratio": ratio, "status": "failed", "started_from": "atomic"}
    return MagneticState(**{**nothing, **fields, "reason": reason})


def ladder(order: MagneticOrder, magnet: LandauMagnet, ratios: tuple[float, ...] = RATIOS) -> list[MagneticState]:
    """Rows of one order."""
    return [row(order, ratio, magnet) for ratio in ratios]


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Zero of a function that changes sign once, to 1e-10."""
    rising = function(high) > function(low)
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (low, middle) if (function(middle) > 0) == rising else (middle, high)
    return low


def magnetic_document() -> MagnetismDocument:
    """A ferromagnet that collapses below an antiferromagnet, and a rung that failed."""
    nonmagnetic, ferromagnetic, antiferromagnetic = every = orders()
    states = [
        *ladder(nonmagnetic, PARAMAGNET),
        *ladder(ferromagnetic, LandauMagnet(8.6)),
        *ladder(antiferromagnetic, LandauMagnet(7.0, moment=0.8, gain_ev=0.06)),
        failed_row(ferromagnetic, 0.6),
    ]
    return magnetism_document(
        MaterialTag(campaign="test", material="Ni"),
        FCC,
        every,
        ("larger cells",),
        states,
        target_pressure_gpa=20.0,
        noise_bohr_magneton=0.01,
        stoner=StonerParameter(1.0, "a table"),
        protocol="draft",
    )
