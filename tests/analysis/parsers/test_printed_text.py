from pathlib import Path

import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError, UnreadableNumberError
from hightc.analysis.parsers.printed_text import PrintedText

DATA = Path(__file__).parents[2] / "data" / "qe"
SCF = DATA / "al_scf" / "scf.out"


def test_last_label_counts():
    file = PrintedText(SCF, "look")
    # the first of several is that of the first iteration
    assert file.text.count("estimated scf accuracy    <") > 1
    assert file.last_number("estimated scf accuracy    <", "accuracy in Ry") < 1e-8
    assert "estimated scf accuracy" in file.lines[file.position - 1]


def test_missing_label_is_none():
    assert PrintedText(SCF, "look").last_number("no such words", "nothing") is None


def test_number_that_overflowed_is_located(tmp_path):
    path = tmp_path / "scf.out"
    path.write_text("first\n the Fermi energy is ******* ev\n")
    with pytest.raises(UnreadableNumberError, match=r"scf\.out line 2"):
        PrintedText(path, "look").last_number("the Fermi energy is", "Fermi energy")


def test_banner_tells_program_and_version():
    file = PrintedText(SCF, "look")
    assert file.require_banner("PWSCF") == "6.7MaX"
    with pytest.raises(ParseError, match="expected 'Program PHONON"):
        file.require_banner("PHONON")


def test_run_without_job_done_is_refused(tmp_path):
    path = tmp_path / "scf.out"
    path.write_text(SCF.read_text().partition("=---")[0])
    with pytest.raises(IncompleteOutputError, match="JOB DONE"):
        PrintedText(path, "look").require_job_done()
    PrintedText(SCF, "look").require_job_done()


def test_run_that_stopped_itself_is_told_by_its_message():
    file = PrintedText(DATA / "missing_pseudopotential" / "scf.out", "look")
    with pytest.raises(ParseError, match=r"readpp \(1\): .* not found: the run stopped itself") as caught:
        file.require_job_done()
    assert "Error in routine" in file.lines[caught.value.line - 1]
