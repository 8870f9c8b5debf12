"""The critical temperature with a density of states that depends on energy.

With y_n = w_n Z_n, the energy shift chi_n and x_n = mu - chi_n, H the resolvent of N(E)/N(0) (`density_of_states`) and
zeta_n = x_n + i y_n the isotropic equations in the normal state and for a small order parameter phi_n = Z_n Delta_n are

    y_n   = w_n + T sum_m lambda_{n-m} sign(w_m) Im H(zeta_m),
    chi_n = -T sum_m lambda_{n-m} Re H(zeta_m),
    phi_n = T sum_m (lambda_{n-m} - mu_c) Im H(zeta_m)/y_m phi_m,

sums over all m, and mu is fixed by the number of electrons per spin, T sum_m G(w_m) with G = -H. For constant N,
Im H = pi and Re H = 0: the equations of `matsubara`.

**Coulomb repulsion.** With Delta_n = d_n + C and q_m = T Im H(zeta_m)/w_m, which is p_m = 1/(2m+1) for constant N, the
form Q of `matsubara` becomes

    Q = <D|q L q|D> - sum_n q_n (Z_n - 1) D_n^2 - sum_n q_n d_n^2
        + (C^2/2) [1/mu* + ln(2 e^gamma w_ref / (pi T)) + 2 sum_n (q_n - p_n)],    L_nm = lambda_{n-m} + lambda_{n+m+1}.

Only below a cutoff w_c does the repulsion see N(E); above it mu* stands, as for constant N, for all there is, and
q_n = p_n. In a flat wide band the cutoff therefore has no meaning and mu*(w_ref) is that of `critical_temperature`.
"""

from dataclasses import dataclass, fields, replace
from math import exp, log, nan, sqrt

import numpy as np
import numpy.typing as npt
import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import STRONG_COUPLING_BOUND, THERMAL_FACTOR, Reference
from hightc.eliashberg.critical_temperature import critical_temperature
from hightc.eliashberg.density_of_states import DensityOfStates, Tail
from hightc.eliashberg.kernel import (
    SymmetricConvolution,
    constant_gap_row,
    constant_gap_square,
    expansion,
    phonon_kernel,
)
from hightc.eliashberg.matsubara import Eigenpair, GapOperator
from hightc.eliashberg.modes import CoupledModes, Spectrum, modes_of
from hightc.eliashberg.normal_state import NormalState, cutoff_frequency, normal_state
from hightc.eliashberg.pair_breaking import (
    NoRepulsionScaleError,
    PairBreakingOperator,
    largest_eigenpair,
    superconducts_at_zero_temperature,
)
from hightc.eliashberg.results import TcSolution, TcStatus
from hightc.eliashberg.temperature_bracket import Instability, bracket_instability

LOWEST_TEMPERATURE = 1 / 1000
"""Lowest temperature searched, in units of the highest phonon frequency."""

_TAIL_ORDER = 6
_FIRST_STEP = 0.1  # in ln T
_ROOT_TOLERANCE = 1e-9  # in ln T


@dataclass(frozen=True)
class FullBandwidthSolution(TcSolution):
    """A `TcSolution` with an energy-dependent density of states.

    Parameters
    ----------
    cutoff_mev
        w_c in meV.
    chemical_potential_mev
        mu at Tc in meV relative to the Fermi energy of T = 0 without phonons; nan where there is no Tc.
    constant
        The solution for a constant density of states, or None.
    """

    cutoff_mev: float = nan
    chemical_potential_mev: float = nan
    constant: TcSolution | None = None


def critical_temperature_full_bandwidth(
    spectrum: Spectrum,
    energy_mev: npt.ArrayLike,
    dos: npt.ArrayLike,
    mu_star: float,
    *,
    reference: Reference | float = "omega_2",
    tail: Tail = "constant",
    cutoff_mev: float | None = None,
) -> FullBandwidthSolution:
    """Solve the linearised isotropic Eliashberg equations with a density of states N(E).

    Approximations: a2F is that of the Fermi surface and is not resolved in energy (the pairing of two states depends on
    N(E) alone); no vertex corrections, though E_F may be close to the phonons; the repulsion sees N(E) below w_c only.
    EPW and IsoME solve the same equations for Z, chi and phi; the frequency to which their mu* belongs is another.

    Parameters
    ----------
    spectrum
        `Alpha2F` or `CoupledModes`, normalised with N(0).
    energy_mev, dos, tail
        Density of states, see `DensityOfStates`; its unit drops out.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0.
    reference
        w_ref, as for `critical_temperature`.
    cutoff_mev
        w_c in meV, at least twice the highest phonon frequency; ten times if left out.

    Returns
    -------
    FullBandwidthSolution
        ``below_range`` means a Tc under w_max/1000; ``invalid`` a mu* without value at the phonons or, seen with N(E),
        at w_c.

    Raises
    ------
    ParameterError, SpectrumError
        As `critical_temperature` and `DensityOfStates`, or if the cutoff is too low.
    ConvergenceError
        If the normal state does not settle.

    References
    ----------
    W. E. Pickett, Phys. Rev. B 26, 1186 (1982); R. Lucrezi et al., Commun. Phys. 7, 33 (2024), for EPW;
    E. Kogler et al., Comput. Phys. Commun. 315, 109720 (2025), for IsoME.

    Examples
    --------
    >>> flat = critical_temperature_full_bandwidth(CoupledModes([10.0], [1.0]), [-1e6, 1e6], [2.0, 2.0], 0.1)
    >>> round(flat.tc_kelvin * KB_MEV_PER_K / 10.0, 4)
    0.0721
    """
    density = DensityOfStates(np.asarray(energy_mev), np.asarray(dos), tail)
    modes = modes_of(spectrum)
    constant = critical_temperature(modes, mu_star, reference=reference)
    answer = FullBandwidthSolution(
        **{item.name: getattr(constant, item.name) for item in fields(constant)}, constant=constant
    )
    if answer.lam == 0 or answer.reference_mev is None or constant.status is TcStatus.INVALID:
        return answer
    answer = replace(answer, tc_kelvin=None, error_estimate_kelvin=None, evaluations=0, bracket_kelvin=None)
    modes = modes.coupled()
    answer = replace(answer, cutoff_mev=cutoff_frequency(modes, cutoff_mev))
    return _search(
        _Instability(modes, density, constant.mu_star, float(constant.reference_mev or nan), answer.cutoff_mev), answer
    )


@dataclass
class _Instability(Instability):
    """Phonons, a Coulomb pseudopotential and electrons with a density of states that varies."""

    modes: CoupledModes
    density: DensityOfStates
    mu_star: float
    reference_mev: float
    cutoff_mev: float

    def eigenpair(self, log_t: float) -> Eigenpair:
        """Solve at one temperature."""
        return largest_eigenpair(self.operator(exp(log_t)))

    def normal_state(self, temperature_mev: float) -> NormalState:
        """Electrons at T."""
        return normal_state(self.modes, self.density, temperature_mev / KB_MEV_PER_K, cutoff_mev=self.cutoff_mev)

    def operator(self, temperature_mev: float) -> PairBreakingOperator:
        """Gap operator at T."""
        state = self.normal_state(temperature_mev)
        weight, n = state.weight, state.weight.size
        kernel = phonon_kernel(self.modes, temperature_mev, 8 * n)
        free = GapOperator(kernel, weight, (state.renormalisation - 1) / weight, np.zeros(n), 0.0)
        if self.mu_star == 0:
            return PairBreakingOperator(free, 0.0)
        convolution, measure = SymmetricConvolution(kernel, n), 1 / (2 * np.arange(n) + 1.0)
        coefficients = expansion(self.modes, temperature_mev, _TAIL_ORDER)
        dressing = kernel[0] + 2 * np.concatenate([[0.0], np.cumsum(kernel[1:n])])
        flat = convolution(measure)
        above = constant_gap_row(kernel, coefficients, n) - flat
        # Both ends above the cutoff: all pairs of constant N less those with an end below.
        both_above = constant_gap_square(kernel, coefficients)
        both_above -= float(measure @ (flat + 2 * above) - measure**2 @ dressing)
        pairing = convolution(weight) + above
        row = pairing - (state.renormalisation - 1)
        scale = 1 / self.mu_star + log(THERMAL_FACTOR * self.reference_mev / temperature_mev)
        square = scale / 2 + float((weight - measure).sum() + weight @ (row + above)) + both_above
        if square <= 0:
            raise NoRepulsionScaleError
        operator = replace(free, coulomb_row=np.sqrt(weight) * row, coulomb_weight=1 / square)
        return PairBreakingOperator(operator, float(pairing[0]) + 1)


def _search(problem: _Instability, answer: FullBandwidthSolution) -> FullBandwidthSolution:
    modes, constant = problem.modes, answer.constant
    floor = log(LOWEST_TEMPERATURE * modes.omega_max_mev)
    highest = float(problem.density.dos.max())
    ceiling = max(floor, log(2 * STRONG_COUPLING_BOUND * modes.omega_2_mev * sqrt(modes.lam * highest)))
    start = log(KB_MEV_PER_K * constant.tc_kelvin) if constant is not None and constant.tc_kelvin else floor
    try:
        bracket = bracket_instability(problem, min(max(start, floor), ceiling), _FIRST_STEP, floor, ceiling)
        if bracket is None:
            exists = superconducts_at_zero_temperature(problem.operator(exp(floor)))
            answer = replace(answer, evaluations=problem.evaluations + 1)
            if exists:
                return replace(answer, status=TcStatus.BELOW_RANGE)
            return replace(answer, tc_kelvin=0.0, status=TcStatus.NO_SUPERCONDUCTIVITY)
        low, high = bracket
        root = float(scipy.optimize.brentq(problem, low, high, xtol=_ROOT_TOLERANCE))
        slope = (problem(high) - problem(low)) / (high - low)
        problem(root)
    except NoRepulsionScaleError:
        return replace(answer, status=TcStatus.INVALID)
    tc = exp(root) / KB_MEV_PER_K
    return replace(
        answer,
        tc_kelvin=tc,
        status=TcStatus.FOUND,
        error_estimate_kelvin=(problem.left_out(root) / abs(slope) + _ROOT_TOLERANCE) * tc,
        evaluations=problem.evaluations,
        bracket_kelvin=(exp(low) / KB_MEV_PER_K, exp(high) / KB_MEV_PER_K),
        chemical_potential_mev=problem.normal_state(exp(root)).chemical_potential_mev,
    )
