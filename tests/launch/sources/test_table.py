from __future__ import annotations

import subprocess
import sys

import pytest

from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.table import SOURCE_MODELS, parse_sources

GOOD = {
    "materials_project": {"ids": ["mp-75"]},
    "supercon": {"file": "a.csv", "structures": "b.csv", "archive": "c.tar"},
    "files": {"paths": ["a.cif"]},
    "optimade": {"provider": "oqmd", "filter": "nelements=1"},
    "prototype": {"prototypes": ["fcc Al 4.05"]},
}


@pytest.mark.parametrize("kind", SOURCE_MODELS)
def test_every_kind_is_understood(kind):
    (entry,) = parse_sources([{"kind": kind, **GOOD[kind]}], where="here")
    assert type(entry) is SOURCE_MODELS[kind]
    assert entry.pressures_gpa == (0.0,)


@pytest.mark.parametrize("kind", SOURCE_MODELS)
def test_unknown_key_is_refused_with_the_known_ones(kind):
    with pytest.raises(SourceError, match=r"here: \[\[sources\]\] number 1: unknown key 'presure': expected one of .*"):
        parse_sources([{"kind": kind, **GOOD[kind], "presure": 3}], where="here")


FAULTS = {
    r"number 1: kind: expected one of materials_project, .*, found 'oqmd'": {"kind": "oqmd"},
    r"number 1: kind: expected one of .*, found None": {"ids": ["mp-1"]},
    r"number 1: paths: Field required": {"kind": "files"},
    r"found none: the whole database is not asked for": {"kind": "materials_project"},
    r"found both: write two": {"kind": "materials_project", "ids": ["mp-1"], "elements": ["Nb"]},
    r"expected structures and archive together": {"kind": "supercon", "file": "a", "structures": "b"},
    r"materials_project = true, found neither": {"kind": "supercon", "file": "a"},
    r"pressures_gpa.0: .*, found nan|pressures_gpa.0: .*finite": {
        "kind": "files",
        "paths": ["a"],
        "pressures_gpa": [float("nan")],
    },
    r"expected at most two decimals, found 1.234": {"kind": "files", "paths": ["a"], "pressures_gpa": [1.234]},
    r"max_doping: .*less than 0.5, found 0.5": {"kind": "files", "paths": ["a"], "max_doping": 0.5},
}


@pytest.mark.parametrize("words", FAULTS)
def test_fault_is_told_with_its_table_and_key(words):
    with pytest.raises(SourceError, match=words):
        parse_sources([FAULTS[words]], where="here")


@pytest.mark.parametrize("content", ["files", {"kind": "files"}, 3])
def test_what_is_no_list_of_tables_is_refused(content):
    with pytest.raises(SourceError, match="here: sources"):
        parse_sources(content, where="here")


def test_pressures_are_taken_once_in_their_order():
    (entry,) = parse_sources([{"kind": "files", "paths": ["a"], "pressures_gpa": [50, -0.0, 50, 0]}], where="here")
    assert entry.pressures_gpa == (50.0, 0.0)


def test_tables_are_understood_without_pymatgen_or_a_network():
    code = (
        "import sys, hightc.launch.sources.table, hightc.launch.sources.resolve, hightc.launch.sources_command\n"
        "print([name for name in ('numpy', 'pymatgen.core', 'requests', 'ase', 'mp_api') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
