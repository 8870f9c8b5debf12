from __future__ import annotations

import tomllib

import pytest

from hightc.launch.toml_file import LARGEST_BYTES, MOST_PARTS, read_toml

GOOD = '''\
name = "x"
text = """
many . . . points, in a text of some lines
"""
ids = ["mp-1.cif", "mp-2.cif"]  # ... and so on
[materials."Al.1"]
prototype = "fcc Al 4.05"
'''


@pytest.mark.parametrize("text", ["", GOOD, GOOD.replace("\n", "\r\n"), "paths = [" + '"a.cif", ' * 5000 + "]"])
def test_what_is_meant_to_be_read_is_read(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode())
    assert read_toml(path) == tomllib.loads(text)


def test_depth_is_counted_by_parts(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(".".join(["a"] * MOST_PARTS) + " = 1\n")
    assert "a" in read_toml(path)
    path.write_text(".".join(["a"] * (MOST_PARTS + 2)) + " = 1\n")
    with pytest.raises(ValueError, match="a key of more than 100 parts"):
        read_toml(path)


def test_size_is_limited(tmp_path):
    path = tmp_path / "x.toml"
    with path.open("wb") as stream:
        stream.truncate(LARGEST_BYTES + 1)
    with pytest.raises(ValueError, match="more than 20 MB"):
        read_toml(path)


@pytest.mark.parametrize("content", [b"x = \xff", b"x = ", b"x = [[[", b"x = " + b"[" * 20_000])
def test_what_is_no_toml_is_a_value_error(tmp_path, content):
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011 - each its own words
        read_toml(path)
