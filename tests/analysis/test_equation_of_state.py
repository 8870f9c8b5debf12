from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.eos import DeltaFactor

from hightc.analysis.equation_of_state import EV_PER_ANGSTROM3_GPA, EquationOfState

VOLUMES = 11.0 * np.array([1.05, 1.0, 0.95, 0.85, 0.75, 0.6])


def birch_murnaghan(volume, v0=11.0, bulk=190.0, derivative=4.8):
    """Pressure in GPa, the textbook form."""
    x = (v0 / volume) ** (1 / 3)
    return 1.5 * bulk * (x**7 - x**5) * (1 + 0.75 * (derivative - 4) * (x**2 - 1))


def test_textbook_curve_comes_back_exactly():
    curve = EquationOfState.from_pressures(VOLUMES, birch_murnaghan(VOLUMES))
    between = np.linspace(6.6, 11.5, 50)
    # rounding of a fit with columns of length 1
    assert curve.pressure_gpa(between) == pytest.approx(birch_murnaghan(between), abs=1e-8)
    assert curve.volume_angstrom3(0.0) == pytest.approx(11.0, rel=1e-9)
    modulus, error = curve.bulk_modulus_gpa(11.0)
    assert modulus == pytest.approx(190.0, rel=1e-9)
    assert error < 1e-6


def test_energies_and_pressures_of_one_curve_give_the_same():
    curve = EquationOfState.from_pressures(VOLUMES, birch_murnaghan(VOLUMES))
    energies = [curve.enthalpy_ev(p) - p * v / EV_PER_ANGSTROM3_GPA for p, v in zip(birch_murnaghan(VOLUMES), VOLUMES)]  # noqa: B905
    again = EquationOfState.from_energies(VOLUMES, np.array(energies) - 1234.5)
    assert again.pressure_gpa(VOLUMES) == pytest.approx(birch_murnaghan(VOLUMES), abs=1e-5)


def test_fit_of_energies_is_that_of_pymatgen():
    rng = np.random.default_rng(1)
    energies = 0.5 * (VOLUMES / 11 - 1) ** 2 * 13 + 1e-3 * rng.standard_normal(len(VOLUMES))
    reference = DeltaFactor(VOLUMES, energies)
    reference.fit()
    curve = EquationOfState.from_energies(VOLUMES, energies)
    assert curve.volume_angstrom3(0.0) == pytest.approx(reference.v0, rel=1e-6)
    assert curve.bulk_modulus_gpa(reference.v0)[0] == pytest.approx(reference.b0 * EV_PER_ANGSTROM3_GPA, rel=1e-6)


def test_derivative_of_the_enthalpy_is_the_volume():
    curve = EquationOfState.from_pressures(VOLUMES, birch_murnaghan(VOLUMES))
    for pressure in (-5.0, 0.0, 50.0, 300.0):
        step = 1e-3
        slope = (curve.enthalpy_ev(pressure + step) - curve.enthalpy_ev(pressure - step)) / (2 * step)
        # central differences: third derivative of H times step^2, and rounding of H over the step
        assert slope * EV_PER_ANGSTROM3_GPA == pytest.approx(curve.volume_angstrom3(pressure), abs=1e-6)


def test_error_of_the_bulk_modulus_is_the_scatter_of_repeated_fits():
    rng = np.random.default_rng(2)
    fits = [
        EquationOfState.from_pressures(VOLUMES, birch_murnaghan(VOLUMES) + 0.5 * rng.standard_normal(len(VOLUMES)))
        for _ in range(400)
    ]
    moduli, errors = np.array([fit.bulk_modulus_gpa(11.0) for fit in fits]).T
    # a standard deviation of 400 is known to 1/sqrt(800) = 4 %, the mean error of 3 degrees of freedom reads 8 % low
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(moduli.std(), rel=0.15)


@pytest.mark.parametrize("n", [2, 3])
def test_few_points_are_met_exactly_and_have_no_error(n):
    curve = EquationOfState.from_pressures(VOLUMES[:n], birch_murnaghan(VOLUMES[:n]))
    assert curve.pressure_gpa(VOLUMES[:n]) == pytest.approx(birch_murnaghan(VOLUMES[:n]), abs=1e-9)
    assert curve.covariance is None
    assert curve.bulk_modulus_gpa(11.0)[1] == 0.0


def test_pressure_far_beyond_the_points_is_refused():
    curve = EquationOfState.from_pressures(VOLUMES, birch_murnaghan(VOLUMES))
    low, high = curve.pressure_range_gpa
    assert low < birch_murnaghan(VOLUMES).min() < birch_murnaghan(VOLUMES).max() < high
    with pytest.raises(ValueError, match=r"expected .* GPa, found 1e\+04: add volumes"):
        curve.volume_angstrom3(1e4)


def test_ends_of_the_range_belong_to_it():
    curve = EquationOfState.from_pressures(VOLUMES, birch_murnaghan(VOLUMES))
    largest, smallest = (curve.volume_angstrom3(pressure) for pressure in curve.pressure_range_gpa)
    assert largest == pytest.approx(1.1 * VOLUMES.max())
    assert smallest == pytest.approx(0.9 * VOLUMES.min())


def test_too_few_volumes_are_refused():
    with pytest.raises(ValueError, match="expected at least 2 volumes"):
        EquationOfState.from_pressures([11.0, 11.0], [0.0, 0.1])
    with pytest.raises(ValueError, match="expected at least 4 volumes"):
        EquationOfState.from_energies([10.0, 11.0, 12.0], [0.0, 0.1, 0.2])
