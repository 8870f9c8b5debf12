"""The Eliashberg equations just above the real axis, given the solution on the imaginary axis.

The exact continuation of Marsiglio, Schossmann and Carbotte. With phi = Z Delta, x = w Z, e = (x^2 - phi^2)^(1/2) with
Im e > 0, N and f the Bose and Fermi functions, and all frequencies w = x + i h on one line, 0 < h < pi T,

    phi(w) = C + pi T sum_m lambda(w - i w_m) Delta_m/R_m + i pi int dz a2F(z) {
                 [N(z) + 1 - f(w-z)] (phi/e)(w-z) + [N(z) + f(w+z)] (phi/e)(w+z) },
    w Z(w) = w + i pi T sum_m lambda(w - i w_m) w_m/R_m + the same integral with x/e,
    lambda(u) = int dz a2F(z) [1/(z-u) + 1/(z+u)].

Boson frequencies shift the line along itself, so it is closed; both sides are analytic up to h = pi T when f takes
the complex frequency. On the line everything is smooth over h, so a uniform grid of step h/4 integrates with an
error exp(-8 pi), where on the axis itself there is the square-root singularity of the gap edge and of each of its
phonon images. All sums over z are convolutions on the grid.

F. Marsiglio, M. Schossmann and J. P. Carbotte, Phys. Rev. B 37, 4965 (1988).
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2, pi

import numpy as np
import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.gap import GapSolution
from hightc.eliashberg.log_lattice import ORDER, lagrange_weights
from hightc.eliashberg.modes import CoupledModes, FloatArray, Spectrum, modes_of
from hightc.eliashberg.pade import ComplexArray
from hightc.eliashberg.spectrum import Alpha2F

CONSISTENCY = 1e-4
"""Relative change of lambda or w2 by the lines between its points up to which an `Alpha2F` is taken as linear there."""

_EXACT_FREQUENCIES = 64  # Matsubara sums beyond are integrals over octaves, wrong by (1/64)^2/6 of themselves
_NODES = 12  # Gauss points an octave
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class BosonGrid:
    """A spectrum as weights on multiples of a frequency step.

    Attributes
    ----------
    weight
        b_k, with int dz a2F(z) F(z) = sum_k b_k F(k step), in meV, shape (size,), k = first ... first + size - 1.
    occupied
        The same with the Bose function: int dz a2F(z) N(z) F(z), in meV, shape (size,).
    first
        The first k, possibly negative.
    """

    weight: FloatArray
    occupied: FloatArray
    first: int

    @classmethod
    def of(cls, spectrum: Spectrum, step_mev: float, temperature_mev: float) -> "BosonGrid":
        """Put a spectrum on the grid; a well resolved `Alpha2F` is piecewise linear, modes are interpolated over."""
        modes = modes_of(spectrum).coupled()
        if isinstance(spectrum, Alpha2F):
            fine = _fine_modes(spectrum, step_mev)
            changes = fine.lam / modes.lam - 1, fine.omega_2_mev / modes.omega_2_mev - 1
            modes = fine if max(np.abs(changes)) <= CONSISTENCY else modes
        position = modes.omega_mev / step_mev
        strength = modes.lam_per_mode * modes.omega_mev / 2
        left = np.floor(position).astype(int)
        first = int(left.min()) + 1 - ORDER // 2
        columns = (left - first)[:, None] + np.arange(1 - ORDER // 2, ORDER // 2 + 1)
        shares = strength[:, None] * lagrange_weights(position - left)
        size = int(columns.max()) + 1
        reduced = modes.omega_mev / temperature_mev
        bose = np.exp(-reduced) / -np.expm1(-reduced)
        return cls(
            np.bincount(columns.ravel(), shares.ravel(), size).astype(np.float64),
            np.bincount(columns.ravel(), (bose[:, None] * shares).ravel(), size).astype(np.float64),
            first,
        )


def _fine_modes(spectrum: Alpha2F, step_mev: float) -> CoupledModes:
    """Delta functions dense enough for the grid: each interval of the spectrum is divided evenly."""
    omega = np.append(0.0, spectrum.omega_mev)
    pieces = np.maximum(np.ceil(np.diff(omega) / step_mev).astype(int), 1)
    fine = np.concatenate(
        [low + (high - low) * np.arange(1, n + 1) / n for low, high, n in zip(omega, omega[1:], pieces, strict=False)]
    )
    return spectrum.resample(fine).modes


@dataclass(frozen=True, eq=False)
class RealAxisEquation:
    """The equations on the line x_i + i height, x_i = i step, i = 0 ... n; x -> -x is complex conjugation.

    Parameters
    ----------
    solution
        The gap on the imaginary axis.
    bosons
        The spectrum on the grid.
    step_mev
        Step of the grid in meV.
    height_mev
        Height of the line above the real axis in meV, below pi T.
    n
        Index of the last grid point; above it Delta is taken as constant.
    """

    solution: GapSolution
    bosons: BosonGrid
    step_mev: float
    height_mev: float
    n: int

    @cached_property
    def _reach(self) -> int:
        return self.n + max(self.bosons.first + self.bosons.weight.size, -self.bosons.first) + 1

    @cached_property
    def frequency(self) -> ComplexArray:
        """Frequencies of the half line in meV with the margin that shifts by a boson reach, shape (n + margin,)."""
        return np.asarray(self.step_mev * np.arange(self._reach) + 1j * self.height_mev)

    @cached_property
    def _length(self) -> int:
        return int(scipy.fft.next_fast_len(2 * self._reach + self.bosons.weight.size))

    @cached_property
    def _emission(self) -> tuple[ComplexArray, ComplexArray]:
        """Fourier transforms of the two weights, for functions of w - z; their conjugates are for w + z."""
        places = (self.bosons.first + np.arange(self.bosons.weight.size)) % self._length
        kernels = np.zeros((2, self._length))
        kernels[0, places], kernels[1, places] = self.bosons.weight, self.bosons.occupied
        transforms = np.fft.fft(kernels)
        return transforms[0], transforms[1]

    def _transform(self, half: ComplexArray, parity: int) -> ComplexArray:
        """Fourier transform of a function on the whole line, F(-w*) = parity F(w)*."""
        whole = np.zeros(self._length, dtype=np.complex128)
        whole[: self._reach] = half
        whole[1 - self._reach :] = parity * half[:0:-1].conj()
        return np.fft.fft(whole)

    @cached_property
    def _fermi(self) -> ComplexArray:
        temperature_mev = self.solution.temperature_kelvin * KB_MEV_PER_K
        return np.asarray((1 - np.tanh(self.frequency / (2 * temperature_mev))) / 2)

    @cached_property
    def _driving(self) -> tuple[ComplexArray, ComplexArray]:
        """What the imaginary axis contributes to phi and w Z, each of shape (n+1,)."""
        pairing, renormalising = matsubara_sums(self.solution, self.frequency)
        emission, _ = self._emission
        phi = np.fft.ifft((emission.conj() - emission) * self._transform(pairing, -1))
        x = np.fft.ifft((emission - emission.conj()) * self._transform(renormalising, 1))
        kept = slice(0, self.n + 1)
        return phi[kept] + self.solution.constant_mev, x[kept] + self.frequency[kept]

    def step(self, state: FloatArray) -> tuple[FloatArray, float]:
        """Apply the equations once.

        Parameters
        ----------
        state
            Real and imaginary parts of phi and w Z in meV, interleaved, shape (4 (n+1),).

        Returns
        -------
        tuple
            The new state and the larger of max |change of phi|/max |phi| and max |change of Z|/max |Z|.
        """
        phi, x = np.split(state.view(np.complex128), 2)
        root = np.sqrt(x**2 - phi**2)
        root[root.imag < 0] *= -1
        gap = phi[-1] * self.frequency[self.n] / x[-1]
        beyond = self.frequency[self.n + 1 :]
        far = beyond * np.sqrt(1 - (gap / beyond) ** 2)
        new_phi = self._driving[0] + self._bosons_on(np.concatenate([phi / root, gap / far]), -1)
        new_x = self._driving[1] + self._bosons_on(np.concatenate([x / root, beyond / far]), 1)
        w = self.frequency[: self.n + 1]
        residual = np.abs((new_x - x) / w).max() / np.abs(new_x / w).max()
        if phi.any():
            residual = max(residual, np.abs(new_phi - phi).max() / np.abs(new_phi).max())
        return np.concatenate([new_phi, new_x]).view(np.float64), float(residual)

    def _bosons_on(self, half: ComplexArray, parity: int) -> ComplexArray:
        """Return i pi times the integral over bosons, shape (n+1,)."""
        emission, occupied = self._emission
        whole = self._transform(half, parity)
        # f(-w*) = 1 - f(w)*: f - 1/2 is odd.
        thermal = self._transform((self._fermi - 0.5) * half, -parity)
        result = emission * (whole / 2 - thermal) + emission.conj() * (whole / 2 + thermal)
        result += 2 * occupied.real * whole
        return np.asarray(1j * pi * np.fft.ifft(result)[: self.n + 1])


def matsubara_sums(solution: GapSolution, frequency: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Sums over the imaginary axis, without the boson frequencies.

    Parameters
    ----------
    solution
        The gap on the imaginary axis.
    frequency
        Complex frequencies w in meV, Im w < pi T, shape (m,).

    Returns
    -------
    tuple
        pi T sum_{m>=0} (Delta_m/R_m) 2 w/(w^2 + w_m^2) and pi T sum_{m>=0} (w_m/R_m) 2 w_m/(w^2 + w_m^2), the latter
        less a divergent constant that drops out of differences; each of shape (m,).
    """
    temperature_mev = solution.temperature_kelvin * KB_MEV_PER_K
    omega, gap, weight = _quadrature(solution, 1e3 * float(np.abs(frequency).max()))
    root = np.hypot(omega, gap)
    even = 2 * pi * temperature_mev * weight * gap / root
    odd = 2 * pi * temperature_mev * weight * omega * gap**2 / (root * (root + omega))
    pairing, excess = np.empty_like(frequency), np.empty_like(frequency)
    chunk = max(1, _CHUNK // omega.size)
    for first in range(0, frequency.size, chunk):
        part = slice(first, first + chunk)
        denominators = 1 / (frequency[part, None] ** 2 + omega**2)
        pairing[part] = frequency[part] * (denominators @ even)
        excess[part] = denominators @ odd
    y = 1j * frequency / (2 * pi * temperature_mev)
    normal = -(scipy.special.digamma(0.5 + y) + scipy.special.digamma(0.5 - y)) / 2
    return pairing, normal - excess


def _quadrature(solution: GapSolution, up_to_mev: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Frequencies, gaps and weights that stand for all Matsubara frequencies: single ones, then octaves."""
    spacing = 2 * pi * solution.temperature_kelvin * KB_MEV_PER_K
    exact = min(_EXACT_FREQUENCIES, solution.omega_n_mev.size)
    octaves = max(1, ceil(log2(up_to_mev / (exact * spacing))))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    lower = exact * spacing * 2.0 ** np.arange(octaves)[:, None]
    omega = np.concatenate([solution.omega_n_mev[:exact], (lower * (3 + nodes) / 2).ravel()])
    weight = np.concatenate([np.ones(exact), (lower / 2 / spacing * weights).ravel()])
    last = solution.omega_n_mev[-1]
    spline = scipy.interpolate.CubicSpline(np.log(solution.omega_n_mev), solution.gap_mev)
    gap = spline(np.log(np.minimum(omega, last)))
    decaying = solution.gap_mev[-1] - solution.constant_mev
    gap = np.where(omega > last, solution.constant_mev + decaying * (last / omega) ** 2, gap)
    return omega, gap, weight
