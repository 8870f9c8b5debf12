"""Input files of ph.x, q2r.x and matdyn.x, and the names of the files they write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hightc.makers.qe.inputs import OUTDIR, PREFIX, namelist_text
from hightc.makers.qe.recipe import Recipe

FILDYN = "dyn"
FILDVSCF = "dvscf"
FORCE_CONSTANTS = "force_constants"
FREQUENCIES = "frequencies"
PHONON_DOS = "phonon_dos"
PHONONS = f"{OUTDIR}/_ph0"
"""Where ph.x works."""

N_SIGMA = 10
"""Widths of the double delta: q2r.x and matdyn.x of Quantum ESPRESSO 6.7 read exactly ten and stop otherwise."""


def response_folder(directory: Path, number: int) -> Path:
    """Folder in which ph.x leaves the response of the potential to a q point: that of Gamma lies above the others.

    Parameters
    ----------
    directory
        Folder of the run.
    number
        Number of the q point, counted from 1.
    """
    scratch = directory / PHONONS
    return scratch if number == 1 else scratch / f"{PREFIX}.q_{number}"


def ph_input(
    recipe: Recipe,
    *,
    first_q: int = 1,
    last_q: int | None = None,
    max_seconds: float | None = None,
) -> str:
    """Text of an input of ph.x: phonons on the q mesh with electron-phonon matrix elements.

    Parameters
    ----------
    recipe
        Numbers of the calculation.
    first_q
        The first q point to compute, counted from 1.
    last_q
        The last one; None for all that follow.
    max_seconds
        Time after which ph.x stops cleanly; None for no limit.
    """
    n1, n2, n3 = recipe.q_mesh
    values: dict[str, Any] = {
        "prefix": PREFIX,
        "outdir": OUTDIR,
        "fildyn": FILDYN,
        "fildvscf": FILDVSCF,
        "trans": True,
        "ldisp": True,
        "nq1": n1,
        "nq2": n2,
        "nq3": n3,
        "tr2_ph": recipe.tr2_ph,
        "alpha_mix(1)": 0.7,
        "electron_phonon": "interpolated",
        "el_ph_sigma": recipe.sigma_step_ry,
        "el_ph_nsigma": N_SIGMA,
        "recover": False,
    }
    if first_q > 1:
        values["start_q"] = first_q
    if last_q is not None:
        values["last_q"] = last_q
    if max_seconds is not None:
        values["max_seconds"] = float(max_seconds)
    return "phonons and electron-phonon coupling\n" + namelist_text({"inputph": values})


def q2r_input() -> str:
    """Text of an input of q2r.x: dynamical matrices to real-space force constants."""
    return namelist_text({"input": {"fildyn": FILDYN, "flfrc": FORCE_CONSTANTS, "zasr": "simple", "la2F": True}})


def matdyn_input(recipe: Recipe) -> str:
    """Text of an input of matdyn.x: interpolated phonons, their density of states and alpha2F.

    Parameters
    ----------
    recipe
        Numbers of the calculation.
    """
    n1, n2, n3 = recipe.interpolation_mesh
    values: dict[str, Any] = {
        "asr": "simple",
        "flfrc": FORCE_CONSTANTS,
        "flfrq": FREQUENCIES,
        "fldos": PHONON_DOS,
        "la2F": True,
        "dos": True,
        "nk1": n1,
        "nk2": n2,
        "nk3": n3,
        "ndos": recipe.n_dos,
    }
    return namelist_text({"input": values})
