"""The linearised gap equation with bosons that break singlet pairs, as one symmetric eigenvalue problem.

Phonons bind electrons of opposite spin and dress each of them; fluctuations of the spin dress them as well and
push the two apart. With kernels a_k of the phonons and b_k of the fluctuations the form Q of `matsubara` becomes

    Q(d, C) = <D|K|D> - <D|Zm|D> - sum_n p_n d_n^2 + (C^2/2) [1/mu* + ln(2 e^gamma w_ref / (pi T))],    D = d + C,
    K from a_k - b_k,    Zm from a_k + b_k.

Every sum over C alone still converges, but K and Zm no longer cancel at high frequencies: the gap approaches C as
1/n, d_n = -C z/n with z = sum_k b_k = lambda_sf w_sf/(2T) for w_sf >> T, and not as 1/n^2. The constant C of the
phonon's form would not do: its weight, the coefficient of C^2, is lowered by lambda_sf ln^2(w_sf/T) and goes through
zero. With C only for n >= M, D_n = e_n + C theta(n >= M), the same Q reads

    Q = <u|A - 1|u> + 2 C <row - (A - 1) c|u> + C^2 [weight - 2 <row|c> + <c|A - 1|c>],
    u_n = sqrt(p_n) e_n,    c_n = sqrt(p_n) theta(n < M),

which for 2 pi T M near w_sf has the weight 1/(2 mu*(w_sf)) of the repulsion at the energy of the fluctuations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log, pi

import numpy as np

from hightc.eliashberg.coulomb import THERMAL_FACTOR
from hightc.eliashberg.kernel import constant_gap_row, constant_gap_square, expansion, phonon_kernel
from hightc.eliashberg.matsubara import (
    DENSE_LIMIT,
    Eigenpair,
    GapOperator,
    largest_by_lanczos,
    largest_eigenpair_dense,
)
from hightc.eliashberg.modes import CoupledModes, FloatArray

LOWEST_EIGENVALUE = 0.25
"""Eigenvalues of A below this one are not resolved: they accumulate at zero, far from the 1 that matters."""

_TAIL_ORDER = 6


class NoRepulsionScaleError(Exception):
    """mu* has no value at the highest energy on which the repulsion acts, and the eigenvalue no meaning."""


@dataclass(frozen=True, eq=False)
class PairBreakingOperator:
    """The form Q at one temperature.

    Attributes
    ----------
    gap_operator
        A with C eliminated; its largest eigenvalue exceeds 1 where the normal state is unstable.
    lowest_row
        Half the derivative of Q with respect to C and to the gap at zero energy (`superconducts_at_zero_temperature`).
    """

    gap_operator: GapOperator
    lowest_row: float


def pair_breaking_operator(
    phonons: CoupledModes,
    fluctuations: CoupledModes,
    temperature_mev: float,
    mu_star: float,
    reference_mev: float,
    n_matsubara: int,
) -> PairBreakingOperator:
    """Build the linearised gap operator of phonons and pair-breaking fluctuations.

    Parameters
    ----------
    phonons, fluctuations
        The two spectra.
    temperature_mev
        Temperature kB T in meV.
    mu_star
        Coulomb pseudopotential at ``reference_mev``; 0 drops the repulsion.
    reference_mev
        Frequency w_ref in meV.
    n_matsubara
        Number N of positive fermionic frequencies kept; at least 4 and twice the highest frequency of both spectra
        over 2 pi T.

    Returns
    -------
    PairBreakingOperator

    Raises
    ------
    NoRepulsionScaleError
        If the coefficient of C^2 is not positive.
    """
    n = n_matsubara
    binding, breaking = (phonon_kernel(modes, temperature_mev, 8 * n) for modes in (phonons, fluctuations))
    series, breaking_series = (expansion(modes, temperature_mev, _TAIL_ORDER) for modes in (phonons, fluctuations))
    pairing, dressing = binding - breaking, binding + breaking
    measure = 1 / (2 * np.arange(n) + 1.0)
    renormalisation = dressing[0] + 2 * np.concatenate([[0.0], np.cumsum(dressing[1:n])])
    free = GapOperator(pairing, measure, renormalisation, np.zeros(n), 0.0)
    if mu_star == 0:
        return PairBreakingOperator(free, 0.0)
    root = np.sqrt(measure)
    row = root * (constant_gap_row(pairing, series - breaking_series, n) - measure * renormalisation)
    weight = constant_gap_square(binding, series) - constant_gap_square(breaking, breaking_series)
    weight -= 2 * constant_gap_mass(breaking, breaking_series)
    weight += (1 / mu_star + log(THERMAL_FACTOR * reference_mev / temperature_mev)) / 2
    first = _first_constant(fluctuations, temperature_mev, n)
    below = np.where(np.arange(n) < first, root, 0.0)
    image = free.product(below) - below
    weight += float(below @ image - 2 * row @ below)
    # z_0 = a_0 + b_0 is taken from the row, and the lowest point's coupling to the points below M is in u.
    lowest = float(row[0] + renormalisation[0] + 1 - below @ (root * (pairing[:n] + pairing[1 : n + 1])))
    if weight <= 0:
        raise NoRepulsionScaleError
    operator = GapOperator(pairing, measure, renormalisation, row - image, 1 / weight)
    return PairBreakingOperator(operator, lowest)


def _first_constant(fluctuations: CoupledModes, temperature_mev: float, n: int) -> int:
    """M: where the gap is about to become constant, well below N; 0 where fluctuations are slower than 2 pi T."""
    scale = fluctuations.omega_log_mev * max(1.0, fluctuations.lam)
    return min(ceil(scale / (2 * pi * temperature_mev)) - 1, n // 4)


def constant_gap_mass(kernel: FloatArray, coefficients: FloatArray) -> float:
    """Quadratic form <1|Zm|1> = lambda_0 pi^2/8 + 2 sum_{k>=1} lambda_k sum_{n>=k} (2n+1)^-2 of the constant gap.

    Beyond the last k = X - 1/2 of the table the inner sum is 1/(4k), which is integrated with the expansion of
    lambda_k.

    Parameters
    ----------
    kernel
        lambda_k, shape (size,).
    coefficients
        Expansion of the kernel, from `kernel.expansion`.

    Returns
    -------
    float
        Dimensionless, linear in the spectrum.
    """
    odd = 2 * np.arange(1, kernel.size, dtype=np.float64) - 1
    inner = np.pi**2 / 8 - np.cumsum(odd**-2.0)
    edge = kernel.size - 0.5
    twice_p = 2.0 * np.arange(1, coefficients.size + 1)
    tail = coefficients * edge**-twice_p / (2 * twice_p)
    return float(kernel[0] * np.pi**2 / 8 + 2 * kernel[1:] @ inner + tail.sum())


def largest_eigenpair(operator: PairBreakingOperator) -> Eigenpair:
    """Compute the largest eigenvalue of A, or `LOWEST_EIGENVALUE` if that is larger.

    Where fluctuations win, no eigenvalue stands out from those of high frequencies, which accumulate at zero, and a
    Lanczos iteration would not end. One decoupled state at `LOWEST_EIGENVALUE` always stands out.

    Parameters
    ----------
    operator
        Gap operator.

    Returns
    -------
    Eigenpair
        Its gap is e_n, or zero if the decoupled state is the largest.

    Raises
    ------
    ConvergenceError
        If the iteration fails; not known to happen.
    """
    gap = operator.gap_operator
    if gap.measure.size <= DENSE_LIMIT:
        return largest_eigenpair_dense(gap)
    root = np.sqrt(gap.measure)
    value, vector = _largest_with_decoupled_state(gap.product, root, LOWEST_EIGENVALUE)
    return Eigenpair(value, vector / root)


def _largest_with_decoupled_state(
    product: Callable[[FloatArray], FloatArray], start: FloatArray, decoupled: float
) -> tuple[float, FloatArray]:
    def extended(vector: FloatArray) -> FloatArray:
        return np.append(product(vector[:-1]), decoupled * vector[-1])

    value, vector = largest_by_lanczos(extended, np.append(start, 1.0))
    return value, vector[:-1]


def truncation(pair: Eigenpair) -> float:
    """Estimate of what the frequencies n >= N would add to the eigenvalue.

    To second order that is value sum_{n>=N} p_n d_n^2. With x = n + 1/2 the gap goes as d = alpha N/x + beta (N/x)^2,
    alpha and beta are read off at N and N/2, and the sum is alpha^2/4 + alpha beta/3 + beta^2/8. It falls as 1/N^2
    with repulsion and as 1/N^4 without; what it misses is smaller by z/N.
    """
    n = pair.gap.size
    inverse = n / (np.array([n // 2, n - 1]) + 0.5)
    middle, end = pair.gap[[n // 2, n - 1]] / inverse
    beta = (middle - end) / (inverse[0] - inverse[1])
    alpha = end - beta * inverse[1]
    return float(pair.value * (alpha**2 / 4 + alpha * beta / 3 + beta**2 / 8))


def superconducts_at_zero_temperature(operator: PairBreakingOperator) -> bool:
    """Decide whether the normal state is unstable at some temperature at or below the operator's.

    As `matsubara.superconducts_at_zero_temperature`: the points that a lower temperature adds have one gap V/P and
    add 2 (a_0 - b_0) V^2 + 2 V [sum_m p_m (pairing_m + pairing_{m+1}) D_m + C] to Q; their dressing falls as 1/P.

    Parameters
    ----------
    operator
        Gap operator at a temperature far below phonons and fluctuations.

    Returns
    -------
    bool
        Whether Tc > 0.
    """
    gap = operator.gap_operator
    pairing, weight, root = gap.kernel, gap.coulomb_weight, np.sqrt(gap.measure)
    n = root.size
    coupling = root * (pairing[:n] + pairing[1 : n + 1])

    def product(vector: FloatArray) -> FloatArray:
        u, v = vector[:n], vector[n]
        through_constant = weight * float(gap.coulomb_row @ u + operator.lowest_row * v)
        result = np.empty(n + 1)
        # The product with A takes its own part of what goes through C.
        result[:n] = gap.product(u) - u + v * (coupling - weight * operator.lowest_row * gap.coulomb_row)
        result[n] = coupling @ u + 2 * pairing[0] * v - operator.lowest_row * through_constant
        return result

    value, _ = _largest_with_decoupled_state(product, np.append(root, 1.0), LOWEST_EIGENVALUE - 1)
    return value > 0
