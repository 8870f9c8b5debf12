"""The critical temperature with fluctuations of the spin, which dress electrons as phonons do and break their pairs."""

from dataclasses import dataclass, fields, replace
from math import ceil, exp, inf, log, nan, pi, sqrt

import numpy as np
import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import STRONG_COUPLING_BOUND, Reference
from hightc.eliashberg.critical_temperature import critical_temperature
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.formulas import allen_dynes_tc_kelvin
from hightc.eliashberg.matsubara import Eigenpair
from hightc.eliashberg.modes import CoupledModes, Spectrum, modes_of
from hightc.eliashberg.pair_breaking import (
    NoRepulsionScaleError,
    PairBreakingOperator,
    largest_eigenpair,
    pair_breaking_operator,
    superconducts_at_zero_temperature,
    truncation,
)
from hightc.eliashberg.reduced_basis import LOWEST_TEMPERATURE
from hightc.eliashberg.results import TcSolution, TcStatus
from hightc.eliashberg.spin_fluctuation_rules import three_step_pseudopotential
from hightc.eliashberg.temperature_bracket import Instability, bracket_instability

LONGEST_KERNEL = 50_000.0
"""Highest fluctuation frequency over 2 pi kB T, beyond which no temperature is searched."""

TOLERANCE = 3e-5
"""Relative change of Tc by the Matsubara frequencies left out, at which their number is large enough."""

MOST_FREQUENCIES = 1 << 18
"""Matsubara frequencies at which the search stops refining; ``error_estimate_kelvin`` says what is left."""

_PHONON_DENSITY = 10.0  # Matsubara frequencies kept per w2 / (2 pi T)
_FLUCTUATION_DENSITY = 5.0  # per logarithmic mean of the fluctuations / (2 pi T)
_LEAST_DENSITY = 2.5  # per highest frequency / (2 pi T): the kernel's expansion must hold beyond
_FEWEST_FREQUENCIES = 128
_REFINEMENTS = 6
_FIRST_STEP = 0.1  # in ln T
_REFINED_STEP = 1e-3
_ROOT_TOLERANCE = 1e-8
_DEFAULT_CUTOFF = 10.0  # in units of the width: 94 % of the coupling of the uncut Lorentzian
_QUADRATURE = 96


@dataclass(frozen=True)
class SpinFluctuationSolution(TcSolution):
    """A `TcSolution` of phonons and spin fluctuations together; ``lam`` and the two mean frequencies are the phonons'.

    Parameters
    ----------
    lam_sf
        Coupling constant of the fluctuations.
    omega_sf_mev
        Their logarithmic mean frequency in meV, nan without coupling.
    without
        The solution for phonons alone, or None.
    """

    lam_sf: float = 0.0
    omega_sf_mev: float = nan
    without: TcSolution | None = None


def paramagnon_modes(
    lam_sf: float, width_mev: float, *, cutoff_mev: float | None = None, points: int = _QUADRATURE
) -> CoupledModes:
    """Sample the spectrum of an overdamped paramagnon, P(w) = A w G/(w^2 + G^2) for w < w_c.

    A is set by lam_sf = 2 int dw P(w)/w = 2 A arctan(w_c/G). With w = G tan t the coupling is uniform in t; Gauss
    nodes in the cube root of t resolve P down to 1e-6 G.

    Parameters
    ----------
    lam_sf
        Coupling constant, not negative.
    width_mev
        G, the frequency of the maximum, in meV.
    cutoff_mev
        w_c in meV; 10 G if left out.
    points
        Number of modes.

    Returns
    -------
    CoupledModes
        Shape (points,), in ascending order.

    Raises
    ------
    ParameterError
        If the coupling is negative, or width, cutoff or number of points is not positive.

    References
    ----------
    N. F. Berk and J. R. Schrieffer, Phys. Rev. Lett. 17, 433 (1966), for the enhanced susceptibility whose small-q
    form this is.

    Examples
    --------
    >>> round(paramagnon_modes(0.2, 50.0).lam, 12)
    0.2
    """
    cutoff_mev = _DEFAULT_CUTOFF * width_mev if cutoff_mev is None else cutoff_mev
    for name, value, valid in (
        ("lam_sf", lam_sf, 0 <= lam_sf < inf),
        ("width_mev", width_mev, 0 < width_mev < inf),
        ("cutoff_mev", cutoff_mev, 0 < cutoff_mev < inf),
        ("points", points, points > 0),
    ):
        if not valid:
            raise ParameterError(f"{name}: expected a positive finite number, found {value!r}: give that of P(w)")
    node, weight = scipy.special.roots_legendre(points)
    u = (node + 1) / 2
    angle = np.arctan(cutoff_mev / width_mev) * u**3
    share = 3 * u**2 * weight / 2
    return CoupledModes(width_mev * np.tan(angle), lam_sf * share / share.sum())


def critical_temperature_with_spin_fluctuations(
    spectrum: Spectrum,
    paramagnons: Spectrum,
    mu_star: float,
    *,
    reference: Reference | float = "omega_2",
    lowest_kelvin: float = 0.0,
) -> SpinFluctuationSolution:
    """Solve the linearised Eliashberg equations with a2F + P in the dressing and a2F - P in the pairing.

    That is the theory of a singlet s-wave superconductor with phonons a2F(w) and paramagnons P(w), both averaged over
    the Fermi surface, at a constant density of states. Fluctuations never raise Tc: -K - Zm is negative for them. The
    equations are those of `pair_breaking`; the root in ln T is found as by `critical_temperature`, and the number N of
    Matsubara frequencies is raised, by the N^-2 law of the part left out, until that part moves Tc by less than
    `TOLERANCE` or N reaches `MOST_FREQUENCIES`. The part left out is added as well, so that the true error is a small
    fraction of ``error_estimate_kelvin``.

    Parameters
    ----------
    spectrum
        Phonons, `Alpha2F` or `CoupledModes`.
    paramagnons
        P(w) of the same normalisation, 2 int dw P(w)/w = lambda_sf; see `paramagnon_modes`.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0, without what P(w) describes.
    reference
        w_ref, a frequency of the phonons or a number in meV, as for `critical_temperature`.
    lowest_kelvin
        Temperature in K below which Tc is not searched, far below the phonons: the time of the search grows as one
        over the temperature.

    Returns
    -------
    SpinFluctuationSolution
        With status

        * ``found``;
        * ``below_range``: Tc > 0, but below ``lowest_kelvin``, or kB Tc below w_max/20000 of the phonons, or the
          highest frequency of the fluctuations over 2 pi `LONGEST_KERNEL`;
        * ``no_superconductivity``: 0 K, the normal state is stable as T -> 0;
        * ``invalid``: mu* has no value at the energy of phonons or fluctuations, because
          1/mu* + ln(w_ref/w) <= 0 there.

    Raises
    ------
    ParameterError
        As `critical_temperature`.
    ConvergenceError
        If an iteration fails; not known to happen.

    References
    ----------
    N. F. Berk and J. R. Schrieffer, Phys. Rev. Lett. 17, 433 (1966); J. M. Daams, B. Mitrovic and J. P. Carbotte,
    Phys. Rev. Lett. 46, 65 (1981); H. Rietschel and H. Winter, Phys. Rev. Lett. 43, 1256 (1979).

    Examples
    --------
    >>> phonons, paramagnons = CoupledModes([10.0], [1.5]), CoupledModes([100.0], [0.2])
    >>> solution = critical_temperature_with_spin_fluctuations(phonons, paramagnons, 0.1)
    >>> round(solution.tc_kelvin * KB_MEV_PER_K / 10.0, 6)
    0.070512
    """
    phonons, fluctuations = modes_of(spectrum), modes_of(paramagnons)
    without = critical_temperature(phonons, mu_star, reference=reference)
    mu_star = without.mu_star
    answer = SpinFluctuationSolution(
        **{item.name: getattr(without, item.name) for item in fields(without)},
        lam_sf=fluctuations.lam,
        omega_sf_mev=fluctuations.omega_log_mev,
        without=without,
    )
    hopeless = without.status in (TcStatus.INVALID, TcStatus.NO_SUPERCONDUCTIVITY)
    reference_mev = answer.reference_mev
    if hopeless or answer.lam_sf == 0 or reference_mev is None:
        return answer
    answer = replace(answer, tc_kelvin=None, error_estimate_kelvin=None, evaluations=0, bracket_kelvin=None)
    if mu_star > 0 and 1 / mu_star + log(reference_mev / answer.omega_sf_mev) <= 0:
        return replace(answer, status=TcStatus.INVALID)
    instability = _Instability(phonons.coupled(), fluctuations.coupled(), mu_star, reference_mev)
    return _search(instability, answer, KB_MEV_PER_K * lowest_kelvin)


@dataclass
class _Instability(Instability):
    """Phonons, fluctuations of the spin and a Coulomb pseudopotential."""

    phonons: CoupledModes
    fluctuations: CoupledModes
    mu_star: float
    reference_mev: float

    def eigenpair(self, log_t: float) -> Eigenpair:
        """Solve at one temperature."""
        return largest_eigenpair(self.operator(log_t))

    def left_out(self, log_t: float) -> float:
        """Pair breaking has a tail of its own."""
        return truncation(self.eigenpairs[log_t])

    def n_matsubara(self, log_t: float) -> int:
        scale = 1 / (2 * pi * exp(log_t))
        highest = max(self.phonons.omega_max_mev, self.fluctuations.omega_max_mev)
        n = max(
            _FEWEST_FREQUENCIES,
            _PHONON_DENSITY * self.phonons.omega_2_mev * scale,
            _FLUCTUATION_DENSITY * self.fluctuations.omega_log_mev * scale,
            _LEAST_DENSITY * highest * scale,
        )
        return max(ceil(n), min(ceil(self.refinement * n), MOST_FREQUENCIES))

    def operator(self, log_t: float) -> PairBreakingOperator:
        return pair_breaking_operator(
            self.phonons, self.fluctuations, exp(log_t), self.mu_star, self.reference_mev, self.n_matsubara(log_t)
        )


def _search(instability: _Instability, answer: SpinFluctuationSolution, lowest_mev: float) -> SpinFluctuationSolution:
    phonons, highest = instability.phonons, instability.fluctuations.omega_max_mev
    floor = log(max(lowest_mev, LOWEST_TEMPERATURE * phonons.omega_max_mev, highest / (2 * pi * LONGEST_KERNEL)))
    ceiling = max(floor, log(STRONG_COUPLING_BOUND * phonons.omega_2_mev * sqrt(phonons.lam)))
    start = min(max(_estimate(instability, answer, floor), floor), ceiling)
    try:
        bracket = bracket_instability(instability, start, _FIRST_STEP, floor, ceiling)
        if bracket is None:
            exists = superconducts_at_zero_temperature(instability.operator(floor))
            answer = replace(answer, evaluations=instability.evaluations + 1)
            if exists:
                return replace(answer, status=TcStatus.BELOW_RANGE)
            return replace(answer, tc_kelvin=0.0, status=TcStatus.NO_SUPERCONDUCTIVITY)
        return _refine(instability, bracket, floor, ceiling, answer)
    except NoRepulsionScaleError:
        return replace(answer, status=TcStatus.INVALID, evaluations=instability.evaluations)


def _estimate(instability: _Instability, answer: SpinFluctuationSolution, floor: float) -> float:
    """Logarithm of the Allen-Dynes temperature with the three-step rule, or the floor."""
    phonons, lam_sf, omega_sf = instability.phonons, answer.lam_sf, answer.omega_sf_mev
    mu_star = three_step_pseudopotential(
        instability.mu_star, instability.reference_mev, lam_sf, omega_sf, phonons.omega_2_mev
    )
    if mu_star is None:
        return floor
    lam = phonons.lam / (1 + lam_sf)
    tc = float(allen_dynes_tc_kelvin(lam, phonons.omega_log_mev, phonons.omega_2_mev, mu_star))
    return log(tc * KB_MEV_PER_K) if tc > 0 else floor


def _refine(
    instability: _Instability,
    bracket: tuple[float, float],
    floor: float,
    ceiling: float,
    answer: SpinFluctuationSolution,
) -> SpinFluctuationSolution:
    """Find the root in the bracket, with more frequencies until what is left out does not matter."""
    for _ in range(_REFINEMENTS):
        low, high = bracket
        root = float(scipy.optimize.brentq(instability, low, high, xtol=_ROOT_TOLERANCE))
        slope = (instability(high) - instability(low)) / (high - low)
        instability(root)
        error = instability.left_out(root) / abs(slope)
        if error <= TOLERANCE or instability.n_matsubara(root) >= MOST_FREQUENCIES:
            break
        instability.refine(1.2 * sqrt(error / TOLERANCE))
        refined = bracket_instability(instability, root, _REFINED_STEP, floor, ceiling)
        if refined is None:
            break
        bracket = refined
    tc = exp(root) / KB_MEV_PER_K
    return replace(
        answer,
        tc_kelvin=tc,
        status=TcStatus.FOUND,
        error_estimate_kelvin=(error + _ROOT_TOLERANCE) * tc,
        evaluations=instability.evaluations,
        bracket_kelvin=(exp(low) / KB_MEV_PER_K, exp(high) / KB_MEV_PER_K),
    )
