"""MongoDB's order and equality of values, as keys that Python can hash and compare.

Two values are equal for MongoDB exactly when their keys are equal: 1 and 1.0 are, 1 and True are not, and
nested documents are equal only in the same field order. Keys of any two values can be compared with ``<``.

Source: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bson import DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS

Key = tuple[Any, ...]

NULL: Key = (5,)
EMPTY_ARRAY: Key = (1,)
# BSON dates are decoded as naive UTC.
_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)


def key_of(value: Any) -> Key:
    """Return the key of a BSON value.

    Parameters
    ----------
    value
        Any value that :func:`bson.decode` yields.

    Raises
    ------
    TypeError
        The value has no place in MongoDB's order.

    Examples
    --------
    >>> key_of(1) == key_of(1.0), key_of(1) == key_of(True)
    (True, False)
    >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    False
    >>> key_of(None) < key_of(3) < key_of("a")
    True
    """
    exact = _KEYS.get(type(value))
    if exact is not None:
        return exact(value)
    for kind, make in _KEYS.items():
        if isinstance(value, kind):
            return make(value)
    if isinstance(value, Mapping):
        return _document_key(value)
    raise TypeError(f"a value of type {type(value).__name__} has no place in MongoDB's order")


def sort_key(values: Iterable[Any], *, descending: bool) -> Key:
    """Return the key by which a document sorts on one path.

    Parameters
    ----------
    values
        Everything found at the path, lists not yet opened; empty when the path is missing.
    descending
        MongoDB sorts an array by its largest member when descending, by its smallest otherwise.
    """
    keys: list[Key] = []
    for value in values:
        if isinstance(value, list):
            keys.extend(map(key_of, value))
            if not value:
                keys.append(EMPTY_ARRAY)
        else:
            keys.append(key_of(value))
    if not keys:
        return NULL
    return max(keys) if descending else min(keys)


def _number_key(value: float) -> Key:
    return (10,) if value != value else (10, value)  # noqa: PLR0124 - NaN, below all numbers


def _decimal_key(value: Decimal128) -> Key:
    number = value.to_decimal()
    return (10,) if math.isnan(number) else (10, number)


def _document_key(value: Mapping[str, Any]) -> Key:
    members = ((key_of(member), name) for name, member in value.items())
    return (20, tuple((key[0], name, key) for key, name in members))


_KEYS: dict[type, Callable[[Any], Key]] = {
    str: lambda value: (15, value),
    bool: lambda value: (40, value),
    int: lambda value: (10, value),
    float: _number_key,
    Int64: lambda value: (10, int(value)),
    type(None): lambda _: NULL,
    ObjectId: lambda value: (35, value.binary),
    datetime: lambda value: (45, (value - _EPOCH) // _MILLISECOND),
    DatetimeMS: lambda value: (45, int(value)),
    dict: _document_key,
    list: lambda value: (25, tuple(map(key_of, value))),
    bytes: lambda value: (30, len(value), 0, value),
    Binary: lambda value: (30, len(value), value.subtype, bytes(value)),
    Decimal128: _decimal_key,
    Timestamp: lambda value: (47, value.time, value.inc),
    Regex: lambda value: (50, str(value.pattern), value.flags),
    DBRef: lambda value: _document_key(value.as_doc()),
    Code: lambda value: (60, str(value), () if value.scope is None else _document_key(value.scope)),
    MinKey: lambda _: (-1,),
    MaxKey: lambda _: (127,),
}
