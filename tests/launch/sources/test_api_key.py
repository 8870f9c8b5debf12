from __future__ import annotations

import pytest

from hightc.launch.sources.api_key import read_api_key
from hightc.launch.sources.errors import SourceKeyError

KEY = "k3y" + "0123456789" * 2 + "abcdefghi"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch, tmp_path):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setenv("HIGHTC_SETTINGS_FILE", str(tmp_path / "settings.toml"))


def key_file(tmp_path, mode: int, name: str = "key"):
    path = tmp_path / name
    path.write_text(f"{KEY}\n")
    path.chmod(mode)
    return path


def test_key_is_read_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MP_API_KEY", KEY)
    assert read_api_key(None, tmp_path).get_secret_value() == KEY


def test_key_is_read_from_a_file_of_its_owner_alone(tmp_path):
    key_file(tmp_path, 0o600)
    assert read_api_key("key", tmp_path).get_secret_value() == KEY


def test_key_beside_the_settings_is_found(tmp_path):
    key_file(tmp_path, 0o400, "mp_api_key")
    assert read_api_key(None, tmp_path).get_secret_value() == KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_file_that_others_can_use_is_refused_without_showing_the_key(tmp_path, mode):
    path = key_file(tmp_path, mode)
    with pytest.raises(SourceKeyError, match=rf"mode {mode:04o}: expected 0600: run: chmod 600") as error:
        read_api_key(str(path), tmp_path)
    assert KEY not in str(error.value)


def test_missing_key_says_where_it_is_expected(tmp_path):
    with pytest.raises(
        SourceKeyError, match=r"no API key: expected it in MP_API_KEY, or in .*mp_api_key with mode 0600"
    ):
        read_api_key(None, tmp_path)


def test_missing_key_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SourceKeyError, match=r"none: expected a file with the API key"):
        read_api_key("none", tmp_path)


@pytest.mark.parametrize("text", ["short", "x" * 33, "x" * 31 + "\n" + "y", "é" * 32])
def test_text_that_is_no_key_is_refused_without_being_shown(monkeypatch, tmp_path, text):
    monkeypatch.setenv("MP_API_KEY", text)
    with pytest.raises(SourceKeyError, match="expected a key of 32 letters and digits") as error:
        read_api_key(None, tmp_path)
    assert text not in str(error.value)


def test_key_is_not_shown_by_print(monkeypatch, tmp_path):
    monkeypatch.setenv("MP_API_KEY", KEY)
    key = read_api_key(None, tmp_path)
    assert KEY not in f"{key} {key!r}"
