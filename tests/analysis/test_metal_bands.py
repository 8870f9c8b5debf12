"""Bands that cross the Fermi energy, from recorded runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.metal_bands import metal_bands
from hightc.analysis.parsers.pw import read_pw_xml

QE = Path(__file__).parents[1] / "data" / "qe"


def recorded(case):
    return read_pw_xml(QE / case / "data-file-schema.xml")


@pytest.fixture(scope="module")
def chromium():
    return recorded("cr_nesting")


def test_chromium_has_three_bands_at_the_fermi_energy_of_its_electrons(chromium):
    bands = metal_bands(chromium, reach_ev=0.5)
    assert (bands.numbers, bands.k_mesh, bands.source, bands.warnings) == ((7, 8, 9), (16, 16, 16), "nscf", ())
    # 19.5521 on 32^3 points by smearing, and 19.5460 by tetrahedra; smeared on 16^3 it is 19.4961
    assert bands.fermi_ev == pytest.approx(19.546, abs=2e-3)
    for band in range(3):
        assert bands.energies_ev[..., band].min() < 0 < bands.energies_ev[..., band].max()


def test_interpolated_bands_pass_through_the_computed_ones(chromium):
    bands = metal_bands(chromium, reach_ev=0.5)
    fine = bands.on_mesh((32, 32, 32))
    assert fine[::2, ::2, ::2] == pytest.approx(bands.energies_ev, abs=1e-9)
    assert fine.shape == (32, 32, 32, 3)


def test_pocket_between_the_points_of_the_mesh_is_found(chromium):
    # the bottom of band 9 is at -0.04 eV on the mesh and at -0.19 eV between its points: 0.1 eV lower only that is seen
    lower = replace(chromium, n_electrons=chromium.n_electrons - 0.07, fermi_ev=19.45)
    bands = metal_bands(lower, reach_ev=0.5)
    assert bands.numbers == (7, 8, 9)
    assert bands.energies_ev[..., 2].min() > 0 > bands.on_mesh((32, 32, 32))[..., 2].min()


def test_error_of_the_interpolation_is_told(chromium):
    # 8^3 against 16^3, within 0.5 eV of the Fermi energy; four times the 15 meV of 16^3 against 32^3
    assert 40 < metal_bands(chromium, reach_ev=0.5).interpolation_error_mev < 100


def test_insulator_has_no_band_that_crosses():
    silicon = recorded("si_smearing")
    bands = metal_bands(silicon, reach_ev=0.5)
    assert bands.numbers == ()
    assert bands.energies_ev.shape == (*silicon.k_mesh, 0)
    assert bands.on_mesh((4, 4, 4)).shape == (4, 4, 4, 0)


def without(run, n):
    return replace(run, eigenvalues_ev=run.eigenvalues_ev[..., :n])


def test_highest_band_that_crosses_is_refused(chromium):
    with pytest.raises(ValueError, match=r"expected the highest of 8 bands above .* raise extra_bands"):
        metal_bands(without(chromium, 8), reach_ev=0.5)


def test_highest_band_within_the_widths_is_told(chromium):
    reach = float(chromium.eigenvalues_ev[0, :, 9].min()) - chromium.fermi_ev + 0.1
    assert "raise extra_bands" in metal_bands(chromium, reach_ev=reach).warnings[0]


def test_two_spins_are_refused():
    with pytest.raises(ValueError, match="expected bands of a nonmagnetic run, found those of two spins"):
        metal_bands(recorded("ni_spin"), reach_ev=0.5)


def test_missing_fermi_energy_is_told(chromium):
    with pytest.raises(ValueError, match=r"expected a Fermi energy, found none: run pw\.x with smeared occupations"):
        metal_bands(replace(chromium, fermi_ev=None), reach_ev=0.5)


@pytest.mark.parametrize("changes", [{"k_mesh": None}, {"k_shift": (1, 1, 1)}])
def test_mesh_that_is_not_uniform_or_shifted_is_told(chromium, changes):
    with pytest.raises(ValueError, match="expected an unshifted Monkhorst-Pack mesh, found mesh"):
        metal_bands(replace(chromium, **changes), reach_ev=0.5)


def test_run_that_was_cut_does_not_fill_the_mesh(chromium):
    cut = replace(chromium, k_points=chromium.k_points[:50], eigenvalues_ev=chromium.eigenvalues_ev[:, :50])
    with pytest.raises(ValueError, match="expected k points that fill the"):
        metal_bands(cut, reach_ev=0.5)


def spinors(run, split_ev):
    """Each band twice, as spin-orbit coupling makes them."""
    twice = np.repeat(run.eigenvalues_ev, 2, axis=2)
    twice[..., 1::2] += split_ev
    return replace(run, eigenvalues_ev=twice, n_states_per_band=1)


def test_of_bands_in_pairs_one_is_taken(chromium):
    alone, paired = metal_bands(chromium, reach_ev=0.5), metal_bands(spinors(chromium, 0.0), reach_ev=0.5)
    assert paired.numbers == (13, 15, 17)
    assert paired.energies_ev == pytest.approx(alone.energies_ev, abs=1e-5)


def test_bands_split_by_spin_orbit_coupling_are_refused(chromium):
    with pytest.raises(ValueError, match=r"found pairs up to 0.100 eV apart: .*set spin_orbit = false"):
        metal_bands(spinors(chromium, 0.1), reach_ev=0.5)
