"""Direct sums over the computed q points."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.coupling import direct_q_sum
from hightc.analysis.parsers.matdyn import read_lambda
from hightc.analysis.parsers.ph import QPoint, QPointCoupling, read_dynamical_matrices, read_elph
from hightc.analysis.parsers.units import KELVIN_MEV

QE = Path(__file__).parents[1] / "data" / "qe"


@pytest.fixture(scope="module")
def aluminium():
    return read_dynamical_matrices(QE / "al_linear_response", "al.dyn"), read_elph(QE / "al_linear_response")


def single(frequencies_mev, coupling, q=(0.5, 0.0, 0.0)):
    """One q point that is the whole mesh."""
    frequencies, values = np.array(frequencies_mev, dtype=float), np.array([coupling], dtype=float)
    q = np.array(q)
    point = QPoint(1, (1, 1, 1), q, q, q[None], frequencies)
    one = QPointCoupling(1, q, frequencies, np.array([0.1]), np.array([0.5]), np.array([8.0]), values, values * 0)
    return [point], [one]


def test_sums_of_aluminium_are_those_of_the_first_sketch(aluminium):
    sums = direct_q_sum(*aluminium)
    # printed by the sketch (an independent reader of the same files) with 4 and 1 decimals
    np.testing.assert_allclose(
        sums.coupling,
        [0.0203, 0.2203, 0.3150, 0.3296, 0.3273, 0.3216, 0.3164, 0.3135, 0.3124, 0.3123],
        atol=5.1e-5,
    )
    np.testing.assert_allclose(
        sums.omega_log_mev / KELVIN_MEV,
        [290.8, 310.8, 323.7, 327.3, 326.2, 324.0, 322.4, 321.5, 321.1, 321.1],
        atol=0.06,
    )
    assert sums.n_dropped_modes == 0


def test_sum_differs_from_the_interpolation_by_a_known_error_bar(aluminium):
    sums, table = direct_q_sum(*aluminium), read_lambda(QE / "al_linear_response/lambda")
    difference = 1 - sums.coupling / table.coupling
    # an error bar of the 2x2x2 mesh: 12 % at large smearing, 18 % at the peak of lambda
    assert (difference[2:] > 0.10).all()
    assert (difference[2:] < 0.18).all()


def test_weights_sum_to_one_and_rebuild_the_total(aluminium):
    sums = direct_q_sum(*aluminium)
    assert sums.weights.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(sums.weights, [1 / 8, 4 / 8, 3 / 8])
    np.testing.assert_allclose(sums.lambda_q @ sums.weights, sums.coupling, rtol=1e-14)


def test_single_q_point_is_the_sum_over_its_modes():
    sums = direct_q_sum(*single([10, 20, 40], [0.1, 0.2, 0.3]))
    assert sums.coupling[0] == pytest.approx(0.6)
    expected = (0.1 * np.log(10) + 0.2 * np.log(20) + 0.3 * np.log(40)) / 0.6
    assert sums.omega_log_mev[0] == pytest.approx(np.exp(expected))


def test_one_frequency_is_its_own_logarithmic_average():
    assert direct_q_sum(*single([25, 25, 25], [0.1, 0.2, 0.3])).omega_log_mev[0] == pytest.approx(25)


def test_acoustic_modes_at_gamma_are_dropped_and_optical_kept():
    modes, coupling = [-1.0, 0.5, 1.0, 30.0], [9.0, 9.0, 9.0, 0.4]
    assert direct_q_sum(*single(modes, coupling, q=(0, 0, 0))).coupling[0] == pytest.approx(0.4)
    assert direct_q_sum(*single(modes, coupling, q=(0, 0, 0))).n_dropped_modes == 0
    elsewhere = direct_q_sum(*single(modes, coupling))
    assert elsewhere.coupling[0] == pytest.approx(18.4)
    assert elsewhere.n_dropped_modes == 1


@pytest.mark.parametrize(("imaginary", "said"), [(0, None), (1, "1 mode is imaginary"), (2, "2 modes are imaginary")])
def test_modes_left_out_of_the_sum_are_told_with_their_number(imaginary, said):
    frequencies = np.array([10.0, 20.0, 30.0])
    frequencies[:imaginary] *= -1
    sums = direct_q_sum(*single(frequencies, [0.1, 0.2, 0.3]))
    assert [warning.startswith(said) for warning in sums.warnings] == ([True] if said else [])


def test_strongly_imaginary_optical_mode_at_gamma_is_not_taken_for_a_translation():
    sums = direct_q_sum(*single([-20.0, -0.1, 0.1, 0.2, 30.0], [5.0, 0, 0, 0, 0.4], q=(0, 0, 0)))
    assert sums.coupling[0] == pytest.approx(0.4)
    assert sums.n_dropped_modes == 1


def test_no_coupling_has_no_logarithmic_frequency():
    sums = direct_q_sum(*single([10, 20, 40], [0, 0, 0]))
    assert sums.coupling[0] == 0
    assert np.isnan(sums.omega_log_mev[0])


def test_imaginary_mode_of_bcc_like_crystal_is_counted_as_dropped():
    points = list(read_dynamical_matrices(QE / "al_linear_response", "al.dyn"))
    points[1] = replace(points[1], frequencies_mev=points[1].frequencies_mev * [-1, 1, 1])
    assert direct_q_sum(points, read_elph(QE / "al_linear_response")).n_dropped_modes == 1


def test_missing_q_point_is_an_error(aluminium):
    points, couplings = aluminium
    with pytest.raises(ValueError, match="coupling of 3 q points, found 2"):
        direct_q_sum(points, couplings[:2])
    with pytest.raises(ValueError, match="coupling of 0 q points"):
        direct_q_sum([], [])


def test_other_order_is_an_error(aluminium):
    points, couplings = aluminium
    with pytest.raises(ValueError, match="q point 1"):
        direct_q_sum(points, couplings[::-1])


def test_other_smearings_or_modes_are_an_error(aluminium):
    points, couplings = aluminium
    changed = [*couplings[:2], replace(couplings[2], smearing_ev=couplings[2].smearing_ev * 2)]
    with pytest.raises(ValueError, match="expected smearings"):
        direct_q_sum(points, changed)
    fewer = [*couplings[:2], replace(couplings[2], coupling=couplings[2].coupling[:, :2])]
    with pytest.raises(ValueError, match="expected 3 modes, found 2"):
        direct_q_sum(points, fewer)
