"""Units of the codes in the units of this package (meV, eV, GPa, Angstrom), from scipy.constants (CODATA)."""

from __future__ import annotations

from typing import Final

from scipy.constants import physical_constants

from hightc.eliashberg.constants import KB_MEV_PER_K


def _value(name: str) -> float:
    return float(physical_constants[name][0])


BOHR_ANGSTROM: Final = _value("Bohr radius") * 1e10
HARTREE_EV: Final = _value("Hartree energy in eV")
RYDBERG_EV: Final = HARTREE_EV / 2
RYDBERG_MEV: Final = RYDBERG_EV * 1e3
HARTREE_PER_BOHR3_GPA: Final = _value("Hartree energy") / _value("Bohr radius") ** 3 * 1e-9
HARTREE_PER_BOHR_EV_PER_ANGSTROM: Final = HARTREE_EV / BOHR_ANGSTROM
PER_CM_MEV: Final = _value("inverse meter-electron volt relationship") * 1e5
THZ_MEV: Final = _value("hertz-electron volt relationship") * 1e15
KELVIN_MEV: Final = KB_MEV_PER_K
KELVIN_EV: Final = KELVIN_MEV / 1e3
AMU_RYDBERG_MASS: Final = _value("atomic mass constant") / _value("electron mass") / 2
