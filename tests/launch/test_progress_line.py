from __future__ import annotations

from hightc.launch.progress_line import ProgressLine


def test_what_is_done_at_once_says_nothing():
    lines: list[str] = []
    line = ProgressLine(lines.append, "submitting", 3)
    line.show(1)
    line.show(3)
    assert lines == []


def test_what_takes_long_says_how_far_it_is():
    lines: list[str] = []
    line = ProgressLine(lines.append, "submitting", 3, seconds_between=0)
    line.show(1)
    line.show(2)
    assert lines == ["submitting: 1 of 3 materials", "submitting: 2 of 3 materials"]


def test_nobody_is_told_where_nobody_listens():
    ProgressLine(None, "submitting", 3, seconds_between=0).show(1)
