"""What the Wannier route fills, against real runs of epw.x with fcc lead."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Pseudopotential
from hightc.makers.disk_need import SMALL_FILES_BYTES, estimate_disk_need
from hightc.makers.disk_need_wannier import wigner_seitz_count
from hightc.makers.qe.recipe import make_recipe
from hightc.makers.qe.symmetry import primitive_cell
from hightc.makers.qe.wannier_recipe import make_wannier_recipe

LEAD = primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.8804), ["Pb"], [[0, 0, 0]]))
ORBITALS = {"5D": (2, 10.0), "6P": (1, 2.0), "6S": (0, 2.0)}

# q mesh, k mesh over q mesh, half width of the window in eV -> bytes of ephmat, without its small texts
MEASURED_EPHMAT = {
    ((10, 10, 10), 2, 0.6): 1_054_112,
    ((10, 10, 10), 2, 0.4): 386_240,
    ((5, 5, 5), 4, 1.604): 935_104,
    ((4, 4, 4), 4, 2.0): 481_312,
}
"""EPW 5.3.1, four functions of Pb, 40 Ry, 8x8x8 k points and 2x2x2 q points."""


def need(folder, *, orbitals=ORBITALS, route=True, **numbers):
    lines = [
        f'<PP_CHI.{number} label="{label}" l="{momentum}" occupation="{occupation}">'
        for number, (label, (momentum, occupation)) in enumerate(orbitals.items(), start=1)
    ]
    header = '<PP_HEADER element="Pb" z_valence="14.0"/>'
    (folder / "Pb.upf").write_text("\n".join(['<UPF version="2.0.1">', header, *lines, "</UPF>\n"]))
    recipe = make_recipe(
        LEAD,
        protocol="draft",
        family="mine",
        pseudopotentials=(Pseudopotential(element="Pb", filename="Pb.upf", sha256="0" * 64),),
        suggested_ecutwfc_ry=None,
        norm_conserving=True,
        overrides={"ecutwfc_ry": 40.0, "relax_ecutwfc_ry": 60.0, "k_mesh": (8, 8, 8), "q_mesh": (2, 2, 2)},
    )
    given = {"k_mesh": (8, 8, 8), "fine_q_meshes": ((10, 10, 10),), "fine_k_factor": 2, **numbers}
    wannier = make_wannier_recipe(LEAD, recipe, given) if route else None
    return estimate_disk_need(LEAD, recipe, folder, wannier)


@pytest.mark.parametrize(
    ("file", "measured"),
    [
        ("wavefunctions", 80_791_364),
        ("working", 78_307_328 + 8_110_080),
        ("vertex", 9_003_264),
        ("potentials", 2_834_352),
    ],
)
def test_files_of_the_coarse_meshes_are_as_large_as_measured(tmp_path, file, measured):
    # the surface of the sphere of plane waves is worth a few percent
    assert getattr(need(tmp_path).wannier, file) == pytest.approx(measured, rel=0.05)


@pytest.mark.parametrize(("meshes", "measured"), MEASURED_EPHMAT.items(), ids=str)
def test_matrix_elements_of_fine_meshes_are_nearly_as_many_as_measured(tmp_path, meshes, measured):
    q_mesh, factor, half_width_ev = meshes
    smearing_ev = half_width_ev / 4.01
    one = need(tmp_path, fine_q_meshes=(q_mesh,), fine_k_factor=factor, electron_smearing_ev=smearing_ev)
    # the square of the density of free electrons: that of lead is 1 to 17 % higher, depending on the window
    assert one.wannier.matrix_elements == (pytest.approx(measured, rel=0.3),)


def test_coupling_has_as_many_vectors_as_epw_counts():
    """9 003 264 bytes of epmatwp are 16 bytes, 4^2 functions, 3 modes, and 617 x 19 vectors."""
    assert (wigner_seitz_count(LEAD, (8, 8, 8)), wigner_seitz_count(LEAD, (2, 2, 2))) == (617, 19)


def test_open_d_shell_has_more_states_near_the_fermi_energy(tmp_path):
    closed, opened = (need(tmp_path, orbitals={"6S": (0, 2.0), "5D": (2, d)}) for d in (10.0, 2.0))
    assert opened.wannier.matrix_elements[0] > closed.wannier.matrix_elements[0]


def test_each_fine_mesh_adds_its_own(tmp_path):
    one, two = need(tmp_path), need(tmp_path, fine_q_meshes=((10, 10, 10), (12, 12, 12)))
    assert two.wannier.matrix_elements[0] == one.wannier.matrix_elements[0] < two.wannier.matrix_elements[1]
    assert two.wannier.written > one.wannier.written + two.wannier.matrix_elements[1]


def test_less_is_held_the_less_is_kept(tmp_path):
    lead, plain = need(tmp_path), need(tmp_path, route=False)
    assert plain.wannier is None
    assert lead.kept("results") == SMALL_FILES_BYTES + lead.wannier.texts
    assert lead.kept("restart") == plain.kept("restart") + lead.wannier.restart
    assert lead.kept("everything") == plain.kept("everything") + lead.wannier.written
    assert lead.kept("results") < lead.kept("restart") < lead.kept("everything") < lead.peak
    assert lead.peak == lead.written + lead.wannier.working
    assert plain.peak == plain.written + plain.working


def test_nothing_is_added_where_no_orbitals_start_functions(tmp_path):
    assert need(tmp_path, orbitals={}).wannier is None
