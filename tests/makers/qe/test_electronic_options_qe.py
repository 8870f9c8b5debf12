"""Spin-orbit coupling, spin polarisation, Hubbard U and listed k points, each with a real pw.x of a second."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import MaterialTag
from hightc.analysis.parsers.ph import read_elph
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.errors import PseudopotentialError
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import ph_handlers, pw_handlers
from hightc.makers.qe.inputs import pw_input
from hightc.makers.qe.meshes import uniform_points
from hightc.makers.qe.phonon_inputs import ph_input
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.relax import XML, RelaxMaker
from hightc.makers.settings import compute_settings

pytestmark = pytest.mark.qe
MESHES = {"k_mesh": (2, 2, 2), "q_mesh": (1, 1, 1), "scf_threshold_ry": 1e-5}


def fcc(element, a):
    return primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [element], [[0, 0, 0]]))


def run_pw(structure, recipe, calculation="scf", *, dense=False, **changes):
    text = pw_input(
        structure,
        recipe,
        calculation=calculation,
        dense=dense,
        pseudo_dir=DEBIAN_DIRECTORY,
        max_seconds=None,
        **changes,
    )
    run_program("pw", input_text=text, handlers=pw_handlers("pw"), settings=compute_settings())
    return read_pw_xml(XML)


def relax(structure, recipe):
    store = JobStore(MemoryStore())
    store.connect()
    tag = MaterialTag(campaign="test", material="test")
    return RelaxMaker(recipe=recipe).make(structure, tag).run(store).output


def test_spin_orbit_coupling_splits_the_valence_bands_of_silicon_as_measured(small_recipe):
    silicon = primitive_cell(Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]]))
    files = {"Si": "Si_r.upf"}
    averaged = run_pw(silicon, small_recipe(silicon, files, **MESHES))
    coupled = run_pw(silicon, small_recipe(silicon, files, **MESHES, spin_orbit=True))
    assert (averaged.n_states_per_band, coupled.n_states_per_band) == (2, 1)
    assert coupled.n_electrons == averaged.n_electrons == 8
    levels = coupled.eigenvalues_ev[0, 0]
    # inversion and time reversal leave every level twofold; 1e-3 eV is the threshold of the diagonalisation
    np.testing.assert_allclose(levels[0:8:2], levels[1:8:2], atol=1e-3)
    assert np.ptp(averaged.eigenvalues_ev[0, 0, 1:4]) < 1e-3
    # 44 meV between Gamma7 and Gamma8 in experiment; density functionals miss it by a tenth
    assert levels[4:8].mean() - levels[2:4].mean() == pytest.approx(0.044, abs=0.006)
    assert np.ptp(levels[4:8]) < 1e-3


def test_spin_orbit_coupling_runs_with_ultrasoft_files(small_recipe):
    platinum = fcc("Pt", 3.92)
    numbers = {**MESHES, "ecutwfc_ry": 20.0, "ecutrho_ry": 160.0, "spin_orbit": True}
    run = run_pw(platinum, small_recipe(platinum, {"Pt": "Pt.rel-pz-n-rrkjus.UPF"}, **numbers))
    levels = run.eigenvalues_ev[0, 0]
    assert np.ptp(levels[2:6]) < 1e-3
    # Gamma25' of the d bands of Pt splits into Gamma8 and, about 1 eV higher, Gamma7
    assert levels[6:8].mean() - levels[2:6].mean() == pytest.approx(1.0, abs=0.2)
    assert run.n_states_per_band == 1


def test_relaxation_tells_coupling_that_was_averaged_out_and_refuses_scalar_files(small_recipe):
    lead = fcc("Pb", 4.88)
    document = relax(lead, small_recipe(lead, {"Pb": "pb_s.UPF"}, **MESHES, relax=False))
    assert document.warnings == ("spin-orbit coupling of pb_s.UPF was averaged out: spin_orbit is false",)
    assert document.total_magnetization_bohr_magneton is None
    aluminium = fcc("Al", 3.97)
    with pytest.raises(PseudopotentialError, match="expected a fully relativistic file for spin_orbit = true"):
        relax(aluminium, small_recipe(aluminium, {}, **MESHES, spin_orbit=True))


def test_moment_of_nickel_reaches_the_document_and_hubbard_u_costs_energy(small_recipe):
    nickel = fcc("Ni", 3.52)
    numbers = {**MESHES, "k_mesh": (4, 4, 4), "ecutwfc_ry": 22.0, "ecutrho_ry": 200.0, "relax": False}
    numbers |= {"degauss_ry": 0.02, "spin_polarized": True}
    files = {"Ni": "Ni.pbe-nd-rrkjus.UPF"}
    plain = relax(nickel, small_recipe(nickel, files, **numbers))
    # 0.6 Bohr magnetons in experiment; a 4x4x4 mesh leaves 0.1
    assert plain.total_magnetization_bohr_magneton == pytest.approx(0.6, abs=0.15)
    assert plain.warnings[-1].startswith("magnetic, 0.")
    with_u = relax(nickel, small_recipe(nickel, files, **numbers, hubbard_u_ev={"Ni": 4.0}))
    assert "Hubbard energy" in Path("pw.out").read_text()
    # U/2 Tr n(1-n) is positive for any density, hence so is what it adds to the minimum
    assert with_u.energy_ev > plain.energy_ev + 0.1


def test_metal_without_a_moment_loses_the_one_it_started_from(small_recipe, aluminium):
    numbers = {**MESHES, "k_mesh": (4, 4, 4), "relax": False, "scf_threshold_ry": 1e-8}
    document = relax(aluminium, small_recipe(aluminium, {}, **numbers, spin_polarized=True))
    # 1e-3: the square root of the threshold, ten times over
    assert abs(document.total_magnetization_bohr_magneton) < 1e-3
    assert document.warnings == ()


@pytest.mark.parametrize("positions", [[[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]], [[0, 0, 0], [0.6, 0.37, 0.45]]])
def test_listed_k_points_are_all_there_and_no_other_whatever_the_symmetry(small_recipe, positions):
    magnesium = Structure(Lattice.hexagonal(3.21, 5.21), ["Mg", "Mg"], positions)
    # at 15 Ry hcp Mg has 15 15 30 points in real space with symmetry and 15 15 25 without
    recipe = small_recipe(
        magnesium, {"Mg": "Mg.pz-n-vbc.UPF"}, **MESHES | {"ecutwfc_ry": 15.0, "scf_threshold_ry": 1e-8}
    )
    before = run_pw(magnesium, recipe)
    mesh_before = [line for line in Path("pw.out").read_text().splitlines() if "FFT dimensions" in line]
    run = run_pw(magnesium, recipe, "nscf", k_list=(3, 3, 2), n_bands=9)
    assert [line for line in Path("pw.out").read_text().splitlines() if "FFT dimensions" in line] == mesh_before
    # 1e-12: points are written with 14 decimals
    np.testing.assert_allclose(run.k_points, uniform_points((3, 3, 2)), atol=1e-12)
    np.testing.assert_allclose(run.k_weights, 1 / 18)
    assert run.eigenvalues_ev.shape == (1, 18, 9)
    assert (run.fermi_ev, run.n_electrons) == (pytest.approx(before.fermi_ev), 4)
    assert (run.forces_ev_per_angstrom, run.stress_gpa, run.energy_ev) == (None, None, None)
    # Gamma is a point of both meshes; 1e-3 eV: the square root of the threshold
    np.testing.assert_allclose(run.eigenvalues_ev[0, 0, :4], before.eigenvalues_ev[0, 0, :4], atol=1e-3)


def test_bands_on_a_mesh_have_a_fermi_energy_of_their_own(small_recipe, aluminium):
    recipe = small_recipe(aluminium, {}, **MESHES)
    run_pw(aluminium, recipe)
    run = run_pw(aluminium, recipe, "nscf", n_bands=8)
    assert (run.calculation, run.k_mesh, run.eigenvalues_ev.shape[2]) == ("nscf", (2, 2, 2), 8)
    assert run.fermi_ev is not None


def test_spin_of_a_metal_without_a_moment_leaves_its_coupling(small_recipe, aluminium):
    meshes = {"k_mesh": (2, 2, 2), "k_mesh_dense": (2, 2, 2), "q_mesh": (2, 2, 2), "tr2_ph": 1e-12}
    coupling = []
    for options in ({}, {"spin_polarized": True, "starting_magnetization": {"Al": 0.1}}):
        recipe = small_recipe(aluminium, {}, **meshes, **options)
        run_pw(aluminium, recipe, dense=True)
        run_program("ph", input_text=ph_input(recipe), handlers=ph_handlers("ph"), settings=compute_settings())
        coupling.append(np.array([q.coupling for q in read_elph(".")]))
        shutil.rmtree("out")
        shutil.rmtree("elph_dir")
    plain, polarized = coupling
    assert plain.max() > 0.1
    # 2e-3: twenty times the last printed digit, which a density with another residual moves
    assert plain.shape == (3, 10, 3)
    np.testing.assert_allclose(polarized, plain, rtol=2e-3, atol=2e-3)
