"""The random phase approximation."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.rpa import rpa_susceptibility, without_interband_background
from hightc.analysis.susceptibility import bare_susceptibility

A = 3.0
SQUARE = Structure(Lattice.tetragonal(A, 9.0), ["Cu"], [[0, 0, 0]])
CUBIC = Structure(Lattice.cubic(A), ["Po"], [[0, 0, 0]])


def around(corner, n, height=0.4, depth=0.1):
    """chi0 of one cosine an axis, highest at Gamma or at (1/2, 1/2, 1/2)."""
    wave = np.cos(2 * np.pi * np.arange(n) / n) * (-1 if corner else 1)
    return height - depth * (3 - wave[:, None, None] - wave[None, :, None] - wave[None, None, :]) / 3


def test_chi_is_enhanced_at_every_q():
    chi0 = around(True, 8)
    found = rpa_susceptibility(chi0, 2.0, CUBIC)
    assert found.status == "paramagnetic"
    assert found.chi_per_ev_spin_cell == pytest.approx(chi0 / (1 - 2.0 * chi0))
    assert found.product_peak == pytest.approx(0.8)
    assert found.enhancement_peak == pytest.approx(5.0)
    assert found.product_gamma == pytest.approx(2 * chi0[0, 0, 0])
    assert found.enhancement_gamma == pytest.approx(1 / (1 - 2 * chi0[0, 0, 0]))
    assert found.distance == pytest.approx(0.2)
    assert found.peak.q_reduced == pytest.approx((0.5, 0.5, 0.5))


def test_correlation_length_is_that_of_the_expansion_around_the_peak():
    n, height, depth, stoner = 48, 0.4, 0.1, 2.2
    found = rpa_susceptibility(around(True, n, height, depth), stoner, CUBIC)
    # chi0 = height - depth (q a)^2/6 near the peak: 1/chi = 1/chi0 - I grows by depth a^2/(6 height^2) a q^2
    expected = np.sqrt(depth * A**2 / 6 / height / (1 - stoner * height))
    # second differences err by (2 pi/n)^2/12 of the curvature, half of that of its root
    assert found.correlation_length is not None
    assert found.correlation_length.principal_angstrom == pytest.approx(3 * (expected,), rel=(2 * np.pi / n) ** 2 / 20)


def test_correlation_length_grows_as_the_root_of_the_distance():
    lengths = []
    for distance in (0.4, 0.1):
        found = rpa_susceptibility(around(False, 12), (1 - distance) / 0.4, CUBIC)
        assert found.correlation_length is not None
        lengths.append(found.correlation_length.principal_angstrom[0])
    assert lengths[1] / lengths[0] == pytest.approx(2)


def test_correlation_length_describes_chi_near_the_peak():
    chi0 = around(True, 48)
    found = rpa_susceptibility(chi0, 2.3, CUBIC)
    chi = found.chi_per_ev_spin_cell
    assert chi is not None
    assert found.correlation_length is not None
    q = 2 * np.pi / A / 48
    fall = 1 / (1 + found.correlation_length.tensor_angstrom2[0][0] * q**2)
    # the next term is (q a)^2/12 of the fall
    assert chi[25, 24, 24] / chi[24, 24, 24] == pytest.approx(fall, abs=(1 - fall) * (2 * np.pi / 48) ** 2 / 6)


def test_layered_crystal_has_no_correlation_across_its_layers():
    chi0 = np.array(around(True, 12)[:, :, :1])
    found = rpa_susceptibility(chi0, 1.0, SQUARE)
    assert found.correlation_length is not None
    one, two, three = found.correlation_length.principal_angstrom
    assert one == pytest.approx(two)
    assert one > 0
    assert three == 0


@pytest.mark.parametrize(("corner", "kind"), [(False, "ferromagnetic order"), (True, "a spin density wave")])
def test_beyond_the_instability_there_is_an_order_and_no_chi(corner, kind):
    found = rpa_susceptibility(around(corner, 8), 2.6, CUBIC)
    assert found.status == "ordered"
    assert found.chi_per_ev_spin_cell is None
    assert found.enhancement_peak is None
    assert found.distance == pytest.approx(-0.04)
    assert found.correlation_length is None
    assert found.no_correlation_length == "the paramagnet is unstable at the peak"
    assert found.reason is not None
    assert kind in found.reason
    assert (found.enhancement_gamma is None) is not corner


def test_instability_between_mesh_points_is_seen():
    # on seven points the highest are 3/7 and 4/7, each 1/14 from the peak
    chi0 = around(True, 7)
    stoner = 1 / float(chi0.max()) * 0.999
    found = rpa_susceptibility(chi0, stoner, CUBIC)
    assert found.status == "ordered"
    assert "between points of the mesh" in (found.reason or "")


def test_half_filled_square_lattice_is_near_its_spin_density_wave():
    x, y = np.meshgrid(*2 * [2 * np.pi * np.arange(24) / 24], indexing="ij")
    bands = (-2 * (np.cos(x) + np.cos(y)))[:, :, None, None]
    chi0 = bare_susceptibility(bands, 0.0, temperature_k=1500.0)
    found = rpa_susceptibility(chi0, 0.9 / float(chi0.max()), SQUARE)
    assert found.peak.q_reduced == pytest.approx((0.5, 0.5, 0))
    assert found.peak.line is not None
    assert (found.peak.line.start, found.peak.line.end) == ("GAMMA", "M")
    assert found.enhancement_peak == pytest.approx(10)


def test_without_interaction_nothing_is_enhanced():
    chi0 = around(True, 6)
    assert rpa_susceptibility(chi0, 0.0, CUBIC).chi_per_ev_spin_cell == pytest.approx(chi0)


def test_flat_susceptibility_has_no_correlation_length():
    found = rpa_susceptibility(np.full((4, 4, 4), 0.5), 1.0, CUBIC)
    assert found.enhancement_peak == pytest.approx(2)
    assert found.correlation_length is None
    assert "no parabola" in (found.no_correlation_length or "")


def test_without_interband_background_the_uniform_susceptibility_is_the_density_of_states():
    x = np.cos(2 * np.pi * np.arange(12) / 12)
    lower = -(x[:, None, None] + x[None, :, None] + x[None, None, :])
    temperature = 2000.0
    one = bare_susceptibility(lower[..., None], 0.0, temperature_k=temperature)
    both = bare_susceptibility(np.stack([lower, lower + 8], axis=-1), 0.0, temperature_k=temperature)
    assert both[0, 0, 0] > one[0, 0, 0] * 1.1
    found = without_interband_background(both, float(one[0, 0, 0]))
    assert found[0, 0, 0] == pytest.approx(one[0, 0, 0])
    # a far band adds nearly the same at every q: one of distance 8 and width 6 up to the square of their ratio
    assert found == pytest.approx(one, abs=(both - one).max() * (6 / 8) ** 2)


@pytest.mark.parametrize("dos", [0.0, 0.5])
def test_density_of_states_of_other_bands_is_refused(dos):
    with pytest.raises(ValueError, match=r"expected a positive number, at most chi0\(0\) = 0.4, found"):
        without_interband_background(around(False, 4), dos)


@pytest.mark.parametrize("stoner", [-0.1, float("nan")])
def test_stoner_parameter_that_is_none_is_refused(stoner):
    with pytest.raises(ValueError, match="stoner_ev: expected a number of eV, not negative, found"):
        rpa_susceptibility(around(True, 4), stoner, CUBIC)
