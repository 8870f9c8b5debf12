from __future__ import annotations

import os
import stat

import pytest

from hightc.analysis.files import write_bytes, write_text


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_file_holds_what_was_written_and_nothing_else_is_left(tmp_path):
    write_text(tmp_path / "a.txt", "λ = 0.4\n")
    assert (tmp_path / "a.txt").read_bytes() == "λ = 0.4\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"long content")
    write_bytes(path, b"short")
    assert path.read_bytes() == b"short"


def test_write_that_fails_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(TypeError):
        write_bytes(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_target_that_cannot_be_replaced_leaves_no_temporary(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_bytes(tmp_path / "folder", b"content")
    assert names(tmp_path) == ["folder"]


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none" / "a.txt", "text")


def test_permission_bits_are_those_asked_for(tmp_path):
    write_text(tmp_path / "secret", "x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "open", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o644
