"""Ladders of magnetic orders with real pw.x: moments, their slope, and Stoner's parameter."""

from __future__ import annotations

import math
import shutil
import subprocess

import pytest
from fakes.flow_runner import FlowRunner
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MagnetismDocument, MaterialTag
from hightc.analysis.magnetic_orders import magnetic_orders
from hightc.makers.magnetism_rung import MagneticRungMaker
from hightc.makers.qe.magnetic_recipe import make_magnetic_recipe
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY, identify, read_upf_header
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell
from hightc.workflows.magnetic_softness import MagneticSoftnessFlowMaker

pytestmark = pytest.mark.qe

NICKEL_NUMBERS = {"ecutwfc_ry": 30.0, "ecutrho_ry": 300.0, "relax_ecutwfc_ry": 30.0, "degauss_ry": 0.02}


def crystal(group, a, element):
    return primitive_cell(Structure.from_spacegroup(group, Lattice.cubic(a), [element], [[0, 0, 0]]))


def run_ladder(recipe, structure, folder, **ladder):
    """Run the whole flow, and read its document as the store keeps it."""
    magnetism = make_magnetic_recipe(structure, recipe, ladder)
    tag = MaterialTag(campaign="test", material=structure.formula)
    runner = FlowRunner(folder)
    assert runner.run(MagneticSoftnessFlowMaker(recipe=recipe, magnetism=magnetism).make(structure, tag))
    return MagnetismDocument.model_validate(runner.outputs("magnetism")[0])


def run_rung(recipe, structure, order, tmp_path, **ladder):
    """Run one rung of the order of that name."""
    magnetism = make_magnetic_recipe(structure, recipe, ladder)
    orders, _ = magnetic_orders(structure, magnetism.magnetic_elements, max_primitive_cells=2, max_orders=4)
    made = next(item for item in orders if item.name == order)
    return MagneticRungMaker(recipe=recipe, magnetism=magnetism).make(made, 0).run(FlowRunner(tmp_path / "s").store)


def test_moment_of_nickel_falls_with_pressure_as_its_reference_runs_say(small_recipe, tmp_path):
    """Reference: pw.x on 8x8x8 points off Gamma has 0.629 Bohr magnetons at 0.3 GPa and 0.618 at 11.6 GPa."""
    nickel = crystal("Fm-3m", 3.5201, "Ni")
    recipe = small_recipe(nickel, {"Ni": "Ni.pbe-nd-rrkjus.UPF"}, **NICKEL_NUMBERS, scf_threshold_ry=1e-8)
    ladder = {"volume_ratios": [1.0, 0.95], "k_mesh": [8, 8, 8], "max_primitive_cells": 1, "noise_rungs": 1}
    document = run_ladder(recipe, nickel, tmp_path / "first", **ladder)
    first, second = (document.state("FM", rung) for rung in (0, 1))
    # 2e-3: ten times what the threshold leaves of a moment
    assert first.total_moment_bohr_magneton_per_atom == pytest.approx(0.629, abs=2e-3)
    assert second.total_moment_bohr_magneton_per_atom == pytest.approx(0.618, abs=2e-3)
    assert (first.started_from, second.started_from) == ("atomic", "neighbour")
    assert first.pressure_gpa == pytest.approx(0.34, abs=0.05)
    ratio = second.total_moment_bohr_magneton_per_atom / first.total_moment_bohr_magneton_per_atom
    slope = math.log(ratio) / (second.pressure_gpa - first.pressure_gpa)
    assert -3e-3 < slope < -1.3e-3
    # ferromagnetism gains 0.05 to 0.1 eV
    assert document.state("NM", 0).energy_ev_per_atom - first.energy_ev_per_atom == pytest.approx(0.06, abs=0.03)
    assert document.stoner_product > 1.5  # 2.0 in the local density approximation
    assert 0 < document.curves[0].noise_bohr_magneton < 0.06
    again = run_ladder(recipe, nickel, tmp_path / "second", **ladder)
    assert all(state.provenance.reused_from for state in again.states)
    assert again.curves == document.curves


def test_chromium_keeps_a_staggered_moment_in_a_cell_of_two(small_recipe, tmp_path):
    chromium = crystal("Im-3m", 2.85, "Cr")
    recipe = small_recipe(
        chromium,
        {"Cr": "Cr.pbe-spn-kjpaw_psl.1.0.0.UPF"},
        ecutwfc_ry=25.0,  # far too low for an energy
        ecutrho_ry=200.0,
        relax_ecutwfc_ry=25.0,
        degauss_ry=0.02,
        scf_threshold_ry=1e-6,
    )
    numbers = {"volume_ratios": [1.15], "k_mesh": [4, 4, 4]}
    rung = run_rung(recipe, chromium, "AFM2", tmp_path, **numbers).output
    state = rung.state
    up, down = state.site_moments_bohr_magneton
    assert state.reached == "antiferromagnetic"
    assert up > 1.5
    # 1e-2: the square root of the threshold, ten times over
    assert up + down == pytest.approx(0, abs=1e-2)
    assert state.total_moment_bohr_magneton_per_atom == pytest.approx(0, abs=1e-2)
    assert state.absolute_moment_bohr_magneton_per_atom == pytest.approx(up, rel=0.15)
    assert rung.polarization[0] == pytest.approx(-rung.polarization[1], abs=2e-3)
    assert rung.exchange_splitting_ev is None


def test_metal_without_a_moment_has_a_stoner_product_from_imposed_ones(small_recipe, aluminium, tmp_path):
    recipe = small_recipe(aluminium, {}, scf_threshold_ry=1e-9)
    ladder = {"volume_ratios": [1.0], "k_mesh": [8, 8, 8], "max_primitive_cells": 1}
    document = run_ladder(recipe, aluminium, tmp_path / "flow", **ladder)
    assert document.state("FM", 0).reached == "nonmagnetic"
    checks = next((tmp_path / "flow").glob("*-magnetic-checks"))
    assert (checks / "pw.out").is_file()
    assert not (checks / "pw.in").exists(), "the run without a moment is that of the rung"
    assert document.stoner_parameter_source.startswith("fixed moments of 0.2 Bohr magnetons per cell at ")
    # Electron gas of the density of Al, r_s = 2.07: the susceptibility is enhanced 1.28 times, I N = 1 - 1/1.28
    assert document.stoner_product == pytest.approx(0.22, abs=0.06)
    # the splitting of the bands says the same to the digits of a band's energy
    splitting = float(document.stoner_parameter_source.rsplit("says ")[-1].split()[0])
    assert document.stoner_parameter_ev == pytest.approx(splitting, rel=0.1)


@pytest.mark.parametrize(
    ("ladder", "volume_change"), [({"volume_ratios": [0.95]}, 0.95), ({"pressures_gpa": [5]}, None)]
)
@pytest.mark.parametrize("order", ["NM", "FM"])
def test_axis_ratio_of_a_hexagonal_metal_is_relaxed_at_a_volume_or_a_pressure(
    small_recipe, tmp_path, ladder, volume_change, order
):
    magnesium = primitive_cell(
        Structure(Lattice.hexagonal(3.21, 5.4), ["Mg", "Mg"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])
    )
    numbers = {"ecutwfc_ry": 12.0, "relax_ecutwfc_ry": 12.0, "degauss_ry": 0.05, "scf_threshold_ry": 1e-7}
    recipe = small_recipe(magnesium, {"Mg": "Mg.pz-n-vbc.UPF"}, **numbers)
    state = run_rung(recipe, magnesium, order, tmp_path, **ladder, k_mesh=[4, 4, 2]).output.state
    lattice = state.structure.lattice
    # 1.624 in experiment and 1.682 in the start; the coarse mesh leaves 0.03
    assert lattice.c / lattice.a == pytest.approx(1.63, abs=0.03)
    assert state.reached == "nonmagnetic"
    if volume_change is None:
        # 0.1 GPa is the threshold of the protocol, the other basis set of the final cell adds as much
        assert state.pressure_gpa == pytest.approx(5, abs=0.3)
    else:
        # rounding of pw.x's scaling
        assert lattice.volume / magnesium.volume == pytest.approx(volume_change, abs=1e-6)


@pytest.mark.slow
def test_iron_is_a_ferromagnet_below_both_antiferromagnetic_orders(small_recipe, tmp_path):
    iron = crystal("Im-3m", 2.84, "Fe")
    recipe = small_recipe(
        iron,
        {"Fe": "Fe.pbe-nd-rrkjus.UPF"},
        ecutwfc_ry=28.0,
        ecutrho_ry=280.0,
        relax_ecutwfc_ry=28.0,
        degauss_ry=0.02,
        scf_threshold_ry=1e-7,
    )
    ladder = {"volume_ratios": [1.0, 0.9], "k_mesh": [8, 8, 8], "max_orders": 4, "noise_rungs": 1}
    document = run_ladder(recipe, iron, tmp_path / "flow", **ladder)
    assert [order.name for order in document.orders] == ["NM", "FM", "AFM1", "AFM2"]
    assert {ground.order for ground in document.ground_states} == {"FM"}
    # 2.2 in experiment; 2.1 to 2.3 with gradients
    moment = document.state("FM", 0).total_moment_bohr_magneton_per_atom
    assert moment == pytest.approx(2.2, abs=0.15)
    assert document.state("FM", 1).total_moment_bohr_magneton_per_atom < moment
    # Janak (1977): 0.92 eV and I N = 1.4 in the local density approximation
    assert document.stoner_parameter_ev == pytest.approx(0.95, abs=0.2)
    assert document.stoner_product > 1.2


@pytest.mark.slow
def test_rhodium_is_nonmagnetic_and_its_file_without_a_core_is_told(tmp_path):
    shutil.copy(DEBIAN_DIRECTORY / "Rh.pbe-rrkjus_lb.UPF", tmp_path / "Rh.UPF")
    subprocess.run(["upfconv.x", "-u", "Rh.UPF"], cwd=tmp_path, check=True, capture_output=True)
    family = tmp_path / "family"
    family.mkdir()
    path = (tmp_path / "Rh.UPF2").rename(family / "Rh.upf")
    rhodium = crystal("Fm-3m", 3.80, "Rh")
    recipe = make_recipe(
        rhodium,
        protocol="draft",
        family=str(family),
        pseudopotentials=(identify(read_upf_header(path)),),
        suggested_ecutwfc_ry=30.0,
        norm_conserving=False,
        overrides={"relax_ecutwfc_ry": 30.0, "scf_threshold_ry": 1e-8},
    )
    # from 0.5 pw.x falls into a second minimum, which has a moment and a higher enthalpy
    ladder = {"volume_ratios": [1.0], "k_mesh": [6, 6, 6], "max_primitive_cells": 1, "starting_polarization": 0.05}
    document = run_ladder(recipe, rhodium, tmp_path / "flow", **ladder)
    assert document.state("FM", 0).reached == "nonmagnetic"
    # 0.65 eV and 0.44 with a core
    assert 0.4 < document.stoner_product < 1
    assert "Rh.upf has no nonlinear core correction" in " ".join(document.warnings)
