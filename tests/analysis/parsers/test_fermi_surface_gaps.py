from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.epw_output import read_epw_output
from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.fermi_surface_gaps import read_fermi_surface_gaps

CASE = Path(__file__).parents[2] / "data" / "epw" / "pb_anisotropic"
GAPS = CASE / "pb.imag_aniso_gap_FS_002.00"


def test_states_lie_within_the_window():
    gaps = read_fermi_surface_gaps(GAPS, n_points=102)
    assert gaps.k_fractional.shape == (102, 3)
    assert set(gaps.band.tolist()) <= {1, 2}
    # fsthick = 0.6 eV
    assert np.abs(gaps.energy_from_fermi_ev).max() < 0.6


def test_printed_gap_lies_between_the_extremes():
    gaps = read_fermi_surface_gaps(GAPS)
    printed = read_epw_output(CASE / "epw.out").anisotropic_gaps[0].gap_mev
    assert 0 < gaps.lowest_gap_mev < printed < gaps.highest_gap_mev


@pytest.mark.parametrize(("n_points", "error"), [(103, IncompleteOutputError), (101, ParseError)])
def test_wrong_number_of_states_is_refused(n_points, error):
    with pytest.raises(error, match=f"expected {n_points} states, found 102"):
        read_fermi_surface_gaps(GAPS, n_points=n_points)


@pytest.mark.parametrize("row", ["0 0 0 1 0.1", "0 0 0 1.5 0.1 1.2"])
def test_wrong_row_is_located(tmp_path, row):
    path = tmp_path / "gaps"
    path.write_text(GAPS.read_text() + row + "\n")
    with pytest.raises(ParseError, match="line 104"):
        read_fermi_surface_gaps(path)


def test_title_alone_is_incomplete(tmp_path):
    path = tmp_path / "gaps"
    path.write_text(GAPS.read_text().partition("\n")[0] + "\n")
    with pytest.raises(IncompleteOutputError, match="some states"):
        read_fermi_surface_gaps(path)
