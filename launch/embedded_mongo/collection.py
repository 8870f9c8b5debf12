"""The documents of one collection in natural order, with their indexes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hightc.launch.embedded_mongo.errors import Code, CommandError
from hightc.launch.embedded_mongo.indexes import IndexSpecification, Postings, UniqueKeys, candidates, is_decided
from hightc.launch.embedded_mongo.matching import Filter
from hightc.launch.embedded_mongo.mongomock_core import Document, matches, values_at
from hightc.launch.embedded_mongo.ordered import OrderedGroup, OrderedGroups, OrderedPlan, ordered_plan
from hightc.launch.embedded_mongo.ordering import NULL, key_of
from hightc.launch.embedded_mongo.wire import decode

ID_INDEX = IndexSpecification(name="_id_", key=(("_id", 1),), unique=True)


class Found(NamedTuple):
    """A matching document: where it stands, as it is stored, and a decoded copy that the caller may change."""

    position: int
    body: bytes
    document: Document


class Collection:
    """Documents by position.

    A document is stored as immutable BSON and decoded when it is looked at: 3 us for a firework, a fifth of
    the memory of its dictionaries, and a reader's copy can never change what is stored. A document keeps its
    position, hence its place in natural order, for life.

    Parameters
    ----------
    namespace
        ``database.collection``.

    Attributes
    ----------
    data_bytes
        Sum of the sizes of the documents.
    examined
        How many documents queries have decoded so far: what an index saves.
    examined_keys
        How many entries of indexes they have followed.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.data_bytes = 0
        self.examined = 0
        self.examined_keys = 0
        self._bodies: dict[int, bytes] = {}
        self._next_position = 0
        self._specifications: dict[str, IndexSpecification] = {}
        self._postings: dict[str, Postings] = {}
        self._uniques: dict[str, UniqueKeys] = {}
        self._groups = OrderedGroups()
        self.create_index(ID_INDEX)

    def __len__(self) -> int:
        return len(self._bodies)

    @property
    def indexes(self) -> list[IndexSpecification]:
        """The declared indexes, ``_id_`` first."""
        return list(self._specifications.values())

    def bodies(self) -> Iterator[bytes]:
        """Yield every document as BSON in natural order."""
        yield from self._bodies.values()

    def find(self, query: Filter) -> Iterator[Found]:
        """Yield the matches of a strict filter in natural order.

        The candidates are fixed at the first step, so a match may be replaced or deleted while iterating,
        before the next step.
        """
        chosen = candidates(query, self._postings)
        positions = list(self._bodies) if chosen is None else sorted(chosen)
        self.examined_keys += 0 if chosen is None else len(chosen)
        # a clause with a thousand values need not be gone through for each of a thousand documents
        decided = not query or is_decided(query, self._postings)
        for position in positions:
            body = self._bodies[position]
            document = decode(body)
            self.examined += 1
            if decided or matches(query, document):
                yield Found(position, body, document)

    def find_in_order(self, query: Filter, sort: dict[str, Any], wanted: int) -> Iterator[Found] | None:
        """Yield the matches of a strict filter in an order that an index has; None if sorting them all is less work.

        Parameters
        ----------
        query
            A strict filter.
        sort
            Paths and directions.
        wanted
            How many will be taken.
        """
        plan = ordered_plan(query, sort, self._specifications.values())
        if plan is None:
            return None
        chosen = candidates(query, self._postings)
        n_chosen = len(self) if chosen is None else len(chosen)
        group = self._groups.get(plan) or self._groups.make(plan, self._holding(plan))
        # of the group every (size / chosen)-th is expected to match
        if wanted * len(group.entries) > n_chosen**2:
            return None
        return self._walk(group, query)

    def _walk(self, group: OrderedGroup, query: Filter) -> Iterator[Found]:
        for position in group.positions(query):
            body = self._bodies[position]
            document = decode(body)
            self.examined += 1
            self.examined_keys += 1
            if matches(query, document):
                yield Found(position, body, document)

    def _holding(self, plan: OrderedPlan) -> Iterator[tuple[int, Document]]:
        """Yield documents by position, all that hold the plan's first keys among them."""
        posted = [self._postings[path].at(key) for path, key in plan.prefix if path in self._postings]
        for position in set.intersection(*posted) if posted else self._bodies:
            yield position, decode(self._bodies[position])

    def distinct_posted(self, path: str, query: Filter) -> list[Any] | None:
        """Return the different values at an indexed path among the matches, reading one document for each value.

        None where the index does not tell: it is needed for the path, and it must decide the filter.
        """
        if path not in self._postings or (query and not is_decided(query, self._postings)):
            return None
        chosen = candidates(query, self._postings) if query else None
        values: list[Any] = []
        for key, held in self._postings[path].items():
            among = held if chosen is None else held & chosen
            for position in sorted(among) if key == NULL else [min(among)] if among else []:
                self.examined += 1
                found = values_at(path, decode(self._bodies[position]))
                if len(found) > 1 or any(isinstance(value, list) for value in found):
                    return None
                values += found
                if found:
                    break
        return values

    def count(self, query: Filter) -> int:
        """Count the matches of a strict filter; what the indexes alone decide is counted without reading a document."""
        if not query:
            return len(self)
        if is_decided(query, self._postings):
            chosen = candidates(query, self._postings) or ()
            self.examined_keys += len(chosen)
            return len(chosen)
        return sum(1 for _ in self.find(query))

    def indexed(self, query: Filter, sort: dict[str, Any] | None = None) -> bool:
        """Tell whether a strict filter, or an order, is answered through an index."""
        ordered = ordered_plan(query, sort, self._specifications.values()) if sort else None
        return ordered is not None or candidates(query, self._postings) is not None

    def position_of(self, identifier: object) -> int | None:
        """Return the position of the document with this ``_id``."""
        return self._uniques[ID_INDEX.name].taken.get((key_of(identifier),))

    def require_unique(self, document: Document, position: int | None) -> None:
        """Refuse a document that takes a key of another one; `position` is its own when it is replaced."""
        for unique in self._uniques.values():
            unique.require_free(document, position, self.namespace)

    def put(self, body: bytes, document: Document) -> None:
        """Store a document: in place of the one with the same ``_id``, or at the end."""
        position = self.position_of(document["_id"])
        if position is None:
            position = self._next_position
            self._next_position += 1
        else:
            old = self._bodies[position]
            self._unindex(decode(old), position)
            self.data_bytes -= len(old)
        self._bodies[position] = body
        self.data_bytes += len(body)
        self._index(document, position)

    def remove(self, identifier: object) -> None:
        """Delete the document with this ``_id``, if there is one."""
        position = self.position_of(identifier)
        if position is not None:
            body = self._bodies.pop(position)
            self.data_bytes -= len(body)
            self._unindex(decode(body), position)

    def create_index(self, specification: IndexSpecification) -> None:
        """Declare an index and fill it from the documents.

        Raises
        ------
        CommandError
            Documents break its uniqueness, or hold arrays in two of its fields; nothing is declared then.
        """
        unique = UniqueKeys(specification) if specification.unique else None
        path = specification.key[0][0]
        postings = Postings(path) if path not in self._postings else None
        if unique is not None or postings is not None:
            for position, body in self._bodies.items():
                document = decode(body)
                if unique is not None:
                    unique.require_free(document, position, self.namespace)
                    unique.add(document, position)
                if postings is not None:
                    postings.add(document, position)
        self._specifications[specification.name] = specification
        if unique is not None:
            self._uniques[specification.name] = unique
        if postings is not None:
            self._postings[path] = postings

    def drop_index(self, name: str) -> None:
        """Forget an index.

        Raises
        ------
        CommandError
            There is no such index, or it is that of ``_id``.
        """
        if name == ID_INDEX.name:
            raise CommandError(Code.InvalidOptions, "cannot drop _id index")
        if name not in self._specifications:
            raise CommandError(Code.IndexNotFound, f"index not found with name [{name}]")
        path = self._specifications.pop(name).key[0][0]
        self._groups.forget(name)
        self._uniques.pop(name, None)
        if all(specification.key[0][0] != path for specification in self._specifications.values()):
            del self._postings[path]

    def _index(self, document: Document, position: int) -> None:
        for postings in self._postings.values():
            postings.add(document, position)
        for unique in self._uniques.values():
            unique.add(document, position)
        self._groups.add(document, position)

    def _unindex(self, document: Document, position: int) -> None:
        for postings in self._postings.values():
            postings.remove(document, position)
        for unique in self._uniques.values():
            unique.remove(document, position)
        self._groups.remove(document, position)
