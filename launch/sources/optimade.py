"""Structures of providers that speak OPTIMADE 1.x (Andersen et al., Sci. Data 8, 217 (2021))."""

# ruff: noqa: PLC0415 - a help text must wait neither for pymatgen nor for requests
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from hightc.launch.sources.errors import SourceAwayError, SourceError, SourceLimitError
from hightc.launch.sources.labels import plain_formula
from hightc.launch.sources.ordering import DisorderedSiteError, ordered_parent
from hightc.launch.sources.records import Candidate, RefusalCode, RefusedEntry, Sourced, SourceRecord

if TYPE_CHECKING:
    import requests
    from pymatgen.core import Structure

    from hightc.launch.sources.table import OptimadeSource
    from hightc.launch.sources.web import Patience

FIELDS: Final = (
    "lattice_vectors,cartesian_site_positions,species,species_at_sites,dimension_types,chemical_formula_reduced"
)
PAGE: Final = 100
LONGEST_DETAIL: Final = 200
NOT_ATOMS: Final = ("X", "vacancy")


def optimade_structures(source: OptimadeSource, patience: Patience | None = None) -> Sourced:
    """Ask a provider for structures.

    Parameters
    ----------
    source
        Provider and filter.
    patience
        How long it is waited for; by default as for every server.

    Returns
    -------
    Sourced
        A candidate for each structure, and those that could not be understood.

    Raises
    ------
    SourceError
        If the provider cannot be reached, refuses the filter, or has more structures than the limit.
    """
    from hightc.launch.sources.web import Patience as Waits
    from hightc.launch.sources.web import patient_session, public_address

    base = _base(source.provider)
    address = public_address(base)
    candidates: list[Candidate] = []
    refused: list[RefusedEntry] = []
    waits = patience or Waits()
    with patient_session(waits) as session:
        for item in _items(session, base, source, waits):
            identifier = str(item.get("id")) if isinstance(item, dict) else repr(item)[:LONGEST_DETAIL]
            try:
                structure = _structure(item["attributes"])
                ordered = ordered_parent(structure, source.max_doping)
            except DisorderedSiteError as error:
                refused.append(_refusal(address, identifier, "doping_beyond_tolerance", str(error)))
                continue
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                reason = f"cannot be understood ({type(error).__name__}: {error}): expected a crystal of OPTIMADE 1.x"
                refused.append(_refusal(address, identifier, "unreadable_structure", reason))
                continue
            share = None if structure.is_ordered else max(1 - max(site.species.values()) for site in structure)
            record = SourceRecord(
                kind="optimade",
                id=identifier,
                location=address,
                doping_fraction=None if share is None else round(share, 4),
                composition=None if share is None else structure.composition.reduced_formula,
            )
            name = f"{plain_formula(ordered.composition)}_{_prefix(source.provider)}-{identifier}"
            candidates.append(Candidate(name, ordered, (record,), source.pressures_gpa, source.max_atoms))
    return Sourced(tuple(candidates), tuple(refused))


def _base(provider: str) -> str:
    """Address of the structures of a provider."""
    from pymatgen.ext.optimade import OptimadeRester

    from hightc.launch.sources.web import require_address

    if "://" not in provider and provider not in OptimadeRester.aliases:
        known = ", ".join(sorted(OptimadeRester.aliases))
        msg = f"OPTIMADE: expected an address or one of {known}, found {provider!r}"
        raise SourceError(msg)
    url = require_address(OptimadeRester.aliases.get(provider, provider), what="OPTIMADE", secret=False).rstrip("/")
    return f"{url}/structures" if re.search(r"/v1(\.\d+)*$", url) else f"{url}/v1/structures"


def _prefix(provider: str) -> str:
    return urlsplit(provider).hostname or "provider" if "://" in provider else provider


def _items(session: requests.Session, base: str, source: OptimadeSource, waits: Patience) -> Iterator[Any]:
    """Every item of every page."""
    page: dict[str, Any] | None = {
        "filter": source.filter,
        "response_fields": FIELDS,
        "page_limit": min(PAGE, source.limit),
    }
    url, seen, found = base, set[str](), 0
    while True:
        content = _get(session, url, page, waits)
        total = (content.get("meta") or {}).get("data_returned")
        items = content["data"]
        found += len(items)
        if max(found, total if isinstance(total, int) else 0) > source.limit:
            msg = f"{base}: expected at most {source.limit} structures, found {max(found, total or 0)}"
            raise SourceError(f"{msg}: narrow the filter or raise limit")
        yield from items
        following = _next(content, url)
        if following is None or following in seen:
            return
        if urlsplit(following)[:2] != urlsplit(base)[:2]:
            msg = f"{base}: expected its next page at the same host, found {following!r}: the provider is misconfigured"
            raise SourceError(msg)
        seen.add(following)
        url, page = following, None


def _next(content: dict[str, Any], url: str) -> str | None:
    link = (content.get("links") or {}).get("next")
    if isinstance(link, dict):
        link = link.get("href")
    return urljoin(url, link) if isinstance(link, str) and link else None


def _get(session: requests.Session, url: str, params: dict[str, Any] | None, waits: Patience) -> dict[str, Any]:
    from requests.exceptions import RequestException

    from hightc.launch.sources.web import json_of, public_address

    shown = public_address(url)
    try:
        response = session.get(url, params=params, timeout=waits.timeout_seconds)
    except RequestException as error:
        msg = f"{shown}: no answer ({type(error).__name__}): expected an OPTIMADE provider: see whether it is up"
        raise SourceAwayError(msg) from None
    content = json_of(response)
    if response.status_code == 429:
        msg = f"{shown}: still too many requests after {waits.tries} waits: try again in some minutes"
        raise SourceLimitError(msg)
    if response.status_code >= 500:
        msg = f"{shown}: expected structures, found status {response.status_code}: the server fails: try again later"
        raise SourceAwayError(msg)
    if response.status_code != 200:
        msg = f"{shown}: expected structures, found status {response.status_code}{_detail(content)}: see the filter"
        raise SourceError(msg)
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        msg = f"{shown}: expected JSON with data, found something else: give the base address of a provider"
        raise SourceAwayError(msg)
    return content


def _detail(content: Any) -> str:
    errors = content.get("errors") if isinstance(content, dict) else None
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return f" ({str(errors[0].get('detail') or errors[0].get('title'))[:LONGEST_DETAIL]!r})"
    return ""


def _structure(attributes: dict[str, Any]) -> Structure:
    from pymatgen.core import Structure

    dimensions = attributes.get("dimension_types")
    if dimensions is not None and list(dimensions) != [1, 1, 1]:
        msg = f"periodic in {dimensions}, expected three directions"
        raise ValueError(msg)
    kinds = {kind["name"]: kind for kind in attributes.get("species") or ()}
    sites = [_species(kinds.get(name), name) for name in attributes["species_at_sites"]]
    positions = attributes["cartesian_site_positions"]
    if len(sites) != len(positions):
        msg = f"{len(sites)} species at {len(positions)} positions"
        raise ValueError(msg)
    return Structure(attributes["lattice_vectors"], sites, positions, coords_are_cartesian=True)


def _species(kind: dict[str, Any] | None, name: str) -> dict[str, float]:
    """Elements of a site with their shares; what is missing to one is empty."""
    if kind is None:
        return {name: 1.0}
    shares = zip(kind["chemical_symbols"], kind["concentration"], strict=True)
    return {symbol: float(share) for symbol, share in shares if symbol not in NOT_ATOMS}


def _refusal(address: str, identifier: str, code: RefusalCode, reason: str) -> RefusedEntry:
    return RefusedEntry(kind="optimade", where=address, value=identifier, code=code, reason=reason)
