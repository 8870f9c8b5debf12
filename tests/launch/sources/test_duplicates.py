from __future__ import annotations

from pymatgen.core import Lattice, Structure

from hightc.launch.sources.duplicates import merge_duplicates
from hightc.launch.sources.records import Candidate, SourceRecord


def candidate(name: str, a: float, species: str = "Nb", pressures=(0.0,), lattice="bcc") -> Candidate:
    half = a / 2
    cells = {
        "bcc": [[-half, half, half], [half, -half, half], [half, half, -half]],
        "fcc": [[0, half, half], [half, 0, half], [half, half, 0]],
    }
    structure = Structure(Lattice(cells[lattice]), [species], [(0, 0, 0)])
    return Candidate(name, structure, (SourceRecord(kind="files", id=name, location=name),), pressures)


def names(*candidates: Candidate) -> list[tuple[str, list[str]]]:
    return [(item.name, [record.id for record in item.sources]) for item in merge_duplicates(candidates)]


def test_one_crystal_from_two_places_is_one_material_with_both_sources():
    assert names(candidate("a", 3.30), candidate("b", 3.32), candidate("c", 4.05, "Al", lattice="fcc")) == [
        ("a", ["a", "b"]),
        ("c", ["c"]),
    ]


def test_pressures_of_duplicates_are_joined():
    (merged,) = merge_duplicates([candidate("a", 3.3, pressures=(0.0, 20.0)), candidate("b", 3.3, pressures=(50.0,))])
    assert merged.pressures_gpa == (0.0, 20.0, 50.0)


def test_other_element_other_lattice_and_far_volume_are_kept_apart():
    kept = names(
        candidate("a", 3.3), candidate("b", 3.3, "Ta"), candidate("c", 4.2, lattice="fcc"), candidate("d", 3.0)
    )
    assert [name for name, _ in kept] == ["a", "b", "c", "d"]


def test_same_source_named_twice_is_kept_once():
    assert names(candidate("a", 3.3), candidate("a", 3.3)) == [("a", ["a"])]
