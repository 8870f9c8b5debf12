"""Spectra, couplings, densities of states and frequencies of matdyn.x."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import (
    IncompleteOutputError,
    InconsistentOutputError,
    ParseError,
    UnreadableNumberError,
)
from hightc.analysis.parsers.matdyn import read_a2f_dos, read_frequencies, read_lambda, read_phonon_dos
from hightc.analysis.parsers.ph import read_elph
from hightc.analysis.parsers.units import KELVIN_MEV, PER_CM_MEV, RYDBERG_EV, RYDBERG_MEV

QE = Path(__file__).parents[2] / "data" / "qe"
SPECTRA = ["al_linear_response/a2F.dos1", "pb_linear_response/a2F.dos6", "mgb2/a2F.dos5", "al_bcc/a2F.dos5"]


def damage(tmp_path, file, old, new):
    text = (QE / file).read_text()
    assert old in text
    path = tmp_path / Path(file).name
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize("file", SPECTRA[:3])
def test_printed_lambda_is_the_sum_over_the_rows(file):
    spectrum = read_a2f_dos(QE / file)
    step = spectrum.omega_mev[1] - spectrum.omega_mev[0]
    # matdyn.x sums rectangles; 2e-5: six digits of each row and of the frequency step
    assert 2 * step * (spectrum.alpha2f / spectrum.omega_mev).sum() == pytest.approx(spectrum.lambda_printed, rel=2e-5)


@pytest.mark.parametrize("file", SPECTRA)
def test_modes_sum_to_the_total(file):
    spectrum = read_a2f_dos(QE / file)
    assert spectrum.alpha2f_modes.shape[1] == len(spectrum.omega_mev)
    # 0.1xxxxx has six digits: each column is rounded by at most 5e-6 of itself
    slack = 5.1e-6 * (np.abs(spectrum.alpha2f) + np.abs(spectrum.alpha2f_modes).sum(axis=0))
    assert (np.abs(spectrum.alpha2f_modes.sum(axis=0) - spectrum.alpha2f) <= slack).all()


def test_frequencies_of_the_spectrum_reach_the_highest_phonon():
    spectrum = read_a2f_dos(QE / "al_linear_response/a2F.dos1")
    highest = read_frequencies(QE / "al_linear_response/al.freq").frequencies_mev.max()
    step = spectrum.omega_mev[1] - spectrum.omega_mev[0]
    assert spectrum.omega_mev[-1] == pytest.approx(highest, abs=step)
    assert spectrum.alpha2f_modes.shape == (3, 200)


def test_negative_values_of_the_interpolation_are_kept(tmp_path):
    assert read_a2f_dos(QE / "al_linear_response/a2F.dos1").alpha2f_modes.min() < 0
    first = (QE / "al_linear_response/a2F.dos1").read_text().splitlines()[5].split()[1]
    path = damage(tmp_path, "al_linear_response/a2F.dos1", f" {first}", f"-{first}")
    assert read_a2f_dos(path).alpha2f[0] == -float(first)


def test_rows_stand_in_the_middle_of_their_interval_and_begin_at_the_imaginary_modes():
    omega = read_a2f_dos(QE / "al_bcc/a2F.dos5").omega_mev
    lowest = read_frequencies(QE / "al_bcc/al.freq").frequencies_mev.min()
    # four printed decimals of a frequency in cm^-1, six digits of one in Ry
    assert omega[0] - (omega[1] - omega[0]) / 2 == pytest.approx(lowest, rel=1e-5)


def test_nine_modes_stand_in_one_line():
    assert read_a2f_dos(QE / "mgb2/a2F.dos5").alpha2f_modes.shape == (9, 80)


def test_exponent_without_letter_is_read(tmp_path):
    first_line = (QE / "al_linear_response/a2F.dos1").read_text().splitlines()[5].split()
    path = damage(tmp_path, "al_linear_response/a2F.dos1", first_line[1], "0.303342-108")
    assert read_a2f_dos(path).alpha2f[0] == 0.303342e-108


@pytest.mark.parametrize("field", ["************", "NaN", "Infinity"])
def test_overflow_is_a_located_error(tmp_path, field):
    first_line = (QE / "al_linear_response/a2F.dos1").read_text().splitlines()[5].split()
    path = damage(tmp_path, "al_linear_response/a2F.dos1", first_line[1], field)
    with pytest.raises(UnreadableNumberError) as caught:
        read_a2f_dos(path)
    assert (caught.value.line, caught.value.found) == (6, repr(field))
    assert "look at the calculation" in caught.value.advice


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  lambda =", "  gamma =", "omega, a2F"),
        ("Delta =", "Epsilon =", "as the last line"),
        ("  lambda =", "  0.1 0.2\n  lambda =", "expected 5 columns"),
    ],
)
def test_damaged_spectrum_is_an_error(tmp_path, old, new, message):
    with pytest.raises(ParseError, match=message):
        read_a2f_dos(damage(tmp_path, "al_linear_response/a2F.dos1", old, new))


def test_spectrum_without_rows_or_without_modes_is_an_error(tmp_path):
    path = tmp_path / "a2F.dos1"
    path.write_text(" # header\n  lambda = 0.1 Delta = 0.1\n")
    with pytest.raises(ParseError, match="rows of a2F"):
        read_a2f_dos(path)
    path.write_text(" # header\n 0.1 0.2\n  lambda = 0.1 Delta = 0.1\n")
    with pytest.raises(ParseError, match="at least 3 columns"):
        read_a2f_dos(path)


def test_table_of_lambda_is_that_of_the_file():
    table = read_lambda(QE / "al_linear_response/lambda")
    np.testing.assert_array_equal(
        table.coupling, [0.0223, 0.2563, 0.3791, 0.3998, 0.3944, 0.3833, 0.3730, 0.3654, 0.3601, 0.3559]
    )
    np.testing.assert_allclose(table.smearing_ev / RYDBERG_EV, np.arange(1, 11) * 0.005)
    assert table.omega_log_mev[3] / KELVIN_MEV == pytest.approx(300.0432)


def test_density_of_states_is_per_spin_as_ph_prints_it():
    table = read_lambda(QE / "al_linear_response/lambda")
    # ph.x says 'states/spin/Ry/Unit Cell' with six decimals, matdyn.x prints four of them without the unit
    np.testing.assert_allclose(
        table.dos_per_ev_spin_cell,
        read_elph(QE / "al_linear_response")[0].dos_per_ev_spin_cell,
        atol=6e-5 / RYDBERG_EV,
    )


def test_spectrum_and_table_agree_as_far_as_matdyn_does():
    # the table sums lambda over q, the spectrum is a histogram: 2 % on the 200 rows of this run
    table = read_lambda(QE / "pb_linear_response/lambda")
    assert read_a2f_dos(QE / "pb_linear_response/a2F.dos6").lambda_printed == pytest.approx(table.coupling[5], rel=0.02)


@pytest.mark.parametrize("kept", [3, 9, 12])
def test_missing_smearings_are_noticed(tmp_path, kept):
    lines = (QE / "al_linear_response/lambda").read_text().splitlines(keepends=True)
    path = tmp_path / "lambda"
    path.write_text("".join(lines[:kept]))
    with pytest.raises(ParseError, match="smearings"):
        read_lambda(path)


def test_another_number_of_smearings_can_be_asked_for(tmp_path):
    lines = (QE / "al_linear_response/lambda").read_text().splitlines(keepends=True)
    path = tmp_path / "lambda"
    path.write_text("".join(lines[:7]))
    assert len(read_lambda(path, n_smearing=4).coupling) == 4
    assert len(read_lambda(path, n_smearing=None).coupling) == 4
    with pytest.raises(ParseError, match="expected 5 smearings, found 4"):
        read_lambda(path, n_smearing=5)


def test_overflowing_lambda_is_a_located_error(tmp_path):
    with pytest.raises(UnreadableNumberError, match="lambda line 7"):
        read_lambda(damage(tmp_path, "al_linear_response/lambda", "0.3998", "******"))


@pytest.mark.parametrize(
    ("file", "n_atoms", "n_points"), [("al_linear_response/al.phdos", 1, 200), ("al_bcc/al.phdos", 1, 60)]
)
def test_density_of_states_holds_three_states_an_atom(file, n_atoms, n_points):
    dos = read_phonon_dos(QE / file)
    assert dos.atom_dos_per_mev.shape == (n_atoms, n_points)
    step = dos.omega_mev[1] - dos.omega_mev[0]
    # 1 %: rectangles of 60 to 200 rows under tetrahedra
    assert dos.dos_per_mev.sum() * step == pytest.approx(3 * n_atoms, rel=0.01)
    np.testing.assert_allclose(dos.atom_dos_per_mev.sum(axis=0), dos.dos_per_mev, rtol=2e-4)


def test_density_of_states_ends_at_the_highest_phonon():
    dos = read_phonon_dos(QE / "al_linear_response/al.phdos")
    highest = read_frequencies(QE / "al_linear_response/al.freq").frequencies_mev.max()
    assert dos.omega_mev[-1] == pytest.approx(highest, rel=1e-6)


@pytest.mark.parametrize("n_lost", [1, 2, 30, 100])
def test_lost_rows_of_the_density_of_states_are_noticed(tmp_path, n_lost):
    lines = (QE / "al_linear_response/al.phdos").read_text().splitlines(keepends=True)
    path = tmp_path / "al.phdos"
    path.write_text("".join(lines[:-n_lost]))
    with pytest.raises(ParseError):
        read_phonon_dos(path)
    with pytest.raises(ParseError, match=f"expected 200 rows, found {200 - n_lost}"):
        read_phonon_dos(path, n_points=200)


def test_cut_inside_a_gap_is_noticed_by_the_missing_modes(tmp_path):
    path = tmp_path / "phdos"
    rows = [f" {10.0 * row:.4E} {0.03 if 0 < row < 10 else 0.0:.4E} 0.0 0.0" for row in range(13)]
    path.write_text(" # Frequency[cm^-1] DOS PDOS\n" + "\n".join(rows) + "\n")
    with pytest.raises(InconsistentOutputError, match=r"expected 6 states in all, found 2\.70"):
        read_phonon_dos(path)


def test_density_of_states_without_rows_is_an_error(tmp_path):
    path = tmp_path / "phdos"
    path.write_text(" # Frequency[cm^-1] DOS PDOS\n")
    with pytest.raises(ParseError, match="at least 2 rows"):
        read_phonon_dos(path)


def test_interpolated_frequencies_are_those_of_the_file():
    modes = read_frequencies(QE / "al_linear_response/al.freq")
    assert modes.q_cartesian.shape == modes.frequencies_mev.shape == (256, 3)
    np.testing.assert_allclose(modes.frequencies_mev[1] / PER_CM_MEV, [22.8606, 22.8606, 49.2521])
    np.testing.assert_allclose(modes.q_cartesian[1], [-0.05, 0.05, -0.05])


def test_nine_frequencies_wrap_their_lines():
    modes = read_frequencies(QE / "mgb2/mgb2.freq")
    assert modes.frequencies_mev.shape == (9, 9)
    np.testing.assert_allclose(modes.frequencies_mev[1, 5:7] / PER_CM_MEV, [405.5093, 429.6485])


def test_wide_numbers_without_a_blank_between_them_are_read(tmp_path):
    path = tmp_path / "freq"
    path.write_text(
        " &plot nbnd=   3, nks=   1 /\n          -10.500000-11.500000-12.500000\n-1234.5678-2345.6789 4567.8901\n"
    )
    modes = read_frequencies(path)
    np.testing.assert_allclose(modes.frequencies_mev[0] / PER_CM_MEV, [-1234.5678, -2345.6789, 4567.8901])
    np.testing.assert_allclose(modes.q_cartesian[0], [-10.5, -11.5, -12.5])


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("22.8606", "*******", UnreadableNumberError),
        ("22.8606", "    NaN", UnreadableNumberError),
        ("22.8606", "       ", ParseError),
        ("nks= 256", "nks= 257", IncompleteOutputError),
        ("nks= 256", "nks= 255", ParseError),
        ("&plot", "plot", ParseError),
    ],
)
def test_damaged_frequencies_are_a_located_error(tmp_path, old, new, error):
    with pytest.raises(error) as caught:
        read_frequencies(damage(tmp_path, "al_linear_response/al.freq", old, new))
    assert caught.value.line is not None


def test_unit_of_the_spectrum_is_mev():
    text = (QE / "al_linear_response/a2F.dos1").read_text().splitlines()[-2].split()
    spectrum = read_a2f_dos(QE / "al_linear_response/a2F.dos1")
    assert spectrum.omega_mev[-1] == pytest.approx(float(text[0]) * RYDBERG_MEV, rel=1e-15)


def test_reading_leaves_the_file_alone(tmp_path):
    path = tmp_path / "lambda"
    shutil.copy(QE / "al_linear_response/lambda", path)
    read_lambda(path)
    assert path.read_bytes() == (QE / "al_linear_response/lambda").read_bytes()
