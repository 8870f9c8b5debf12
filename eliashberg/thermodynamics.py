"""Free energy of the superconducting state, thermodynamic critical field and specific-heat jump.

All energies are per N(0), the density of states at the Fermi level for one spin: in meV^2 they become meV once
multiplied by N(0) in states/meV/spin. With R_n = sqrt(w_n^2 + Delta_n^2),

    F_S - F_N = -2 pi T N(0) sum_{n>=0} (R_n - w_n) (Z_n - Z_n^N w_n/R_n)

at a self-consistent solution; mu* enters through Delta_n alone, since the interaction was eliminated with the gap
equation, and the sum converges without a cutoff: its terms fall as C^4/(4 w_n^3). The normal state has
gamma = (2 pi^2/3) N(0) (1 + lambda) kB^2, and F_S - F_N goes to -E_c + gamma T^2/2 as T -> 0.

J. Bardeen and M. Stephen, Phys. Rev. 136, A1485 (1964); J. P. Carbotte, Rev. Mod. Phys. 62, 1027 (1990).
"""

from dataclasses import dataclass, replace
from math import inf, nan, pi, sqrt
from typing import TypeVar

import numpy as np
import scipy
from scipy import constants

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import Reference
from hightc.eliashberg.critical_temperature import critical_temperature
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.gap import GapSolution, GapStatus, solve_gap
from hightc.eliashberg.kernel import phonon_kernel
from hightc.eliashberg.modes import FloatArray, Spectrum, frozen, modes_of, real_array
from hightc.eliashberg.results import TcSolution, TcStatus

CONDENSATION_TOLERANCE = 1e-5
"""Relative change of E_c from one temperature to its half, at which it counts as that of zero temperature."""

_LOW_TEMPERATURES = 0.1 / 2 ** np.arange(4)  # T/Tc, in turn; exp(-Delta/T) is below 3e-8 at the first
_JUMP_POINTS = 0.95 + 0.04 * np.arange(5) / 4  # T/Tc; five points leave the fifth order of 1 - T/Tc
_STATUS_WITHOUT_TC = {
    TcStatus.NO_SUPERCONDUCTIVITY: GapStatus.NORMAL,
    TcStatus.BELOW_RANGE: GapStatus.NOT_CONVERGED,
    TcStatus.INVALID: GapStatus.INVALID,
}
Energies = TypeVar("Energies", float, FloatArray)
_MEV_PER_EV = 1e3
_JOULE_PER_MEV = constants.e * 1e-3
_CUBIC_METRE_PER_CUBIC_ANGSTROM = 1e-30


def free_energy_difference(spectrum: Spectrum, solution: GapSolution) -> float:
    """Compute F_S - F_N by the formula of Bardeen and Stephen.

    Parameters
    ----------
    spectrum
        The spectrum that ``solution`` belongs to.
    solution
        From `solve_gap`.

    Returns
    -------
    float
        (F_S - F_N)/N(0) in meV^2, N(0) for one spin; 0.0 in the normal state, nan where there is no gap.
    """
    if solution.status is GapStatus.NORMAL:
        return 0.0
    omega, gap = solution.omega_n_mev, solution.gap_mev
    temperature_mev = solution.temperature_kelvin * KB_MEV_PER_K
    kernel = phonon_kernel(modes_of(spectrum), temperature_mev, omega.size)
    normal = 1 + (2 * np.cumsum(kernel) - kernel[0]) / (2 * np.arange(omega.size) + 1.0)
    root = np.hypot(omega, gap)
    loss = gap**2 / (root + omega)  # R - w without cancellation
    # Z - Z^N w/R is the small Z - Z^N and Z^N (R - w)/R.
    terms = loss * (solution.renormalisation - normal + normal * loss / root)
    edge = 2 * pi * temperature_mev * omega.size
    return float(-2 * pi * temperature_mev * terms.sum() - solution.constant_mev**4 / (8 * edge**2))


def critical_field_per_root_density(free_energy: Energies) -> Energies:
    """Thermodynamic critical field Hc/sqrt(N(0)) = sqrt(8 pi (F_N - F_S)/N(0)) in meV, Gaussian units.

    Parameters
    ----------
    free_energy
        (F_S - F_N)/N(0) in meV^2, not positive.
    """
    field: Energies = np.sqrt(-8 * pi * free_energy)
    return field


def energy_joule_per_mole(free_energy: float, density_of_states: float) -> float:
    """Convert (F_S - F_N)/N(0) to J/mol of cells.

    Parameters
    ----------
    free_energy
        (F_S - F_N)/N(0) in meV^2.
    density_of_states
        N(0) in states/eV/spin/cell.

    Raises
    ------
    ParameterError
        If the density of states is not positive.
    """
    _require_positive("density_of_states", density_of_states, "states/eV/spin/cell")
    return free_energy * density_of_states / _MEV_PER_EV * _JOULE_PER_MEV * constants.N_A


def critical_field_millitesla(free_energy: float, density_of_states: float, volume_cubic_angstrom: float) -> float:
    """Thermodynamic critical field mu0 Hc = sqrt(2 mu0 (F_N - F_S)/V) in mT.

    Parameters
    ----------
    free_energy
        (F_S - F_N)/N(0) in meV^2, not positive.
    density_of_states
        N(0) in states/eV/spin/cell.
    volume_cubic_angstrom
        Volume of that cell in cubic Angstrom.

    Raises
    ------
    ParameterError
        If the density of states or the volume is not positive.
    """
    _require_positive("density_of_states", density_of_states, "states/eV/spin/cell")
    _require_positive("volume_cubic_angstrom", volume_cubic_angstrom, "cubic Angstrom")
    energy_joule = -free_energy * density_of_states / _MEV_PER_EV * _JOULE_PER_MEV
    return 1e3 * sqrt(2 * constants.mu_0 * energy_joule / (volume_cubic_angstrom * _CUBIC_METRE_PER_CUBIC_ANGSTROM))


def _require_positive(name: str, value: float, unit: str) -> None:
    if not (np.isfinite(value) and value > 0):
        raise ParameterError(f"{name}: expected a positive number of {unit}, found {value!r}: give the cell's value")


@dataclass(frozen=True, eq=False)
class Thermodynamics:
    """Thermodynamic functions of one spectrum from zero temperature to Tc.

    Parameters
    ----------
    status
        ``found``; or why there are no numbers: ``normal`` (no superconductivity), ``invalid`` (mu* without meaning),
        ``not_converged`` (a gap missing, or Tc below the range searched). The numbers are nan then.
    critical_temperature
        The search for Tc.
    temperature_kelvin
        Temperatures in K, shape (n,).
    free_energy
        (F_S - F_N)/N(0) in meV^2, shape (n,), <= 0; N(0) for one spin.
    critical_field
        Hc/sqrt(N(0)) in meV (Gaussian), shape (n,).
    deviation
        D(t) = Hc(T)/Hc(0) - (1 - t^2), t = T/Tc, shape (n,); nan above Tc.
    condensation_energy
        E_c/N(0) = (F_N - F_S)/N(0) at T = 0 in meV^2.
    condensation_energy_error
        Its change by the last halving of the temperature in meV^2.
    gamma
        Sommerfeld constant of the normal state, gamma/(N(0) kB^2) = (2 pi^2/3)(1 + lambda), dimensionless.
    specific_heat_jump
        Delta C(Tc)/(gamma Tc); 1.426 in weak coupling.
    field_ratio
        gamma Tc^2/Hc(0)^2, Gaussian units; 0.168 in weak coupling.
    """

    status: GapStatus
    critical_temperature: TcSolution
    temperature_kelvin: FloatArray
    free_energy: FloatArray
    critical_field: FloatArray
    deviation: FloatArray
    condensation_energy: float
    condensation_energy_error: float
    gamma: float
    specific_heat_jump: float
    field_ratio: float

    def __post_init__(self) -> None:
        for name in ("temperature_kelvin", "free_energy", "critical_field", "deviation"):
            object.__setattr__(self, name, frozen(getattr(self, name)))


def thermodynamics(
    spectrum: Spectrum,
    mu_star: float,
    reduced_temperatures: FloatArray,
    *,
    reference: Reference | float = "omega_2",
) -> Thermodynamics:
    """Compute free energy, critical field, its deviation function and the specific-heat jump.

    E_c is read off where F_S - F_N = -E_c + gamma T^2/2, up to exp(-Delta/T) and what phonons as slow as T change of
    it. T is halved from Tc/10 until E_c changes by less than `CONDENSATION_TOLERANCE`, at most to Tc/80.
    The jump is -Tc d^2(F_S - F_N)/dT^2 below Tc. There (F_N - F_S)^(1/2) goes
    linearly to zero; its slope is that of the polynomial through five temperatures within 5 % of Tc, at the
    polynomial's own zero, so that the error of Tc does not enter.

    Parameters
    ----------
    spectrum
        `Alpha2F` or `CoupledModes`.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0.
    reduced_temperatures
        Positive T/Tc, shape (n,); the normal state answers above 1.
    reference
        w_ref, as for `critical_temperature`.

    Returns
    -------
    Thermodynamics

    Raises
    ------
    ParameterError
        As `solve_gap`.

    Examples
    --------
    >>> from hightc.eliashberg.modes import CoupledModes
    >>> result = thermodynamics(CoupledModes([10.0], [1.0]), 0.0, np.array([0.5]))
    >>> round(result.specific_heat_jump, 2), round(result.field_ratio, 3)
    (2.56, 0.138)
    """
    modes = modes_of(spectrum)
    solution = critical_temperature(modes, mu_star, reference=reference)
    reduced = np.atleast_1d(real_array("reduced_temperatures", reduced_temperatures))
    gamma, missing = 2 * pi**2 / 3 * (1 + modes.lam), np.full(reduced.size, nan)
    answer = Thermodynamics(
        GapStatus.NOT_CONVERGED,
        solution,
        missing,
        missing.copy(),
        missing.copy(),
        missing.copy(),
        nan,
        nan,
        gamma,
        nan,
        nan,
    )
    tc = solution.tc_kelvin
    if tc is None or tc == 0:
        return replace(answer, status=_STATUS_WITHOUT_TC[solution.status])

    def free_energy(temperatures: FloatArray) -> FloatArray:
        gaps = (solve_gap(modes, float(t) * tc, mu_star, reference=reference) for t in temperatures)
        return np.array([free_energy_difference(modes, gap) for gap in gaps])

    energies, near = free_energy(reduced), free_energy(_JUMP_POINTS)
    tc_mev = tc * KB_MEV_PER_K
    condensation, error = inf, inf
    for t in _LOW_TEMPERATURES:
        previous, condensation = condensation, gamma * (t * tc_mev) ** 2 / 2 - float(free_energy(np.array([t]))[0])
        error = abs(condensation - previous)
        if not error > CONDENSATION_TOLERANCE * condensation:
            break
    return replace(
        answer,
        status=GapStatus.FOUND if np.isfinite([*energies, *near, condensation]).all() else GapStatus.NOT_CONVERGED,
        temperature_kelvin=reduced * tc,
        free_energy=energies,
        critical_field=critical_field_per_root_density(energies),
        deviation=np.where(reduced <= 1, np.sqrt(-energies / condensation) - (1 - reduced**2), nan),
        condensation_energy=condensation,
        condensation_energy_error=error,
        specific_heat_jump=2 * _slope_at_zero(_JUMP_POINTS, np.sqrt(-near)) ** 2 / (gamma * tc_mev**2),
        field_ratio=float(gamma * tc_mev**2 / critical_field_per_root_density(-condensation) ** 2),
    )


def _slope_at_zero(positions: FloatArray, values: FloatArray) -> float:
    """Slope of the polynomial through the points, the last the smallest, at its zero nearest to them."""
    if not np.isfinite(values).all():
        return float("nan")
    polynomial = np.polynomial.Polynomial.fit(positions, values, positions.size - 1)
    beyond = positions[-1] + 2 * (positions[-1] - positions[-2])
    zero = scipy.optimize.newton(polynomial, beyond, polynomial.deriv())
    return float(polynomial.deriv()(zero))
