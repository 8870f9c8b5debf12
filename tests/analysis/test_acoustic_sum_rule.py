"""Frequencies at Gamma before and after the acoustic sum rule."""

from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.acoustic_sum_rule import apply_sum_rule
from hightc.analysis.parsers.dynamical_matrix import GammaMatrix, read_gamma_matrix
from hightc.analysis.parsers.ph import read_dynamical_matrices
from hightc.analysis.parsers.units import PER_CM_MEV

QE = Path(__file__).parents[1] / "data" / "qe"
CASES = pytest.mark.parametrize(
    ("case", "name"), [("al_linear_response", "al"), ("al_bcc", "al"), ("mgb2", "mgb2"), ("si_dielectric", "si")]
)


@CASES
def test_frequencies_without_the_rule_are_those_that_ph_printed(case, name):
    modes = apply_sum_rule(read_gamma_matrix(QE / case / f"{name}.dyn1"))
    printed = read_dynamical_matrices(QE / case, f"{name}.dyn")[0].frequencies_mev
    # the matrix is printed to 5e-9 Ry/bohr^2, which moves the softest mode, 13 cm^-1 of MgB2, by 4e-5 meV
    np.testing.assert_allclose(modes.frequencies_mev, printed, atol=1e-4)


@CASES
def test_translations_cost_nothing_with_the_rule_and_optical_modes_hardly_move(case, name):
    modes = apply_sum_rule(read_gamma_matrix(QE / case / f"{name}.dyn1"))
    # rounding of 1e-16 in squares of frequencies near 1e-2 Ry^2 leaves 1e-5 meV
    assert np.abs(modes.acoustic_corrected_mev).max() < 1e-5
    optical = modes.frequencies_mev > 20
    np.testing.assert_allclose(modes.corrected_mev[optical], modes.frequencies_mev[optical], rtol=0.02)


def test_acoustic_modes_are_known_by_their_motion_and_not_by_their_frequency():
    # two equal atoms; the optical mode at 2 k lies below the error of the acoustic ones, both are imaginary
    spring, error = -1e-4, -3e-4
    pair = np.array([[spring, -spring], [-spring, spring]]) + error * np.eye(2)
    matrix = pair[:, :, None, None] * np.eye(3)
    modes = apply_sum_rule(GammaMatrix(matrix, np.array([27.0, 27.0])))
    np.testing.assert_allclose(modes.acoustic_mev, modes.frequencies_mev[3:])
    assert (modes.corrected_mev[:3] < -1).all()


def test_message_names_both_in_wave_numbers():
    modes = apply_sum_rule(read_gamma_matrix(QE / "mgb2" / "mgb2.dyn1"))
    assert modes.acoustic_mev[0] / PER_CM_MEV == pytest.approx(-12.9, abs=0.05)
    assert modes.message == (
        "acoustic modes at Gamma -12.9 42.4 42.4 cm^-1 as computed, 0.0 0.0 0.0 cm^-1 with the sum rule"
    )
