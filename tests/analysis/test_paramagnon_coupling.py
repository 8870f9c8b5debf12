"""The coupling of electrons to fluctuations of the spin."""

import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.nesting import nesting_function
from hightc.analysis.paramagnon_coupling import coupling_of_electron_gas, coupling_on_fermi_surface
from hightc.analysis.reciprocal_symmetry import lengths, reciprocal_vectors
from hightc.analysis.rpa import rpa_susceptibility
from hightc.analysis.susceptibility import bare_susceptibility

CUBIC = Structure(Lattice.cubic(2 * np.pi), ["Po"], [[0, 0, 0]])
FERMI_WAVE_VECTOR = 0.23  # in reciprocal lattice vectors: no q on the sphere reaches the next cell


def sphere(n):
    """|k| on a mesh, its nesting function as a gas of electrons e = k^2, and their number of states at E_F."""
    mesh = np.stack(np.meshgrid(*3 * [np.arange(n) / n], indexing="ij"), axis=-1)
    k = lengths(mesh, reciprocal_vectors(CUBIC))
    nesting = nesting_function((k**2)[..., None], FERMI_WAVE_VECTOR**2, smearing_ev=FERMI_WAVE_VECTOR / n)
    return k, nesting, math.sqrt(float(nesting.mean()))


def cubic_bands(n):
    x, y, z = (np.cos(2 * np.pi * np.arange(n) / n),) * 3
    return -(x[:, None, None] + y[None, :, None] + z[None, None, :])[..., None] + 0.4


def test_local_susceptibility_couples_by_its_value():
    bands = cubic_bands(8)
    nesting = nesting_function(bands, 0.0, smearing_ev=0.3)
    dos = math.sqrt(float(nesting.mean()))
    chi0 = np.full(nesting.shape, 0.3)
    found = coupling_on_fermi_surface(nesting, chi0, 1.5)
    chi = 0.3 / (1 - 0.45)
    assert found.lambda_high == pytest.approx(1.5 * 1.5**2 * chi * dos)
    assert found.lambda_low == pytest.approx(1.5 * 1.5**2 * (chi - 0.3) * dos)


def test_average_is_the_double_sum_over_the_fermi_surface():
    bands = cubic_bands(6)
    weights = np.exp(-((bands[..., 0] / 0.4) ** 2) / 2) / (0.4 * math.sqrt(2 * math.pi))
    chi0 = bare_susceptibility(bands, 0.0, temperature_k=3000.0)
    stoner = 0.8 / float(chi0.max())
    chi = rpa_susceptibility(chi0, stoner, CUBIC).chi_per_ev_spin_cell
    points = np.array(list(np.ndindex(6, 6, 6)))
    difference = (points[:, None] - points[None]) % 6
    w = weights.ravel()
    expected = 1.5 * stoner**2 * w @ chi[tuple(np.moveaxis(difference, -1, 0))] @ w / len(w) / w.sum()
    found = coupling_on_fermi_surface(nesting_function(bands, 0.0, smearing_ev=0.4), chi0, stoner)
    assert found.lambda_high == pytest.approx(expected)


def test_sphere_has_the_coupling_of_the_electron_gas():
    k, nesting, dos = sphere(32)
    product = 0.8
    chi0 = dos * (1 - np.minimum(k / FERMI_WAVE_VECTOR, 2.0) ** 2 / 12)
    on_surface = coupling_on_fermi_surface(nesting, chi0, product / dos)
    gas = coupling_of_electron_gas(dos, product / dos, cutoffs=(2.0,))
    assert gas.lambda_high == pytest.approx(4.5 * (math.log(1 + 0.8 / 0.2 / 3) - 0.8 / 3))
    # the shell is half a step thick, 0.07 of its radius: second order, for each of two points
    assert on_surface.lambda_high == pytest.approx(gas.lambda_high, rel=0.01)
    assert on_surface.lambda_low == pytest.approx(gas.lambda_low, rel=0.01)


def test_width_on_a_sphere_is_that_of_the_lindhard_function():
    k, nesting, dos = sphere(32)
    product = 0.8
    chi0 = dos * (1 - np.minimum(k / FERMI_WAVE_VECTOR, 2.0) ** 2 / 12)
    found = coupling_on_fermi_surface(nesting, chi0, product / dos)
    # N(q) = N/(2 q v), v = 2 k_F: G(q) = 2 q v (1 - q^2/12)(1 - I chi0)/pi, averaged with q chi(q) over the sphere
    p = np.linspace(0, 2, 4001)[1:]
    shape = 1 - p**2 / 12
    share = p * shape / (1 - product * shape)
    width = 4 * p * FERMI_WAVE_VECTOR**2 * shape * (1 - product * shape) / math.pi
    expected = 1000 * math.exp(np.average(np.log(width), weights=share))
    full = found.choices[0]
    # below the thickness of the shell, 0.07 of its radius, N(q) no longer grows as 1/q: first order
    assert full.width_mev == pytest.approx(expected, rel=0.07)
    assert found.width_low_mev <= full.width_mev <= found.width_high_mev


def test_measured_enhancement_widens_the_interval():
    bands = cubic_bands(8)
    nesting = nesting_function(bands, 0.0, smearing_ev=0.3)
    chi0 = bare_susceptibility(bands, 0.0, temperature_k=2000.0)
    stoner = 0.6 / float(chi0.max())
    alone = coupling_on_fermi_surface(nesting, chi0, stoner)
    both = coupling_on_fermi_surface(nesting, chi0, stoner, measured_enhancement=1.2)
    assert len(alone.choices) == 2
    assert len(both.choices) == 4
    assert both.lambda_high == alone.lambda_high
    assert both.lambda_low < alone.lambda_low
    assert both.choices[2].stoner_ev == pytest.approx((1 - 1 / 1.2) / chi0[0, 0, 0])


def test_background_of_other_bands_is_left_out_in_choices_of_its_own():
    bands = cubic_bands(8)
    nesting = nesting_function(bands, 0.0, smearing_ev=0.3)
    chi0 = bare_susceptibility(bands, 0.0, temperature_k=2000.0)
    dos, stoner = float(chi0[0, 0, 0]), 0.6 / float(chi0.max())
    alone = coupling_on_fermi_surface(nesting, chi0, stoner)
    found = coupling_on_fermi_surface(nesting, chi0 + 0.3, stoner, uniform_dos_per_ev_spin_cell=dos)
    assert len(found.choices) == 4
    assert [choice.lambda_sf for choice in found.choices[2:]] == pytest.approx(
        [choice.lambda_sf for choice in alone.choices]
    )
    assert "no interband background" in found.choices[2].name
    assert found.lambda_low == pytest.approx(alone.lambda_low)
    assert found.lambda_high > alone.lambda_high


def test_shared_fermi_surface_lowers_the_low_end_by_the_mean_matrix_element():
    bands = cubic_bands(8)
    nesting = nesting_function(bands, 0.0, smearing_ev=0.3)
    chi0 = bare_susceptibility(bands, 0.0, temperature_k=2000.0)
    stoner = 0.6 / float(chi0.max())
    alone = coupling_on_fermi_surface(nesting, chi0, stoner)
    found = coupling_on_fermi_surface(nesting, chi0, stoner, orbitals=5)
    assert found.lambda_low == pytest.approx(alone.lambda_low / 5)
    assert found.lambda_high == alone.lambda_high
    assert found.choices[-1].name.endswith("matrix elements 1/5")


def test_random_unit_vectors_of_five_orbitals_have_that_mean_overlap():
    vectors = np.random.default_rng(0).standard_normal((2, 20000, 5))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    overlap = (vectors[0] * vectors[1]).sum(axis=-1) ** 2
    # four standard errors
    assert overlap.mean() == pytest.approx(1 / 5, abs=4 * overlap.std() / math.sqrt(20000))


def test_background_larger_than_chi0_gives_no_number():
    chi0 = np.full((2, 2, 2), 0.5)
    chi0[0, 0, 0] = 2.0
    found = coupling_on_fermi_surface(np.ones((2, 2, 2)), chi0, 0.1, uniform_dos_per_ev_spin_cell=1.0)
    assert found.lambda_high is None
    assert found.lambda_low > 0
    assert "larger than chi0 at some q" in (found.reason or "")


def test_coupling_has_no_bound_where_one_choice_orders():
    nesting = np.ones((2, 2, 2))
    found = coupling_on_fermi_surface(nesting, np.full((2, 2, 2), 1.0), 1.1, measured_enhancement=2.0)
    assert found.lambda_high is None
    assert "no bound" in (found.reason or "")
    assert found.lambda_low == pytest.approx(1.5 * 0.25 * 1.0)
    assert [choice.lambda_sf is None for choice in found.choices] == [True, True, False, False]
    alone = coupling_on_fermi_surface(nesting, np.full((2, 2, 2), 1.0), 1.1)
    assert alone.lambda_low is None
    assert alone.width_low_mev is None


def test_gas_orders_at_stoners_criterion():
    found = coupling_of_electron_gas(1.5, 0.7)
    assert found.lambda_low is None
    assert "I N(E_F) = 1.050 is 1 or more" in (found.reason or "")


def test_smaller_cutoffs_and_subtraction_lower_the_coupling():
    found = coupling_of_electron_gas(0.9, 0.7)
    names = {choice.name: choice.lambda_sf for choice in found.choices}
    assert found.lambda_high == names["Stoner I, q < 2 k_F, chi"]
    assert found.lambda_low == names["Stoner I, q < 1 k_F, chi - chi0"]
    assert found.lambda_low > 0


def test_subtraction_leaves_third_order_in_weak_coupling():
    found = coupling_of_electron_gas(1.0, 1e-3, cutoffs=(2.0,))
    full, rest = (choice.lambda_sf for choice in found.choices)
    # (3/2) S^2 <1 - q^2/12>, which is 5/6 on the sphere, and corrections of relative order S
    assert full == pytest.approx(1.5e-6 * 5 / 6, rel=2e-3)
    assert 0 < rest < 2e-3 * full


def test_gas_near_its_instability_has_the_logarithm_of_doniach_and_engelsberg():
    product = 1 - 1e-6
    found = coupling_of_electron_gas(1.0, product, cutoffs=(1.0,))
    leading = 4.5 * math.log(1 + product / (1 - product) / 12)
    # what the logarithm leaves is a constant, (9/2)/12
    assert found.lambda_high == pytest.approx(leading, abs=0.4)
    assert found.lambda_high > 10 * 0.4


def test_gas_width_is_uncertain_by_its_factor():
    found = coupling_of_electron_gas(0.9, 0.7)
    width = 1000 * 0.37 / (math.pi * 0.9)
    assert (found.width_low_mev, found.width_high_mev) == pytest.approx((width / 2, 2 * width))


def test_without_interaction_there_is_no_coupling():
    assert coupling_of_electron_gas(0.9, 0.0).lambda_high == 0
    found = coupling_on_fermi_surface(np.ones((2, 2, 2)), np.ones((2, 2, 2)), 0.0)
    assert (found.lambda_low, found.lambda_high, found.width_low_mev) == (0, 0, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nesting": np.ones((2, 2, 3))}, r"nesting: expected the mesh of chi0, \(2, 2, 2\), found \(2, 2, 3\)"),
        ({"nesting": np.zeros((2, 2, 2))}, "states at the Fermi energy, found none"),
        ({"stoner": -1.0}, "stoner_ev: expected a number of eV, not negative, found -1.0"),
        ({"enhancement": 0.9}, "measured_enhancement: expected at least 1, found 0.9"),
        ({"orbitals": 0}, "orbitals: expected at least 1, found 0"),
    ],
)
def test_bad_surfaces_are_refused(arguments, message):
    given = {"nesting": np.ones((2, 2, 2)), "stoner": 0.1, "enhancement": None, "orbitals": 1} | arguments
    with pytest.raises(ValueError, match=message):
        coupling_on_fermi_surface(
            given["nesting"],
            np.ones((2, 2, 2)),
            given["stoner"],
            measured_enhancement=given["enhancement"],
            orbitals=given["orbitals"],
        )


@pytest.mark.parametrize(
    ("dos", "cutoffs", "message"),
    [
        (0.0, (1.0,), "dos_per_ev_spin_cell: expected a positive number, found 0.0"),
        (1.0, (2.5,), r"cutoffs: expected numbers above 0 and at most 2, found \(2.5,\)"),
        (1.0, (), r"cutoffs: expected numbers above 0"),
    ],
)
def test_bad_gases_are_refused(dos, cutoffs, message):
    with pytest.raises(ValueError, match=message):
        coupling_of_electron_gas(dos, 0.5, cutoffs=cutoffs)
