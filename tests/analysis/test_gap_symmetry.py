"""Names of gap functions."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.gap_symmetry import gap_characters, gap_symmetry
from hightc.analysis.reciprocal_symmetry import mesh_permutations, point_group, reciprocal_vectors

N = 8
TETRAGONAL = Structure(Lattice.tetragonal(3.0, 4.0), ["In"], [[0, 0, 0]])
CUBIC = Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]])
FCC = Structure(Lattice(2.0 * (np.ones((3, 3)) - np.eye(3))), ["Al"], [[0, 0, 0]])
HEXAGONAL = Structure(Lattice.hexagonal(3.0, 5.0), ["Mg", "Mg"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])


def waves(structure, *functions):
    """Periodic functions that behave as polynomials do: sums over short lattice vectors r of f(r) exp(ikr)."""
    steps = np.array(list(np.ndindex(5, 5, 5))) - 2
    vectors = steps @ structure.lattice.matrix
    length = np.linalg.norm(vectors, axis=1)
    k = np.stack(np.meshgrid(*3 * [np.arange(N) / N], indexing="ij"), axis=-1)
    # falls off with the length, the same for all of a star; those cut by the box are too long to matter
    damping = np.exp(-2 * (length / length[length > 0].min()) ** 2)
    phase = np.exp(2j * np.pi * k @ steps.T) * damping
    sums = [phase @ function(*vectors.T).astype(complex) for function in functions]
    return np.array([total.real if abs(total.real).max() > abs(total.imag).max() else total.imag for total in sums])


def name(structure, *functions):
    rotations = point_group(structure)
    gap = waves(structure, *functions)
    return gap_symmetry(gap, np.ones(gap.shape[1:]), structure, rotations, mesh_permutations((N, N, N), rotations))


def x(x, y, z):
    return x


def y(x, y, z):
    return y


def z(x, y, z):
    return z


def x2y2(x, y, z):
    return x**2 - y**2


def xy(x, y, z):
    return x * y


def xz(x, y, z):
    return x * z


def yz(x, y, z):
    return y * z


def z2(x, y, z):
    return 2 * z**2 - x**2 - y**2


def xyz(x, y, z):
    return x * y * z


def zx2y2(x, y, z):
    return z * (x**2 - y**2)


def xy2z2(x, y, z):
    return zx2y2(y, z, x)


def yz2x2(x, y, z):
    return zx2y2(z, x, y)


def hexagonal_f(x, y, z):
    return x * (x**2 - 3 * y**2)


def g(x, y, z):
    return x * y * (x**2 - y**2)


@pytest.mark.parametrize(
    ("structure", "functions", "expected", "harmonics"),
    [
        (TETRAGONAL, (x2y2,), "d", ("x2-y2",)),
        (TETRAGONAL, (xy,), "d", ("xy",)),
        (TETRAGONAL, (xz, yz), "d", ("xz", "yz")),
        (TETRAGONAL, (x, y), "p", ("x", "y")),
        (TETRAGONAL, (z,), "p", ("z",)),
        (TETRAGONAL, (xyz,), "f", ("xyz",)),
        (TETRAGONAL, (g,), "g", ("xy(x2-y2)",)),
        (CUBIC, (x2y2, z2), "d", ("x2-y2", "z2")),
        (CUBIC, (xy, xz, yz), "d", ("xy", "xz", "yz")),
        (FCC, (xy, xz, yz), "d", ("xy", "xz", "yz")),
        (FCC, (x, y, z), "p", ("x", "y", "z")),
        (FCC, (xyz,), "f", ("xyz",)),
        (CUBIC, (zx2y2, xy2z2, yz2x2), "f", ("z(x2-y2)", "x(y2-z2)", "y(z2-x2)")),
        (HEXAGONAL, (x2y2, xy), "d", ("x2-y2", "xy")),
        (HEXAGONAL, (x, y), "p", ("x", "y")),
        (HEXAGONAL, (hexagonal_f,), "f", None),
    ],
)
def test_harmonics_are_recognised(structure, functions, expected, harmonics):
    found = name(structure, *functions)
    assert found.reason is None
    assert found.name == expected
    assert found.degeneracy == len(functions)
    if harmonics:
        assert found.harmonics == harmonics


def test_gap_of_one_sign_is_s_and_of_two_signs_is_extended():
    rotations = point_group(TETRAGONAL)
    order = mesh_permutations((N, N, N), rotations)
    wave = np.cos(2 * np.pi * np.arange(N) / N)
    shape = wave[:, None, None] + wave[None, :, None] + 0 * wave
    weights = np.ones((N, N, N))
    one = gap_symmetry((shape + 3)[None], weights, TETRAGONAL, rotations, order)
    assert (one.name, one.negative_share) == ("s", 0.0)
    two = gap_symmetry(shape[None], weights, TETRAGONAL, rotations, order)
    assert two.name == "s+-"
    assert two.harmonics == ("1",)
    assert two.negative_share == pytest.approx(0.5)


def test_sign_far_from_the_fermi_surface_does_not_count():
    rotations = point_group(TETRAGONAL)
    wave = np.cos(2 * np.pi * np.arange(N) / N)
    shape = wave[:, None, None] + wave[None, :, None] + 0 * wave
    found = gap_symmetry(
        shape[None], (shape > 0.1).astype(float), TETRAGONAL, rotations, mesh_permutations((N, N, N), rotations)
    )
    assert found.name == "s"


def test_characters_of_a_vector_are_traces_of_the_rotations():
    rotations = point_group(FCC)
    gap = waves(FCC, x, y, z)
    characters = gap_characters(gap, np.ones(gap.shape[1:]), mesh_permutations((N, N, N), rotations))
    # the trace does not depend on the basis: those of the integer matrices; stars that the box of lattice vectors cuts
    # are damped to 1e-4 of the gap
    assert characters == pytest.approx(np.trace(rotations, axis1=1, axis2=2), abs=1e-8)


def test_accidental_degeneracy_has_a_reason_and_no_name():
    found = name(TETRAGONAL, x2y2, xy, z2)
    assert found.name is None
    assert "gaps agree by accident" in (found.reason or "")


def test_trivial_group_calls_everything_even_s():
    identity = np.array([np.eye(3), -np.eye(3)], dtype=np.int64)
    gap = waves(TETRAGONAL, x2y2)
    found = gap_symmetry(gap, np.ones((N, N, N)), TETRAGONAL, identity, mesh_permutations((N, N, N), identity))
    assert found.name == "s+-"


def test_harmonic_above_the_table_is_not_named():
    # A2g of the cube begins with l = 6
    def sixth(x, y, z):
        return (x**2 - y**2) * (y**2 - z**2) * (z**2 - x**2)

    found = name(CUBIC, sixth)
    assert found.name is None
    assert found.reason == "no harmonic up to g transforms alike"


def test_reciprocal_axes_do_not_matter():
    # the same crystal in another primitive cell
    other = Structure(Lattice([[1, 1, 0], [0, 1, 0], [0, 0, 1]] @ CUBIC.lattice.matrix), ["Po"], [[0, 0, 0]])
    assert reciprocal_vectors(other) != pytest.approx(reciprocal_vectors(CUBIC))
    assert name(other, x2y2, z2).harmonics == ("x2-y2", "z2")
