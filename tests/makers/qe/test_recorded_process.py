from __future__ import annotations

import subprocess

import pytest

from hightc.makers.qe.recorded_process import RecordedProcess, read_recorded_end


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9)])
def test_return_code_is_left_beside_the_output(tmp_path, command, code):
    output = tmp_path / "pw.out"
    assert RecordedProcess(["sh", "-c", command], output).wait() == code
    assert read_recorded_end(output) == (code, False)


def test_process_that_was_asked_to_end_is_told_from_one_that_was_killed(tmp_path):
    output = tmp_path / "pw.out"
    process = RecordedProcess(["sleep", "60"], output)
    assert process.poll() is None
    assert read_recorded_end(output) is None
    process.terminate()
    process.wait(10)
    assert process.poll() == -15
    assert read_recorded_end(output) == (-15, True)


def test_record_of_an_earlier_process_is_forgotten_when_another_starts(tmp_path):
    output = tmp_path / "pw.out"
    RecordedProcess(["false"], output).wait()
    process = RecordedProcess(["sleep", "60"], output)
    assert read_recorded_end(output) is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    assert read_recorded_end(output) is None
    process.kill()
    process.wait()
