from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import pytest
from rich.text import Text

from hightc.analysis.answers import Answer
from hightc.analysis.parsers.alpha2f import read_alpha2f
from hightc.eliashberg import Alpha2F, critical_temperature
from hightc.launch import cli
from hightc.launch.tc_output import LABELS, NAMES, TITLES, WORDS, _cell

DATA = Path(__file__).parents[1] / "data"
PB = DATA / "epw" / "pb" / "pb.a2f_iso"
EINSTEIN_LIKE = "# omega (meV)  a2F\n9.9 0\n10.0 1\n10.1 0\n"
WEAK = "# omega (meV)  a2F\n9.8 0\n9.9 0\n10.0 0.1\n10.1 0\n"


@pytest.fixture
def write(tmp_path):
    def make(text, name="a2f.dat"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return make


def run(*arguments):
    return cli.main(["tc", *(str(argument) for argument in arguments)])


def rows(text):
    """Words of each row of a table by its label; columns are two blanks apart."""
    parts = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {part[0]: part[1:] for part in parts}


def answers(capsys, *arguments):
    assert run(*arguments, "--format", "json") == 0
    content = json.loads(capsys.readouterr().out)
    return {(one["group"], one["quantity"], one["method"], one["mu_star"]): one for one in content["answers"]}, content


def test_table_holds_every_method_and_mu_star_with_the_convention(capsys):
    assert run(PB) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    table = rows(captured.out)
    assert table["mu* 0.1"] == ["mu* 0.13", "mu* 0.16"]
    for method in ("McMillan", "Allen-Dynes", "Xie 2019", "Xie 2022", "Eliashberg"):
        assert len(table[method]) == 3
        assert all(cell.endswith(" K") for cell in table[method])
    text = " ".join(captured.out.split())
    assert "lambda 1.23, omega_log 60 K (5.14 meV), omega_2 67 K (5.82 meV)" in text
    assert "Eliashberg: mu* belongs to omega_2 = 5.8151 meV: 1/mu*(w) = 1/mu* + ln(w_ref/w)" in text
    assert "McMillan, Allen-Dynes, Xie 2019, Xie 2022: mu* as the formula was fitted" in text
    assert "Numerical error of Tc by the Eliashberg equations: at most" in text
    assert "of the solver only" in text


def test_tc_of_the_table_is_that_of_the_library(capsys):
    file = read_alpha2f(PB)
    expected = critical_temperature(Alpha2F(file.omega_mev, file.alpha2f), 0.12, reference="omega_max")
    found, _ = answers(capsys, PB, "--mu-star", "0.12", "--reference", "omega_max")
    entry = found["tc", "tc", "eliashberg", 0.12]
    assert entry["value"] == expected.tc_kelvin
    assert entry["error_estimate"] == expected.error_estimate_kelvin
    assert "omega_max = 9.4921 meV" in entry["convention"]


def test_reference_in_mev_is_another_repulsion(capsys):
    low, _ = answers(capsys, PB, "--mu-star", 0.1, "--reference", 5)
    high, _ = answers(capsys, PB, "--mu-star", 0.1, "--reference", 50)
    key = ("tc", "tc", "eliashberg", 0.1)
    # 1/mu* + ln(w_ref/w): mu* = 0.1 at 50 meV is 0.081 at 6 meV
    assert high[key]["value"] > low[key]["value"]
    assert high["tc", "tc", "allen_dynes", 0.1]["value"] == low["tc", "tc", "allen_dynes", 0.1]["value"]
    assert "the frequency given = 50 meV" in high[key]["convention"]


def test_every_option_adds_its_answers_and_no_other(capsys, write):
    _, plain = answers(capsys, PB, "--mu-star", 0.1)
    assert {one["group"] for one in plain["answers"]} == {"spectrum", "tc"}
    paramagnons = write("# omega (meV), P\n20,0.03\n60,0.05\n200,0.0\n", "P.csv")
    options = {
        ("--gap",): "gap",
        ("--sensitivity",): "sensitivity",
        ("--compare",): "compare",
        ("--spin-fluctuations", paramagnons): "spin_fluctuations",
    }
    for option, group in options.items():
        _, content = answers(capsys, PB, "--mu-star", 0.1, *option)
        assert {one["group"] for one in content["answers"]} == {"spectrum", "tc", group}


def test_every_answer_has_words_in_the_table(capsys, write):
    paramagnons = write("# omega (meV), P\n20,0.03\n60,0.05\n200,0.0\n", "P.csv")
    everything = ("--gap", "--sensitivity", "--compare", "--spin-fluctuations", paramagnons, "--mu-star", 0.1)
    found, _ = answers(capsys, PB, *everything)
    shown = {key for key in found if key[0] != "spectrum"}
    assert {(group, quantity) for group, quantity, _, _ in shown} == set(LABELS)
    assert {group for group, *_ in shown} == set(TITLES)
    assert {method for _, _, method, _ in found} == set(NAMES)
    assert run(PB, *everything) == 0
    table = rows(capsys.readouterr().out)
    for key in shown:
        assert LABELS[key[:2]].format(method=NAMES[key[2]]).strip() in table


def test_estimate_that_epw_printed_is_found_again(capsys):
    found, _ = answers(capsys, PB, "--compare", "--wscut", 0.1, "--mu-star", 0.1)
    # EPW 5.3.1 on this file, muc = 0.1: "Estimated Allen-Dynes Tc = 5.503579 K"; seven printed decimals of a2F
    assert found["compare", "tc_estimate", "epw", 0.1]["value"] == pytest.approx(5.503579, rel=1e-5)
    assert "wscut = 0.1 eV" in found["compare", "tc", "epw", 0.1]["convention"]
    assert found["compare", "tc", "epw", 0.1]["value"] > found["tc", "tc", "eliashberg", 0.1]["value"]


def test_csv_has_one_number_a_line_and_notes_aside(capsys):
    assert run(DATA / "qe" / "al_bcc" / "a2F.dos5", "--format", "csv", "--mu-star", 0.1) == 0
    captured = capsys.readouterr()
    table = list(csv.DictReader(io.StringIO(captured.out)))
    assert list(table[0])[-len(fields(Answer)) :] == [field.name for field in fields(Answer)]
    assert {(row["layout"], row["n_frequencies"], row["frequency_unit"]) for row in table} == {("matdyn", "46", "Ry")}
    assert all(row["file"].endswith("a2F.dos5") and row["hightc_version"] for row in table)
    assert [row["method"] for row in table if row["group"] == "tc"] == [
        "mcmillan",
        "allen_dynes",
        "xie_2019",
        "xie_2022",
        "eliashberg",
    ]
    assert all(float(row["value"]) > 0 for row in table)
    assert captured.err.startswith("hightc: note: 14 rows at negative frequencies")


def test_json_says_which_spectrum_of_the_file_it_is(capsys):
    _, content = answers(capsys, DATA / "epw" / "pb" / "pb.a2f", "--column", 3, "--mu-star", 0.1)
    assert (content["layout"], content["column"], content["smearing_mev"]) == ("epw", 3, 0.15)
    assert content["notes"] == ["column 3 of 10 is used"]
    assert content["file"] == str(DATA / "epw" / "pb" / "pb.a2f")
    assert (content["n_frequencies"], content["lowest_mev"], content["highest_mev"]) == (100, 0.1022861, 10.228606)
    assert content["hightc_version"] == version("hightc")


def test_no_superconductivity_is_a_word_and_no_temperature(capsys, write):
    path = write(WEAK)  # lambda = 2 * 0.1 * 0.1/10 = 0.002
    assert run(path, "--mu-star", 0.1, "--gap", "--sensitivity", "--compare") == 0
    table = rows(capsys.readouterr().out)
    for label in ("McMillan", "Allen-Dynes", "Eliashberg", "EPW, gap closes"):
        assert table[label] == ["none (0 K)"]
    for label in ("Delta_0", "2 Delta/kTc", "isotope coefficient", "dTc/dmu*"):
        assert table[label] == ["no Tc"]
    assert table["Xie 2019"] == ["<0.001 K"]
    found, _ = answers(capsys, path, "--mu-star", 0.1, "--gap")
    assert (found["tc", "tc", "eliashberg", 0.1]["value"], found["gap", "gap_edge", "eliashberg", 0.1]["value"]) == (
        0.0,
        None,
    )


def test_temperature_below_the_range_and_mu_star_without_meaning_are_other_words(capsys, write):
    # lambda = 2 * 0.1 * 0.1/10 = 0.002; 1/9 + ln(omega_2/omega_max) < 0 for lead
    for path, mu_star, word in ((write(WEAK), 0, "below range"), (PB, 9, "undefined")):
        assert run(path, "--mu-star", mu_star, "--gap") == 0
        text = capsys.readouterr().out
        table = rows(text)
        assert (table["Eliashberg"], table["gap edge"]) == ([word], [word])
        # 10 meV/20000 = 5.8 mK
        assert ("Eliashberg: below 0.0058 K, the lowest temperature searched." in text) == (word == "below range")


def test_spectrum_of_zeros_couples_to_nothing(capsys, write):
    options = ("--gap", "--sensitivity", "--compare", "--mu-star", 0.1)
    path = write("# meV\n1 0\n2 0\n3 0\n4 0\n")
    assert run(path, *options) == 0
    captured = capsys.readouterr().out
    assert "! a2F is zero everywhere: nothing couples" in captured
    assert "lambda 0, omega_log undefined" in captured
    assert rows(captured)["Eliashberg"] == ["none (0 K)"]
    found, _ = answers(capsys, path, *options)
    assert all(one["value"] in (0.0, None) for one in found.values())


def test_word_of_a_status_never_hides_a_number():
    for status, (word, meaning) in WORDS.items():
        value = 0.0 if status == "no_superconductivity" else None
        cell = _cell(Answer("tc", "tc", "eliashberg", 0.1, value, "K", status), 3)
        assert isinstance(cell, Text)
        assert cell.plain == word
        assert meaning
    assert _cell(None, 3).plain == ""


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (5.79509, 3, "5.795 K"),
        (0.5, 3, "0.500 K"),
        (0.0024, 3, "0.0024 K"),
        (120.4, 1, "120.4 K"),
        (9e-4, 3, "<0.001 K"),
    ],
)
def test_numbers_of_a_scale_have_their_decimals_unless_they_would_lose_every_digit(value, decimals, text):
    assert _cell(Answer("tc", "tc", "eliashberg", 0.1, value, "K"), decimals).plain == text


def test_output_fits_80_columns_with_any_number_of_mu_star(capsys, write):
    mu_star = [option for mu in range(12) for option in ("--mu-star", 0.1 + 0.0125 * mu)]
    path = write("# omega (meV), our own a2F\n1 0\n10 0.3\n20 0.2\n30 0\n", "a rather long name.dat")
    assert run(path, *mu_star, "--gap", "--sensitivity", "--compare") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) < 80
    assert re.findall(r"mu\* (0\.\d+)", out) == [f"{mu:g}" for mu in mu_star[1::2]]
    assert len(re.findall(r"^  McMillan ", out, re.MULTILINE)) > 1


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_picture_is_written_in_the_format_of_its_name(tmp_path, suffix, magic):
    path = tmp_path / f"pb.{suffix}"
    assert run(PB, "--mu-star", 0.1, "--plot", path) == 0
    assert path.read_bytes().startswith(magic)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_picture_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch, capsys):
    path = tmp_path / "pb.png"
    path.write_bytes(b"before")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert run(PB, "--mu-star", 0.1, "--plot", path) == 2
    assert "found no space left on device" in capsys.readouterr().err
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("pb.png", b"before")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "FILE"),
        (("x", "--mu-star", "-0.1"), "expected a number from 0, such as 0.1, found '-0.1'"),
        (("x", "--mu-star", "nan"), "expected a number from 0"),
        (("x", "--reference", "omega_3"), "expected omega_2, omega_max or a frequency in meV, found 'omega_3'"),
        (("x", "--reference", "0"), "expected omega_2, omega_max or a frequency in meV, found '0'"),
        (("x", "--column", "0"), "expected a whole number above 0, found '0'"),
        (("x", "--wscut", "0"), "expected an energy in eV above 0, found '0'"),
        (("x", "--plot", "tc.jpg"), "expected a name that ends in .png, .pdf, .svg, found 'tc.jpg'"),
        (("x", "--format", "xml"), "invalid choice"),
    ],
)
def test_option_out_of_its_domain_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (None, (), "{}/gone.dat: expected a file, found none: check the path"),
        ("1 0.1\n2 NaN\n", (), "{}/a2f.dat line 2: expected a frequency and its values, found 'NaN'"),
        (EINSTEIN_LIKE, ("--column", "2"), "{}/a2f.dat: expected a column from 1 to 1, found 2"),
        (EINSTEIN_LIKE, ("--unit", "kg"), "{}/a2f.dat: expected one of meV, eV"),
        (EINSTEIN_LIKE, ("--compare",), "{}/a2f.dat: --compare: expected 4 frequencies or more, as Elk does, found 3"),
        (EINSTEIN_LIKE, ("--wscut", "1"), "--wscut: expected --compare with it"),
        ("# meV\n1 -0.1\n2 -0.2\n", (), "{}/a2f.dat line 3: expected a2F >= 0, found nothing positive"),
        (EINSTEIN_LIKE, ("--spin-fluctuations", "gone.csv"), "gone.csv: expected a file, found none"),
        (EINSTEIN_LIKE, ("--plot", "/nowhere/at/all.png"), "/nowhere/at/all.png: expected a place to write a picture"),
    ],
)
def test_unusable_file_is_one_line_and_2(text, options, message, write, tmp_path, capsys):
    path = tmp_path / "gone.dat" if text is None else write(text)
    assert run(path, "--mu-star", "0.1", *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"hightc: {message.format(tmp_path)}")
    assert captured.err.count("\n") == 1


def test_negative_paramagnons_are_refused(write, capsys):
    paramagnons = write("# meV\n10 0.1\n20 -0.1\n", "P.csv")
    assert run(PB, "--spin-fluctuations", paramagnons) == 2
    assert f"hightc: {paramagnons}: expected P(w) >= 0, found -0.1" in capsys.readouterr().err


def test_notes_on_the_paramagnons_name_their_file(write, capsys):
    # a Lorentzian, whose tail is no sign of a cut
    path = write("50 0.1\n100 0.08\n", "P.csv")
    _, content = answers(capsys, PB, "--mu-star", 0.1, "--spin-fluctuations", path)
    assert content["notes"] == [
        f"{path}: no unit is named above the first row: meV is assumed",
        f"{path}: this format has no end mark: 2 rows, the last at 100 meV, where P is 80 % of its maximum",
    ]


def test_cut_isotropic_file_says_how_far_it_goes(capsys, write):
    lines = PB.read_text().splitlines(keepends=True)
    _, content = answers(capsys, write("".join(lines[:103]), "cut.a2f"), "--mu-star", 0.1)
    assert content["notes"] == ["this format has no end mark: 102 rows, the last at 2.087 meV"]


def test_long_work_is_announced_on_a_terminal_only(capsys, monkeypatch):
    assert run(PB, "--mu-star", 0.1, "--gap") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert run(PB, "--mu-star", 0.1, "--gap") == 0
    assert capsys.readouterr().err.startswith("hightc: solving; ")


def test_help_teaches_by_examples_that_parse(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    text = capsys.readouterr().out
    examples = re.findall(r"^  hightc (tc \S.*?)(?:   |$| isotope)", text, re.MULTILINE)
    assert len(examples) == 7
    for example in examples:
        options = cli._parser().parse_args(example.split())
        assert options.command.__name__ == "run_tc"
    for word, _ in list(WORDS.values())[:3]:
        assert word in text


def test_help_of_the_command_imports_nothing_heavy():
    code = "import sys\nfrom hightc.launch.cli import main\ntry:\n main(['tc', '--help'])\nexcept SystemExit:\n pass\n"
    code += "print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.strip("[]\n").replace("'", "").split(", ")}
    assert "argparse" in loaded
    assert loaded.isdisjoint({"numpy", "scipy", "matplotlib", "rich", "pydantic"})
