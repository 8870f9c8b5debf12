"""A calculation of bcc Al that ph.x can start from, without any program having run."""

from __future__ import annotations

from pathlib import Path

from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Provenance, Pseudopotential, ScfDocument
from hightc.makers.qe.recipe import Recipe, make_recipe


def bcc_aluminium(folder: Path) -> tuple[Recipe, ScfDocument]:
    """Recipe with three irreducible q points, and what ph.x starts from in a folder of its own.

    Parameters
    ----------
    folder
        Where the folder is made.
    """
    structure = Structure.from_spacegroup("Im-3m", Lattice.cubic(3.17), ["Al"], [[0, 0, 0]]).get_primitive_structure()
    pseudopotentials = (Pseudopotential(element="Al", filename="Al.upf", sha256="0" * 64),)
    recipe = make_recipe(
        structure,
        protocol="draft",
        family="none",
        pseudopotentials=pseudopotentials,
        suggested_ecutwfc_ry=16.0,
        norm_conserving=True,
        overrides={"q_mesh": (2, 2, 2), "k_mesh": (4, 4, 4)},
    )
    before = folder / "scf"
    (before / "out" / "hightc.save").mkdir(parents=True)
    for name in ("hightc.save/charge-density.dat", "hightc.xml", "hightc.a2Fsave"):
        (before / "out" / name).write_text("fake\n")
    provenance = Provenance(
        input_sha256="0" * 64,
        codes={},
        pseudopotentials=pseudopotentials,
        corrections=(),
        directory=str(before),
        wall_seconds=1.0,
    )
    scf = ScfDocument(
        campaign="test",
        material="Al",
        formula="Al",
        elements=("Al",),
        structure=structure,
        purpose="coarse",
        energy_ev=-56.0,
        fermi_ev=8.0,
        band_gap_ev=0.0,
        total_magnetization_bohr_magneton=None,
        k_mesh=(4, 4, 4),
        protocol="draft",
        provenance=provenance,
    )
    return recipe, scf
