from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hightc.analysis.documents import Pseudopotential
from hightc.makers.code_version import contradicts, installed_version
from hightc.makers.content_key import Calculation, canonical_input, content_key

FAKE = Path(__file__).parents[1] / "fakes" / "program.py"
BANNER = Path(__file__).parents[1] / "data" / "qe" / "al_scf" / "scf.out"
FILES = (Pseudopotential(element="Al", filename="Al.upf", sha256="a" * 64),)
PW_INPUT = """\
&CONTROL
   calculation = 'scf'
   pseudo_dir = '/somewhere'
   outdir = './out'
/
&SYSTEM
   ecutwfc = 16
   degauss = 5.0d-2
/
&ELECTRONS
   conv_thr = 1e-12
/
ATOMIC_SPECIES
Al 26.9815 Al.upf

K_POINTS automatic
8 8 8  0 0 0

CELL_PARAMETERS angstrom
0.00000000000000 2.02500000000000 2.02500000000000
"""
SCF = Calculation("pw", PW_INPUT, outputs=("out",))


def key(calculation=SCF, files=FILES, version="6.7MaX"):
    return content_key(calculation, files, version)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'/somewhere'", "'/elsewhere'"),
        ("'./out'", "'/scratch'"),
        ("   outdir", "   max_seconds = 3600\n   outdir"),
        ("5.0d-2", "0.05"),
        ("ecutwfc = 16", "ecutwfc = 16.0"),
        ("Al 26.9815 Al.upf", "Al   26.98150 Al.upf"),
        ("2.02500000000000 2", "2.02500000000013 2"),
        ("0.00000000000000 2", "-0.0000000000001 2"),
    ],
)
def test_key_ignores_the_machine_and_the_spelling_of_numbers(old, new):
    assert old in PW_INPUT
    assert key(replace(SCF, input_text=PW_INPUT.replace(old, new))) == key()


@pytest.mark.parametrize(
    ("old", "new"),
    [("= 16", "= 17"), ("1e-12", "2e-12"), ("8 8 8  0", "8 8 6  0"), ("2.025", "2.026"), ("'scf'", "'nscf'")],
)
def test_key_changes_with_every_number_of_the_input(old, new):
    assert key(replace(SCF, input_text=PW_INPUT.replace(old, new))) != key()


def test_key_changes_with_pseudopotential_code_program_and_upstream_step():
    other = (FILES[0].model_copy(update={"sha256": "b" * 64}),)
    keys = [key(), key(files=other), key(version="7.2"), key(replace(SCF, program="ph"))]
    keys += [key(replace(SCF, upstream=("1",))), key(replace(SCF, upstream=("2",)))]
    assert len(set(keys)) == len(keys)


def test_key_follows_the_content_of_a_pseudopotential_and_not_its_name():
    renamed = (FILES[0].model_copy(update={"filename": "mine.UPF"}),)
    text = PW_INPUT.replace("Al.upf", "mine.UPF")
    assert key(replace(SCF, input_text=text), renamed) == key()


def test_there_is_no_key_where_something_is_not_known():
    assert key(version=None) is None
    assert key(replace(SCF, upstream=("1", None))) is None


def test_title_before_the_first_namelist_does_not_count():
    text = "&inputph\n tr2_ph = 1e-14\n/\n"
    assert canonical_input("phonons\n" + text) == canonical_input(text)


def fake_program(*options):
    return [sys.executable, str(FAKE), "--say", str(BANNER), *options]


def test_version_is_that_of_the_banner_and_the_current_folder_stays_empty():
    assert installed_version(fake_program()) == "6.7MaX"
    assert not list(Path().iterdir())


def test_program_without_a_banner_is_known_by_its_file(tmp_path):
    script = tmp_path / "pw.x"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    first = installed_version([str(script)])
    assert first is not None
    assert str(script) in first
    script.write_text("#!/bin/sh\nexit 11\n")
    assert installed_version([str(script)]) != first
    assert not contradicts(first, "6.7MaX")


def test_program_that_is_not_installed_has_no_version():
    assert installed_version(shlex.split("no_such_program -x")) is None


def test_run_that_prints_another_version_than_its_program_contradicts_it():
    assert contradicts("6.7MaX", "7.2")
    assert not contradicts("6.7MaX", "6.7MaX")
    assert not contradicts("6.7MaX", None)
