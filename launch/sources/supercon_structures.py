"""Structures for the compositions of a table of superconductors, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Final

from hightc.launch.sources.element_crystals import BUILT, is_element_crystal
from hightc.launch.sources.labels import plain_formula
from hightc.launch.sources.ordering import FULL, doping_fraction, parent_formulas
from hightc.launch.sources.records import Candidate, RefusalCode, RefusedEntry, Sourced, SourceRecord
from hightc.launch.sources.structure_archive import StructureLibrary, composition_key

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

    from hightc.launch.sources.supercon import SuperconEntry, SuperconTable
    from hightc.launch.sources.table import SuperconSource

CRYSTAL: Final = "the crystal of the element at ambient pressure"
DOPANT_ELEMENTS: Final = 3
"""Most elements of a composition that its ordered parent may lack."""

Phases = Callable[[Sequence[str]], dict[str, tuple[tuple[str, "Structure"], ...]]]
"""Structures with their identifiers for each formula, the most stable first."""


def supercon_structures(
    table: SuperconTable,
    source: SuperconSource,
    library: StructureLibrary | None,
    phases: Phases | None,
) -> Sourced:
    """Give each composition its ordered structures.

    A composition takes, of the structures that the library names for it, or else of those in the library whose
    composition is near, those within the tolerance of doping: the least doped first; of equally doped ones, for an
    element its crystal at ambient pressure, then the most stable, where the table or the Materials Project has their
    energies, or else the first in the database. What is still without one is looked for by formula. The record of each
    says why it was chosen.

    Parameters
    ----------
    table
        Compositions with their Tc.
    source
        Tolerance, number of polymorphs, pressures.
    library
        Structures of an archive; None where there is none.
    phases
        Looks up structures by formula, as the Materials Project does; None: nobody is asked.

    Returns
    -------
    Sourced
        One candidate for each structure of each composition; duplicates are not merged yet.
    """
    candidates: list[Candidate] = []
    refused: list[RefusedEntry] = [*table.refused, *(library.refused if library else ())]
    left: list[tuple[SuperconEntry, RefusedEntry]] = []
    for entry in table.entries:
        if not _is_warm_enough(entry, source.min_tc_kelvin):
            least = f"expected a reported Tc of {source.min_tc_kelvin:g} K or more" if source.min_tc_kelvin else ""
            found = f"{entry.tc_kelvin:g} K" if entry.tc_kelvin is not None else entry.tc_meaning.replace("_", " ")
            refused.append(_refusal(source, entry, "tc_too_low", f"{least}, found {found}: lower min_tc_kelvin"))
            continue
        near = _near(entry.composition, library, source.max_doping) if library else []
        if near:
            candidates += [
                _candidate(source, entry, identifier, structure, fraction, choice)
                for fraction, identifier, structure, choice in near[: source.polymorphs]
            ]
        else:
            left.append((entry, _reason(source, entry, library)))
    if phases is None:
        refused += [reason for _, reason in left]
        return Sourced(tuple(candidates), tuple(refused))
    further = _ask(source, left, phases)
    return Sourced((*candidates, *further.candidates), (*refused, *further.refused))


def _is_warm_enough(entry: SuperconEntry, least: float | None) -> bool:
    return least is None or (entry.tc_kelvin is not None and entry.tc_kelvin >= least)


def _near(
    composition: Composition, library: StructureLibrary, max_doping: float
) -> list[tuple[float, str, Structure, str | None]]:
    """Structures within the tolerance, named for the composition or else near it, in order, and why each has its place.

    Where an element is named, its crystal counts as named too.
    """
    named = library.matches.get(composition_key(composition), ())
    elements = {
        library.compositions[identifier].elements[0].symbol
        for identifier in named
        if identifier in library.compositions and len(library.compositions[identifier]) == 1
    }
    crystals = [library.crystals[symbol] for symbol in sorted(elements) if symbol in library.crystals]
    for identifiers in (dict.fromkeys((*named, *crystals)), _sharing(composition, library)):
        found = [
            (round(doping_fraction(composition, library.compositions[identifier]), 4), identifier)
            for identifier in identifiers
            if identifier in library.structures
        ]
        within = [(fraction, identifier) for fraction, identifier in found if fraction <= max_doping + FULL]
        if within:
            within.sort(key=lambda item: (item[0], library.order(item[1])))
            return [
                (fraction, identifier, library.structures[identifier], _choice(library, within, rank))
                for rank, (fraction, identifier) in enumerate(within)
            ]
    return []


def _choice(library: StructureLibrary, within: Sequence[tuple[float, str]], rank: int) -> str | None:
    """Why a structure has its place among those that fit."""
    fraction, identifier = within[rank]
    given = sum(not other.startswith(BUILT) for _, other in within)
    if identifier.startswith(BUILT):
        return f"{CRYSTAL}, measured lattice of ASE's table: none of the {given} given structures that fit is it"
    if library.is_crystal(identifier):
        return f"{CRYSTAL}, of {given} structures that fit"
    if len(within) == 1:
        return None
    place = f"number {rank + 1} of {len(within)} structures that fit"
    if all(other > fraction for number, (other, _) in enumerate(within) if number != rank):
        return f"{place}: the least doped"
    if identifier in library.above_hull_ev:
        return f"{place}: {library.above_hull_ev[identifier]:g} eV/atom above the hull"
    return f"{place}: in the order of the database, as energies are not known"


def _sharing(composition: Composition, library: StructureLibrary) -> Iterator[str]:
    """Structures of the composition's elements, a few of which may be missing."""
    symbols = sorted(element.symbol for element in composition.elements)
    for missing in range(min(DOPANT_ELEMENTS, len(symbols) - 1) + 1):
        for kept in combinations(symbols, len(symbols) - missing):
            yield from library.by_elements.get(frozenset(kept), ())


def _reason(source: SuperconSource, entry: SuperconEntry, library: StructureLibrary | None) -> RefusedEntry:
    """Why the library has no ordered structure for the composition."""
    identifiers = library.matches.get(composition_key(entry.composition), ()) if library else ()
    if library is None or not identifiers:
        place = source.structures if library else "no table of structures"
        reason = f"no structure of this composition in {place}: give its structure as a file"
        return _refusal(source, entry, "no_structure", reason)
    usable = [identifier for identifier in identifiers if identifier in library.structures]
    if usable:
        fraction, identifier = min(
            (doping_fraction(entry.composition, library.compositions[identifier]), identifier) for identifier in usable
        )
        formula = library.compositions[identifier].reduced_formula
        reason = f"{identifier} ({formula}) is the ordered parent, at a doping of {fraction:.3g}: expected at most "
        return _refusal(
            source, entry, "doping_beyond_tolerance", f"{reason}{source.max_doping:g}: give an ordered approximant"
        )
    code, words = library.unusable[identifiers[0]]
    return _refusal(source, entry, code, words)


def _ask(source: SuperconSource, left: list[tuple[SuperconEntry, RefusedEntry]], phases: Phases) -> Sourced:
    """Look up by formula what is left."""
    formulas = {entry.line: parent_formulas(entry.composition, source.max_doping) for entry, _ in left}
    every = sorted({formula for found in formulas.values() for formula in found})
    known = phases(every) if every else {}
    candidates: list[Candidate] = []
    refused: list[RefusedEntry] = []
    for entry, reason in left:
        formula = next((formula for formula in formulas[entry.line] if known.get(formula)), None)
        if formula is None:
            refused.append(
                reason.model_copy(update={"reason": f"{reason.reason}; nor has the Materials Project a formula near"})
            )
            continue
        several = sorted(known[formula], key=lambda phase: not is_element_crystal(phase[1]))
        for rank, (identifier, structure) in enumerate(several[: source.polymorphs]):
            fraction = round(doping_fraction(entry.composition, structure.composition), 4)
            choice = f"number {rank + 1} of {len(several)} phases of the formula, by energy" if several[1:] else None
            choice = f"{CRYSTAL}, of {len(several)} phases" if is_element_crystal(structure) else choice
            candidates.append(_candidate(source, entry, identifier, structure, fraction, choice))
    return Sourced(tuple(candidates), tuple(refused))


def _candidate(
    source: SuperconSource,
    entry: SuperconEntry,
    identifier: str,
    structure: Structure,
    fraction: float,
    choice: str | None,
) -> Candidate:
    record = SourceRecord(
        kind="supercon",
        id=f"line {entry.line}",
        location=source.file,
        composition=entry.formula,
        tc_kelvin=entry.tc_kelvin,
        tc_meaning=entry.tc_meaning,
        doping_fraction=fraction,
        structure_id=identifier,
        choice=choice,
    )
    return Candidate(
        name=f"{plain_formula(structure.composition)}_{identifier}",
        structure=structure,
        sources=(record,),
        pressures_gpa=source.pressures_gpa,
        max_atoms=source.max_atoms,
    )


def _refusal(source: SuperconSource, entry: SuperconEntry, code: RefusalCode, reason: str) -> RefusedEntry:
    return RefusedEntry(
        kind="supercon", where=f"{source.file} line {entry.line}", value=entry.formula, code=code, reason=reason
    )
