"""What a rung makes of the runs of pw.x that it is given: recorded ones of fcc Ni, changed where the test says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MagneticOrder, MaterialTag
from hightc.analysis.magnetic_orders import magnetic_orders
from hightc.makers.errors import ProgramFailedError
from hightc.makers.magnetism import MagnetismMaker, core_warnings
from hightc.makers.magnetism_checks import MagneticChecks, MagneticChecksMaker
from hightc.makers.magnetism_rung import MagneticRungMaker
from hightc.makers.qe.inputs import read_namelists
from hightc.makers.qe.magnetic_recipe import make_magnetic_recipe
from hightc.makers.qe.pseudopotentials import identify, read_upf_header
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell

QE = Path(__file__).parents[1] / "data" / "qe"
NICKEL = primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.52), ["Ni"], [[0, 0, 0]]))
FAKE = """\
#!/bin/sh
case "$*" in */dev/null*) exit 1 ;; esac  # only asked for its version
while [ "$1" != "-in" ]; do shift; done
stem=${{2%.in}}
echo $stem >> starts
case=$(cat {folder}/$stem.case)
mkdir -p out/hightc.save
if [ -f {folder}/$case.xml ]; then cp {folder}/$case.xml out/hightc.save/data-file-schema.xml; fi
cat {folder}/$case.out
"""
ERROR = """\
     Program PWSCF v.6.7MaX starts
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine nobody (1):
     nobody knows
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
"""


@pytest.fixture
def recipe(tmp_path):
    """Draft numbers of Ni with a pseudopotential that only its header tells."""
    folder = tmp_path / "family"
    folder.mkdir()
    header = '<PP_HEADER element="Ni" pseudo_type="NC" z_valence="10"/>'
    (folder / "Ni.upf").write_text(f'<UPF version="2.0.1">\n{header}\n</UPF>\n')
    return make_recipe(
        NICKEL,
        protocol="draft",
        family=str(folder),
        pseudopotentials=(identify(read_upf_header(folder / "Ni.upf")),),
        suggested_ecutwfc_ry=30.0,
        norm_conserving=False,
        overrides={},
    )


@pytest.fixture
def magnetism(recipe):
    return make_magnetic_recipe(NICKEL, recipe, {"volume_ratios": [1.0, 0.9, 0.8], "max_primitive_cells": 1})


@pytest.fixture
def pw(tmp_path, monkeypatch):
    """Say which recorded run a fake pw.x answers with, by the stem of its input."""
    folder = tmp_path / "answers"
    folder.mkdir()
    xml, out = (QE / "ni_spin" / "data-file-schema.xml").read_text(), (QE / "ni_spin" / "scf.out").read_text()
    start = xml.index("<magnetization>")
    gone = re.sub(r"<(total|absolute)>[^<]*<", r"<\1>1.0e-4<", xml[start:])
    answers = {
        "magnetic": (xml, out),
        "gone": (xml[:start] + gone, out.replace("magn:    1.2573", "magn:    0.0001")),
        "error": (None, ERROR),
        "killed": (None, out[: len(out) // 2]),
        "insulator": ((QE / "si_smearing" / "data-file-schema.xml").read_text(), out),
        "slow": (None, (QE / "scf_not_converged" / "scf.out").read_text()),
    }
    for name, (summary, text) in answers.items():
        (folder / f"{name}.out").write_text(text)
        if summary is not None:
            (folder / f"{name}.xml").write_text(summary)
    program = tmp_path / "fake_pw.x"
    program.write_text(FAKE.format(folder=folder))
    program.chmod(0o755)
    monkeypatch.setenv("HIGHTC_PW_COMMAND", str(program))

    def answer(**cases):
        for stem, case in cases.items():
            (folder / f"{stem.replace('_', '-')}.case").write_text(case)

    return answer


@pytest.fixture
def compute(recipe, magnetism, tmp_path, monkeypatch):
    """Run one rung of an order in a folder of its own."""
    nonmagnetic, ferromagnetic = magnetic_orders(NICKEL, ["Ni"], max_primitive_cells=1)[0][:2]

    def run(rung=0, neighbour=None, order=ferromagnetic):
        folder = tmp_path / f"rung-{rung}-{order.name}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        store = JobStore(MemoryStore())
        store.connect()
        job = MagneticRungMaker(recipe=recipe, magnetism=magnetism).named(order, rung, neighbour)
        return job.run(store).output

    run.nonmagnetic, run.ferromagnetic = nonmagnetic, ferromagnetic
    return run


def starts():
    return Path("starts").read_text().split()


def test_row_holds_the_moment_of_the_xml_and_the_polarisation_of_the_site(pw, compute):
    pw(pw="magnetic")
    rung = compute()
    state = rung.state
    assert (state.status, state.reached, state.started_from, state.reason) == (
        "converged",
        "ferromagnetic",
        "atomic",
        None,
    )
    text = (QE / "ni_spin" / "data-file-schema.xml").read_text()
    total = float(re.search(r"<magnetization>.*?<total>(.*?)<", text, re.DOTALL)[1])
    assert state.total_moment_bohr_magneton_per_atom == total
    assert state.site_moments_bohr_magneton == (1.2573,)
    assert rung.polarization == (pytest.approx(1.2573 / 8.6696, abs=5e-4),)
    assert rung.exchange_splitting_ev > 0.5
    assert (state.volume_ratio, state.target_pressure_gpa) == (1.0, None)
    work = state.enthalpy_ev_per_atom - state.energy_ev_per_atom
    # 160.21766 GPa in an eV/Angstrom^3
    assert work == pytest.approx(state.pressure_gpa * state.volume_angstrom3_per_atom / 160.21766)


def test_rung_starts_from_the_moment_of_its_neighbour_at_its_own_volume(pw, compute):
    pw(pw="magnetic")
    first = compute()
    second = compute(1, first)
    assert second.state.started_from == "neighbour"
    assert starts() == ["pw"]
    assert read_namelists(Path("pw.in"))["system"]["starting_magnetization(1)"] == first.polarization[0]
    assert second.structure.volume == pytest.approx(0.9 * NICKEL.volume)


@pytest.mark.parametrize(("atomic", "reached"), [("magnetic", "ferromagnetic"), ("gone", "nonmagnetic")])
def test_moment_that_was_lost_is_looked_for_once_more_from_the_atoms(pw, compute, atomic, reached):
    pw(pw="magnetic", pw_atomic=atomic)
    first = compute()
    pw(pw="gone")
    second = compute(1, first)
    assert starts() == ["pw", "pw-atomic"]
    assert (second.state.started_from, second.state.reached) == ("atomic", reached)
    assert (second.polarization is None) == (reached == "nonmagnetic")
    assert (second.exchange_splitting_ev is None) == (reached == "nonmagnetic")
    assert read_namelists(Path("pw-atomic.in"))["system"]["starting_magnetization(1)"] == 0.5


def test_rung_above_a_collapse_starts_from_the_atoms_alone(pw, compute):
    pw(pw="gone")
    collapsed = compute()
    compute(1, collapsed)
    assert starts() == ["pw"]
    assert read_namelists(Path("pw.in"))["system"]["starting_magnetization(1)"] == 0.5


@pytest.mark.parametrize(("case", "reason"), [("error", "nobody knows"), ("slow", "convergence NOT achieved")])
def test_failure_of_the_program_is_a_row_and_the_ladder_goes_on_from_the_rung_before(pw, compute, case, reason):
    pw(pw="magnetic", pw_atomic=case)
    first = compute()
    pw(pw=case)
    failed = compute(1, first)
    assert failed.state.status == "failed"
    assert failed.state.reason.startswith("neighbour start: ")
    assert "; atomic start: " in failed.state.reason
    assert reason in failed.state.reason
    assert failed.state.volume_ratio == 0.9
    assert failed.state.energy_ev_per_atom is failed.state.structure is failed.state.provenance is None
    pw(pw="magnetic")
    third = compute(2, failed)
    assert (third.state.status, third.state.started_from) == ("converged", "neighbour")
    assert third.structure.volume == pytest.approx(0.8 * NICKEL.volume)


def test_failure_of_one_start_is_no_failure_of_the_rung(pw, compute):
    pw(pw="magnetic", pw_atomic="gone")
    first = compute()
    pw(pw="error")
    assert compute(1, first).state.reached == "nonmagnetic"
    pw(pw="gone", pw_atomic="error")
    third = compute(2, first)
    assert (third.state.status, third.state.started_from, third.state.reached) == (
        "converged",
        "neighbour",
        "nonmagnetic",
    )


def test_failure_of_the_machine_is_no_row(pw, compute):
    pw(pw="killed")
    with pytest.raises(ProgramFailedError) as error:
        compute()
    assert error.value.codes == ("killed",)


@pytest.fixture
def check(recipe, magnetism, tmp_path, monkeypatch):
    """Run the checks on rungs."""

    def run(orders, rungs, **changes):
        folder = tmp_path / "checks"
        folder.mkdir()
        monkeypatch.chdir(folder)
        store = JobStore(MemoryStore())
        store.connect()
        maker = MagneticChecksMaker(recipe=recipe, magnetism=magnetism.model_copy(update=changes))
        return maker.make(orders, rungs).run(store).output

    return run


def test_checks_of_a_ferromagnet_are_its_splitting_and_one_more_run(pw, compute, check):
    pw(pw="magnetic", pw_noise_1="magnetic")
    orders = [compute.nonmagnetic, compute.ferromagnetic]
    rungs = [compute(order=order) for order in orders]
    found = check(orders, [[rung] for rung in rungs])
    assert starts() == ["pw-noise-1"]
    assert found.noise_bohr_magneton == 0  # the fake answers with the same run
    moment = rungs[1].state.total_moment_bohr_magneton_per_atom
    assert found.stoner.value_ev == pytest.approx(rungs[1].exchange_splitting_ev / moment)
    assert found.stoner.source.startswith("exchange splitting over moment, bands of FM at ")
    assert found.warnings == ()


def test_common_shift_of_moments_is_no_scatter(pw, compute, check, recipe, magnetism):
    pw(pw="magnetic", pw_noise_1="magnetic", pw_noise_2="gone")
    ladder = [compute(rung) for rung in (0, 2)]
    found = check([compute.ferromagnetic] * 2, [ladder] * 2, noise_rungs=2, noise_degauss_factor=0.5)
    path = Path("pw-noise-1.in")
    lines = path.read_text().splitlines()
    mesh = tuple(int(n) for n in lines[lines.index("K_POINTS automatic") + 1].split()[:3])
    assert mesh > magnetism.k_mesh
    assert read_namelists(path)["system"]["degauss"] == 0.5 * recipe.degauss_ry
    # changes of 0 and -m: their standard deviation; the fake's moment that is gone is 1e-4
    moment = ladder[0].state.total_moment_bohr_magneton_per_atom
    assert found.noise_bohr_magneton == pytest.approx((moment - 1e-4) / 2**0.5, abs=1e-9)


def test_rung_without_a_moment_is_not_asked_for_its_scatter(pw, compute, check):
    pw(pw="magnetic", pw_noise_1="magnetic")
    orders = [compute.nonmagnetic, compute.ferromagnetic]
    nonmagnetic, first = (compute(order=order) for order in orders)
    pw(pw="gone", pw_atomic="gone")
    found = check(orders, [[nonmagnetic, nonmagnetic], [first, compute(2, first)]])
    assert starts() == ["pw-noise-1"]
    assert found.noise_bohr_magneton == 0


def test_check_that_fails_is_a_warning_and_one_of_the_machine_is_not(pw, compute, check):
    pw(pw="magnetic", pw_noise_1="error")
    orders = [compute.nonmagnetic, compute.ferromagnetic]
    found = check(orders, [[compute(order=order)] for order in orders])
    assert found.noise_bohr_magneton is None
    assert found.warnings[0].startswith("the scatter of moments is less well known: pw.x failed in ")
    assert found.stoner is not None


def test_insulator_has_no_stoner_parameter(pw, compute, check):
    orders = [compute.nonmagnetic, compute.ferromagnetic]
    pw(pw="gone")
    ferromagnetic = compute(order=orders[1])
    pw(pw="insulator", pw_moment_1="gone")
    found = check(orders, [[compute(order=orders[0])], [ferromagnetic]])
    assert starts() == ["pw-moment-1"]  # the run without spin is that of the rung
    assert found.stoner is None
    assert found.warnings[0].endswith(" states/eV/spin/cell is no metal's")


def test_failed_rungs_leave_nothing_to_check(pw, compute, check):
    pw(pw="error")
    orders = [compute.nonmagnetic, compute.ferromagnetic]
    found = check(orders, [[compute(order=order)] for order in orders])
    assert not Path("starts").exists()
    assert found.noise_bohr_magneton is found.stoner is None
    assert found.warnings == ("Stoner's parameter is not known: the rung that it is taken from failed",)


def test_document_holds_every_row_and_what_the_checks_had_to_say(pw, compute, recipe, magnetism):
    orders: list[MagneticOrder] = [compute.nonmagnetic, compute.ferromagnetic]
    pw(pw="magnetic")
    rungs = [compute(rung, order=order) for order in orders for rung in (0, 1)]
    pw(pw="error")
    rungs.append(compute(2, order=orders[1]))
    checks = MagneticChecks(
        noise_bohr_magneton=0.01, stoner_ev=1.0, stoner_source="a test", provenances=(), warnings=("a check failed",)
    )
    store = JobStore(MemoryStore())
    store.connect()
    maker = MagnetismMaker(recipe=recipe, magnetism=magnetism)
    tag = MaterialTag(campaign="test", material="Ni")
    document = maker.make(NICKEL, tag, orders, ["larger cells"], rungs, checks).run(store).output
    assert [(state.order, state.status) for state in document.states] == [
        ("NM", "converged"),
        ("NM", "converged"),
        ("FM", "converged"),
        ("FM", "converged"),
        ("FM", "failed"),
    ]
    assert document.codes == {"pw.x": "6.7MaX"}
    assert document.stoner_parameter_ev == 1.0
    assert "a check failed" in document.warnings
    assert document.orders_left_out == ("larger cells",)


@pytest.mark.parametrize(("said", "warned"), [("false", True), (".F.", True), ("true", False), ("T", False)])
def test_file_without_its_core_is_told(tmp_path, said, warned):
    path = tmp_path / "Rh.upf"
    path.write_text(f'<UPF version="2.0.1">\n<PP_HEADER element="Rh" core_correction="{said}"/>\n</UPF>\n')
    assert bool(core_warnings([path])) is warned
    if warned:
        assert core_warnings([path])[0].startswith("Rh.upf has no nonlinear core correction")
