"""The parts of mongomock-ng that interpret MongoDB's language, behind a few functions.

This is the only module that reaches into mongomock-ng. Its private names are those of version 7.11.1; the
contract test ``tests/launch/test_embedded_mongo_contract.py`` fails when another version moves them. What is
replaced here is replaced because mongomock-ng departs from MongoDB without saying so: equality (it takes True
for 1 and ignores the order of nested documents) and ``$size`` (it counts scalars and documents).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import mongomock_ng
from bson import Regex
from mongomock_ng import aggregate, filtering
from pymongo.errors import PyMongoError

from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.ordering import NULL, key_of

Document = dict[str, Any]
Lookup = Callable[[str, Document], Iterable[Document]]

# What mongomock-ng raises, and what it lets escape when it meets a value it has not thought of. The documents
# handed to it are copies, so nothing is half done when one of these flies.
_FAILURES = (
    NotImplementedError,
    PyMongoError,
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    AssertionError,
)

# mongomock-ng has no types.
_Matcher: Any = filtering._Filterer
_candidates: Callable[[str, Document], Iterable[Any]] = filtering.iter_key_candidates
_pattern_found: Callable[[Any, Regex[str]], bool] = filtering._regex
_process_pipeline: Any = aggregate.process_pipeline
NOTHING: Any = vars(filtering)["NOTHING"]

_PLAIN = frozenset({str, int, type(None), bool})


class _Databases:
    """What mongomock-ng's pipeline stages see of the database: reading other collections."""

    def __init__(self, lookup: Lookup, collection: str = "") -> None:
        self._lookup = lookup
        self.name = collection

    def get_collection(self, name: str) -> "_Databases":
        return _Databases(self._lookup, name)

    def find(self, query: Document) -> Iterator[Document]:
        return iter(self._lookup(self.name, query))


def values_at(path: str, document: Document) -> list[Any]:
    """Return what lies at a dotted path, lists not opened; a missing value is left out.

    Through an array of documents the path has one value for each member.
    """
    return [value for value in _candidates(path, document) if value is not NOTHING]


def keys_at(path: str, document: Document) -> set[tuple[Any, ...]]:
    """Return the keys under which a document must be found by an equality on `path`.

    Every document that :func:`matches` an equality with a value has that value's key here.
    """
    keys = set()
    for value in _candidates(path, document):
        if value is NOTHING:
            keys.add(NULL)
        else:
            keys.add(key_of(value))
            if isinstance(value, list):
                keys.update(map(key_of, value))
    return keys or {NULL}


def matches(query: Mapping[str, Any], document: Document) -> bool:
    """Tell whether `document` satisfies `query`, a filter in the form of :mod:`.matching`."""
    try:
        return bool(_matcher.apply(query, document))
    except _FAILURES as error:
        raise _translated("the filter", error) from error


def apply_operators(
    document: Document, query: Document, update: Document, array_filters: list[Document], *, inserting: bool
) -> None:
    """Apply update operators to `document` in place.

    Parameters
    ----------
    document
        A copy of the document, which is left half changed when an error is raised.
    query
        The filter as the client wrote it: the positional operator looks into it.
    update
        Operators, by name.
    array_filters
        Filters of the identifiers in ``$[identifier]`` paths.
    inserting
        The document is about to be inserted by an upsert.
    """
    _scratch._current_array_filters = array_filters
    try:
        _scratch._apply_update_document(document, query, update, inserting)
    except _FAILURES as error:
        raise _translated("the update", error) from error
    finally:
        _scratch._current_array_filters = None


def project(document: Document, projection: Document, query: Document) -> Document | None:
    """Return the projected copy of a document, or None when the projection excludes it."""
    try:
        projected: Document | None = _scratch._copy_only_fields(document, dict(projection), dict, filter=query)
    except _FAILURES as error:
        raise _translated("the projection", error) from error
    return projected


def run_stage(documents: list[Document], stage: Document, lookup: Lookup) -> list[Document]:
    """Run one aggregation stage.

    Parameters
    ----------
    documents
        Copies that the stage may change.
    stage
        One operator with its options.
    lookup
        Finds documents in another collection of the database by name and filter.
    """
    name = next(iter(stage))
    try:
        return list(_process_pipeline(documents, _Databases(lookup), [stage], None))
    except _FAILURES as error:
        raise _translated(f"stage {name}", error) from error


def _translated(where: str, error: Exception) -> CommandError:
    if isinstance(error, NotImplementedError):
        return unsupported(f"this in {where} ({error})")
    if isinstance(error, PyMongoError):
        return CommandError(Code.BadValue, str(error))
    return CommandError(
        Code.BadValue,
        f"{where} does not fit the values of a document, or is not supported by the embedded server "
        f"({type(error).__name__}: {error})",
    )


def _same(found: Any, wanted: Any) -> bool:
    if found is NOTHING:
        return wanted is None
    if type(found) is type(wanted) and type(found) in _PLAIN:
        return bool(found == wanted)
    return key_of(found) == key_of(wanted)


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, list) and any(_same(member, wanted) for member in found):
        return True
    return _same(found, wanted)


def _among(found: Any, wanted: list[Any]) -> bool:
    for value in wanted:
        if isinstance(value, Regex):
            if found is not NOTHING and _pattern_found(found, value):
                return True
        elif _equal(found, value):
            return True
    return False


def _has_size(found: Any, size: int) -> bool:
    return isinstance(found, list) and len(found) == size


_matcher = _Matcher()
_operators: dict[str, Callable[[Any, Any], bool]] = {"$eq": _equal, "$in": _among, "$size": _has_size}
_matcher._operator_map |= _operators
_scratch: Any = mongomock_ng.MongoClient()["scratch"]["scratch"]
