import numpy as np
import pytest
from fakes.double_sums import exact_kernel

from hightc.analysis.imaginary_time import RELATIVE_TOLERANCE, imaginary_times


def integrate(times, x, y):
    log_filled, log_empty = (lambda e: -np.logaddexp(0, e)), (lambda e: -np.logaddexp(0, -e))
    total = 0
    for u, weight in zip(times.fractions, times.weights, strict=True):
        total += weight * np.exp(u * x + log_filled(x) + log_empty(y) - u * y)
        total += weight * np.exp(u * y + log_filled(y) + log_empty(x) - u * x)
    return total


@pytest.mark.parametrize("width", [1, 10, 1e2, 1e3, 1e4, 1e5, 1e6])
def test_integral_is_the_kernel_for_the_worst_of_random_pairs(width):
    rng = np.random.default_rng(int(width))
    # energies of all scales up to the width, both signs, equal and close pairs too
    x, y = rng.choice([-1, 1], (2, 20000)) * width * 10 ** rng.uniform(-8, 0, (2, 20000))
    y[:1000] = x[:1000]
    y[1000:2000] = x[1000:2000] * (1 + 10 ** rng.uniform(-12, -1, 1000))
    x, y = np.clip(x, -width, width), np.clip(y, -width, width)
    exact = exact_kernel(x, y)
    representable = exact > 1e-250
    assert representable.sum() > 8000
    exact, found = exact[representable], integrate(imaginary_times(2 * width), x[representable], y[representable])
    # beside the rule's error exponents lose the last bits of energies up to 750 kT that a Fermi function may keep, and
    # of sums up to the width: 1e-16 of each
    rounding = 4e-16 * (1000 + width)
    assert np.abs(found / exact - 1).max() < RELATIVE_TOLERANCE + rounding


@pytest.mark.parametrize("reach", [0, 0.3, 5, 77, 3e3, 1e5, 2e6])
@pytest.mark.parametrize("tolerance", [1e-5, 1e-8, 1e-11])
def test_error_stays_below_the_tolerance_between_the_scanned_points(reach, tolerance):
    times = imaginary_times(reach, relative_tolerance=tolerance)
    s = np.geomspace(1e-9, max(reach, 1), 20011)
    sums = (np.exp(-s[:, None] * times.fractions) + np.exp(-s[:, None] * (1 - times.fractions))) @ times.weights
    worst = np.abs(sums * s / -np.expm1(-s) - 1).max()
    # 48 points an octave and under 4 extrema: a parabola's top lies less than (pi 4/96)^2/2 = 1 % above the scan
    assert worst < 1.01 * times.relative_error + 1e-14
    assert times.relative_error <= tolerance
    assert times.reach >= reach


def test_number_of_times_grows_with_the_logarithm_of_the_width():
    numbers = [len(imaginary_times(2.0**octave).weights) for octave in range(4, 21)]
    growth = np.diff(numbers)
    # the best sum of exponentials needs ln(16/1e-11) ln(2)/pi^2 = 2.0 more an octave
    assert growth.min() >= 0
    assert growth.max() <= 4
    assert np.mean(growth) == pytest.approx(2.4, abs=0.4)
    assert numbers[-1] <= 45


def test_times_lie_in_the_first_half_and_weights_are_positive():
    times = imaginary_times(1e4)
    assert (np.diff(times.fractions) > 0).all()
    assert 0 < times.fractions[0] < times.fractions[-1] < 0.5
    assert (times.weights > 0).all()
    # the integral of two equal energies, exact to the tolerance
    assert times.weights.sum() == pytest.approx(0.5, rel=RELATIVE_TOLERANCE)


def test_times_that_are_handed_out_twice_cannot_be_changed():
    times = imaginary_times(100)
    assert imaginary_times(101) is times
    with pytest.raises(ValueError, match="read-only"):
        times.weights[0] = 1


@pytest.mark.parametrize("reach", [-1, np.nan, np.inf])
def test_reach_that_is_no_number_is_refused(reach):
    with pytest.raises(ValueError, match="check bands and temperature"):
        imaginary_times(reach)


@pytest.mark.parametrize("tolerance", [0, 1e-14, 1, np.nan])
def test_tolerance_beyond_rounding_is_refused(tolerance):
    with pytest.raises(ValueError, match="relative tolerance"):
        imaginary_times(10, relative_tolerance=tolerance)


def test_bands_too_wide_for_the_rule_are_an_error():
    with pytest.raises(ValueError, match="raise the temperature"):
        imaginary_times(1e14)
