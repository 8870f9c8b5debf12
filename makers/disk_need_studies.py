"""Disk that everything which is computed of one material fills, estimated before anything runs.

Magnetic softness and nesting are runs of pw.x, whose files :mod:`hightc.makers.disk_need` counts: one for each order
and rung of a magnetic ladder, as large as a spin-polarised one of the primitive cell; for nesting the density and the
bands of the dense mesh, whose wavefunctions pw.x writes twice. Once the material has its answer, summaries and texts
stay, and the density that bands start from. Ni and Cr of launch/examples/quickstart.toml filled 49.3 and 25.5 MB.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pymatgen.core import Structure

from hightc.makers.cost import ELECTRON_PHONON, Studied
from hightc.makers.disk_need import DiskNeed, estimate_disk_need, n_irreducible, pw_files, summary_bytes
from hightc.makers.fermi_surface import n_bands
from hightc.makers.qe.recipe import Recipe

OFF_GAMMA = 2
"""Irreducible points of a k mesh off Gamma over one around it, at most: pw.x takes the images of fcc's (60 for 29)."""

RUN_TEXTS_BYTES = 70_000
"""Input, output and firework of a run of pw.x: 48 to 64 kB were measured with Ni and Cr."""


def estimate_material_need(
    structure: Structure, recipe: Recipe, pseudo_dir: Path, studied: Studied = ELECTRON_PHONON
) -> DiskNeed | None:
    """Estimate what one material fills; None where a pseudopotential does not tell its electrons.

    Parameters
    ----------
    structure
        Primitive standard cell, Angstrom.
    recipe
        Numbers of the calculation.
    pseudo_dir
        Folder of its pseudopotentials.
    studied
        What is computed.
    """
    pw = pw_files(structure, recipe, pseudo_dir)
    if pw is None:
        return None
    need = DiskNeed()
    if studied.electron_phonon:
        need = estimate_disk_need(structure, recipe, pseudo_dir, studied.wannier) or need
    written = kept = 0.0
    if studied.magnetism is not None:
        n_k = n_irreducible(structure, studied.magnetism.k_mesh) * (OFF_GAMMA if studied.magnetism.off_gamma else 1)
        texts = RUN_TEXTS_BYTES + summary_bytes(2 * n_k, pw.bands)
        written += studied.magnetic_runs * (RUN_TEXTS_BYTES + pw.run(n_k, recipe.relax_ecutwfc_ry, 2))
        kept += studied.magnetic_runs * texts
    if studied.nesting is not None:
        n_k, n_dense = (n_irreducible(structure, mesh) for mesh in (recipe.k_mesh, studied.nesting.k_mesh))
        bands = n_bands(pw.electrons, studied.nesting.extra_bands, recipe.spin_orbit)
        density = pw.run(n_k, recipe.ecutwfc_ry, 1)
        relaxed = 0.0 if studied.electron_phonon else pw.run(n_k, recipe.relax_ecutwfc_ry, 1)
        twice = n_dense * pw.wavefunctions(recipe.ecutwfc_ry, 1, bands)
        written += relaxed + density + twice + pw.run(n_dense, recipe.ecutwfc_ry, 1, bands) + 3 * RUN_TEXTS_BYTES
        kept += density + summary_bytes(n_dense, bands) + 3 * RUN_TEXTS_BYTES
    return replace(need, studies=written, studies_kept=kept)
