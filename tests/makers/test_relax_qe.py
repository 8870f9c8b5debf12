"""Relaxations that do not end as they should, with real pw.x and with recorded outputs."""

from __future__ import annotations

import itertools
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MaterialTag
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import edit_namelists, pw_input, read_namelists
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.relax import OFTEN_MAGNETIC, XML, RelaxMaker
from hightc.makers.settings import compute_settings

RECORDED = Path(__file__).parents[1] / "data" / "qe"
TAG = MaterialTag(campaign="test", material="Al")


@pytest.fixture(scope="module")
def stretched():
    """fcc Al, 11 % too long: pw.x needs six self-consistent runs to bring it back."""
    return primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.4), ["Al"], [[0, 0, 0]]))


@pytest.fixture
def stretched_recipe(stretched, small_recipe):
    """Make numbers with which a relaxation takes a second."""

    def make(**overrides):
        meshes = {"k_mesh": (4, 4, 4), "q_mesh": (2, 2, 2)}
        return small_recipe(stretched, {}, ecutwfc_ry=12.0, relax_ecutwfc_ry=12.0, **meshes, **overrides)

    return make


def relaxation(structure, recipe, n_steps):
    """Input of a relaxation of so many steps."""
    text = pw_input(
        structure, recipe, calculation="vc-relax", dense=False, pseudo_dir=DEBIAN_DIRECTORY, max_seconds=None
    )
    path = Path("edit.in")
    path.write_text(text)
    edit_namelists(path, {"control": {"nstep": n_steps}})
    return path.read_text()


def run_pw(text):
    return run_program("pw", input_text=text, handlers=pw_handlers("pw"), settings=compute_settings())


def run_relax(recipe, structure):
    store = JobStore(MemoryStore())
    store.connect()
    return RelaxMaker(recipe=recipe).make(structure, TAG).run(store)


@pytest.mark.qe
@pytest.mark.parametrize(
    ("n_steps", "continued_with"),
    [
        (3, [6]),
        (2, [4, 8]),  # the sixth step converges, and none is left for the final scf
    ],
)
def test_relaxation_that_used_up_its_steps_goes_on_to_the_same_minimum(
    stretched, stretched_recipe, n_steps, continued_with
):
    recipe = stretched_recipe()
    run = run_pw(relaxation(stretched, recipe, n_steps))
    assert {error for correction in run.corrections for error in correction.errors} == {"geometry_not_converged"}
    told = [correction.actions[1] for correction in run.corrections]
    numbers = [n_steps, *continued_with]
    assert told == [f"control.nstep: {old} -> {new}" for old, new in itertools.pairwise(numbers)]
    assert run.corrections[0].actions[0] == "control.restart_mode: default -> restart"
    continued = read_pw_xml(XML)
    assert continued.converged
    shutil.rmtree("out")
    assert run_pw(relaxation(stretched, recipe, 100)).corrections == ()
    straight = read_pw_xml(XML)
    # 1 kbar of pressure_conv_thr over a bulk modulus of 800 kbar
    assert continued.structure.volume == pytest.approx(straight.structure.volume, rel=1e-3)


@pytest.mark.qe
def test_relaxation_that_never_ends_fails_with_advice_after_two_continuations(stretched, stretched_recipe):
    text = relaxation(stretched, stretched_recipe(pressure_threshold_kbar=1e-9, force_threshold_ry_bohr=1e-12), 1)
    with pytest.raises(ProgramFailedError, match=r"maximum number of steps.*: start from a structure nearer"):
        run_pw(text)
    assert read_namelists(Path("pw.in"))["control"]["nstep"] == 4


@pytest.mark.qe
def test_relaxation_that_stopped_on_noise_is_told_though_its_xml_says_converged(stretched, stretched_recipe):
    recipe = stretched_recipe(
        pressure_threshold_kbar=1e-7, force_threshold_ry_bohr=1e-12, scf_threshold_ry=1e-3, pressure_gpa=-1.4
    )
    document = run_relax(recipe, stretched).output
    assert read_pw_xml(XML).converged
    assert "the relaxation stopped before its thresholds" in document.warnings[-1]


@pytest.mark.qe
def test_relaxation_whose_xml_says_that_it_did_not_converge_is_refused(stretched, stretched_recipe, monkeypatch):
    folder = XML.parent
    folder.mkdir(parents=True)
    (folder / XML.name).write_bytes((RECORDED / "relax_not_converged" / "data-file-schema.xml").read_bytes())
    fake = Path(__file__).parents[1] / "fakes" / "program.py"
    output = RECORDED / "al_scf" / "scf.out"
    monkeypatch.setenv("HIGHTC_PW_COMMAND", shlex.join([sys.executable, str(fake), "--say", str(output)]))
    with pytest.raises(
        ProgramFailedError, match=r"expected a converged relax, found one that is not: run the campaign"
    ):
        run_relax(stretched_recipe(), stretched)


@pytest.mark.qe
def test_relaxed_structure_carries_its_largest_force_as_a_gate(stretched, stretched_recipe):
    recipe = stretched_recipe(pressure_gpa=-1.4)
    document = run_relax(recipe, stretched).output
    assert [gate.name for gate in document.gates] == ["metal", "pressure", "forces"]
    assert document.gates[2].value == document.max_force_ev_per_angstrom
    assert document.warnings == ()


def test_elements_with_open_d_and_f_shells_are_often_magnetic():
    assert {"Cr", "Mn", "Fe", "Co", "Ni"} <= OFTEN_MAGNETIC
    assert {"Ce", "Pr", "Pm", "Dy", "Tm", "Yb", "Np", "Pu", "Cm"} <= OFTEN_MAGNETIC
    assert not {"V", "Cu", "La", "Lu", "Th", "Al"} & OFTEN_MAGNETIC
