"""What the tables of a campaign beside ``[recipe]`` have in common: a protocol's part, known keys, faults of values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.resources import files
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError

from hightc.makers.errors import RecipeError


def protocol_part(table: str, protocol: str) -> dict[str, Any]:
    """Numbers of one protocol for one table, as they come with hightc.

    Parameters
    ----------
    table
        wannier, magnetism or nesting.
    protocol
        draft, screen or precise.
    """
    text = files("hightc.makers.qe").joinpath("protocols", f"{table}.yaml").read_text(encoding="utf-8")
    part: dict[str, Any] = yaml.safe_load(text)[protocol]
    return part


def require_known(table: str, overrides: Iterable[str], known: Collection[str]) -> None:
    """Refuse a key that a table does not have.

    Parameters
    ----------
    table
        Name of the table.
    overrides
        Keys that the campaign sets.
    known
        Keys that there are.

    Raises
    ------
    RecipeError
        If one is not known.
    """
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        msg = f"unknown setting {unknown[0]!r} of [{table}]: expected one of {', '.join(sorted(known))}"
        raise RecipeError(msg)


def refuse_value(table: str, error: ValidationError) -> NoReturn:
    """Tell the first value that a table cannot hold.

    Parameters
    ----------
    table
        Name of the table.
    error
        What pydantic found.

    Raises
    ------
    RecipeError
        Always.
    """
    fault = error.errors()[0]
    msg = f"{table}.{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}, found {fault['input']!r}"
    raise RecipeError(msg) from None
