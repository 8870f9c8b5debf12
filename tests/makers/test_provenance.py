from __future__ import annotations

import pytest

from hightc.analysis.documents import Correction, Provenance
from hightc.makers.base import combined_digest
from hightc.makers.electron_phonon import joined_provenance


def run(program, seconds, *, tried=(), key=None, origin=None):
    corrections = tuple(Correction(handler="H", errors=(error,), actions=()) for error in tried)
    return Provenance(
        input_sha256=program,
        codes={program: "6.7"},
        pseudopotentials=(),
        corrections=corrections,
        directory=f"/{program}",
        wall_seconds=seconds,
        content_sha256=key,
        reused_from=origin,
    )


@pytest.mark.parametrize(("seconds", "total"), [((1.0, 2.5), 3.5), ((1.0, None), None), ((None, None), None)])
def test_wall_time_of_several_runs_is_unknown_when_that_of_one_is(seconds, total):
    assert joined_provenance([run("pw.x", seconds[0]), run("ph.x", seconds[1])]).wall_seconds == total


def test_joined_provenance_names_every_program_input_and_correction_in_order():
    joined = joined_provenance([run("pw.x", 1.0, tried=("killed",)), run("ph.x", 1.0, tried=("walltime",))])
    assert joined.codes == {"pw.x": "6.7", "ph.x": "6.7"}
    assert [correction.errors for correction in joined.corrections] == [("killed",), ("walltime",)]
    assert joined.input_sha256 == combined_digest(["pw.x", "ph.x"])
    assert joined.directory == "/ph.x"


@pytest.mark.parametrize(("keys", "known"), [(("1", "2"), True), (("1", None), False), ((None, None), False)])
def test_joined_key_is_known_where_that_of_every_run_is(keys, known):
    joined = joined_provenance([run("ph.x", 1.0, key=key) for key in keys])
    assert joined.content_sha256 == (combined_digest(["1", "2"]) if known else None)


def test_joined_result_is_called_reused_where_every_run_was():
    first, second = run("pw.x", 1.0, origin="/a"), run("ph.x", 1.0, origin="/b")
    assert joined_provenance([first, second]).reused_from == "/b"
    assert joined_provenance([run("pw.x", 1.0), second]).reused_from is None
