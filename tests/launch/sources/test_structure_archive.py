from __future__ import annotations

import tarfile

import pytest
from fakes.source_data import DATA, STRUCTURES, pack_cifs
from pymatgen.core import Composition

from hightc.launch.sources.element_crystals import BUILT
from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.structure_archive import composition_key, identifier_order, read_structure_library


def test_each_identifier_has_one_ordered_structure_or_a_reason(tmp_path):
    library = read_structure_library(STRUCTURES, pack_cifs(tmp_path), 0.1)
    assert all(structure.is_ordered for structure in library.structures.values())
    assert library.compositions["mp-1326"].reduced_formula == "Nb3Sn"
    assert library.compositions["mp-1481"].reduced_formula == "SnTe"
    code, words = library.unusable["mp-1883"]
    assert code == "doping_beyond_tolerance"
    assert "85 % Sn" in words


def test_doped_file_within_the_tolerance_gives_its_parent(tmp_path):
    library = read_structure_library(STRUCTURES, pack_cifs(tmp_path), 0.1)
    assert library.compositions["mp-19735"].reduced_formula == "La2CuO4"


def test_archive_is_read_without_a_file_being_written(tmp_path):
    archive = pack_cifs(tmp_path)
    read_structure_library(STRUCTURES, archive, 0.1)
    assert list(tmp_path.iterdir()) == [archive]


def test_member_is_known_by_its_last_name_and_links_are_not_followed(tmp_path):
    name = "Nb3Sn1-MP-mp-1326.cif"
    path = tmp_path / "cifs.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(DATA / "cifs" / name, arcname=f"../../../{name}")
        link = tarfile.TarInfo("N1Zr1-MP-mp-1352.cif")
        link.type, link.linkname = tarfile.SYMTYPE, str(DATA / "cifs" / "N1Zr1-MP-mp-1352.cif")
        archive.addfile(link)
    library = read_structure_library(STRUCTURES, path, 0.1)
    assert {identifier for identifier in library.structures if not identifier.startswith(BUILT)} == {"mp-1326"}
    assert library.unusable["mp-1352"][0] == "missing_structure"


def test_broken_cif_is_a_reason(tmp_path):
    broken = tmp_path / "C1Nb1-MP-mp-910.cif"
    broken.write_text("data_nothing\n")
    library = read_structure_library(STRUCTURES, pack_cifs(tmp_path, [broken]), 0.1)
    assert library.unusable["mp-910"][0] == "unreadable_structure"


def test_missing_and_cut_archives_are_errors(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        read_structure_library(STRUCTURES, tmp_path / "none.tar.gz", 0.1)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(pack_cifs(tmp_path).read_bytes()[:2000])
    with pytest.raises(SourceError, match="expected a whole tar archive"):
        read_structure_library(STRUCTURES, cut, 0.1)


@pytest.mark.parametrize("column", ["energy_above_hull", "e_above_hull_2"])
def test_phases_are_in_the_order_of_their_stability_where_the_table_has_it(tmp_path, column):
    table = tmp_path / "table.csv"
    table.write_text(
        f"formula_sc,material_id,cif,{column}\n"
        "SnTe,mp-1481,Sn1Te1-MP-mp-1481.cif,0.3\nZrN,mp-1352,N1Zr1-MP-mp-1352.cif,0\nNbC,mp-910,C1Nb1-MP-mp-910.cif,\n"
    )
    library = read_structure_library(table, pack_cifs(tmp_path), 0.1)
    given = [identifier for identifier in library.structures if not identifier.startswith(BUILT)]
    assert sorted(given, key=library.order) == ["mp-1352", "mp-1481", "mp-910"]


def test_key_is_that_of_the_atomic_fractions():
    assert composition_key(Composition("Nb3Sn")) == composition_key(Composition("Sn0.25Nb0.75"))
    assert composition_key(Composition("Nb3Sn")) != composition_key(Composition("Nb3.1Sn0.9"))


def test_identifiers_are_in_the_order_of_their_numbers():
    assert sorted(["mp-1000", "mp-75", "x", "mp-ikvozv", "mp-²"], key=identifier_order)[:2] == ["mp-75", "mp-1000"]
