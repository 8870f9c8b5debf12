"""Electrons dressed by phonons in the normal state, with a density of states that depends on energy.

With y_n = w_n Z_n, x_n = mu - chi_n and the resolvent H of N(E)/N(0) (`density_of_states`) at zeta_n = x_n + i y_n,

    y_n   = w_n + T sum_m lambda_{n-m} sign(w_m) Im H(zeta_m),
    chi_n = -T sum_m lambda_{n-m} Re H(zeta_m),

sums over all m. The number of electrons per spin is T sum_m G(w_m) with G = -H; it is counted from the electrons
without phonons at the x of the highest frequency, from which the sum differs by terms that fall fast.
"""

from dataclasses import dataclass
from math import ceil, pi

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.anderson_mixing import fixed_point
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.density_of_states import DensityOfStates
from hightc.eliashberg.errors import ConvergenceError, ParameterError
from hightc.eliashberg.kernel import SymmetricConvolution, expansion, phonon_kernel
from hightc.eliashberg.modes import CoupledModes, FloatArray, Spectrum, modes_of
from hightc.eliashberg.temperature import require_temperature

TOLERANCE = 1e-10
"""Largest change of w_n Z_n and x_n in one iteration, relative to the highest w_n, at which they are settled."""

MOST_ITERATIONS = 500
"""Iterations of the normal state after which `ConvergenceError` is raised."""

CUTOFF = 10.0
"""Cutoff where none is given, in units of the highest phonon frequency."""

FEWEST_FREQUENCIES = 128
"""Matsubara frequencies kept at least, whatever the cutoff."""

Resolvent = npt.NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class NormalState:
    """Self-consistent electrons in the normal state at one temperature.

    Parameters
    ----------
    omega_n_mev
        Matsubara frequencies w_n > 0 in meV, shape (N,).
    renormalisation
        Z(i w_n), shape (N,).
    energy_shift_mev
        chi(i w_n) in meV, shape (N,).
    chemical_potential_mev
        mu in meV, 0 for electrons without phonons at T = 0; with constant tails of different height it contains the
        constant left out of H, and only mu - chi has a meaning.
    weight
        q_n = T Im H(zeta_n)/w_n, dimensionless, shape (N,); 1/(2n+1) for constant N(E).
    added_electrons
        Electrons per spin more than at T = 0 without phonons, in units of N(0) meV: what is left of the conservation.
    residual
        Last change of w_n Z_n and of mu - chi_n, relative to the highest w_n.
    iterations
        Number of iterations.
    """

    omega_n_mev: FloatArray
    renormalisation: FloatArray
    energy_shift_mev: FloatArray
    chemical_potential_mev: float
    weight: FloatArray
    added_electrons: float
    residual: float
    iterations: int


def normal_state(
    spectrum: Spectrum, density: DensityOfStates, temperature_kelvin: float, *, cutoff_mev: float | None = None
) -> NormalState:
    """Solve for Z_n, chi_n and the chemical potential at fixed number of electrons.

    The equations are iterated with Anderson's mixing, mu by Newton's method along with them, until nothing changes by
    more than `TOLERANCE`. Frequencies above the cutoff enter with the H of the last one below.

    Parameters
    ----------
    spectrum
        `Alpha2F` or `CoupledModes`, with some coupling.
    density
        Density of states.
    temperature_kelvin
        Temperature in K.
    cutoff_mev
        w_c in meV; ten times the highest phonon frequency if left out.

    Returns
    -------
    NormalState

    Raises
    ------
    ParameterError
        If the temperature is not positive or the cutoff below twice the highest phonon frequency.
    ConvergenceError
        If `MOST_ITERATIONS` are not enough.
    """
    modes = modes_of(spectrum)
    cutoff = cutoff_frequency(modes, cutoff_mev)
    temperature = KB_MEV_PER_K * require_temperature(temperature_kelvin)
    n = max(FEWEST_FREQUENCIES, ceil(cutoff / (2 * pi * temperature)))
    kernel = phonon_kernel(modes, temperature, 8 * n)
    beyond_table = float(expansion(modes, temperature, 1)[0]) / (kernel.size - 0.5)
    return _iterate(density, kernel, beyond_table, temperature, n)


def cutoff_frequency(modes: CoupledModes, cutoff_mev: float | None) -> float:
    """Return the cutoff in meV, ten times the highest phonon frequency if none is given.

    Raises
    ------
    ParameterError
        If it is below twice the highest phonon frequency.
    """
    if cutoff_mev is None:
        return CUTOFF * modes.omega_max_mev
    if not cutoff_mev >= 2 * modes.omega_max_mev:
        raise ParameterError(
            f"cutoff_mev: expected at least {2 * modes.omega_max_mev:.6g} meV, twice the highest phonon frequency, "
            f"found {cutoff_mev!r}: ten times is usual"
        )
    return float(cutoff_mev)


def _iterate(
    density: DensityOfStates, kernel: FloatArray, beyond_table: float, temperature: float, n: int
) -> NormalState:
    """Iterate w_n Z_n, chi_n and mu; ``beyond_table`` is the sum of lambda_k beyond the table."""
    omega: FloatArray = (2 * np.arange(n, dtype=np.float64) + 1) * (pi * temperature)
    integral = np.append(0.0, np.cumsum(kernel))
    rows = np.arange(n)
    # Sums over m >= N of lambda_{n-m} -+ lambda_{n+m+1}.
    odd_above = integral[n + rows + 1] - integral[n - rows]
    even_above = 2 * (integral[-1] + beyond_table) - integral[n - rows] - integral[n + rows + 1]
    convolution = SymmetricConvolution(kernel, n)
    highest = float(omega[-1])

    def split(state: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        return np.maximum(state[:n], omega), state[n:-1], float(state[-1])  # mixing may overshoot Z >= 1

    def excess(resolvent: Resolvent, edge: float) -> float:
        bare = density.resolvent(np.asarray(edge + 1j * omega))
        return density.added_electrons(edge, temperature) - 2 * temperature * float((resolvent - bare).real.sum())

    def step(state: FloatArray) -> tuple[FloatArray, float]:
        y, shift, mu = split(state)
        x = mu - shift
        resolvent = density.resolvent(np.asarray(x + 1j * y))
        new_y = omega + temperature * (convolution.odd(resolvent.imag) + odd_above * resolvent.imag[-1])
        new_shift = -temperature * (convolution(resolvent.real) + even_above * resolvent.real[-1])
        edge = float(x[-1])
        new_mu = mu - excess(resolvent, edge) / max(float(density(np.array([edge]))[0]), 0.5)
        residual = max(np.abs(new_y - y).max(), np.abs(new_mu - new_shift - x).max()) / highest
        return np.concatenate([new_y, new_shift, [new_mu]]), float(residual)

    start = np.concatenate([omega + pi * temperature * (2 * integral[rows + 1] - kernel[0]), np.zeros(n + 1)])
    weight = np.concatenate([1 / omega, 1 / omega, [1 / omega[0]]])
    state, residual, iterations = fixed_point(step, start, weight, tolerance=TOLERANCE, iterations=MOST_ITERATIONS)
    if residual > TOLERANCE:
        raise ConvergenceError(
            f"normal state at {temperature / KB_MEV_PER_K:.6g} K: expected a change below {TOLERANCE}, found "
            f"{residual:.1e} after {iterations} iterations: smooth N(E), or report it"
        )
    y, shift, mu = split(state)
    resolvent = density.resolvent(np.asarray(mu - shift + 1j * y))
    weight = temperature * resolvent.imag / omega
    added = excess(resolvent, float(mu - shift[-1]))
    return NormalState(omega, np.asarray(y / omega), shift, mu, weight, added, residual, iterations)
