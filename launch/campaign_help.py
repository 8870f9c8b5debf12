"""What ``hightc run --help`` says of campaign files; text only, so that help needs no heavy import."""

from __future__ import annotations

from typing import Final

KEYS: Final = {
    "name": "name of the campaign; the file's by default",
    "protocol": "draft: a quick look; screen (default): ranks materials; precise: for publication",
    "route": "linear_response (default): ph.x, q2r.x, matdyn.x; wannier: that, then epw.x from the same phonons",
    "studies": "list of electron_phonon (default: Tc), magnetic_softness, nesting (with the spin susceptibility)",
    "mu_star": "Coulomb pseudopotentials, for example [0.10, 0.13, 0.16]",
    "pseudopotentials": "table: family = installed name, debian or a folder; files = { Al = 'Al.upf' }",
    "recipe": "table: numbers that replace the protocol's, such as k_mesh, q_mesh, pressure_gpa, relax, spin_orbit",
    "wannier": "table: numbers of the Wannier route, such as k_mesh, fine_q_meshes, band_distance_mev",
    "magnetism": "table: numbers of the magnetic softness, such as volume_ratios, max_primitive_cells",
    "nesting": "table: numbers of nesting and susceptibility, such as k_mesh, smearing_ev, stoner_ev",
    "funnel": "table: cheap electrons first; [[funnel.gates]] with rules or a learned model choose what goes on",
    "q_jobs": "runs of ph.x side by side for one material; as many as there are cores for by default",
    "finer_q_passes": "finer q meshes tried where interpolated modes are imaginary (default: 1)",
    "sources": "tables [[sources]]: kind = materials_project, supercon, files, optimade or prototype",
    "materials": "tables [materials.LABEL]: prototype = 'fcc Al 4.05' or file = 'Al.cif'; own studies, recipe, ...",
}
"""Keys of a campaign file, as in ``hightc.launch.campaign.CampaignFile``."""

CAMPAIGN_EPILOG: Final = "\n".join(
    (
        "A campaign file is TOML; launch/examples/quickstart.toml is one to copy:",
        *(f"  {name:<17} {text}" for name, text in KEYS.items()),
        "A misspelt key of [recipe], [wannier], [magnetism] or [nesting] is answered with all that there are.",
        "Interrupt it however you like and run it again: what is finished is kept.",
    )
)
