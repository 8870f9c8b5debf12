from pathlib import Path

import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError
from hightc.analysis.parsers.post_processing import read_matdyn_output, read_q2r_output
from hightc.analysis.parsers.units import RYDBERG_EV

QE = Path(__file__).parents[2] / "data" / "qe"
AL = QE / "al_linear_response"


def test_q2r_tells_matrices_and_checks():
    run = read_q2r_output(AL / "q2r.out")
    assert run.code_version == "6.7MaX"
    assert run.matrices == ("al.dyn1", "al.dyn2", "al.dyn3")
    assert sum(run.star_sizes) == 2**3
    assert run.imaginary_sum == 0
    assert run.smearings_ev == pytest.approx([0.005 * n * RYDBERG_EV for n in range(1, 1 + len(run.smearings_ev))])
    assert run.imaginary_sums_linewidths == (0,) * len(run.smearings_ev)
    assert run.smearings_ev


def test_imaginary_force_constants_are_told(tmp_path):
    # the other branch of q2r.x 6.7: "fft-check warning: sum of imaginary terms = ",es12.6
    success = "fft-check success (sum of imaginary terms < 10^-12)"
    path = tmp_path / "q2r.out"
    path.write_text(
        (AL / "q2r.out").read_text().replace(success, "fft-check warning: sum of imaginary terms = 1.5E-07", 1)
    )
    run = read_q2r_output(path)
    assert run.imaginary_sum == 1.5e-7
    assert set(run.imaginary_sums_linewidths) == {0}


def test_missing_check_is_refused(tmp_path):
    head, _, tail = (AL / "q2r.out").read_text().rpartition("      fft-check success")
    path = tmp_path / "q2r.out"
    path.write_text(head + tail.partition("\n")[2])
    with pytest.raises(IncompleteOutputError, match="fft-check"):
        read_q2r_output(path)


def test_matdyn_passes_on_its_messages():
    run = read_matdyn_output(AL / "matdyn.dos.out")
    assert run.messages == ("Z* not found in file al.fc, TO-LO splitting at q=0 will be absent!",)


@pytest.mark.parametrize(
    ("read", "file"),
    [
        (read_q2r_output, "missing_elph_smearing/q2r.out"),
        (read_matdyn_output, "missing_elph_smearing/matdyn.dos.out"),
    ],
)
def test_failed_run_is_refused(read, file):
    with pytest.raises(ParseError, match="JOB DONE") as caught:
        read(QE / file)
    assert caught.value.line
