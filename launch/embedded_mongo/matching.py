"""Filters in one strict form, which the matcher and the indexes both read.

Every equality is spelt ``{path: {"$eq": value}}``, every clause holds one operator, and negations are
``$nor``, which is how MongoDB defines them. What the server cannot answer correctly is refused here, before
any document is read, so that a refusal does not depend on the data.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bson import Regex

from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported

Filter = dict[str, Any]

_LOGICAL = frozenset({"$and", "$or", "$nor"})
_DIRECT = frozenset({"$eq", "$gt", "$gte", "$lt", "$lte", "$exists", "$size", "$type"})
_REFUSED = frozenset(
    {
        "$where",
        "$text",
        "$jsonSchema",
        "$mod",
        "$bitsAllClear",
        "$bitsAllSet",
        "$bitsAnyClear",
        "$bitsAnySet",
        "$near",
        "$nearSphere",
        "$geoIntersects",
        "$geoWithin",
        "$sampleRate",
        "$rand",
    }
)
_FLAGS = {"i": 2, "m": 8, "s": 16, "x": 64}


def strict_filter(query: Mapping[str, Any]) -> Filter:
    """Return `query` in the strict form.

    Parameters
    ----------
    query
        A filter as a client writes it.

    Raises
    ------
    CommandError
        The filter is malformed (BadValue) or needs what the embedded server does not have (NotImplemented).

    Examples
    --------
    >>> strict_filter({"state": "READY", "fw_id": {"$ne": 3}})
    {'$and': [{'state': {'$eq': 'READY'}}, {'$nor': [{'fw_id': {'$eq': 3}}]}]}
    """
    if not isinstance(query, Mapping):
        raise CommandError(Code.TypeMismatch, f"a filter must be a document, found {type(query).__name__}")
    clauses: list[Filter] = []
    for name, operand in query.items():
        if name in _LOGICAL:
            if not isinstance(operand, list) or not operand:
                raise CommandError(Code.BadValue, f"{name} must be a nonempty array")
            clauses.append({name: [strict_filter(branch) for branch in operand]})
        elif name == "$expr":
            clauses.append({name: operand})
        elif name == "$comment":
            continue
        elif name.startswith("$"):
            raise _refusal(name, "unknown top level operator")
        else:
            clauses.extend(_field_clauses(name, operand))
    return _conjunction(clauses)


def conjuncts(query: Filter) -> Iterator[Filter]:
    """Yield the clauses of a strict filter that must all hold."""
    for name, operand in query.items():
        if name == "$and" or (name == "$or" and len(operand) == 1):
            for branch in operand:
                yield from conjuncts(branch)
        else:
            yield {name: operand}


def equalities(query: Filter) -> dict[str, Any]:
    """Return the values that an upsert takes from a strict filter, by path.

    Raises
    ------
    CommandError
        The filter asks for two values at one path.
    """
    values: dict[str, Any] = {}
    for clause in conjuncts(query):
        ((path, condition),) = clause.items()
        if path.startswith("$") or "$eq" not in condition:
            continue
        if path in values:
            raise CommandError(
                Code.NotSingleValueField, f"cannot infer query fields to set, path '{path}' is matched twice"
            )
        values[path] = condition["$eq"]
    return values


def _conjunction(clauses: list[Filter]) -> Filter:
    if len(clauses) > 1:
        return {"$and": clauses}
    return clauses[0] if clauses else {}


def _refusal(name: str, otherwise: str) -> CommandError:
    if name in _REFUSED:
        return unsupported(name)
    return CommandError(Code.BadValue, f"{otherwise}: {name}")


def _is_operators(operand: Any) -> bool:
    return isinstance(operand, Mapping) and bool(operand) and next(iter(operand)).startswith("$")


def _field_clauses(path: str, operand: Any) -> list[Filter]:
    if not _is_operators(operand):
        return [_pattern(path, operand) if isinstance(operand, Regex) else _equality(path, operand)]
    clauses = []
    for operator, value in operand.items():
        if operator in ("$regex", "$options"):
            if operator == "$regex":
                clauses.append(_pattern(path, value, operand.get("$options", "")))
            elif "$regex" not in operand:
                raise CommandError(Code.BadValue, "$options needs a $regex")
        else:
            clauses.append(_operator_clause(path, operator, value))
    return clauses


def _operator_clause(path: str, operator: str, value: Any) -> Filter:  # noqa: PLR0911 - one case an operator
    match operator:
        case "$eq":
            return _equality(path, value)
        case "$ne":
            return {"$nor": [_equality(path, value)]}
        case "$in":
            return _membership(path, operator, value)
        case "$nin":
            return {"$nor": [_membership(path, operator, value)]}
        case "$not":
            if not _is_operators(value) and not isinstance(value, Regex):
                raise CommandError(Code.BadValue, "$not needs a regex or a document of operators")
            return {"$nor": [_conjunction(_field_clauses(path, value))]}
        case "$all":
            return _all(path, value)
        case "$elemMatch":
            return {path: {"$elemMatch": _member_filter(value)}}
        case "$gt" | "$lt" if value is None:
            return {path: {"$in": []}}
        case "$gte" | "$lte" if value is None:
            return _equality(path, None)
        case _ if operator in _DIRECT:
            return {path: {operator: value}}
    raise _refusal(operator, "unknown operator")


def _equality(path: str, value: Any) -> Filter:
    clause = {path: {"$eq": value}}
    if value is None and "." in path:
        # A path that ends in the middle of a scalar is missing, hence null: mongomock-ng overlooks it.
        return {"$or": [clause, {path: {"$exists": False}}]}
    return clause


def _membership(path: str, operator: str, values: Any) -> Filter:
    if not isinstance(values, list):
        raise CommandError(Code.BadValue, f"{operator} needs an array")
    if any(_is_operators(value) for value in values):
        raise CommandError(Code.BadValue, f"cannot nest $ under {operator}")
    clause = {path: {"$in": values}}
    if "." in path and None in values:
        return {"$or": [clause, {path: {"$exists": False}}]}
    return clause


def _all(path: str, values: Any) -> Filter:
    if not isinstance(values, list):
        raise CommandError(Code.BadValue, "$all needs an array")
    if not values:
        return {path: {"$in": []}}
    clauses: list[Filter] = []
    for value in values:
        clauses.extend(_field_clauses(path, value))
    return _conjunction(clauses)


def _member_filter(operand: Any) -> Filter:
    if not isinstance(operand, Mapping):
        raise CommandError(Code.BadValue, "$elemMatch needs an Object")
    if not _is_operators(operand) or next(iter(operand)) in _LOGICAL:
        return strict_filter(operand)
    # Operators on the members themselves are a filter on a field that each member is wrapped in.
    members: Filter = {}
    for clause in _field_clauses("member", operand):
        ((name, condition),) = clause.items()
        if name != "member" or members.keys() & condition.keys():
            raise unsupported(f"{next(iter(operand))} in $elemMatch")
        members.update(condition)
    return members


def _pattern(path: str, pattern: Any, options: str = "") -> Filter:
    if isinstance(pattern, Regex):
        flags = pattern.flags
        source = pattern.pattern
    elif isinstance(pattern, str):
        flags, source = 0, pattern
    else:
        raise CommandError(Code.BadValue, "$regex has to be a string")
    for option in options:
        if option not in _FLAGS:
            raise CommandError(Code.BadValue, f"invalid flag in regex options: {option}")
        flags |= _FLAGS[option]
    return {path: {"$regex": Regex(source, flags)}}
