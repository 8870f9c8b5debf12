"""Where documents are in the database, and which of them are the newest: found by indexes, and read in pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from hightc.launch.sorting import SortKey
from hightc.launch.store import OUTPUTS, Database

SUBJECT = ("campaign", "material", "purpose", "route", "after")
"""What a document is about; a newer one of the same kind and subject replaces it."""

PLACE = frozenset({"output.campaign", "output.material"})
"""Conditions that all documents of one subject meet, or none."""

MATERIALS_A_QUERY = 1000
FIRST_PAGE, LONGEST_PAGE = 100, 1000
"""Entries read at a time, of about 0.3 kB: a first few come soon, many in few trips."""


@dataclass(frozen=True)
class Entry:
    """Where a document is, and what decides whether it is the newest.

    Attributes
    ----------
    id, uuid, index
        Its ``_id``, and the job that made it.
    campaign, material, purpose, route
        What it is about.
    completed_at
        When it was stored.
    sorted_by
        Value that documents are sorted by; None without one, and where none was asked for.
    """

    id: Any
    uuid: str
    index: int
    campaign: str
    material: str
    purpose: str
    route: str
    completed_at: str
    sorted_by: Any = None

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """What a newer document replaces: steps on two meshes, and two routes, are different subjects."""
        return self.campaign, self.material, self.purpose, self.route

    @property
    def age(self) -> tuple[str, str]:
        """Larger for a newer document."""
        return self.completed_at, str(self.id)


def read_entries(
    database: Database, conditions: Mapping[str, Any], key: SortKey | None = None, *, by_material: int | None = None
) -> Iterator[Entry]:
    """Read the entries of the documents that meet conditions.

    Parameters
    ----------
    database
        The database.
    conditions
        Filter of MongoDB.
    key
        What else to read, to sort by.
    by_material
        So many at most, those of the first materials; None: all, in any order.
    """
    names = {*SUBJECT, *(() if key is None or key.stored in SUBJECT else (key.stored,))}
    shown = ("uuid", "index", "completed_at", *(f"output.{name}" for name in sorted(names)))
    cursor = database.collections[OUTPUTS].find(conditions, dict.fromkeys(shown, 1))
    if by_material is not None:
        cursor = cursor.sort([("output.material", 1)]).limit(by_material)
    for found in cursor:
        output = found["output"]
        yield Entry(
            id=found["_id"],
            uuid=found["uuid"],
            index=found["index"],
            campaign=output["campaign"],
            material=output["material"],
            purpose=output.get("purpose") or output.get("after", ""),
            route=output.get("route") or "linear_response",
            completed_at=found.get("completed_at") or "",
            sorted_by=None if key is None else key.value(output),
        )


def in_pages(database: Database, kind: str, place: Mapping[str, Any], *, history: bool) -> Iterator[Entry]:
    """Read the newest entries of a kind, ordered by campaign and material, no more of them than are taken.

    Parameters
    ----------
    database
        The database.
    kind
        Kind of the documents.
    place
        Conditions among `PLACE`.
    history
        Whether older documents are given too.
    """
    campaigns = [place["output.campaign"]] if "output.campaign" in place else _campaigns(database, kind)
    for campaign in campaigns:
        conditions = {**place, "output.kind": kind, "output.campaign": campaign}
        for page in _pages(database, conditions):
            yield from in_order(page if history else newest(page, page))


def _campaigns(database: Database, kind: str) -> list[str]:
    return sorted(filter(None, database.collections[OUTPUTS].distinct("output.campaign", {"output.kind": kind})))


def _pages(database: Database, conditions: dict[str, Any]) -> Iterator[list[Entry]]:
    """Entries in the order of their materials; those of one material are on one page."""
    size = FIRST_PAGE
    while True:
        page = list(read_entries(database, conditions, by_material=size))
        if len(page) < size:
            yield page
            return
        last = page[-1].material
        whole = list(takewhile(lambda entry: entry.material != last, page))  # noqa: B023 - used at once
        if whole:
            yield whole
            conditions = {**conditions, "output.material": {"$gte": last}}
        size = 2 * size if not whole else min(2 * size, LONGEST_PAGE)


def rivals(database: Database, kind: str, entries: Sequence[Entry]) -> Iterator[Entry]:
    """Documents that may be newer than some, whether or not they meet the same filters.

    Parameters
    ----------
    database
        The database.
    kind
        Kind of the documents.
    entries
        What was found.
    """
    campaigns = sorted({entry.campaign for entry in entries})
    for part in _parts(sorted({entry.material for entry in entries})):
        material = {"output.kind": kind, "output.material": {"$in": part}}
        named = {"output.campaign": {"$in": campaigns}} if len(campaigns) <= MATERIALS_A_QUERY else {}
        yield from read_entries(database, {**material, **named})


def of_materials(
    database: Database, conditions: Mapping[str, Any], materials: Iterable[str], key: SortKey | None
) -> Iterator[Entry]:
    """Entries of some materials.

    Parameters
    ----------
    database
        The database.
    conditions
        Filter of MongoDB.
    materials
        Labels, any number of them.
    key
        What else to read, to sort by.
    """
    for part in _parts(sorted(set(materials))):
        yield from read_entries(database, {"$and": [conditions, {"output.material": {"$in": part}}]}, key)


def _parts(materials: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(materials), MATERIALS_A_QUERY):
        yield list(materials[start : start + MATERIALS_A_QUERY])


def newest(entries: Sequence[Entry], others: Iterable[Entry]) -> list[Entry]:
    """Keep what no newer document replaces.

    Parameters
    ----------
    entries
        What was found.
    others
        What may be newer.
    """
    known: dict[tuple[str, str, str, str], Entry] = {}
    for other in others:
        held = known.get(other.subject)
        if held is None or other.age > held.age:
            known[other.subject] = other
    keep = {entry.id for entry in known.values()}
    return [entry for entry in entries if entry.id in keep]


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by campaign, material and the rest of their subject, older ones first.

    Parameters
    ----------
    entries
        In any order.
    """
    return sorted(entries, key=lambda entry: (entry.subject, entry.age))
