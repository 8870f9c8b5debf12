"""Isotropic Migdal-Eliashberg theory: moments, closed formulas and the gap equation."""

from hightc.eliashberg import formulas
from hightc.eliashberg.critical_temperature import critical_temperature
from hightc.eliashberg.errors import (
    ConvergenceError,
    EliashbergError,
    NegativeSpectrumWarning,
    ParameterError,
    SpectrumError,
)
from hightc.eliashberg.modes import CoupledModes, Spectrum
from hightc.eliashberg.results import TcSolution, TcStatus
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
    "TcStatus",
    "critical_temperature",
    "formulas",
]
