"""What a watcher is told while the output grows."""

import random
from pathlib import Path

import pytest

from hightc.analysis.parsers.progress import read_progress

QE = Path(__file__).parents[2] / "data" / "qe"


def cut(tmp_path, file, marker, occurrence=1):
    """Copy a recorded output up to and with the given occurrence of a marker."""
    text = (QE / file).read_text()
    position = -1
    for _ in range(occurrence):
        position = text.index(marker, position + 1)
    path = tmp_path / "out"
    path.write_text(text[: position + len(marker)])
    return path


def test_scf_iteration_is_told(tmp_path):
    path = cut(tmp_path, "al_scf/scf.out", "iteration #  3")
    assert read_progress(path).startswith("scf iteration 3, accuracy ")


def test_bfgs_step_is_told(tmp_path):
    path = cut(tmp_path, "relax_not_converged/relax.out", "iteration #  2", 2)
    assert read_progress(path).startswith("bfgs step 0, scf iteration 2")


def test_phonon_position_is_told(tmp_path):
    path = cut(tmp_path, "al_linear_response/elph.out", "iter #   4 total cpu time")
    assert read_progress(path) == "q 2 of 3, representation 1 of 2, iteration 4"


def test_new_representation_starts_without_the_iteration_of_the_last(tmp_path):
    path = cut(tmp_path, "al_linear_response/elph.out", "Representation #   2 mode")
    assert read_progress(path) == "q 2 of 3, representation 2 of 2"


def test_new_q_point_starts_without_the_representation_of_the_last(tmp_path):
    path = cut(tmp_path, "al_linear_response/elph.out", "Calculation of q =    0.0000000  -1.0000000   0.0000000\n")
    assert read_progress(path) == "q 3 of 3"


def test_recovered_run_has_no_list_to_count_in():
    assert read_progress(QE / "ph_diverged/ph.out") == "representation 1 of 2, iteration 21"


def test_end_is_told():
    assert read_progress(QE / "al_linear_response/elph.out") == "done"
    assert read_progress(QE / "al_scf/scf.out") == "done"


def test_q_point_far_behind_the_tail_is_still_found(tmp_path):
    text = (QE / "al_linear_response/elph.out").read_text()
    position = text.index("iter #   4 total cpu time")
    path = tmp_path / "out"
    path.write_text(text[:position] + "     filling\n" * 60_000 + text[position : position + 40])
    assert read_progress(path) == "q 2 of 3, representation 1 of 2, iteration 4"


@pytest.mark.parametrize("content", [b"", b"\x00\xff\n", b"something else\n", b"Program PWSCF", b"Program PHONON"])
def test_nothing_to_say_is_none(tmp_path, content):
    path = tmp_path / "out"
    path.write_bytes(content)
    assert read_progress(path) is None


def test_missing_file_and_folder_are_none(tmp_path):
    assert read_progress(tmp_path / "none") is None
    assert read_progress(tmp_path) is None


@pytest.mark.parametrize("file", ["al_linear_response/elph.out", "relax_not_converged/relax.out", "ph_diverged/ph.out"])
def test_growing_file_never_raises(tmp_path, file):
    content = (QE / file).read_bytes()
    generator = random.Random(7)
    path = tmp_path / "out"
    for _ in range(40):
        path.write_bytes(content[: generator.randrange(len(content))])
        told = read_progress(path)
        assert told is None or told


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("     MMN\n           63 of   64 on ionode\n", "Wannier functions, overlaps at k 63 of 64"),
        ("        q(    5 ) = (   0.5000000  -0.5000000  -0.5000000 )\n", "coarse q 5"),
        ("     Progression iq (fine) =        300/       998\n", "fine q 300 of 998"),
        ("     Progression iq (fine) = 900/ 998\n     temp(  2) =      3.00000 K\n", "gap at 3.00000 K"),
        ("", None),
    ],
)
def test_epw_is_followed_from_its_overlaps_to_its_gaps(tmp_path, printed, said):
    output = tmp_path / "epw.out"
    output.write_text(f"     Program EPW v.5.3.1 starts on 22Nov2026 at 15:10:14\n{printed}")
    assert read_progress(output) == said
