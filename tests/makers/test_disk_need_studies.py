"""What magnetic ladders and nesting fill, against real runs of pw.x with Ni and Cr."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Pseudopotential
from hightc.makers.cost import Studied
from hightc.makers.disk_need import estimate_disk_need
from hightc.makers.disk_need_studies import estimate_material_need
from hightc.makers.qe.magnetic_recipe import make_magnetic_recipe
from hightc.makers.qe.nesting_recipe import make_nesting_recipe
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell

MEASURED_MB = {"Ni": 49.3, "Cr": 25.5}
"""Of launch/examples/quickstart.toml with everything kept, Quantum ESPRESSO 6.7."""

NICKEL = primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.52), ["Ni"], [[0, 0, 0]]))
CHROMIUM = primitive_cell(Structure.from_spacegroup("Im-3m", Lattice.cubic(2.85), ["Cr"], [[0, 0, 0]]))
RUNS = 12
"""Two orders on six rungs."""


def recipe_of(structure, folder, valence, size, **numbers):
    element = structure[0].specie.symbol
    header = f'<UPF version="2.0.1">\n<PP_HEADER element="{element}" z_valence="{valence}"/>\n</UPF>\n'
    (folder / f"{element}.upf").write_text(header.ljust(size))
    file = Pseudopotential(element=element, filename=f"{element}.upf", sha256="0" * 64)
    return make_recipe(
        structure,
        protocol="draft",
        family="mine",
        pseudopotentials=(file,),
        suggested_ecutwfc_ry=None,
        norm_conserving=False,
        overrides={"k_mesh": (8, 8, 8), "q_mesh": (2, 2, 2), **numbers},
    )


def magnetic(folder):
    recipe = recipe_of(NICKEL, folder, 10.0, 874_562, ecutwfc_ry=26.0, ecutrho_ry=240.0, relax_ecutwfc_ry=26.0)
    return recipe, make_magnetic_recipe(NICKEL, recipe, {"k_mesh": (8, 8, 8)})


def nested(folder):
    recipe = recipe_of(CHROMIUM, folder, 14.0, 1_801_461, ecutwfc_ry=35.0, ecutrho_ry=280.0, relax_ecutwfc_ry=50.0)
    return recipe, make_nesting_recipe(CHROMIUM, recipe, {"k_mesh": (16, 16, 16)})


def test_magnetic_ladder_fills_no_more_than_is_estimated_and_not_much_less(tmp_path):
    recipe, numbers = magnetic(tmp_path)
    studied = Studied(electron_phonon=False, magnetism=numbers, magnetic_runs=RUNS)
    estimate = estimate_material_need(NICKEL, recipe, tmp_path, studied)
    # half of the runs have no spin, and write half of what is counted for them
    assert MEASURED_MB["Ni"] < estimate.written / 1e6 < 1.5 * MEASURED_MB["Ni"]
    assert estimate.ph == 0


def test_nesting_fills_what_is_estimated(tmp_path):
    recipe, numbers = nested(tmp_path)
    estimate = estimate_material_need(CHROMIUM, recipe, tmp_path, Studied(electron_phonon=False, nesting=numbers))
    # the texts of the three runs are a twentieth of it
    assert estimate.written / 1e6 == pytest.approx(MEASURED_MB["Cr"], rel=0.1)


def test_finished_study_keeps_little(tmp_path):
    for structure, (recipe, numbers), name in (
        (NICKEL, magnetic(tmp_path), "magnetism"),
        (CHROMIUM, nested(tmp_path), "nesting"),
    ):
        studied = Studied(electron_phonon=False, magnetic_runs=RUNS, **{name: numbers})
        estimate = estimate_material_need(structure, recipe, tmp_path, studied)
        assert estimate.kept("results") < 0.3 * estimate.kept("everything")


def test_studies_beside_the_linear_response_add_to_it(tmp_path):
    recipe, numbers = nested(tmp_path)
    alone = estimate_disk_need(CHROMIUM, recipe, tmp_path)
    both = estimate_material_need(CHROMIUM, recipe, tmp_path, Studied(nesting=numbers))
    assert both.written > alone.written
    assert estimate_material_need(CHROMIUM, recipe, tmp_path) == alone
