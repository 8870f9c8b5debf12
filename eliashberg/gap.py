"""The gap function and the mass renormalisation on the imaginary axis below Tc."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, nan, pi

import numpy as np
import scipy

from hightc.eliashberg.anderson_mixing import fixed_point
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import Reference, require_mu_star
from hightc.eliashberg.critical_temperature import critical_temperature
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.gap_equation import GapEquation
from hightc.eliashberg.kernel import phonon_kernel
from hightc.eliashberg.matsubara import Eigenpair, gap_operator, largest_eigenpair
from hightc.eliashberg.modes import CoupledModes, FloatArray, Spectrum, frozen, modes_of
from hightc.eliashberg.reduced_basis import LOWEST_TEMPERATURE
from hightc.eliashberg.results import TcSolution, TcStatus
from hightc.eliashberg.temperature import require_temperature

RESIDUAL_TOLERANCE = 1e-11
"""Largest change of any Delta_n by one more iteration, relative to the largest |Delta_n|, at which it stops."""

TRUNCATION_TOLERANCE = 1e-9
"""Estimated relative error of the gap by the Matsubara frequencies left out, at which they are enough."""

LARGEST_TRUNCATION = 1e-4
"""The same, above which there is no gap where more than `REFINED_FREQUENCIES` would be needed."""

REFINED_FREQUENCIES = 1 << 17
"""Matsubara frequencies up to which their number is raised for the sake of accuracy: some seconds."""

MOST_FREQUENCIES = 1 << 19
"""More Matsubara frequencies than this are refused."""

_ITERATIONS = 400
_WORK = 30_000_000  # frequencies times iterations: some seconds
_FIRST_DENSITY = 5.0  # frequencies kept per w2/(2 pi T)
_LEAST_DENSITY = 2.0  # per w_max/(2 pi T): the kernel's expansion must hold beyond the frequencies kept
_FEWEST_FREQUENCIES = 64
_GROWTH = (1.2, 16.0)  # least and largest of the number of frequencies at once
_MARGIN = 20.0  # near the pole of mu* the estimate of what is left out may be ten times too small
_ROUGH = 0.05
_FIRST_TOLERANCE, _FIRST_SHARE = 1e-6, 1e-3  # residual on the first number of frequencies; share of eta - 1
_SMALL = 1e-3  # change of the gap in a difference quotient
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
        Estimate of the relative error of the gap by the frequencies n >= N left out; 0.0 in the normal state, nan where
        nothing was iterated.
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

    def __post_init__(self) -> None:
        for name in ("omega_n_mev", "gap_mev", "renormalisation"):
            object.__setattr__(self, name, frozen(getattr(self, name)))


def solve_gap(
    spectrum: Spectrum, temperature_kelvin: float, mu_star: float, *, reference: Reference | float = "omega_2"
) -> GapSolution:
    """Solve the non-linear isotropic Eliashberg equations at one temperature.

    Constant density of states, infinite Coulomb cutoff (see `gap_equation`). `critical_temperature` decides whether
    there is a gap; where it gives no number for a Tc below its range, the largest eigenvalue of the linearised equation
    does. Its eigenvector on a few Matsubara frequencies, scaled until the gap equation is met on average, starts an
    Anderson iteration, which stops when the residual falls below `RESIDUAL_TOLERANCE`. The number N of frequencies is
    raised, by the N^-4 law of the part left out, until the estimate of ``truncation`` falls below
    `TRUNCATION_TOLERANCE` or N reaches `REFINED_FREQUENCIES`, as next to Tc or where mu* has almost no value at the
    phonons. There ``truncation`` is larger, up to `LARGEST_TRUNCATION`.

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
    SpectrumError
        If ``spectrum`` is none.

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
    mu_star, temperature_kelvin = require_mu_star(mu_star), require_temperature(temperature_kelvin)
    modes = modes_of(spectrum)
    tc = critical_temperature(modes, mu_star, reference=reference)
    empty = GapSolution(
        status=GapStatus.NORMAL,
        temperature_kelvin=temperature_kelvin,
        mu_star=mu_star,
        reference=tc.reference or "",
        reference_mev=tc.reference_mev,
        omega_n_mev=_matsubara_mev(_FEWEST_FREQUENCIES, temperature_kelvin),
        gap_mev=np.zeros(_FEWEST_FREQUENCIES),
        renormalisation=np.ones(_FEWEST_FREQUENCIES),
        constant_mev=0.0,
        residual=0.0,
        iterations=0,
        truncation=0.0,
    )
    if modes.lam == 0 or tc.reference_mev is None:
        return empty
    if tc.status is TcStatus.INVALID:
        return _without_gap(empty, GapStatus.INVALID)
    modes = modes.coupled()
    if temperature_kelvin >= _lowest_normal_kelvin(tc, modes):
        return _normal(empty, modes)
    return _solve(empty, modes, tc.reference_mev, surely=tc.status is TcStatus.FOUND)


def _lowest_normal_kelvin(tc: TcSolution, modes: CoupledModes) -> float:
    """Temperature in K from which on the normal state is known to be stable."""
    if tc.status is TcStatus.BELOW_RANGE:
        return LOWEST_TEMPERATURE * modes.omega_max_mev / KB_MEV_PER_K
    return (tc.tc_kelvin or 0.0) - (tc.error_estimate_kelvin or 0.0)


def _matsubara_mev(n: int, temperature_kelvin: float) -> FloatArray:
    return np.asarray(pi * KB_MEV_PER_K * temperature_kelvin * (2 * np.arange(n) + 1.0))


def _without_gap(
    empty: GapSolution, status: GapStatus, residual: float = nan, iterations: int = 0, truncation: float = nan
) -> GapSolution:
    return replace(
        empty,
        status=status,
        gap_mev=np.full_like(empty.omega_n_mev, nan),
        renormalisation=np.full_like(empty.omega_n_mev, nan),
        constant_mev=nan,
        residual=residual,
        iterations=iterations,
        truncation=truncation,
    )


def _normal(empty: GapSolution, modes: CoupledModes) -> GapSolution:
    temperature_mev = empty.temperature_kelvin * KB_MEV_PER_K
    n = _first_frequencies(modes, temperature_mev)
    kernel = phonon_kernel(modes, temperature_mev, n)
    return replace(
        empty,
        omega_n_mev=_matsubara_mev(n, empty.temperature_kelvin),
        gap_mev=np.zeros(n),
        renormalisation=1 + (2 * np.cumsum(kernel) - kernel[0]) / (2 * np.arange(n) + 1.0),
    )


def _first_frequencies(modes: CoupledModes, temperature_mev: float) -> int:
    """Round up the number of frequencies to begin with, or raise `ParameterError` if it is beyond the most."""
    scale = 1 / (2 * pi * temperature_mev)
    densities = _FIRST_DENSITY * modes.omega_2_mev, _LEAST_DENSITY * modes.omega_max_mev
    wanted = max(_FEWEST_FREQUENCIES, *(density * scale for density in densities))
    if wanted > MOST_FREQUENCIES:
        raise ParameterError(
            f"temperature_kelvin: expected at most {MOST_FREQUENCIES} Matsubara frequencies, found "
            f"{temperature_mev / KB_MEV_PER_K:.4g} K, which needs {wanted:.3g}: "
            f"use {temperature_mev / KB_MEV_PER_K * wanted / MOST_FREQUENCIES:.4g} K or more"
        )
    return ceil(wanted)


def _solve(empty: GapSolution, modes: CoupledModes, reference_mev: float, *, surely: bool) -> GapSolution:
    """Look for the gap that there surely is, or for proof that there is none."""
    temperature_mev = empty.temperature_kelvin * KB_MEV_PER_K
    n = _first_frequencies(modes, temperature_mev)
    most = max(n, REFINED_FREQUENCIES)

    def equation() -> GapEquation:
        return GapEquation(gap_operator(modes, temperature_mev, empty.mu_star, reference_mev, n))

    present = equation()
    pair = largest_eigenpair(present.operator)
    while pair.value <= 1:
        if not surely and pair.value + _MARGIN * pair.truncation <= 1:
            return _normal(empty, modes)
        if n == most:
            return _without_gap(empty, GapStatus.NOT_CONVERGED)
        n = min(2 * n, most)
        present = equation()
        pair = largest_eigenpair(present.operator)
    state, iterations = _scaled(present, pair.gap), 0
    tolerance = float(np.clip(_FIRST_SHARE * (pair.value - 1), RESIDUAL_TOLERANCE, _FIRST_TOLERANCE))
    while True:
        weight, most_iterations = np.sqrt(present.operator.measure), min(_ITERATIONS, _WORK // n)
        state, residual, used = fixed_point(
            present.step, state, weight, tolerance=tolerance, iterations=most_iterations
        )
        iterations += used
        truncation = _truncation(present, state)
        enough = n == most or truncation <= TRUNCATION_TOLERANCE
        if residual > tolerance or (enough and truncation > LARGEST_TRUNCATION):
            return _without_gap(empty, GapStatus.NOT_CONVERGED, residual, iterations, truncation)
        if enough and residual <= RESIDUAL_TOLERANCE:
            return _found(empty, present, state, iterations, residual, truncation)
        tolerance = RESIDUAL_TOLERANCE
        if not enough:
            growth = 1.15 * (truncation / TRUNCATION_TOLERANCE) ** 0.25
            n = min(ceil(n * float(np.clip(growth, *_GROWTH))), most)
            present = equation()
            # A rough solution is no better start than the eigenvector.
            rough = truncation > _ROUGH
            state = _scaled(present, largest_eigenpair(present.operator).gap) if rough else _extended(state, n)


def _scaled(equation: GapEquation, decaying: FloatArray) -> FloatArray:
    """Scale D_n - C, shape (N,), until the gap equation holds on average over it."""
    small = 1e-6 / np.abs(decaying).max()
    shape = decaying / (decaying[0] + equation.constant(small * decaying) / small)

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


def _truncation(equation: GapEquation, state: FloatArray) -> float:
    """Relative error of the gap by the frequencies n >= N: what they add to the strength of pairing over its stiffness.

    The stiffness is that against a change of the amplitude; near Tc it is softest, and goes to zero with the gap.
    """
    added = Eigenpair(1.0, state).truncation
    return abs(added * _SMALL / (equation.excess((1 + _SMALL) * state) / (1 + _SMALL) - equation.excess(state)))


def _found(
    empty: GapSolution, equation: GapEquation, state: FloatArray, iterations: int, residual: float, truncation: float
) -> GapSolution:
    constant = equation.constant(state)
    gap = state + constant
    if gap[0] < 0:
        gap, constant = -gap, -constant
    _, renormalisation = equation.renormalised(gap, constant)
    omega = _matsubara_mev(gap.size, empty.temperature_kelvin)
    return replace(
        empty,
        status=GapStatus.FOUND,
        omega_n_mev=omega,
        gap_mev=omega[0] * gap,
        renormalisation=renormalisation,
        constant_mev=omega[0] * constant,
        residual=residual,
        iterations=iterations,
        truncation=truncation,
    )
