from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import spglib
from ase.io.espresso import read_espresso_in, read_fortran_namelist
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Pseudopotential
from hightc.makers.errors import RecipeError
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import Spins, edit_namelists, magnetic_input, pw_input, read_namelists
from hightc.makers.qe.meshes import uniform_points
from hightc.makers.qe.phonon_inputs import N_SIGMA, matdyn_input, ph_input, q2r_input
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.settings import compute_settings

ALUMINIUM = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.05), ["Al"], [[0, 0, 0]])
MAGNESIUM = Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(3.21, 5.21), ["Mg"], [[1 / 3, 2 / 3, 0.25]])
DIBORIDE = Structure.from_spacegroup(
    "P6/mmm", Lattice.hexagonal(3.086, 3.524), ["Mg", "B"], [[0, 0, 0], [1 / 3, 2 / 3, 0.5]]
)
CRYSTALS = pytest.mark.parametrize("crystal", [ALUMINIUM, MAGNESIUM, DIBORIDE], ids=["fcc Al", "hcp Mg", "MgB2"])


def recipe_of(structure, **overrides):
    files = tuple(
        Pseudopotential(element=element.symbol, filename=f"{element.symbol}.upf", sha256="0" * 64)
        for element in structure.composition.elements
    )
    return make_recipe(
        structure,
        protocol="draft",
        family="mine",
        pseudopotentials=files,
        suggested_ecutwfc_ry=30.0,
        norm_conserving=True,
        overrides=overrides,
    )


def pw_text(structure, recipe, *, calculation="scf", dense=False, max_seconds=None, **changes):
    return pw_input(
        structure,
        recipe,
        calculation=calculation,
        dense=dense,
        pseudo_dir=Path("/pseudo"),
        max_seconds=max_seconds,
        **changes,
    )


def namelists(text):
    parsed, cards = read_fortran_namelist(io.StringIO(text[text.index("&") :]))
    return parsed, cards


@CRYSTALS
def test_cell_and_atoms_come_back_from_the_input(crystal):
    primitive = primitive_cell(crystal)
    atoms = read_espresso_in(io.StringIO(pw_text(primitive, recipe_of(primitive))))
    # the cell is written with 14 decimals, fractional positions with 10
    assert np.abs(np.array(atoms.cell) - primitive.lattice.matrix).max() < 1e-10
    assert np.abs(atoms.get_scaled_positions(wrap=False) - primitive.frac_coords).max() < 1e-10
    assert atoms.get_chemical_symbols() == [site.specie.symbol for site in primitive]


@CRYSTALS
@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_crystal_keeps_its_symmetry_in_the_input(crystal):
    primitive = primitive_cell(crystal)
    atoms = read_espresso_in(io.StringIO(pw_text(primitive, recipe_of(primitive))))
    written = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    given = (crystal.lattice.matrix, crystal.frac_coords, [site.specie.Z for site in crystal])
    # pw.x accepts operations that move atoms by less than 1e-5 of the cell
    assert spglib.get_spacegroup(written, 1e-7) == spglib.get_spacegroup(given, 1e-7)


@CRYSTALS
@pytest.mark.parametrize("dense", [False, True])
def test_dense_run_alone_uses_the_dense_mesh_and_saves_double_delta_weights(crystal, dense):
    primitive = primitive_cell(crystal)
    recipe = recipe_of(primitive)
    parsed, cards = namelists(pw_text(primitive, recipe, dense=dense))
    mesh = recipe.k_mesh_dense if dense else recipe.k_mesh
    assert [int(n) for n in cards[cards.index("K_POINTS automatic") + 1].split()] == [*mesh, 0, 0, 0]
    assert parsed["system"].get("la2f") == (True if dense else None)


@pytest.mark.parametrize("for_stress", [False, True])
def test_stress_is_computed_at_the_higher_cutoffs(for_stress):
    primitive = primitive_cell(ALUMINIUM)
    recipe = recipe_of(primitive, ecutrho_ry=240.0)
    system = namelists(pw_text(primitive, recipe, calculation="vc-relax", for_stress=for_stress))[0]["system"]
    factor = recipe.relax_ecutwfc_ry / recipe.ecutwfc_ry if for_stress else 1
    assert factor in (1, 1.25)
    assert (system["ecutwfc"], system["ecutrho"]) == (30 * factor, 240 * factor)


def test_relaxation_asks_for_the_pressure_and_thresholds_of_the_recipe():
    primitive = primitive_cell(ALUMINIUM)
    recipe = recipe_of(primitive, pressure_gpa=12.5)
    parsed, _ = namelists(pw_text(primitive, recipe, calculation="vc-relax", for_stress=True))
    assert parsed["cell"]["press"] == 125  # kbar
    assert parsed["cell"]["press_conv_thr"] == recipe.pressure_threshold_kbar
    assert parsed["control"]["forc_conv_thr"] == recipe.force_threshold_ry_bohr
    assert not namelists(pw_text(primitive, recipe))[0]["cell"]


@pytest.mark.parametrize("k_list", [None, (3, 2, 1)])
def test_bands_of_a_finished_density_are_on_a_mesh_or_on_every_point_of_a_list(k_list):
    primitive = primitive_cell(ALUMINIUM)
    recipe = recipe_of(primitive)
    text = pw_text(primitive, recipe, calculation="nscf", k_list=k_list, n_bands=12)
    parsed, cards = namelists(text)
    assert parsed["system"]["nbnd"] == 12
    assert parsed["electrons"]["diago_full_acc"] is True
    assert not {"tprnfor", "tstress"} & set(parsed["control"])
    if k_list is None:
        assert parsed["control"]["calculation"] == "nscf"
        assert "K_POINTS automatic" in cards
        return
    assert parsed["control"]["calculation"] == "bands"
    first = cards.index("K_POINTS crystal") + 2
    assert int(cards[first - 1]) == 6
    listed = np.array([line.split() for line in cards[first : first + 6]], dtype=float)
    # points are written with 14 decimals
    np.testing.assert_allclose(listed[:, :3], uniform_points((3, 2, 1)), atol=1e-14)
    np.testing.assert_allclose(listed[:, 3], 1 / 6, atol=1e-14)


def test_plain_metal_has_no_word_of_spin_or_hubbard():
    primitive = primitive_cell(ALUMINIUM)
    text = pw_text(primitive, recipe_of(primitive)).lower()
    assert not [word for word in ("nspin", "noncolin", "lspinorb", "magnetization", "lda_plus_u") if word in text]


def test_spin_orbit_coupling_makes_spinors_without_magnetism():
    primitive = primitive_cell(DIBORIDE)
    system = namelists(pw_text(primitive, recipe_of(primitive, spin_orbit=True)))[0]["system"]
    assert (system["noncolin"], system["lspinorb"]) == (True, True)
    assert "nspin" not in system
    assert not any(value for name, value in system.items() if name.startswith("starting_magnetization"))


def test_start_and_hubbard_u_belong_to_their_species():
    primitive = primitive_cell(DIBORIDE)
    recipe = recipe_of(
        primitive, spin_polarized=True, starting_magnetization={"B": -0.25, "Mg": 0.5}, hubbard_u_ev={"B": 1.5}
    )
    parsed, cards = namelists(pw_text(primitive, recipe))
    system = parsed["system"]
    first = cards.index("ATOMIC_SPECIES") + 1
    species = [line.split()[0] for line in cards[first : first + 2]]
    assert {name: system[f"starting_magnetization({species.index(name) + 1})"] for name in species} == {
        "B": -0.25,
        "Mg": 0.5,
    }
    assert (system["nspin"], system["lda_plus_u"]) == (2, True)
    assert [name for name in system if name.startswith("hubbard_u")] == [f"hubbard_u({species.index('B') + 1})"]


def magnetic_text(structure, recipe, spins, *, freedom="none", k_shift=(1, 1, 1)):
    return magnetic_input(
        structure,
        recipe,
        spins,
        freedom=freedom,
        k_shift=k_shift,
        pseudo_dir=Path("/pseudo"),
        max_seconds=None,
    )


def test_each_spin_of_an_element_has_a_species_and_its_own_hubbard_u():
    two = Structure(Lattice.cubic(2.9), ["Cr", "Cr", "B"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]])
    recipe = recipe_of(two, hubbard_u_ev={"Cr": 2.0}, spin_polarized=True, starting_magnetization={"B": 1.0})
    parsed, cards = namelists(magnetic_text(two, recipe, Spins((0.4, -0.4, 0.0))))
    system = parsed["system"]
    species = [line.split() for line in cards[cards.index("ATOMIC_SPECIES") + 1 :][:3]]
    assert [(name, file) for name, _, file in species] == [("Cr", "Cr.upf"), ("Cr1", "Cr.upf"), ("B", "B.upf")]
    assert [system[f"starting_magnetization({number})"] for number in (1, 2, 3)] == [0.4, -0.4, 0.0]
    assert (system["nspin"], system["hubbard_u(1)"], system["hubbard_u(2)"]) == (2, 2.0, 2.0)
    assert "hubbard_u(3)" not in system
    assert "tot_magnetization" not in system
    mesh = cards[cards.index("K_POINTS automatic") + 1].split()
    assert [int(n) for n in mesh] == [*recipe.k_mesh, 1, 1, 1]


def test_order_without_spin_has_no_word_of_it_whatever_the_recipe_says():
    primitive = primitive_cell(ALUMINIUM)
    recipe = recipe_of(primitive, spin_polarized=True)
    text = magnetic_text(primitive, recipe, None, k_shift=(0, 0, 0))
    assert not [word for word in ("nspin", "magnetization") if word in text]
    plain = recipe_of(primitive)
    same = pw_text(primitive, plain, for_stress=True)
    # the plain calculation of the same stress: runs of either are taken over by the other
    assert text == same


def test_imposed_moment_is_that_of_the_cell():
    primitive = primitive_cell(ALUMINIUM)
    system = namelists(magnetic_text(primitive, recipe_of(primitive), Spins((0.1,), 0.25)))[0]["system"]
    assert (system["nspin"], system["tot_magnetization"]) == (2, 0.25)


@pytest.mark.parametrize(
    ("freedom", "calculation", "cell"),
    [
        ("none", "scf", {}),
        ("shape", "vc-relax", {"cell_dofree": "shape", "press": 0.0}),
        ("all", "vc-relax", {"press": 300.0}),
    ],
)
def test_freedom_of_the_cell_decides_what_is_relaxed(freedom, calculation, cell):
    primitive = primitive_cell(MAGNESIUM)
    recipe = recipe_of(primitive, pressure_gpa=30.0)
    parsed, _ = namelists(magnetic_text(primitive, recipe, Spins((0.1, 0.1)), freedom=freedom))
    assert parsed["control"]["calculation"] == calculation
    assert {name: parsed["cell"].get(name) for name in cell} == cell
    assert ("cell_dofree" in parsed["cell"]) == (freedom == "shape")
    # pressures come from the stress
    assert parsed["control"]["tstress"] is True
    assert parsed["system"]["ecutwfc"] == recipe.relax_ecutwfc_ry


@pytest.mark.parametrize("seconds", [None, 3540.0])
def test_time_limit_is_written_only_where_there_is_one(seconds):
    primitive = primitive_cell(ALUMINIUM)
    recipe = recipe_of(primitive)
    assert namelists(pw_text(primitive, recipe, max_seconds=seconds))[0]["control"].get("max_seconds") == seconds
    assert namelists(ph_input(recipe, max_seconds=seconds))[0]["inputph"].get("max_seconds") == seconds


@pytest.mark.parametrize("first_q", [1, 3])
def test_phonons_have_the_mesh_the_ten_widths_and_start_where_told(first_q):
    recipe = recipe_of(primitive_cell(MAGNESIUM))
    text = ph_input(recipe, first_q=first_q)
    values = namelists(text)[0]["inputph"]
    assert tuple(values[f"nq{i}"] for i in (1, 2, 3)) == recipe.q_mesh
    assert (values["electron_phonon"], values["el_ph_nsigma"], values["ldisp"]) == ("interpolated", N_SIGMA, True)
    assert (values["tr2_ph"], values["el_ph_sigma"]) == (recipe.tr2_ph, recipe.sigma_step_ry)
    assert values.get("start_q", 1) == first_q
    assert not text.startswith("&")  # ph.x takes the first line for a title


def test_q2r_and_matdyn_hand_force_constants_and_coupling_on():
    recipe = recipe_of(primitive_cell(MAGNESIUM))
    first, second = namelists(q2r_input())[0]["input"], namelists(matdyn_input(recipe))[0]["input"]
    assert first["flfrc"] == second["flfrc"]
    assert first["la2f"] is second["la2f"] is second["dos"] is True
    assert first["fildyn"] == namelists(ph_input(recipe))[0]["inputph"]["fildyn"]
    assert tuple(second[f"nk{i}"] for i in (1, 2, 3)) == recipe.interpolation_mesh
    assert second["ndos"] == recipe.n_dos


def test_oxidation_states_do_not_reach_the_input():
    decorated = ALUMINIUM.copy()
    decorated.add_oxidation_state_by_element({"Al": 0})
    assert [str(site.specie) for site in primitive_cell(decorated)] == ["Al"]


def test_edit_keeps_the_cards_and_tells_old_and_new(tmp_path):
    primitive = primitive_cell(DIBORIDE)
    path = tmp_path / "pw.in"
    path.write_text(pw_text(primitive, recipe_of(primitive)))
    before, cards = namelists(path.read_text())
    actions = edit_namelists(path, {"electrons": {"mixing_beta": 0.3, "diagonalization": "cg"}})
    after, kept = namelists(path.read_text())
    assert actions == ("electrons.mixing_beta: 0.7 -> 0.3", "electrons.diagonalization: default -> cg")
    assert kept == cards
    assert after["electrons"] == {**before["electrons"], "mixing_beta": 0.3, "diagonalization": "cg"}
    assert after["system"] == before["system"]
    assert np.allclose(read_espresso_in(io.StringIO(path.read_text())).cell, primitive.lattice.matrix, atol=1e-10)


def test_edit_keeps_the_title_line_and_indexed_names(tmp_path):
    path = tmp_path / "ph.in"
    path.write_text(ph_input(recipe_of(primitive_cell(ALUMINIUM))))
    title = path.read_text().splitlines()[0]
    assert edit_namelists(path, {"inputph": {"alpha_mix(1)": 0.3}}) == ("inputph.alpha_mix(1): 0.7 -> 0.3",)
    assert path.read_text().splitlines()[0] == title
    assert read_namelists(path)["inputph"]["alpha_mix(1)"] == 0.3
    assert path.read_text().count("alpha_mix") == 1


def test_edit_of_a_namelist_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "q2r.in"
    path.write_text(q2r_input())
    with pytest.raises(RecipeError, match="no namelist &inputph: the input was changed by hand"):
        edit_namelists(path, {"inputph": {"start_q": 2}})
    assert path.read_text() == q2r_input()


@pytest.mark.qe
@pytest.mark.parametrize(
    ("crystal", "files", "operations"),
    [(ALUMINIUM, {}, 48), (MAGNESIUM, {"Mg": "Mg.pz-n-vbc.UPF"}, 24)],
    ids=["fcc Al", "hcp Mg"],
)
def test_pw_finds_every_symmetry_operation_of_our_cell(small_recipe, crystal, files, operations):
    primitive = primitive_cell(crystal)
    recipe = small_recipe(primitive, files, ecutwfc_ry=8.0, k_mesh=(2, 2, 2), q_mesh=(1, 1, 1), scf_threshold_ry=1e-4)
    text = pw_input(primitive, recipe, calculation="scf", dense=False, pseudo_dir=DEBIAN_DIRECTORY, max_seconds=None)
    run_program("pw", input_text=text, handlers=pw_handlers("pw"), settings=compute_settings())
    assert f"{operations} Sym. Ops." in Path("pw.out").read_text()
