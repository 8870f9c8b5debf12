"""Laws and contracts of delta-function spectra."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hightc.eliashberg import CoupledModes, SpectrumError

# Rounding of a dozen operations on normal numbers.
ROUNDING = 1e-12

frequencies = arrays(float, 4, elements=st.floats(0.1, 100))
couplings = arrays(float, 4, elements=st.floats(0.01, 2))


def test_all_means_of_one_mode_are_its_frequency():
    mode = CoupledModes([7.0], [1.3])
    assert mode.lam == 1.3
    means = [mode.omega_log_mev, mode.omega_2_mev, mode.omega_max_mev, mode.moment(1), mode.moment(-1) ** -1]
    np.testing.assert_allclose(means, 7.0, rtol=ROUNDING)


@given(frequencies, couplings)
def test_means_are_ordered_as_power_means(omega, lam):
    modes = CoupledModes(omega, lam)
    means = [omega.min(), modes.omega_log_mev, modes.moment(1), modes.omega_2_mev, modes.omega_max_mev]
    assert all(low <= high * (1 + ROUNDING) for low, high in pairwise(means))
    assert modes.moment(0) == pytest.approx(1, rel=ROUNDING)


@given(frequencies, couplings, st.floats(0.01, 100))
def test_means_scale_with_the_frequencies(omega, lam, scale):
    modes, scaled = CoupledModes(omega, lam), CoupledModes(scale * omega, lam)
    assert scaled.omega_log_mev == pytest.approx(scale * modes.omega_log_mev, rel=ROUNDING)
    assert scaled.omega_2_mev == pytest.approx(scale * modes.omega_2_mev, rel=ROUNDING)


def test_zero_coupling_has_no_mean_frequency():
    modes = CoupledModes([1.0, 2.0], [0.0, 0.0])
    assert modes.lam == 0
    assert np.isnan([modes.omega_log_mev, modes.omega_2_mev, modes.omega_max_mev, modes.moment(1)]).all()


def test_highest_frequency_ignores_modes_that_do_not_couple():
    assert CoupledModes([1.0, 2.0, 9.0], [0.1, 0.1, 0.0]).omega_max_mev == 2.0


def test_modes_cannot_be_changed_through_the_arrays_given_or_held():
    omega = np.array([1.0, 2.0])
    modes = CoupledModes(omega, [0.5, 0.5])
    omega[0] = 100.0
    assert modes.omega_mev[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        modes.omega_mev[0] = 3.0


@pytest.mark.parametrize(
    ("omega", "lam", "message"),
    [
        ([0.0, 1.0], [1.0, 1.0], r"omega_mev\[0\]: expected positive frequencies, found 0\.0"),
        ([1.0, 2.0], [1.0, -0.5], r"lam_per_mode\[1\]: expected non-negative couplings, found -0\.5"),
        ([1.0, 2.0], [1.0], r"lam_per_mode: expected 2 values, one for each frequency, found 1"),
        ([1.0, np.nan], [1.0, 1.0], r"omega_mev\[1\]: expected finite numbers, found nan"),
        ([[1.0]], [1.0], r"omega_mev: expected shape \(n,\), n > 0, found \(1, 1\)"),
        ([], [], r"omega_mev: expected shape \(n,\), n > 0, found \(0,\)"),
        (["soft"], [1.0], r"omega_mev: expected real numbers, found \['soft'\]"),
    ],
)
def test_arrays_that_are_no_modes_are_refused(omega, lam, message):
    with pytest.raises(SpectrumError, match=message):
        CoupledModes(omega, lam)
