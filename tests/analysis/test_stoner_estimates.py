"""What a Stoner parameter makes of a bare susceptibility."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.square_lattice import STRUCTURE, energies
from pymatgen.core import Lattice, Structure

from hightc.analysis.nesting import nesting_function
from hightc.analysis.nesting_steps import mesh_result
from hightc.analysis.stoner import StonerParameter
from hightc.analysis.stoner_estimates import (
    MOST_PAIRING_POINTS,
    estimates,
    known_stoner_parameter,
    pairing_channels,
    thermal_dos,
)
from hightc.analysis.susceptibility import bare_susceptibility

BANDS = energies((16, 16, 8))
RESULT = mesh_result(BANDS, STRUCTURE, smearing_ev=0.1, temperature_k=600.0, interpolated=False)
DOS = thermal_dos(BANDS, 600.0)
PEAK = float(RESULT.chi0.max())


def stoner(product):
    return StonerParameter(product / PEAK, "test")


def estimated(product, background=0.0):
    """Without and with a background that does not depend on q, as transitions between bands add it."""
    return estimates(stoner(product), RESULT.chi0 + background, RESULT.nesting, DOS, STRUCTURE)


def test_one_band_has_no_background_to_remove():
    removed, constant = estimated(0.8)
    assert (removed.interband, constant.interband) == ("removed", "constant")
    assert removed.product_peak == pytest.approx(constant.product_peak, rel=1e-9)


def test_background_orders_only_the_estimate_that_keeps_it():
    removed, constant = estimated(0.8, background=PEAK)
    assert (removed.status, constant.status) == ("paramagnetic", "ordered")
    assert removed.product_peak == pytest.approx(0.8, rel=1e-6)


def test_one_band_has_no_transitions_at_q_zero():
    assert pytest.approx(RESULT.chi0[0, 0, 0], rel=1e-9) == DOS


def test_thermal_density_of_states_of_a_flat_band_is_its_weight():
    # -df/de = 1/(4 kT) at the Fermi energy
    assert thermal_dos(np.zeros((2, 2, 2, 3)), 600.0) == pytest.approx(3 / (4 * 8.617333262e-5 * 600))
    assert thermal_dos(np.full((2, 2, 2, 1), 50.0), 10.0) < 1e-200


def test_paramagnet_is_enhanced_most_at_its_peak():
    _, found = estimated(0.8)
    assert found.status == "paramagnetic"
    assert found.product_peak == pytest.approx(0.8, rel=1e-6)
    assert found.enhancement_peak == pytest.approx(5.0, rel=1e-5)
    assert found.enhancement_uniform == pytest.approx(1 / (1 - 0.8 * DOS / PEAK))
    assert np.mod(np.abs(found.peak_q), 1) == pytest.approx([0.5, 0.5, 0.5])
    assert found.correlation_length_angstrom > 3.0
    assert 0 < found.lambda_sf_low <= found.lambda_sf_high


def test_ordered_metal_has_no_enhancement():
    _, found = estimated(1.1)
    assert found.status == "ordered"
    assert found.product_peak == pytest.approx(1.1, rel=1e-6)
    for name in ("enhancement_uniform", "enhancement_peak", "peak_q", "lambda_sf_low", "lambda_sf_high"):
        assert getattr(found, name) is None


def paired(product, result=RESULT, bands=BANDS):
    return pairing_channels(stoner(product), result.chi0, bands, STRUCTURE, smearing_ev=0.1, uniform_dos=DOS)


def test_antiferromagnetic_fluctuations_of_a_square_lattice_pair_in_a_d_wave():
    channels, reason = paired(0.9)
    assert reason is None
    assert channels[0].spin == "singlet"
    assert channels[0].symmetry.startswith("d (x2-y2")
    values = [channel.eigenvalue for channel in channels]
    assert values == sorted(values, reverse=True)


def test_ordered_metal_is_told_not_to_pair():
    assert paired(1.2) == ((), "I chi0 reaches 1.20: the metal orders before it pairs")


def test_large_mesh_is_told_not_to_be_solved():
    big = energies((64, 64, 16))
    assert big[..., 0].size > MOST_PAIRING_POINTS
    nothing = big[..., 0] * 0
    channels, reason = pairing_channels(
        StonerParameter(0.1, "test"), nothing, big, STRUCTURE, smearing_ev=0.1, uniform_dos=DOS
    )
    assert channels == ()
    assert reason == f"the mesh has 65536 points, more than {MOST_PAIRING_POINTS}: too many for the gap equation"


def test_number_of_the_campaign_wins_over_the_table():
    chromium = Structure(Lattice.cubic(2.9), ["Cr", "Cr"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    given, table = known_stoner_parameter(chromium, 0.4), known_stoner_parameter(chromium, None)
    assert (given.value_ev, given.source) == (0.4, "given by the campaign")
    # of two atoms: half of an atom's
    assert table.value_ev == pytest.approx(0.76 / 2)
    assert "Janak" in table.source


def test_compound_and_element_off_the_table_have_none():
    assert known_stoner_parameter(Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]]), None) is None
    compound = Structure(Lattice.cubic(3.0), ["Fe", "Al"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert known_stoner_parameter(compound, None) is None


def test_bands_of_nearly_the_same_energies_leave_nothing_without_their_background():
    # four copies of a band with its saddle point at the Fermi energy
    k = 2 * np.pi * np.arange(24) / 24
    band = -(np.cos(k)[:, None, None] + np.cos(k)[None, :, None])
    copies = np.stack([band + 1e-3 * number for number in range(4)], axis=-1)
    chi0, dos = bare_susceptibility(copies, 0.0, temperature_k=300.0), thermal_dos(copies, 300.0)
    assert chi0.mean() < chi0[0, 0, 0] - dos
    nesting = nesting_function(copies, 0.0, smearing_ev=0.1)
    (found,) = estimates(StonerParameter(0.01, "test"), chi0, nesting, dos, STRUCTURE)
    assert found.interband == "constant"


def test_mesh_that_breaks_the_symmetry_is_told_not_to_pair():
    a, c = 3.25, 4.95
    lattice = Lattice([[-a / 2, a / 2, c / 2], [a / 2, -a / 2, c / 2], [a / 2, a / 2, -c / 2]])
    tetragonal = Structure(lattice, ["V"], [[0, 0, 0]])
    nothing = np.ones((6, 6, 7))
    channels, reason = pairing_channels(
        StonerParameter(0.1, "test"), nothing, nothing[..., None] * 0, tetragonal, smearing_ev=0.1, uniform_dos=1.0
    )
    assert channels == ()
    assert reason.startswith("the rotations of the crystal do not map the 6x6x7 mesh onto itself")
