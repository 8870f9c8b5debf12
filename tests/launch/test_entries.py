"""A listing that is read in pages is the listing: nothing is left out at their ends, and only the newest count."""

from __future__ import annotations

from itertools import islice

import pytest
from fakes.examined import EXAMINER

from hightc.launch.entries import FIRST_PAGE, LONGEST_PAGE, in_pages
from hightc.launch.store import OUTPUTS, Database

KIND = "tc"


@pytest.fixture
def versions(database):
    """Materials of two campaigns with one to four versions each, and one that alone is longer than two pages."""
    numbers = {("a", f"M{number:04d}"): 1 + number % 4 for number in range(3 * FIRST_PAGE)}
    numbers |= {("b", "M0001"): 2, ("b", "M0002"): 2 * LONGEST_PAGE + 10, ("b", "M0003"): 1}
    documents = [
        {
            "uuid": f"{campaign}-{material}-{version}",
            "index": 1,
            "completed_at": f"2026-01-01T00:{version // 60 % 60:02d}:{version % 60:02d}-{version:06d}",
            "output": {"kind": KIND, "campaign": campaign, "material": material},
        }
        for (campaign, material), count in numbers.items()
        for version in reversed(range(count))
    ]
    database.collections[OUTPUTS].insert_many(documents)
    # of another kind, which must not be seen
    database.collections[OUTPUTS].insert_one(
        {"output": {"kind": "scf", "campaign": "a", "material": "M0000"}, "uuid": "x"}
    )
    return database, numbers


def test_the_newest_of_each_material_come_in_order(versions):
    database, numbers = versions
    found = [(entry.campaign, entry.material, entry.uuid) for entry in in_pages(database, KIND, {}, history=False)]
    assert found == [(*place, f"{place[0]}-{place[1]}-{count - 1}") for place, count in sorted(numbers.items())]


def test_with_history_all_come_older_ones_first(versions):
    database, numbers = versions
    found = [entry.uuid for entry in in_pages(database, KIND, {}, history=True)]
    assert found == [f"{a}-{m}-{version}" for (a, m), count in sorted(numbers.items()) for version in range(count)]


def test_one_campaign_and_one_material_are_chosen(versions):
    database, numbers = versions
    place = {"output.campaign": "b"}
    assert [entry.material for entry in in_pages(database, KIND, place, history=False)] == ["M0001", "M0002", "M0003"]
    longest = {"output.material": "M0002"}
    found = [entry.campaign for entry in in_pages(database, KIND, longest, history=True)]
    assert found == ["a"] * numbers["a", "M0002"] + ["b"] * numbers["b", "M0002"]


def test_a_kind_that_nothing_has_has_no_pages(database: Database):
    assert list(in_pages(database, KIND, {}, history=False)) == []


def test_who_takes_a_few_reads_one_page(versions):
    database, _ = versions
    with EXAMINER.watching(database.uri) as seen:
        assert len(list(islice(in_pages(database, KIND, {"output.campaign": "a"}, history=False), 5))) == 5
    assert seen.total <= FIRST_PAGE
