"""Conversion factors against those of Quantum ESPRESSO 6.7, Modules/constants.f90."""

import pytest

from hightc.analysis.parsers import units


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (units.BOHR_ANGSTROM, 0.529177210903),
        (units.RYDBERG_EV, 13.605693122994),
        (units.HARTREE_PER_BOHR3_GPA, 29421.02),
        (units.RYDBERG_MEV / units.PER_CM_MEV, 109737.31568),
        (units.RYDBERG_MEV / units.THZ_MEV, 3289.8419603),
        (units.RYDBERG_MEV / units.KELVIN_MEV, 157887.5124),
    ],
    ids=["bohr", "rydberg", "stress", "per_cm", "thz", "kelvin"],
)
def test_factor_agrees_with_that_of_quantum_espresso(factor, expected):
    # 1e-6: the CODATA sets of scipy and of QE 6.7 differ by some 1e-8, and some factors are quoted with 7 digits
    assert factor == pytest.approx(expected, rel=1e-6)
