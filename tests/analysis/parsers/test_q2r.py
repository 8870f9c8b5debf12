"""Force constants of q2r.x."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.ph import read_dynamical_matrices
from hightc.analysis.parsers.q2r import read_force_constants

QE = Path(__file__).parents[2] / "data" / "qe"


def test_metal_has_no_dielectric_tensor():
    constants = read_force_constants(QE / "al_linear_response/al.fc")
    assert constants.mesh == (2, 2, 2)
    assert constants.array_ry_per_bohr2.shape == (2, 2, 2, 1, 1, 3, 3)
    assert constants.species == ("Al",)
    assert constants.masses_amu == pytest.approx((26.98,), rel=1e-6)
    assert constants.dielectric is None
    assert constants.born_charges is None
    assert constants.alat_bohr == 7.5


def test_insulator_has_its_dielectric_tensor_and_neutral_charges():
    constants = read_force_constants(QE / "si_dielectric/si.fc")
    np.testing.assert_allclose(constants.dielectric, np.eye(3) * 22.904757249922, atol=1e-11)
    assert constants.born_charges.shape == (2, 3, 3)
    # zasr='simple' makes the charges of the cell sum to zero; seven printed decimals
    np.testing.assert_allclose(constants.born_charges.sum(axis=0), 0, atol=2e-7)
    np.testing.assert_allclose(constants.positions_alat[1], [-0.25, 0.25, 0.25])


def test_axes_are_lattice_vectors_then_atoms_then_directions():
    array = read_force_constants(QE / "al_linear_response/al.fc").array_ry_per_bohr2
    # the second line of the first block: '2 1 1 -2.77192712500E-02', the first index running fastest
    assert array[1, 0, 0, 0, 0, 0, 0] == -2.77192712500e-02
    assert array[0, 1, 0, 0, 0, 0, 0] == 6.92029125e-03
    # of block 1 2 1 1, line '2 2 1 -2.64681900000E-02'
    assert array[1, 1, 0, 0, 0, 0, 1] == -2.646819e-02


@pytest.mark.parametrize(("file", "case"), [("al.fc", "al_linear_response"), ("al.fc", "al_ibrav0")])
def test_fourier_sum_at_gamma_is_the_dynamical_matrix_of_ph(file, case):
    constants = read_force_constants(QE / case / file)
    summed = constants.array_ry_per_bohr2.sum(axis=(0, 1, 2))[0, 0]
    text = (QE / case / "al.dyn1").read_text().split("q = (")[1].splitlines()
    rows = [line.split() for line in text[3:6]]
    # eight printed decimals on one side, eleven digits on the other
    np.testing.assert_allclose(summed, [[float(row[column]) for column in (0, 2, 4)] for row in rows], atol=1e-8)


def test_force_constants_obey_their_permutation_symmetry():
    """C(R, a i, b j) = C(-R, b j, a i): Newton's third law."""
    for case, name in (("al_linear_response", "al.fc"), ("si_dielectric", "si.fc")):
        array = read_force_constants(QE / case / name).array_ry_per_bohr2
        for cell in product(*(range(n) for n in array.shape[:3])):
            mirrored = tuple(-index % n for index, n in zip(cell, array.shape[:3], strict=True))
            np.testing.assert_allclose(array[cell], array[mirrored].transpose(1, 0, 3, 2), atol=1e-8)


def test_force_constants_reproduce_the_frequencies_of_ph():
    constants = read_force_constants(QE / "al_linear_response/al.fc")
    mass_ry = constants.masses_amu[0] * 911.4442431
    cells = np.array(list(product(range(2), repeat=3)))
    for point in read_dynamical_matrices(QE / "al_linear_response", "al.dyn"):
        phases = np.exp(-2j * np.pi * cells @ point.q_fractional)
        matrix = np.tensordot(phases, constants.array_ry_per_bohr2.reshape(8, 3, 3), axes=1)
        squared = np.linalg.eigvalsh(matrix / mass_ry)
        # 1e-5 relative: eight printed decimals of the matrices; 1e-2 meV of the acoustic modes at Gamma
        omega_mev = np.sign(squared) * np.sqrt(np.abs(squared)) * 13605.693122994
        np.testing.assert_allclose(omega_mev, point.frequencies_mev, rtol=1e-5, atol=1e-2)


def test_listed_lattice_is_read():
    listed = read_force_constants(QE / "al_ibrav0/al.fc")
    tabulated = read_force_constants(QE / "al_linear_response/al.fc")
    np.testing.assert_allclose(listed.lattice_alat, tabulated.lattice_alat, atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (" F\n   2   2   2", " F\n   2   2   3", ParseError),
        (" F\n", " X\n", ParseError),
        ("   1   2   1   1\n", "   2   1   1   1\n", ParseError),
        ("-2.77192712500E-02", "******************", ParseError),
        ("   2   1   1  -2.77192712500E-02", "   1   2   1  -2.77192712500E-02", ParseError),
        ("   2   1   1  -2.77192712500E-02", "   2   1   1", ParseError),
    ],
)
def test_damaged_force_constants_are_a_located_error(tmp_path, old, new, error):
    text = (QE / "al_linear_response/al.fc").read_text()
    assert old in text
    path = tmp_path / "al.fc"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(error) as caught:
        read_force_constants(path)
    assert caught.value.line is not None


def test_lines_after_the_last_block_are_an_error(tmp_path):
    path = tmp_path / "al.fc"
    path.write_text((QE / "al_linear_response/al.fc").read_text() + "   1   1   1   1\n")
    with pytest.raises(ParseError, match="the end after the last block"):
        read_force_constants(path)


def test_lost_last_line_is_an_incomplete_file(tmp_path):
    lines = (QE / "al_linear_response/al.fc").read_text().splitlines(keepends=True)
    path = tmp_path / "al.fc"
    path.write_text("".join(lines[:-1]))
    with pytest.raises(IncompleteOutputError):
        read_force_constants(path)
