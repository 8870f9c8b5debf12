import numpy as np
import pytest

from hightc.analysis.fermi_bands import bands_at_fermi_level, require_bands


def bands_between(*ranges):
    """A band for each lowest and highest energy, on a mesh of 2x1x3 points."""
    return np.stack([np.linspace(low, high, 6).reshape(2, 1, 3) for low, high in ranges], axis=-1)


def test_bands_that_cross_are_chosen_and_those_within_the_window_too():
    energies = bands_between((-9, -8), (-3, -0.1), (-1, 1), (0.5, 4), (6, 7))
    assert bands_at_fermi_level(energies, 0, window_ev=0) == (2,)
    assert bands_at_fermi_level(energies, 0, window_ev=0.2) == (1, 2)
    assert bands_at_fermi_level(energies, 0, window_ev=0.5) == (1, 2, 3)
    assert bands_at_fermi_level(energies, 6.5, window_ev=0) == (4,)


def test_band_that_jumps_over_the_fermi_energy_crosses_it():
    assert bands_at_fermi_level(bands_between((-5, 5)), 0, window_ev=0.01) == (0,)


def test_insulator_has_no_bands_at_the_fermi_energy():
    assert bands_at_fermi_level(bands_between((-9, -1), (1, 3)), 0, window_ev=0.5) == ()


def test_answer_indexes_the_bands():
    energies = bands_between((-1, 1), (2, 3), (-2, 1))
    assert energies[..., bands_at_fermi_level(energies, 0, window_ev=0)].shape == (2, 1, 3, 2)


@pytest.mark.parametrize("window_ev", [-0.1, np.nan, np.inf])
def test_window_that_is_none_is_refused(window_ev):
    with pytest.raises(ValueError, match="window_ev: expected 0 eV or more"):
        bands_at_fermi_level(bands_between((-1, 1)), 0, window_ev=window_ev)


@pytest.mark.parametrize(
    "energies",
    [np.zeros((2, 2, 2)), np.zeros((2, 2, 2, 0)), np.zeros((0, 2, 2, 1)), np.zeros((2, 2, 2, 1), dtype=complex)],
)
def test_array_that_is_not_bands_on_a_mesh_is_refused(energies):
    with pytest.raises(ValueError, match=r"energies_ev: expected real energies of shape \(nk1, nk2, nk3, bands\)"):
        require_bands(energies, 0.0)


def test_missing_point_is_named():
    energies = bands_between((-1, 1), (2, 3))
    energies[1, 0, 2, 1] = np.nan
    with pytest.raises(ValueError, match=r"found nan at \(1, 0, 2, 1\): fill the whole mesh"):
        require_bands(energies, 0.0)


@pytest.mark.parametrize("fermi_ev", [np.nan, np.inf])
def test_fermi_energy_that_is_none_is_refused(fermi_ev):
    with pytest.raises(ValueError, match="fermi_ev: expected a finite energy"):
        require_bands(bands_between((-1, 1)), fermi_ev)


def test_whole_numbers_become_energies():
    assert require_bands(np.ones((1, 1, 1, 1), dtype=int), 0.0).dtype == np.float64
