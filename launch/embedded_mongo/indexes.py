"""Equality indexes of one collection: from a value at a path to the few documents that may hold it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from bson import ObjectId

from hightc.launch.embedded_mongo.errors import Code, CommandError
from hightc.launch.embedded_mongo.matching import Filter, conjuncts, strict_filter
from hightc.launch.embedded_mongo.mongomock_core import Document, keys_at, matches, values_at
from hightc.launch.embedded_mongo.ordering import Key, key_of

# Values whose equality the postings answer; for any other the collection is scanned.
_SCALARS = (str, int, float, bool, type(None), ObjectId, bytes)


@dataclass(frozen=True)
class IndexSpecification:
    """One declared index.

    Parameters
    ----------
    name
        Its name, unique in the collection.
    key
        Field paths and directions, leading field first.
    unique
        No two documents may share a key.
    sparse
        Documents without any of the fields are exempt from uniqueness.
    partial
        Only documents that satisfy this filter are subject to uniqueness.
    """

    name: str
    key: tuple[tuple[str, int], ...]
    unique: bool = False
    sparse: bool = False
    partial: Document | None = None

    @classmethod
    def from_document(cls, document: Document) -> "IndexSpecification":
        """Read an index as ``createIndexes`` and the journal spell it."""
        return cls(
            name=document["name"],
            key=tuple(document["key"].items()),
            unique=bool(document.get("unique")),
            sparse=bool(document.get("sparse")),
            partial=document.get("partialFilterExpression"),
        )

    def as_document(self) -> Document:
        """Return the index as ``listIndexes`` and the journal spell it."""
        document: Document = {"v": 2, "key": dict(self.key), "name": self.name}
        if self.unique and self.name != "_id_":
            document["unique"] = True
        if self.sparse:
            document["sparse"] = True
        if self.partial is not None:
            document["partialFilterExpression"] = self.partial
        return document

    def unique_keys(self, document: Document) -> set[tuple[Key, ...]]:
        """Return the keys that no other document may have; empty when the document is exempt.

        Raises
        ------
        CommandError
            Two fields of a compound index hold arrays.
        """
        if self.partial is not None and not matches(strict_filter(self.partial), document):
            return set()
        values = [values_at(path, document) for path, _ in self.key]
        if self.sparse and not any(values):
            return set()
        if sum(any(isinstance(value, list) for value in found) or len(found) > 1 for found in values) > 1:
            raise CommandError(Code.CannotIndexParallelArrays, f"cannot index parallel arrays (index {self.name})")
        return set(product(*(_unique_field_keys(path, document) for path, _ in self.key)))


def _unique_field_keys(path: str, document: Document) -> set[Key]:
    found = values_at(path, document)
    if len(found) == 1 and not isinstance(found[0], list):
        return {key_of(found[0])}
    whole = {key_of(value) for value in found if isinstance(value, list) and value}
    return keys_at(path, document) - whole


@dataclass
class Postings:
    """Positions of documents by the key of what they hold at `path`."""

    path: str
    positions: dict[Key, int | set[int]] = field(default_factory=dict)

    def add(self, document: Document, position: int) -> None:
        """Post a document."""
        for key in keys_at(self.path, document):
            held = self.positions.get(key)
            if held is None:
                self.positions[key] = position
            elif isinstance(held, set):
                held.add(position)
            elif held != position:
                self.positions[key] = {held, position}

    def remove(self, document: Document, position: int) -> None:
        """Take a document out, given as it was when it was posted."""
        for key in keys_at(self.path, document):
            held = self.positions.get(key)
            if isinstance(held, set):
                held.discard(position)
                if not held:
                    del self.positions[key]
            elif held is not None:
                del self.positions[key]

    def find(self, values: Iterable[Any]) -> list[set[int]]:
        """Return the positions posted under each of `values`."""
        found = []
        for key in {key_of(value) for value in values}:
            held = self.positions.get(key)
            if held is not None:
                found.append(held if isinstance(held, set) else {held})
        return found


@dataclass
class UniqueKeys:
    """The keys taken in one unique index, each by the position of one document."""

    specification: IndexSpecification
    taken: dict[tuple[Key, ...], int] = field(default_factory=dict)

    def require_free(self, document: Document, position: int | None, namespace: str) -> None:
        """Refuse a document whose key another document has.

        Raises
        ------
        CommandError
            Duplicate key, MongoDB's code 11000.
        """
        for key in self.specification.unique_keys(document):
            holder = self.taken.get(key)
            if holder is not None and holder != position:
                value = {path: (values_at(path, document) or [None])[0] for path, _ in self.specification.key}
                raise CommandError(
                    Code.DuplicateKey,
                    f"E11000 duplicate key error collection: {namespace} index: {self.specification.name} "
                    f"dup key: {value!r}",
                    keyPattern=dict(self.specification.key),
                    keyValue=value,
                )

    def add(self, document: Document, position: int) -> None:
        """Take the document's keys."""
        for key in self.specification.unique_keys(document):
            self.taken[key] = position

    def remove(self, document: Document, position: int) -> None:
        """Give back the keys of a document, given as it was when it was added."""
        for key in self.specification.unique_keys(document):
            if self.taken.get(key) == position:
                del self.taken[key]


def candidates(query: Filter, postings: dict[str, Postings]) -> set[int] | None:
    """Return positions that include every match of a strict filter, or None when only a scan can tell.

    Parameters
    ----------
    query
        A filter in the form of :mod:`.matching`.
    postings
        The indexes at hand, by path.
    """
    options = [found for clause in conjuncts(query) if (found := _clause_candidates(clause, postings)) is not None]
    if not options:
        return None
    options.sort(key=_size)
    smallest = set().union(*options[0])
    for other in options[1:]:
        if not smallest:
            break
        smallest = set().union(*(smallest & part for part in other))
    return smallest


def is_decided(query: Filter, postings: dict[str, Postings]) -> bool:
    """Tell whether the candidates are the matches: every clause asks an indexed path for one text or one of several.

    A text equals nothing but itself, and an array that holds it is posted under it and matches.
    """
    clauses = list(conjuncts(query))
    return bool(clauses) and all(
        path in postings and _texts(condition) for clause in clauses for path, condition in clause.items()
    )


def _texts(condition: Any) -> bool:
    values = [condition["$eq"]] if "$eq" in condition else condition.get("$in", [None])
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _size(parts: list[set[int]]) -> int:
    return sum(map(len, parts))


def _clause_candidates(clause: Filter, postings: dict[str, Postings]) -> list[set[int]] | None:
    ((path, condition),) = clause.items()
    if path == "$or":
        branches = [candidates(branch, postings) for branch in condition]
        return None if any(branch is None for branch in branches) else [branch for branch in branches if branch]
    if path not in postings:
        return None
    values = list(_indexable_values(condition))
    return postings[path].find(values) if values or condition.get("$in") == [] else None


def _indexable_values(condition: Document) -> Iterator[Any]:
    values = [condition["$eq"]] if "$eq" in condition else condition.get("$in", [])
    if all(isinstance(value, _SCALARS) for value in values):
        yield from values
