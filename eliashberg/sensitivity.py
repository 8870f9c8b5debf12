"""How the critical temperature answers to its causes: spectrum, repulsion and masses.

At Tc the largest eigenvalue of the form Q of `matsubara` is 1, and with its eigenvector D = d + C (C the constant
of the gap) any small change x moves it by dQ/dx at fixed D (Hellmann and Feynman). Q is linear in the kernel,

    Q = sum_{k>=1} G_k lambda_k - sum_n p_n d_n^2 + (C^2/2) [1/mu* + ln(2 e^gamma w_ref / (pi T))],
    G_k = sum_n f_n f_{n+k} - 2 sum_{n>=k} f_n^2,      f_n = p_n D_n = f_{-n-1},   p_n = 1/(2n+1),

the first sum over all integers n, and a mode of unit coupling at w = 2 pi T a has lambda_k = a^2/(a^2 + k^2). Its
response r(a) = sum_k G_k a^2/(a^2 + k^2) is one function for all modes; with r' = dr/d ln a

    dQ/d ln T = -sum_j lam_j r'(a_j) - C^2/2,    dQ/d lam_j = r(a_j),    dQ/d mu* = -C^2/(2 mu*^2) .
"""

from dataclasses import dataclass
from math import ceil, pi

import numpy as np
import numpy.typing as npt
import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import Reference
from hightc.eliashberg.critical_temperature import critical_temperature
from hightc.eliashberg.errors import SpectrumError
from hightc.eliashberg.log_lattice import LogLattice
from hightc.eliashberg.matsubara import Eigenpair, GapOperator, gap_operator, largest_eigenpair
from hightc.eliashberg.modes import CoupledModes, FloatArray, Spectrum, finite_vector, frozen, modes_of
from hightc.eliashberg.results import TcSolution, TcStatus

TRUNCATION = 1e-7
"""Part of the eigenvalue by Matsubara frequencies left out, below which there are enough of them."""

_DENSITY = 15.0  # Matsubara frequencies kept per w2 / (2 pi T), the first time
_LEAST_DENSITY = 2.0  # per w_max / (2 pi T), as `gap_operator` wants
_FEWEST_FREQUENCIES = 64
_REFINEMENTS = 4
_TABLE = 8  # weights G_k are tabulated up to this many times N and the largest a, and expanded beyond
_EXPANSION_ORDER = 10  # in (a/k)^2 <= 1/64
_MOMENTS = 8  # of the gap, in (n/k)^2 <= 1/64
_CHUNK = 1 << 20  # numbers held at once: 8 MB


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Derivatives of Tc; every one is None where Tc has no positive value (see ``status``).

    Parameters
    ----------
    solution
        The critical temperature to which the derivatives belong.
    omega_mev
        Frequencies w in meV of the two functions of frequency, shape (n,).
    dtc_dalpha2f
        Functional derivative dTc/da2F(w) in K/meV, shape (n,): a change da2F(w) moves Tc by
        int dw dTc/da2F(w) da2F(w).
    dtc_dlam
        dTc/dlam in K, shape (n,), of the coupling lam of a mode at w: (w/2) dTc/da2F(w).
    dtc_dmu_star
        dTc/dmu* in K, negative.
    isotope_coefficient
        -d ln Tc/d ln M if all masses are scaled together.
    isotope_per_mode
        -d ln Tc/d ln M_j if M_j moves mode j of the spectrum alone, w_j ~ M_j^(-1/2) at fixed lam_j, in the order
        of ``spectrum.modes``; the sum is ``isotope_coefficient``.
    residual
        Relative difference between the Tc of ``solution`` and the root of the eigenvalue used here.
    """

    solution: TcSolution
    omega_mev: FloatArray
    dtc_dalpha2f: FloatArray | None = None
    dtc_dlam: FloatArray | None = None
    dtc_dmu_star: float | None = None
    isotope_coefficient: float | None = None
    isotope_per_mode: FloatArray | None = None
    residual: float | None = None

    def __post_init__(self) -> None:
        for name in ("omega_mev", "dtc_dalpha2f", "dtc_dlam", "isotope_per_mode"):
            values = getattr(self, name)
            object.__setattr__(self, name, None if values is None else frozen(values))

    @property
    def status(self) -> TcStatus:
        """How the search for Tc ended; derivatives exist if it is ``found``."""
        return self.solution.status


def sensitivity(
    spectrum: Spectrum,
    mu_star: float,
    *,
    reference: Reference | float = "omega_2",
    omega_mev: npt.ArrayLike | None = None,
) -> Sensitivity:
    """Compute Tc and its derivatives to spectrum, repulsion and masses.

    Every derivative is taken at fixed w_ref in meV, also where ``reference`` names a frequency of the spectrum: mu*
    belongs to the electrons, and neither a change of a2F nor one of the masses moves it. Then

    * dTc/da2F(w) goes to zero as w for w -> 0 and is largest near 7 to 9 kB Tc. It is positive at every frequency
      without repulsion, and with it up to about ln(w/w_ref) = 1/(2 mu*), where mu*(w) has doubled: electrons that far
      from the Fermi surface have a gap of the other sign, and binding them to the rest costs;
    * the isotope coefficient is 1/2 at mu* = 0 and smaller with repulsion. Masses scale all w_j as M^(-1/2) and
      leave lam_j as they are (lam ~ 1/(M w^2) at fixed force constants).

    The cost beyond Tc is one eigenvector or two. The relative error of the derivatives is of the order of
    `TRUNCATION`.

    Parameters
    ----------
    spectrum
        `Alpha2F` or `CoupledModes`.
    mu_star
        Coulomb pseudopotential mu*(w_ref) >= 0.
    reference
        w_ref, as for `critical_temperature`.
    omega_mev
        Positive frequencies in meV at which to give the functions of frequency, shape (n,); those of
        ``spectrum.modes`` if left out.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ParameterError
        As `critical_temperature`.
    SpectrumError
        If ``omega_mev`` is not a vector of positive finite numbers.
    ConvergenceError
        As `critical_temperature`.

    References
    ----------
    G. Bergmann and D. Rainer, Z. Phys. 263, 59 (1973); D. Rainer and F. J. Culetto, Phys. Rev. B 19, 2540 (1979),
    for the isotope effect by frequency; J. P. Carbotte, Rev. Mod. Phys. 62, 1027 (1990), section IV.

    Examples
    --------
    >>> modes = CoupledModes([10.0, 20.0], [0.5, 0.5])
    >>> round(sensitivity(modes, 0.0).isotope_coefficient, 9)
    0.5
    """
    modes = modes_of(spectrum)
    solution = critical_temperature(modes, mu_star, reference=reference)
    mu_star = solution.mu_star
    omega = modes.omega_mev if omega_mev is None else _positive_frequencies(omega_mev)
    if solution.status is not TcStatus.FOUND or solution.tc_kelvin is None or solution.reference_mev is None:
        return Sensitivity(solution, omega)
    temperature = KB_MEV_PER_K * solution.tc_kelvin
    operator, pair = _eigenvector(modes, temperature, mu_star, solution.reference_mev)
    response = _Response.of(operator, pair, np.concatenate([modes.omega_mev, omega]) / (2 * pi * temperature))
    n, lam = modes.omega_mev.size, modes.lam_per_mode
    by_frequency = lam * response.slope[:n]
    falling = by_frequency.sum() + response.constant**2 / 2  # -dQ/d ln T
    # Without repulsion C vanishes, and C/mu* has the limit -2 (half the derivative of Q with respect to C).
    constant_over_mu = response.constant / mu_star if response.constant else -2 * float(lam @ response.to_constant[:n])
    tc = solution.tc_kelvin
    dtc_dlam = tc * response.value[n:] / falling
    return Sensitivity(
        solution=solution,
        omega_mev=omega,
        dtc_dalpha2f=2 * dtc_dlam / omega,
        dtc_dlam=dtc_dlam,
        dtc_dmu_star=float(-tc * constant_over_mu**2 / 2 / falling),
        isotope_coefficient=float(by_frequency.sum() / falling / 2),
        isotope_per_mode=by_frequency / falling / 2,
        residual=float(abs(pair.value + pair.truncation - 1) / falling),
    )


def _positive_frequencies(omega_mev: npt.ArrayLike) -> FloatArray:
    omega = finite_vector("omega_mev", omega_mev)
    if (omega <= 0).any():
        first = int(np.argmax(omega <= 0))
        raise SpectrumError(
            f"omega_mev[{first}]: expected positive frequencies, found {omega[first]}: the derivative at w = 0 is 0"
        )
    return omega


def _eigenvector(
    modes: CoupledModes, temperature_mev: float, mu_star: float, reference_mev: float
) -> tuple[GapOperator, Eigenpair]:
    """Largest eigenpair at Tc with enough frequencies; their number grows by the N^-4 law of the part left out."""
    modes = modes.coupled()
    scale = 1 / (2 * pi * temperature_mev)
    n = max(_FEWEST_FREQUENCIES, _DENSITY * modes.omega_2_mev * scale, _LEAST_DENSITY * modes.omega_max_mev * scale)
    for _ in range(_REFINEMENTS):
        operator = gap_operator(modes, temperature_mev, mu_star, reference_mev, ceil(n))
        pair = largest_eigenpair(operator)
        if pair.truncation <= TRUNCATION:
            break
        n *= 1.15 * (pair.truncation / TRUNCATION) ** 0.25
    return operator, pair


@dataclass(frozen=True, eq=False)
class _Response:
    """Response of the eigenvalue to a mode of unit coupling at reduced frequencies a, each shape (n,).

    ``value`` is r(a), ``slope`` dr/d ln a, and ``to_constant`` the part of r linear in the constant C, over 2 C: half
    the derivative of Q with respect to C at C = 0. ``constant`` is C.
    """

    constant: float
    value: FloatArray
    slope: FloatArray
    to_constant: FloatArray

    @classmethod
    def of(cls, operator: GapOperator, pair: Eigenpair, reduced: FloatArray) -> "_Response":
        """Evaluate on a lattice in ln a and interpolate: the number of frequencies wanted costs nothing."""
        lattice = LogLattice.of(reduced)
        squares = np.exp(2 * lattice.log_omega)
        measure = operator.measure
        constant = -operator.coulomb_weight * float(operator.coulomb_row @ (np.sqrt(measure) * pair.gap))
        size = _TABLE * max(measure.size, ceil(np.sqrt(squares.max())))
        with_gap, mixed, with_constant = _weights(measure * pair.gap, measure, size)
        total = with_gap + 2 * constant * mixed + constant**2 * with_constant
        value, slope, to_constant = _sum_of_table(squares, np.stack([total, mixed]))
        moments = _moments(measure * pair.gap, size)
        mixed_tail, mixed_slope = _tail_of_moments(squares / (size - 0.5) ** 2, moments)
        constant_tail, constant_slope = _tail_of_constant(squares / (size - 0.5) ** 2, size)
        value += 2 * constant * mixed_tail + constant**2 * constant_tail
        slope += 2 * constant * mixed_slope + constant**2 * constant_slope
        to_constant += mixed_tail
        spread = lattice.distribution
        return cls(constant, spread @ value, spread @ slope, spread @ to_constant)


def _weights(f: FloatArray, measure: FloatArray, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights G_k, k = 1 ... size - 1, of the pairs d d, d 1 and 1 1; each shape (size - 1,).

    G is bilinear: for two gaps with f and g it is sum_n f_n g_{n+k} - 2 sum_{n>=k} f_n g_n.
    """
    n = f.size
    both = np.concatenate([f[::-1], f])
    constant = 1 / np.abs(2 * np.arange(-n, n + size - 1) + 1.0)

    def tail_sum(values: FloatArray) -> FloatArray:
        sums = np.zeros(size - 1)
        sums[: n - 1] = np.cumsum(values[:0:-1])[::-1]
        return sums

    with_gap = -2 * tail_sum(f * f)
    with_gap[: 2 * n - 1] += scipy.signal.correlate(both, both, method="fft")[2 * n :]
    mixed = scipy.signal.correlate(constant, both, mode="valid", method="fft")[1:] - 2 * tail_sum(f * measure)
    odd = 2 * np.arange(1, size, dtype=np.float64) - 1
    with_constant = 4 * np.cumsum(1 / odd) / (odd + 1) - (np.pi**2 / 4 - 2 * np.cumsum(odd**-2.0))
    return with_gap, mixed, with_constant


def _sum_of_table(squares: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sums over the table of G_k a^2/(a^2+k^2) and its derivative to ln a, and of the second row of weights."""
    value, slope, mixed = (np.zeros(squares.size) for _ in range(3))
    chunk = max(1, _CHUNK // squares.size)
    for first in range(0, weights.shape[1], chunk):
        part = weights[:, first : first + chunk]
        k = np.arange(first + 1, first + 1 + part.shape[1], dtype=np.float64)
        kernel = squares[:, None] / (squares[:, None] + k**2)
        value += kernel @ part[0]
        mixed += kernel @ part[1]
        slope += 2 * (kernel * (1 - kernel)) @ part[0]
    return value, slope, mixed


def _moments(f: FloatArray, size: int) -> FloatArray:
    """Coefficients s_j of G_k = (1/k) sum_j s_j (X/k)^(2j) for the pair d 1 beyond the table, X = size - 1/2."""
    square = ((np.arange(f.size) + 0.5) / (size - 0.5)) ** 2
    return np.asarray(square ** np.arange(_MOMENTS)[:, None] @ f)


def _tail_of_moments(ratio: FloatArray, moments: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Integrate G_k a^2/(a^2+k^2) and its derivative to ln a over k > X; ratio = (a/X)^2."""
    twice_p = 2 * np.arange(1, _EXPANSION_ORDER + 1)
    terms = -((-ratio) ** (twice_p // 2)[:, None])
    integrals = (1 / (twice_p[:, None] + 2 * np.arange(_MOMENTS))) @ moments
    return integrals @ terms, (twice_p * integrals) @ terms


def _tail_of_constant(ratio: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Do the same for the pair 1 1, where G_k = [ln k + gamma + 2 ln 2 - 1/2]/k."""
    twice_p = 2.0 * np.arange(1, _EXPANSION_ORDER + 1)
    terms = -((-ratio) ** np.arange(1, _EXPANSION_ORDER + 1)[:, None])
    logarithm = np.log(size - 0.5) + np.euler_gamma + 2 * np.log(2) - 0.5
    integrals = logarithm / twice_p + 1 / twice_p**2
    return integrals @ terms, (twice_p * integrals) @ terms
