from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError, ParseError
from hightc.analysis.parsers.ph_output import read_ph_out, read_ph_output

QE = Path(__file__).parents[2] / "data" / "qe"
AL = QE / "al_linear_response"


def test_finished_log_has_every_q_point_with_its_coupling():
    run = read_ph_out(AL / "elph.out")
    assert run.job_done
    assert run.code_version == "6.7MaX"
    assert run.finished == run.coupled == (True, True, True)
    np.testing.assert_allclose(run.q_cartesian[2], [0, -1, 0])


def test_stopped_log_knows_what_it_finished():
    run = read_ph_out(QE / "ph_max_seconds/ph.out")
    assert run.finished == (True, False, False)
    assert run.coupled == (False, False, False)


def test_recovered_log_lists_what_it_reached():
    run = read_ph_out(QE / "ph_diverged/ph.out")
    np.testing.assert_allclose(run.q_cartesian, [[0.5, -0.5, 0.5], [0, -1, 0]])
    assert run.finished == (True, False)
    assert not run.job_done


def test_log_without_q_points_is_an_error(tmp_path):
    path = tmp_path / "ph.out"
    text = (AL / "elph.out").read_text()
    path.write_text(text[: text.index("   3   0.000000000  -1.0")])
    with pytest.raises(IncompleteOutputError, match="the list of 3 q points, found 2"):
        read_ph_out(path)
    with pytest.raises(MissingOutputError):
        read_ph_out(tmp_path / "none")


def test_finished_run_is_read_alike_by_either_reader():
    strict, lenient = read_ph_output(AL / "elph.out"), read_ph_out(AL / "elph.out")
    assert strict.finished == lenient.finished == (True,) * 3
    assert np.array_equal(strict.q_cartesian, lenient.q_cartesian)


def test_failed_run_is_refused_by_its_message():
    with pytest.raises(ParseError, match=r"JOB DONE.* found an error in routine broyden \(2\)") as caught:
        read_ph_output(QE / "ph_diverged/ph.out")
    assert caught.value.line
