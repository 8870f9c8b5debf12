"""Isotropic Migdal-Eliashberg theory: moments, closed formulas and the gap equation."""

from hightc.eliashberg import formulas
from hightc.eliashberg.critical_temperature import critical_temperature, critical_temperatures
from hightc.eliashberg.critical_temperature_dense import critical_temperature_dense
from hightc.eliashberg.errors import (
    ConvergenceError,
    EliashbergError,
    NegativeSpectrumWarning,
    ParameterError,
    SpectrumError,
)
from hightc.eliashberg.modes import CoupledModes, Spectrum
from hightc.eliashberg.results import TcSolution, TcSolutions, TcStatus
from hightc.eliashberg.spectrum import Alpha2F

__all__ = [
    "Alpha2F",
    "ConvergenceError",
    "CoupledModes",
    "EliashbergError",
    "NegativeSpectrumWarning",
    "ParameterError",
    "Spectrum",
    "SpectrumError",
    "TcSolution",
    "TcSolutions",
    "TcStatus",
    "critical_temperature",
    "critical_temperature_dense",
    "critical_temperatures",
    "formulas",
]
