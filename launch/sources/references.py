"""What a document keeps of where its material is from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hightc.analysis.documents import MaterialTag, SourceReference

if TYPE_CHECKING:
    from hightc.launch.sources.records import SourceRecord

MOST_SOURCES: Final = 5
"""Places that each document of a material carries; one crystal may stand in a table 600 times."""

LONGEST_TEXT: Final = 200
"""Characters of a name or a formula that somebody else wrote."""


def sourced_tag(tag: MaterialTag, records: Sequence[SourceRecord]) -> MaterialTag:
    """Tag of a material with where it is from, which every document of the material will say.

    Parameters
    ----------
    tag
        Campaign and label.
    records
        Every place that names the material. Of each structure's identifier the first is kept, the rest by how near the
        composition is, as far as there is room.
    """
    seen: set[str] = set()
    first: list[SourceRecord] = []
    others: list[SourceRecord] = []
    for record in records:
        identifier = record.structure_id or record.id
        (others if identifier in seen else first).append(record)
        seen.add(identifier)
    others.sort(key=lambda record: record.doping_fraction or 0.0)
    kept = tuple(_reference(record) for record in [*first, *others][:MOST_SOURCES])
    return tag.model_copy(update={"sources": kept, "source_count": len(records)})


def _reference(record: SourceRecord) -> SourceReference:
    return SourceReference(
        kind=record.kind,
        database=_short(record.location),
        identifier=_short(record.structure_id or record.id),
        entry=record.id if record.structure_id else None,
        composition=_short(record.composition) if record.composition else None,
        tc_kelvin=record.tc_kelvin,
        tc_meaning=record.tc_meaning,
        doping_fraction=record.doping_fraction,
        choice=record.choice,
        doi=record.doi,
        licence=record.licence,
    )


def _short(text: str) -> str:
    """Text that any database takes: no surrogate of a file name that is no UTF-8, and not without end."""
    plain = text.encode("utf-8", errors="backslashreplace").decode()
    return plain if len(plain) <= LONGEST_TEXT else f"{plain[:LONGEST_TEXT]}..."
