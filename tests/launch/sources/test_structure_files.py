from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ase.build import bulk, molecule
from ase.io import write
from fakes.source_data import DATA
from pymatgen.core import Lattice, Structure

from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.structure_files import file_structures
from hightc.launch.sources.table import FilesSource, parse_sources


def nb(a: float = 3.3) -> Structure:
    return Structure(Lattice.cubic(a), ["Nb", "Nb"], [(0, 0, 0), (0.5, 0.5, 0.5)])


def structures(folder: Path, *paths: str, **fields):
    (entry,) = parse_sources([{"kind": "files", "paths": paths, **fields}], where="here")
    assert isinstance(entry, FilesSource)
    return file_structures(entry, folder)


def test_every_format_gives_the_same_crystal(tmp_path):
    nb().to(filename=str(tmp_path / "a.cif"))
    nb().to(filename=str(tmp_path / "POSCAR"), fmt="poscar")
    nb().to(filename=str(tmp_path / "b.vasp"), fmt="poscar")
    nb().to(filename=str(tmp_path / "c.json"))
    (tmp_path / "d.json").write_text(json.dumps([{"structure": nb().as_dict()}]))
    for name in ("e.extxyz", "f.xyz"):
        write(tmp_path / name, bulk("Nb", "bcc", a=3.3, cubic=True), format="extxyz")
    write(tmp_path / "g.gen", bulk("Nb", "bcc", a=3.3, cubic=True))
    (tmp_path / "notes.txt").write_text("not a structure")
    sourced = structures(tmp_path, ".")
    names = [candidate.name for candidate in sourced.candidates]
    assert names == ["Nb", "a", "b", "c", "d", "e", "f", "g"]
    assert not sourced.refused
    for candidate in sourced.candidates:
        assert candidate.structure.composition.formula == "Nb2"
        # 1e-6: the formats write six or more decimals
        assert candidate.structure.volume == pytest.approx(3.3**3, rel=1e-6)


def test_frames_of_one_file_are_materials_of_their_own(tmp_path):
    write(tmp_path / "run.extxyz", [bulk("Nb", "bcc", a=a) for a in (3.2, 3.3)])
    candidates = structures(tmp_path, "run.extxyz").candidates
    assert [(item.name, item.sources[0].id) for item in candidates] == [
        ("run_1", "run.extxyz number 1"),
        ("run_2", "run.extxyz number 2"),
    ]


def test_unusable_files_are_refused_and_the_others_are_read(tmp_path):
    nb().to(filename=str(tmp_path / "good.cif"))
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a nonsense\n")
    (tmp_path / "broken.json").write_text('{"@module": "os", "@class": "system", "command": "id"}')
    write(tmp_path / "water.xyz", molecule("H2O"))
    sourced = structures(tmp_path, ".")
    assert [item.name for item in sourced.candidates] == ["good"]
    assert {item.value: item.code for item in sourced.refused} == dict.fromkeys(
        ["broken.cif", "broken.json", "water.xyz"], "unreadable_structure"
    )


def test_json_is_read_as_numbers_and_imports_nothing(tmp_path):
    content = nb().as_dict()
    content["sites"][0]["properties"] = {"x": {"@module": "xml.dom.expatbuilder", "@class": "Rejecter"}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    sys.modules.pop("xml.dom.expatbuilder", None)
    (candidate,) = structures(tmp_path, "a.json").candidates
    assert candidate.structure == nb()
    assert "xml.dom.expatbuilder" not in sys.modules


@pytest.mark.parametrize("name", ["structure.pckl", "structure.py", "structure"])
def test_file_of_an_unknown_format_is_not_opened(tmp_path, name):
    (tmp_path / name).write_text("import os")
    (item,) = structures(tmp_path, name).refused
    assert item.code == "unknown_format"


def test_disorder_is_refused_unless_a_tolerance_is_given(tmp_path):
    name = "Cu1La1.85Sr0.15O4-MP-mp-19735-synth_doped.cif"
    (item,) = structures(DATA / "cifs", name).refused
    assert item.code == "doping_beyond_tolerance"
    (candidate,) = structures(DATA / "cifs", name, max_doping=0.1).candidates
    assert candidate.sources[0].doping_fraction == pytest.approx(0.075)
    assert candidate.structure.composition.reduced_formula == "La2CuO4"


def test_missing_file_and_empty_folder_are_errors(tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        structures(tmp_path, "none.cif")
    with pytest.raises(SourceError, match="expected files of structures"):
        structures(tmp_path, ".")
    with pytest.raises(SourceError, match="expected"):
        structures(tmp_path, "a\x00b")


@pytest.mark.parametrize("name", ["$(rm -rf x).cif", "Nb₃Sn ★.cif", "a;b|c.cif"])
def test_hostile_file_name_is_a_name_and_nothing_else(tmp_path, name):
    nb().to(filename=str(tmp_path / "x.cif"))
    (tmp_path / "x.cif").rename(tmp_path / name)
    (candidate,) = structures(tmp_path, ".").candidates
    assert candidate.sources[0].id == name
