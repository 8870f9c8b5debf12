import numpy as np
import pytest
from fakes.double_sums import exact_kernel

from hightc.analysis.orbital_susceptibility import density_susceptibility, orbital_susceptibility
from hightc.analysis.susceptibility import band_susceptibilities, bare_susceptibility
from hightc.eliashberg.constants import KB_MEV_PER_K

FERMI_EV = 1.3
TEMPERATURE_K = 700.0
KT_EV = TEMPERATURE_K * KB_MEV_PER_K / 1e3
AGREEMENT = 2e-11  # 1e-11 of each pair, and rounding


def random_hamiltonian(mesh=(3, 4, 2), orbitals=3, seed=0):
    """Hermitian at each k, complex, without any symmetry."""
    real, imaginary = np.random.default_rng(seed).normal(size=(2, *mesh, orbitals, orbitals))
    matrix = real + 1j * imaginary
    return FERMI_EV * np.eye(orbitals) + matrix + np.swapaxes(matrix, -1, -2).conj()


def double_sum(hamiltonian):
    """Graser et al. 2009 term by term, with eigenvectors a[orbital, band]."""
    mesh, n = hamiltonian.shape[:3], hamiltonian.shape[-1]
    energies, vectors = np.linalg.eigh(hamiltonian)
    reduced = (energies - FERMI_EV) / KT_EV
    chi = np.zeros((*mesh, n, n, n, n), dtype=complex)
    for q in np.ndindex(mesh):
        for k in np.ndindex(mesh):
            there = tuple((a + b) % size for a, b, size in zip(k, q, mesh, strict=True))
            kernel = exact_kernel(reduced[k][:, None], reduced[there][None, :]) / KT_EV
            here, beyond = vectors[k], vectors[there]
            chi[q] += np.einsum("du,bu,av,cv,uv->abcd", here, here.conj(), beyond, beyond.conj(), kernel)
    return chi / np.prod(mesh)


def matrix_of_pairs(chi):
    n = chi.shape[-1]
    return chi.reshape(*chi.shape[:3], n * n, n * n)


@pytest.fixture(scope="module")
def hamiltonian():
    return random_hamiltonian()


@pytest.fixture(scope="module")
def tensor(hamiltonian):
    return orbital_susceptibility(hamiltonian, FERMI_EV, temperature_k=TEMPERATURE_K)


def test_tensor_agrees_with_the_double_sum_over_eigenvectors(hamiltonian, tensor):
    exact = double_sum(hamiltonian)
    assert tensor.shape == exact.shape
    assert np.abs(tensor - exact).max() < AGREEMENT * np.abs(exact).max()


def test_densities_of_orbitals_are_a_part_of_the_tensor(hamiltonian, tensor):
    densities = density_susceptibility(hamiltonian, FERMI_EV, temperature_k=TEMPERATURE_K)
    part = np.einsum("...aabb->...ab", tensor)
    assert np.abs(densities - part).max() < 1e-13 * np.abs(part).max()


def test_matrix_elements_of_one_leave_the_bare_susceptibility(hamiltonian, tensor):
    bands = np.linalg.eigvalsh(hamiltonian)
    bare = bare_susceptibility(bands, FERMI_EV, temperature_k=TEMPERATURE_K)
    # trace of f(H) exp(uH) at k times trace of [1 - f(H)] exp(-uH) at k+q
    assert np.abs(np.einsum("...abab->...", tensor) - bare).max() < 1e-13 * bare.max()


def test_tensor_is_a_positive_hermitian_matrix_of_pairs(tensor):
    matrix = matrix_of_pairs(tensor)
    assert np.abs(matrix - np.swapaxes(matrix, -1, -2).conj()).max() == 0
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_total_density_at_long_waves_counts_intraband_pairs_only(hamiltonian):
    # <nk|mk> = delta: at q = 0 chi is the mean of -f'
    densities = density_susceptibility(hamiltonian, FERMI_EV, temperature_k=TEMPERATURE_K)
    x = (np.linalg.eigvalsh(hamiltonian) - FERMI_EV) / KT_EV
    exact = exact_kernel(x, x).sum(axis=-1).mean() / KT_EV
    assert densities[0, 0, 0].sum() == pytest.approx(exact, rel=AGREEMENT)


def test_diagonal_hamiltonian_has_the_susceptibilities_of_its_bands():
    bands = FERMI_EV + np.random.default_rng(3).normal(size=(3, 4, 2, 2))
    found = orbital_susceptibility(bands[..., None] * np.eye(2), FERMI_EV, temperature_k=TEMPERATURE_K)
    exact = band_susceptibilities(bands, FERMI_EV, temperature_k=TEMPERATURE_K)
    # only a_mu^l4 a_mu^l2* with l2 = l4 at k and l1 = l3 at k+q survive
    assert np.einsum("...baba->...ab", found) == pytest.approx(exact.astype(complex), rel=1e-12)
    assert np.abs(found[..., 0, 1, 1, 0]).max() < 1e-14


def test_one_orbital_is_one_band():
    found = density_susceptibility(random_hamiltonian(orbitals=1), FERMI_EV, temperature_k=TEMPERATURE_K)
    bands = random_hamiltonian(orbitals=1)[..., 0].real
    exact = bare_susceptibility(bands, FERMI_EV, temperature_k=TEMPERATURE_K)
    assert found[..., 0, 0] == pytest.approx(exact + 0j, rel=1e-12)


def test_rotated_orbitals_rotate_the_tensor(hamiltonian, tensor):
    rotation = np.linalg.qr(random_hamiltonian((1, 1, 1), seed=5)[0, 0, 0])[0]
    rotated = np.einsum("ai,...ij,bj->...ab", rotation, hamiltonian, rotation.conj())
    found = orbital_susceptibility(rotated, FERMI_EV, temperature_k=TEMPERATURE_K)
    u, v = rotation, rotation.conj()
    # l1 and l4 turn with H's first index, l2 and l3 with its second
    exact = np.einsum("ai,bj,ck,dl,...ijkl->...abcd", u, v, v, u, tensor)
    assert np.abs(found - exact).max() < 1e-12 * np.abs(exact).max()


def test_degenerate_bands_need_no_chosen_eigenvectors():
    single = random_hamiltonian(orbitals=2)
    doubled = np.kron(single, np.eye(2))
    found = orbital_susceptibility(doubled, FERMI_EV, temperature_k=TEMPERATURE_K)[..., ::2, ::2, ::2, ::2]
    exact = orbital_susceptibility(single, FERMI_EV, temperature_k=TEMPERATURE_K)
    assert np.abs(found - exact).max() < 1e-12 * np.abs(exact).max()


@pytest.mark.parametrize("compute", [density_susceptibility, orbital_susceptibility])
def test_hamiltonian_that_is_not_hermitian_is_refused(compute):
    hamiltonian = random_hamiltonian()
    hamiltonian[1, 2, 0, 0, 2] += 0.1
    with pytest.raises(ValueError, match=r"found \|H - H\+\| = 1.0e-01 eV at \(1, 2, 0, 0, 2\)"):
        compute(hamiltonian, FERMI_EV, temperature_k=TEMPERATURE_K)


def test_missing_element_is_named():
    hamiltonian = random_hamiltonian()
    hamiltonian[1, 2, 0, 1, 2] = np.nan
    with pytest.raises(ValueError, match=r"at \(1, 2, 0, 1, 2\): fill the whole mesh"):
        density_susceptibility(hamiltonian, FERMI_EV, temperature_k=TEMPERATURE_K)


@pytest.mark.parametrize("shape", [(2, 2, 2, 3), (2, 2, 2, 3, 2), (2, 2, 2, 0, 0)])
def test_array_that_is_not_a_hamiltonian_on_a_mesh_is_refused(shape):
    with pytest.raises(ValueError, match=r"hamiltonian_ev: expected shape \(nk1, nk2, nk3, orbitals, orbitals\)"):
        density_susceptibility(np.ones(shape), FERMI_EV, temperature_k=TEMPERATURE_K)


def test_temperature_and_fermi_energy_are_checked_as_for_bands(hamiltonian):
    with pytest.raises(ValueError, match="temperature_k: expected more than 0 K"):
        density_susceptibility(hamiltonian, FERMI_EV, temperature_k=0)
    with pytest.raises(ValueError, match="no state there"):
        density_susceptibility(hamiltonian, 1e3, temperature_k=TEMPERATURE_K)
    with pytest.raises(ValueError, match="fermi_ev: expected a finite energy"):
        density_susceptibility(hamiltonian, np.nan, temperature_k=TEMPERATURE_K)
