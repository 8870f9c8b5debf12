from __future__ import annotations

import pytest
from fakes.flow_runner import FlowRunner
from jobflow import Flow, JobConfig, job

from hightc.makers.dynamic_jobs import groups, replace_by, running_job, take_the_place_of
from hightc.makers.errors import CalculationError


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
