"""Indexes of one collection: from a value, or a range, at a path to the few documents that may hold it."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from bson import Int64, ObjectId

from hightc.launch.embedded_mongo.errors import Code, CommandError
from hightc.launch.embedded_mongo.matching import Filter, conjuncts, strict_filter
from hightc.launch.embedded_mongo.mongomock_core import Document, keys_at, matches, values_at
from hightc.launch.embedded_mongo.ordering import Key, key_of

# Operators whose matches lie side by side in the order of keys.
RANGES = frozenset({"$gt", "$gte", "$lt", "$lte"})
# What keys of arrays begin with.
ARRAY: Key = key_of([])[:1]
# Values whose equality the postings answer; for any other the collection is scanned.
_SCALARS = (str, int, float, bool, type(None), ObjectId, bytes)
# Values of which the postings hold all equals and nothing else.
_EXACT = frozenset({str, int, Int64, ObjectId})


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
    _in_order: list[Key] | None = None

    def add(self, document: Document, position: int) -> None:
        """Post a document."""
        for key in keys_at(self.path, document):
            held = self.positions.get(key)
            if held is None:
                self.positions[key] = position
                if self._in_order is not None:
                    insort(self._in_order, key)
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
            if held is not None and (isinstance(held, int) or not held):
                del self.positions[key]
                if self._in_order is not None:
                    del self._in_order[bisect_left(self._in_order, key)]

    def find(self, values: Iterable[Any]) -> list[set[int]]:
        """Return the positions posted under each of `values`."""
        return [self.at(key) for key in {key_of(value) for value in values} if key in self.positions]

    def at(self, key: Key) -> set[int]:
        """Return the positions posted under a key."""
        held = self.positions.get(key, set())
        return held if isinstance(held, set) else {held}

    def items(self) -> Iterator[tuple[Key, set[int]]]:
        """Yield each key with the positions posted under it."""
        for key, held in self.positions.items():
            yield key, held if isinstance(held, set) else {held}

    def find_range(self, bounds: Mapping[str, Any]) -> list[set[int]]:
        """Return the positions posted under keys that are within bounds, and of the same kind as these.

        The keys are put in order when a range is first asked for, and kept so from then on.

        Parameters
        ----------
        bounds
            Values by operator, one of `RANGES`.
        """
        keys = self._keys_in_order()
        low, high = 0, len(keys)
        for operator, value in bounds.items():
            key = key_of(value)
            # MongoDB compares values of one type only: keys begin with it
            low, high = max(low, bisect_left(keys, key[:1])), min(high, bisect_left(keys, (key[0] + 1,)))
            if operator in ("$gt", "$gte"):
                low = max(low, (bisect_left if operator == "$gte" else bisect_right)(keys, key))
            else:
                high = min(high, (bisect_right if operator == "$lte" else bisect_left)(keys, key))
        return [self.at(key) for key in keys[low:high]]

    def holds_arrays(self) -> bool:
        """Tell whether a document has an array at the very path, and not on the way to it."""
        keys = self._keys_in_order()
        return bisect_left(keys, ARRAY) < bisect_left(keys, (ARRAY[0] + 1,))

    def _keys_in_order(self) -> list[Key]:
        if self._in_order is None:
            self._in_order = sorted(self.positions)
        return self._in_order


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
    """Tell whether the candidates are the matches: each clause asks an indexed path for exact values.

    Texts, whole numbers and object ids equal nothing that has another key, and an array that holds one is posted under
    it and matches.
    """
    clauses = list(conjuncts(query))
    return bool(clauses) and all(
        path in postings and _has_exact_keys(condition) for clause in clauses for path, condition in clause.items()
    )


def _has_exact_keys(condition: Any) -> bool:
    values = [condition["$eq"]] if "$eq" in condition else condition.get("$in", [None])
    return isinstance(values, list) and all(type(value) in _EXACT for value in values)


def _size(parts: list[set[int]]) -> int:
    return sum(map(len, parts))


def _clause_candidates(clause: Filter, postings: dict[str, Postings]) -> list[set[int]] | None:
    ((path, condition),) = clause.items()
    if path == "$or":
        branches = [candidates(branch, postings) for branch in condition]
        return None if any(branch is None for branch in branches) else [branch for branch in branches if branch]
    if "$elemMatch" in condition and not path.startswith("$"):
        # a member of the array meets each clause: the document is posted under what the member holds
        inner = _member_clauses(path, condition["$elemMatch"], postings)
        known = candidates({"$and": inner}, postings) if inner else None
        return None if known is None else [known]
    if path not in postings:
        return None
    if RANGES.issuperset(condition) and all(map(is_scalar, condition.values())):
        return postings[path].find_range(condition)
    values = list(_indexable_values(condition))
    return postings[path].find(values) if values or condition.get("$in") == [] else None


def _member_clauses(path: str, query: Filter, postings: dict[str, Postings]) -> list[Filter]:
    """What a document holds one member of whose array at `path` meets `query`; bounds on one value of it are joined."""
    clauses: list[Filter] = []
    ranges: dict[str, Filter] = {}
    for part in conjuncts(query):
        ((name, condition),) = part.items()
        place = f"{path}.{name}"
        if name.startswith("$") or place not in postings:
            continue
        if RANGES.issuperset(condition) and not postings[place].holds_arrays():
            joined = ranges.setdefault(place, {})
            if joined.keys().isdisjoint(condition):
                joined.update(condition)
        else:
            clauses.append({place: condition})
    return [*clauses, *({place: joined} for place, joined in ranges.items())]


def is_scalar(value: Any) -> bool:
    """Tell whether the indexes answer what is asked of a value."""
    return isinstance(value, _SCALARS) and value == value  # noqa: PLR0124 - not NaN, which equals nothing


def _indexable_values(condition: Document) -> Iterator[Any]:
    values = [condition["$eq"]] if "$eq" in condition else condition.get("$in", [])
    if all(isinstance(value, _SCALARS) for value in values):
        yield from values
