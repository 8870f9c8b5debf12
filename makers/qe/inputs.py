"""Input files of pw.x, ph.x, q2r.x and matdyn.x, written through ASE."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ase import Atoms
from ase.io.espresso import Namelist, read_fortran_namelist, write_espresso_in
from pymatgen.core import Structure

from hightc.analysis.files import write_text
from hightc.makers.errors import RecipeError
from hightc.makers.qe.recipe import Recipe

PREFIX = "hightc"
OUTDIR = "./out"
FILDYN = "dyn"
FILDVSCF = "dvscf"
FORCE_CONSTANTS = "force_constants"
FREQUENCIES = "frequencies"
PHONON_DOS = "phonon_dos"
N_SIGMA = 10
"""Widths of the double delta: q2r.x and matdyn.x of Quantum ESPRESSO 6.7 read exactly ten and stop otherwise."""

KBAR_PER_GPA = 10.0

Namelists = Mapping[str, Mapping[str, Any]]


def _atoms(structure: Structure) -> Atoms:
    return Atoms(
        symbols=[site.specie.symbol for site in structure],
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
    )


def pw_input(
    structure: Structure,
    recipe: Recipe,
    *,
    calculation: Literal["scf", "vc-relax"],
    dense: bool,
    pseudo_dir: Path,
    max_seconds: float | None,
    for_stress: bool = False,
) -> str:
    """Text of an input of pw.x.

    Parameters
    ----------
    structure
        Primitive standard cell, Angstrom.
    recipe
        Numbers of the calculation.
    calculation
        ``scf`` or ``vc-relax`` (cell and atoms at ``recipe.pressure_gpa``).
    dense
        Whether to use the dense mesh and save the weights of the double-delta sum (``la2F``).
    pseudo_dir
        Folder of the pseudopotentials.
    max_seconds
        Time after which pw.x stops cleanly; None for no limit.
    for_stress
        Whether the stress matters: it needs the higher cutoff ``recipe.relax_ecutwfc_ry``.
    """
    ecutwfc_ry = recipe.relax_ecutwfc_ry if for_stress else recipe.ecutwfc_ry
    control: dict[str, Any] = {
        "calculation": calculation,
        "prefix": PREFIX,
        "outdir": OUTDIR,
        "pseudo_dir": str(pseudo_dir),
        "tprnfor": True,
        "tstress": True,
    }
    if max_seconds is not None:
        control["max_seconds"] = float(max_seconds)
    system: dict[str, Any] = {
        "ecutwfc": ecutwfc_ry,
        "ecutrho": recipe.ecutrho_ry / recipe.ecutwfc_ry * ecutwfc_ry,
        "occupations": "smearing",
        "smearing": recipe.smearing,
        "degauss": recipe.degauss_ry,
    }
    if dense:
        system["la2F"] = True
    electrons = {"conv_thr": recipe.scf_threshold_ry, "mixing_beta": 0.7, "electron_maxstep": 100}
    namelists: dict[str, dict[str, Any]] = {"control": control, "system": system, "electrons": electrons}
    if calculation == "vc-relax":
        control |= {"forc_conv_thr": recipe.force_threshold_ry_bohr, "etot_conv_thr": 1e-5, "nstep": 100}
        namelists["ions"] = {"ion_dynamics": "bfgs"}
        namelists["cell"] = {
            "cell_dynamics": "bfgs",
            "press": recipe.pressure_gpa * KBAR_PER_GPA,
            "press_conv_thr": recipe.pressure_threshold_kbar,
        }
    stream = io.StringIO()
    write_espresso_in(
        stream,
        _atoms(structure),
        input_data=namelists,
        pseudopotentials={item.element: item.filename for item in recipe.pseudopotentials},
        kpts=recipe.k_mesh_dense if dense else recipe.k_mesh,
        crystal_coordinates=True,
    )
    return stream.getvalue()


def ph_input(recipe: Recipe, *, first_q: int = 1, max_seconds: float | None = None) -> str:
    """Text of an input of ph.x: phonons on the q mesh with electron-phonon matrix elements.

    Parameters
    ----------
    recipe
        Numbers of the calculation.
    first_q
        The first q point that has not been computed yet, counted from 1.
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


def namelist_text(namelists: Namelists) -> str:
    """Fortran namelists as text.

    Parameters
    ----------
    namelists
        Values by namelist and name.
    """
    return str(Namelist({name: dict(values) for name, values in namelists.items()}).to_string())


def read_namelists(path: Path) -> dict[str, dict[str, Any]]:
    """Namelists of an input file.

    Parameters
    ----------
    path
        An input of any program of Quantum ESPRESSO.
    """
    with path.open(encoding="utf-8") as stream:
        namelists, _ = read_fortran_namelist(stream)
    return {str(name).lower(): dict(values) for name, values in namelists.items()}


def edit_namelists(path: Path, changes: Namelists) -> tuple[str, ...]:
    """Change values of an input file in place, keeping its cards.

    Parameters
    ----------
    path
        An input file.
    changes
        New values by namelist and name.

    Returns
    -------
    tuple of str
        Each change as ``namelist.name: old -> new``.

    Raises
    ------
    RecipeError
        If the file has no such namelist.
    """
    text = path.read_text(encoding="utf-8")
    start = text.index("&")
    namelists, cards = read_fortran_namelist(io.StringIO(text[start:]))
    applied = []
    for name, values in changes.items():
        if name not in namelists:
            msg = f"{path}: no namelist &{name}: the input was changed by hand; remove the folder and run again"
            raise RecipeError(msg)
        for key, value in values.items():
            applied.append(f"{name}.{key}: {namelists[name].get(key, 'default')} -> {value}")
            namelists[name][key] = value
    body = "\n".join(cards)
    write_text(path, text[:start] + namelist_text(namelists) + (body + "\n" if body else ""))
    return tuple(applied)
