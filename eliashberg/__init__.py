"""Isotropic Migdal-Eliashberg theory: closed formulas, critical temperature, gap and what follows from them."""

from hightc.eliashberg import formulas
from hightc.eliashberg.compatibility import (
    elk_critical_temperature,
    elk_gap,
    epw_critical_temperature,
    epw_gap,
)
from hightc.eliashberg.continuation import continue_by_pade, continue_gap
from hightc.eliashberg.critical_temperature import critical_temperature, critical_temperatures
from hightc.eliashberg.critical_temperature_dense import critical_temperature_dense
from hightc.eliashberg.errors import (
    ConvergenceError,
    EliashbergError,
    NegativeSpectrumWarning,
    ParameterError,
    SpectrumError,
)
from hightc.eliashberg.full_bandwidth import critical_temperature_full_bandwidth
from hightc.eliashberg.gap import GapSolution, GapStatus, solve_gap
from hightc.eliashberg.gap_batch import GapSolutions, solve_gaps
from hightc.eliashberg.modes import CoupledModes, Spectrum
from hightc.eliashberg.real_axis_gap import ContinuationStatus, RealAxisGap
from hightc.eliashberg.results import TcSolution, TcSolutions, TcStatus
from hightc.eliashberg.sensitivity import Sensitivity, sensitivity
from hightc.eliashberg.spectrum import Alpha2F
from hightc.eliashberg.spin_fluctuation_rules import daams_mitrovic_carbotte, three_step_rule
from hightc.eliashberg.spin_fluctuations import critical_temperature_with_spin_fluctuations, paramagnon_modes
from hightc.eliashberg.thermodynamics import Thermodynamics, free_energy_difference, thermodynamics

__all__ = [
    "Alpha2F",
    "ContinuationStatus",
    "ConvergenceError",
    "CoupledModes",
    "EliashbergError",
    "GapSolution",
    "GapSolutions",
    "GapStatus",
    "NegativeSpectrumWarning",
    "ParameterError",
    "RealAxisGap",
    "Sensitivity",
    "Spectrum",
    "SpectrumError",
    "TcSolution",
    "TcSolutions",
    "TcStatus",
    "Thermodynamics",
    "continue_by_pade",
    "continue_gap",
    "critical_temperature",
    "critical_temperature_dense",
    "critical_temperature_full_bandwidth",
    "critical_temperature_with_spin_fluctuations",
    "critical_temperatures",
    "daams_mitrovic_carbotte",
    "elk_critical_temperature",
    "elk_gap",
    "epw_critical_temperature",
    "epw_gap",
    "formulas",
    "free_energy_difference",
    "paramagnon_modes",
    "sensitivity",
    "solve_gap",
    "solve_gaps",
    "thermodynamics",
    "three_step_rule",
]
