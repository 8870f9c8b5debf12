"""What comes out of the sources: structures with where they are from, and entries that were refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pymatgen.core import Structure

SourceKind = Literal["materials_project", "supercon", "files", "optimade", "prototype"]

TcMeaning = Literal["measured", "none_reported", "withheld", "not_given"]
"""none_reported: a table has 0, which is not a measured absence; withheld: blank; not_given: the source has no Tc."""

RefusalCode = Literal[
    "unparseable_formula",
    "unusable_tc",
    "tc_too_low",
    "no_structure",
    "doping_beyond_tolerance",
    "no_majority_species",
    "missing_structure",
    "unreadable_structure",
    "unphysical_structure",
    "too_many_atoms",
    "unknown_id",
    "retired_id",
    "unknown_format",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceRecord(_Record):
    """One place that a structure is from; small enough to be stored with every result."""

    kind: SourceKind = Field(description="Kind of source.")
    id: str = Field(description="Identifier there: mp-75, a line of a table, the name of a file.")
    location: str = Field(description="Path as written in the campaign, or address without user, password and query.")
    composition: str | None = Field(
        None, description="Composition that the source names, where it is not the structure's."
    )
    tc_kelvin: float | None = Field(None, description="Reported Tc in K of that composition; None: see tc_meaning.")
    tc_meaning: TcMeaning = Field("not_given", description="What tc_kelvin, or its absence, means.")
    doping_fraction: float | None = Field(
        None, description="How far the composition is from the ordered structure's; None: it is the structure's own."
    )
    structure_id: str | None = Field(None, description="Identifier of the structure, where it is from another place.")
    choice: str | None = Field(None, description="Why this structure, where several fit; None: there was no choice.")
    doi: str | None = Field(None, description="DOI to be cited; None: not known.")
    licence: str | None = Field(None, description="Licence of the data; None: not known.")


class RefusedEntry(_Record):
    """One entry of a source that gives no structure."""

    kind: SourceKind = Field(description="Kind of source.")
    where: str = Field(description="File with line, or address.")
    value: str = Field(description="The entry as it was found.")
    code: RefusalCode = Field(description="Reason, to be counted.")
    reason: str = Field(description="Reason in words: expected, found, next step.")


@dataclass(frozen=True)
class Candidate:
    """A structure of a source before it is labelled, checked and merged with its duplicates.

    Attributes
    ----------
    name
        What its label is made of; may hold anything.
    structure
        Ordered cell, Angstrom.
    sources
        Where it is from, and what was reported of it.
    pressures_gpa
        Pressures it is asked for at.
    max_atoms
        Largest primitive cell that is wanted; None: any.
    """

    name: str
    structure: Structure
    sources: tuple[SourceRecord, ...]
    pressures_gpa: tuple[float, ...] = (0.0,)
    max_atoms: int | None = None


@dataclass(frozen=True)
class Sourced:
    """What one source gave.

    Attributes
    ----------
    candidates
        In the order of the source.
    refused
        Entries that give no structure.
    """

    candidates: tuple[Candidate, ...]
    refused: tuple[RefusedEntry, ...] = ()


@dataclass(frozen=True)
class SourcedStructure:
    """A material that a campaign can compute.

    Attributes
    ----------
    label
        Unique in the campaign; letters, digits and ``_.+-``, at most 64.
    structure
        Primitive standard cell, Angstrom.
    pressure_gpa
        Pressure it is computed at, GPa.
    sources
        Every place that names it, duplicates merged.
    """

    label: str
    structure: Structure
    pressure_gpa: float
    sources: tuple[SourceRecord, ...]


@dataclass(frozen=True)
class ResolvedSources:
    """What all sources of a campaign gave.

    Attributes
    ----------
    materials
        In the order of the sources, each pressure a material of its own.
    refused
        Entries that give no material, each with its reason.
    found
        Structures before duplicates were merged.
    """

    materials: tuple[SourcedStructure, ...]
    refused: tuple[RefusedEntry, ...]
    found: int
