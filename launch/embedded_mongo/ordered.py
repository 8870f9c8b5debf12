"""Documents in the order of a compound index, so that the first few are found without reading the others.

FireWorks takes the most urgent of all ready fireworks. An index of state and priority leads there: the documents of
that state are kept in the order of their priority. Such a group is made when it is first asked for, and kept in order
from then on; a declared index that nobody sorts by costs nothing.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any, NamedTuple

from hightc.launch.embedded_mongo.indexes import IndexSpecification, is_scalar
from hightc.launch.embedded_mongo.matching import Filter, conjuncts
from hightc.launch.embedded_mongo.mongomock_core import Document, keys_at, values_at
from hightc.launch.embedded_mongo.ordering import Key, key_of, sort_key

MOST_GROUPS = 32
"""Groups of one collection that are kept; of more, the one that was asked for longest ago is forgotten."""

Order = tuple[tuple[str, int], ...]


@total_ordering
class _Reversed:
    """A key that sorts from the largest to the smallest."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.key == other.key

    def __lt__(self, other: "_Reversed") -> bool:
        return other.key < self.key

    def __hash__(self) -> int:
        return hash(self.key)


class OrderedPlan(NamedTuple):
    """How a sorted query is answered by an index.

    Parameters
    ----------
    index_name
        Name of the index.
    prefix
        Keys that the documents of the group hold at the index's first paths.
    order
        The order asked for.
    """

    index_name: str
    prefix: tuple[tuple[str, Key], ...]
    order: Order


def ordered_plan(query: Filter, sort: dict[str, Any], declared: Iterable[IndexSpecification]) -> OrderedPlan | None:
    """Find the index that has the documents in the order asked for; None if none does.

    Its first paths must be asked for one value each by the filter, and the paths that follow be those of the order, in
    the same directions or all in the opposite ones. Of several, the one with the longest first part is taken.

    Parameters
    ----------
    query
        A strict filter.
    sort
        Paths and directions.
    declared
        The indexes.
    """
    asked = {
        path: key_of(condition["$eq"])
        for clause in conjuncts(query)
        for path, condition in clause.items()
        if not path.startswith("$") and "$eq" in condition and is_scalar(condition["$eq"])
    }
    order = tuple(sort.items())
    best: OrderedPlan | None = None
    for index in declared:
        if index.sparse or index.partial is not None:
            continue
        for length in range(len(index.key) - len(order) + 1):
            first, rest = index.key[:length], index.key[length : length + len(order)]
            if not all(path in asked for path, _ in first):
                break
            opposite = tuple((path, -direction) for path, direction in rest)
            if order in (rest, opposite) and (best is None or length > len(best.prefix)):
                best = OrderedPlan(index.name, tuple((path, asked[path]) for path, _ in first), order)
    return best


@dataclass
class OrderedGroup:
    """The documents of one plan, in order; equal ones in natural order."""

    plan: OrderedPlan
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    n_arrays: int = 0

    def add(self, document: Document, position: int) -> None:
        """Take a document in if it belongs here."""
        if self._holds(document):
            insort(self.entries, self._entry(document, position))
            self.n_arrays += self._has_array(document)

    def remove(self, document: Document, position: int) -> None:
        """Take a document out, given as it was when it was added."""
        if self._holds(document):
            entry = self._entry(document, position)
            place = bisect_left(self.entries, entry)
            if place < len(self.entries) and self.entries[place] == entry:
                del self.entries[place]
                self.n_arrays -= self._has_array(document)

    def fill(self, documents: Iterable[tuple[int, Document]]) -> None:
        """Take in many documents by position."""
        for position, document in documents:
            if self._holds(document):
                self.entries.append(self._entry(document, position))
                self.n_arrays += self._has_array(document)
        self.entries.sort()

    def positions(self, query: Filter) -> Iterator[int]:
        """Yield positions in order, as they are now, without those that a range on the order's first path excludes."""
        low, high = 0, len(self.entries)
        path, direction = self.plan.order[0]
        for clause in conjuncts(query) if not self.n_arrays else ():
            for operator, value in clause[path].items() if path in clause else ():
                if operator in ("$gt", "$gte", "$lt", "$lte") and is_scalar(value):
                    low, high = self._cut(low, high, operator, key_of(value), descending=direction == -1)
        for entry in self.entries[low:high]:
            yield entry[-1]

    def _cut(self, low: int, high: int, operator: str, key: Key, *, descending: bool) -> tuple[int, int]:
        bound = (_Reversed(key) if descending else key,)
        starts = operator.startswith("$gt") != descending
        if operator in ("$gte", "$lt") if not descending else operator in ("$lte", "$gt"):
            place = bisect_left(self.entries, bound, key=lambda entry: entry[:1])
        else:
            place = bisect_right(self.entries, bound, key=lambda entry: entry[:1])
        return (max(low, place), high) if starts else (low, min(high, place))

    def _holds(self, document: Document) -> bool:
        return all(key in keys_at(path, document) for path, key in self.plan.prefix)

    def _has_array(self, document: Document) -> bool:
        found = values_at(self.plan.order[0][0], document)
        return len(found) > 1 or any(isinstance(value, list) for value in found)

    def _entry(self, document: Document, position: int) -> tuple[Any, ...]:
        keys: list[Any] = []
        for path, direction in self.plan.order:
            key = sort_key(values_at(path, document), descending=direction == -1)
            keys.append(_Reversed(key) if direction == -1 else key)
        return (*keys, position)


class OrderedGroups:
    """The groups of one collection."""

    def __init__(self) -> None:
        self._groups: dict[OrderedPlan, OrderedGroup] = {}

    def get(self, plan: OrderedPlan) -> OrderedGroup | None:
        """Return the group of a plan, if it was made."""
        group = self._groups.pop(plan, None)
        if group is not None:
            self._groups[plan] = group
        return group

    def make(self, plan: OrderedPlan, documents: Iterable[tuple[int, Document]]) -> OrderedGroup:
        """Make the group of a plan from documents that hold at least all of its."""
        group = OrderedGroup(plan)
        group.fill(documents)
        self._groups[plan] = group
        if len(self._groups) > MOST_GROUPS:
            del self._groups[next(iter(self._groups))]
        return group

    def add(self, document: Document, position: int) -> None:
        """Take a document into the groups that it belongs to."""
        for group in self._groups.values():
            group.add(document, position)

    def remove(self, document: Document, position: int) -> None:
        """Take a document out of its groups."""
        for group in self._groups.values():
            group.remove(document, position)

    def forget(self, index: str) -> None:
        """Forget the groups of an index."""
        self._groups = {plan: group for plan, group in self._groups.items() if plan.index_name != index}
