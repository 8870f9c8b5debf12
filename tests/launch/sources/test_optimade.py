from __future__ import annotations

import logging
from typing import Any

import pytest
from fakes.web_server import Asked, Told, serving

from hightc.launch.sources.errors import SourceAwayError, SourceError, SourceLimitError
from hightc.launch.sources.optimade import optimade_structures
from hightc.launch.sources.table import OptimadeSource, parse_sources
from hightc.launch.sources.web import Patience

PATIENCE = Patience(tries=2, backoff_seconds=0.01, longest_wait_seconds=1, timeout_seconds=5)
A = 4.39


def item(identifier: str, **changed: Any) -> dict[str, Any]:
    """Rock salt NbN as an OPTIMADE 1.1 entry."""
    attributes = {
        "lattice_vectors": [[0, A / 2, A / 2], [A / 2, 0, A / 2], [A / 2, A / 2, 0]],
        "cartesian_site_positions": [[0, 0, 0], [A / 2, A / 2, A / 2]],
        "species": [
            {"name": "Nb", "chemical_symbols": ["Nb"], "concentration": [1]},
            {"name": "N1", "chemical_symbols": ["N"], "concentration": [1]},
        ],
        "species_at_sites": ["Nb", "N1"],
        "dimension_types": [1, 1, 1],
        "chemical_formula_reduced": "NNb",
    }
    return {"type": "structures", "id": identifier, "attributes": attributes | changed}


def pages(*contents: list[dict[str, Any]], link: Any = None):
    def answer(asked: Asked) -> Told:
        number = int(asked.query.get("page_number", 0))
        following = f"/v1/structures?page_number={number + 1}" if number + 1 < len(contents) else link
        total = sum(len(content) for content in contents)
        return Told({"data": contents[number], "meta": {"data_returned": total}, "links": {"next": following}})

    return answer


def structures(answer, patience=PATIENCE, path="", **fields):
    with serving(answer) as server:
        given = {"kind": "optimade", "provider": server.url + path, "filter": 'elements HAS ALL "Nb","N"', **fields}
        (entry,) = parse_sources([given], where="here")
        assert isinstance(entry, OptimadeSource)
        return optimade_structures(entry, patience), server


def test_every_page_is_read_and_the_filter_is_sent():
    sourced, server = structures(pages([item("a/1")], [item("2"), item("3")]))
    assert [candidate.sources[0].id for candidate in sourced.candidates] == ["a/1", "2", "3"]
    assert sourced.candidates[0].structure.composition.reduced_formula == "NbN"
    assert sourced.candidates[0].sources[0].location == f"{server.url}/v1/structures"
    assert server.asked[0].query["filter"] == 'elements HAS ALL "Nb","N"'


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_base_address_is_taken_with_and_without_its_version(path):
    assert structures(pages([item("1")]), path=path)[1].asked[0].path == "/v1/structures"


def test_password_and_query_of_an_address_are_not_kept():
    with serving(pages([item("1")])) as server:
        url = server.url.replace("http://", "http://user:secret@")
        (entry,) = parse_sources([{"kind": "optimade", "provider": url, "filter": "x"}], where="here")
        assert "secret" not in repr(optimade_structures(entry, PATIENCE).candidates)


def test_disordered_slab_and_broken_entries_are_refused_with_their_reasons():
    mixed = [{"name": "Nb", "chemical_symbols": ["Nb", "Ti"], "concentration": [0.7, 0.3]}]
    odd = [item("1", species=mixed), item("2", dimension_types=[1, 1, 0]), item("3", species_at_sites=["Nb"])]
    gone = {"id": "4", "attributes": {}}
    sourced, _ = structures(pages([*odd, gone, None, item("5")]))
    codes = {refused.value: refused.code for refused in sourced.refused}
    assert [candidate.sources[0].id for candidate in sourced.candidates] == ["5"]
    assert codes.pop("1") == "doping_beyond_tolerance"
    assert set(codes.values()) == {"unreadable_structure"}
    assert set(codes) == {"2", "3", "4", "None"}


def test_majority_within_the_tolerance_takes_the_site():
    mixed = [{"name": "Nb", "chemical_symbols": ["Nb", "vacancy"], "concentration": [0.95, 0.05]}]
    (candidate,) = structures(pages([item("1", species=mixed)]), max_doping=0.1)[0].candidates
    assert candidate.sources[0].doping_fraction == pytest.approx(0.05)
    assert candidate.structure.is_ordered


def test_more_structures_than_the_limit_are_an_error():
    with pytest.raises(SourceError, match="expected at most 2 structures, found 3: narrow the filter"):
        structures(pages([item("1")], [item("2"), item("3")]), limit=2)


def test_next_page_at_another_host_is_not_followed():
    with pytest.raises(SourceError, match="expected its next page at the same host"):
        structures(pages([item("1")], link={"href": "http://169.254.169.254/latest"}))


def test_next_page_that_is_this_page_ends_the_reading():
    (candidate,) = structures(pages([item("1")], link=None))[0].candidates
    assert candidate.sources[0].id == "1"
    looped, server = structures(pages([item("1")], link="/v1/structures?page_number=0"))
    assert len(looped.candidates) == 2
    assert len(server.asked) == 2


def test_refused_filter_shows_the_providers_words():
    told = Told({"errors": [{"detail": "cannot parse filter"}]}, 400)
    with pytest.raises(SourceError, match=r"status 400 \('cannot parse filter'\): see the filter"):
        structures(lambda _: told)


def test_busy_provider_is_waited_for(caplog):
    refusals = iter([Told({}, 503), Told({}, 429)])
    answer = pages([item("1")])
    with caplog.at_level(logging.WARNING, logger="hightc"):
        sourced, _ = structures(lambda asked: next(refusals, answer(asked)))
    assert len(sourced.candidates) == 1
    assert "server answers 503: waiting" in caplog.text


def test_provider_that_stays_busy_is_an_error():
    with pytest.raises(SourceLimitError, match="still too many requests after 2 waits"):
        structures(lambda _: Told({}, 429))


@pytest.mark.parametrize("told", [Told(b"<html>"), Told([1]), Told({"data": None}), Told({}, 500)])
def test_provider_that_does_not_answer_as_it_should_is_away(told):
    with pytest.raises(SourceAwayError, match=r"expected .*, found"):
        structures(lambda _: told)


def test_provider_that_is_not_there_is_away():
    with serving(pages([])) as server:
        url = server.url
    (entry,) = parse_sources([{"kind": "optimade", "provider": url, "filter": "x"}], where="here")
    with pytest.raises(SourceAwayError, match=r"no answer \(ConnectionError\)"):
        optimade_structures(entry, Patience(tries=0))


@pytest.mark.parametrize("provider", ["nobody", "ftp://example.org", "http://", "http://[", "$(id)"])
def test_provider_that_is_neither_alias_nor_address_is_refused(provider):
    (entry,) = parse_sources([{"kind": "optimade", "provider": provider, "filter": "x"}], where="here")
    with pytest.raises(SourceError, match=r"OPTIMADE: expected an address"):
        optimade_structures(entry, PATIENCE)
