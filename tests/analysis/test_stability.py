"""Verdicts on imaginary modes."""

from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.acoustic_sum_rule import GammaModes
from hightc.analysis.parsers.matdyn import PhononFrequencies, read_frequencies
from hightc.analysis.parsers.ph import QPoint, read_dynamical_matrices
from hightc.analysis.parsers.units import PER_CM_MEV, THZ_MEV
from hightc.analysis.stability import find_imaginary_modes

QE = Path(__file__).parents[1] / "data" / "qe"


def computed(gamma_per_cm, elsewhere_thz):
    """Gamma and one other q point with the given lowest frequencies."""
    lowest = [gamma_per_cm * PER_CM_MEV, elsewhere_thz * THZ_MEV]
    return [
        QPoint(
            index=index + 1,
            q_mesh=(2, 1, 1),
            q_cartesian=np.array([0.5 * index, 0, 0]),
            q_fractional=np.array([0.5 * index, 0, 0]),
            star_cartesian=np.array([[0.5 * index, 0, 0]]),
            frequencies_mev=np.array([lowest[index], 10.0, 20.0]),
        )
        for index in range(2)
    ]


def interpolated(gamma_per_cm, elsewhere_thz):
    points = computed(gamma_per_cm, elsewhere_thz)
    return PhononFrequencies(
        q_cartesian=np.array([point.q_cartesian for point in points]),
        frequencies_mev=np.array([point.frequencies_mev for point in points]),
    )


@pytest.mark.parametrize(
    ("gamma_per_cm", "elsewhere_thz", "status"),
    [
        (5, 2, "stable"),
        (-44.9, -0.99, "stable"),
        (-45.1, 2, "unstable"),
        (5, -1.01, "unstable"),
        (-40, -1.2, "unstable"),
    ],
)
def test_computed_mode_decides_at_its_own_threshold(gamma_per_cm, elsewhere_thz, status):
    verdict = find_imaginary_modes(computed(gamma_per_cm, elsewhere_thz))
    assert verdict.status == status
    assert verdict.gamma_lowest_mev == pytest.approx(gamma_per_cm * PER_CM_MEV)
    assert verdict.elsewhere_lowest_mev == pytest.approx(elsewhere_thz * THZ_MEV)
    assert (verdict.decisive_mev <= verdict.threshold_mev) == (status == "unstable")


@pytest.mark.parametrize(("elsewhere_thz", "status"), [(-0.99, "stable"), (-1.01, "marginal"), (-9, "marginal")])
def test_interpolated_mode_alone_is_marginal_and_asks_for_a_finer_mesh(elsewhere_thz, status):
    verdict = find_imaginary_modes(interpolated(5, elsewhere_thz))
    assert verdict.status == status
    assert ("finer q mesh" in verdict.message) == (status == "marginal")


def test_decisive_mode_is_not_always_the_lowest():
    # -40 cm^-1 = -1.2 THz at Gamma is tolerated, -1.1 THz = -36.7 cm^-1 elsewhere is not
    verdict = find_imaginary_modes(computed(-40, -1.1))
    assert verdict.lowest_mev == pytest.approx(-40 * PER_CM_MEV)
    assert verdict.lowest_q == (0, 0, 0)
    assert verdict.decisive_mev == pytest.approx(-1.1 * THZ_MEV)
    assert verdict.decisive_q == (0.5, 0, 0)
    assert verdict.threshold_mev == pytest.approx(-THZ_MEV)
    assert verdict.status == "unstable"


def test_thresholds_can_be_tightened():
    modes = computed(-10, -0.5)
    assert find_imaginary_modes(modes, gamma_threshold_per_cm=-5).status == "unstable"
    assert find_imaginary_modes(modes, elsewhere_threshold_thz=-0.4).status == "unstable"
    assert find_imaginary_modes(modes).status == "stable"


def test_mesh_without_gamma_has_no_number_there():
    verdict = find_imaginary_modes(computed(5, 3)[1:])
    assert verdict.gamma_lowest_mev is None
    assert verdict.elsewhere_lowest_mev is not None


def test_gamma_alone_has_no_number_elsewhere():
    assert find_imaginary_modes(computed(5, 3)[:1]).elsewhere_lowest_mev is None


def test_nothing_to_judge_is_an_error():
    with pytest.raises(ValueError, match="found 0 q points"):
        find_imaginary_modes([])


def test_nan_is_an_error_not_a_verdict():
    with pytest.raises(ValueError, match="finite frequency"):
        find_imaginary_modes(interpolated(np.nan, 3))


@pytest.mark.parametrize(("case", "name"), [("al_linear_response", "al"), ("mgb2", "mgb2")])
def test_real_crystals_are_stable_on_and_off_the_mesh(case, name):
    on = find_imaginary_modes(read_dynamical_matrices(QE / case, f"{name}.dyn"))
    off = find_imaginary_modes(read_frequencies(QE / case / f"{name}.freq"))
    assert (on.status, off.status) == ("stable", "stable")
    assert (on.source, off.source) == ("computed", "interpolated")
    assert on.n_q_failed == off.n_q_failed == 0


def test_bcc_aluminium_is_unstable_at_n():
    verdict = find_imaginary_modes(read_dynamical_matrices(QE / "al_bcc", "al.dyn"))
    assert verdict.status == "unstable"
    assert verdict.lowest_per_cm == pytest.approx(-109.726546, rel=1e-6)
    assert verdict.decisive_q == (0, 0.5, -0.5)
    assert verdict.n_q_failed == 1
    assert verdict.message == (
        "unstable: -109.7 cm^-1 <= -33.4 cm^-1 at the computed q = (0.0000 0.5000 -0.5000) 2 pi/alat"
    )


def test_interpolation_of_bcc_aluminium_finds_the_same_instability():
    verdict = find_imaginary_modes(read_frequencies(QE / "al_bcc/al.freq"))
    assert verdict.status == "marginal"
    # the sum rule imposed by matdyn.x moves the computed -109.73 cm^-1 a little
    assert verdict.lowest_per_cm == pytest.approx(-109.7, abs=0.5)
    assert verdict.n_q_failed > 1


def gamma_modes(acoustic_per_cm, corrected_per_cm):
    """Modes of a crystal of two atoms, optical ones at 20 meV."""
    acoustic, corrected = (np.full(3, value * PER_CM_MEV) for value in (acoustic_per_cm, corrected_per_cm))
    optical = np.full(3, 20.0)
    return GammaModes(np.append(acoustic, optical), np.append(corrected, optical), acoustic, corrected)


@pytest.mark.parametrize(("corrected_per_cm", "status"), [(0, "stable"), (-44, "stable"), (-46, "unstable")])
def test_gamma_is_judged_with_the_sum_rule_where_it_is_known(corrected_per_cm, status):
    verdict = find_imaginary_modes(computed(-60, 2), gamma=gamma_modes(-60, corrected_per_cm))
    assert verdict.status == status
    assert verdict.gamma_lowest_mev == pytest.approx(-60 * PER_CM_MEV)
    assert f"-60.0 -60.0 -60.0 cm^-1 as computed, {corrected_per_cm:.1f}" in verdict.message


def with_optical(modes, optical_per_cm):
    """The same with the softest optical mode here."""
    corrected = modes.corrected_mev.copy()
    corrected[3] = optical_per_cm * PER_CM_MEV
    return GammaModes(modes.frequencies_mev, np.sort(corrected), modes.acoustic_mev, modes.acoustic_corrected_mev)


# 1 THz is 33.4 cm^-1: the limit of optical modes everywhere; acoustic ones at Gamma may go down to -45 cm^-1
@pytest.mark.parametrize(
    ("acoustic_per_cm", "optical_per_cm", "status", "decisive_per_cm", "limit_per_cm"),
    [
        (0.0, -33.0, "stable", -33.0, -33.36),
        (0.0, -34.0, "unstable", -34.0, -33.36),
        (-40.0, 50.0, "stable", -40.0, -45.0),
        (-40.0, -34.0, "unstable", -34.0, -33.36),
        (-46.0, 50.0, "unstable", -46.0, -45.0),
    ],
)
def test_optical_modes_at_gamma_are_held_to_the_limit_of_all_others(
    acoustic_per_cm, optical_per_cm, status, decisive_per_cm, limit_per_cm
):
    gamma = with_optical(gamma_modes(acoustic_per_cm, acoustic_per_cm), optical_per_cm)
    verdict = find_imaginary_modes(computed(acoustic_per_cm, 2)[:1], gamma=gamma)
    assert verdict.status == status
    assert verdict.decisive_mev == pytest.approx(decisive_per_cm * PER_CM_MEV)
    assert verdict.threshold_mev == pytest.approx(limit_per_cm * PER_CM_MEV, rel=1e-3)


@pytest.mark.parametrize(("optical_per_cm", "status"), [(-33.0, "stable"), (-34.0, "marginal")])
def test_interpolated_optical_modes_at_gamma_are_those_far_from_zero(optical_per_cm, status):
    frequencies = np.array([[optical_per_cm, -0.3, 0.0, 0.2, 60.0, 80.0]]) * PER_CM_MEV
    verdict = find_imaginary_modes(PhononFrequencies(q_cartesian=np.zeros((1, 3)), frequencies_mev=frequencies))
    assert verdict.status == status
    assert verdict.decisive_mev == pytest.approx(optical_per_cm * PER_CM_MEV)


def test_large_error_of_the_acoustic_modes_is_a_warning():
    assert find_imaginary_modes(computed(-40, 2), gamma=gamma_modes(-40, 0)).warnings == ()
    (warning,) = find_imaginary_modes(computed(-60, 2), gamma=gamma_modes(-60, 0)).warnings
    assert "cutoff or k mesh are too small" in warning


def test_sum_rule_changes_nothing_at_other_q_points():
    assert find_imaginary_modes(computed(5, -1.01), gamma=gamma_modes(5, 0)).status == "unstable"
    assert find_imaginary_modes(interpolated(-60, 2)).status == "marginal"
