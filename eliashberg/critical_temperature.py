"""The critical temperature of the isotropic Eliashberg equations with a constant density of states."""

from math import exp, inf, log

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from hightc.eliashberg.batch import SpectrumBatch, spectrum_batch
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import (
    THERMAL_FACTOR,
    Reference,
    highest_frequency,
    reference_frequencies,
    reference_frequency,
    require_mu_star,
    require_mu_stars,
)
from hightc.eliashberg.errors import SpectrumError
from hightc.eliashberg.formulas import allen_dynes_correction, mcmillan_attraction, mcmillan_exponential
from hightc.eliashberg.instability import WORKSPACE, Outcome, Problems, find_instabilities, find_instability
from hightc.eliashberg.log_lattice import FRACTIONS, LogLattice, lattice_of
from hightc.eliashberg.modes import NO_COUPLING, CoupledModes, FloatArray, Spectrum, frozen, modes_of
from hightc.eliashberg.reduced_basis import LOWEST_TEMPERATURE
from hightc.eliashberg.results import TcSolution, TcSolutions, TcStatus
from hightc.eliashberg.spectrum import LowFrequency

_STATUS = {
    Outcome.FOUND: TcStatus.FOUND,
    Outcome.BELOW_RANGE: TcStatus.BELOW_RANGE,
    Outcome.STABLE: TcStatus.NO_SUPERCONDUCTIVITY,
}
HIGHEST_COUPLING = 1e10
"""Coupling constant up to which the table holds: kB Tc is then 2e4 times the phonon frequencies."""

_LEAST_INVERSE = 1.0  # of mu* and
_LEAST_ATTRACTION = 0.05  # of lambda - mu* (1 + 0.62 lambda) and
_LEAST_SQUARE = 1e-12  # of (omega_2/top)^2, in the estimate with which the search begins


def critical_temperature(spectrum: Spectrum, mu_star: float, *, reference: Reference | float = "omega_2") -> TcSolution:
    """Solve the linearised isotropic Eliashberg equations for the critical temperature.

    The gap is expanded in a few functions (`reduced_basis`); `critical_temperature_dense` solves the same equations
    on all Matsubara frequencies. The relative difference is below 1e-6.

    Parameters
    ----------
    spectrum
        `Alpha2F` or `CoupledModes`.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0. It is a convention: 1/mu*(w) = 1/mu* + ln(w_ref/w), and the
        same number at another reference is another repulsion.
    reference
        w_ref: ``"omega_2"`` (root mean square phonon frequency), ``"omega_max"`` (highest coupled frequency),
        or a frequency in meV.

    Returns
    -------
    TcSolution
        With status

        * ``found``: the normal state is unstable below ``tc_kelvin``;
        * ``below_range``: Tc > 0, but kB Tc < w_max/20000; no number is given;
        * ``no_superconductivity``: 0 K, because there is no coupling or because the normal state stays stable
          down to zero temperature;
        * ``invalid``: mu* has no value at the phonon frequencies, 1/mu* + ln(w_ref/w_max) <= 0.

    Raises
    ------
    SpectrumError
        If ``spectrum`` is none, or lambda exceeds 1e10.
    ParameterError
        If ``mu_star`` is negative or not finite, or ``reference`` is neither a name nor a positive frequency.
    ConvergenceError
        If an iteration fails; not known to happen.

    References
    ----------
    P. B. Allen and R. C. Dynes, Phys. Rev. B 12, 905 (1975); P. B. Allen and B. Mitrovic, Solid State Phys.
    37, 1 (1982), for the matrix form with a cutoff.

    Examples
    --------
    >>> from hightc.eliashberg import CoupledModes
    >>> solution = critical_temperature(CoupledModes([10.0], [1.0]), 0.1)
    >>> round(solution.tc_kelvin * KB_MEV_PER_K / 10.0, 6)
    0.072108
    """
    mu_star = require_mu_star(mu_star)
    modes = modes_of(spectrum)
    name, reference_mev = reference_frequency(modes, reference)
    tc: float | None = 0.0
    status, error, evaluations = TcStatus.NO_SUPERCONDUCTIVITY, None, 0
    if modes.couples and reference_mev is not None:
        problem = _problem(modes, mu_star, reference_mev)
        if problem is None:
            tc, status = None, TcStatus.INVALID
        else:
            solution = find_instability(problem)
            status = _STATUS[Outcome(solution.outcome[0])]
            evaluations = int(solution.evaluations[0])
            tc = 0.0 if status is TcStatus.NO_SUPERCONDUCTIVITY else None
            if status is TcStatus.FOUND:
                tc = exp(solution.log_tc[0]) / KB_MEV_PER_K
                error = float(solution.error[0]) * tc
    return TcSolution(
        tc_kelvin=tc,
        status=status,
        lam=modes.lam,
        omega_log_mev=modes.omega_log_mev,
        omega_2_mev=modes.omega_2_mev,
        mu_star=mu_star,
        reference=name,
        reference_mev=reference_mev,
        error_estimate_kelvin=error,
        evaluations=evaluations,
    )


def critical_temperatures(
    omega_mev: npt.ArrayLike,
    alpha2f: npt.ArrayLike,
    mu_star: npt.ArrayLike,
    *,
    reference: Reference | float = "omega_2",
    low_frequency: LowFrequency = "quadratic",
) -> TcSolutions:
    """Solve the linearised isotropic Eliashberg equations for many spectra on one frequency grid.

    Row by row the result is that of `critical_temperature`, a hundred times faster.

    Parameters
    ----------
    omega_mev
        Strictly increasing positive frequencies in meV, shape (n,); a leading zero is dropped.
    alpha2f
        Dimensionless a2F, shape (n,) or (batch, n). Negative values are set to zero with a
        `NegativeSpectrumWarning`.
    mu_star
        Coulomb pseudopotential, a number or shape (batch,).
    reference
        Frequency to which ``mu_star`` belongs, as for `critical_temperature`.
    low_frequency
        Shape of a2F below the first grid point, as for `Alpha2F`.

    Returns
    -------
    TcSolutions
        Arrays of shape (batch,).

    Raises
    ------
    SpectrumError
        If grid and spectra do not fit, a number is not finite (the entry is named) or lambda exceeds 1e10.
    ParameterError
        If a ``mu_star`` is negative or not finite, or ``reference`` is neither a name nor a positive frequency.
    ConvergenceError
        If an iteration fails; not known to happen.

    Examples
    --------
    >>> omega = np.linspace(0.1, 30.0, 300)
    >>> debye = (omega / 30.0) ** 2
    >>> solutions = critical_temperatures(omega, [0.5 * debye, 1.5 * debye], 0.1)
    >>> [str(status) for status in solutions.status], solutions.tc_kelvin.round(2).tolist()
    (['found', 'found'], [2.34, 27.08])
    """
    batch = spectrum_batch(omega_mev, alpha2f, low_frequency=low_frequency)
    mu_stars = require_mu_stars(mu_star, len(batch))
    name, reference_mev = reference_frequencies(batch, reference)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1 / mu_stars
    rows, problems = _problems(batch, inverse, reference_mev)
    solutions = find_instabilities(problems)
    couples = batch.lam > NO_COUPLING
    status = np.where(couples, TcStatus.INVALID, TcStatus.NO_SUPERCONDUCTIVITY).astype("U20")
    tc, error = np.where(couples, np.nan, 0.0), np.full(len(batch), np.nan)
    evaluations = np.zeros(len(batch), dtype=np.intp)
    for outcome, outcome_status in _STATUS.items():
        status[rows[solutions.outcome == outcome]] = outcome_status
    tc[rows] = np.exp(solutions.log_tc) / KB_MEV_PER_K
    tc[rows[solutions.outcome == Outcome.STABLE]] = 0.0
    error[rows] = solutions.error * tc[rows]
    evaluations[rows] = solutions.evaluations
    return TcSolutions(
        tc_kelvin=frozen(tc),
        status=frozen(status),
        lam=frozen(batch.lam),
        omega_log_mev=frozen(batch.omega_log_mev),
        omega_2_mev=frozen(batch.omega_2_mev),
        mu_star=frozen(mu_stars),
        reference=name,
        reference_mev=frozen(reference_mev),
        error_estimate_kelvin=frozen(error),
        evaluations=frozen(evaluations),
    )


def _problem(modes: CoupledModes, mu_star: float, reference_mev: float) -> Problems | None:
    """Put one spectrum on the lattice; None where mu* has no meaning."""
    lam, omega_2_mev = modes.lam, modes.omega_2_mev
    _require_coupling_in_range(lam)
    ceiling_mev, highest_mev = highest_frequency(omega_2_mev, modes.omega_max_mev, lam)
    inverse = 1 / mu_star if mu_star > 0 else inf
    if inverse + log(reference_mev / highest_mev) <= 0:
        return None
    lowest_mev = LOWEST_TEMPERATURE * modes.omega_max_mev
    lattice = lattice_of(modes.omega_mev)
    coupling = (modes.lam_per_mode @ lattice.distribution)[None]
    estimate = _estimate_mev(lattice, coupling, np.array([inverse]), np.array([reference_mev]))
    return Problems(
        first=lattice.first,
        coupling=coupling,
        constant_repulsion=np.array([inverse + log(THERMAL_FACTOR * reference_mev)]),
        guess=np.array([log(max(float(estimate[0]), lowest_mev))]),
        lowest=np.array([log(lowest_mev)]),
        highest=np.array([log(max(lowest_mev, float(ceiling_mev)))]),
    )


def _problems(
    batch: SpectrumBatch, inverse: FloatArray, reference_mev: FloatArray
) -> tuple[NDArray[np.intp], Problems]:
    """Put on the lattice the spectra of a batch that couple and whose mu* has a meaning; say which rows they are."""
    _require_coupling_in_range(float(batch.lam.max(initial=0.0)))
    lattice = lattice_of(batch.omega_mev)
    coupling = WORKSPACE.array("lattice", len(batch), lattice.size)
    np.matmul(batch.alpha2f, lattice.distribution * batch.coupling_weight[:, None], out=coupling)
    ceiling_mev, highest_mev = highest_frequency(batch.omega_2_mev, batch.omega_max_mev, batch.lam)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = np.flatnonzero((batch.lam > NO_COUPLING) & (inverse + np.log(reference_mev / highest_mev) > 0))
        estimate = _estimate_mev(lattice, coupling, inverse, reference_mev)
        lowest_mev = LOWEST_TEMPERATURE * batch.omega_max_mev
        problems = Problems(
            first=lattice.first,
            coupling=coupling if rows.size == len(batch) else coupling[rows],
            constant_repulsion=(inverse + np.log(THERMAL_FACTOR * reference_mev))[rows],
            guess=np.log(np.maximum(estimate, lowest_mev))[rows],
            lowest=np.log(lowest_mev)[rows],
            highest=np.log(np.maximum(lowest_mev, ceiling_mev))[rows],
        )
    return rows, problems


def _require_coupling_in_range(lam: float) -> None:
    if lam > HIGHEST_COUPLING:
        raise SpectrumError(
            f"lambda: expected at most {HIGHEST_COUPLING:.0e}, found {lam:.3g}: check the units of frequencies and a2F"
        )


def _estimate_mev(
    lattice: LogLattice, coupling: FloatArray, inverse: FloatArray, reference_mev: FloatArray
) -> FloatArray:
    """Highest Allen-Dynes kB Tc of the modes above some fractions of the highest frequency in meV, shape (batch,).

    Slow modes pair little but lower the mean frequencies; leaving them out can only lower the true Tc. mu* is taken
    at omega_2 of the modes kept, by which the formula is unbiased. Where it has no Tc the estimate nearly vanishes.
    """
    sums = (coupling @ lattice.upper_moments).reshape(len(coupling), 3, FRACTIONS.size)
    lam = np.maximum(sums[:, 0], _LEAST_ATTRACTION)
    omega_log_mev = lattice.top_mev * np.exp(sums[:, 1] / lam)
    omega_2_mev = lattice.top_mev * np.sqrt(np.maximum(sums[:, 2] / lam, _LEAST_SQUARE))
    at_omega_2 = inverse[:, None] + np.log(reference_mev[:, None] / omega_2_mev)
    mu_star = 1 / np.maximum(at_omega_2, _LEAST_INVERSE)
    attraction = np.maximum(mcmillan_attraction(lam, mu_star), _LEAST_ATTRACTION)
    ratio = np.maximum(omega_2_mev / omega_log_mev, 1.0)
    reduced = mcmillan_exponential(lam, attraction) * allen_dynes_correction(lam, ratio, mu_star)
    estimates = omega_log_mev * reduced
    return np.asarray(estimates.max(axis=1))
