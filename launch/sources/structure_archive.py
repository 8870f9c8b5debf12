"""Tables that give compositions a structure, in the style of 3DSC, and the archive with their CIF files."""

from __future__ import annotations

import math
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from hightc.launch.sources.cif_text import crystal_of_cif
from hightc.launch.sources.element_crystals import element_crystals
from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.ordering import DisorderedSiteError, ordered_parent
from hightc.launch.sources.records import RefusalCode, RefusedEntry
from hightc.launch.sources.supercon import parse_formula, read_table

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

COLUMNS: Final = ("formula_sc", "material_id", "cif")
HULL_COLUMNS: Final = ("energy_above_hull", "e_above_hull_2")
"""Energy above the hull in eV an atom, as the Materials Project and as the whole 3DSC call it; need not be there."""

LARGEST_MEMBER_BYTES: Final = 2_000_000
LARGEST_ARCHIVE_BYTES: Final = 4_000_000_000
"""What an archive may unpack to: a small file that claims more is no archive of crystals."""

AMOUNT_DIGITS: Final = 4


@dataclass(frozen=True)
class StructureMatch:
    """One line of the table.

    Attributes
    ----------
    line
        Line of the file.
    composition
        Composition that the structure is given to.
    material_id
        Identifier of the structure that it was made from.
    cif
        Name of its file in the archive.
    above_hull_ev
        Its energy above the hull in eV an atom; None where the table does not say.
    """

    line: int
    composition: Composition
    material_id: str
    cif: str
    above_hull_ev: float | None = None


@dataclass(frozen=True)
class StructureLibrary:
    """Ordered structures by identifier, and which of them each composition was given.

    Attributes
    ----------
    structures
        Ordered parent of each identifier that has one within the tolerance.
    compositions
        Their compositions.
    above_hull_ev
        Energies above the hull in eV an atom, of those whose is known.
    unusable
        Reason and words for each of the other identifiers.
    matches
        Identifiers by `composition_key`, in order.
    by_elements
        Identifiers of the structures by the elements that they consist of.
    refused
        Lines of the table that could not be read.
    crystals
        Identifier of the crystal at ambient pressure of each element; those that the archive lacks are built.
    """

    structures: dict[str, Structure]
    compositions: dict[str, Composition]
    above_hull_ev: dict[str, float]
    unusable: dict[str, tuple[RefusalCode, str]]
    matches: dict[CompositionKey, tuple[str, ...]]
    by_elements: dict[frozenset[str], tuple[str, ...]]
    refused: tuple[RefusedEntry, ...]
    crystals: dict[str, str] = field(default_factory=dict)

    def order(self, identifier: str) -> tuple[bool, float, tuple[int, str, int]]:
        """Order of the phases of one composition.

        Of an element its crystal at ambient pressure is first; then the most stable, and without energies the first in
        the database.

        Parameters
        ----------
        identifier
            Of one of the structures.
        """
        energy = self.above_hull_ev.get(identifier, math.inf)
        return not self.is_crystal(identifier), energy, identifier_order(identifier)

    def is_crystal(self, identifier: str) -> bool:
        """Whether a structure is the crystal of an element at ambient pressure.

        Parameters
        ----------
        identifier
            Of one of the structures.
        """
        elements = self.compositions[identifier].elements
        return len(elements) == 1 and self.crystals.get(elements[0].symbol) == identifier

    def without_energy(self) -> tuple[str, ...]:
        """Identifiers of compounds with several phases of which no energy is known."""
        phases: dict[CompositionKey, list[str]] = defaultdict(list)
        for identifier, composition in self.compositions.items():
            if len(composition) > 1:
                phases[composition_key(composition)].append(identifier)
        several = (identifier for found in phases.values() if len(found) > 1 for identifier in found)
        return tuple(identifier for identifier in several if identifier not in self.above_hull_ev)


CompositionKey = tuple[tuple[str, float], ...]


def composition_key(composition: Composition) -> CompositionKey:
    """Atomic fractions of the elements, the same for Nb3Sn and Nb0.75Sn0.25.

    Parameters
    ----------
    composition
        Any composition.
    """
    total = composition.num_atoms
    return tuple(
        sorted((element.symbol, round(float(amount) / total, AMOUNT_DIGITS)) for element, amount in composition.items())
    )


def identifier_order(identifier: str) -> tuple[int, str, int]:
    """Order of identifiers by their number: mp-75 before mp-1000.

    Parameters
    ----------
    identifier
        Such as mp-75.
    """
    prefix, _, number = identifier.rpartition("-")
    plain = number.isascii() and number.isdigit() and len(number) < 19
    return (0, prefix, int(number)) if plain else (1, identifier, 0)


def read_structure_library(table: Path, archive: Path, max_doping: float) -> StructureLibrary:
    """Read the table and one ordered structure of each identifier from the archive; nothing is written to disk.

    Parameters
    ----------
    table
        CSV with the columns ``formula_sc``, ``material_id`` and ``cif``.
    archive
        Tar archive, packed or not, with the files that ``cif`` names.
    max_doping
        Largest share of a site that may be another species or empty.

    Raises
    ------
    SourceError
        If either cannot be read.
    """
    matches, refused = _read_matches(table)
    texts = _read_members(archive, {match.cif for match in matches})
    by_identifier: dict[str, list[StructureMatch]] = defaultdict(list)
    for match in matches:
        by_identifier[match.material_id].append(match)
    structures: dict[str, Structure] = {}
    unusable: dict[str, tuple[RefusalCode, str]] = {}
    for identifier in sorted(by_identifier, key=identifier_order):
        found = _first_parent(by_identifier[identifier], texts, archive, max_doping)
        if isinstance(found, tuple):
            unusable[identifier] = found
        else:
            structures[identifier] = found
    crystals, built = element_crystals(structures)
    structures |= built
    keyed: dict[CompositionKey, set[str]] = defaultdict(set)
    for match in matches:
        keyed[composition_key(match.composition)].add(match.material_id)
    elements: dict[frozenset[str], list[str]] = defaultdict(list)
    compositions = {identifier: structure.composition for identifier, structure in structures.items()}
    for identifier, composition in compositions.items():
        elements[frozenset(element.symbol for element in composition.elements)].append(identifier)
    return StructureLibrary(
        structures=structures,
        compositions=compositions,
        above_hull_ev={match.material_id: match.above_hull_ev for match in matches if match.above_hull_ev is not None},
        unusable=unusable,
        matches={key: tuple(sorted(found, key=identifier_order)) for key, found in keyed.items()},
        by_elements={key: tuple(found) for key, found in elements.items()},
        refused=refused,
        crystals=crystals,
    )


def _read_matches(table: Path) -> tuple[list[StructureMatch], tuple[RefusedEntry, ...]]:
    matches: list[StructureMatch] = []
    refused: list[RefusedEntry] = []
    for line, row in read_table(table, COLUMNS, where=str(table), optional=HULL_COLUMNS):
        try:
            composition = parse_formula(row["formula_sc"])
        except ValueError as error:
            refused.append(
                RefusedEntry(
                    kind="supercon",
                    where=f"{table} line {line}",
                    value=row["formula_sc"],
                    code="unparseable_formula",
                    reason=f"not a formula ({error}): expected one such as Nb3Sn",
                )
            )
            continue
        matches.append(StructureMatch(line, composition, row["material_id"], row["cif"], _above_hull(row)))
    return matches, tuple(refused)


def _above_hull(row: dict[str, str]) -> float | None:
    try:
        energy = float(next((row[name] for name in HULL_COLUMNS if row[name]), ""))
    except ValueError:
        return None
    return energy if math.isfinite(energy) else None


def _read_members(archive: Path, wanted: set[str]) -> dict[str, str]:
    """Text of the wanted files by name; a member is known by its last name alone, links and large ones are left."""
    texts: dict[str, str] = {}
    total = 0
    try:
        with tarfile.open(archive, mode="r:*") as stream:
            for member in stream:
                total += member.size
                if total > LARGEST_ARCHIVE_BYTES:
                    msg = f"{archive}: expected CIF files, found more than {LARGEST_ARCHIVE_BYTES / 1e9:g} GB unpacked"
                    raise SourceError(msg)
                name = PurePosixPath(member.name).name
                if name not in wanted or not member.isfile() or member.size > LARGEST_MEMBER_BYTES:
                    continue
                content = stream.extractfile(member)
                if content is not None:
                    texts[name] = content.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        msg = f"{archive}: no such file: expected a tar archive of CIF files"
        raise SourceError(msg) from None
    except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error) as error:
        msg = f"{archive}: cannot be read ({error}): expected a whole tar archive of CIF files"
        raise SourceError(msg) from None
    return texts


def _first_parent(
    matches: Sequence[StructureMatch], texts: dict[str, str], archive: Path, max_doping: float
) -> Structure | tuple[RefusalCode, str]:
    """Ordered parent of the least doped file that has one; else the reason of the first."""
    first: tuple[RefusalCode, str] | None = None
    for match in sorted(matches, key=lambda match: (_brokenness(match.composition), match.line)):
        found = _parent(match.cif, texts, archive, max_doping)
        if not isinstance(found, tuple):
            return found
        first = first or found
    return first or ("missing_structure", f"{archive}: no file")


def _brokenness(composition: Composition) -> float:
    """How far the amounts are from whole numbers, the order in which files are tried."""
    return round(sum(abs(float(amount) - round(float(amount))) for amount in composition.values()), AMOUNT_DIGITS)


def _parent(name: str, texts: dict[str, str], archive: Path, max_doping: float) -> Structure | tuple[RefusalCode, str]:
    if name not in texts:
        return "missing_structure", f"{archive}: no file {name!r}: expected every file that the table names"
    try:
        structure = crystal_of_cif(texts[name])
    except Exception as error:  # noqa: BLE001 - pymatgen's parser raises whatever the text makes it stumble on
        return "unreadable_structure", f"{archive}: {name!r} cannot be read as a CIF ({error})"
    try:
        return ordered_parent(structure, max_doping)
    except DisorderedSiteError as error:
        return "doping_beyond_tolerance", f"{name}: {error}"
