"""The fields of a kind of document: what may be asked for by its dotted path, its type, unit and meaning."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pymatgen.core import Structure

from hightc.analysis.documents import Document
from hightc.launch.errors import LaunchError

ValueType = Literal["text", "number", "flag", "record", "map", "structure", "any"]

UNITS: Final = (
    ("per_ev_spin_cell", "states/eV/spin/cell"),
    ("kelvin_per_mev", "K/meV"),
    ("ev_per_angstrom", "eV/Angstrom"),
    ("mev_per_atom", "meV/atom"),
    ("ev_per_atom", "eV/atom"),
    ("bohr_magneton_per_atom", "Bohr magneton/atom"),
    ("angstrom3_per_atom", "Angstrom^3/atom"),
    ("per_gpa", "1/GPa"),
    ("per_mev", "1/meV"),
    ("per_angstrom", "1/Angstrom"),
    ("bohr_magneton", "Bohr magneton"),
    ("angstrom3", "Angstrom^3"),
    ("angstrom2", "Angstrom^2"),
    ("angstrom", "Angstrom"),
    ("kelvin", "K"),
    ("seconds", "s"),
    ("gpa", "GPa"),
    ("mev", "meV"),
    ("ev", "eV"),
    ("k", "K"),
)
"""Unit that the end of a name says; longer ends stand before the shorter ones that they end with."""

LATTICE: Final = (
    *((name, "Angstrom", f"Length {name} of the cell in Angstrom.") for name in ("a", "b", "c")),
    *((name, "degree", f"Angle {name} of the cell in degrees.") for name in ("alpha", "beta", "gamma")),
    ("volume", "Angstrom^3", "Volume of the cell in Angstrom^3."),
)
"""Numbers of a stored structure that can be asked for: pymatgen writes them beside its matrix."""

MOST_NEAR = 4
MOST_CHARACTERS = 200
"""Of a path: the longest one of the documents has about 50."""


@dataclass(frozen=True)
class FieldType:
    """What a field holds.

    Attributes
    ----------
    value
        Its type; of a list, that of its entries.
    list_depth
        0: one value; 1: a list; 2: a list of lists.
    choices
        The only values it may have; empty if there is no such limit.
    record
        Class of a record; None for others.
    leaf
        str, bool, int or float; None for others.
    """

    value: ValueType
    list_depth: int = 0
    choices: tuple[str | int | bool, ...] = ()
    record: type[BaseModel] | None = None
    leaf: type | None = None


@dataclass(frozen=True)
class StoredField:
    """One field of a kind of document.

    Attributes
    ----------
    path
        Dotted path without positions in lists.
    value
        What it holds; of a list, what its entries hold.
    list_depth
        0: one value; 1: a list; 2: a list of lists.
    choices
        The only values it may have; empty if there is no such limit.
    unit
        Unit of the numbers; None if they have none.
    description
        What it means.
    """

    path: str
    value: ValueType
    list_depth: int
    choices: tuple[str | int | bool, ...]
    unit: str | None
    description: str

    @property
    def type_name(self) -> str:
        """Type in words, for example "list of number"."""
        return "list of " * self.list_depth + self.value


@dataclass(frozen=True)
class FieldPlace:
    """A field as somebody named it, positions in lists included.

    Attributes
    ----------
    field
        The field; its ``list_depth`` is what the positions leave of it.
    path
        Dotted path as the database knows it.
    lists
        Paths of the lists of records on the way of which no entry was chosen by position.
    """

    field: StoredField
    path: str
    lists: tuple[str, ...]


def stored_fields(kind: type[Document]) -> dict[str, StoredField]:
    """Fields of a kind of document by dotted path, nested ones included, in the order of the class.

    Parameters
    ----------
    kind
        Class of the documents.
    """
    return dict(_stored_fields(kind))


@cache
def _stored_fields(kind: type[Document]) -> tuple[tuple[str, StoredField], ...]:
    return tuple((field.path, field) for field in _model_fields(kind, ""))


def _model_fields(model: type[BaseModel], prefix: str) -> Iterator[StoredField]:
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        held = field_type(info.annotation)
        yield StoredField(path, held.value, held.list_depth, held.choices, unit_of(name), info.description or "")
        if held.record is not None:
            yield from _model_fields(held.record, f"{path}.")
        if held.value == "structure" and not held.list_depth:
            for part, unit, description in LATTICE:
                yield StoredField(f"{path}.lattice.{part}", "number", 0, (), unit, description)


def unit_of(name: str) -> str | None:
    """Unit that the name of a field ends with; None if there is none.

    Parameters
    ----------
    name
        Name of a field, for example omega_log_mev.
    """
    return next((unit for end, unit in UNITS if name.endswith(f"_{end}")), None)


def field_type(annotation: Any) -> FieldType:  # noqa: PLR0911 - one case a type
    """Find out what a field holds.

    Parameters
    ----------
    annotation
        Its type in the class; None beside it does not count.
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return field_type(parts[0])
    if origin in (Union, types.UnionType):
        given = [part for part in parts if part is not types.NoneType]
        return field_type(given[0]) if len(given) == 1 else FieldType("any")
    if origin in (tuple, list):
        entries = {part for part in parts if part is not Ellipsis}
        entry = field_type(parts[0]) if len(entries) == 1 else FieldType("any")
        return replace(entry, list_depth=entry.list_depth + 1)
    if origin is Literal:
        return replace(field_type(type(parts[0])), choices=parts)
    if origin is dict or annotation is dict:
        return FieldType("map")
    if not isinstance(annotation, type):
        return FieldType("any")
    if issubclass(annotation, BaseModel):
        return FieldType("record", record=annotation)
    simple: dict[type, ValueType] = {str: "text", bool: "flag", int: "number", float: "number"}
    if annotation in simple:
        return FieldType(simple[annotation], leaf=annotation)
    return FieldType("structure" if issubclass(annotation, Structure) else "any")


def find_field(kind: type[Document], asked: str) -> FieldPlace:
    """Find a field by the dotted path that somebody wrote.

    Parameters
    ----------
    kind
        Class of the documents.
    asked
        Dotted path, for example provenance.wall_seconds. An entry of a list is chosen by its position, as in
        k_mesh.0; ``lambda`` is written without the underscore that Python needs.

    Raises
    ------
    LaunchError
        If there is no such field; the nearest ones are named.
    """
    fields = stored_fields(kind)
    parts = asked.split(".") if len(asked) <= MOST_CHARACTERS else []
    names: list[str] = []
    path: list[str] = []
    lists: list[str] = []
    field: StoredField | None = None
    for part in parts:
        if field is not None and field.list_depth and re.fullmatch(r"[0-9]{1,6}", part):
            field = replace(field, list_depth=field.list_depth - 1)
            path.append(str(int(part)))
            continue
        if field is not None and field.list_depth:
            lists.append(".".join(path))
        known = next((name for name in (part, f"{part}_") if ".".join((*names, name)) in fields), None)
        if known is None:
            known = "lattice" if part == "lattice" and field is not None and field.value == "structure" else None
            if known is None:
                raise _unknown(kind, asked)
        names.append(known)
        path.append(known)
        field = fields.get(".".join(names))
    if field is None:
        raise _unknown(kind, asked)
    return FieldPlace(field, ".".join(path), tuple(lists))


def _unknown(kind: type[Document], asked: str) -> LaunchError:
    fields = stored_fields(kind)
    shown = asked if len(asked) <= MOST_CHARACTERS else f"{asked[:MOST_CHARACTERS]}..."
    return LaunchError(
        f"field {shown!r}: a {fields['kind'].choices[0]} document has no such field: nearest are "
        f"{', '.join(_nearest(asked[:MOST_CHARACTERS], tuple(fields)))}; "
        f"hightc query --kind {fields['kind'].choices[0]} --fields lists all"
    )


def _nearest(asked: str, paths: tuple[str, ...]) -> list[str]:
    """Paths written most alike, by the whole or by the last part."""

    def likeness(path: str) -> float:
        ends = (asked, path), (asked.rpartition(".")[2], path.rpartition(".")[2])
        return max(difflib.SequenceMatcher(a=one, b=other).ratio() for one, other in ends)

    return sorted(paths, key=lambda path: (-likeness(path), len(path), path))[:MOST_NEAR]
