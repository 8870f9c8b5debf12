"""Structures of the Materials Project, by identifier or by what they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hightc.launch.sources.labels import plain_formula
from hightc.launch.sources.materials_project_client import ENDPOINT, MaterialsProject, Phase
from hightc.launch.sources.records import Candidate, RefusalCode, RefusedEntry, Sourced, SourceRecord

if TYPE_CHECKING:
    from hightc.launch.sources.table import MaterialsProjectSource

IDENTIFIER: Final = re.compile(r"^(mp|mvc)-[a-z0-9]{1,12}$")
DOI: Final = "10.1063/1.4812323"
"""Jain et al., APL Mater. 1, 011002 (2013)."""

LICENCE: Final = "CC-BY-4.0"
IDS_AT_ONCE: Final = 500
ASKED_AFTER: Final = 50
"""Most unknown identifiers that are looked for among the tasks, one request each."""


def materials_project_structures(
    source: MaterialsProjectSource,
    folder: Path,
    connect: Callable[..., MaterialsProject] = MaterialsProject.connect,
) -> Sourced:
    """Ask the Materials Project for the structures of a source.

    Parameters
    ----------
    source
        Identifiers or filters.
    folder
        Folder of the campaign file.
    connect
        Opens the connection.

    Raises
    ------
    SourceError
        If there is no key, the server refuses or fails, or there are more materials than the limit.
    """
    refused = [
        _refusal(source, value, "unknown_id", f"expected an identifier such as mp-75, found {value!r}")
        for value in source.ids
        if not IDENTIFIER.fullmatch(value)
    ]
    project = connect(source.endpoint, source.key_file, folder)
    if source.ids:
        wanted = tuple(dict.fromkeys(value for value in source.ids if IDENTIFIER.fullmatch(value)))
        phases, unknown = _by_ids(project, source, wanted)
        refused += unknown
    else:
        phases = project.search(limit=source.limit, **_criteria(source))
    return Sourced(tuple(_candidate(project, source, phase) for phase in phases), tuple(refused))


def _criteria(source: MaterialsProjectSource) -> dict[str, Any]:
    given: dict[str, Any] = {
        "chemsys": list(source.chemical_systems),
        "formula": list(source.formulas),
        "elements": list(source.elements),
        "exclude_elements": list(source.exclude_elements),
        "num_elements": source.num_elements,
        "is_metal": True if source.metals_only else None,
    }
    if source.max_energy_above_hull_ev is not None:
        given["energy_above_hull"] = (0.0, source.max_energy_above_hull_ev)
    return {key: value for key, value in given.items() if value}


def _by_ids(
    project: MaterialsProject, source: MaterialsProjectSource, wanted: Sequence[str]
) -> tuple[list[Phase], list[RefusedEntry]]:
    """Materials in the order asked for, and a reason for each identifier without one."""
    found = _found(project, wanted)
    missing = [value for value in wanted if _plain(value) not in found]
    retired = _found(project, missing, deprecated=True) if missing else {}
    refused = []
    for number, value in enumerate(missing):
        if _plain(value) in retired:
            reason = "retired: the Materials Project withdrew it: look for its formula there"
            refused.append(_refusal(source, value, "retired_id", reason))
            continue
        heir = project.successor(value) if number < ASKED_AFTER else None
        if heir is not None:
            reason = f"retired: the calculation now belongs to {heir}: write {heir}"
            refused.append(_refusal(source, value, "retired_id", reason))
        else:
            reason = "unknown: the Materials Project has no such material: check the number"
            refused.append(_refusal(source, value, "unknown_id", reason))
    return [found[_plain(value)] for value in wanted if _plain(value) in found], refused


def _found(project: MaterialsProject, identifiers: Sequence[str], **criteria: Any) -> dict[str, Phase]:
    phases = [
        phase
        for start in range(0, len(identifiers), IDS_AT_ONCE)
        for phase in project.search(material_ids=list(identifiers[start : start + IDS_AT_ONCE]), **criteria)
    ]
    return {_plain(phase.identifier): phase for phase in phases}


def energies_above_hull(project: MaterialsProject, identifiers: Sequence[str]) -> dict[str, float]:
    """Energies above the hull, of those that the Materials Project still has.

    Parameters
    ----------
    project
        The connection.
    identifiers
        Any; what is none of the Materials Project is left out.

    Returns
    -------
    dict
        eV an atom by identifier as given.
    """
    asked = [value for value in identifiers if IDENTIFIER.fullmatch(value)]
    found = _found(project, asked)
    energies = {value: found[_plain(value)].above_hull_ev for value in asked if _plain(value) in found}
    return {value: energy for value, energy in energies.items() if energy is not None}


def _plain(identifier: str) -> str:
    """One spelling of an identifier, of which the database has two: mp-149 and mp-aaaaaaft."""
    from mp_api.client.core.utils import validate_ids  # noqa: PLC0415 - the client takes seconds to import

    try:
        return str(validate_ids([identifier])[0])
    except ValueError:
        return identifier


def _candidate(project: MaterialsProject, source: MaterialsProjectSource, phase: Phase) -> Candidate:
    record = SourceRecord(
        kind="materials_project", id=phase.identifier, location=project.address, doi=DOI, licence=LICENCE
    )
    name = f"{plain_formula(phase.structure.composition)}_{phase.identifier}"
    return Candidate(name, phase.structure, (record,), source.pressures_gpa, source.max_atoms)


def _refusal(source: MaterialsProjectSource, value: str, code: RefusalCode, reason: str) -> RefusedEntry:
    from hightc.launch.sources.web import public_address  # noqa: PLC0415 - imports requests

    where = public_address(source.endpoint or ENDPOINT)
    return RefusedEntry(kind="materials_project", where=where, value=value, code=code, reason=reason)
