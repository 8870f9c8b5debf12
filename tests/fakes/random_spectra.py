"""Eliashberg functions drawn at random, the same ones for tests and benchmarks."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class RandomSpectra(NamedTuple):
    """Spectra on one grid: ``omega_mev`` (points,), ``alpha2f`` (count, points), ``mu_star`` (count,)."""

    omega_mev: Floats
    alpha2f: Floats
    mu_star: Floats


def random_spectra(
    count: int, *, seed: int = 0, points: int = 300, grid: Literal["linear", "logarithmic"] = "linear"
) -> RandomSpectra:
    """Draw spectra of one to eight Gaussian peaks between 0.1 and 100 meV.

    A peak at c, uniform in ln c, has the width of 3 to 15 % of c, but at least one grid interval, and a share of
    lambda drawn from the flat Dirichlet distribution. Lambda is uniform in its logarithm from 0.3 to 10 and mu* is
    uniform from 0 to 0.2. The first spectra of a seed do not depend on how many are drawn.

    Parameters
    ----------
    count
        Number of spectra.
    seed
        Of numpy's default generator; spectrum k uses the seed (seed, k).
    points
        Grid points.
    grid
        ``"linear"``: multiples of 100/points meV, as EPW and Elk want; peaks below a few intervals are only the
        first points. ``"logarithmic"``: from 0.05 to 120 meV, where every peak is resolved.

    Returns
    -------
    RandomSpectra
        Lambda is that of the trapezoidal rule of `hightc.eliashberg.Alpha2F`.
    """
    linear = np.linspace(100 / points, 100, points)
    omega = linear if grid == "linear" else np.geomspace(0.05, 120, points)
    spacing = np.gradient(omega)
    width = np.diff(omega, prepend=0.0, append=omega[-1])
    weight = (width[1:] + width[:-1]) / omega  # of lambda = sum_j weight_j a2F(w_j)
    alpha2f, mu_star = np.empty((count, points)), np.empty(count)
    for k in range(count):
        rng = np.random.default_rng((seed, k))
        peaks = rng.integers(1, 9)
        centre = 10 ** rng.uniform(-1, 2, peaks)
        sigma = np.maximum(rng.uniform(0.03, 0.15, peaks) * centre, np.interp(centre, omega, spacing))
        shape = omega[:, None] * np.exp(-0.5 * ((omega[:, None] - centre) / sigma) ** 2)
        share = rng.dirichlet(np.ones(peaks))
        alpha2f[k] = 10 ** rng.uniform(np.log10(0.3), 1) * (shape @ (share / (weight @ shape)))
        mu_star[k] = rng.uniform(0, 0.2)
    return RandomSpectra(omega, alpha2f, mu_star)
