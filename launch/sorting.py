"""Documents in the order of one of their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from hightc.analysis.documents import Document, TcDocument
from hightc.analysis.documents.tc import Method
from hightc.launch.document_fields import find_field
from hightc.launch.errors import LaunchError

MU_STAR_TOLERANCE = 1e-9
"""As in TcDocument.find: numbers written alike are the same mu*."""

SORTABLE = ("number", "text", "flag")


@dataclass(frozen=True)
class SortKey:
    """What documents are sorted by.

    Attributes
    ----------
    stored
        Path of what must be read of a document.
    value
        Takes the value from what was read; None if there is none.
    """

    stored: str
    value: Callable[[Any], Any]


class Sorted(Protocol):
    """Anything that knows the value it is sorted by."""

    @property
    def sorted_by(self) -> Any:
        """A number, a text or a flag; None if there is none."""


SortedT = TypeVar("SortedT", bound=Sorted)


def sort_key(kind: type[Document], asked: str, method: Method, mu_star: float) -> SortKey:
    """Find out what to sort by.

    Parameters
    ----------
    kind
        Class of the documents.
    asked
        Dotted path of a field; of TcDocuments also tc_kelvin.
    method, mu_star
        Which Tc is meant by tc_kelvin.

    Raises
    ------
    LaunchError
        If there is no such field, or it has not one value a document.
    """
    if kind is TcDocument and asked == "tc_kelvin":
        return SortKey("critical_temperatures", lambda output: _tc_kelvin(output, method, mu_star))
    place = find_field(kind, asked)
    if place.lists or place.field.list_depth or place.field.value not in SORTABLE:
        what = "in a list of records" if place.lists else f"a {place.field.type_name}"
        msg = f"sort {asked}: expected a field with one value a document, and it is {what}: choose a position in a list"
        raise LaunchError(f"{msg}, as in k_mesh.0, or another field")
    parts = place.path.split(".")
    # a database does not show single entries of lists: the whole list is read
    shown = parts[: next((index for index, part in enumerate(parts) if part.isdigit()), len(parts))]
    return SortKey(".".join(shown), lambda output: _at(output, parts))


def in_asked_order(entries: Iterable[SortedT], *, descending: bool) -> list[SortedT]:
    """Sort by value; equal ones stay in their order, and what has none comes last.

    Parameters
    ----------
    entries
        What to sort.
    descending
        Whether the largest value comes first.
    """
    known: list[SortedT] = []
    unknown: list[SortedT] = []
    for entry in entries:
        (unknown if entry.sorted_by is None else known).append(entry)
    return [*sorted(known, key=attrgetter("sorted_by"), reverse=descending), *unknown]


def _at(output: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(output, list):
            output = output[int(part)] if int(part) < len(output) else None
        else:
            output = output.get(part) if isinstance(output, dict) else None
    return output


def _tc_kelvin(output: Any, method: Method, mu_star: float) -> float | None:
    for entry in output.get("critical_temperatures", ()):
        if entry["method"] == method and abs(entry["mu_star"] - mu_star) < MU_STAR_TOLERANCE:
            value: float | None = entry["tc_kelvin"]
            return value
    return None
