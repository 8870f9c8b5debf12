"""The moment of fcc Ni from a recorded run, and what is made of runs that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.report_results import make_structure
from jobflow import JobStore
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from hightc.makers.errors import ProgramFailedError
from hightc.makers.moment import NO_SPIN_ORBIT, STARTING_POLARIZATION, MomentMaker
from hightc.makers.qe.inputs import read_namelists
from hightc.makers.qe.pseudopotentials import identify, read_upf_header
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell

QE = Path(__file__).parents[1] / "data" / "qe"
NICKEL = primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.52), ["Ni"], [[0, 0, 0]]))
FAKE = """\
#!/bin/sh
case "$*" in */dev/null*) exit 1 ;; esac  # only asked for its version
mkdir -p out/hightc.save
if [ -f {answer}.xml ]; then cp {answer}.xml out/hightc.save/data-file-schema.xml; fi
cat {answer}.out
"""
NOT_KNOWN = """\
     Program PWSCF v.6.7MaX starts
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine nobody (1):
     nobody knows
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
"""


@pytest.fixture
def moment(tmp_path, monkeypatch):
    """Run the job with a fake pw.x that gives one answer."""
    (tmp_path / "family").mkdir()
    header = '<PP_HEADER element="Ni" pseudo_type="NC" z_valence="10"/>'
    (tmp_path / "family" / "Ni.upf").write_text(f'<UPF version="2.0.1">\n{header}\n</UPF>\n')

    def run(text: str, *, summary: bool = False, **overrides):
        answer = tmp_path / "answer"
        answer.with_suffix(".out").write_text(text)
        if summary:
            answer.with_suffix(".xml").write_text((QE / "ni_spin" / "data-file-schema.xml").read_text())
        program = tmp_path / "fake_pw.x"
        program.write_text(FAKE.format(answer=answer))
        program.chmod(0o755)
        monkeypatch.setenv("HIGHTC_PW_COMMAND", str(program))
        recipe = make_recipe(
            NICKEL,
            protocol="draft",
            family=str(tmp_path / "family"),
            pseudopotentials=(identify(read_upf_header(tmp_path / "family" / "Ni.upf")),),
            suggested_ecutwfc_ry=30.0,
            norm_conserving=False,
            overrides=overrides,
        )
        store = JobStore(MemoryStore())
        store.connect()
        job = MomentMaker(recipe=recipe).make(make_structure("Ni", structure=NICKEL, initial_structure=NICKEL))
        job.run(store)
        return job.output_schema.model_validate(store.get_output(job.uuid))

    return run


def recorded() -> str:
    return (QE / "ni_spin" / "scf.out").read_text()


def test_moment_of_the_cell_is_that_of_pw(moment):
    document = moment(recorded(), summary=True)
    assert document.total_magnetization_bohr_magneton == pytest.approx(1.1679331)
    assert document.absolute_magnetization_bohr_magneton >= document.total_magnetization_bohr_magneton
    assert (document.reason, document.starting_magnetization) == (None, {"Ni": STARTING_POLARIZATION})


def test_spins_start_parallel_whatever_the_recipe_leaves_out(moment):
    moment(recorded(), summary=True)
    system = read_namelists(Path("pw.in"))["system"]
    assert (int(system["nspin"]), float(system["starting_magnetization(1)"])) == (2, STARTING_POLARIZATION)
    assert float(system["ecutwfc"]) == 30.0


def test_recipe_says_from_where_an_element_starts(moment):
    start = {"spin_polarized": True, "starting_magnetization": {"Ni": 0.2}}
    assert moment(recorded(), summary=True, **start).starting_magnetization == {"Ni": 0.2}


def test_coupling_that_is_left_out_is_told(moment):
    assert NO_SPIN_ORBIT not in moment(recorded(), summary=True).warnings
    assert NO_SPIN_ORBIT in moment(recorded(), summary=True, spin_orbit=True).warnings
    assert "lspinorb" not in read_namelists(Path("pw.in"))["system"]
    assert NO_SPIN_ORBIT in moment(NOT_KNOWN, spin_orbit=True).warnings


def test_moment_that_pw_cannot_find_is_missing_with_its_reason(moment):
    document = moment(NOT_KNOWN)
    assert document.total_magnetization_bohr_magneton is None
    assert document.provenance is None
    assert "nobody knows" in document.reason


def test_failure_of_the_machine_is_one_of_the_job(moment):
    with pytest.raises(ProgramFailedError):
        moment(recorded()[: len(recorded()) // 2])
