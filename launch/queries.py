"""Stored documents, found by material and by number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypedDict, TypeVar, Unpack, get_args

from pydantic import ValidationError
from pymatgen.core import Composition, Element

from hightc.analysis.documents import Alpha2FDocument, Document, TcDocument
from hightc.analysis.documents.tc import Method
from hightc.launch.conditions import Where, where_conditions
from hightc.launch.entries import PLACE, Entry, in_order, in_pages, newest, of_materials, read_entries, rivals
from hightc.launch.errors import LaunchError
from hightc.launch.sorting import MU_STAR_TOLERANCE, SortKey, in_asked_order, sort_key
from hightc.launch.store import OUTPUTS, Database

DocumentT = TypeVar("DocumentT", bound=Document)
Range = tuple[float | None, float | None]

DEFAULT_METHOD: Method = "allen_dynes"
DEFAULT_MU_STAR = 0.10
BATCH = 50
"""Documents read at a time; a document of 10 spectra takes about 0.1 MB."""


class Filters(TypedDict, total=False):
    """What a document must meet, all of it.

    Attributes
    ----------
    formula
        Formula in any order and multiple: O2Pb and Pb2O4 are PbO2.
    elements
        Chemical symbols that are all in the material.
    only
        No element but these.
    campaign, material
        Name of the campaign, label of the material.
    lambda_range
        Lowest and highest lambda of the material's newest TcDocument, both included, None for no bound.
    tc_range
        The same for Tc in K by ``method`` at ``mu_star``. 0 K counts, "not computed" and "below the range" do not.
    mu_star
        Coulomb pseudopotential of ``tc_range``; 0.10 by default.
    method
        Method of ``tc_range``; allen_dynes by default.
    history
        Older documents of the same campaign and material too.
    where
        Conditions on any stored fields of the kind; see :func:`hightc.launch.conditions.where_conditions`.
    sort
        Field whose values order the documents, instead of campaign and material; those without a value come last. Of
        TcDocuments also ``tc_kelvin``: that of ``method`` at ``mu_star``.
    descending
        Largest value first.
    """

    formula: str | None
    elements: Sequence[str] | None
    only: bool
    campaign: str | None
    material: str | None
    lambda_range: Range | None
    tc_range: Range | None
    mu_star: float
    method: Method
    history: bool
    where: Sequence[Where]
    sort: str | None
    descending: bool


def documents(
    database: Database, kind: type[DocumentT], *, load_arrays: bool = False, **filters: Unpack[Filters]
) -> Iterator[DocumentT]:
    """Read the documents of one kind that meet every filter, ordered by campaign and material.

    Parameters
    ----------
    database
        The database.
    kind
        Class of the documents, such as TcDocument.
    load_arrays
        Whether arrays are fetched from the blob store, so that ``StoredArray.to_array`` works.
    **filters
        See :class:`Filters`. Only the newest document of a campaign, material and kind counts, unless ``history``.

    Returns
    -------
    iterator
        Reads as it goes, so memory holds only a few documents.

    Raises
    ------
    LaunchError
        If a filter is unknown or has no meaning, or a document was stored by another version of hightc.

    Examples
    --------
    >>> nb_rich = documents(database, Alpha2FDocument, elements=["Nb"], lambda_range=(1, None))  # doctest: +SKIP
    >>> soft = documents(database, MagnetismDocument, where=["softness_class = soft"])  # doctest: +SKIP
    """
    name = _kind_name(kind)
    identity, numbers = _identity_conditions(filters), _number_conditions(filters)
    own = where_conditions(kind, filters.get("where") or ())
    key = None if filters.get("sort") is None else _sort_key(kind, filters)
    if key is None and filters.get("descending"):
        msg = "descending: expected a field to sort by beside it"
        raise LaunchError(msg)
    entries = _select(database, name, filters, identity, numbers, own, key)
    if key is not None:
        entries = in_asked_order(entries, descending=filters.get("descending", False))
    return _read(database, kind, entries, load_arrays=load_arrays)


def alpha2f_documents(
    database: Database, *, load_arrays: bool = False, **filters: Unpack[Filters]
) -> Iterator[Alpha2FDocument]:
    """Spectral functions that meet every filter; see :func:`documents`."""
    return documents(database, Alpha2FDocument, load_arrays=load_arrays, **filters)


def tc_documents(database: Database, **filters: Unpack[Filters]) -> Iterator[TcDocument]:
    """Critical temperatures that meet every filter; see :func:`documents`."""
    return documents(database, TcDocument, **filters)


def _sort_key(kind: type[Document], filters: Filters) -> SortKey:
    method, mu_star = filters.get("method", DEFAULT_METHOD), filters.get("mu_star", DEFAULT_MU_STAR)
    return sort_key(kind, str(filters["sort"]), method, mu_star)


def _kind_name(kind: type[Document]) -> str:
    field = kind.model_fields.get("kind")
    if field is None:
        msg = f"{kind.__name__}: expected a class that is stored, such as TcDocument"
        raise LaunchError(msg)
    return str(field.default)


def _identity_conditions(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions on the material, for indexed fields."""
    unknown = sorted(set(filters) - set(Filters.__annotations__))
    if unknown:
        msg = f"unknown filter {unknown[0]!r}: expected one of {', '.join(Filters.__annotations__)}"
        raise LaunchError(msg)
    conditions: dict[str, Any] = {}
    for name in ("campaign", "material"):
        if filters.get(name) is not None:
            conditions[f"output.{name}"] = filters[name]
    if filters.get("formula") is not None:
        conditions["output.formula"] = reduced_formula(filters["formula"])
    if filters.get("elements") is not None:
        symbols = _elements(filters["elements"])
        conditions["output.elements"] = {"$all": symbols}
        if filters.get("only"):
            conditions["output.elements"]["$size"] = len(symbols)
    elif filters.get("only"):
        msg = "only: expected elements beside it"
        raise LaunchError(msg)
    return conditions


def reduced_formula(formula: str) -> str:
    """Formula as documents keep it.

    Parameters
    ----------
    formula
        Any formula, such as O2Pb.

    Raises
    ------
    LaunchError
        If it is not a formula.
    """
    try:
        composition = Composition(formula)
    except ValueError:
        composition = Composition()
    if not composition or not all(isinstance(part, Element) for part in composition):
        msg = f"formula: expected one such as MgB2, found {formula!r}"
        raise LaunchError(msg)
    return str(composition.reduced_formula)


def _elements(elements: Sequence[str]) -> list[str]:
    symbols = sorted({elements} if isinstance(elements, str) else set(elements))
    for symbol in symbols:
        if not Element.is_valid_symbol(symbol):
            msg = f"elements: expected chemical symbols such as Al,Pb, found {symbol!r}"
            raise LaunchError(msg)
    if not symbols:
        msg = "elements: expected at least one chemical symbol, found none"
        raise LaunchError(msg)
    return symbols


def _number_conditions(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions on a TcDocument."""
    method, mu_star = filters.get("method", DEFAULT_METHOD), filters.get("mu_star", DEFAULT_MU_STAR)
    if method not in get_args(Method):
        msg = f"method: expected one of {', '.join(get_args(Method))}, found {method!r}"
        raise LaunchError(msg)
    if not 0 <= mu_star < 1:
        msg = f"mu_star: expected a number from 0 to 1 such as 0.10, found {mu_star!r}"
        raise LaunchError(msg)
    conditions: dict[str, Any] = {}
    if filters.get("lambda_range") is not None:
        conditions["output.lambda_"] = _between("lambda_range", filters["lambda_range"])
    if filters.get("tc_range") is not None:
        conditions["output.critical_temperatures"] = {
            "$elemMatch": {
                "method": method,
                "mu_star": {"$gte": mu_star - MU_STAR_TOLERANCE, "$lte": mu_star + MU_STAR_TOLERANCE},
                "tc_kelvin": _between("tc_range", filters["tc_range"]),
            }
        }
    return conditions


def _between(name: str, bounds: Range) -> dict[str, float]:
    low, high = (None if bound is None else float(bound) for bound in bounds)
    given = [bound for bound in (low, high) if bound is not None]
    if not given or any(math.isnan(bound) for bound in given) or given != sorted(given):
        msg = f"{name}: expected a lowest and a highest number, one of which may be left out, found {low} to {high}"
        raise LaunchError(msg)
    return {
        **({"$gte": low} if low is not None else {}),
        **({"$lte": high} if high is not None else {}),
    }


def _select(
    database: Database,
    kind: str,
    filters: Mapping[str, Any],
    identity: Mapping[str, Any],
    numbers: Mapping[str, Any],
    own: Sequence[Mapping[str, Any]] = (),
    key: SortKey | None = None,
) -> Iterable[Entry]:
    """Find the documents without reading them; indexed fields come first."""
    conditions = {"output.kind": kind, **identity, **(numbers if kind == "tc" else {})}
    by_place = not own and not numbers and PLACE.issuperset(identity)
    if by_place and key is None:
        return in_pages(database, kind, identity, history=bool(filters.get("history")))
    if own:
        conditions["$and"] = list(own)
    if numbers and kind != "tc":
        newest_only = {**filters, "history": False}
        coupled = {(tc.campaign, tc.material) for tc in _select(database, "tc", newest_only, identity, numbers)}
        found = of_materials(database, conditions, (material for _, material in coupled), key)
        entries = [entry for entry in found if (entry.campaign, entry.material) in coupled]
    else:
        entries = list(read_entries(database, conditions, key))
    if not filters.get("history"):
        entries = newest(entries, entries if by_place else rivals(database, kind, entries))
    return in_order(entries)


def _read(
    database: Database, kind: type[DocumentT], entries: Iterable[Entry], *, load_arrays: bool
) -> Iterator[DocumentT]:
    outputs = _loaded(database, entries) if load_arrays else _stored(database, entries)
    for entry, output in outputs:
        try:
            yield kind.model_validate(output)
        except ValidationError as error:
            fault = error.errors(include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            msg = (
                f"{kind.__name__} of {entry.material} in campaign {entry.campaign} (uuid {entry.uuid}): {where}: "
                f"{fault['msg']}: it was stored by another version of hightc: read it with that version"
            )
            raise LaunchError(msg) from None


def _stored(database: Database, entries: Iterable[Entry]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    collection, waiting = database.collections[OUTPUTS], iter(entries)
    while batch := list(islice(waiting, BATCH)):
        found = collection.find({"_id": {"$in": [entry.id for entry in batch]}}, {"output": 1})
        by_id = {one["_id"]: one["output"] for one in found}
        yield from _present(batch, by_id)


def _present(batch: Iterable[Entry], by_id: Mapping[Any, Any]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Skip what was deleted since it was found."""
    return ((entry, by_id[entry.id]) for entry in batch if entry.id in by_id)


def _loaded(database: Database, entries: Iterable[Entry]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    with database.job_store() as store:
        for entry in entries:
            found = store.query_one({"uuid": entry.uuid, "index": entry.index}, load=True)
            if found is not None:
                yield entry, found["output"]
