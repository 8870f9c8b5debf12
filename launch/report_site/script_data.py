"""JSON inside pages and scripts, written so that nothing in it can end a script element or begin markup."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from hightc.launch.stored_words import redact

ESCAPES: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"})
"""Letters that mean something to HTML; outside of strings JSON has none of them."""

DIGITS: Final = 5
"""Significant digits of a number in a figure: more than a screen shows."""


def script_json(value: Any) -> str:
    """Write a value as JSON that can stand in a script element, in an attribute and in a script.

    Everything but ASCII is escaped, line separators included, and so are ``<``, ``>``, ``&`` and apostrophes. A number
    that is not finite becomes null.

    Parameters
    ----------
    value
        Dicts, lists, texts, numbers, booleans and None.
    """
    return json.dumps(_clean(value), ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


def shortened(values: Any) -> list[float | None]:
    """Numbers of a curve with the digits that a screen shows.

    Parameters
    ----------
    values
        (n,) numbers; None and nan stay gaps.
    """
    return [None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}") for value in values]


def _clean(value: Any) -> Any:
    """Hide addresses of databases text by text: in the finished JSON a pattern could reach across its quotes."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(name)): _clean(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
