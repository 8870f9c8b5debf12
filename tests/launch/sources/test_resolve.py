from __future__ import annotations

import pytest
from fakes.source_data import STRUCTURES, SUPERCON, pack_cifs
from pymatgen.core import Lattice, Structure

from hightc.launch.campaign_file import LABEL
from hightc.launch.errors import CampaignError
from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.resolve import resolve_sources
from hightc.launch.sources.table import parse_sources


def resolve(folder, *entries):
    return resolve_sources(parse_sources(list(entries), where="here"), folder)


def supercon(tmp_path, **more):
    archive = str(pack_cifs(tmp_path))
    return {"kind": "supercon", "file": str(SUPERCON), "structures": str(STRUCTURES), "archive": archive, **more}


def test_sources_are_joined_and_every_place_of_a_crystal_is_kept(tmp_path):
    resolved = resolve(
        tmp_path,
        {"kind": "prototype", "prototypes": ["rocksalt Zr N 4.6"], "pressures_gpa": [0, 30]},
        supercon(tmp_path),
    )
    zrn = [item for item in resolved.materials if item.structure.composition.reduced_formula == "ZrN"]
    assert [(item.label, item.pressure_gpa) for item in zrn] == [("ZrN_rocksalt", 0), ("ZrN_rocksalt_30GPa", 30)]
    assert [(record.kind, record.tc_kelvin) for record in zrn[0].sources] == [("prototype", None), ("supercon", 9.85)]
    la2cuo4 = next(item for item in resolved.materials if item.label.startswith("La2CuO4"))
    assert {record.composition for record in la2cuo4.sources} == {"Sr0.15La1.85Cu1O4", "La2Sr0Cu1Zn0O4"}
    assert len(resolved.refused) > 8


def test_structures_are_primitive_and_labels_are_safe_and_the_same_again(tmp_path):
    first, second = (resolve(tmp_path, supercon(tmp_path)) for _ in range(2))
    assert [item.label for item in first.materials] == [item.label for item in second.materials]
    assert all(LABEL.match(item.label) for item in first.materials)
    lengths = {item.label: len(item.structure) for item in first.materials}
    assert lengths["Nb3Sn_mp-1326"] == 8
    assert lengths["ZrN_mp-1352"] == 2


def test_crystals_of_one_name_are_kept_apart(tmp_path):
    folders = ["one", "two"]
    for folder, a in zip(folders, (3.3, 4.0), strict=True):
        (tmp_path / folder).mkdir()
        Structure(Lattice.cubic(a), ["Nb"] * 2, [(0, 0, 0), (0.5, 0.5, 0.5)]).to(
            filename=str(tmp_path / folder / "Nb.cif")
        )
    labels = [item.label for item in resolve(tmp_path, {"kind": "files", "paths": folders}).materials]
    assert len(set(labels)) == 2


def test_overlapping_and_large_cells_are_refused_with_their_source(tmp_path):
    Structure(Lattice.cubic(3.3), ["Nb"] * 2, [(0, 0, 0), (0.1, 0, 0)]).to(filename=str(tmp_path / "close.cif"))
    resolved = resolve(
        tmp_path,
        {"kind": "files", "paths": ["close.cif"]},
        {"kind": "prototype", "prototypes": ["a15 Nb Sn 5.29", "fcc Al 4.05"], "max_atoms": 4},
    )
    assert [item.label for item in resolved.materials] == ["Al_fcc"]
    assert {item.value: item.code for item in resolved.refused} == {
        "close.cif": "unphysical_structure",
        "a15 Nb Sn 5.29": "too_many_atoms",
    }


def test_sources_without_a_usable_structure_are_an_error_with_the_first_reasons(tmp_path):
    entry = {"kind": "prototype", "prototypes": ["a15 Nb Sn 5.29"], "max_atoms": 4}
    with pytest.raises(
        SourceError, match=r"found none that can be used: .*at most 4 atoms in the primitive cell, found 8"
    ):
        resolve(tmp_path, entry)


def test_misspelt_prototype_is_an_error(tmp_path):
    with pytest.raises(CampaignError, match="prototype: expected one of"):
        resolve(tmp_path, {"kind": "prototype", "prototypes": ["fc Al 4.05"]})


def test_no_source_gives_no_material(tmp_path):
    assert resolve(tmp_path).materials == ()
