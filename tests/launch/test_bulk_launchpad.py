from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.counted_database import CountedDatabase
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign
from fireworks import Firework, FWorker, ScriptTask, Workflow

from hightc.launch import bulk_launchpad
from hightc.launch.bulk_launchpad import KEYS_A_QUERY, WORKFLOWS_A_BATCH, add_workflows, batches, known_workflows
from hightc.launch.dispatch import MU_STAR, make_workflow, nodes_of_each, submit
from hightc.launch.errors import DatabaseError

LABELS = ("A", "B", "C")


@pytest.fixture
def campaign(tmp_path, settings):
    entries = [f'[materials.{label}]\nprototype = "fcc Al 4.1{number}"\n' for number, label in enumerate(LABELS)]
    return tiny_campaign(tmp_path, settings, ALUMINIUM + "\n" + "\n".join(entries))


def stored(database):
    """Name, links by name, and states of every workflow."""
    launchpad = database.launchpad
    names = {fw["fw_id"]: fw["name"] for fw in launchpad.fireworks.find({}, {"fw_id": 1, "name": 1})}
    found = {}
    for workflow in launchpad.workflows.find({}):
        links = {names[int(parent)]: {names[child] for child in kids} for parent, kids in workflow["links"].items()}
        states = {names[int(fw_id)]: state for fw_id, state in workflow["fw_states"].items()}
        found[workflow["metadata"]["material"]] = (links, states)
    return found


def test_batch_has_the_links_and_states_of_workflows_added_one_by_one(campaign, database, tmp_path):
    submit(campaign, database, tmp_path)
    in_bulk = stored(database)
    database.launchpad.workflows.delete_many({})
    database.launchpad.fireworks.delete_many({})
    for material in campaign.materials:
        database.launchpad.add_wf(make_workflow(material, tmp_path))
    assert in_bulk == stored(database)


def test_ids_of_a_batch_are_those_of_its_fireworks(campaign, database, tmp_path):
    for submission in submit(campaign, database, tmp_path):
        label = submission.material.tag.material
        query = {"fw_id": {"$in": list(submission.fw_ids)}}
        found = list(database.launchpad.fireworks.find(query, {"name": 1, "state": 1, "fw_id": 1}))
        assert len(found) == len(submission.fw_ids)
        assert {firework["name"].split()[0] for firework in found} == {label}
        # the first step has the highest id, and is written last
        assert next(fw["fw_id"] for fw in found if fw["state"] == "READY") == max(submission.fw_ids)


def test_batch_prints_nothing(campaign, database, tmp_path, capfd):
    add_workflows(database.launchpad, [make_workflow(material, tmp_path) for material in campaign.materials])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kept", [0, 5, 9, 14])
def test_what_a_kill_left_in_the_middle_of_a_batch_is_completed(kept, campaign, database, tmp_path):
    whole = submit(campaign, database, tmp_path)
    expected = stored(database)
    # all workflows are written before the first firework
    written = sorted(fw["fw_id"] for fw in database.launchpad.fireworks.find({}, {"fw_id": 1}))
    database.launchpad.fireworks.delete_many({"fw_id": {"$in": written[kept:]}})
    again = submit(campaign, database, tmp_path)
    assert [entry.reused for entry in again] == [max(entry.fw_ids) <= written[kept] - 1 for entry in whole]
    assert stored(database) == expected
    assert database.launchpad.workflows.count_documents({}) == len(campaign.materials)
    assert database.launchpad.fireworks.count_documents({}) == len(written)
    assert all(entry.reused for entry in submit(campaign, database, tmp_path))


def test_workflows_that_were_written_in_part_only_are_added(campaign, database, tmp_path):
    first = submit(campaign, database, tmp_path)
    gone = first[1]
    database.launchpad.workflows.delete_many({"nodes": gone.fw_ids[0]})
    database.launchpad.fireworks.delete_many({"fw_id": {"$in": list(gone.fw_ids)}})
    again = submit(campaign, database, tmp_path)
    assert [entry.reused for entry in again] == [True, False, True, True]


def test_incomplete_workflow_that_was_begun_is_left_alone(campaign, database, tmp_path):
    submission = submit(campaign, database, tmp_path)[0]
    database.launchpad.checkout_fw(FWorker(), str(tmp_path), fw_id=submission.fw_ids[0])
    database.launchpad.fireworks.delete_many({"fw_id": submission.fw_ids[-1]})
    with pytest.raises(DatabaseError, match=r"expected 9 fireworks, found fewer, and some were begun: remove it"):
        submit(campaign, database, tmp_path)


def test_known_workflows_tell_what_their_fireworks_hold(campaign, database, tmp_path):
    submit(campaign, database, tmp_path)
    keys = [material.key for material in campaign.materials]
    known = known_workflows(database.launchpad, [*keys, "nobody"], MU_STAR, ["Tc"])
    assert list(known) == keys
    assert {tuple(map(tuple, entry.values)) for entry in known.values()} == {((0.1, 0.13, 0.16),)}
    assert known_workflows(database.launchpad, [], MU_STAR, ["Tc"]) == {}


def test_batches_are_whole_and_in_order():
    assert [list(part) for part in batches(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert WORKFLOWS_A_BATCH < KEYS_A_QUERY == bulk_launchpad.KEYS_A_QUERY


def test_submitting_again_asks_no_more_for_many_materials_than_for_few(campaign, database, tmp_path):
    asked = []
    for materials in (campaign.materials[:1], campaign.materials):
        submissions = submit(replace(campaign, materials=materials), database, tmp_path)
        counted = CountedDatabase.of(database)
        assert all(entry.reused for entry in submit(replace(campaign, materials=materials), counted, tmp_path))
        assert nodes_of_each(submissions, counted) == [sorted(entry.fw_ids) for entry in submissions]
        asked.append(counted.asked()[0])
        counted.close()
    assert asked == [4, 4]


def test_nodes_of_each_hold_what_running_jobs_added(campaign, database, tmp_path):
    first, second, *_ = submit(campaign, database, tmp_path)
    database.launchpad.append_wf(Workflow([Firework(ScriptTask.from_str("true"))]), [first.fw_ids[0]])
    found = nodes_of_each([second, first], database)
    assert found[0] == sorted(second.fw_ids)
    assert set(found[1]) > set(first.fw_ids)
    assert len(found[1]) == len(first.fw_ids) + 1
