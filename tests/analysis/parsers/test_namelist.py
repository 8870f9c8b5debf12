import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.fortran import FortranFile
from hightc.analysis.parsers.namelist import read_namelist


def read(tmp_path, text):
    path = tmp_path / "pw.in"
    path.write_text(text)
    file = FortranFile(path, "look")
    file.read_line("the head")
    return read_namelist(file, "system", "")


def test_constants_of_fortran(tmp_path):
    text = "&system\n a=1, b = 2.5d-3 c=.true. D='it''s = 1/2, ok' ! e=1\n f=F, g=\"x\", h=-3 /\n"
    assert read(tmp_path, text) == {
        "a": 1,
        "b": 0.0025,
        "c": True,
        "d": "it's = 1/2, ok",
        "f": False,
        "g": "x",
        "h": -3,
    }


def test_arrays_get_their_indices(tmp_path):
    text = "&system\n celldm(1)=7.5, celldm( 3 ) = 1.6\n nk = 1, 2, 3, temps(2) = 4 5 , x=2*.5\n/\n"
    assert read(tmp_path, text) == {
        "celldm(1)": 7.5,
        "celldm(3)": 1.6,
        "nk": 1,
        "nk(2)": 2,
        "nk(3)": 3,
        "temps(2)": 4,
        "temps(3)": 5,
        "x": 0.5,
        "x(2)": 0.5,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a='open\n/\n", "the end of a string"),
        ("a=1\n&electrons\n/\n", "'/' at the end of &system"),
        ("a=1, A=2\n/\n", "each keyword once"),
        ("a=word\n/\n", "a value of a"),
        ("7\n/\n", "'keyword = value'"),
    ],
)
def test_what_is_no_namelist_is_located(tmp_path, body, expected):
    with pytest.raises(ParseError, match=expected) as caught:
        read(tmp_path, f"&system\n{body}")
    assert caught.value.line in {2, 3}


def test_namelist_without_end_is_incomplete(tmp_path):
    with pytest.raises(IncompleteOutputError, match="'/' at the end of &system"):
        read(tmp_path, "&system\n a=1\n")
