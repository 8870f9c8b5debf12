"""Conditions on any stored field: ``field op value``, checked against the document's class, as MongoDB's filters.

A value only ever becomes the operand of one operator, and a field one that the class of the document has: nothing that
is written here is run.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from typing import Any, Final

from hightc.analysis.documents import Document
from hightc.launch.document_fields import FieldPlace, StoredField, find_field
from hightc.launch.errors import LaunchError

Where = str | tuple[str, str, Any]
"""A condition as text, "softness_class = soft", or as its parts, ("softness_class", "=", "soft")."""

OPERATORS: Final = {
    "=": "$eq",
    "==": "$eq",
    "!=": "$ne",
    "<": "$lt",
    "<=": "$lte",
    ">": "$gt",
    ">=": "$gte",
    "in": "$in",
    "exists": "$exists",
}
ORDER: Final = frozenset({"<", "<=", ">", ">="})
SAID: Final = "=, !=, <, <=, >, >=, in or exists"
CONDITION: Final = re.compile(
    r"\s*(?P<field>[^\s<>=!]+)\s*(?P<operator><=|>=|!=|==|=|<|>|\bin\b|\bexists\b)\s*(?P<value>.*)", re.DOTALL
)
FLAGS: Final = {"true": True, "yes": True, "false": False, "no": False}

MOST_CHARACTERS = 10_000
"""Of one condition: some hundred material labels."""


def where_conditions(kind: type[Document], where: Sequence[Where]) -> list[dict[str, Any]]:
    """Turn conditions into filters of MongoDB on stored documents, all of which must hold.

    Parameters
    ----------
    kind
        Class of the documents.
    where
        The conditions. A list meets a condition if one of its entries does (``!=``: if none is equal); two conditions
        on lists may be met by two different entries. ``!=`` also holds where there is no value; no other does.

    Returns
    -------
    list of dict
        One filter a condition.

    Raises
    ------
    LaunchError
        If a condition cannot be read, the field is unknown, or the value is not of its type.
    """
    conditions = (where,) if isinstance(where, str) else where
    return [_condition(kind, *_parts(condition)) for condition in conditions]


def _parts(condition: Where) -> tuple[str, str, Any]:
    if not isinstance(condition, str):
        if len(condition) != 3 or not isinstance(condition[0], str) or condition[1] not in OPERATORS:
            msg = f"where: expected (field, operator, value) with {SAID}, found {_short(condition)}"
            raise LaunchError(msg)
        return condition
    found = CONDITION.fullmatch(condition) if len(condition) <= MOST_CHARACTERS else None
    if found is None:
        msg = f"where: expected 'field operator value' with {SAID}, found {_short(condition)}"
        raise LaunchError(msg)
    value = found["value"].strip()
    return found["field"], found["operator"], value if found["operator"] == "in" else _unquoted(value)


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted and text[0] not in text[1:-1] else text


def _condition(kind: type[Document], name: str, operator: str, given: Any) -> dict[str, Any]:
    place = find_field(kind, name)
    if operator == "exists":
        present = _exists(place)
        return present if _flag(given, place, empty=True) else {"$nor": [present]}
    field = place.field
    if field.value not in ("text", "number", "flag"):
        msg = f"where {name}: it is a {field.type_name}: only 'exists' can be asked of it, or one of its own fields"
        raise LaunchError(msg)
    if field.list_depth > 1:
        msg = f"where {name}: it is a {field.type_name}: choose a list by its position, as in {name}.0"
        raise LaunchError(msg)
    if operator in ORDER and field.value != "number":
        msg = f"where {name}: {operator} compares numbers, and it is a {field.value}: expected =, !=, in or exists"
        raise LaunchError(msg)
    operand: Any = [_value(part, place) for part in _several(given)] if operator == "in" else _value(given, place)
    if operator == "in" and not operand:
        msg = f"where {name}: expected values after in, such as a,b, found none"
        raise LaunchError(msg)
    return {f"output.{place.path}": {OPERATORS[operator]: operand}}


def _exists(place: FieldPlace) -> dict[str, Any]:
    """That there is a value: not null, in a list at least one entry, and in a list of records in one of them."""
    start, *further = [*place.lists, place.path]
    steps = [
        start,
        *(path.removeprefix(f"{before}.") for before, path in zip([start, *further], further, strict=False)),
    ]
    last = steps.pop()
    condition: dict[str, Any] = {f"{last}.0": {"$exists": True}} if place.field.list_depth else {last: {"$ne": None}}
    for step in reversed(steps):
        condition = {step: {"$elemMatch": condition}}
    ((path, met),) = condition.items()
    return {f"output.{path}": met}


def _several(given: Any) -> Sequence[Any]:
    if isinstance(given, str):
        return [part.strip() for part in next(csv.reader([given.replace("\n", " ")], skipinitialspace=True), [])]
    if isinstance(given, (list, tuple, set, frozenset)):
        return list(given)
    return [given]


def _value(given: Any, place: FieldPlace) -> str | float | bool:
    field = place.field
    if field.value == "number":
        value: str | float | bool = _number(given, place)
    elif field.value == "flag":
        value = _flag(given, place)
    else:
        value = _text(given, place)
    if field.choices and value not in field.choices:
        raise _wrong(place, f"one of {', '.join(map(str, field.choices))}", given)
    return value


def _number(given: Any, place: FieldPlace) -> float:
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(place, f"a number{_in_unit(place.field)}", given)
    return value


def _in_unit(field: StoredField) -> str:
    return f" in {field.unit}" if field.unit else ""


def _flag(given: Any, place: FieldPlace, *, empty: bool | None = None) -> bool:
    value = given if isinstance(given, bool) else FLAGS.get(given.lower()) if isinstance(given, str) else None
    if value is None and given in ("", None):
        value = empty
    if value is None:
        raise _wrong(place, "yes or no", given)
    return value


def _text(given: Any, place: FieldPlace) -> str:
    if not isinstance(given, str) or not given:
        raise _wrong(place, "text", given)
    try:
        given.encode("utf-8")
    except UnicodeEncodeError:
        raise _wrong(place, "text in UTF-8", given) from None
    return str(given)


def _wrong(place: FieldPlace, expected: str, given: Any) -> LaunchError:
    return LaunchError(f"where {place.path}: expected {expected}, found {_short(given)}")


def _short(given: Any) -> str:
    shown = ascii(given) if isinstance(given, str) else repr(given)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
