"""The lattice in ln w carries every integral of the theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hightc.eliashberg.log_lattice import ORDER, STEP, LogLattice, lagrange_weights, lattice_of, shift

# Error of one interpolation of the kernel in the middle of the stencil, as derived beside ORDER.
INTERPOLATION = 2e-9

frequencies = arrays(float, 5, elements=st.floats(1e-3, 1e3))
couplings = arrays(float, 5, elements=st.floats(0.01, 1))


def kernel(log_omega, nu):
    return 1 / (1 + nu**2 * np.exp(-2 * log_omega))


@settings(deadline=None)
@given(frequencies, couplings, st.floats(0, 1e4))
def test_kernel_sums_are_those_of_the_modes(omega, lam, nu):
    lattice = LogLattice.of(omega)
    exact = lam @ kernel(np.log(omega), nu)
    assert lam @ lattice.distribution @ kernel(lattice.log_omega, nu) == pytest.approx(
        exact, abs=INTERPOLATION * lam.sum()
    )


@settings(deadline=None)
@given(frequencies, couplings, st.floats(0, 1), st.floats(0, 1e3))
def test_a_shift_moves_every_mode_by_a_fraction_of_a_step(omega, lam, fraction, nu):
    lattice = LogLattice.of(omega)
    moved = shift((lam @ lattice.distribution)[None], np.array([fraction]))[0]
    log_omega = STEP * (lattice.first - (ORDER // 2 - 1) + np.arange(moved.size))
    exact = lam @ kernel(np.log(omega) + fraction * STEP, nu)
    # Two interpolations, and weights of alternating sign whose absolute values sum to less than 3.
    assert moved @ kernel(log_omega, nu) == pytest.approx(exact, abs=4 * INTERPOLATION * lam.sum())


def test_coupling_and_logarithmic_mean_are_kept_exactly():
    omega, lam = np.array([0.3, 7.0, 20.0]), np.array([0.2, 0.5, 0.3])
    lattice = LogLattice.of(omega)
    coupling = lam @ lattice.distribution
    assert coupling.sum() == pytest.approx(lam.sum(), rel=1e-14)
    assert coupling @ lattice.log_omega == pytest.approx(lam @ np.log(omega), rel=1e-13)


def test_a_mode_on_a_lattice_point_stays_there():
    lattice = LogLattice.of(np.exp(STEP * np.array([3.0, 10.0])))
    np.testing.assert_allclose(lattice.distribution.sum(axis=0)[[3 - lattice.first, 10 - lattice.first]], 1, rtol=1e-12)
    assert np.count_nonzero(np.abs(lattice.distribution) > 1e-12) == 2


def test_weights_reproduce_polynomials_of_their_order():
    points = np.arange(1 - ORDER // 2, ORDER // 2 + 1)
    fraction = np.array([0.0, 0.3, 1.0])
    for power in range(ORDER):
        # Relative to the largest value met, (ORDER/2)^power.
        values = lagrange_weights(fraction) @ (points / (ORDER / 2)) ** power
        np.testing.assert_allclose(values, (fraction / (ORDER / 2)) ** power, atol=1e-13)


def test_one_grid_has_one_lattice():
    omega = np.linspace(1, 10, 50)
    assert lattice_of(omega) is lattice_of(omega.copy())
    assert lattice_of(omega) is not lattice_of(omega + 1)
