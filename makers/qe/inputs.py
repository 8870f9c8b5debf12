"""Input files of pw.x and namelists of all programs, written through ASE."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.io.espresso import Namelist, read_fortran_namelist, write_espresso_in
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.files import write_text
from hightc.makers.errors import RecipeError
from hightc.makers.qe.meshes import Mesh, uniform_points
from hightc.makers.qe.recipe import Recipe

PREFIX = "hightc"
OUTDIR = "./out"

KBAR_PER_GPA = 10.0

Namelists = Mapping[str, Mapping[str, Any]]
Calculation = Literal["scf", "vc-relax", "nscf"]


def _atoms(structure: Structure, polarization: Sequence[float]) -> Atoms:
    """Structure as ASE wants it; ASE writes magnetic moments as starting_magnetization of their species."""
    return Atoms(
        symbols=[site.specie.symbol for site in structure],
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
        magmoms=list(polarization),
    )


def _polarization(structure: Structure, recipe: Recipe) -> tuple[float, ...]:
    """(n_sites,) spin polarisation that the recipe starts each site from."""
    return tuple(recipe.starting_magnetization.get(site.specie.symbol, 0.0) for site in structure)


def _electronic_options(structure: Structure, recipe: Recipe, polarization: Sequence[float]) -> dict[str, Any]:
    """Spin and Hubbard U for the namelist ``system``; species are counted in the order ASE writes them."""
    values: dict[str, Any] = {}
    if recipe.spin_orbit:
        values |= {"noncolin": True, "lspinorb": True}
    if recipe.spin_polarized:
        values["nspin"] = 2
    if recipe.hubbard_u_ev:
        values["lda_plus_u"] = True
        # where spins count, ASE makes a species of each start of an element
        starts = polarization if recipe.spin_polarized else [0.0] * len(structure)
        species = dict.fromkeys((site.specie.symbol, start) for site, start in zip(structure, starts, strict=True))
        for number, (element, _) in enumerate(species, start=1):
            if element in recipe.hubbard_u_ev:
                values[f"hubbard_u({number})"] = recipe.hubbard_u_ev[element]
    return values


def pw_input(
    structure: Structure,
    recipe: Recipe,
    *,
    calculation: Calculation,
    dense: bool,
    pseudo_dir: Path,
    max_seconds: float | None,
    for_stress: bool = False,
    k_list: Mesh | NDArray[np.float64] | None = None,
    n_bands: int | None = None,
) -> str:
    """Text of an input of pw.x.

    Parameters
    ----------
    structure
        Primitive standard cell, Angstrom.
    recipe
        Numbers of the calculation.
    calculation
        ``scf``, ``vc-relax`` (cell and atoms at ``recipe.pressure_gpa``), or ``nscf``: eigenvalues of the density that
        is already in :data:`OUTDIR`.
    dense
        Whether to use the dense mesh and save the weights of the double-delta sum (``la2F``).
    pseudo_dir
        Folder of the pseudopotentials.
    max_seconds
        Time after which pw.x stops cleanly; None for no limit.
    for_stress
        Whether the stress matters: it needs the higher cutoff ``recipe.relax_ecutwfc_ry``.
    k_list
        For ``nscf``: list every point of this mesh with the weight 1/N, as Wannier functions need them, or these points
        (n, 3), in units of the reciprocal lattice vectors. pw.x is then
        asked for ``bands``, the one kind of calculation that takes a list as it is: its own nscf adds the images that
        a crystal of lower symmetry than its lattice lacks, and ``nosym`` against that may change the FFT mesh (hcp:
        15 15 25 after a self-consistency on 15 15 30). Its Fermi energy is that of the self-consistency.
        None: a mesh of the recipe, reduced by symmetry.
    n_bands
        Bands to compute; None: what pw.x takes for a metal, 1.2 times the occupied ones.
    """
    polarization = _polarization(structure, recipe)
    namelists: dict[str, dict[str, Any]] = {
        "control": _control(calculation, pseudo_dir, max_seconds, as_listed=k_list is not None),
        "system": _system(structure, recipe, polarization, for_stress=for_stress),
        "electrons": _electrons(recipe),
    }
    if dense:
        namelists["system"]["la2F"] = True
    if n_bands is not None:
        namelists["system"]["nbnd"] = n_bands
    if calculation == "nscf":
        # empty bands count as much as occupied ones
        namelists["electrons"]["diago_full_acc"] = True
    if calculation == "vc-relax":
        namelists |= _relaxation(namelists["control"], recipe)
    mesh = recipe.k_mesh_dense if dense else recipe.k_mesh
    return _text(structure, recipe, polarization, namelists, mesh if k_list is None else _listed(k_list))


@dataclass(frozen=True)
class Spins:
    """How the spins of a magnetic calculation start, and what holds them.

    Attributes
    ----------
    polarization : tuple of float (n_sites,)
        Spin polarisation that each site starts from, -1 to 1: sites of one element may differ.
    total_bohr_magneton : float or None
        Moment of the cell that is held fixed; each spin then has a Fermi energy of its own. None leaves it free.
    """

    polarization: tuple[float, ...]
    total_bohr_magneton: float | None = None


Freedom = Literal["none", "shape", "all"]


def magnetic_input(
    structure: Structure,
    recipe: Recipe,
    spins: Spins | None,
    *,
    freedom: Freedom,
    k_shift: tuple[int, int, int],
    pseudo_dir: Path,
    max_seconds: float | None,
) -> str:
    """Text of an input of pw.x for one magnetic order of a cell, with its stress.

    Parameters
    ----------
    structure
        The cell that holds the order, Angstrom.
    recipe
        Numbers of the calculation; its spins are left out of account.
    spins
        How the spins start, site by site; None for a calculation without spin.
    freedom
        What is relaxed: nothing, the shape of the cell and the atoms at the volume of ``structure``, or everything at
        ``recipe.pressure_gpa``.
    k_shift
        1 along the reciprocal lattice vectors where the mesh begins half a step from Gamma, else 0.
    pseudo_dir
        Folder of the pseudopotentials.
    max_seconds
        Time after which pw.x stops cleanly; None for no limit.
    """
    polarization = spins.polarization if spins else (0.0,) * len(structure)
    recipe = recipe.model_copy(update={"spin_polarized": spins is not None, "starting_magnetization": {}})
    namelists: dict[str, dict[str, Any]] = {
        "control": _control("scf" if freedom == "none" else "vc-relax", pseudo_dir, max_seconds, as_listed=False),
        "system": _system(structure, recipe, polarization, for_stress=True),
        "electrons": _electrons(recipe),
    }
    if spins and spins.total_bohr_magneton is not None:
        namelists["system"]["tot_magnetization"] = spins.total_bohr_magneton
    if freedom != "none":
        namelists |= _relaxation(namelists["control"], recipe)
    if freedom == "shape":
        # the pressure of a fixed volume is whatever it is
        namelists["cell"] |= {"cell_dofree": "shape", "press": 0.0}
    return _text(structure, recipe, polarization, namelists, recipe.k_mesh, k_shift)


def _text(
    structure: Structure,
    recipe: Recipe,
    polarization: Sequence[float],
    namelists: Namelists,
    k_points: Mesh | NDArray[np.float64],
    k_shift: tuple[int, int, int] = (0, 0, 0),
) -> str:
    stream = io.StringIO()
    write_espresso_in(
        stream,
        _atoms(structure, polarization),
        input_data=namelists,
        pseudopotentials={item.element: item.filename for item in recipe.pseudopotentials},
        kpts=k_points,
        koffset=k_shift,
        crystal_coordinates=True,
    )
    return stream.getvalue()


def _system(structure: Structure, recipe: Recipe, polarization: Sequence[float], *, for_stress: bool) -> dict[str, Any]:
    ecutwfc_ry = recipe.relax_ecutwfc_ry if for_stress else recipe.ecutwfc_ry
    return {
        "ecutwfc": ecutwfc_ry,
        "ecutrho": recipe.ecutrho_ry / recipe.ecutwfc_ry * ecutwfc_ry,
        "occupations": "smearing",
        "smearing": recipe.smearing,
        "degauss": recipe.degauss_ry,
        **_electronic_options(structure, recipe, polarization),
    }


def _electrons(recipe: Recipe) -> dict[str, Any]:
    return {"conv_thr": recipe.scf_threshold_ry, "mixing_beta": 0.7, "electron_maxstep": 100}


def _control(
    calculation: Calculation, pseudo_dir: Path, max_seconds: float | None, *, as_listed: bool
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "calculation": "bands" if as_listed else calculation,
        "prefix": PREFIX,
        "outdir": OUTDIR,
        "pseudo_dir": str(pseudo_dir),
    }
    if calculation != "nscf":
        values |= {"tprnfor": True, "tstress": True}
    if max_seconds is not None:
        values["max_seconds"] = float(max_seconds)
    return values


def _relaxation(control: dict[str, Any], recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Namelists of a relaxation, ``control`` with its thresholds among them."""
    return {
        "control": control | {"forc_conv_thr": recipe.force_threshold_ry_bohr, "etot_conv_thr": 1e-5, "nstep": 100},
        "ions": {"ion_dynamics": "bfgs"},
        "cell": {
            "cell_dynamics": "bfgs",
            "press": recipe.pressure_gpa * KBAR_PER_GPA,
            "press_conv_thr": recipe.pressure_threshold_kbar,
        },
    }


def _listed(k_list: Mesh | NDArray[np.float64]) -> NDArray[np.float64]:
    """Points beside their weights, (n, 4)."""
    points = k_list if isinstance(k_list, np.ndarray) else uniform_points(k_list)
    return np.column_stack([points, np.full(len(points), 1 / len(points))])


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
