"""Dynamical matrices and coupling of ph.x."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import (
    IncompleteOutputError,
    InconsistentOutputError,
    MissingOutputError,
    ParseError,
    UnreadableNumberError,
)
from hightc.analysis.parsers.ph import (
    read_coupling_file,
    read_dynamical_matrices,
    read_dynamical_matrix,
    read_elph,
    read_q_list,
)
from hightc.analysis.parsers.units import PER_CM_MEV, RYDBERG_EV

QE = Path(__file__).parents[2] / "data" / "qe"
AL = QE / "al_linear_response"


@pytest.fixture
def copy(tmp_path):
    """A writable copy of the aluminium run."""
    shutil.copytree(AL, tmp_path / "al")
    return tmp_path / "al"


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_q_points_and_frequencies_are_those_of_the_files():
    points = read_dynamical_matrices(AL, "al.dyn")
    assert [point.index for point in points] == [1, 2, 3]
    assert [point.star_size for point in points] == [1, 4, 3]
    assert all(point.q_mesh == (2, 2, 2) for point in points)
    np.testing.assert_allclose(points[1].q_cartesian, [0.5, -0.5, 0.5])
    # al.dyn2 prints 146.269349 and 314.904310 cm^-1 beside the THz that are read; 1e-6 relative: the last digit
    np.testing.assert_allclose(points[1].frequencies_mev / PER_CM_MEV, [146.269349, 146.269349, 314.904310], rtol=1e-6)


def test_fractional_q_points_are_multiples_of_the_mesh():
    for case, name in (("al_linear_response", "al.dyn"), ("al_bcc", "al.dyn"), ("mgb2", "mgb2.dyn")):
        for point in read_dynamical_matrices(QE / case, name):
            scaled = point.q_fractional * point.q_mesh
            # 1e-8: nine printed decimals of q times a mesh of 2
            np.testing.assert_allclose(scaled, np.round(scaled), atol=1e-8)


@pytest.mark.parametrize(
    ("case", "name"), [("al_linear_response", "al.dyn"), ("al_bcc", "al.dyn"), ("mgb2", "mgb2.dyn")]
)
def test_weights_of_the_stars_sum_to_one(case, name):
    assert sum(point.weight for point in read_dynamical_matrices(QE / case, name)) == pytest.approx(1, abs=1e-15)


def test_imaginary_mode_is_negative():
    points = read_dynamical_matrices(QE / "al_bcc", "al.dyn")
    assert points[1].frequencies_mev[0] / PER_CM_MEV == pytest.approx(-109.726546, rel=1e-6)


def test_only_gamma_is_gamma():
    assert [point.is_gamma for point in read_dynamical_matrices(AL, "al.dyn")] == [True, False, False]


def test_listed_lattice_gives_the_same_fractional_q_as_the_tabulated():
    listed = read_dynamical_matrices(QE / "al_ibrav0", "al.dyn")
    for one, other in zip(listed, read_dynamical_matrices(AL, "al.dyn"), strict=True):
        np.testing.assert_allclose(one.q_fractional, other.q_fractional, atol=1e-8)


def test_insulator_with_effective_charges_is_read():
    (point,) = read_dynamical_matrices(QE / "si_dielectric", "si.dyn")
    assert len(point.frequencies_mev) == 6
    assert point.frequencies_mev[-1] / PER_CM_MEV == pytest.approx(530.629952, rel=1e-6)


def test_missing_matrix_is_named(copy):
    (copy / "al.dyn3").unlink()
    with pytest.raises(MissingOutputError, match=r"al.dyn3: expected a file"):
        read_dynamical_matrices(copy, "al.dyn")


def test_matrix_of_another_mesh_is_refused(copy):
    shutil.copy(copy / "al.dyn2", copy / "al.dyn3")
    with pytest.raises(InconsistentOutputError, match=r"as listed in al\.dyn0"):
        read_dynamical_matrices(copy, "al.dyn")


def test_stars_that_do_not_fill_the_mesh_are_refused(copy):
    replace_in(copy / "al.dyn0", "   2   2   2", "   2   2   4")
    with pytest.raises(InconsistentOutputError, match="stars of 16 points in all, found 8"):
        read_dynamical_matrices(copy, "al.dyn")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("freq (    2)", "freq (    3)"),
        ("4.385045 [THz]", "******** [THz]"),
        ("q = (    0.500000000  -0.500000000", "q = (    0.500000000"),
        ("Dynamical matrix file", "Something else"),
    ],
)
def test_damaged_matrix_is_a_located_error(copy, old, new):
    replace_in(copy / "al.dyn2", old, new)
    with pytest.raises(ParseError) as caught:
        read_dynamical_matrices(copy, "al.dyn")
    assert caught.value.line is not None


def test_coupling_is_that_of_the_file():
    points = read_elph(AL)
    assert [point.index for point in points] == [1, 2, 3]
    assert points[1].coupling.shape == points[1].gamma_ghz.shape == (10, 3)
    np.testing.assert_allclose(points[1].smearing_ev / RYDBERG_EV, np.arange(1, 11) * 0.005)
    # the third block of elph.inp_lambda.2 as ph.x also printed it in elph.out
    np.testing.assert_array_equal(points[1].coupling[2], [0.0655, 0.0690, 0.0990])
    np.testing.assert_array_equal(points[1].gamma_ghz[2], [2.56, 2.70, 17.92])
    assert points[1].fermi_ev[2] == 8.325586
    assert points[1].dos_per_ev_spin_cell[2] * RYDBERG_EV == pytest.approx(2.127289, rel=1e-12)


@pytest.mark.parametrize(("case", "name"), [("al_linear_response", "al.dyn"), ("mgb2", "mgb2.dyn")])
def test_squared_rydbergs_of_elph_are_the_frequencies_of_the_matrices(case, name):
    for matrix, coupling in zip(read_dynamical_matrices(QE / case, name), read_elph(QE / case), strict=True):
        # 5e-6: six digits of w^2 halve to 2.5e-6 in w, the THz carry 6 decimals; 1e-5 meV for the softest
        np.testing.assert_allclose(coupling.frequencies_mev, matrix.frequencies_mev, rtol=5e-6, atol=1e-5)


def test_linewidth_and_lambda_obey_their_relation():
    """gamma = pi N(0) lambda w^2, N(0) of one spin: Allen, Phys. Rev. B 6, 2577 (1972)."""
    hartree_ghz = 6.579683920502e6
    for point in read_elph(AL)[1:]:
        omega_ha = point.frequencies_mev / (2e3 * RYDBERG_EV)
        dos_per_ha = point.dos_per_ev_spin_cell * 2 * RYDBERG_EV
        gamma = np.pi * dos_per_ha[:, None] * point.coupling * omega_ha**2 * hartree_ghz
        # lambda is printed with 4 decimals: 5e-5 of it; gamma with 2
        slack = np.pi * dos_per_ha[:, None] * 5.1e-5 * omega_ha**2 * hartree_ghz + 0.0051
        assert (np.abs(gamma - point.gamma_ghz) < slack).all()


def test_nine_modes_wrap_their_lines():
    assert [point.frequencies_mev.shape for point in read_elph(QE / "mgb2")] == [(9,), (9,)]


def test_gap_in_the_files_is_an_error(copy):
    (copy / "elph_dir/elph.inp_lambda.2").unlink()
    with pytest.raises(MissingOutputError, match=r"elph\.inp_lambda\.2"):
        read_elph(copy)


def test_no_coupling_at_all_is_an_error(tmp_path):
    with pytest.raises(MissingOutputError, match=r"elph\.inp_lambda\.1"):
        read_elph(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("0.0655", "******", UnreadableNumberError),
        ("    10     3", "    11     3", IncompleteOutputError),
        ("    10     3", "     9     3", ParseError),
        ("lambda(    2)", "lambda(    3)", ParseError),
    ],
)
def test_damaged_coupling_is_a_located_error(copy, old, new, error):
    replace_in(copy / "elph_dir/elph.inp_lambda.2", old, new)
    with pytest.raises(error) as caught:
        read_elph(copy)
    assert caught.value.line is not None


def test_single_files_say_what_the_run_says():
    mesh, q_cartesian = read_q_list(AL / "al.dyn0")
    points = read_dynamical_matrices(AL, "al.dyn")
    assert mesh == points[0].q_mesh
    np.testing.assert_allclose(q_cartesian, [point.q_cartesian for point in points], atol=1e-9)
    for point, coupling in zip(points, read_elph(AL), strict=True):
        single = read_dynamical_matrix(AL / f"al.dyn{point.index}")
        assert (single.index, single.q_mesh, single.weight) == (point.index, point.q_mesh, point.weight)
        assert np.array_equal(single.frequencies_mev, point.frequencies_mev)
        alone = read_coupling_file(AL / "elph_dir" / f"elph.inp_lambda.{point.index}")
        assert alone.index == coupling.index
        assert np.array_equal(alone.coupling, coupling.coupling)


def test_single_matrix_needs_its_list_and_its_number(copy):
    (copy / "al.dyn2").rename(copy / "matrix")
    with pytest.raises(ParseError, match="number of the q point"):
        read_dynamical_matrix(copy / "matrix")
    with pytest.raises(ParseError, match="number of the q point"):
        read_coupling_file(copy / "matrix")
    (copy / "al.dyn0").unlink()
    with pytest.raises(MissingOutputError, match=r"al\.dyn0"):
        read_dynamical_matrix(copy / "al.dyn3")
