from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hightc.launch.errors import LaunchError
from hightc.launch.plain_text import LONGEST, plain_text


@given(some.text(alphabet=some.characters(exclude_categories=()), max_size=3000))
def test_whatever_is_written_can_be_shown_and_is_short(text):
    plain = plain_text(text)
    assert plain.replace("\n", "").isprintable()
    assert len(plain) <= LONGEST
    plain.encode("utf-8")


@pytest.mark.parametrize("text", ["expected 3.5 Å, found Nb₃Sn", "two\nlines", "", "x" * LONGEST])
def test_plain_words_are_kept(text):
    assert plain_text(text) == text


def test_what_steers_a_terminal_is_written_as_its_code():
    assert plain_text("\x1b[31mred\u202e\0\udcff\r") == "\\x1b[31mred\\u202e\\x00\\udcff\\r"


def test_long_text_keeps_its_beginning_and_its_end():
    assert plain_text("begin" + "x" * 100 + "end", 40).startswith("beginxxx")
    assert plain_text("begin" + "x" * 100 + "end", 40).endswith("xxxend")
    assert len(plain_text("x" * 100, 40)) == 40


def test_message_of_an_error_is_plain():
    assert str(LaunchError("\x1b[2J: no such file")) == "\\x1b[2J: no such file"
