from __future__ import annotations

import pytest
from fakes.flow_runner import FlowRunner
from jobflow import Flow, JobConfig, OutputReference, job
from jobflow.managers.fireworks import flow_to_workflow

from hightc.makers.dynamic_jobs import MADE, follow_with, groups, replace_by, running_job, take_the_place_of
from hightc.makers.errors import CalculationError
from hightc.makers.tc import TcMaker


@job
def number(value):
    return value


@job
def two_more():
    this = running_job()
    first = number(2)
    last = number(first.output)
    last.name = "last"
    take_the_place_of(last, this.uuid, this.index + 1)
    return replace_by({"a": first, "b": last}, "maker", output=0)


@pytest.fixture
def parent():
    parent = two_more()
    parent.name = "Al maker"
    return parent


def children(parent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return parent.run(FlowRunner(tmp_path / "flow").store).replace.jobs


def test_children_have_names_folders_and_priorities_of_their_own(parent, tmp_path, monkeypatch):
    config = {"_launch_dir": "/somewhere", "_priority": 4, "_category": "big"}
    parent.update_config(JobConfig(manager_config=config))
    first, last = children(parent, tmp_path, monkeypatch)
    assert (first.name, last.name) == ("Al number", "Al last")
    assert [one.config.manager_config["_launch_dir"] for one in (first, last)] == [
        str(tmp_path / "a"),
        str(tmp_path / "b"),
    ]
    assert [one.config.manager_config["_category"] for one in (first, last)] == ["big", "big"]
    priorities = [one.config.manager_config["_priority"] for one in (first, last)]
    assert 5 > priorities[0] > priorities[1] > 4


@job
def one_of_a_maker():
    return replace_by({"a": TcMaker().make(None), "b": number(1)}, "maker")


def test_children_have_what_was_told_of_their_maker_and_else_what_the_parent_has(tmp_path, monkeypatch):
    parent = one_of_a_maker()
    told = {"TcMaker": {"_category": "serial", "resources": {"processes": 1}}}
    config = {"_category": "parallel", "resources": {"processes": 9}, MADE: told}
    parent.update_config(JobConfig(manager_config=config))
    first, last = (child.config.manager_config for child in children(parent, tmp_path, monkeypatch))
    assert (first["_category"], first["resources"]) == ("serial", {"processes": 1})
    assert (last["_category"], last["resources"]) == ("parallel", {"processes": 9})


def test_children_have_no_folder_where_the_parent_has_none(parent, tmp_path, monkeypatch):
    assert all(not one.config.manager_config for one in children(parent, tmp_path, monkeypatch))


def test_children_carry_the_metadata_of_their_flow(parent, tmp_path, monkeypatch):
    Flow([parent]).update_metadata({"campaign": "c"}, dynamic=True)
    assert all(one.metadata["campaign"] == "c" for one in children(parent, tmp_path, monkeypatch))


def test_what_refers_to_a_job_takes_the_output_of_the_job_in_its_place(parent, tmp_path):
    runner = FlowRunner(tmp_path / "flow")
    after = number(parent.output)
    assert runner.run(Flow([parent, after]))
    assert runner.store.get_output(after.uuid) == 2


@job
def go_on(earlier, ahead):
    second = number(OutputReference(earlier))
    last = number(second.output)
    last.name = "last"
    return follow_with([second, last], "maker", [earlier], 0, ahead=ahead)


def configured(step, **fields):
    return {"step": step, "configuration": {"_launch_dir": f"/c/{step}", **fields}}


@pytest.fixture
def added(tmp_path):
    def run(*to_come, ahead=0.25):
        runner = FlowRunner(tmp_path / "flow")
        earlier = number(3)
        runner.run_job(earlier)
        parent = go_on(earlier.uuid, ahead)
        parent.name = "Al maker"
        if to_come:
            parent.update_config(JobConfig(manager_config={"_priority": 3, "steps_to_come": list(to_come)}))
        return parent.run(runner.store).addition

    return run


def test_added_steps_take_the_configuration_that_was_made_for_them(added):
    to_come = (configured("number", _priority=4), configured("last", _priority=5), configured("other", _priority=6))
    first, last = added(*to_come).jobs
    assert (first.name, last.name) == ("Al number", "Al last")
    assert first.config.manager_config == {"_launch_dir": "/c/number", "_priority": 4.25}
    # what is left goes to the last, which may add it
    assert last.config.manager_config["steps_to_come"] == [to_come[2]]


def test_added_steps_have_no_configuration_where_none_was_made(added):
    assert [job.config.manager_config for job in added().jobs] == [{}, {}]


def test_added_steps_may_refer_to_jobs_that_have_run(added):
    flow = added()
    assert flow_to_workflow(flow).name == "Al maker"
    assert len(flow.job_uuids) == 3


def test_function_called_without_jobflow_is_refused():
    with pytest.raises(CalculationError, match="expected to run as a job"):
        running_job()


@pytest.mark.parametrize(
    ("first", "last", "count", "expected"),
    [
        (1, 6, 3, [(1, 2), (3, 4), (5, 6)]),
        (2, 8, 3, [(2, 3), (4, 6), (7, 8)]),
        (2, 3, 8, [(2, 2), (3, 3)]),
        (2, 2, 1, [(2, 2)]),
    ],
)
def test_groups_cover_every_number_once_and_evenly(first, last, count, expected):
    assert groups(first, last, count) == expected
