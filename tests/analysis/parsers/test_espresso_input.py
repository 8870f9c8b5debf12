from pathlib import Path

import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.espresso_input import read_espresso_input

DATA = Path(__file__).parents[2] / "data"
PW = (
    "&control\n calculation='{calculation}'\n/\n&system\n ibrav={ibrav}, nat=2, ntyp=1\n/\n&electrons\n/\n"
    "ATOMIC_SPECIES\n H 1.0 H.UPF\nATOMIC_POSITIONS {{crystal}}\n H 0 0 0 ! first\n H .5 .5 .5\n"
)


def write(tmp_path, text):
    path = tmp_path / "run.in"
    path.write_text(text)
    return path


def pw(tmp_path, rest, *, calculation="scf", ibrav=1):
    return read_espresso_input(write(tmp_path, PW.format(calculation=calculation, ibrav=ibrav) + rest))


def test_every_recorded_input_is_read():
    inputs = sorted(DATA.glob("*/*/*.in"))
    assert {read_espresso_input(path).program for path in inputs} >= {"pw", "ph", "epw", "q2r or matdyn"}


def test_pw_input_with_a_list_of_k_points():
    content = read_espresso_input(DATA / "epw" / "pb_wannier" / "nscf.in")
    assert content.program == "pw"
    assert content.namelists["control"]["calculation"] == "nscf"
    assert content.namelists["system"]["celldm(1)"] == 9.2225583816
    assert content.cards["ATOMIC_SPECIES"].rows == ("Pb 207.2 pb_s.UPF",)
    assert content.cards["K_POINTS"].option == "crystal"
    assert len(content.cards["K_POINTS"].rows) == 1 + 8


def test_title_stands_before_the_namelist():
    content = read_espresso_input(DATA / "epw" / "pb_gaps" / "epw.in")
    assert (content.program, content.title) == ("epw", "--")
    assert content.namelists["inputepw"]["temps(3)"] == 6.3
    assert content.cards == {}


def test_options_and_comments_of_cards(tmp_path):
    content = pw(tmp_path, "K_POINTS (gamma)\n")
    assert content.cards["ATOMIC_POSITIONS"].option == "crystal"
    assert content.cards["ATOMIC_POSITIONS"].rows == ("H 0 0 0", "H .5 .5 .5")
    assert content.cards["K_POINTS"].option == "gamma"


@pytest.mark.parametrize(
    ("rest", "changes", "expected"),
    [
        ("", {}, "expected K_POINTS"),
        ("K_POINTS automatic\n", {}, "1 mesh"),
        ("K_POINTS automatic\n 2 2 2 0 0\n", {}, "6 fields"),
        ("K_POINTS crystal\n", {}, "the number of points"),
        ("K_POINTS crystal\n2\n0 0 0 1\n", {}, "expected 2 points in K_POINTS, found 1"),
        ("K_POINTS crystal\n1\n0 0 0\n", {}, "4 fields"),
        ("K_POINTS gamma\n", {"ibrav": 0}, "expected CELL_PARAMETERS"),
        ("K_POINTS gamma\nCELL_PARAMETERS bohr\n1 0 0\n0 1 0\n", {"ibrav": 0}, "expected 3 lattice vectors"),
        ("K_POINTS gamma\n", {"calculation": "relax"}, "expected &ions"),
        ("H 0 0 0\nK_POINTS gamma\n", {}, "expected 2 atoms in ATOMIC_POSITIONS, found 3"),
    ],
)
def test_what_pw_would_miss_is_told(tmp_path, rest, changes, expected):
    with pytest.raises(ParseError, match=expected) as caught:
        pw(tmp_path, rest, **changes)
    assert caught.value.line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title\n&inputph\n ldisp=.false.\n/\n", "expected 1 q point"),
        ("title\n&inputph\n qplot=.true., ldisp=.true.\n/\n2\n0 0 0 1\n", "expected 2 points"),
        ("&input\n flfrc='a.fc'\n/\n", "the number of points"),
        ("&input\n flfrc='a.fc'\n/\n2\n0 0 0\n", "expected 2 points"),
    ],
)
def test_missing_q_points_are_told(tmp_path, text, expected):
    with pytest.raises(IncompleteOutputError, match=expected):
        read_espresso_input(write(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        "title\n&inputph\n ldisp=.false.\n/\n0 0 0\n",
        "title\n&inputph\n ldisp=.true.\n/\n",
        "&input\n flfrc='a.fc'\n/\n2\n0 0 0\n.5 0 0\n",
        "&input\n flfrc='a.fc', dos=.true.\n/\n",
        "&input\n fildyn='a.dyn', flfrc='a.fc'\n/\n",
    ],
)
def test_whole_inputs_are_read(tmp_path, text):
    assert read_espresso_input(write(tmp_path, text)).namelists


def test_text_without_namelist_is_refused(tmp_path):
    with pytest.raises(IncompleteOutputError, match="a namelist"):
        read_espresso_input(write(tmp_path, "title\n"))


def test_long_lists_are_read_in_passing(tmp_path):
    # 50,000 points, 2 MB: a reader that looks at all that is left after each line would take minutes.
    content = pw(tmp_path, "K_POINTS crystal\n50000\n" + "0.25 0.25 0.25 2.0e-5\n" * 50_000)
    assert len(content.cards["K_POINTS"].rows) == 50_001
