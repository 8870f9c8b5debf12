"""Files that want more than to be read: too large, too deep, packed, linked, or naming code to be run."""

from __future__ import annotations

import base64
import gzip
import io
import json
import pickle
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from fakes.source_data import DATA, STRUCTURES
from fakes.tiny_campaign import ALUMINIUM, write_campaign
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import StoredArray
from hightc.launch.campaign import read_campaign
from hightc.launch.cluster import ClusterError, JobShape, write_cluster
from hightc.launch.errors import CampaignError
from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.structure_archive import read_structure_library
from hightc.launch.sources.structure_files import LARGEST_BYTES, LARGEST_CRYSTAL_BYTES
from hightc.launch.structures import MOST_ATOMS

PYTHON_TAG = "!!python/object/apply:os.system ['touch pwned']\n"
SECONDS = 10
"""Far more than any of these takes, far less than what it stands against."""


class Bomb:
    """Unpickled, it would touch a file."""

    def __reduce__(self):
        return Path.touch, (Path("pwned"),)


@pytest.fixture(autouse=True)
def _soon_and_nothing_was_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SECONDS
    assert list(tmp_path.rglob("pwned")) == []


def refusal(tmp_path, settings, name, content: bytes, *, by: str = "material") -> str:
    """Words of the refusal of a structure file that a material or a source names."""
    (tmp_path / name).write_bytes(content)
    text = ALUMINIUM.replace('prototype = "fcc Al 4.05"', f'file = "{name}"')
    if by == "source":
        text = f'{ALUMINIUM}\n[[sources]]\nkind = "files"\npaths = ["{name}"]\n'
    with pytest.raises(CampaignError) as told:
        read_campaign(write_campaign(tmp_path, text), settings)
    return str(told.value)


BOTH = pytest.mark.parametrize("by", ["material", "source"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 50_000, "not valid TOML: tables or lists too deep in one another"),
        ("x = " + "{a=" * 20_000, "not valid TOML: tables or lists too deep in one another"),
        (".".join(["a"] * 50_000) + " = 1", "not valid TOML: a key of more than 100 parts"),
        ("[" + ".".join(['"a b"'] * 5000) + "]", "not valid TOML: a key of more than 100 parts"),
        ("x = {" + ".".join(["a"] * 50_000) + " = 1}", "not valid TOML: a key of more than 100 parts"),
        ("x = " + "9" * 10_000, "not valid TOML: "),
        ("# " + "x" * 20_000_000, "not valid TOML: more than 20 MB"),
        ("x = [" + "[], " * 100_000 + "]", "unknown key 'x'"),
    ],
)
def test_bomb_in_a_campaign_file_is_one_line(tmp_path, settings, text, words):
    (tmp_path / "bomb.toml").write_text(text)
    with pytest.raises(CampaignError, match=words) as told:
        read_campaign(tmp_path / "bomb.toml", settings)
    assert "\n" not in str(told.value)


@BOTH
def test_crystal_larger_than_the_limit_is_refused(tmp_path, settings, by):
    content = b"data_x\n" + b"#" * LARGEST_CRYSTAL_BYTES
    assert "expected at most 2 MB, found more" in refusal(tmp_path, settings, "large.cif", content, by=by)


def test_file_of_many_structures_has_a_limit_too(tmp_path, settings):
    (tmp_path / "large.json").touch()
    with (tmp_path / "large.json").open("r+b") as stream:
        stream.truncate(2 * LARGEST_BYTES)
    text = f'{ALUMINIUM}\n[[sources]]\nkind = "files"\npaths = ["large.json"]\n'
    with pytest.raises(SourceError, match="expected at most 100 MB, found more"):
        read_campaign(write_campaign(tmp_path, text), settings)


@BOTH
@pytest.mark.parametrize("name", ["POSCAR.gz", "x.cif.gz"])
def test_packed_file_is_not_unpacked(tmp_path, settings, name, by):
    """A packed file of some kilobytes may hold gigabytes."""
    said = refusal(tmp_path, settings, name, gzip.compress(b"0" * 10_000_000), by=by)
    assert "UnicodeDecodeError" in said or "expected a name like" in said


@BOTH
def test_cell_that_nobody_computes_is_refused_before_its_symmetry_is_looked_for(tmp_path, settings, by):
    sites = np.random.default_rng(0).random((MOST_ATOMS + 1, 3))
    cell = Structure(Lattice.cubic(100), ["Al"] * len(sites), sites)
    said = refusal(tmp_path, settings, "POSCAR", cell.to(fmt="poscar").encode(), by=by)
    assert f"expected at most {MOST_ATOMS} atoms, found {MOST_ATOMS + 1}" in said


@BOTH
@pytest.mark.parametrize("name", ["x.pckl", "x.pkl", "x.yaml", "x.py", "x.traj"])
def test_format_that_can_carry_code_is_not_opened(tmp_path, settings, name, by):
    content = PYTHON_TAG.encode() if name == "x.yaml" else pickle.dumps(Bomb())
    assert "expected a name like *.cif" in refusal(tmp_path, settings, name, content, by=by)


@BOTH
@pytest.mark.parametrize("name", ["x.cif", "POSCAR", "x.json", "x.xyz", "x.res", "x.pwi"])
def test_code_under_the_name_of_a_structure_is_no_structure(tmp_path, settings, name, by):
    assert "cannot be read" in refusal(tmp_path, settings, name, pickle.dumps(Bomb()), by=by)
    assert "cannot be read" in refusal(tmp_path, settings, name, PYTHON_TAG.encode(), by=by)


def test_json_that_a_material_names_is_read_as_numbers_and_imports_nothing(tmp_path, settings):
    content = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.0), ["Al"], [(0, 0, 0)]).as_dict()
    content["sites"][0]["properties"] = {"x": {"@module": "xml.dom.expatbuilder", "@class": "Rejecter"}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    sys.modules.pop("xml.dom.expatbuilder", None)
    text = ALUMINIUM.replace('prototype = "fcc Al 4.05"', 'file = "a.json"')
    (material,) = read_campaign(write_campaign(tmp_path, text), settings).materials
    assert len(material.structure) == 1
    assert "xml.dom.expatbuilder" not in sys.modules


def test_file_of_several_structures_is_no_material(tmp_path, settings):
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.0), ["Al"], [(0, 0, 0)]).as_dict()
    said = refusal(tmp_path, settings, "two.json", json.dumps([cell, cell]).encode())
    assert "holds 2 structures: expected one: name the file in [[sources]]" in said


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_member_of_an_archive_that_is_no_plain_file_is_left(tmp_path, kind):
    name = "N1Zr1-MP-mp-1352.cif"
    with tarfile.open(tmp_path / "cifs.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, str(DATA / "cifs" / name)
        archive.addfile(member)
    library = read_structure_library(STRUCTURES, tmp_path / "cifs.tar", 0.1)
    assert library.unusable["mp-1352"][0] == "missing_structure"
    assert [path.name for path in tmp_path.iterdir()] == ["cifs.tar"]


def test_member_that_claims_to_be_enormous_is_left(tmp_path):
    head = tarfile.TarInfo("N1Zr1-MP-mp-1352.cif")
    head.size = 10**12
    (tmp_path / "cifs.tar").write_bytes(head.tobuf() + bytes(10_240))
    with pytest.raises(SourceError, match="GB unpacked"):
        read_structure_library(STRUCTURES, tmp_path / "cifs.tar", 0.1)


@pytest.mark.parametrize("name", ["my_qadapter.yaml", "my_fworker.yaml"])
def test_code_in_the_files_of_a_cluster_is_not_run(tmp_path, settings, name):
    cluster = write_cluster("lab", JobShape(), settings, force=False)
    (cluster.directory / name).write_text(f"name: {PYTHON_TAG}")
    with pytest.raises(ClusterError, match="cannot be read"):
        cluster.qadapter() if name == "my_qadapter.yaml" else cluster.fworker()


def test_array_that_is_a_pickle_is_not_loaded():
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    blob = base64.b64encode(buffer.getvalue()).decode()
    with pytest.raises(ValueError, match="allow_pickle"):
        StoredArray(shape=(1,), dtype="float64", sha256="0", blob=blob).to_array()
