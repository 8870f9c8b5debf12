from __future__ import annotations

import pytest
from fakes.counted_database import CountedDatabase
from fakes.finished_materials import template
from fakes.tiny_jobs import answer, fail, relax, solve

from hightc.launch.errors import LaunchError
from hightc.launch.lazy_documents import LazyDocuments, gates_of
from hightc.launch.recovery import fail_step
from hightc.launch.results import MATERIALS_A_CHUNK, Outcome, collect_results, iterate_results
from hightc.launch.run import exit_code
from hightc.launch.stored_form import stored_form
from hightc.launch.stored_words import error_message

CHAINED = """\
Traceback (most recent call last):
  File "execution.py", line 200, in run_program
    custodian.run()
custodian.custodian.ValidationError: Validation failed: FinishedValidator

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "rocket.py", line 261, in run
    m_action = t.run_task(my_spec)
               ^^^^^^^^^^^^^^^^^^^
  File "execution.py", line 210, in run_program
    raise ProgramFailedError(message) from error
hightc.makers.errors.ProgramFailedError: pw.x failed in /runs/Al: too few bands
stderr: Error: in routine electrons
advice: raise nbnd
"""
NESTED = """\
Traceback (most recent call last):
  File "launchpad.py", line 1834, in _refresh_wf
    updated_ids = wf.refresh(fw_id)
RuntimeError: Error refreshing workflow. The full stack trace is: Traceback (most recent call last):
  File "firework.py", line 193, in from_dict
    additions = d["additions"]
KeyError: 'additions'
"""


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        ("", ""),
        (CHAINED, "pw.x failed in /runs/Al: too few bands\nstderr: Error: in routine electrons\nadvice: raise nbnd"),
        (NESTED, "KeyError: 'additions'"),
        ("Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'rho'\n", "KeyError: 'rho'"),
        ('Traceback (most recent call last):\n  File "a.py", line 1\nAssertionError\n', "AssertionError"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\npymongo.errors.AutoReconnect: gone: retry\n',
            "AutoReconnect: gone: retry",
        ),
        ("worker 0 was killed by SIGKILL\nits log: end", "worker 0 was killed by SIGKILL\nits log: end"),
        ("Traceback (most recent call last):\n", "Traceback (most recent call last):"),
    ],
)
def test_message_is_that_of_the_last_exception_whole_and_without_frames(trace, message):
    assert error_message(trace) == message


@pytest.fixture
def result(run_worker, database):
    def run(*jobs, fault=None):
        submission = run_worker.submit("Al", jobs)
        run_worker()
        (collected,) = collect_results([submission], database, fault=fault)
        return collected

    return run


def test_material_with_tc_is_answered(result, run_worker):
    found = result(relax(run_worker.tag("Al"), 0.0), solve(run_worker.tag("Al")))
    assert found.outcome is Outcome.ANSWERED
    assert found.tc is not None
    assert found.tc.lambda_ == 0.4
    assert found.reason is found.gate is found.failure is None
    assert list(found.documents) == ["structure", "tc"]
    assert exit_code([found]) == 0


def test_insulator_is_gated_with_the_number_behind_the_verdict_and_has_no_tc(result, run_worker):
    found = result(relax(run_worker.tag("Al"), 1.25), solve(run_worker.tag("Al")))
    assert found.outcome is Outcome.GATED
    assert found.tc is found.alpha2f is found.phonon is found.failure is None
    assert found.reason == "insulator: gap 1.250 eV, expected below 0.1 eV for a metal"
    assert exit_code([found]) == 0


def test_failure_names_step_message_and_folder_without_a_traceback(result, tmp_path):
    found = result(answer(1), fail("pw.x failed:\nnumber of bands: too small"), answer(2))
    assert found.outcome is Outcome.FAILED
    assert found.failure is not None
    assert found.failure.step == "Al fail"
    assert found.failure.reason == "pw.x failed:\nnumber of bands: too small"
    assert found.failure.directory == str(tmp_path / found.submission.material.folder / "02-fail")
    assert found.reason == "Al fail: pw.x failed:\nnumber of bands: too small"
    assert exit_code([found]) == 1


def test_failure_of_another_class_than_hightcs_names_its_class(result):
    found = result(fail("rho", own=False))
    assert found.reason == "Al fail: KeyError: 'rho'"


def test_output_that_is_no_document_is_no_answer(result):
    found = result(answer({"kind": "unheard of"}), answer(None))
    assert found.outcome is Outcome.UNFINISHED
    assert dict(found.documents) == {}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (None, "not finished: run the campaign again"),
        ("worker 0 ended with code 1", "not finished: worker 0 ended with code 1"),
    ],
)
def test_unfinished_material_says_what_became_of_its_worker(fault, reason, run_worker, database):
    submission = run_worker.submit("Al", [answer(1)])
    (found,) = collect_results([submission], database, fault=fault)
    assert found.outcome is Outcome.UNFINISHED
    assert found.reason == reason
    assert exit_code([found]) == 1


@pytest.mark.parametrize(
    ("stored", "fault", "reason"),
    [
        ("worker 0 was killed", "worker 1 was", "worker 0 was killed"),
        ("", "worker 1 ended with code 1", "worker 1 ended with code 1"),
        ("", None, "it left no reason: see the logs in workers/ of the campaign's folder"),
    ],
)
def test_failure_without_a_traceback_says_what_is_known(stored, fault, reason, run_worker, database, tmp_path):
    submission = run_worker.submit("Al", [answer(1)])
    database.launchpad.checkout_fw(run_worker.fworker, str(tmp_path))
    fail_step(submission.fw_ids[0], database, stored)
    (found,) = collect_results([submission], database, fault=fault)
    assert found.outcome is Outcome.FAILED
    assert found.failure is not None
    assert found.failure.reason == reason


def test_material_that_will_be_tried_again_is_unfinished_not_failed(run_worker, database):
    submission = run_worker.submit("Al", [fail("once"), answer(1)])
    run_worker()
    database.launchpad.rerun_fw(submission.fw_ids[0])
    (found,) = collect_results([submission], database)
    assert found.outcome is Outcome.UNFINISHED


def test_one_failure_among_answers_ends_with_1(result, run_worker):
    answered = result(solve(run_worker.tag("Al")))
    failed = result(fail("no"))
    assert exit_code([answered]) == exit_code([]) == 0
    assert exit_code([answered, failed]) == 1


@pytest.fixture
def many(run_worker):
    """Submit so many materials that answer and so many that fail, and run them."""

    def run(count, prefix):
        submissions = [
            run_worker.submit(
                f"{prefix}{number}", [relax(run_worker.tag(f"{prefix}{number}"), 0.0), solve(run_worker.tag("x"))]
            )
            for number in range(count)
        ]
        submissions += [run_worker.submit(f"{prefix}F{number}", [fail(f"no {number}")]) for number in range(count)]
        run_worker()
        return submissions

    return run


@pytest.mark.parametrize("kinds", [None, ("tc",)])
def test_materials_are_read_together_however_many(kinds, many, database):
    asked = []
    for count, prefix in ((1, "S"), (12, "L")):
        counted = CountedDatabase.of(database)
        results = list(iterate_results(many(count, prefix), counted, kinds=kinds))
        assert [result.outcome for result in results] == [Outcome.ANSWERED] * count + [Outcome.FAILED] * count
        assert [result.failure.reason for result in results[count:]] == [f"no {number}" for number in range(count)]
        asked.append(counted.asked()[0])
        counted.close()
    # nodes, steps, documents, launches of what failed; and documents of the kinds that were asked for
    assert asked == [4, 4] if kinds is None else [5, 5]


def test_results_come_in_chunks_and_none_is_read_too_early(many, database):
    counted = CountedDatabase.of(database)
    (submission, _) = many(1, "S")
    results = iterate_results([submission] * (2 * MATERIALS_A_CHUNK + 1), counted)
    assert next(results).outcome is Outcome.ANSWERED
    first = counted.asked()[0]
    assert len(list(results)) == 2 * MATERIALS_A_CHUNK
    assert counted.asked()[0] == 2 * first
    counted.close()


def test_kinds_that_were_not_read_are_known_with_their_gates_and_refused(many, database):
    (submission, _) = many(1, "S")
    (found,) = iterate_results([submission], database, kinds=())
    assert found.outcome is Outcome.ANSWERED
    assert found.tc is not None  # outcomes depend on it
    assert list(found.documents) == ["structure", "tc"]
    assert [gate.name for group in gates_of(found.documents, "structure") for gate in group] == ["metal"]
    with pytest.raises(LaunchError, match="documents of kind structure: expected to have been read"):
        _ = found.documents["structure"]


def test_document_is_validated_when_it_is_asked_for_and_once():
    stored = {"kind": "structure", "gates": [], "no such field": 1}
    documents = LazyDocuments([stored, {**stored_form(template()["Tc"])}])
    assert list(documents) == ["structure", "tc"]
    assert "structure" in documents
    assert documents["tc"][0] is documents["tc"][0]
    with pytest.raises(ValueError, match="no such field"):
        _ = documents["structure"]
    assert documents.get("scf", ()) == ()


def test_document_that_a_later_job_replaced_counts_no_more(many, database):
    (submission, _) = many(1, "S")
    outputs = database.collections["outputs"]
    entry = outputs.find_one({"output.kind": "structure"})
    entry["output"]["space_group"] = "P1"
    outputs.insert_one({**entry, "_id": 1, "index": 2, "completed_at": "9999"})
    (found,) = collect_results([submission], database)
    assert [document.space_group for document in found.documents["structure"]] == ["P1"]
    assert list(found.documents) == ["tc", "structure"]  # in the order they were stored
