"""Pairing by spin fluctuations in models whose answer is known."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.pairing import Pairing, PairingChannel, fermi_surface_weights, solve_pairing
from hightc.analysis.rpa import rpa_susceptibility
from hightc.analysis.susceptibility import bare_susceptibility

SQUARE = Structure(Lattice.tetragonal(3.0, 9.0), ["Cu"], [[0, 0, 0]])
KELVIN_PER_EV = 11604.5


def cosines(n):
    return np.cos(2 * np.pi * np.arange(n) / n)[:, None], np.cos(2 * np.pi * np.arange(n) / n)[None, :]


def one_band(n, mu, second):
    x, y = cosines(n)
    return (-2 * (x + y) + 4 * second * x * y - mu)[:, :, None, None]


def two_pockets(n):
    """A hole pocket at Gamma, an electron pocket at (pi, pi)."""
    x, y = cosines(n)
    return np.stack([x + y - 1.7, x + y + 1.7], axis=-1)[:, :, None]


def pair(bands, product):
    """Pair by chi with I chi0(Q) = product, at kT = 0.1 eV."""
    chi0 = bare_susceptibility(bands, 0.0, temperature_k=0.1 * KELVIN_PER_EV)
    susceptibility = rpa_susceptibility(chi0, product / float(chi0.max()), SQUARE)
    assert susceptibility.chi_per_ev_spin_cell is not None
    weights = fermi_surface_weights(bands, 0.0, smearing_ev=0.1)
    return susceptibility, solve_pairing(
        susceptibility.chi_per_ev_spin_cell, susceptibility.stoner_ev, weights, SQUARE, n_gaps=2
    )


def test_square_lattice_near_half_filling_pairs_in_d_x2_y2():
    # Scalapino, Loh and Hirsch 1986: the antiferromagnetic fluctuations of the Hubbard model
    susceptibility, found = pair(one_band(32, -0.6, 0.2), 0.8)
    assert susceptibility.peak.q_reduced == pytest.approx((0.5, 0.5, 0))
    channel, gap = found.leading
    assert channel == "singlet"
    assert (gap.symmetry.name, gap.symmetry.harmonics) == ("d", ("x2-y2",))
    assert gap.symmetry.degeneracy == 1
    shape = gap.gap[0, :, :, 0]
    # zero on the diagonals and odd under the exchange of the axes
    assert np.diag(shape) == pytest.approx(np.zeros(32), abs=1e-6)
    assert shape == pytest.approx(-shape.T, abs=1e-6)


def test_pockets_joined_by_the_fluctuations_have_opposite_signs():
    # Mazin, Singh, Johannes and Du, Phys. Rev. Lett. 101, 057003 (2008)
    bands = two_pockets(32)
    susceptibility, found = pair(bands, 0.8)
    assert susceptibility.peak.q_reduced == pytest.approx((0.5, 0.5, 0))
    channel, gap = found.leading
    assert channel == "singlet"
    assert gap.symmetry.name == "s+-"
    shape = gap.gap[0, :, :, 0]
    hole, electron = (fermi_surface_weights(bands[..., [band]], 0.0, smearing_ev=0.1)[..., 0] for band in (0, 1))
    assert (hole * shape).sum() * (electron * shape).sum() < 0
    assert abs((hole * shape).sum()) == pytest.approx((hole * abs(shape)).sum(), rel=1e-3)


def test_nearly_ferromagnetic_band_pairs_in_a_p_triplet():
    susceptibility, found = pair(one_band(32, -1.8, 0.45), 0.9)
    assert susceptibility.peak.at_gamma
    channel, gap = found.leading
    assert channel == "triplet"
    assert (gap.symmetry.name, gap.symmetry.harmonics, gap.symmetry.degeneracy) == ("p", ("x", "y"), 2)


def test_gaps_solve_the_gap_equation_point_by_point():
    bands = one_band(8, -0.6, 0.2)
    weights = fermi_surface_weights(bands, 0.0, smearing_ev=0.4)
    x, y = cosines(8)
    chi = (1 / (2.3 + x + y))[:, :, None]
    stoner = 0.8
    found = solve_pairing(chi, stoner, weights, SQUARE, n_gaps=3)
    points = np.array(list(np.ndindex(8, 8)))
    difference = (points[:, None] - points[None]) % 8
    for side, factor in ((found.singlet, 1.5), (found.triplet, -0.5)):
        matrix = -factor * stoner**2 * chi[difference[..., 0], difference[..., 1], 0] * weights.ravel() / 64
        assert side.gaps
        for gap in side.gaps:
            for function in gap.gap:
                # vectors of an iteration stopped at 1e-8
                assert matrix @ function.ravel() == pytest.approx(gap.eigenvalue * function.ravel(), abs=1e-6)
                assert (weights * function**2).sum() / weights.sum() == pytest.approx(1)


def test_singlet_gaps_are_even_and_triplet_gaps_odd():
    _, found = pair(one_band(16, -0.6, 0.2), 0.8)
    for side, sign in ((found.singlet, 1), (found.triplet, -1)):
        for gap in side.gaps:
            backwards = np.roll(np.flip(gap.gap, axis=(1, 2, 3)), 1, axis=(1, 2, 3))
            assert backwards == pytest.approx(sign * gap.gap, abs=1e-6)


def test_eigenvalue_grows_towards_the_instability():
    values = [pair(one_band(16, -0.6, 0.2), product)[1].singlet.gaps[0].eigenvalue for product in (0.5, 0.7, 0.9)]
    assert values == sorted(values)


def test_bands_are_counted_by_their_sum():
    bands = one_band(8, -0.6, 0.2)
    weights = fermi_surface_weights(np.concatenate([bands, bands], axis=-1), 0.0, smearing_ev=0.3)
    assert weights == pytest.approx(2 * fermi_surface_weights(bands, 0.0, smearing_ev=0.3))
    chi = np.ones((8, 8, 1)) - 0.3 * (cosines(8)[0] + cosines(8)[1])[:, :, None]
    once = solve_pairing(chi, 1.0, weights / 2, SQUARE)
    twice = solve_pairing(chi, 1.0, weights, SQUARE)
    assert twice.dos_per_ev_spin_cell == pytest.approx(2 * once.dos_per_ev_spin_cell)
    assert twice.singlet.gaps[0].eigenvalue == pytest.approx(2 * once.singlet.gaps[0].eigenvalue)


def test_local_repulsion_pairs_nothing():
    weights = fermi_surface_weights(one_band(8, 0.0, 0.0), 0.0, smearing_ev=0.3)
    found = solve_pairing(np.ones((8, 8, 1)), 1.0, weights, SQUARE)
    assert found.singlet.status == found.triplet.status == "not_attractive"
    assert found.leading is None


def test_leading_gap_is_the_larger_of_both_channels():
    nothing = PairingChannel("singlet", "not_attractive", ())
    _, found = pair(one_band(16, -0.6, 0.2), 0.8)
    assert found.triplet.gaps
    assert Pairing(nothing, found.triplet, 1.0).leading == ("triplet", found.triplet.gaps[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"chi": np.ones((4, 4, 1))},
            r"chi: expected the mesh of the weights, .* found \(4, 4, 1\) beside \(8, 8, 1\)",
        ),
        ({"chi": np.full((8, 8, 1), np.inf)}, "chi: expected finite numbers, found others"),
        ({"chi": np.arange(64.0).reshape(8, 8, 1)}, "chi: expected a function equal at q and -q"),
        ({"weights": np.zeros((8, 8, 1))}, "expected states at the Fermi energy, found none"),
        ({"stoner": 0.0}, "stoner_ev: expected a positive number of eV, found 0.0"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, message):
    given = {"chi": np.ones((8, 8, 1)), "stoner": 1.0, "weights": np.ones((8, 8, 1))} | change
    with pytest.raises(ValueError, match=message):
        solve_pairing(given["chi"], given["stoner"], given["weights"], SQUARE)


def test_mesh_that_breaks_the_symmetry_is_refused():
    with pytest.raises(ValueError, match="expected one that the rotations of the crystal map onto itself"):
        solve_pairing(np.ones((8, 6, 1)), 1.0, np.ones((8, 6, 1)), SQUARE)


@pytest.mark.parametrize("smearing", [0.0, float("nan")])
def test_delta_function_needs_a_width(smearing):
    with pytest.raises(ValueError, match="smearing_ev: expected a positive number"):
        fermi_surface_weights(one_band(4, 0.0, 0.0), 0.0, smearing_ev=smearing)
