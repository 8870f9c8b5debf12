"""The gap function and the mass renormalisation on the imaginary axis below Tc."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, isfinite, log, pi

import numpy as np
import scipy

from hightc.eliashberg.anderson_mixing import fixed_point
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import Reference, highest_frequency, reference_frequency, require_mu_star
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.gap_equation import GapEquation
from hightc.eliashberg.matsubara import Eigenpair, GapOperator, gap_operator, largest_eigenpair
from hightc.eliashberg.modes import CoupledModes, FloatArray, Spectrum

RESIDUAL_TOLERANCE = 1e-11
"""Largest change of any Delta_n by one more iteration, relative to the largest |Delta_n|, at which it stops."""

TRUNCATION_TOLERANCE = 1e-8
"""Estimated share of the Matsubara frequencies left out in the strength of pairing, at which they are enough."""

MOST_FREQUENCIES = 1 << 20
"""More Matsubara frequencies than this are refused: some seconds and some 100 MB."""

_ITERATIONS = 400
_FIRST_DENSITY = 20.0  # frequencies kept per w2/(2 pi T)
_LEAST_DENSITY = 2.0  # per w_max/(2 pi T): the kernel's expansion must hold beyond the frequencies kept
_FEWEST_FREQUENCIES = 64
_REFINEMENTS = 6
_LOG_AMPLITUDES = (-16.0, 3.0)  # of Delta/(pi T) to start from: nearer to Tc the eigenvalue is 1 to rounding


class GapStatus(StrEnum):
    """How the search for a gap ended.

    ``FOUND`` has a gap; ``NORMAL`` is a statement of the theory: the normal state is stable and the gap is zero. In
    the other cases there is no gap: ``NOT_CONVERGED`` says that the iteration stopped short of its tolerance,
    ``INVALID`` that mu* has no value on the scale of the phonons.
    """

    FOUND = "found"
    NORMAL = "normal"
    NOT_CONVERGED = "not_converged"
    INVALID = "invalid"


@dataclass(frozen=True, eq=False)
class GapSolution:
    """Gap function on the imaginary axis, or the reason why there is none.

    Parameters
    ----------
    status
        How the search ended.
    temperature_kelvin
        Temperature in K as given.
    mu_star
        Coulomb pseudopotential as given.
    reference
        The frequency to which ``mu_star`` refers: ``"omega_2"``, ``"omega_max"`` or ``"value"``.
    reference_mev
        That frequency in meV, None where the spectrum has none.
    omega_n_mev
        Fermionic Matsubara frequencies w_n = (2n+1) pi kB T in meV, n = 0 ... N-1, shape (N,).
    gap_mev
        Delta(i w_n) in meV, shape (N,), real, positive at n = 0; zeros in the normal state, nan where there is none.
    renormalisation
        Z(i w_n), shape (N,); that of the normal state where the gap is zero, nan where there is no gap.
    constant_mev
        C = Delta(i infinity) in meV, the part of the gap that is the Coulomb repulsion's, negative; 0.0 without
        repulsion, nan where there is no gap.
    residual
        Largest |change of Delta_n by one more iteration| / max |Delta|; 0.0 in the normal state, nan if ``invalid``.
    iterations
        Number of evaluations of the gap equation.
    truncation
        Estimate of how far the frequencies n >= N would raise the largest eigenvalue, hence of the relative error of
        the gap (near Tc, of the temperature to which the gap belongs); nan where there is no gap.
    """

    status: GapStatus
    temperature_kelvin: float
    mu_star: float
    reference: str
    reference_mev: float | None
    omega_n_mev: FloatArray
    gap_mev: FloatArray
    renormalisation: FloatArray
    constant_mev: float
    residual: float
    iterations: int
    truncation: float


def solve_gap(
    spectrum: Spectrum, temperature_kelvin: float, mu_star: float, *, reference: Reference | float = "omega_2"
) -> GapSolution:
    """Solve the non-linear isotropic Eliashberg equations at one temperature.

    Constant density of states, infinite Coulomb cutoff (see `gap_equation`). The linearised equation decides first
    whether the normal state is unstable: its largest eigenvalue exceeds 1. If so its eigenvector, scaled until
    the gap equation is met on average, starts an Anderson iteration, which stops when the residual falls below
    `RESIDUAL_TOLERANCE`. The number of Matsubara frequencies is raised, by the N^-4 law of the part left out, until
    the estimate of ``truncation`` falls below `TRUNCATION_TOLERANCE`.

    Parameters
    ----------
    spectrum
        `Alpha2F` or `CoupledModes`.
    temperature_kelvin
        Temperature in K, positive.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0.
    reference
        w_ref: ``"omega_2"``, ``"omega_max"`` or a frequency in meV, as for `critical_temperature`.

    Returns
    -------
    GapSolution
        With status ``found``, ``normal``, ``not_converged`` or ``invalid`` (see `GapStatus`).

    Raises
    ------
    ParameterError
        If the temperature is not positive or so low that more than `MOST_FREQUENCIES` would be needed, if ``mu_star``
        is negative or not finite, or ``reference`` neither a name nor a positive frequency.

    References
    ----------
    G. M. Eliashberg, Sov. Phys. JETP 11, 696 (1960); P. B. Allen and B. Mitrovic, Solid State Phys. 37, 1 (1982);
    D. G. Anderson, J. ACM 12, 547 (1965).

    Examples
    --------
    >>> solution = solve_gap(CoupledModes([10.0], [1.0]), 2.0, 0.1)
    >>> str(solution.status), round(float(solution.gap_mev[0]), 4)
    ('found', 1.3967)
    """
    mu_star = require_mu_star(mu_star)
    if not (isfinite(temperature_kelvin) and temperature_kelvin > 0):
        raise ParameterError(
            f"temperature_kelvin: expected a positive number, found {temperature_kelvin!r}: "
            "take Tc/20 for the limit of zero temperature"
        )
    modes = spectrum.modes
    name, reference_mev = reference_frequency(modes, reference)
    temperature_mev = float(temperature_kelvin) * KB_MEV_PER_K
    empty = GapSolution(
        status=GapStatus.NORMAL,
        temperature_kelvin=float(temperature_kelvin),
        mu_star=mu_star,
        reference=name,
        reference_mev=reference_mev,
        omega_n_mev=_matsubara_mev(_FEWEST_FREQUENCIES, temperature_mev),
        gap_mev=np.zeros(_FEWEST_FREQUENCIES),
        renormalisation=np.ones(_FEWEST_FREQUENCIES),
        constant_mev=0.0,
        residual=0.0,
        iterations=0,
        truncation=0.0,
    )
    if modes.lam == 0 or reference_mev is None:
        return empty
    ceiling_mev, highest_mev = highest_frequency(modes.omega_2_mev, modes.omega_max_mev, modes.lam)
    if mu_star > 0 and 1 / mu_star + log(reference_mev / highest_mev) <= 0:
        return _without_gap(empty, GapStatus.INVALID, float("nan"))
    coupled = modes.lam_per_mode > 0
    modes = CoupledModes(modes.omega_mev[coupled], modes.lam_per_mode[coupled])
    if temperature_mev >= ceiling_mev:
        # No mu* in the normal state, and above the bound of Tc mu* need not have a value.
        n = _first_frequencies(modes, temperature_mev)
        return _normal(empty, gap_operator(modes, temperature_mev, 0.0, reference_mev, n), temperature_mev)
    return _solve(empty, modes, temperature_mev, mu_star, reference_mev)


def _matsubara_mev(n: int, temperature_mev: float) -> FloatArray:
    return np.asarray(pi * temperature_mev * (2 * np.arange(n) + 1.0))


def _without_gap(empty: GapSolution, status: GapStatus, residual: float, iterations: int = 0) -> GapSolution:
    missing = np.full_like(empty.omega_n_mev, np.nan)
    nan = float("nan")
    return replace(
        empty,
        status=status,
        gap_mev=missing,
        renormalisation=missing,
        constant_mev=nan,
        residual=residual,
        iterations=iterations,
        truncation=nan,
    )


def _normal(empty: GapSolution, operator: GapOperator, temperature_mev: float) -> GapSolution:
    n = operator.measure.size
    return replace(
        empty,
        omega_n_mev=_matsubara_mev(n, temperature_mev),
        gap_mev=np.zeros(n),
        renormalisation=1 + operator.measure * operator.renormalisation,
    )


def _first_frequencies(modes: CoupledModes, temperature_mev: float) -> int:
    scale = 1 / (2 * pi * temperature_mev)
    densities = _FIRST_DENSITY * modes.omega_2_mev, _LEAST_DENSITY * modes.omega_max_mev
    return _affordable(max(_FEWEST_FREQUENCIES, *(density * scale for density in densities)), temperature_mev)


def _affordable(wanted: float, temperature_mev: float) -> int:
    """Round up a number of frequencies, or raise `ParameterError` if it is beyond `MOST_FREQUENCIES`."""
    if wanted > MOST_FREQUENCIES:
        raise ParameterError(
            f"temperature_kelvin: expected at most {MOST_FREQUENCIES} Matsubara frequencies, found "
            f"{temperature_mev / KB_MEV_PER_K:.4g} K, which needs {wanted:.3g}: "
            f"use {temperature_mev / KB_MEV_PER_K * wanted / MOST_FREQUENCIES:.4g} K or more"
        )
    return ceil(wanted)


def _solve(
    empty: GapSolution, modes: CoupledModes, temperature_mev: float, mu_star: float, reference_mev: float
) -> GapSolution:
    """Iterate with a growing number of frequencies until those left out no longer matter."""
    iterations, residual = 0, float("nan")
    wanted: float = _first_frequencies(modes, temperature_mev)
    state: FloatArray | None = None
    for _ in range(_REFINEMENTS):
        n = _affordable(wanted, temperature_mev)
        operator = gap_operator(modes, temperature_mev, mu_star, reference_mev, n)
        pair = largest_eigenpair(operator)
        truncation = pair.truncation
        if pair.value <= 1 and (truncation <= TRUNCATION_TOLERANCE or pair.value + 2 * truncation <= 1):
            return _normal(empty, operator, temperature_mev)
        if pair.value > 1:
            equation = GapEquation(operator)
            guess = _start(equation, pair) if state is None else _extended(state, n)
            weight = np.sqrt(operator.measure)
            state, residual, used = fixed_point(
                equation.step, guess, weight, tolerance=RESIDUAL_TOLERANCE, iterations=_ITERATIONS
            )
            iterations += used
            if residual > RESIDUAL_TOLERANCE:
                break
            truncation = _truncation(operator, state)
            if truncation <= TRUNCATION_TOLERANCE:
                return _found(empty, equation, state, temperature_mev, residual, iterations, truncation)
        wanted = n * 1.15 * (truncation / TRUNCATION_TOLERANCE) ** 0.25
    missing = replace(empty, omega_n_mev=_matsubara_mev(n, temperature_mev))
    return _without_gap(missing, GapStatus.NOT_CONVERGED, residual, iterations)


def _start(equation: GapEquation, pair: Eigenpair) -> FloatArray:
    """Scale the eigenvector until the gap equation holds on average over it."""
    shape = pair.gap / (pair.gap[0] + equation.constant(1e-6 * pair.gap) / 1e-6)

    def excess(log_amplitude: float) -> float:
        return equation.excess(np.exp(log_amplitude) * shape) / float(np.exp(2 * log_amplitude))

    low, high = -1.0, 0.0
    while excess(low) <= 0 and low > _LOG_AMPLITUDES[0]:
        low, high = low - 1, low
    while excess(high) > 0 and high < _LOG_AMPLITUDES[1]:
        low, high = high, high + 1
    if excess(low) > 0 >= excess(high):
        low = float(scipy.optimize.brentq(excess, low, high, xtol=1e-2))
    return np.asarray(np.exp(low) * shape)


def _extended(state: FloatArray, n: int) -> FloatArray:
    """Continue a solution to more frequencies by its 1/n^2 law."""
    tail = state[-1] * ((state.size - 0.5) / (np.arange(state.size, n) + 0.5)) ** 2
    return np.append(state, tail)


def _truncation(operator: GapOperator, state: FloatArray) -> float:
    """Share of the frequencies n >= N in the strength of pairing, as `Eigenpair.truncation` has it."""
    return Eigenpair(1.0, state / np.sqrt(operator.measure @ state**2)).truncation


def _found(
    empty: GapSolution,
    equation: GapEquation,
    state: FloatArray,
    temperature_mev: float,
    residual: float,
    iterations: int,
    truncation: float,
) -> GapSolution:
    constant = equation.constant(state)
    gap = state + constant
    if gap[0] < 0:
        gap, constant = -gap, -constant
    _, renormalisation = equation.renormalised(gap, constant)
    return replace(
        empty,
        status=GapStatus.FOUND,
        omega_n_mev=_matsubara_mev(gap.size, temperature_mev),
        gap_mev=pi * temperature_mev * gap,
        renormalisation=renormalisation,
        constant_mev=pi * temperature_mev * constant,
        residual=residual,
        iterations=iterations,
        truncation=truncation,
    )
