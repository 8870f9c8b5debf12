"""The random spectra are what their docstring says."""

import numpy as np
import pytest
from fakes.random_spectra import random_spectra

from hightc.eliashberg import Alpha2F


@pytest.mark.parametrize("grid", ["linear", "logarithmic"])
def test_couplings_and_repulsions_fill_their_ranges(grid):
    omega, alpha2f, mu_star = random_spectra(300, grid=grid)
    lam = np.array([Alpha2F(omega, values).lam for values in alpha2f])
    # 300 draws leave the ends of a uniform distribution empty by 10/300 with a probability of e^-10.
    assert 0.3 <= lam.min() < 0.3 * 33 ** (1 / 30)
    assert 10 / 33 ** (1 / 30) < lam.max() <= 10 * (1 + 1e-12)
    assert 0 <= mu_star.min() < 0.2 / 30
    assert 0.2 - 0.2 / 30 < mu_star.max() < 0.2
    assert (alpha2f >= 0).all()


def test_spectra_depend_on_seed_and_number_alone():
    few, many = random_spectra(2, seed=3), random_spectra(5, seed=3)
    assert (few.alpha2f == many.alpha2f[:2]).all()
    assert (few.mu_star == many.mu_star[:2]).all()
    assert (random_spectra(1, seed=4).alpha2f != few.alpha2f[:1]).any()


def test_the_linear_grid_is_the_one_epw_assumes():
    omega = random_spectra(1, points=50).omega_mev
    assert omega == pytest.approx(omega[-1] * np.arange(1, 51) / 50, rel=1e-14)
