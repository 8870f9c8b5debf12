"""From the sources of a campaign to labelled structures."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hightc.launch.errors import CampaignError
from hightc.launch.sources.duplicates import merge_duplicates
from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.labels import material_labels, plain_formula
from hightc.launch.sources.materials_project import energies_above_hull, materials_project_structures
from hightc.launch.sources.materials_project_client import MaterialsProject
from hightc.launch.sources.optimade import optimade_structures
from hightc.launch.sources.records import (
    Candidate,
    RefusedEntry,
    ResolvedSources,
    Sourced,
    SourcedStructure,
    SourceRecord,
)
from hightc.launch.sources.structure_archive import read_structure_library
from hightc.launch.sources.structure_files import file_structures
from hightc.launch.sources.supercon import supercon_entries
from hightc.launch.sources.supercon_structures import supercon_structures
from hightc.launch.sources.table import (
    FilesSource,
    MaterialsProjectSource,
    OptimadeSource,
    PrototypeSource,
    SourceEntry,
    SuperconSource,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from hightc.launch.sources.supercon_structures import Phases

SHOWN: Final = 3


def resolve_sources(entries: Sequence[SourceEntry], folder: Path) -> ResolvedSources:
    """Find the structure of every entry, check it, merge duplicates, label.

    Parameters
    ----------
    entries
        Tables ``[[sources]]`` of a campaign file.
    folder
        Folder that paths are relative to, the campaign file's.

    Returns
    -------
    ResolvedSources
        Materials in the order of the sources, and every entry that gives none with its reason.

    Raises
    ------
    SourceError
        If a source cannot be used at all, or none gives a single material.
    """
    gathered = [_cited(_gather(entry, folder), entry) for entry in entries]
    refused = [item for sourced in gathered for item in sourced.refused]
    checked: list[Candidate] = []
    cells: dict[int, Structure | tuple[str, str]] = {}
    for candidate in (candidate for sourced in gathered for candidate in sourced.candidates):
        key = id(candidate.structure)  # a table gives one structure to many compositions
        if key not in cells:
            cells[key] = _primitive(candidate)
        cell = cells[key]
        fault = cell if isinstance(cell, tuple) else _size_fault(cell, candidate.max_atoms)
        if isinstance(cell, tuple) or fault is not None:
            refused += [_refusal(record, fault or ("", "")) for record in candidate.sources]
        else:
            checked.append(replace(candidate, structure=cell))
    materials = _labelled(merge_duplicates(checked))
    if entries and not materials:
        raise SourceError(_nothing(refused))
    return ResolvedSources(materials=materials, refused=tuple(refused), found=len(checked))


def _gather(entry: SourceEntry, folder: Path) -> Sourced:
    match entry:
        case MaterialsProjectSource():
            return materials_project_structures(entry, folder)
        case SuperconSource():
            return _supercon(entry, folder)
        case FilesSource():
            return file_structures(entry, folder)
        case OptimadeSource():
            return optimade_structures(entry)
        case PrototypeSource():
            return _prototypes(entry)


def _cited(sourced: Sourced, entry: SourceEntry) -> Sourced:
    """With the DOI and the licence that the table of the source gives."""
    given = {key: value for key, value in (("doi", entry.doi), ("licence", entry.licence)) if value}
    if not given:
        return sourced
    candidates = (
        replace(candidate, sources=tuple(record.model_copy(update=given) for record in candidate.sources))
        for candidate in sourced.candidates
    )
    return replace(sourced, candidates=tuple(candidates))


def _supercon(source: SuperconSource, folder: Path) -> Sourced:
    table = supercon_entries(_path(folder, source.file), shown=source.file)
    library = None
    if source.structures is not None and source.archive is not None:
        library = read_structure_library(
            _path(folder, source.structures), _path(folder, source.archive), source.max_doping
        )
    phases: Phases | None = None
    if source.materials_project:
        project = MaterialsProject.connect(source.endpoint, source.key_file, folder)
        phases = project.phases
        if library is not None:
            energies = energies_above_hull(project, library.without_energy())
            library = replace(library, above_hull_ev={**energies, **library.above_hull_ev})
    return supercon_structures(table, source, library, phases)


def _path(folder: Path, name: str) -> Path:
    return folder / Path(name).expanduser()


def _prototypes(source: PrototypeSource) -> Sourced:
    from hightc.launch.structures import structure_from_prototype  # noqa: PLC0415 - imports pymatgen

    candidates = []
    for line in source.prototypes:
        structure = structure_from_prototype(line, where="[[sources]] prototype")
        record = SourceRecord(kind="prototype", id=line, location="prototype")
        name = f"{plain_formula(structure.composition)}_{line.split()[0]}"
        candidates.append(Candidate(name, structure, (record,), source.pressures_gpa, source.max_atoms))
    return Sourced(tuple(candidates))


def _primitive(candidate: Candidate) -> Structure | tuple[str, str]:
    """Primitive standard cell, or the code and words of a refusal."""
    from hightc.launch.structures import require_element, require_few_atoms, require_separate_atoms  # noqa: PLC0415 - imports pymatgen
    from hightc.makers.qe.symmetry import primitive_cell  # noqa: PLC0415

    structure = candidate.structure
    where = candidate.sources[0].id
    try:
        require_few_atoms(structure, where=where)
    except CampaignError as error:
        return "too_many_atoms", str(error)
    try:
        for element in structure.composition.elements:
            require_element(element.symbol, where=where)
        require_separate_atoms(structure, where=where)
    except CampaignError as error:
        return "unphysical_structure", str(error)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return primitive_cell(structure)
    except (TypeError, ValueError, AttributeError) as error:  # spglib finds no cell, pymatgen goes on with None
        return "unphysical_structure", f"{where}: no symmetry found ({error}): check the cell and the positions"


def _size_fault(cell: Structure, max_atoms: int | None) -> tuple[str, str] | None:
    if max_atoms is None or len(cell) <= max_atoms:
        return None
    return "too_many_atoms", f"expected at most {max_atoms} atoms in the primitive cell, found {len(cell)}"


def _refusal(record: SourceRecord, fault: tuple[str, str]) -> RefusedEntry:
    code, reason = fault
    value = record.composition or record.id
    where = f"{record.location} {record.id}" if record.composition else record.location
    return RefusedEntry.model_validate(
        {"kind": record.kind, "where": where, "value": value, "code": code, "reason": reason}
    )


def _labelled(candidates: Sequence[Candidate]) -> tuple[SourcedStructure, ...]:
    seen: Counter[str] = Counter()
    names: list[str] = []
    for candidate in candidates:
        seen[candidate.name] += 1
        again = seen[candidate.name]  # one name of two crystals, as when a table and a database differ
        names.append(candidate.name if again == 1 else f"{candidate.name}_{again}")
    asked = [
        (name, pressure, candidate)
        for name, candidate in zip(names, candidates, strict=True)
        for pressure in candidate.pressures_gpa
    ]
    labels = material_labels([(name, pressure) for name, pressure, _ in asked])
    return tuple(
        SourcedStructure(label, candidate.structure, pressure, candidate.sources)
        for label, (_, pressure, candidate) in zip(labels, asked, strict=True)
    )


def _nothing(refused: Sequence[RefusedEntry]) -> str:
    shown = "; ".join(f"{item.where}: {item.value!r}: {item.reason}" for item in refused[:SHOWN])
    more = f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    return f"sources: expected a structure, found none that can be used: {shown or 'nothing was found'}{more}"
