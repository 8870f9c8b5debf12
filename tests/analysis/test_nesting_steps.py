"""Nesting and susceptibility on several meshes."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.square_lattice import STRUCTURE, energies

from hightc.analysis.documents import MeshStep
from hightc.analysis.nesting_steps import convergence, mesh_result


def result(mesh, filling_ev=0.0):
    return mesh_result(energies(mesh, filling_ev), STRUCTURE, smearing_ev=0.1, temperature_k=600.0, interpolated=False)


def test_square_lattice_nests_at_the_corner_of_its_zone():
    found = result((24, 24, 12))
    # e(k + (1/2, 1/2, 1/2)) = -e(k)
    for peak in (found.step.nesting_peak, found.step.chi0_peak):
        assert np.mod(np.abs(peak), 1) == pytest.approx([0.5, 0.5, 0.5])
    assert found.step.k_mesh == found.nesting.shape == found.chi0.shape == (24, 24, 12)


def test_mean_of_the_nesting_function_is_the_square_of_the_density_of_states():
    found = result((32, 32, 16), filling_ev=-1.0)
    # by a Gaussian of 0.1 eV and by tetrahedra, 1 eV below the singularity: curvature over that distance, 0.1^2
    assert np.sqrt(found.nesting.mean()) == pytest.approx(found.step.dos_per_ev_spin_cell, rel=0.01)


def step(mesh=(16, 16, 16), q=(0.5, 0.0, 0.0), over_mean=3.0, chi0=1.0, chi0_q=(0.5, 0.5, 0.0)):
    return MeshStep(
        k_mesh=mesh,
        interpolated=True,
        dos_per_ev_spin_cell=1.0,
        nesting_peak=q,
        nesting_over_mean=over_mean,
        chi0_peak=chi0_q,
        chi0_max=chi0,
    )


FINER = (32, 32, 32)


def judge(*steps, error=None, width=0.1):
    return convergence(steps, STRUCTURE, interpolation_error_mev=error, width_ev=width)


def test_peaks_that_hold_still_have_converged():
    # another image, half a step away
    verdict, reason = judge(step(), step(FINER, q=(0.0, -0.49, 0.0), over_mean=3.1, chi0=1.02))
    assert verdict
    assert "from 16x16x16 to 32x32x32 k points the peak of the nesting function moves by 0.021/Angstrom" in reason
    assert "3.3%" in reason


@pytest.mark.parametrize(
    "changes",
    [{"q": (0.4, 0.0, 0.0)}, {"over_mean": 3.2}, {"chi0": 1.06}, {"chi0_q": (0.5, 0.0, 0.0)}, {"q": None}],
)
def test_peaks_that_move_or_grow_have_not(changes):
    assert not judge(step(), step(FINER, **changes))[0]


def test_bands_that_are_interpolated_badly_have_not_converged():
    # half the mesh has some four times the error of the whole
    assert judge(step(), step(FINER), error=390.0)[0]
    verdict, reason = judge(step(), step(FINER), error=410.0)
    assert not verdict
    assert "off by 410 meV, more than 4 times the 100 meV" in reason


def test_one_mesh_says_nothing_of_convergence():
    verdict, reason = judge(step())
    assert not verdict
    assert reason == "one mesh, 16x16x16: nothing to compare with; raise interpolation_factor"


def test_function_without_a_peak_on_both_meshes_holds_still():
    flat = {"q": None, "over_mean": None}
    assert judge(step(**flat), step(FINER, **flat))[0]


def test_unknown_error_of_interpolated_bands_is_told():
    unknown = "the error of the interpolated bands was not determined"
    assert judge(step(), step(FINER))[1].endswith(unknown)
    assert unknown not in judge(step(), step(FINER), error=10.0)[1]
    assert unknown not in judge(step(), step(FINER).model_copy(update={"interpolated": False}))[1]
