"""The density of states by tetrahedra."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.parsers.units import RYDBERG_EV
from hightc.analysis.tetrahedra import (
    FIT,
    Tetrahedra,
    fermi_dos,
    fermi_energy,
    make_tetrahedra,
    tetrahedron_dos,
    tetrahedron_states,
)

QE = Path(__file__).parents[1] / "data" / "qe"


@pytest.fixture(scope="module")
def aluminium():
    return read_pw_xml(QE / "al_dense/data-file-schema.xml")


def free_electrons(n):
    """A parabola in a cubic zone, in units where both are 1."""
    k = (np.arange(n) / n + 0.5) % 1 - 0.5
    x, y, z = np.meshgrid(k, k, k, indexing="ij")
    return (x**2 + y**2 + z**2)[..., None]


def test_fit_is_the_published_one():
    # Kawamura et al. 2014 as tabulated in Quantum ESPRESSO's opt_tetra_init: integers over 1260
    table = np.rint(1260 * FIT)
    assert pytest.approx(table, abs=1e-8) == 1260 * FIT
    assert table[0].tolist() == [1440, 0, 30, 0, -38, 7, 17, -28, -56, 9, -46, 9, -38, -28, 17, 7, -18, -18, 12, -18]
    assert table.sum(axis=1).tolist() == [1260] * 4


def test_fit_keeps_linear_bands():
    bands = np.arange(6.0).reshape(1, 1, 6, 1) * np.ones((4, 4, 1, 1))
    inner = make_tetrahedra(bands).corners_ev.reshape(4, 6, 4, 4, 6)[..., 2]
    # corners at the third and fourth point, away from where the periodic mesh jumps
    assert np.unique(np.round(inner, 9)).tolist() == [2, 3]


@pytest.mark.parametrize("energy", [0.04, 0.1, 0.2])
def test_free_electrons_have_their_density_of_states_and_number(energy):
    tetrahedra = make_tetrahedra(free_electrons(20))
    # a sphere of radius r on a mesh of step h: second order in h/r = 1/4 to 1/9 for the surface, fourth for the volume
    assert tetrahedron_dos(tetrahedra, energy) == pytest.approx(2 * np.pi * energy**0.5, rel=0.2 / 16)
    assert tetrahedron_states(tetrahedra, energy) == pytest.approx(4 / 3 * np.pi * energy**1.5, rel=0.2 / 256)


def test_density_of_states_is_the_derivative_of_the_number_of_states():
    tetrahedra, step = make_tetrahedra(free_electrons(8)), 1e-6
    for energy in np.linspace(0.01, 0.6, 23):
        above, below = (tetrahedron_states(tetrahedra, energy + sign * step) for sign in (1, -1))
        # central difference of a cubic: rounding of 1e-16 over the step, and edges of tetrahedra within a step
        assert tetrahedron_dos(tetrahedra, energy) == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-6)


def test_all_states_lie_between_the_ends_of_the_band():
    tetrahedra = make_tetrahedra(free_electrons(8))
    low, high = tetrahedra.corners_ev.min(), tetrahedra.corners_ev.max()
    assert tetrahedron_states(tetrahedra, low - 1) == 0
    assert tetrahedron_states(tetrahedra, high + 1) == 1
    assert tetrahedron_dos(tetrahedra, high + 1) == 0


def test_tetrahedra_around_an_energy_answer_as_all_of_them():
    every, near = (make_tetrahedra(free_electrons(10), limits) for limits in ((-np.inf, np.inf), (0.08, 0.12)))
    assert near.corners_ev.size < every.corners_ev.size / 2
    for answer in (tetrahedron_dos, tetrahedron_states):
        assert answer(near, 0.1) == pytest.approx(answer(every, 0.1), rel=1e-12)
    assert fermi_energy(near, 0.13) == pytest.approx(fermi_energy(every, 0.13), abs=1e-5)


def test_flat_band_is_counted_and_does_not_divide_by_zero():
    flat = Tetrahedra(np.full((4, 6), 1.0), n_below=0, n_of_a_band=6)
    assert [tetrahedron_states(flat, energy) for energy in (0.9, 1.0)] == [0, 1]
    assert tetrahedron_dos(flat, 1.0) == 0


def test_fermi_energy_holds_the_electrons():
    tetrahedra = make_tetrahedra(free_electrons(12))
    # a tolerance of 1e-6 times a density of states of 2
    assert tetrahedron_states(tetrahedra, fermi_energy(tetrahedra, 0.3)) == pytest.approx(0.3, abs=3e-6)


@pytest.mark.parametrize("electrons", [0.0, 1.0, 2.0])
def test_bands_that_cannot_hold_the_electrons_are_an_error(electrons):
    with pytest.raises(ValueError, match="compute more empty bands"):
        fermi_energy(make_tetrahedra(free_electrons(4)), electrons)


def test_range_without_bands_is_an_error():
    with pytest.raises(ValueError, match="found none"):
        fermi_energy(make_tetrahedra(free_electrons(4), (2.0, 3.0)), 0.5)


def test_aluminium_has_the_density_of_states_of_a_mesh_eight_times_finer(aluminium):
    found = fermi_dos(aluminium)
    # 2.723 states/Ry/spin on 32x32x32; plain linear tetrahedra say 2.26 on this mesh and 2.61 on that
    assert found.dos_per_ev_spin_cell * RYDBERG_EV == pytest.approx(2.723, rel=0.03)
    assert found.k_mesh == (16, 16, 16)
    # by smearing 8.284 eV; on 32x32x32 tetrahedra say 8.302 eV
    assert found.fermi_ev == pytest.approx(8.302, abs=0.02)
    assert found.error_per_ev_spin_cell > abs(found.dos_per_ev_spin_cell - 2.723 / RYDBERG_EV)


def test_two_equal_spins_have_the_density_of_states_of_one(aluminium):
    twice = replace(aluminium, eigenvalues_ev=np.repeat(aluminium.eigenvalues_ev, 2, axis=0), n_states_per_band=1)
    assert fermi_dos(twice).dos_per_ev_spin_cell == pytest.approx(fermi_dos(aluminium).dos_per_ev_spin_cell)


@pytest.mark.parametrize("change", [{"k_mesh": None}, {"fermi_ev": None}])
def test_run_without_a_mesh_or_fermi_energy_is_refused(aluminium, change):
    with pytest.raises(ValueError, match=r"run pw\.x with smearing on an automatic mesh"):
        fermi_dos(replace(aluminium, **change))
