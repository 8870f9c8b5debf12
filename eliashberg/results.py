"""What a calculation of a critical temperature hands back."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.modes import FloatArray


class TcStatus(StrEnum):
    """How a search for a critical temperature ended.

    ``FOUND`` has a positive temperature. ``NO_SUPERCONDUCTIVITY`` is a statement of the theory: the normal
    state is stable at every temperature, so the temperature is 0 K. In the other two cases there is no
    number: ``BELOW_RANGE`` means that Tc exists but lies under the lowest temperature searched, ``INVALID``
    that the question has no meaning for these parameters (the pole of a formula, a mu* with no value at
    phonon scale).
    """

    FOUND = "found"
    BELOW_RANGE = "below_range"
    NO_SUPERCONDUCTIVITY = "no_superconductivity"
    INVALID = "invalid"


@dataclass(frozen=True)
class TcSolution:
    """A critical temperature, or the reason why there is none, with everything needed to judge it.

    Parameters
    ----------
    tc_kelvin
        Critical temperature in K; 0.0 where the theory has no superconductivity, None where it has no answer.
    status
        How the search ended.
    lam, omega_log_mev, omega_2_mev
        Coupling constant and the two mean frequencies in meV of the spectrum used; the frequencies are nan
        where the coupling is zero.
    mu_star
        Coulomb pseudopotential as given.
    reference
        The frequency to which ``mu_star`` refers: ``"omega_2"``, ``"omega_max"`` or ``"value"``; None for
        closed formulas, whose fitted mu* carries no frequency.
    reference_mev
        That frequency in meV, None where there is none.
    error_estimate_kelvin
        Numerical error of ``tc_kelvin`` in K (not the error of the theory); None where there is no iteration.
    evaluations
        Number of largest eigenvalues computed; 0 for closed formulas.
    bracket_kelvin
        Last two temperatures in K between which the normal state was seen to change stability, or None.
    """

    tc_kelvin: float | None
    status: TcStatus
    lam: float
    omega_log_mev: float
    omega_2_mev: float
    mu_star: float
    reference: str | None = None
    reference_mev: float | None = None
    error_estimate_kelvin: float | None = None
    evaluations: int = 0
    bracket_kelvin: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class TcSolutions:
    """Critical temperatures of a batch of spectra; every array has the shape (batch,).

    Parameters
    ----------
    tc_kelvin
        Critical temperatures in K; 0.0 where the theory has no superconductivity, nan where it has no answer.
    status
        Values of `TcStatus`; ``status == "found"`` is a mask.
    lam, omega_log_mev, omega_2_mev
        Coupling constants and the two mean frequencies in meV; the frequencies are nan where the coupling is zero.
    mu_star
        Coulomb pseudopotentials.
    reference
        The frequency to which ``mu_star`` refers: ``"omega_2"``, ``"omega_max"`` or ``"value"``.
    reference_mev
        That frequency in meV, nan where there is none.
    error_estimate_kelvin
        Numerical errors of ``tc_kelvin`` in K (not those of the theory); nan unless found.
    evaluations
        How often the gap equation was solved for each.
    """

    tc_kelvin: FloatArray
    status: npt.NDArray[np.str_]
    lam: FloatArray
    omega_log_mev: FloatArray
    omega_2_mev: FloatArray
    mu_star: FloatArray
    reference: str
    reference_mev: FloatArray
    error_estimate_kelvin: FloatArray
    evaluations: npt.NDArray[np.intp]

    def __len__(self) -> int:
        """Number of spectra."""
        return int(self.tc_kelvin.size)
