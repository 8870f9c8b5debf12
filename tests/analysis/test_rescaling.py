"""Scaling of a coarse mesh's coupling to the density of states."""

from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.matdyn import read_lambda
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.rescaling import rescale_by_dos
from hightc.analysis.tetrahedra import fermi_dos

QE = Path(__file__).parents[1] / "data" / "qe"


def double_delta(n, sigma, shift):
    """lambda and N of a band with constant matrix elements: all pairs of states of a mesh of n points, as ph.x sums."""
    energy = 2 - 2 * np.cos(2 * np.pi * (np.arange(n) + shift) / n) - 1.7
    delta = np.exp(-((energy / sigma) ** 2)) / (np.sqrt(np.pi) * sigma)
    pairs = 0.3 * np.outer(delta, delta).mean()
    return pairs / delta.mean(), delta.mean()


def test_error_of_the_density_of_states_enters_once_where_all_pairs_are_summed():
    reference, dos = double_delta(4000, 0.05, 0.0)
    rough = [double_delta(n, 0.05, 0.3) for n in (20, 26, 34)]
    coupling, used = np.array(rough).T
    assert np.abs(coupling / reference - 1).max() > 0.1
    scaled = rescale_by_dos(
        np.ones((3, 2)), coupling, dos_used_per_ev_spin_cell=used, dos_reference_per_ev_spin_cell=dos
    )
    # exact, because the model's matrix elements are constant
    assert scaled.coupling == pytest.approx(np.full(3, reference), rel=1e-12)
    assert scaled.alpha2f[:, 0] == pytest.approx(scaled.factor)


def test_factor_beyond_the_trusted_range_and_vanishing_density_are_told_apart():
    scaled = rescale_by_dos(
        np.ones((4, 1)),
        np.ones(4),
        dos_used_per_ev_spin_cell=[1.0, 0.5, 2.0, 0.0],
        dos_reference_per_ev_spin_cell=1.0,
    )
    assert scaled.status == ("trusted", "outside_range", "outside_range", "undefined")
    assert np.isnan(scaled.coupling[3])
    assert np.isnan(scaled.alpha2f[3]).all()


def test_scaling_does_not_help_aluminium_on_three_q_points():
    """Why no Tc is made of it: ten widths of Al, 8x8x8 k and 2x2x2 q, against 32x32x32 k points of the double delta."""
    coarse, dense = read_lambda(QE / "al_linear_response/lambda"), read_lambda(QE / "al_dense/lambda_k32")
    scaled = rescale_by_dos(
        np.zeros((10, 0)),
        coarse.coupling,
        dos_used_per_ev_spin_cell=coarse.dos_per_ev_spin_cell,
        dos_reference_per_ev_spin_cell=fermi_dos(
            read_pw_xml(QE / "al_dense/data-file-schema.xml")
        ).dos_per_ev_spin_cell,
    )
    plateau = slice(2, 8)
    before = np.abs(coarse.coupling / dense.coupling - 1)[plateau]
    after = np.abs(scaled.coupling / dense.coupling - 1)[plateau]
    assert before.mean() < 0.06
    assert after.mean() > 2 * before.mean()


@pytest.mark.parametrize(
    ("spectra", "coupling", "used"), [((2, 1), (3,), (3,)), ((3,), (3,), (3,)), ((3, 1), (3,), (2,))]
)
def test_arrays_that_do_not_belong_together_are_refused(spectra, coupling, used):
    with pytest.raises(ValueError, match="expected alpha2f"):
        rescale_by_dos(
            np.ones(spectra),
            np.ones(coupling),
            dos_used_per_ev_spin_cell=np.ones(used),
            dos_reference_per_ev_spin_cell=1.0,
        )


@pytest.mark.parametrize("reference", [0.0, -1.0, float("nan")])
def test_reference_that_is_not_positive_is_refused(reference):
    with pytest.raises(ValueError, match="positive reference"):
        rescale_by_dos(
            np.ones((1, 1)), [1.0], dos_used_per_ev_spin_cell=[1.0], dos_reference_per_ev_spin_cell=reference
        )
