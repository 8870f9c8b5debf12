from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.epw_output import read_epw_output
from hightc.analysis.parsers.epw_wannier import read_crystal, read_decay
from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.units import RYDBERG_EV

PB = Path(__file__).parents[2] / "data" / "epw" / "pb"


def test_crystal_of_lead():
    crystal = read_crystal(PB / "crystal.fmt")
    assert crystal.volume_angstrom3 == pytest.approx(np.linalg.det(crystal.lattice_angstrom), rel=1e-9)
    assert crystal.species == (1,)
    assert crystal.masses_amu == pytest.approx((207.2,), rel=1e-6)
    assert (crystal.n_modes, crystal.n_electrons, crystal.noncollinear) == (3, 14, False)
    assert crystal.positions_angstrom.tolist() == [[0, 0, 0]]


def test_centres_are_those_that_epw_prints():
    # five decimals of alat = 4.88 Angstrom
    printed = read_epw_output(PB / "epw1.out").wannier_centres_angstrom
    assert read_crystal(PB / "crystal.fmt").wannier_centres_angstrom == pytest.approx(printed, abs=3e-5)


@pytest.mark.parametrize(("line", "expected"), [(2, "3 modes"), (8, "3 columns"), (11, "T or F"), (12, "three coord")])
def test_wrong_record_of_a_crystal_is_located(tmp_path, line, expected):
    lines = (PB / "crystal.fmt").read_text().splitlines()
    lines[line - 1] = "4 5"[: 1 if line == 2 else 3]
    path = tmp_path / "crystal.fmt"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ParseError, match=rf"crystal\.fmt line {line}: expected {expected}"):
        read_crystal(path)


def test_hamiltonian_and_dynamical_matrix_decay():
    hamiltonian, matrix = read_decay(PB / "decay.H"), read_decay(PB / "decay.dynmat")
    assert (hamiltonian.unit, matrix.unit) == ("eV", "Ry")
    for decay in (hamiltonian, matrix):
        largest = int(decay.magnitude.argmax())
        assert decay.distance_angstrom[largest] == 0
    assert matrix.magnitude.max() == 0.03714361875
    assert read_decay(PB / "decay.H").magnitude[0] == pytest.approx(1.0901840552812860e-3 * RYDBERG_EV)


@pytest.mark.parametrize("rows", [0, 1, 2, 9, 18])
def test_cut_decay_is_refused(tmp_path, rows):
    path = tmp_path / "decay.dynmat"
    path.write_text("".join((PB / "decay.dynmat").read_text().splitlines(keepends=True)[: 2 + rows]))
    with pytest.raises(IncompleteOutputError):
        read_decay(path)


@pytest.mark.parametrize(
    ("title", "unit"),
    [
        ("#   R_p [Ang]    max_{m,n,nu} |g(m, n, nu, :, R_p)| [Ry] \n", "Ry"),
        ("# Spatial decay of dipole in Wannier basis\n", None),
    ],
)
def test_titles_of_the_other_decays(tmp_path, title, unit):
    # the titles of decay.epmatp and decay.P of EPW 5.3.1 above the rows of decay.dynmat
    path = tmp_path / "decay.P"
    path.write_text(title + "".join((PB / "decay.dynmat").read_text().splitlines(keepends=True)[2:]))
    decay = read_decay(path)
    assert decay.unit == unit
    assert np.array_equal(decay.magnitude, read_decay(PB / "decay.dynmat").magnitude)


def test_decay_without_title_is_refused(tmp_path):
    path = tmp_path / "decay.H"
    path.write_text("1.0 2.0\n")
    with pytest.raises(ParseError, match="line 1: expected a title"):
        read_decay(path)
