"""What each path makes a server of 20,000 steps examine, as it explains: embedded, or that of HIGHTC_TEST_MONGO_URI.

A server's planner may choose another index than the one a path is meant for, but not one that reads more documents.
"""

from __future__ import annotations

from itertools import islice
from uuid import uuid4

import pytest
from fakes.chosen_server import is_embedded, with_database
from fakes.examined import EXAMINER
from fakes.many_steps import CAMPAIGN, SMALL, fill_outputs, fill_steps
from fakes.tiny_campaign import tiny_campaign
from fireworks import FWorker

from hightc.analysis.documents import Alpha2FDocument, TcDocument
from hightc.launch.dispatch import Submission
from hightc.launch.entries import FIRST_PAGE
from hightc.launch.errors import LaunchError
from hightc.launch.lost_runs import campaign_names, failed_steps, running_steps
from hightc.launch.monitor import read_campaign_progress
from hightc.launch.queries import BATCH, documents
from hightc.launch.status import MOST_FAILURES, MOST_RUNNING, RATE_LAUNCHES, read_status
from hightc.launch.store import Database
from hightc.launch.worker import share_of_cores

N_STEPS, N_MATERIALS = 20_000, 3000
FEW = 20
"""Documents of counters, names and the like."""


@pytest.fixture(scope="module")
def large(server):
    """A database with 20,000 steps, 2,000 of them ready, and 6,000 documents of two kinds."""
    name = f"hightc_test_{uuid4().hex[:12]}"
    database = Database(uri=with_database(server, name), name=name, embedded=is_embedded(server))
    try:
        database.prepare()
        fill_steps(database, N_STEPS)
        fill_outputs(database, N_MATERIALS)
        yield database
    finally:
        database.client.drop_database(name)
        database.close()


def examined(database, work):
    """What is returned, and how many documents were examined for it."""
    with EXAMINER.watching(database.uri) as seen:
        answer = work()
    assert seen.calls, "nothing was asked of the database"
    return answer, seen.total


def found(database, **filters):
    answer, total = examined(database, lambda: list(documents(database, TcDocument, **filters)))
    assert answer
    return len(answer), total


@pytest.mark.parametrize(
    "filters",
    [
        {"formula": "Nb7H"},
        {"elements": ["Nb"], "campaign": SMALL},
        {"elements": ["H", "Nb"]},
        {"material": "M01234"},
        {"campaign": SMALL},
        {"campaign": CAMPAIGN},
        {"lambda_range": (1.99, None)},
        {"lambda_range": (1.0, 1.02)},
        {"lambda_range": (None, 0.01), "elements": ["Nb"]},
        {"history": True, "lambda_range": (1.99, None)},
    ],
)
def test_query_by_an_indexed_field_examines_three_documents_for_each_it_returns(large, filters):
    # where it is, whether a newer one is there, and the document itself
    returned, total = found(large, **filters)
    assert total <= 3 * returned + FEW


def test_query_by_elements_in_a_small_campaign_looks_at_no_other_campaign(large):
    # M00002 alone is of the campaign and has Nb
    assert found(large, elements=["Nb"], campaign=SMALL)[0] == 1


@pytest.mark.parametrize("tc_range", [(19.9, None), (5.0, 5.1)])
def test_query_by_tc_examines_a_small_multiple_of_what_it_returns(large, tc_range):
    # a document holds Tc for two mu*: the range may be met by the other one
    returned, total = found(large, tc_range=tc_range)
    assert total <= (2 + 3) * returned + FEW


def test_first_documents_of_a_listing_cost_a_page(large):
    answer, total = examined(large, lambda: list(islice(documents(large, TcDocument), 10)))
    assert [document.material for document in answer] == [f"M{number:05d}" for number in range(5, 15)]
    assert total <= FIRST_PAGE + BATCH + FEW


def test_pages_of_a_listing_leave_nothing_out_and_double_nothing(large):
    labels = [document.material for document in documents(large, TcDocument)]
    assert labels == [f"M{number:05d}" for number in (*range(5, N_MATERIALS), *range(5))]


def test_spectra_by_lambda_are_found_through_the_tc_of_their_materials(large):
    # 15 of 3,000 materials; the spectra have no content here: they are found, and refused when they are read
    def look():
        with pytest.raises(LaunchError, match="stored by another version"):
            list(documents(large, Alpha2FDocument, lambda_range=(1.99, None)))

    _, total = examined(large, look)
    assert total <= (2 + 3) * 15 + FEW


@pytest.mark.parametrize(
    "filters", [{"where": ["omega_log_mev > 5.99"]}, {"sort": "omega_log_mev", "descending": True}]
)
def test_a_field_without_an_index_grows_with_the_documents_of_the_kind_and_no_others(large, filters):
    returned, total = found(large, campaign=CAMPAIGN, **filters)
    assert total <= N_MATERIALS + 2 * returned + FEW


def test_status_reads_running_and_failed_steps_and_the_newest_launches(large):
    status, total = examined(large, lambda: read_status(large))
    shown = len(status.running) + sum(group.count for group in status.failures)
    assert shown == N_STEPS // 1000 + N_STEPS // 100
    assert {campaign.name: sum(campaign.steps.values()) for campaign in status.campaigns} == {
        SMALL: 50,
        CAMPAIGN: N_STEPS - 50,
    }
    # a step and its launch; the newest launches and their steps
    assert total <= 2 * shown + 2 * RATE_LAUNCHES + FEW
    assert shown <= MOST_RUNNING + MOST_FAILURES


def test_recover_reads_running_and_failed_steps_of_the_campaign(large, tmp_path):
    def look():
        (name,) = campaign_names(large, CAMPAIGN)
        return running_steps(large, name, tmp_path, run_alive=False), failed_steps(large, name)

    (running, failed), total = examined(large, look)
    shown = len(running) + sum(len(group.fw_ids) for group in failed)
    assert shown >= 200
    assert total <= 2 * shown + FEW


def test_worker_looks_for_work_among_2000_ready_steps_by_reading_a_few(large, settings, tmp_path):
    worker = FWorker(name="hightc@here:0", query={"spec.campaign": CAMPAIGN})
    ran = {}

    def look():
        ran["share"] = share_of_cores(CAMPAIGN, large, settings)
        ran["ready"] = large.launchpad.run_exists(worker)
        ran["step"], _ = large.launchpad.checkout_fw(worker, str(tmp_path))

    _, total = examined(large, look)
    assert (ran["share"], ran["ready"]) == (1, True)
    # the most urgent: priorities of ready steps are all 3
    assert ran["step"].spec["_priority"] == 3
    running = N_STEPS // 1000
    assert total <= running + FEW


def test_one_look_of_a_run_reads_the_steps_of_its_materials(large, settings, tmp_path):
    material = tiny_campaign(tmp_path, settings).materials[0]
    submissions = [Submission(material, tuple(range(first, first + 10)), reused=True) for first in (101, 201, 301)]
    progress, total = examined(large, lambda: read_campaign_progress(submissions, large))
    assert [entry.total for entry in progress] == [10, 10, 10]
    # a workflow, its steps and their launches
    assert total <= len(submissions) * (1 + 10 + 10) + FEW
