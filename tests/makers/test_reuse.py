from __future__ import annotations

import json
import os
import shutil
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Correction, Pseudopotential
from hightc.analysis.parsers.errors import IncompleteOutputError
from hightc.makers.base import QEMaker
from hightc.makers.content_key import Calculation
from hightc.makers.disk import drop_scratch, held_bytes
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.reuse import HASHED_BYTES, finished_runs, marker

COMPLETE = Path(__file__).parents[1] / "data" / "qe" / "al_scf" / "scf.out"
TEXT = "&CONTROL\n   outdir = './out'\n/\n&SYSTEM\n   ecutwfc = 16\n/\n&ELECTRONS\n/\nK_POINTS gamma\n"
ALUMINIUM = Structure(Lattice.cubic(4.05), ["Al"], [[0, 0, 0]])
RESULT, DENSITY, SCRATCH = "out/x.save/data-file-schema.xml", "out/x.save/charge-density.dat", "out/x.wfc1"
SCF = Calculation("pw", TEXT, outputs=("out/x.save",), along=("out/*.dvscf1",))


@pytest.fixture(autouse=True)
def _fake_program(tmp_path, monkeypatch):
    program = tmp_path / "pw.x"
    program.write_text(f"#!/bin/sh\necho started >> starts\nexec cat {COMPLETE}\n")
    program.chmod(0o755)
    monkeypatch.setenv("HIGHTC_PW_COMMAND", str(program))
    monkeypatch.setenv("HIGHTC_DATA_DIRECTORY", str(tmp_path / "data"))


@pytest.fixture
def maker():
    file = Pseudopotential(element="Al", filename="Al.upf", sha256="0" * 64)
    return QEMaker(
        recipe=make_recipe(
            ALUMINIUM,
            protocol="draft",
            family="mine",
            pseudopotentials=(file,),
            suggested_ecutwfc_ry=16.0,
            norm_conserving=True,
            overrides={},
        )
    )


@pytest.fixture
def compute(maker, tmp_path):
    """Run a calculation in a folder as a job does; its run, and how often the program was started there."""

    def in_folder(name, calculation=SCF, *, corrections=(), density="density", check=None):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)

        def start():
            settings = maker.settings()
            run = run_program("pw", input_text=calculation.input_text, handlers=pw_handlers("pw"), settings=settings)
            for path, text in ((RESULT, "result"), (DENSITY, density), (SCRATCH, "bands"), ("out/x.dvscf1", "change")):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text)
            return replace(run, corrections=corrections)

        with chdir(folder):
            run = maker.run(calculation, start, check)
            starts = Path("starts").read_text().count("started") if Path("starts").is_file() else 0
        return folder, run, starts

    return in_folder


def index(tmp_path):
    return list((tmp_path / "data" / "calculations").glob("*/*.json"))


def test_finished_run_of_the_same_folder_is_not_run_again(compute, maker):
    _, first, _ = compute("a")
    folder, again, starts = compute("a")
    assert starts == 1
    assert again == first
    assert first.content_sha256 is not None
    with chdir(folder):
        assert maker.provenance("pw.x", again).reused_from is None


def test_finished_run_of_another_folder_is_brought_with_its_name(compute, maker):
    origin, first, _ = compute("a")
    folder, again, starts = compute("b")
    assert starts == 0
    assert (folder / DENSITY).read_text() == "density"
    assert (folder / "pw.out").read_bytes() == COMPLETE.read_bytes()
    assert not (folder / SCRATCH).exists()
    assert again == replace(first, reused_from=str(origin))
    with chdir(folder):
        provenance = maker.provenance("pw.x", again)
    assert (provenance.reused_from, provenance.content_sha256) == (str(origin), first.content_sha256)
    assert not list(folder.glob(".reused*"))


def test_run_that_was_brought_serves_when_the_first_folder_is_gone(compute):
    origin, _, _ = compute("a")
    compute("b")
    shutil.rmtree(origin)
    _, third, starts = compute("c")
    assert starts == 0
    assert third.reused_from == str(origin)


def test_corrections_travel_with_the_run(compute):
    correction = Correction(handler="Scf", errors=("scf_not_converged",), actions=("slower",))
    compute("a", corrections=(correction,))
    assert compute("a")[1].corrections == (correction,)
    assert compute("b")[1].corrections == (correction,)


def test_other_input_other_upstream_and_an_unknown_upstream_run_for_themselves(compute):
    compute("a")
    others = [
        replace(SCF, input_text=TEXT.replace("16", "17")),
        replace(SCF, upstream=("other",)),
        replace(SCF, upstream=(None,)),
    ]
    assert [compute(str(number), other)[2] for number, other in enumerate(others)] == [1, 1, 1]
    assert compute("2", others[2])[2] == 2


@pytest.mark.parametrize("damage", ["lost", "longer", "same length", "no marker", "cut marker"])
def test_run_whose_files_changed_is_forgotten_and_computed_again(compute, tmp_path, damage):
    origin, _, _ = compute("a")
    changes = {
        "lost": (origin / DENSITY).unlink,
        "longer": lambda: (origin / DENSITY).write_text("density and more"),
        "same length": lambda: (origin / DENSITY).write_text("DENSITY"),
        "no marker": marker(origin, "pw").unlink,
        "cut marker": lambda: marker(origin, "pw").write_text("{"),
    }
    changes[damage]()
    folder, run, starts = compute("b")
    assert starts == 1
    assert run.reused_from is None
    (entry,) = index(tmp_path)
    assert str(folder) in json.loads(entry.read_text())["directories"]
    assert compute("a")[2] == 1  # brought back from b


def test_large_file_is_known_by_size_and_time(compute):
    large = "x" * (HASHED_BYTES + 1)
    origin, _, _ = compute("a", density=large)
    folder, _, starts = compute("b")
    assert starts == 0
    os.utime(origin / DENSITY, ns=(1, 1))
    os.utime(folder / DENSITY, ns=(1, 1))
    assert compute("c")[2] == 1


def test_entry_of_a_folder_that_is_gone_is_removed(compute, tmp_path):
    origin, _, _ = compute("a")
    shutil.rmtree(origin)
    compute("b")
    (entry,) = index(tmp_path)
    assert json.loads(entry.read_text()) == {"directories": [str(tmp_path / "b")]}


def test_damaged_index_only_costs_the_reuse(compute, tmp_path):
    compute("a")
    index(tmp_path)[0].write_text("[")
    assert compute("b")[2] == 1
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").write_text("a file where the folder should be")
    assert compute("c")[2] == 1


def test_reuse_can_be_switched_off_and_leaves_no_trace_in_the_index(compute, tmp_path, monkeypatch):
    monkeypatch.setenv("HIGHTC_REUSE", "false")
    _, run, _ = compute("a")
    assert run.content_sha256 is None
    assert compute("a")[2] == 2
    assert not index(tmp_path)
    assert finished_runs(tmp_path / "a")


def test_marker_goes_before_the_program_starts(compute, maker, tmp_path):
    folder, _, _ = compute("a")
    other = replace(SCF, input_text=TEXT.replace("16", "17"))

    def fails():
        assert not marker(folder, "pw").exists()
        raise ProgramFailedError("on purpose")

    with chdir(folder), pytest.raises(ProgramFailedError, match="on purpose"):
        maker.run(other, fails)
    assert compute("b")[2] == 1


def test_response_of_the_potential_shares_its_place_on_disk_until_one_runs_anew(compute, tmp_path):
    origin, _, _ = compute("a")
    folder, _, _ = compute("b")
    assert (folder / "out/x.dvscf1").samefile(origin / "out/x.dvscf1")
    compute("b", replace(SCF, input_text=TEXT.replace("16", "17")))
    assert not (folder / "out/x.dvscf1").samefile(origin / "out/x.dvscf1")
    assert compute("c")[2] == 0


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("everything", {RESULT, DENSITY, SCRATCH, "out/x.dvscf1"}),
        ("restart", {RESULT, DENSITY, "out/x.dvscf1"}),
        ("results", {RESULT}),
    ],
)
def test_finished_step_keeps_what_the_policy_says(compute, keep, left):
    folder, _, _ = compute("a")
    (folder / "staged.txt").write_text("from somewhere")
    before = held_bytes(folder / "out")
    freed = drop_scratch(folder, keep)
    assert {str(path.relative_to(folder)) for path in folder.rglob("out/**/*") if path.is_file()} == left
    assert freed == before - held_bytes(folder / "out")
    assert (folder / "pw.out").is_file()
    assert (folder / "staged.txt").exists() == (keep == "everything")
    assert drop_scratch(folder, keep) == 0


def test_step_that_has_not_finished_keeps_everything(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / SCRATCH).write_text("bands")
    assert drop_scratch(tmp_path, "results") == 0
    assert (tmp_path / SCRATCH).is_file()


def test_run_whose_files_were_dropped_serves_those_who_need_them_not_and_no_others(compute):
    folder, _, _ = compute("a")
    drop_scratch(folder, "results")
    summary = replace(SCF, outputs=("out/x.save",))
    assert compute("b", summary)[2] == 1
    slim = replace(SCF, input_text=TEXT.replace("16", "18"), outputs=(RESULT,))
    origin, _, _ = compute("c", slim)
    drop_scratch(origin, "results")
    assert compute("d", slim)[2] == 0


def unreadable():
    raise IncompleteOutputError("x.out", 1, "a number", "NaN", "look at the run")


def test_run_whose_results_cannot_be_read_is_not_taken_over(compute, tmp_path):
    with pytest.raises(IncompleteOutputError):
        compute("a", check=unreadable)
    assert not index(tmp_path)
    assert compute("a", check=lambda: None)[2] == 2
    with pytest.raises(IncompleteOutputError):
        compute("b", check=unreadable)
    assert (tmp_path / "b" / "starts").read_text().count("started") == 1
    assert not finished_runs(tmp_path / "b")
