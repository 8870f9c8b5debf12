"""Spectral functions of every origin: what is recognised, and what is refused."""

import os
import random
import threading
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.alpha2f import read_alpha2f
from hightc.analysis.parsers.errors import (
    IncompleteOutputError,
    MissingOutputError,
    ParseError,
    UnreadableNumberError,
)
from hightc.analysis.parsers.matdyn import read_a2f_dos
from hightc.analysis.parsers.spectrum_header import UNITS_MEV
from hightc.analysis.parsers.units import PER_CM_MEV, RYDBERG_MEV, THZ_MEV
from hightc.eliashberg import Alpha2F

DATA = Path(__file__).parents[2] / "data"
PB = DATA / "epw" / "pb"
MGB2 = DATA / "qe" / "mgb2" / "a2F.dos5"
PLAIN = "# omega (meV)  a2F\n1.0 0.1\n2.0 0.4\n3.0 0.2\n4.0 0.0\n"


@pytest.fixture
def write(tmp_path):
    def make(content, name="a2f.dat"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def headerless(text):
    """prefix.a2f.NN.T as EPW/src/a2f.f90 writes it: no header, no running lambda, the same closing block."""
    lines = text.splitlines()
    rows = [line[: 12 * 11] for line in lines[1:] if line[:1] == " " and line.strip()[0].isdigit()]
    closing = lines[next(index for index, line in enumerate(lines) if "Integrated" in line) :]
    return "\n".join([*rows, *closing]) + "\n"


def test_matdyn_spectrum_is_that_of_its_own_reader():
    spectrum, whole = read_alpha2f(MGB2), read_a2f_dos(MGB2)
    assert (spectrum.layout, spectrum.unit, spectrum.n_columns, spectrum.notes) == ("matdyn", "Ry", 1, ())
    assert np.allclose(spectrum.omega_mev, whole.omega_mev, rtol=1e-15)
    assert np.array_equal(spectrum.alpha2f, whole.alpha2f)
    assert spectrum.lambda_printed == whole.lambda_printed


def test_imaginary_modes_of_matdyn_are_left_out_and_named():
    spectrum = read_alpha2f(DATA / "qe" / "al_bcc" / "a2F.dos5")
    whole = read_a2f_dos(DATA / "qe" / "al_bcc" / "a2F.dos5")
    assert np.array_equal(spectrum.alpha2f, whole.alpha2f[whole.omega_mev > 0])
    assert spectrum.notes[0].startswith(f"{np.sum(whole.omega_mev < 0)} rows at negative frequencies, down to -13.1")


@pytest.mark.parametrize("column", [1, 4, 10])
def test_integral_over_each_column_of_epw_is_the_lambda_printed_below_it(column):
    spectrum = read_alpha2f(PB / "pb.a2f", column=column)
    assert spectrum.smearing_mev == pytest.approx(0.05 * column)
    # Every fifth row is 0.10 meV apart. A sum over Gaussians of width s = sigma/sqrt(2) at spacing h is off by
    # 2 exp(-2 (pi s/h)^2), relative; the narrowest, 0.05 meV, is not resolved, but the 1000 q points average over it.
    error = 0.02 if column == 1 else 1e-3
    step = spectrum.omega_mev[1] - spectrum.omega_mev[0]
    total = 2 * step * np.sum(spectrum.alpha2f / spectrum.omega_mev)
    assert total == pytest.approx(spectrum.lambda_printed, rel=error)


def test_first_column_of_epw_is_the_default_and_is_named():
    spectrum = read_alpha2f(PB / "pb.a2f")
    assert (spectrum.layout, spectrum.column, spectrum.n_columns, spectrum.unit) == ("epw", 1, 10, "meV")
    assert spectrum.lambda_printed == 1.2295023
    assert spectrum.notes == ("column 1 of 10 is used",)


def test_isotropic_file_of_epw_has_the_coupling_of_its_run():
    spectrum = read_alpha2f(PB / "pb.a2f_iso")
    assert (spectrum.layout, spectrum.omega_mev.size, spectrum.notes) == ("epw_isotropic", 500, ())
    # EPW sums rectangles on 500 points from one step on: that is the trapezoid, whose ends vanish here
    assert Alpha2F(spectrum.omega_mev, spectrum.alpha2f).lam == pytest.approx(1.2295, abs=1e-4)


@pytest.mark.parametrize("name", ["pb.a2f.01.1.000", "pb.a2f.01", "renamed.dat"])
def test_file_of_epw_without_header_is_known_by_its_closing_block(write, name):
    path = write(headerless((PB / "pb.a2f").read_text()), name)
    for column in (1, 10):
        spectrum, whole = read_alpha2f(path, column=column), read_alpha2f(PB / "pb.a2f", column=column)
        assert (spectrum.layout, spectrum.n_columns) == ("epw", 10)
        assert np.array_equal(spectrum.alpha2f, whole.alpha2f)
        assert (spectrum.lambda_printed, spectrum.smearing_mev) == (whole.lambda_printed, whole.smearing_mev)


def test_newer_epw_with_one_smearing_under_the_old_header_is_read(write):
    text = (
        " w[meV] a2f and integrated 2*a2f/w for   10 smearing values\n   1.0000000   0.1000000   0.2000000\n"
        "   2.0000000   0.0000000   0.2000000\n Integrated el-ph coupling\n  #            0.2000000\n"
        " Phonon smearing (meV)\n  #            0.0500000\nElectron smearing (eV)   0.1000000\n"
        "Fermi window (eV)   0.6000000\nDOS (eV)   0.2500000\nSummed el-ph coupling    0.2100000\n"
    )
    spectrum = read_alpha2f(write(text, "al.a2f"))
    assert (spectrum.n_columns, spectrum.lambda_printed, spectrum.alpha2f.tolist()) == (1, 0.2, [0.1, 0.0])


def test_shares_of_modes_are_no_spectra(write):
    text = (
        "w[meV] a2f a2f_modeproj\n   1.0000000   0.3000000   0.1000000   0.2000000\n"
        "   2.0000000   0.0000000   0.0000000   0.0000000\n"
        "lambda_int =          0.3000000   lambda_sum =          0.3100000\n"
    )
    path = write(text, "al.a2f_proj")
    assert read_alpha2f(path).alpha2f.tolist() == [0.3, 0.0]
    with pytest.raises(ParseError, match=r"expected a column from 1 to 1, found 2: .* shares of modes"):
        read_alpha2f(path, column=2)


def test_elk_counts_in_hartree_by_the_name_of_its_file(write):
    spectrum = read_alpha2f(write("-0.001 0.0\n0.001 0.1\n0.002 0.0\n", "ALPHA2F.OUT"))
    assert spectrum.omega_mev == pytest.approx([27.211386, 54.422772], rel=1e-7)
    assert spectrum.alpha2f.tolist() == [0.1, 0.0]
    assert "Ha" in spectrum.notes[0]
    assert "1 rows at negative" in spectrum.notes[1]


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("# omega (meV)  a2F", "meV"),
        ("omega_mev,alpha2f", "meV"),
        ("% w[eV]   a2F", "eV"),
        ("# Frequency (THz), alpha2F", "THz"),
        ("frequency in cm^-1 and a2F", "cm-1"),
        ("# cm-1", "cm-1"),
        ("omega_cm1 a2f", "cm-1"),
        ("# 1/cm", "cm-1"),
        ("! w (Ry) a2F (states/eV)", "Ry"),
        ("# Hartree", "Ha"),
        ("@ temperature-like omega [K]", "K"),
        ('"omega (THz)","a2F"', "THz"),
    ],
)
def test_header_names_the_unit(write, header, unit):
    mark = "," if "," in header else " "
    rows = "".join(f"{omega}{mark}{value}\n" for omega, value in ((1, 0.1), (2, 0.4), (3, 0.0)))
    spectrum = read_alpha2f(write(f"{header}\n{rows}"))
    assert (spectrum.unit, assumed(spectrum)) == (unit, [])
    assert spectrum.omega_mev == pytest.approx(np.array([1, 2, 3]) * UNITS_MEV[unit])


def assumed(spectrum):
    """Notes but for the one that every file without an end mark has."""
    return [note for note in spectrum.notes if not note.startswith("this format has no end mark: ")]


def test_units_are_those_of_the_codata_set():
    expected = {"meV": 1, "eV": 1e3, "THz": THZ_MEV, "cm-1": PER_CM_MEV, "Ry": RYDBERG_MEV, "Ha": 2 * RYDBERG_MEV}
    assert {name: UNITS_MEV[name] for name in expected} == pytest.approx(expected)
    assert UNITS_MEV["K"] == pytest.approx(0.08617333)  # Boltzmann's constant in meV/K


def test_unit_in_the_name_of_the_first_column_wins_over_those_of_others(write):
    text = "omega_THz,a2F,energy_meV\n1,0.1,0\n2,0.0,0\n"
    assert read_alpha2f(write(text)).unit == "THz"


def test_without_a_unit_mev_is_assumed_and_said(write):
    spectrum = read_alpha2f(write("1 0.1\n2 0\n"))
    assert (spectrum.unit, spectrum.omega_mev.tolist()) == ("meV", [1.0, 2.0])
    assert assumed(spectrum) == ["no unit is named above the first row: meV is assumed"]
    assert read_alpha2f(write("# omega alpha2F(omega) DOS(E)\n1 0.1 1\n2 0 1\n")).notes[0] == spectrum.notes[0]


def test_unit_that_is_given_replaces_that_of_the_header(write):
    spectrum = read_alpha2f(write(PLAIN), unit="THz")
    assert (spectrum.unit, assumed(spectrum)) == ("THz", [])
    assert spectrum.omega_mev[0] == pytest.approx(THZ_MEV)


@pytest.mark.parametrize(
    "text",
    [
        "omega (meV);a2F\n0;0\n1;0.1\n2;0\n",
        "omega (meV),a2F\r\n0,0\r\n1,0.1\r\n2,0\r\n",
        "\ufeffomega (meV)\ta2F\n\n0\t0\n1\t1.0D-01\n# between\n2\t0  # last\n",
        '"omega (meV)","a2F"\n"0","0"\n"1","0.1"\n"2","0"\n',
        "// of our run\n&  omega (meV)\n  0.0  0.0\n  .1e1  +0.1\n  2.  -0.0\n",
        "omega (meV),a2F\n0,0\n1,0.1\n2,0",
        "omega (meV);a2F\n0,0;0\n1,0;0,1\n2;0\n",
        "omega (meV)\ta2F\n0,0\t0\n1,0\t0,1\n2\t0\n",
        "# omega (meV)  alpha\xb2F\n0 0\n1 0.1\n2 0\n".encode("latin-1"),
        "# omega (meV)  a2F\n0 0\n1 0.1\n2 0\n".encode("utf-16"),
    ],
    ids=[
        *("semicolons", "windows", "tabs and comments", "quotes", "other comments", "no final newline"),
        *("decimal commas", "decimal commas and tabs", "latin-1", "utf-16"),
    ],
)
def test_columns_are_read_however_they_are_written(write, text):
    spectrum = read_alpha2f(write(text))
    assert (spectrum.omega_mev.tolist(), spectrum.alpha2f.tolist()) == ([1.0, 2.0], [0.1, 0.0])
    assert spectrum.notes[0].startswith("this format has no end mark: ")


def test_spectrum_that_does_not_end_near_zero_is_noted(write):
    spectrum = read_alpha2f(write("# meV\n1 0.1\n2 0.4\n3 0.3\n"))
    (note,) = spectrum.notes
    assert note.endswith("3 rows, the last at 3 meV, where a2F is 75 % of its maximum: was the file cut?")


@pytest.mark.parametrize(
    ("content", "error", "line", "expected", "found"),
    [
        ("", IncompleteOutputError, 1, "a newline", "an empty file"),
        ("\n", ParseError, 1, "rows of numbers", "1 lines without any"),
        ("# omega (meV) a2F\n", ParseError, 1, "rows of numbers", "without any"),
        ("1 0.1\n2", ParseError, 2, "2 columns", "1"),
        ("1 0.1\n2\n", ParseError, 2, "2 columns", "1"),
        ("1\n2\n", ParseError, 1, "at least 2 columns", "'1'"),
        ("1 0.1 5\n2 0.2\n", ParseError, 2, "3 columns", "2"),
        ("1,0.1\n2,\n", ParseError, 2, "a frequency and its values", "''"),
        ("# meV\n1,5 0,3\n2 0,2\n", ParseError, 2, "decimal marks", "a decimal comma, '1,5 0,3'"),
        ("omega (meV),a2F\n1,5,0,0056\n2,5,0,1\n", ParseError, 3, "decimal marks", "a decimal comma"),
        ("# meV\n1 -0.1\n2 -0.2\n", ParseError, 3, "a2F >= 0", "-0.2 at the least"),
        ("# meV\n1 0.1\nomega a2F\n", ParseError, 3, "a frequency and its values", "'omega'"),
        ("# meV\n1 0.1\n2 NaN\n", UnreadableNumberError, 3, "a frequency and its values", "'NaN'"),
        ("NaN 0.1\n2 0.1\n", UnreadableNumberError, 1, "a frequency and its values", "'NaN'"),
        ("1 0.1\n2 -Infinity\n", UnreadableNumberError, 2, "a frequency and its values", "'-Infinity'"),
        ("****** 0.1\n2 0.1\n", UnreadableNumberError, 1, "a frequency and its values", "'******'"),
        ("# meV\n-1 0.1\n2 0.2\n", ParseError, 2, "not negative", "-1"),
        ("1 0.1\n3 0.2\n2 0.1\n", ParseError, 3, "increase", "2 after 3"),
        ("1 0.1\n1 0.2\n2 0.1\n", ParseError, 2, "increase", "1 after 1"),
        ("0 0.1\n1 0.2\n", IncompleteOutputError, 2, "at least 2 rows at positive", "1"),
        ("# w (kJ/mol)\n1 0.1\n2 0.2\n", ParseError, 1, "a unit of frequency", "'kJ/mol'"),
        ("w[Oe],a2F\n1,0.1\n2,0.2\n", ParseError, 1, "a unit of frequency", "'Oe'"),
        ("# omega in THz\n# energies in meV\n1 0.1\n2 0.2\n", ParseError, 2, "one unit", "THz and meV"),
        ("1 0.1\n2 0.2\n".encode("utf-16-le"), ParseError, None, "text", "binary data"),
        (b"\x93NUMPY\x01\x00v\x00{'descr'", ParseError, None, "text", "binary data"),
    ],
)
def test_broken_columns_are_located(write, content, error, line, expected, found):
    path = write(content)
    with pytest.raises(error) as caught:
        read_alpha2f(path)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert expected in caught.value.expected
    assert found in caught.value.found
    assert caught.value.advice


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(MissingOutputError, match=r"gone\.a2f: expected a file, found none"):
        read_alpha2f(tmp_path / "gone.a2f")
    with pytest.raises(MissingOutputError, match="expected a file, found a directory"):
        read_alpha2f(tmp_path)


def test_transport_function_is_not_taken_for_that_of_pairing(write):
    with pytest.raises(ParseError, match=r"the transport spectral function of EPW: give pb\.a2f\.01\.1\.000"):
        read_alpha2f(write(PLAIN, "pb.a2f_tr.01.1.000"))


@pytest.mark.parametrize("column", [0, -1, 11])
def test_column_that_is_not_there_is_refused(column):
    with pytest.raises(ParseError, match=f"expected a column from 1 to 10, found {column}"):
        read_alpha2f(PB / "pb.a2f", column=column)


@pytest.mark.parametrize(
    ("path", "unit", "message"),
    [
        (PB / "pb.a2f", "THz", r"expected no unit: prefix\.a2f of EPW has its own, found 'THz'"),
        (None, "kg", r"expected one of meV, eV, THz, cm-1, Ry, Ha, K, found 'kg'"),
    ],
)
def test_unit_is_one_that_is_known_and_asked_for(write, path, unit, message):
    with pytest.raises(ParseError, match=message):
        read_alpha2f(path or write(PLAIN), unit=unit)


def test_columns_of_epw_must_fit_its_closing_block(write):
    text = (PB / "pb.a2f").read_text()
    short = "\n".join(line[: 12 * 20] if line.strip()[:1].isdigit() else line for line in text.splitlines()) + "\n"
    with pytest.raises(ParseError, match=r"pb\.a2f line 2: expected columns of omega, a2F and running lambda"):
        read_alpha2f(write(short, "pb.a2f"))
    cut = text.replace("  #            1.2295023", "  #         ", 1)
    with pytest.raises(ParseError, match=r"expected 10 columns \(integrated coupling of each smearing\), found 9"):
        read_alpha2f(write(cut, "pb.a2f"))


def cuts(content, seed):
    """Random places and the ends of the last lines."""
    generator = random.Random(seed)
    ends = [index + 1 for index, byte in enumerate(content[:-1]) if byte == ord("\n")]
    return sorted({generator.randrange(1, len(content)) for _ in range(40)} | set(ends[-8:]) | {len(content) - 1})


@pytest.mark.parametrize("make", [str, headerless], ids=["header", "headerless"])
def test_file_of_epw_cut_anywhere_is_refused(write, make):
    content = make((PB / "pb.a2f").read_text()).encode()
    name = "pb.a2f" if make is str else "pb.a2f.01.1.000"
    assert read_alpha2f(write(content, name)).lambda_printed == 1.2295023
    for position in cuts(content, name):
        with pytest.raises(ParseError) as caught:
            read_alpha2f(write(content[:position], name))
        assert caught.value.line is not None


def test_cut_isotropic_file_is_refused_or_says_how_far_it_goes(write):
    content = (PB / "pb.a2f_iso").read_bytes()
    whole = read_alpha2f(PB / "pb.a2f_iso")
    refused = 0
    for position in cuts(content, "iso"):
        try:
            cut = read_alpha2f(write(content[:position], "pb.a2f_iso"))
        except ParseError:
            refused += 1
        else:
            # the gap between the two branches of lead is empty, and a cut there leaves a whole spectrum of one branch
            kept = cut.omega_mev.size
            assert np.array_equal(cut.alpha2f, whole.alpha2f[:kept])
            (note,) = cut.notes
            assert note == f"this format has no end mark: {kept} rows, the last at {cut.omega_mev[-1]:.4g} meV"
    assert refused >= 40


def test_isotropic_file_cut_anywhere_is_refused_beside_the_spectra_of_its_run(write):
    write((PB / "pb.a2f").read_bytes(), "pb.a2f")
    lines = (PB / "pb.a2f_iso").read_text().splitlines(keepends=True)
    for count in range(3, len(lines), 7):
        with pytest.raises(ParseError):
            read_alpha2f(write("".join(lines[:count]), "pb.a2f_iso"))
    assert read_alpha2f(write("".join(lines), "pb.a2f_iso")).notes == ()


def test_isotropic_file_cut_before_its_first_phonon_is_refused(write):
    lines = (PB / "pb.a2f_iso").read_text().splitlines(keepends=True)
    with pytest.raises(IncompleteOutputError, match="a2F above zero in some row, found zeros only"):
        read_alpha2f(write("".join(lines[:20]), "pb.a2f_iso"))


def test_known_number_of_rows_shows_a_cut_in_a_gap(write):
    lines = (PB / "pb.a2f_iso").read_text().splitlines(keepends=True)
    assert read_alpha2f(write("".join(lines), "pb.a2f_iso"), n_points=500).omega_mev.size == 500
    with pytest.raises(IncompleteOutputError, match="line 500: expected 500 rows, found 499"):
        read_alpha2f(write("".join(lines[:-1]), "pb.a2f_iso"), n_points=500)
    with pytest.raises(ParseError, match="expected 499 rows, found 500"):
        read_alpha2f(write("".join(lines), "pb.a2f_iso"), n_points=499)


def test_spectra_of_another_run_say_nothing_of_the_isotropic_file(write):
    write(PLAIN, "pb.a2f")  # not even of EPW
    (note,) = read_alpha2f(write((PB / "pb.a2f_iso").read_text(), "pb.a2f_iso")).notes
    assert note.startswith("this format has no end mark: 500 rows")
    write((PB / "pb.a2f").read_text().replace("10.2286060", "10.3000000"), "pb.a2f")
    assert read_alpha2f(PB / "pb.a2f_iso").notes == ()
    (note,) = read_alpha2f(write((PB / "pb.a2f_iso").read_text(), "pb.a2f_iso")).notes
    assert note.startswith("this format has no end mark: 500 rows")


def test_coupling_at_zero_frequency_is_left_out_and_said(write):
    spectrum = read_alpha2f(write("# meV\n0 0.1\n1 0.1\n2 0\n"))
    assert assumed(spectrum) == ["a2F = 0.1 at zero frequency is left out: it should vanish there"]


def test_spectrum_is_called_as_it_is_asked_for(write):
    (note,) = read_alpha2f(write("# meV\n1 0.1\n2 0.1\n"), symbol="P").notes
    assert "where P is 100 % of its maximum" in note


def test_what_can_be_read_once_only_is_read_once(tmp_path):
    for source in (PB / "pb.a2f_iso", MGB2):
        pipe = tmp_path / source.name
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(source.read_bytes(),))
        writer.start()
        assert np.array_equal(read_alpha2f(pipe).alpha2f, read_alpha2f(source).alpha2f)
        writer.join()


def test_unit_is_given_in_any_case(write):
    assert read_alpha2f(write(PLAIN), unit="THZ").unit == "THz"
