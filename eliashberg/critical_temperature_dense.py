"""The critical temperature on all Matsubara frequencies: slow, with no basis and no table, the measure of the rest."""

from dataclasses import dataclass, replace
from math import ceil, exp, log, pi

import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import Reference, highest_frequency, reference_frequency, require_mu_star
from hightc.eliashberg.errors import ConvergenceError
from hightc.eliashberg.formulas import allen_dynes_tc_kelvin
from hightc.eliashberg.matsubara import (
    Eigenpair,
    GapOperator,
    gap_operator,
    largest_eigenpair,
    superconducts_at_zero_temperature,
)
from hightc.eliashberg.modes import CoupledModes, Spectrum, modes_of
from hightc.eliashberg.reduced_basis import LOWEST_TEMPERATURE
from hightc.eliashberg.results import TcSolution, TcStatus
from hightc.eliashberg.temperature_bracket import Instability, bracket_instability

TOLERANCE = 1e-7
"""Relative error of Tc by the Matsubara frequencies left out, at which their number is large enough."""

_FIRST_DENSITY = 10.0  # Matsubara frequencies kept per w2 / (2 pi T): Tc to about 1e-4
_LEAST_DENSITY = 2.0  # per w_max / (2 pi T): the kernel's expansion must hold beyond the frequencies kept
_FEWEST_FREQUENCIES = 64
_REFINEMENTS = 5
_FIRST_STEP = 0.1  # in ln T: the Allen-Dynes formula is usually that close
_REFINED_STEP = 1e-3  # in ln T: above the error of the first density, well inside the linear range
_ROOT_TOLERANCE = 1e-10  # in ln T


def critical_temperature_dense(
    spectrum: Spectrum, mu_star: float, *, reference: Reference | float = "omega_2"
) -> TcSolution:
    """Solve the linearised isotropic Eliashberg equations for the critical temperature.

    The root of (largest eigenvalue) = 1 in ln T is bracketed from the Allen-Dynes estimate and found by
    Brent's method. Then the number of Matsubara frequencies is raised, by the N^-4 law of the part left out,
    until that part moves Tc by less than `TOLERANCE`; the part left out is added as well, so that the true
    error is about a tenth of ``error_estimate_kelvin``.

    Parameters
    ----------
    spectrum, mu_star, reference
        As for `critical_temperature`.

    Returns
    -------
    TcSolution
        As of `critical_temperature`; with a number, stability was seen to change in ``bracket_kelvin``. Verdicts at
        zero temperature are those of `matsubara.superconducts_at_zero_temperature`.

    Raises
    ------
    SpectrumError, ParameterError, ConvergenceError
        As `critical_temperature`.

    References
    ----------
    P. B. Allen and R. C. Dynes, Phys. Rev. B 12, 905 (1975); P. B. Allen and B. Mitrovic, Solid State Phys.
    37, 1 (1982), for the matrix form with a cutoff.

    Examples
    --------
    >>> solution = critical_temperature_dense(CoupledModes([10.0], [1.0]), 0.1)
    >>> round(solution.tc_kelvin * KB_MEV_PER_K / 10.0, 6)
    0.072108
    """
    mu_star = require_mu_star(mu_star)
    modes = modes_of(spectrum)
    name, reference_mev = reference_frequency(modes, reference)
    answer = TcSolution(
        tc_kelvin=0.0,
        status=TcStatus.NO_SUPERCONDUCTIVITY,
        lam=modes.lam,
        omega_log_mev=modes.omega_log_mev,
        omega_2_mev=modes.omega_2_mev,
        mu_star=mu_star,
        reference=name,
        reference_mev=reference_mev,
    )
    if not modes.couples or reference_mev is None:
        return answer
    ceiling_mev, highest_mev = highest_frequency(modes.omega_2_mev, modes.omega_max_mev, modes.lam)
    if mu_star > 0 and 1 / mu_star + log(reference_mev / highest_mev) <= 0:
        return replace(answer, tc_kelvin=None, status=TcStatus.INVALID)
    return _search(_Instability(modes.coupled(), mu_star, reference_mev), float(ceiling_mev), answer)


@dataclass
class _Instability(Instability):
    """Phonons and a Coulomb pseudopotential."""

    modes: CoupledModes
    mu_star: float
    reference_mev: float

    def eigenpair(self, log_t: float) -> Eigenpair:
        """Solve at one temperature."""
        return largest_eigenpair(self.operator(log_t))

    def operator(self, log_t: float) -> GapOperator:
        """Build the gap operator at T with as many frequencies as the present refinement wants."""
        temperature = exp(log_t)
        scale = 1 / (2 * pi * temperature)
        n = max(
            _FEWEST_FREQUENCIES,
            _FIRST_DENSITY * self.modes.omega_2_mev * scale,
            _LEAST_DENSITY * self.modes.omega_max_mev * scale,
        )
        return gap_operator(self.modes, temperature, self.mu_star, self.reference_mev, ceil(self.refinement * n))


def _search(instability: _Instability, ceiling_mev: float, answer: TcSolution) -> TcSolution:
    floor = log(LOWEST_TEMPERATURE * instability.modes.omega_max_mev)
    ceiling = max(floor, log(ceiling_mev))
    start, step, doubled = _estimate(instability, floor, ceiling), _FIRST_STEP, False
    for _ in range(_REFINEMENTS):
        bracket = bracket_instability(instability, start, step, floor, ceiling)
        if bracket is None and not doubled:
            # The estimate of what is left out fails where mu* is near its pole: see whether twice as many agree
            instability.refine(2.0)
            doubled, start = True, floor
            continue
        if bracket is None:
            return _without_number(instability, floor, answer)
        low, high = bracket
        start = float(scipy.optimize.brentq(instability, low, high, xtol=_ROOT_TOLERANCE))
        slope = (instability(high) - instability(low)) / (high - low)
        instability(start)
        error = instability.left_out(start) / abs(slope)
        if error <= TOLERANCE:
            tc = exp(start) / KB_MEV_PER_K
            return replace(
                answer,
                tc_kelvin=tc,
                status=TcStatus.FOUND,
                error_estimate_kelvin=(error + _ROOT_TOLERANCE) * tc,
                evaluations=instability.evaluations,
                bracket_kelvin=(exp(low) / KB_MEV_PER_K, exp(high) / KB_MEV_PER_K),
            )
        instability.refine(1.15 * (error / TOLERANCE) ** 0.25)
        step = _REFINED_STEP
    raise ConvergenceError(
        f"Tc near {exp(start) / KB_MEV_PER_K:.6g} K: expected a relative error below {TOLERANCE}, found "
        f"{error:.1e} after {_REFINEMENTS} refinements: report the spectrum"
    )


def _estimate(instability: _Instability, floor: float, ceiling: float) -> float:
    """Logarithm of the Allen-Dynes temperature, mu* brought to omega_2, within the range searched."""
    modes, mu_star = instability.modes, instability.mu_star
    if mu_star > 0:
        inverse = 1 / mu_star + log(instability.reference_mev / modes.omega_2_mev)
        mu_star = 1 / inverse if inverse > 0 else mu_star
    tc = float(allen_dynes_tc_kelvin(modes.lam, modes.omega_log_mev, modes.omega_2_mev, mu_star))
    return min(max(log(tc * KB_MEV_PER_K), floor), ceiling) if tc > 0 else floor


def _without_number(instability: _Instability, floor: float, answer: TcSolution) -> TcSolution:
    """Tell a Tc below the range from none at all."""
    answer = replace(answer, evaluations=instability.evaluations + 1)
    if instability.mu_star == 0 or superconducts_at_zero_temperature(instability.operator(floor)):
        return replace(answer, tc_kelvin=None, status=TcStatus.BELOW_RANGE)
    return answer
