from pathlib import Path

import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.nesting_report import NestingPeak, read_nesting_report

REPORT = Path(__file__).parents[2] / "data" / "qe" / "cr_nesting" / "nest_32.txt"


def test_peaks_of_chromium():
    report = read_nesting_report(REPORT)
    assert report.widths_ev == (0.05, 0.1)
    assert report.dos_per_ev_spin_cell == (0.2915, 0.3246)
    assert report.nesting[0][0] == NestingPeak("100", 0.9375, 0.485, 1.0, 0.363)
    assert report.chi0[1][2] == NestingPeak("111", 0.0, 5.6566, 0.5, 5.4953)


def test_every_missing_line_is_seen(tmp_path):
    lines = REPORT.read_text().splitlines(keepends=True)
    path = tmp_path / "nest.txt"
    for count in range(len(lines)):
        path.write_text("".join(lines[:count]))
        with pytest.raises(IncompleteOutputError):
            read_nesting_report(path)


def test_strange_line_is_located(tmp_path):
    path = tmp_path / "nest.txt"
    path.write_text(REPORT.read_text().replace("nest 110 peak", "nest 110 peek", 1))
    with pytest.raises(ParseError, match=r"nest\.txt line 5"):
        read_nesting_report(path)
