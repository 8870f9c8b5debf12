"""A batch holds what each of its spectra would hold alone."""

import numpy as np
import pytest

from hightc.eliashberg import Alpha2F, NegativeSpectrumWarning, ParameterError, SpectrumError
from hightc.eliashberg.batch import spectrum_batch

OMEGA = np.linspace(1.0, 20.0, 20)
ROWS = np.stack([OMEGA**2, np.where(OMEGA < 10, 1.0, 0.0), np.zeros(20)])


@pytest.mark.parametrize("low_frequency", ["quadratic", "linear", "omit"])
def test_means_are_those_of_single_spectra(low_frequency):
    batch = spectrum_batch(OMEGA, ROWS, low_frequency=low_frequency)
    for row, values in enumerate(ROWS):
        single = Alpha2F(OMEGA, values, low_frequency=low_frequency)
        for name in ("lam", "omega_log_mev", "omega_2_mev", "omega_max_mev"):
            assert getattr(batch, name)[row] == pytest.approx(getattr(single, name), rel=1e-13, nan_ok=True)
        np.testing.assert_array_equal(batch.modes(row).lam_per_mode, single.modes.lam_per_mode)
        np.testing.assert_array_equal(batch.lam_per_mode[row], single.modes.lam_per_mode)
    assert len(batch) == 3


def test_a_leading_zero_is_dropped_with_its_values():
    batch = spectrum_batch(np.append(0.0, OMEGA), np.column_stack([np.ones(3), ROWS]))
    np.testing.assert_array_equal(batch.omega_mev, OMEGA)
    np.testing.assert_array_equal(batch.alpha2f, ROWS)


def test_one_spectrum_is_a_batch_of_one():
    assert spectrum_batch(OMEGA, ROWS[0]).alpha2f.shape == (1, 20)


def test_negative_values_are_named_and_set_to_zero():
    rows = ROWS.copy()
    rows[1, 4], rows[2, 5] = -0.5, -0.1
    with pytest.warns(NegativeSpectrumWarning, match=r"2 of 3 .* first in row 1, the lowest -0.5 at 5 meV in row 1"):
        batch = spectrum_batch(OMEGA, rows)
    np.testing.assert_array_equal(batch.alpha2f, np.maximum(rows, 0))
    assert rows[1, 4] == -0.5


@pytest.mark.parametrize(
    ("omega", "alpha2f", "complaint"),
    [
        (OMEGA, ROWS[:, :19], r"alpha2f: expected shape \(20,\) or \(batch, 20\).*found \(3, 19\)"),
        (OMEGA, np.ones((2, 3, 20)), r"found \(2, 3, 20\)"),
        (OMEGA, [[1.0] * 20, [1.0] * 19], r"alpha2f: expected real numbers, found \[\[1.0"),
        (OMEGA, np.where(ROWS > 300, np.inf, ROWS), r"alpha2f\[0, 17\]: expected finite numbers, found inf"),
        (OMEGA[::-1], ROWS, r"omega_mev\[1\]: expected a strictly increasing grid"),
        (OMEGA - 5, ROWS, r"omega_mev\[0\]: expected positive frequencies, found -4.0"),
        (OMEGA[:1], ROWS[:, :1], "expected at least 2 positive frequencies"),
        (np.where(OMEGA == 7, np.nan, OMEGA), ROWS, r"omega_mev\[6\]: expected finite numbers, found nan"),
        ([], [], "omega_mev: expected shape"),
    ],
)
def test_what_is_no_batch_of_spectra_is_refused(omega, alpha2f, complaint):
    with pytest.raises(SpectrumError, match=complaint):
        spectrum_batch(omega, alpha2f)


def test_an_unknown_low_frequency_rule_is_refused():
    with pytest.raises(ParameterError, match="low_frequency: expected one of"):
        spectrum_batch(OMEGA, ROWS, low_frequency="cubic")
