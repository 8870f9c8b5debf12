"""Input files of epw.x, and the names of the files it hands from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hightc.analysis.wannier_windows import Window
from hightc.makers.qe.inputs import OUTDIR, PREFIX, namelist_text
from hightc.makers.qe.meshes import Mesh
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe

TITLE = "--\n"
SAVE_DIRECTORY = "save"
"""Folder with the phonons and potentials of ph.x, under the names that epw.x expects."""

HAMILTONIAN = f"{PREFIX}_hr.dat"
ROTATIONS = f"{PREFIX}.ukk"
WANNIER_FILES = (ROTATIONS, "crystal.fmt", "epwdata.fmt", "dmedata.fmt", f"{PREFIX}.kmap", f"{PREFIX}.kgmap")
"""Small files that a restart reads, beside the vertex."""

VERTEX = f"{OUTDIR}/{PREFIX}.epmatwp"
MATRIX_ELEMENTS = f"{OUTDIR}/{PREFIX}.ephmat"
SELECTED_Q = "selecq.fmt"
"""The q points that have matrix elements: without it nobody can read them."""

SPECTRUM = f"{PREFIX}.a2f"
SPECTRUM_ISOTROPIC = f"{PREFIX}.a2f_iso"

N_FREQUENCIES = 500
"""Frequencies of the spectra (nqstep)."""

SMALLEST_PHONON_PER_CM = 1.0
"""Modes below this in 1/cm are left out of the coupling (eps_acustic): the acoustic ones at Gamma."""

FERMI_WINDOW_EV = 0.4
SMEARINGS_IN_WINDOW = 4.01
PHONONS_IN_WINDOW = 4.0
"""States farther from the Fermi energy than the largest of 0.4 eV, four smearings (epw.x refuses less) and four phonons
do not count. Wider windows change nothing: lambda of fcc Al is 0.39691 (16^3 k, 8^3 q) and 0.41871 (20^3 k, 5^3 q) with
windows of 4 and of 6 smearings of 0.3 eV."""

GAUSSIAN = 0
"""Smearing of N(E_F) and E_F on the fine mesh (ngaussw). epw.x 5.3.1 sums Gaussians whatever this says; its default 1
divides that by the N(E_F) of Methfessel and Paxton, which differs while the mesh is coarse: for fcc Al 0.086 instead of
0.118 states/eV/spin (16^3 k, 0.1 eV), 0.211 instead of 0.202 (20^3 k, 0.3 eV)."""

GAP_ITERATIONS = 500
GAP_THRESHOLD = 1e-4


@dataclass(frozen=True, slots=True)
class Subspace:
    """Which bands become Wannier functions.

    Attributes
    ----------
    n_wannier
        Wannier functions in the cell.
    n_excluded
        Lowest bands that are left out.
    """

    n_wannier: int
    n_excluded: int


def wannier_input(
    recipe: Recipe,
    wannier: WannierRecipe,
    *,
    window: Window,
    starts: Sequence[str],
    subspace: Subspace,
) -> str:
    """Text of an input of epw.x that makes Wannier functions and stops.

    Parameters
    ----------
    recipe, wannier
        Numbers of the calculation.
    window
        Energy windows of the disentanglement.
    starts
        Projections in the notation of Wannier90; none selects columns of the density matrix (SCDM) instead.
    subspace
        Which bands become Wannier functions.
    """
    values = {
        **_coarse(recipe, wannier, subspace),
        **_fine((1, 1, 1), (1, 1, 1)),
        "elph": False,
        "epwwrite": True,
        "wannierize": True,
        "num_iter": 300,
        "dis_win_max": window.outer_max_ev,
        "dis_froz_min": -1e3,
        "dis_froz_max": window.frozen_max_ev,
        "wdata(1)": "write_hr = .true.",
        "wdata(2)": "dis_num_iter = 500",
        **{f"proj({number})": line for number, line in enumerate(starts, start=1)},
    }
    if not starts:
        values |= {
            "auto_projections": True,
            "scdm_proj": True,
            "scdm_entanglement": "erfc",
            "scdm_mu": window.frozen_max_ev,
            "scdm_sigma": max(window.outer_max_ev - window.frozen_max_ev, 1.0) / 2,
        }
    return _text(values)


def coarse_input(recipe: Recipe, wannier: WannierRecipe, subspace: Subspace) -> str:
    """Text of an input of epw.x that brings the coupling to Wannier functions.

    Parameters
    ----------
    recipe, wannier
        Numbers of the calculation.
    subspace
        Which bands become Wannier functions.
    """
    return _text(
        {
            **_coarse(recipe, wannier, subspace),
            **_fine((1, 1, 1), (1, 1, 1)),
            "elph": True,
            "epwwrite": True,
            "wannierize": False,
        }
    )


def fine_input(
    recipe: Recipe,
    wannier: WannierRecipe,
    *,
    step: int,
    highest_phonon_mev: float,
    subspace: Subspace,
) -> str:
    """Text of an input of epw.x that sums alpha2F on fine meshes.

    Parameters
    ----------
    recipe, wannier
        Numbers of the calculation.
    step
        Position in ``wannier.fine_q_meshes``.
    highest_phonon_mev
        Highest phonon energy in meV, for the smearing of the phonons and the window around the Fermi energy.
    subspace
        Which bands become Wannier functions.
    """
    return _text(
        {
            **_coarse(recipe, wannier, subspace),
            **_fine(wannier.fine_k_mesh(step), wannier.fine_q_meshes[step]),
            **_restart(),
            "elph": True,
            "ephwrite": True,
            "mp_mesh_k": True,
            "fsthick": fermi_window_ev(wannier, highest_phonon_mev),
            "degaussw": wannier.electron_smearing_ev,
            "ngaussw": GAUSSIAN,
            "degaussq": phonon_smearing_mev(highest_phonon_mev),
            "nqsmear": 1,  # nine wider smearings that nobody reads would take ten times as long
            "nqstep": N_FREQUENCIES,
            "eps_acustic": SMALLEST_PHONON_PER_CM,
            "eliashberg": True,
            "liso": False,
            "laniso": False,
            "nstemp": 1,
            "temps(1)": 1.0,
        }
    )


def gap_input(
    recipe: Recipe,
    wannier: WannierRecipe,
    *,
    step: int,
    highest_phonon_mev: float,
    temperatures_kelvin: Sequence[float],
    mu_star: float,
    cutoff_ev: float,
    subspace: Subspace,
    anisotropic: bool,
) -> str:
    """Text of an input of epw.x that solves the Eliashberg equations on the imaginary axis.

    Parameters
    ----------
    recipe, wannier
        Numbers of the calculation.
    step
        Position in ``wannier.fine_q_meshes``.
    highest_phonon_mev
        As for :func:`fine_input`.
    temperatures_kelvin
        Temperatures in K, all below Tc: epw.x stops above it.
    mu_star
        Coulomb pseudopotential, as the value at the cutoff.
    cutoff_ev
        Cutoff of the Matsubara sums in eV.
    subspace
        Which bands become Wannier functions.
    anisotropic
        Whether the gap may differ over the Fermi surface: needs the matrix elements of the fine meshes. The isotropic
        gap needs the spectrum alone.
    """
    values: dict[str, Any] = {
        **_coarse(recipe, wannier, subspace),
        **_fine(wannier.fine_k_mesh(step), wannier.fine_q_meshes[step]),
        **_restart(),
        "ep_coupling": False,
        "elph": False,
        "mp_mesh_k": True,
        "fsthick": fermi_window_ev(wannier, highest_phonon_mev),
        "degaussw": wannier.electron_smearing_ev,
        "ngaussw": GAUSSIAN,
        "degaussq": phonon_smearing_mev(highest_phonon_mev),
        "nqstep": N_FREQUENCIES,
        "eps_acustic": SMALLEST_PHONON_PER_CM,
        "eliashberg": True,
        "liso": not anisotropic,
        "laniso": anisotropic,
        "limag": True,
        "lpade": False,
        "muc": mu_star,
        "wscut": cutoff_ev,
        "nsiter": GAP_ITERATIONS,
        "conv_thr_iaxis": GAP_THRESHOLD,
        "nstemp": len(temperatures_kelvin),
    }
    if not anisotropic:
        values["fila2f"] = SPECTRUM_ISOTROPIC
    values |= {f"temps({number})": kelvin for number, kelvin in enumerate(temperatures_kelvin, start=1)}
    return _text(values)


def fermi_window_ev(wannier: WannierRecipe, highest_phonon_mev: float) -> float:
    """Half width in eV of the window around the Fermi energy whose states are computed (fsthick).

    Parameters
    ----------
    wannier
        Numbers of the calculation.
    highest_phonon_mev
        Highest phonon energy in meV.
    """
    smearing = SMEARINGS_IN_WINDOW * wannier.electron_smearing_ev
    asked = wannier.fermi_window_ev or 0.0
    return round(max(FERMI_WINDOW_EV, smearing, PHONONS_IN_WINDOW * highest_phonon_mev / 1e3, asked), 6)


def phonon_smearing_mev(highest_phonon_mev: float) -> float:
    """Width of the phonon energies in meV (degaussq): a hundredth of the highest.

    Parameters
    ----------
    highest_phonon_mev
        Highest phonon energy in meV.
    """
    return round(highest_phonon_mev / 100, 6)


def _coarse(recipe: Recipe, wannier: WannierRecipe, subspace: Subspace) -> dict[str, Any]:
    values: dict[str, Any] = {
        "prefix": PREFIX,
        "outdir": f"{OUTDIR}/",  # without the slash epw.x looks for ./outhightc.save
        "dvscf_dir": f"./{SAVE_DIRECTORY}",
        "ep_coupling": True,
        "kmaps": False,
        "epbwrite": False,
        "epbread": False,
        "epwwrite": False,
        "epwread": False,
        "wannierize": False,
        # velocities are only needed for transport, and cost as much as everything else
        "vme": False,
        "nbndsub": subspace.n_wannier,
        **{f"nk{axis}": n for axis, n in enumerate(wannier.k_mesh, start=1)},
        **{f"nq{axis}": n for axis, n in enumerate(recipe.q_mesh, start=1)},
    }
    if subspace.n_excluded:
        values["bands_skipped"] = f"exclude_bands = 1-{subspace.n_excluded}"
    return values


def _fine(k_mesh: Mesh, q_mesh: Mesh) -> dict[str, Any]:
    return {
        **{f"nkf{axis}": n for axis, n in enumerate(k_mesh, start=1)},
        **{f"nqf{axis}": n for axis, n in enumerate(q_mesh, start=1)},
    }


def _restart() -> dict[str, Any]:
    return {"kmaps": True, "epwread": True}


def _text(values: dict[str, Any]) -> str:
    return TITLE + namelist_text({"inputepw": values})
