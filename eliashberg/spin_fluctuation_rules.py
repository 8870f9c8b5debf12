"""Rescalings that put spin fluctuations into a2F and mu*, and when they fail.

Below the energy of the fluctuations their pairing kernel is the constant -lambda_sf and their dressing the factor
1 + lambda_sf. Dividing the gap equation by that factor gives the rules here; they differ in the energy to which the
repulsion lambda_sf is said to belong. The errors that the reasons quote were measured against `spin_fluctuations` on
Einstein spectra with lambda = 0.6 to 2.5, mu* = 0.1 at the phonons and fluctuations 1 to 100 times as fast.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, log

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import Reference, require_mu_star
from hightc.eliashberg.critical_temperature import critical_temperature
from hightc.eliashberg.modes import CoupledModes, Spectrum, modes_of
from hightc.eliashberg.results import TcSolution, TcStatus

SEPARATION = 10.0
"""Least ratio of fluctuation to phonon frequency at which `three_step_rule` is not known to fail."""

WEAK_FLUCTUATIONS = 0.1
"""Largest lambda_sf at which it is not known to fail."""

WEAK_SUPERCONDUCTIVITY = 0.02
"""Least kB Tc, in units of the root mean square phonon frequency, at which it is not known to fail."""


@dataclass(frozen=True)
class SpinFluctuationEstimate:
    """An approximate critical temperature and what is known against it.

    Parameters
    ----------
    solution
        Tc of the rescaled spectrum and mu*, both of which it carries.
    frequency_ratio
        Logarithmic mean frequency of the fluctuations over root mean square frequency of the phonons; nan where one
        of the two couplings is zero.
    reason
        Why the number should not be trusted, or, with status ``invalid``, why there is none; None if nothing is known
        against it.
    """

    solution: TcSolution
    frequency_ratio: float
    reason: str | None

    @property
    def tc_kelvin(self) -> float | None:
        """Critical temperature in K; None where there is none."""
        return self.solution.tc_kelvin

    @property
    def status(self) -> TcStatus:
        """How the search for Tc ended."""
        return self.solution.status


def daams_mitrovic_carbotte(
    spectrum: Spectrum, paramagnons: Spectrum, mu_star: float, *, reference: Reference | float = "omega_2"
) -> SpinFluctuationEstimate:
    """Rescale a2F/(1 + lambda_sf) and (mu* + lambda_sf)/(1 + lambda_sf), and solve.

    The repulsion lambda_sf is taken to act at w_ref like mu* itself.

    Parameters
    ----------
    spectrum, paramagnons
        Phonons and fluctuations.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0, without what the fluctuations describe.
    reference
        w_ref, as for `critical_temperature`.

    Returns
    -------
    SpinFluctuationEstimate

    Raises
    ------
    ParameterError, ConvergenceError
        As `critical_temperature`.

    References
    ----------
    J. M. Daams, B. Mitrovic and J. P. Carbotte, Phys. Rev. Lett. 46, 65 (1981).
    """
    lam_sf = modes_of(paramagnons).lam
    rescaled = (require_mu_star(mu_star) + lam_sf) / (1 + lam_sf)
    return _estimate(spectrum, paramagnons, rescaled, reference, _against_daams_mitrovic_carbotte)


def three_step_pseudopotential(
    mu_star: float, reference_mev: float, lam_sf: float, omega_sf_mev: float, target_mev: float
) -> float | None:
    """Bring mu* up to the fluctuations, add their repulsion and dressing, and bring the sum back.

    mu_1 = 1/[1/mu* + ln(w_ref/w_sf)],  mu_2 = (mu_1 + lambda_sf)/(1 + lambda_sf),  1/[1/mu_2 + ln(w_sf/w)].

    Parameters
    ----------
    mu_star, reference_mev
        Coulomb pseudopotential and its frequency in meV.
    lam_sf, omega_sf_mev
        Coupling and frequency in meV of the fluctuations.
    target_mev
        Frequency w in meV to which the result belongs.

    Returns
    -------
    float or None
        Effective mu*, None if mu* has no value at w_sf or the sum none at w.
    """
    at_fluctuations = 1 / mu_star + log(reference_mev / omega_sf_mev) if mu_star > 0 else inf
    if at_fluctuations <= 0:
        return None
    total = (1 / at_fluctuations + lam_sf) / (1 + lam_sf)
    if total == 0:
        return 0.0
    at_target = 1 / total + log(omega_sf_mev / target_mev)
    return 1 / at_target if at_target > 0 else None


def three_step_rule(
    spectrum: Spectrum, paramagnons: Spectrum, mu_star: float, *, reference: Reference | float = "omega_2"
) -> SpinFluctuationEstimate:
    """Rescale a2F/(1 + lambda_sf) and mu* by `three_step_pseudopotential`, and solve.

    The repulsion lambda_sf is taken to act at the logarithmic mean frequency of the fluctuations.

    Parameters
    ----------
    spectrum, paramagnons
        Phonons and fluctuations.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0, without what the fluctuations describe.
    reference
        w_ref, as for `critical_temperature`.

    Returns
    -------
    SpinFluctuationEstimate
        ``invalid`` if mu* has no value at the fluctuations or their sum none at w_ref.

    Raises
    ------
    ParameterError, ConvergenceError
        As `critical_temperature`.
    """
    modes = modes_of(paramagnons)
    plain = critical_temperature(spectrum, mu_star, reference=reference)
    mu_star = plain.mu_star
    if modes.lam == 0 or plain.reference_mev is None:
        return SpinFluctuationEstimate(plain, modes.omega_log_mev / plain.omega_2_mev, None)
    rescaled = three_step_pseudopotential(
        mu_star, plain.reference_mev, modes.lam, modes.omega_log_mev, plain.reference_mev
    )
    if rescaled is None:
        nothing = replace(plain, tc_kelvin=None, status=TcStatus.INVALID, error_estimate_kelvin=None)
        reason = f"mu* = {mu_star:g} at {plain.reference_mev:.4g} meV has no value at {modes.omega_log_mev:.4g} meV"
        return SpinFluctuationEstimate(nothing, modes.omega_log_mev / plain.omega_2_mev, reason)
    return _estimate(spectrum, paramagnons, rescaled, reference, _against_three_steps)


Objection = Callable[[TcSolution, float, float], str | None]


def _estimate(
    spectrum: Spectrum,
    paramagnons: Spectrum,
    rescaled: float,
    reference: Reference | float,
    objection: Objection,
) -> SpinFluctuationEstimate:
    phonons, fluctuations = modes_of(spectrum), modes_of(paramagnons)
    dressed = CoupledModes(phonons.omega_mev, phonons.lam_per_mode / (1 + fluctuations.lam))
    solution = critical_temperature(dressed, rescaled, reference=reference)
    ratio = fluctuations.omega_log_mev / phonons.omega_2_mev
    return SpinFluctuationEstimate(solution, ratio, objection(solution, fluctuations.lam, ratio))


def _against_daams_mitrovic_carbotte(_solution: TcSolution, lam_sf: float, ratio: float) -> str | None:
    if lam_sf == 0:
        return None
    return (
        f"lambda_sf = {lam_sf:.3g} acts as a repulsion at w_ref, though its frequency is {ratio:.3g} times the "
        "phonons': Tc reads low, by 6 to 38 % at lambda_sf = 0.05, 12 to 70 % at 0.1 and more beyond"
    )


def _against_three_steps(solution: TcSolution, lam_sf: float, ratio: float) -> str | None:
    if ratio < SEPARATION:
        return (
            f"fluctuations are {ratio:.3g} times as fast as the phonons, below {SEPARATION:g}: Tc reads low, by 3 to "
            "15 % at 3 times and by 8 to 98 % at equal frequencies"
        )
    if lam_sf > WEAK_FLUCTUATIONS:
        return (
            f"lambda_sf = {lam_sf:.3g} is above {WEAK_FLUCTUATIONS}: Tc reads high, by up to 6 % at 0.2 and 24 % at "
            "0.4, and more where it is low"
        )
    tc_mev = KB_MEV_PER_K * (solution.tc_kelvin or 0.0)
    if tc_mev < WEAK_SUPERCONDUCTIVITY * solution.omega_2_mev:
        return f"kB Tc is below {WEAK_SUPERCONDUCTIVITY:g} of the phonon frequency: it reads high, by 5 % and more"
    return None
